// A location store whose commits and loads fail when the test says so. What it holds is a real store's.

import type { DueVisitor, LocationStore, RecordVisitor, ScanReport } from '../../src/location/location-store.ts';
import { MemoryStore } from '../../src/location/memory-store.ts';
import type { RowCopy } from '../../src/location/table/binding-row.ts';
import type { WriteSet } from '../../src/location/write-set.ts';

export class FlakyStore implements LocationStore {
  failures = 0;
  /** While true, every load throws. */
  unreadable = false;
  private readonly inner: LocationStore;
  private readonly fails: (writes?: WriteSet) => boolean;

  /** @param fails asked before each commit; true: it throws, with nothing written */
  constructor(fails: (writes?: WriteSet) => boolean, inner: LocationStore = new MemoryStore()) {
    this.fails = fails;
    this.inner = inner;
  }

  get quarantined(): number {
    return this.inner.quarantined;
  }

  get batchBytes(): number {
    return this.inner.batchBytes;
  }

  get aors(): number {
    return this.inner.aors;
  }

  get bindings(): number {
    return this.inner.bindings;
  }

  /** What can be answered without reading is answered. */
  find(k0: number, k1: number, k2: number, k3: number, into: RowCopy): boolean {
    return this.inner.find(k0, k1, k2, k3, into);
  }

  expire(now: number, budget: number, visitor: DueVisitor): void {
    this.inner.expire(now, budget, visitor);
  }

  msToNextExpiry(now: number): number {
    return this.inner.msToNextExpiry(now);
  }

  visitSome(cursor: number, max: number, visitor: RecordVisitor): number {
    return this.inner.visitSome(cursor, max, visitor);
  }

  load(key: Uint8Array, into: Uint8Array): number {
    if (this.unreadable) throw new Error('input/output error');
    return this.inner.load(key, into);
  }

  commit(writes: WriteSet, now: number): number {
    if (this.fails(writes)) {
      this.failures++;
      throw new Error('disk full');
    }
    return this.inner.commit(writes, now);
  }

  settled(): number {
    return this.inner.settled();
  }

  shorten(now: number): void {
    this.inner.shorten(now);
  }

  prove(): void {
    if (this.fails()) throw new Error('disk full');
  }

  scan(visit: (key: Uint8Array, record: Uint8Array) => void): ScanReport {
    return this.inner.scan(visit);
  }

  close(): void {
    this.inner.close();
  }
}
