// The reference location store, which every other must equal: a Map. For tests, simulation and comparison; it persists
// nothing.

import { refreshImage } from '../core/binding/binding.ts';
import { AOR_KEY_BYTES } from './aor-key-size.ts';
import type { LocationReader } from './location-reader.ts';
import type { DueVisitor, LocationStore, RecordVisitor, ScanReport } from './location-store.ts';
import { openRecord, RECORD_HEADER_BYTES, recordAorLength, sealRecord } from './record.ts';
import { ROW_PLACE, ROW_WORDS, RowCopy, setPlace } from './table/binding-row.ts';
import { BATCH_BYTES, type WriteSet } from './write-set.ts';

const SECOND = 1000;

interface Entry {
  readonly record: Uint8Array;
  readonly row: RowCopy;
  /** Epoch ms of the next check for expiry. */
  due: number;
}

export class MemoryStore implements LocationStore {
  readonly batchBytes = BATCH_BYTES;
  quarantined = 0;
  bindings = 0;
  private position = 0;
  private readonly records = new Map<string, Entry>();

  get aors(): number {
    return this.records.size;
  }

  find(k0: number, k1: number, k2: number, k3: number, into: RowCopy): boolean {
    const entry = this.records.get(nameOf(new Uint8Array(Uint32Array.of(k0, k1, k2, k3).buffer)));
    if (entry === undefined) return false;
    into.copy(entry.row);
    return true;
  }

  load(key: Uint8Array, into: Uint8Array): number {
    const name = nameOf(key);
    const entry = this.records.get(name);
    if (entry === undefined) return -1;
    const record = current(entry);
    if (record === undefined) {
      this.quarantine(name);
      return -1;
    }
    if (record.length <= into.length) into.set(record);
    return record.length;
  }

  commit(writes: WriteSet): number {
    for (let i = 0; i < writes.count; i++) {
      if (writes.at[i] > writes.end[i] || writes.end[i] > writes.bytes.length)
        throw new RangeError('record out of bounds');
    }
    for (let i = 0; i < writes.count; i++) {
      const name = nameOf(writes.keys.subarray(i * AOR_KEY_BYTES, (i + 1) * AOR_KEY_BYTES));
      const before = this.records.get(name);
      const row = new RowCopy();
      setPlace(writes.rows, i * ROW_WORDS + ROW_PLACE, 0, writes.bindings[i]);
      row.copyFrom(writes.rows, i * ROW_WORDS, 0);
      let record: Uint8Array | undefined;
      if (writes.refreshes[i] === 1) record = before?.record;
      else if (writes.at[i] < writes.end[i])
        record = new Uint8Array(writes.bytes.subarray(writes.at[i], writes.end[i]));
      this.bindings -= before?.row.bindings ?? 0;
      if (record === undefined) this.records.delete(name);
      else {
        this.records.set(name, { record, row, due: tickAfter(row.expiresAt) });
        this.bindings += row.bindings;
      }
    }
    return ++this.position;
  }

  settled(): number {
    return this.position;
  }

  prove(): void {}

  shorten(now: number): void {
    for (const entry of this.records.values()) {
      const { row } = entry;
      if (row.grantedS === 0 || row.expiresAt <= now + row.grantedS * SECOND) continue;
      row.expiresAt = now + row.grantedS * SECOND;
      entry.due = tickAfter(row.expiresAt);
    }
  }

  expire(now: number, budget: number, visitor: DueVisitor): void {
    let left = budget;
    for (const [name, entry] of this.records) {
      if (entry.due === 0 || entry.due > now) continue;
      if (left-- <= 0) return;
      entry.due = tickAfter(now + SECOND);
      const [k0, k1, k2, k3] = new Uint32Array(bytesOf(name).buffer);
      visitor.expire(k0, k1, k2, k3, entry.row.expiresAt, entry.row.plain);
    }
  }

  msToNextExpiry(now: number): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { due } of this.records.values()) if (due > 0 && due < next) next = due;
    return next === Number.POSITIVE_INFINITY ? -1 : Math.max(0, next - now);
  }

  scan(visit: (key: Uint8Array, record: Uint8Array) => void): ScanReport {
    let records = 0;
    let quarantined = 0;
    for (const [name, entry] of this.records) {
      const record = current(entry);
      if (record !== undefined) {
        records++;
        visit(bytesOf(name), record);
      } else {
        quarantined++;
        this.quarantine(name);
      }
    }
    return { records, quarantined };
  }

  visitSome(cursor: number, max: number, visitor: RecordVisitor): number {
    const names = [...this.records.keys()].sort();
    for (const name of names.slice(cursor, cursor + max)) {
      const entry = this.records.get(name);
      const record = entry && current(entry);
      if (record !== undefined) visitor.visitRecord(new Uint32Array(bytesOf(name).buffer), record, record.length);
    }
    return cursor + max < names.length ? cursor + max : -1;
  }

  /** A reader of this thread. Each of its scans looks at every key, as befits a reference. */
  reader(): LocationReader {
    const { records } = this;
    return {
      read: (key, into) => {
        const entry = records.get(nameOf(key));
        const record = entry && current(entry);
        if (record === undefined) return -1;
        if (record.length <= into.length) into.set(record);
        return record.length;
      },
      scan: (after, max, visit) => {
        const start = nameOf(after);
        const names = [...records.keys()].filter((name) => name > start).sort();
        let visited = 0;
        for (const name of names) {
          const entry = records.get(name);
          const record = entry && current(entry);
          if (record === undefined) continue;
          visit(bytesOf(name), record);
          if (++visited === max) return bytesOf(name);
        }
        return undefined;
      },
      close: () => {},
    };
  }

  count(): number {
    return this.records.size;
  }

  close(): void {}

  private quarantine(name: string): void {
    this.bindings -= this.records.get(name)?.row.bindings ?? 0;
    this.records.delete(name);
    this.quarantined++;
  }
}

/** The record with all refreshes applied; undefined if it is damaged. */
function current({ record, row }: Entry): Uint8Array | undefined {
  if (!openRecord(record, 0, record.length)) return undefined;
  if (!row.plain) return record;
  const copy = record.slice();
  refreshImage(copy, RECORD_HEADER_BYTES + recordAorLength(copy, 0), row);
  sealRecord(copy, 0, copy.length);
  return copy;
}

/** The first full second at or after an expiry, as a wheel of such ticks would have it; 0 for never. */
function tickAfter(expiresAt: number): number {
  return Math.ceil(expiresAt / SECOND) * SECOND;
}

/** Latin-1: one character per byte. */
function nameOf(key: Uint8Array): string {
  return String.fromCharCode(...key);
}

function bytesOf(name: string): Uint8Array {
  const bytes = new Uint8Array(name.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = name.charCodeAt(i);
  return bytes;
}
