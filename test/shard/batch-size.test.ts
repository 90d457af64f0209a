// How many messages a batch takes: as many as there are slots, unless they would take so long that others wait for them.

import { describe, expect, it } from 'vitest';
import { BatchDriver } from '../../src/shard/batch.ts';
import { COUNTER_NAMES } from '../../src/shard/observe/counters.ts';
import { Measures } from '../../src/shard/observe/measures.ts';
import { SLOT_COUNT } from '../../src/sip/parser/slab.ts';
import { VirtualShard } from '../support/virtual-shard.ts';

/** Messages that the next batch takes, after batches of so many that took so long, a commit of that time included. */
function nextAfter(...batches: readonly { messages: number; workMs: number; commitMs: number }[]): number {
  let times: number[] = [];
  let at = 0;
  const driver = new BatchDriver({
    shard: new VirtualShard().shard,
    counters: new Float64Array(COUNTER_NAMES.length),
    measures: new Measures(),
    elapsed: () => {
      at += times.shift() ?? 0;
      return at;
    },
    send: () => {},
  });
  for (const { messages, workMs, commitMs } of batches) {
    times = [0, workMs, commitMs, 0]; // asked for when the batch begins, before its commit, behind it, and at its end
    driver.run(new Int32Array(SLOT_COUNT), 0, messages, 1_000_000);
  }
  return driver.messagesMax;
}

describe('a batch', () => {
  it('has all slots where they take 20 ms at most, however long the disk takes', () => {
    expect(nextAfter({ messages: 256, workMs: 9.9, commitMs: 0.1 })).toBe(SLOT_COUNT);
    expect(nextAfter({ messages: 256, workMs: 9.9, commitMs: 500 })).toBe(SLOT_COUNT);
  });

  it('has half of them where they take longer, and all again when they do not', () => {
    const slow = { messages: SLOT_COUNT, workMs: 20.1, commitMs: 0.1 };
    expect(nextAfter(slow)).toBe(SLOT_COUNT / 2);
    expect(nextAfter(slow, { messages: 64, workMs: 2, commitMs: 0.1 })).toBe(SLOT_COUNT);
  });

  it('is judged by batches of many messages', () => {
    expect(nextAfter({ messages: 63, workMs: 0.1, commitMs: 0.1 })).toBe(SLOT_COUNT / 2);
    const fast = { messages: 64, workMs: 0.1, commitMs: 0.1 };
    expect(nextAfter(fast, { messages: 1, workMs: 5, commitMs: 0.1 })).toBe(SLOT_COUNT);
  });
});
