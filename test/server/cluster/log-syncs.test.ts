// What is on a node's own disk, and what may not be although its stream keeps it no more.

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { LogSyncs } from '../../../src/server/cluster/log-syncs.ts';
import { removeDirectories, temporaryDirectory } from '../../support/aorta-process.ts';
import { poll } from '../../support/child-process.ts';

afterAll(removeDirectories);

it('syncs all logs while no stream can be asked', async () => {
  const store = temporaryDirectory();
  mkdirSync(join(store, 'log'));
  let asked = 0;
  const first = async () => {
    asked++;
    throw new Error('no leader');
  };
  const told: string[] = [];
  const log = (level: string, event: string) => void told.push(`${level} ${event}`);
  const syncs = new LogSyncs({ table: { applied: () => 5 }, stores: [store, store], first, log, everyMs: 20 });
  try {
    await poll('two rounds', 5000, async () => asked >= 4 || undefined);
    expect([syncs.unsynced, told]).toEqual([[0, 0], []]);
  } finally {
    await syncs.close();
  }
});

it('tells what a stream has dropped that no sync has reached, and ends it with the next sync', async () => {
  const stores = [temporaryDirectory(), temporaryDirectory(), temporaryDirectory()];
  for (const store of stores) {
    mkdirSync(join(store, 'log'));
    writeFileSync(join(store, 'log', '0.mdb'), 'frames');
  }
  const applied = [10, 20, 20];
  const firsts = [1, 1, 1];
  const told: string[] = [];
  const table = { applied: (shard: number) => applied[shard] };
  const log = (level: string, event: string) => void told.push(`${level} ${event}`);
  let asked = 0;
  const first = async (shard: number) => {
    asked++;
    return firsts[shard];
  };
  const syncs = new LogSyncs({ table, stores, first, log, everyMs: 20 });
  const shows = (text: string) => poll(text, 5000, async () => syncs.unsynced.join() === text || undefined);
  try {
    firsts[0] = 11;
    await poll('all synced', 5000, async () => asked >= 6 || undefined);
    expect(syncs.unsynced).toEqual([0, 0, 0]);
    for (const shard of [1, 2]) rmSync(join(stores[shard], 'log'), { recursive: true }); // their disks fail
    await poll('a failure', 5000, async () => told.length > 0 || undefined);
    for (const shard of [1, 2]) [applied[shard], firsts[shard]] = [50, 41];
    await shows('0,20,20');
    mkdirSync(join(stores[2], 'log'));
    await shows('0,20,0'); // the shard before it fails on
    mkdirSync(join(stores[1], 'log'));
    await shows('0,0,0');
    expect(told).toEqual(['warn logs cannot be put on the disk']);
  } finally {
    await syncs.close();
  }
});
