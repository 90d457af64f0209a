import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeHello, encodeHello, type Hello, isProof, proofOf } from '../../../src/cluster/peers/peer-proof.ts';

const key = randomBytes(16);
const hello = (more: Partial<Hello>): Hello => ({
  cluster: 'east',
  node: 1,
  life: 7,
  challenge: Uint8Array.from(randomBytes(32)),
  ...more,
});

describe('the proof of a node', () => {
  const a = hello({ node: 1 });
  const b = hello({ node: 2 });
  const proof = proofOf(key, b, a, false);

  it('holds for the connection it was made for', () => {
    expect(isProof(key, proof, a, b, true)).toBe(true);
    expect(decodeHello(encodeHello(a))).toEqual(a);
  });

  it.each<[string, () => boolean]>([
    ['another key', () => isProof(randomBytes(16), proof, a, b, true)],
    ['the own proof sent back', () => isProof(key, proofOf(key, a, b, true), a, b, true)],
    ['the other direction', () => isProof(key, proof, a, b, false)],
    ['another challenge', () => isProof(key, proof, hello({}), b, true)],
    ['another node', () => isProof(key, proof, a, { ...b, node: 3 }, true)],
    ['another life', () => isProof(key, proof, a, { ...b, life: 8 }, true)],
    ['another cluster', () => isProof(key, proof, a, { ...b, cluster: 'west' }, true)],
    ['a part of it', () => isProof(key, proof.subarray(1), a, b, true)],
    ['nothing', () => isProof(key, new Uint8Array(0), a, b, true)],
  ])('does not hold with %s', (_, holds) => {
    expect(holds()).toBe(false);
  });

  it('is asked for by no bytes but a greeting', () => {
    const bytes = encodeHello(a);
    expect(decodeHello(bytes.subarray(1))).toBeNull();
    expect(decodeHello(bytes.subarray(0, bytes.length - 1))).toBeNull();
    for (const [at, value] of [
      [0, 1],
      [4, 9],
      [5, 0],
      [5, 255],
      [6, 200],
    ])
      expect(decodeHello(bytes.map((byte, i) => (i === at ? value : byte)))).toBeNull();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), (random) => {
        expect(decodeHello(random)).toBeNull();
      }),
    );
  });
});
