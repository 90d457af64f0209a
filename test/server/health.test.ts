// What /readyz says of the disk: commits that fail, and one that hangs, until they hold again.

import { afterEach, expect, it, vi } from 'vitest';
import { Health } from '../../src/server/admin/health.ts';
import { COUNTER, COUNTER_NAMES } from '../../src/shard/observe/counters.ts';

afterEach(() => vi.useRealTimers());

function watched(shards: number): { health: Health; counters: Float64Array[]; pass: (seconds: number) => void } {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
  const counters = Array.from({ length: shards }, () => new Float64Array(COUNTER_NAMES.length));
  const readings = () =>
    counters.map((shard) => ({
      counters: shard.slice(),
      measures: new Float64Array(0),
      ringBytes: 0,
      ringCapacity: 1,
      open: true,
    }));
  const health = new Health(
    () => 'ready',
    readings,
    () => [],
    (error) => expect.unreachable(error.message),
  );
  const pass = (seconds: number) => {
    for (let s = 0; s < seconds; s++) {
      for (const shard of counters) if (shard[COUNTER.committing] === 0) shard[COUNTER.loops]++;
      vi.advanceTimersByTime(1000);
    }
  };
  return { health, counters, pass };
}

it('a shard whose commits fail is not ready until they hold', () => {
  const { health, counters, pass } = watched(2);
  pass(2);
  expect(health.problems()).toEqual([]);
  counters[1][COUNTER.commits_failing] = 1;
  expect(health.problems()).toEqual(['shard 1 cannot write to disk: phones are answered 503']);
  counters[1][COUNTER.commits_failing] = 0;
  expect(health.problems()).toEqual([]);
  health.close();
});

it('a shard whose sync hangs is not ready after three seconds, and is again when it returns', () => {
  const { health, counters, pass } = watched(2);
  pass(2);
  counters[0][COUNTER.committing] = 1;
  pass(2);
  expect(health.problems(), 'a slow sync is no fault').toEqual([]);
  pass(3);
  expect(health.problems()).toEqual(['shard 0 waits for its disk']);
  counters[0][COUNTER.loops]++;
  expect(health.problems(), 'it has gone on, and syncs again').toEqual([]);
  counters[0][COUNTER.committing] = 0;
  pass(2);
  expect(health.problems()).toEqual([]);
  health.close();
});
