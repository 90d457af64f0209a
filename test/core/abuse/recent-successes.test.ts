// The table of who has succeeded lately: five places a set, and what becomes of an entry that has grown old.

import { describe, expect, it } from 'vitest';
import { DEFAULT_ABUSE_POLICY } from '../../../src/core/abuse/abuse-policy.ts';
import { NONE, OWN, RecentSuccesses } from '../../../src/core/abuse/recent-successes.ts';
import { TICKS_PER_S } from '../../../src/core/abuse/tick.ts';

/** A single set of five. */
const table = () => new RecentSuccesses({ ...DEFAULT_ABUSE_POLICY, flowsMax: 5, knownFlowS: 10 });

describe('recent successes', () => {
  it('lose the oldest where a sixth comes', () => {
    const successes = table();
    for (const [a, tick] of [
      [11, 5],
      [12, 3],
      [13, 1],
      [14, 4],
      [15, 2],
    ])
      successes.succeed(a, 0, tick);
    successes.succeed(16, 0, 6);
    expect([11, 12, 13, 14, 15, 16].map((a) => successes.find(a, 0, 6) !== NONE)).toEqual([
      true,
      true,
      false,
      true,
      true,
      true,
    ]);
  });

  it('keep the caller’s word for as long as they last, and no longer', () => {
    const successes = table();
    successes.words[successes.succeed(11, 0, 0) + OWN] = 7;
    const last = 10 * TICKS_PER_S;
    expect(successes.words[successes.find(11, 0, last) + OWN]).toBe(7);
    expect(successes.find(11, 0, last + 1)).toBe(NONE);
    expect(successes.words[successes.succeed(11, 0, last + 1) + OWN]).toBe(0);
  });
});
