// A location store whose commits hold later than they are handed over, or never, when the test says so: what a log on other
// machines, or one that is synced beside the next batch, comes to. What it holds is a real store's.

import type { DueVisitor, LocationStore, RecordVisitor, ScanReport } from '../../src/location/location-store.ts';
import { MemoryStore } from '../../src/location/memory-store.ts';
import type { RowCopy } from '../../src/location/table/binding-row.ts';
import { WriteSet } from '../../src/location/write-set.ts';

interface Waiting {
  readonly writes: WriteSet;
  readonly now: number;
}

export class LateStore implements LocationStore {
  /** Commits handed over that do not hold yet. */
  readonly waiting: Waiting[] = [];
  private readonly inner: LocationStore;
  private settledTo = 0;
  private handedOver = 0;
  private lost = false;
  /** Of those that wait, how many hold. */
  private ready = 0;

  constructor(inner: LocationStore = new MemoryStore()) {
    this.inner = inner;
  }

  /** The oldest so many commits hold, as `settled` will tell. */
  settle(count = this.waiting.length): void {
    this.ready = Math.max(this.ready, count);
  }

  /** None of those that wait will ever hold. */
  lose(): void {
    this.die();
    this.lost = true;
  }

  /** The process has died: what waits is gone, and nobody is told. */
  die(): void {
    this.waiting.length = 0;
    this.ready = 0;
    this.handedOver = this.settledTo;
    this.lost = false;
  }

  commit(writes: WriteSet, now: number): number {
    if (this.lost) throw new Error('not settled');
    this.waiting.push({ writes: copyOf(writes), now });
    return ++this.handedOver;
  }

  settled(): number {
    const before = this.settledTo;
    while (this.ready > 0 && !this.lost) {
      this.ready--;
      const [{ writes, now }] = this.waiting;
      try {
        this.inner.commit(writes, now);
        this.waiting.shift();
        this.settledTo++;
      } catch {
        this.lose(); // and so is all that was handed over behind it
      }
    }
    if (!this.lost || this.settledTo > before) return this.settledTo;
    this.lost = false;
    throw new Error('not settled');
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

  find(k0: number, k1: number, k2: number, k3: number, into: RowCopy): boolean {
    return this.inner.find(k0, k1, k2, k3, into);
  }

  load(key: Uint8Array, into: Uint8Array): number {
    return this.inner.load(key, into);
  }

  prove(now: number): void {
    this.inner.prove(now);
  }

  shorten(now: number): void {
    this.inner.shorten(now);
  }

  expire(now: number, budget: number, visitor: DueVisitor): void {
    this.inner.expire(now, budget, visitor);
  }

  msToNextExpiry(now: number): number {
    return this.inner.msToNextExpiry(now);
  }

  scan(visit: (key: Uint8Array, record: Uint8Array) => void): ScanReport {
    return this.inner.scan(visit);
  }

  visitSome(cursor: number, max: number, visitor: RecordVisitor): number {
    return this.inner.visitSome(cursor, max, visitor);
  }

  close(): void {
    this.inner.close();
  }
}

/** Of what the shard goes on writing over. */
function copyOf(writes: WriteSet): WriteSet {
  const copy = new WriteSet(undefined, 0);
  copy.count = writes.count;
  for (const name of ['keys', 'at', 'end', 'refreshes', 'rows', 'bindings'] as const) copy[name].set(writes[name]);
  copy.bytes = Buffer.from(writes.bytes.subarray(0, writes.length));
  return copy;
}
