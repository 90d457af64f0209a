// What every location store must do, whatever it is made of. Run by the tests of each.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AOR_KEY_BYTES } from '../../src/location/aor-key-size.ts';
import { type LocationReader, SCAN_START } from '../../src/location/location-reader.ts';
import type { LocationStore } from '../../src/location/location-store.ts';
import { RECORD_HEADER_BYTES } from '../../src/location/record.ts';
import { WriteSet } from '../../src/location/write-set.ts';
import { keyOf, keyWords, putRecord, textOf } from './store-records.ts';

export interface StoreUnderTest {
  /** An empty store. */
  open(): LocationStore;
  /** Closes it and opens what it left behind; undefined for a store that leaves nothing. */
  reopen?(store: LocationStore): Promise<LocationStore>;
  /** A reader of what it commits. */
  reader(store: LocationStore): LocationReader;
}

function removeRecord(writes: WriteSet, n: number): void {
  const [k0, k1, k2, k3] = keyWords(n);
  writes.reserve(0);
  writes.put(k0, k1, k2, k3, 0);
}

/** Puts a record and flips one of its bits. */
function putDamaged(writes: WriteSet, n: number): void {
  putRecord(writes, n, 'damaged');
  const [k0, k1, k2, k3] = keyWords(n);
  writes.bytes[writes.at[writes.find(k0, k1, k2, k3)] + 30] ^= 4;
}

function expected(text: string, size = 100): Buffer {
  return Buffer.alloc(size, text);
}

function scanned(store: LocationStore): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  store.scan((key, record) => {
    expect(key.length).toBe(AOR_KEY_BYTES);
    found.set(Buffer.from(key).toString('hex'), Buffer.from(record.subarray(RECORD_HEADER_BYTES)));
  });
  return found;
}

export function storeConformance(name: string, subject: StoreUnderTest): void {
  describe(`${name} as a location store`, () => {
    let store: LocationStore;
    let writes: WriteSet;
    beforeEach(() => {
      store = subject.open();
      writes = new WriteSet();
    });
    afterEach(() => store.close());

    const commit = (): void => {
      store.commit(writes, 0);
      writes.clear();
    };

    it('names each AOR at the first look after it has run out, and none before, whatever lies between two looks', () => {
      const began = 1_800_000_000_000;
      store.expire(began, 100, { expire: () => expect.unreachable() });
      const ends = new Map<number, number>();
      for (let n = 0; n < 400; n++) {
        const end = began + (1 + ((n * n * 137) % 20_000)) * 1000;
        ends.set(n, end);
        const [k0, k1, k2, k3] = keyWords(n);
        putRecord(writes, n, `record ${n}`);
        writes.describe(writes.find(k0, k1, k2, k3), 1, end);
      }
      commit();
      let now = began;
      for (const seconds of [1, 1, 2, 3, 5, 31, 32, 33, 64, 700, 4000, 8191, 1, 8193]) {
        now += seconds * 1000;
        const named: number[] = [];
        while (store.msToNextExpiry(now) === 0) store.expire(now, 7, { expire: (_k0, n) => named.push(n) });
        const due = [...ends].filter(([, end]) => end <= now).map(([n]) => n);
        expect(named.sort((x, y) => x - y)).toEqual(due);
        for (const n of due) {
          ends.delete(n);
          removeRecord(writes, n);
        }
        commit();
      }
      expect(ends.size).toBe(0);
      expect(store.msToNextExpiry(now)).toBe(-1);
    });

    it('has nothing at first', () => {
      expect(textOf(store, 1)).toBeUndefined();
      expect(store.scan(() => expect.unreachable())).toEqual({ records: 0, quarantined: 0 });
    });

    it('loads what was committed, overwrites it and removes it', () => {
      putRecord(writes, 1, 'first');
      putRecord(writes, 2, 'other');
      commit();
      expect(textOf(store, 1)).toEqual(expected('first'));
      putRecord(writes, 1, 'a longer second', 300);
      commit();
      expect(textOf(store, 1)).toEqual(expected('a longer second', 300));
      expect(textOf(store, 2)).toEqual(expected('other'));
      removeRecord(writes, 1);
      removeRecord(writes, 3);
      commit();
      expect(textOf(store, 1)).toBeUndefined();
      expect(textOf(store, 2)).toEqual(expected('other'));
    });

    it('shows nothing of a write set before its commit, nor when it is dropped', () => {
      putRecord(writes, 1, 'never');
      expect(textOf(store, 1)).toBeUndefined();
      writes.clear();
      commit();
      expect(textOf(store, 1)).toBeUndefined();
    });

    it('keeps its own copy', () => {
      putRecord(writes, 1, 'mine');
      store.commit(writes, 0);
      writes.bytes.fill(0);
      writes.clear();
      const into = new Uint8Array(200);
      expect(textOf(store, 1, into)).toEqual(expected('mine'));
      into.fill(0);
      expect(textOf(store, 1)).toEqual(expected('mine'));
    });

    it('takes the last of several writes to one AOR in a batch', () => {
      putRecord(writes, 1, 'one');
      putRecord(writes, 1, 'two');
      removeRecord(writes, 2);
      putRecord(writes, 2, 'back');
      putRecord(writes, 3, 'gone');
      removeRecord(writes, 3);
      commit();
      expect(textOf(store, 1)).toEqual(expected('two'));
      expect(textOf(store, 2)).toEqual(expected('back'));
      expect(textOf(store, 3)).toBeUndefined();
    });

    it('applies nothing of a commit that throws, and the next one works', () => {
      putRecord(writes, 1, 'old');
      putRecord(writes, 2, 'old');
      commit();
      putRecord(writes, 1, 'new');
      removeRecord(writes, 2);
      putRecord(writes, 3, 'new');
      writes.end[2] = writes.bytes.length + 1;
      expect(() => store.commit(writes, 0)).toThrow(RangeError);
      writes.clear();
      expect([textOf(store, 1), textOf(store, 2), textOf(store, 3)]).toEqual([
        expected('old'),
        expected('old'),
        undefined,
      ]);
      putRecord(writes, 3, 'later');
      commit();
      expect(textOf(store, 3)).toEqual(expected('later'));
      expect(scanned(store).size).toBe(3);
    });

    it('commits nothing when there is nothing to commit', () => {
      commit();
      expect(scanned(store).size).toBe(0);
    });

    it('takes 500 writes in a batch and gives them all in a scan', () => {
      for (let n = 0; n < 500; n++) putRecord(writes, n, `aor-${n}@example.org`, 20 + n);
      commit();
      const found = scanned(store);
      expect(found.size).toBe(500);
      for (let n = 0; n < 500; n++) {
        expect(found.get(Buffer.from(keyOf(n)).toString('hex'))).toEqual(expected(`aor-${n}@example.org`, 20 + n));
      }
    });

    it('keeps records of 60 KB and the smallest, and reads them in turn', () => {
      putRecord(writes, 1, 'large', 60_000);
      putRecord(writes, 2, 'x', 1);
      commit();
      for (let round = 0; round < 3; round++) {
        expect(textOf(store, 1)?.equals(expected('large', 60_000))).toBe(true);
        expect(textOf(store, 2)).toEqual(expected('x', 1));
      }
    });

    it('gives the length, and writes nothing, where the record does not fit', () => {
      putRecord(writes, 1, 'long', 500);
      commit();
      const into = new Uint8Array(100);
      expect(store.load(keyOf(1), into)).toBe(500 + RECORD_HEADER_BYTES);
      expect(into.every((byte) => byte === 0)).toBe(true);
    });

    it('quarantines a damaged record that is loaded, once, and lives on', () => {
      putDamaged(writes, 1);
      putRecord(writes, 2, 'sound');
      commit();
      expect(textOf(store, 1)).toBeUndefined();
      expect(textOf(store, 1)).toBeUndefined();
      expect(store.quarantined).toBe(1);
      expect(store.scan(() => {})).toEqual({ records: 1, quarantined: 0 });
      putRecord(writes, 1, 'registered again');
      commit();
      expect(textOf(store, 1)).toEqual(expected('registered again'));
    });

    it('quarantines damaged records in a scan, which goes on', () => {
      for (let n = 0; n < 20; n++) {
        if (n % 4 === 1) putDamaged(writes, n);
        else putRecord(writes, n, 'sound');
      }
      commit();
      const seen: Buffer[] = [];
      expect(store.scan((key) => seen.push(Buffer.from(key)))).toEqual({ records: 15, quarantined: 5 });
      expect(seen.length).toBe(15);
      expect(store.quarantined).toBe(5);
      expect(store.scan(() => {})).toEqual({ records: 15, quarantined: 0 });
    });

    const { reopen } = subject;
    if (reopen === undefined) return;
    it('gives everything back when it is opened again', async () => {
      for (let n = 0; n < 300; n++) putRecord(writes, n, `aor-${n}`);
      putDamaged(writes, 300);
      commit();
      for (let n = 0; n < 300; n += 3) removeRecord(writes, n);
      commit();
      store = await reopen(store);
      const found = scanned(store);
      expect(found.size).toBe(200);
      expect(store.quarantined).toBe(1);
      for (let n = 0; n < 300; n++) expect(textOf(store, n)).toEqual(n % 3 === 0 ? undefined : expected(`aor-${n}`));
    });

    describe('its reader', () => {
      let reader: LocationReader;
      beforeEach(() => {
        reader = subject.reader(store);
      });
      afterEach(() => reader.close());
      const into = new Uint8Array(65_536);
      const read = (n: number) => reader.read(keyOf(n), into);
      const text = (n: number) => Buffer.from(into.subarray(RECORD_HEADER_BYTES, read(n)));

      it('sees every commit when it has returned, and nothing before', () => {
        expect(read(1)).toBe(-1);
        putRecord(writes, 1, 'first');
        expect(read(1)).toBe(-1);
        commit();
        expect(text(1)).toEqual(expected('first'));
        putRecord(writes, 1, 'second', 200);
        commit();
        expect(text(1)).toEqual(expected('second', 200));
        removeRecord(writes, 1);
        commit();
        expect(read(1)).toBe(-1);
      });

      it('copies nothing where there is no room, and says how long the record is', () => {
        putRecord(writes, 1, 'long', 500);
        commit();
        const short = new Uint8Array(100);
        expect(reader.read(keyOf(1), short)).toBe(RECORD_HEADER_BYTES + 500);
        expect(short).toEqual(new Uint8Array(100));
      });

      it('reads a damaged record as none', () => {
        putDamaged(writes, 1);
        commit();
        expect(read(1)).toBe(-1);
        expect(reader.scan(SCAN_START, 10, () => expect.unreachable())).toBeUndefined();
      });

      it('scans in steps of any size, each record once, whatever is committed between', () => {
        for (let n = 0; n < 50; n++) putRecord(writes, n, `record ${n}`);
        commit();
        for (const step of [1, 7, 50, 100]) {
          const keys: string[] = [];
          let cursor: Uint8Array | undefined = SCAN_START;
          while (cursor !== undefined) {
            let visited = 0;
            cursor = reader.scan(cursor, step, (key) => {
              keys.push(Buffer.from(key).toString('hex'));
              visited++;
            });
            expect(visited).toBeLessThanOrEqual(step);
            putRecord(writes, 7, 'changed meanwhile');
            commit();
          }
          expect(new Set(keys).size).toBe(50);
          expect(keys.length).toBe(50);
        }
      });
    });
  });
}
