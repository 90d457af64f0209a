// A location store whose commits and loads fail when the test says so. What it holds is a real store's.

import type { LocationStore, ScanReport } from '../../src/location/location-store.ts';
import { MemoryStore } from '../../src/location/memory-store.ts';
import type { WriteSet } from '../../src/location/write-set.ts';

export class FlakyStore implements LocationStore {
  failures = 0;
  /** While true, every load throws. */
  unreadable = false;
  private readonly inner: LocationStore;
  private readonly fails: () => boolean;

  /** @param fails asked before each commit; true: it throws, with nothing written */
  constructor(fails: () => boolean, inner: LocationStore = new MemoryStore()) {
    this.fails = fails;
    this.inner = inner;
  }

  get quarantined(): number {
    return this.inner.quarantined;
  }

  load(key: Uint8Array, into: Uint8Array): number {
    if (this.unreadable) throw new Error('input/output error');
    return this.inner.load(key, into);
  }

  commit(writes: WriteSet): void {
    if (this.fails()) {
      this.failures++;
      throw new Error('disk full');
    }
    this.inner.commit(writes);
  }

  scan(visit: (key: Uint8Array, record: Uint8Array) => void): ScanReport {
    return this.inner.scan(visit);
  }

  count(): number {
    return this.inner.count();
  }

  close(): void {
    this.inner.close();
  }
}
