// A storm of phones in virtual time: with storm control and without, and the same crowd. Nothing here hangs on the machine's speed.

import { describe, expect, it } from 'vitest';
import { Storm, type StormOptions } from './shards/storm.ts';

/** Twice what a shard can serve meanwhile: four thousand registrations a second. */
const CROWD = { crowd: 12_000, withinMs: 1500, regulars: 100 };

function storm(options: Pick<StormOptions, 'seed' | 'shards' | 'overloadTargetMs'> & Partial<StormOptions>): Storm {
  const world = new Storm({ ...CROWD, ...options });
  world.run();
  expect(world.crowd.every(({ registered }) => registered)).toBe(true);
  return world;
}

const most = (values: readonly number[]): number => values.reduce((a, b) => Math.max(a, b), 0);

describe('a storm', () => {
  it('R3261-21.5.4-01 is worked off while live phones are refreshed, and nobody is put off again and again', () => {
    const world = storm({ seed: 1, shards: 1, overloadTargetMs: 250 });
    expect(most(world.refreshMs)).toBeLessThan(500);
    expect(world.repeated).toBe(0);
    expect(world.servers.dropped).toBe(0);
    expect(most(world.crowd.map(({ putOff }) => putOff))).toBeLessThanOrEqual(3);
    expect(world.crowd.some(({ putOff }) => putOff > 0)).toBe(true);
  });

  it('without control makes live phones wait, and everybody repeat', () => {
    const world = storm({ seed: 1, shards: 1, overloadTargetMs: 0 });
    expect(most(world.refreshMs)).toBeGreaterThan(1000);
    expect(world.repeated).toBeGreaterThan(CROWD.crowd / 2);
    expect(world.crowd.some(({ putOff }) => putOff > 0)).toBe(false);
  });

  it('is each shard’s own: where two serve the crowd, each puts off its part', () => {
    const world = storm({ seed: 2, shards: 2, crowd: 18_000, overloadTargetMs: 250 });
    for (const shard of [0, 1]) expect(world.servers.counter(shard, 'put_off_new')).toBeGreaterThan(100);
    expect(most(world.refreshMs)).toBeLessThan(700);
    expect(world.repeated).toBeLessThan(100);
  });
});
