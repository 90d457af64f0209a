// Data directories of this version and of those before it, each with a log, a checkpoint and a read model (format-file.ts). They are read where they
// lie, and what is written to them is of today's version.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { imageLength, nodeOf } from '../../src/core/binding/binding.ts';
import type { LogStore } from '../../src/location/log/log-store.ts';
import { openLogStore } from '../../src/location/open-log-store.ts';
import {
  openRecord,
  RECORD_HEADER_BYTES,
  RECORD_VERSION,
  recordAorLength,
  sealRecord,
  updateRecord,
} from '../../src/location/record.ts';
import { openLocation } from '../../src/location.ts';
import { backUp, restore } from '../../src/server/data/backup.ts';
import { openDataDirectory } from '../../src/server/data/data-directory.ts';
import { DATA_FORMAT } from '../../src/server/data/directory-meta.ts';
import { removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { storedBindings } from '../support/stored-bindings.ts';
import { register, VirtualShard } from '../support/virtual-shard.ts';
import { formatFile, unpack, WRITTEN_AT, writeData } from './format-file.ts';
import { sealAs } from './store-records.ts';

afterAll(removeDirectories);

/** Opens the directory as a start does, then its only shard's store. */
function withStore<T>(directory: string, look: (store: LogStore) => T): T {
  const opened = openDataDirectory(directory, { shards: 1 });
  expect(opened.move, 'it is read where it lies').toBeUndefined();
  const store = openLogStore(join(directory, 'shard-0'), 'process');
  try {
    return look(store);
  } finally {
    store.close();
    opened.close();
  }
}

function recordsOf(store: LogStore): string[] {
  const records: string[] = [];
  store.scan((_key, record) => records.push(Buffer.from(record).toString('hex')));
  return records.sort();
}

const FORMATS = Array.from({ length: DATA_FORMAT - 3 }, (_, i) => i + 4);

describe.each(FORMATS)('records of a directory of format %i', (format) => {
  const fixture = formatFile(format);
  const expected = new Map(Object.entries(fixture.bindings));
  let data = '';
  beforeEach(() => {
    data = join(temporaryDirectory(), 'data');
    unpack(fixture, data);
  });

  it.each([true, false])('are all there, with a checkpoint: %s', (hasCheckpoint) => {
    if (!hasCheckpoint) writeFileSync(join(data, 'shard-0', 'checkpoint'), '');
    withStore(data, (store) => {
      expect(store.checkpoint.end !== undefined).toBe(hasCheckpoint);
      expect(storedBindings(store)).toEqual(expected);
      expect(store.quarantined).toBe(0);
      store.scan((_key, record) => {
        expect(openRecord(record, 0, record.length)).toBe(true);
        for (
          let at = RECORD_HEADER_BYTES + recordAorLength(record, 0);
          at < record.length;
          at += imageLength(record, at)
        )
          expect(nodeOf(record, at)).toBe(0);
      });
    });
  });

  it('are refreshed, joined and removed, and are of today’s version then', () => {
    const by = (user: string, cseq: number, contact: string): string => {
      const aor = `<sip:${user}@example.com>`;
      return register({ to: aor, from: `${aor};tag=1`, callId: `call-${user}`, cseq, contacts: [contact] });
    };
    withStore(data, (store) => {
      const shard = new VirtualShard({ store, now: WRITTEN_AT + 1000 });
      expect(shard.send(by('alice', 4, '<sip:alice@192.0.2.9:5060>;expires=3600'))?.contacts).toHaveLength(1);
      expect(shard.send(by('bob', 2, '<sip:bob@192.0.2.77>'))?.contacts).toHaveLength(3);
      expect(shard.send(by('erin', 2, '<sip:erin@192.0.2.9:5060>;expires=0'))?.contacts).toEqual([]);
      expect(shard.send(by('carol', 1, '<sip:carol@192.0.2.4>'))?.status).toBe(200);
    });
    withStore(data, (store) => {
      const found = storedBindings(store);
      expect([...found.keys()].sort()).toEqual(['alice@example.com', 'bob@example.com', 'carol@example.com']);
      expect(found.get('alice@example.com')).toMatchObject([{ cseq: 4, refreshedAt: WRITTEN_AT + 1000 }]);
      expect(found.get('bob@example.com')?.slice(0, 2)).toEqual(expected.get('bob@example.com'));
      expect(found.get('carol@example.com')).toHaveLength(2);
    });
  });

  it('come back from a backup that its version has made', async () => {
    const backup = join(temporaryDirectory(), 'backup');
    await backUp(data, backup, () => {});
    const restored = join(temporaryDirectory(), 'restored');
    expect(restore(backup, restored)).toMatchObject({ aors: expected.size, damaged: 0 });
    withStore(restored, (store) => expect(storedBindings(store)).toEqual(expected));
  });

  it('are read from its read model', () => {
    const location = openLocation(data);
    const { contacts } = location.lookup('bob@example.com');
    expect(contacts.map(({ uri, path }) => [uri, ...path])).toEqual([
      ['sip:bob@192.0.2.10', '<sip:edge.example.com;lr>'],
      ['sip:bob@192.0.2.9:5060'],
    ]);
    expect(location.aors).toBe(expected.size);
    location.close();
  });
});

it('whose layout has changed have another version', () => {
  const [kept, made] = [join(temporaryDirectory(), 'kept'), join(temporaryDirectory(), 'made')];
  unpack(formatFile(DATA_FORMAT), kept);
  writeData(made);
  expect(withStore(made, recordsOf), 'raise RECORD_VERSION of record.ts').toEqual(withStore(kept, recordsOf));
});

const IMAGE_BYTES = 64;
/** Of an image of version 2: a byte that means nothing. */
const SPARE = 53;

/** A record of a version, with its right checksum; it has no AOR, and one image where `spare` is given. */
function recordOf(version: number, spare?: number): Uint8Array {
  const record = new Uint8Array(RECORD_HEADER_BYTES + (spare === undefined ? 0 : IMAGE_BYTES));
  if (spare !== undefined) record[RECORD_HEADER_BYTES] = IMAGE_BYTES;
  if (spare !== undefined) record[RECORD_HEADER_BYTES + SPARE] = spare;
  sealAs(version, record);
  return record;
}

const isOpened = (record: Uint8Array) => openRecord(record, 0, record.length);

describe('a record', () => {
  const today = recordOf(0);
  sealRecord(today, 0, today.length);

  it('of a version to come, or of one that is forgotten, is none that this one reads', () => {
    expect(today[0]).toBe(RECORD_VERSION);
    expect(recordOf(today[0])).toEqual(today);
    for (const version of [today[0], 2]) expect(isOpened(recordOf(version)), `${version}`).toBe(true);
    for (const version of [0, 1, today[0] + 1, 255]) expect(isOpened(recordOf(version)), `${version}`).toBe(false);
  });

  it('of version 2 becomes one of today, whatever its spare bytes held', () => {
    const record = recordOf(2, 7);
    expect(updateRecord(record, record.length)).toBe(record.length);
    expect(record).toEqual(recordOf(today[0], 0));
  });
});
