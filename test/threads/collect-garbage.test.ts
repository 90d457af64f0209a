import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { collectGarbage } from '../../src/threads/rehearsal/collect-garbage.ts';

describe('a collection of all garbage', () => {
  it('takes what nobody holds, and leaves what somebody does', async () => {
    const held = { of: 'somebody' };
    const weak = [new WeakRef(held), new WeakRef({ of: 'nobody' })];
    await setImmediate(); // what a WeakRef was made of is held for the rest of its turn
    collectGarbage();
    expect(weak.map((each) => each.deref())).toEqual([held, undefined]);
  });
});
