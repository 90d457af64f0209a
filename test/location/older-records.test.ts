// Data of the version before: format-4.json has a data directory with a log, a checkpoint and a read model whose records are of
// version 2, and what was registered in it. It is read where it lies, and what is written to it is of today's version.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { imageLength, nodeOf } from '../../src/core/binding/binding.ts';
import type { LogStore } from '../../src/location/log/log-store.ts';
import { openLogStore } from '../../src/location/open-log-store.ts';
import {
  openRecord,
  RECORD_HEADER_BYTES,
  recordAorLength,
  sealRecord,
  updateRecord,
} from '../../src/location/record.ts';
import { openLocation } from '../../src/location.ts';
import { backUp, restore } from '../../src/server/data/backup.ts';
import { openDataDirectory } from '../../src/server/data/data-directory.ts';
import { removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { type StoredBinding, storedBindings } from '../support/stored-bindings.ts';
import { register, VirtualShard } from '../support/virtual-shard.ts';

interface Fixture {
  /** By path in the directory: gzip, base64. */
  readonly files: Record<string, string>;
  readonly bindings: Record<string, StoredBinding[]>;
}

const fixture = JSON.parse(readFileSync(join(import.meta.dirname, 'format-4.json'), 'utf8')) as Fixture;
const expected = new Map(Object.entries(fixture.bindings));
/** Of the fixture's last request: nothing has run out. */
const WRITTEN_AT = Date.UTC(2026, 0, 1) + 200_000;

afterAll(removeDirectories);

describe('records of the version before', () => {
  let data = '';
  beforeEach(() => {
    data = join(temporaryDirectory(), 'data');
    for (const [path, text] of Object.entries(fixture.files)) {
      mkdirSync(dirname(join(data, path)), { recursive: true });
      writeFileSync(join(data, path), gunzipSync(Buffer.from(text, 'base64')));
    }
  });

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

  it('come back from a backup that the version before has made', async () => {
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

const IMAGE_BYTES = 64;
/** Of an image of version 2: a byte that means nothing. */
const SPARE = 53;

/** A record of a version, with its right checksum; it has no AOR, and one image where `spare` is given. */
function recordOf(version: number, spare?: number): Uint8Array {
  const record = new Uint8Array(RECORD_HEADER_BYTES + (spare === undefined ? 0 : IMAGE_BYTES));
  record[0] = version;
  if (spare !== undefined) record[RECORD_HEADER_BYTES] = IMAGE_BYTES;
  if (spare !== undefined) record[RECORD_HEADER_BYTES + SPARE] = spare;
  const view = new DataView(record.buffer);
  let sum = 0x811c9dc5 ^ record.length;
  const step = (word: number) => {
    sum = Math.imul(sum ^ word, 0x9e3779b1);
    sum ^= sum >>> 15;
  };
  for (let at = 0; at < record.length; at += 4) if (at !== 4) step(view.getInt32(at, true));
  step(0);
  view.setInt32(4, sum, true);
  return record;
}

const isOpened = (record: Uint8Array) => openRecord(record, 0, record.length);

describe('a record', () => {
  const today = recordOf(0);
  sealRecord(today, 0, today.length);

  it('of a version to come, or of one that is forgotten, is none that this one reads', () => {
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
