// A sync that fails when a generation is full: nothing more is written to it, and what was acknowledged is there after a restart.

import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { noCheckpoint } from '../../src/location/checkpoint/checkpoint.ts';
import { LmdbLog } from '../../src/location/log/lmdb-log.ts';
import { LogStore } from '../../src/location/log/log-store.ts';
import { WriteSet } from '../../src/location/write-set.ts';
import { removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { putRecord } from './store-records.ts';

afterAll(removeDirectories);

/** Of a record. */
const BYTES = 50_000;
const GENERATION_BYTES = 1 << 20;
const open = (directory: string) => new LogStore(new LmdbLog(directory, 'durable', GENERATION_BYTES), noCheckpoint);

/** While it runs, the disk makes no sync. */
function withoutSyncs<T>(run: () => T): T {
  const real = fs.fdatasyncSync;
  fs.fdatasyncSync = () => {
    throw Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' });
  };
  syncBuiltinESMExports();
  try {
    return run();
  } finally {
    fs.fdatasyncSync = real;
    syncBuiltinESMExports();
  }
}

describe('a sync that fails when a generation ends', () => {
  it('R3261-8.2-01 ends it, and costs nothing that was acknowledged', () => {
    const directory = join(temporaryDirectory(), 'shard-0');
    const store = open(directory);
    const writes = new WriteSet();
    let aors = 0;
    const add = (bytes: number) => {
      writes.clear();
      putRecord(writes, aors, `text ${aors}`, bytes);
      store.commit(writes, aors + 1);
      aors++;
    };
    add(BYTES);
    let error: unknown;
    while (error === undefined)
      try {
        withoutSyncs(() => add(BYTES));
      } catch (thrown) {
        error = thrown;
      }
    expect(error).toMatchObject({ code: 'EIO' });
    const { generations } = store.log;
    const [full] = generations;
    expect([aors > 10, generations]).toEqual([true, [full]]);
    add(40); // for which the one before has room
    expect(store.log.generations).toEqual([full, full + 1]);
    expect(store.log.last).toBe((full + 1) * GENERATION_BYTES);
    store.close();
    const again = open(directory);
    expect([again.aors, again.replayed.damaged]).toEqual([aors, []]);
    again.close();
  });
});
