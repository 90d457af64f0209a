// A beat counts where a node of the cluster has made it, whoever else may publish to its subject.

import { describe, expect, it } from 'vitest';
import { type Beat, encodeBeat } from '../../src/cluster/beat.ts';
import { BeatSeal } from '../../src/cluster/beat-seal.ts';
import { ROLE_OWNING } from '../../src/cluster/roles.ts';

const BEAT: Beat = {
  ...{ node: 2, name: 'b', life: 3, number: 4, level: 1, clock: 5, policy: 6, draining: false, firstFlow: 7 },
  shards: [{ role: ROLE_OWNING, epoch: 8, applied: 9 }],
};

describe('a sealed beat', () => {
  const seal = new BeatSeal(new Uint8Array(16).fill(1));

  it('is what was said', () => {
    expect(seal.open(seal.seal(BEAT))).toEqual(BEAT);
  });

  it('is none where a bit differs, where it is cut off, without the secret, or with another', () => {
    const sealed = seal.seal(BEAT);
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const other = sealed.slice();
      other[bit >> 3] ^= 1 << (bit & 7);
      expect(seal.open(other), `bit ${bit}`).toBeNull();
    }
    for (let length = 0; length < sealed.length; length++) expect(seal.open(sealed.subarray(0, length))).toBeNull();
    expect(seal.open(encodeBeat(BEAT))).toBeNull();
    expect(new BeatSeal(new Uint8Array(16).fill(2)).open(sealed)).toBeNull();
  });
});
