// Syncs of a log's files: where one fails, nothing more is written to that file, and what was acknowledged is there after a restart.

import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { noCheckpoint } from '../../src/location/checkpoint/checkpoint.ts';
import { LmdbLog } from '../../src/location/log/lmdb-log.ts';
import { FRAME_HEADER_BYTES } from '../../src/location/log/log-frame.ts';
import { LogStore } from '../../src/location/log/log-store.ts';
import { WriteSet } from '../../src/location/write-set.ts';
import { removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { keyWords, putRecord } from './store-records.ts';

afterAll(removeDirectories);

/** Of a record. */
const BYTES = 50_000;
const GENERATION_BYTES = 1 << 20;
const open = (directory: string) => new LogStore(new LmdbLog(directory, 'durable', GENERATION_BYTES), noCheckpoint);

/** AORs that run out in a batch, and bytes for each. */
const REMOVED = 200;
const REMOVAL_BYTES = 24;

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

/** The files that were synced while it ran. */
function filesSynced(run: () => void): Set<number> {
  const real = fs.fdatasyncSync;
  const files = new Set<number>();
  fs.fdatasyncSync = (fd) => {
    files.add(fs.fstatSync(fd).ino);
    real(fd);
  };
  syncBuiltinESMExports();
  try {
    run();
    return files;
  } finally {
    fs.fdatasyncSync = real;
    syncBuiltinESMExports();
  }
}

function addTo(store: LogStore, aor: number, bytes: number): void {
  const writes = new WriteSet();
  putRecord(writes, aor, `text ${aor}`, bytes);
  store.commit(writes, aor + 1);
}

describe('a durable log', () => {
  it('R3261-8.2-01 builds on nothing of lives before that a cut of power may take', () => {
    const directory = join(temporaryDirectory(), 'shard-0');
    const before = new LogStore(new LmdbLog(directory, 'process', GENERATION_BYTES), noCheckpoint);
    for (let aor = 0; before.log.generations.length < 3; aor++) addTo(before, aor, BYTES);
    const files = before.log.generations.map((number) => fs.statSync(before.log.fileAt(number * GENERATION_BYTES)).ino);
    before.close();
    const synced = filesSynced(() => open(directory).close());
    expect([...synced]).toEqual(expect.arrayContaining(files));
  });

  it('R3261-8.2-01 has a new file on disk before anything is in it, though nothing there need last', () => {
    const directory = join(temporaryDirectory(), 'shard-0');
    const store = open(directory);
    let aors = 0;
    while (store.log.place(FRAME_HEADER_BYTES + REMOVED * REMOVAL_BYTES) < GENERATION_BYTES) addTo(store, aors++, 3000);
    const last = new WriteSet();
    for (let aor = 0; aor < REMOVED; aor++) {
      last.reserve(0);
      last.put(...keyWords(aor), 0);
    }
    const synced = filesSynced(() => store.commit(last, 1, false));
    const [, next] = store.log.generations;
    expect(synced).toContain(fs.statSync(store.log.fileAt(next * GENERATION_BYTES)).ino);
    store.close();
  });
});

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
