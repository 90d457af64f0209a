// The location store that every other must equal: a Map. For tests, simulation and comparison; nothing survives it.

import type { LocationReader } from './location-reader.ts';
import type { LocationStore, ScanReport } from './location-store.ts';
import { AOR_KEY_BYTES } from './location-store.ts';
import { openRecord } from './record.ts';
import type { WriteSet } from './write-set.ts';

export class MemoryStore implements LocationStore {
  quarantined = 0;
  private readonly records = new Map<string, Uint8Array>();

  load(key: Uint8Array, into: Uint8Array): number {
    const name = nameOf(key);
    const record = this.records.get(name);
    if (record === undefined) return -1;
    if (!openRecord(record, 0, record.length)) {
      this.quarantine(name);
      return -1;
    }
    if (record.length <= into.length) into.set(record);
    return record.length;
  }

  commit(writes: WriteSet): void {
    for (let i = 0; i < writes.count; i++) {
      if (writes.at[i] > writes.end[i] || writes.end[i] > writes.bytes.length)
        throw new RangeError('record out of bounds');
    }
    for (let i = 0; i < writes.count; i++) {
      const name = nameOf(writes.keys.subarray(i * AOR_KEY_BYTES, (i + 1) * AOR_KEY_BYTES));
      if (writes.at[i] === writes.end[i]) this.records.delete(name);
      else this.records.set(name, new Uint8Array(writes.bytes.subarray(writes.at[i], writes.end[i])));
    }
  }

  scan(visit: (key: Uint8Array, record: Uint8Array) => void): ScanReport {
    let records = 0;
    let quarantined = 0;
    for (const [name, record] of this.records) {
      if (openRecord(record, 0, record.length)) {
        records++;
        visit(bytesOf(name), record);
      } else {
        quarantined++;
        this.quarantine(name);
      }
    }
    return { records, quarantined };
  }

  /** A reader of this thread. Each of its scans looks at every key, as befits a reference. */
  reader(): LocationReader {
    const { records } = this;
    return {
      read: (key, into) => {
        const record = records.get(nameOf(key));
        if (record === undefined || !openRecord(record, 0, record.length)) return -1;
        if (record.length <= into.length) into.set(record);
        return record.length;
      },
      scan: (after, max, visit) => {
        const start = nameOf(after);
        const names = [...records.keys()].filter((name) => name > start).sort();
        let visited = 0;
        for (const name of names) {
          const record = records.get(name);
          if (record === undefined || !openRecord(record, 0, record.length)) continue;
          visit(bytesOf(name), record);
          if (++visited === max) return bytesOf(name);
        }
        return undefined;
      },
      close: () => {},
    };
  }

  close(): void {}

  private quarantine(name: string): void {
    this.records.delete(name);
    this.quarantined++;
  }
}

/** Latin-1: one character per byte. */
function nameOf(key: Uint8Array): string {
  return String.fromCharCode(...key);
}

function bytesOf(name: string): Uint8Array {
  return Uint8Array.from(name, (character) => character.charCodeAt(0));
}
