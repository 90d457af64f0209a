// The writer of the read model, with one shard whose records are a Map: what its helper thread does, step by step.

import { statSync } from 'node:fs';
import { join } from 'node:path';
import * as lmdb from 'lmdb';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import type { LocationReader } from '../../src/location/location-reader.ts';
import { RECORD_HEADER_BYTES, sealRecord, setRecordAorLength } from '../../src/location/record.ts';
import { type AboutLocation, SHARED_FORMAT } from '../../src/location/shared/about-location.ts';
import { ChangedKeys, ChangedKeysReader, createChangedKeys } from '../../src/location/shared/changed-keys.ts';
import {
  currentEnvironment,
  environmentFolder,
  environmentsIn,
} from '../../src/location/shared/shared-location-files.ts';
import { SharedLocationReader } from '../../src/location/shared/shared-location-reader.ts';
import { SharedLocationWriter } from '../../src/location/shared/shared-location-writer.ts';
import { removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';

const ABOUT: AboutLocation = {
  format: SHARED_FORMAT,
  secret: Buffer.alloc(32, 1).toString('base64'),
  gruu: 'on',
  gruuGeneration: 0,
  domains: ['example.com'],
};
const STALE_MS = 1500;

afterAll(removeDirectories);

/** A shard: records by key, and the ring where it tells of changes. */
class Shard {
  readonly records = new Map<string, Uint8Array>();
  readonly changes: SharedArrayBuffer;
  private readonly teller: ChangedKeys;

  constructor(capacity: number) {
    this.changes = createChangedKeys(capacity);
    this.teller = new ChangedKeys(this.changes, () => {});
  }

  set(n: number, text: string | null): void {
    this.tell(n);
    this.commit(n, text);
  }

  /** The batch under way will change it. */
  tell(n: number): void {
    this.teller.add(new Uint32Array(keyOf(n).buffer), 0);
  }

  commit(n: number, text: string | null): void {
    const key = hex(keyOf(n));
    if (text === null) this.records.delete(key);
    else this.records.set(key, record(text));
    this.teller.flush();
  }

  get reader(): LocationReader {
    const { records } = this;
    return {
      read: (key, into) => {
        const found = records.get(hex(key));
        if (found === undefined) return -1;
        into.set(found);
        return found.length;
      },
      scan: (after, max, visit) => {
        const keys = [...records.keys()].sort().filter((key) => key > hex(after));
        for (const key of keys.slice(0, max)) visit(Buffer.from(key, 'hex'), records.get(key) ?? new Uint8Array());
        return keys.length > max ? Buffer.from(keys[max - 1], 'hex') : undefined;
      },
      close: () => {},
    };
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function keyOf(n: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(n, ~n, n * 7, 5).buffer);
}

/** A sound one whose AOR is the text. */
function record(text: string): Uint8Array {
  const bytes = Buffer.concat([Buffer.alloc(RECORD_HEADER_BYTES), Buffer.from(text)]);
  setRecordAorLength(bytes, 0, text.length);
  sealRecord(bytes, 0, bytes.length);
  return bytes;
}

describe('the writer of the read model', () => {
  let data = '';
  let now = 0;
  beforeEach(() => {
    data = temporaryDirectory();
    now = 0;
  });

  function open(shard: Shard, growthBytes?: number): SharedLocationWriter {
    const writer = new SharedLocationWriter(data, 1, ABOUT, growthBytes);
    writer.opened(0, { reader: shard.reader, changes: new ChangedKeysReader(shard.changes) });
    settle(writer);
    return writer;
  }

  /** Works until there is nothing to do, and a second longer. */
  function settle(writer: SharedLocationWriter): void {
    const end = now + 1200;
    while (writer.step((now += 50)) || now < end);
  }

  function read(n: number): string | null {
    const reader = new SharedLocationReader(data, STALE_MS);
    const into = Buffer.alloc(1000);
    const length = reader.read(keyOf(n), into);
    reader.close();
    return length < 0 ? null : into.toString('latin1', RECORD_HEADER_BYTES, length);
  }

  it('has at the end what the shard has, in whichever order it was told', () => {
    const shard = new Shard(1 << 12);
    for (let n = 0; n < 2000; n++) shard.set(n, `before ${n}`);
    const writer = open(shard);
    expect([read(0), read(1999), read(2000)]).toEqual(['before 0', 'before 1999', null]);
    for (let n = 0; n < 500; n++) shard.set(n, n % 3 === 0 ? null : `after ${n}`);
    shard.set(3, 'again');
    settle(writer);
    expect([0, 1, 3, 499, 500].map(read)).toEqual([null, 'after 1', 'again', 'after 499', 'before 500']);
    expect(writer.builds).toBe(1);
    writer.close();
  });

  it('reads what changes once it has changed, though it looks while a batch is under way', () => {
    const shard = new Shard(2);
    shard.set(1, 'here');
    const writer = open(shard);
    shard.tell(1);
    settle(writer);
    shard.commit(1, null);
    settle(writer);
    expect(read(1)).toBeNull();
    for (const n of [1, 2, 3]) shard.tell(n); // one more than may wait
    settle(writer);
    shard.commit(3, 'there');
    settle(writer);
    expect(read(3)).toBe('there');
    writer.close();
  });

  it('is made anew where it fell behind so far that changes were lost', () => {
    const shard = new Shard(16);
    const writer = open(shard);
    for (let n = 0; n < 100; n++) shard.set(n, `late ${n}`);
    settle(writer);
    expect(Array.from({ length: 100 }, (_, n) => read(n))).toEqual(Array.from({ length: 100 }, (_, n) => `late ${n}`));
    expect(writer.builds).toBe(2);
    writer.close();
  });

  it('misses no change that comes while it is made', () => {
    const shard = new Shard(1 << 12);
    for (let n = 0; n < 3000; n++) shard.set(n, `before ${n}`);
    const writer = new SharedLocationWriter(data, 1, ABOUT);
    writer.opened(0, { reader: shard.reader, changes: new ChangedKeysReader(shard.changes) });
    for (let round = 0; round < 5; round++) {
      writer.step((now += 50));
      for (let n = round; n < 3000; n += 301) shard.set(n, round % 2 === 0 ? null : `round ${round}`);
    }
    settle(writer);
    for (let n = 0; n < 3000; n++) {
      const expected = shard.records.get(hex(keyOf(n)));
      if (n % 301 < 5 || n % 97 === 0)
        expect(read(n)).toBe(
          expected === undefined ? null : Buffer.from(expected).toString('latin1', RECORD_HEADER_BYTES),
        );
    }
    writer.close();
  });

  it('is not held up by a reader that keeps a snapshot, and its file does not grow for ever', () => {
    const growth = 1 << 20;
    const shard = new Shard(1 << 12);
    const writer = open(shard, growth);
    const first = currentEnvironment(data) ?? expect.unreachable('nothing is current');
    const path = environmentFolder(data, first);
    const stuck = lmdb.open({
      path,
      noSubdir: false,
      keyEncoding: 'binary',
      encoding: 'binary',
      readOnly: true,
      maxDbs: 1,
    });
    const snapshot = stuck.useReadTransaction();
    let longest = 0;
    for (let round = 0; round < 300; round++) {
      for (let n = 0; n < 200; n++) shard.set(n, `round ${round} ${'x'.repeat(100)}`);
      settle(writer);
      const number = currentEnvironment(data) ?? 0;
      longest = Math.max(longest, statSync(join(environmentFolder(data, number), 'data.mdb')).size);
    }
    expect(writer.builds).toBeGreaterThan(1);
    expect(longest).toBeLessThan(growth * 4);
    expect(environmentsIn(data)).toHaveLength(1);
    expect(read(199)).toMatch(/^round 299 /);
    snapshot.done();
    void stuck.close();
    writer.close();
  });

  it('goes on after a disk that failed, from what the shard has then', () => {
    const shard = new Shard(1 << 12);
    const writer = open(shard);
    shard.set(1, 'told, and then the write failed');
    const changes = new ChangedKeysReader(shard.changes);
    changes.next(new Uint32Array(4));
    writer.reset();
    settle(writer);
    expect(read(1)).toBe('told, and then the write failed');
    writer.close();
  });
});
