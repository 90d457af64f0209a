import { expect, it } from 'vitest';
import { shardsLive } from '../../src/server/process/liveness.ts';
import { COUNTER, COUNTER_NAMES } from '../../src/shard/observe/counters.ts';

it('one shard whose loop stands still is enough to be no longer alive', () => {
  const counters = [0, 1].map(() => new Float64Array(COUNTER_NAMES.length));
  const live = shardsLive({ counters: () => counters.map((shard) => shard.slice()), restarts: 0 });
  for (const shard of counters) shard[COUNTER.loops]++;
  expect(live()).toBe(true);
  counters[0][COUNTER.loops]++;
  expect(live()).toBe(false);
  for (const shard of counters) shard[COUNTER.loops]++;
  expect(live()).toBe(true);
});
