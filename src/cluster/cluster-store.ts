// The location store of a shard in a cluster: it shows this node's log and table, and commits through the stream.

import type { DueVisitor, LocationStore, RecordVisitor, ScanReport } from '../location/location-store.ts';
import type { LogStore } from '../location/log/log-store.ts';
import type { RowCopy } from '../location/table/binding-row.ts';
import type { WriteSet } from '../location/write-set.ts';
import type { ClusterShard } from './cluster-shard.ts';

export class ClusterStore implements LocationStore {
  private readonly inner: LogStore;
  private readonly cluster: ClusterShard;

  /** @param inner owned by this store: closed with it */
  constructor(inner: LogStore, cluster: ClusterShard) {
    this.inner = inner;
    this.cluster = cluster;
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

  get quarantined(): number {
    return this.inner.quarantined;
  }

  find(k0: number, k1: number, k2: number, k3: number, into: RowCopy): boolean {
    return this.inner.find(k0, k1, k2, k3, into);
  }

  load(key: Uint8Array, into: Uint8Array): number {
    return this.inner.load(key, into);
  }

  commit(writes: WriteSet, now: number): number {
    return this.cluster.commit(writes, now);
  }

  settled(): number {
    return this.cluster.settled();
  }

  confirm(now: number): number {
    return this.cluster.confirm(now);
  }

  prove(now: number): void {
    const position = this.cluster.confirm(now);
    if (this.cluster.settled() < position) throw new Error('the stream does not answer');
  }

  /** Does nothing: the owner alone ends bindings, on all nodes alike, so the clock of one node shortens none. */
  shorten(): void {}

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
    this.cluster.close();
    this.inner.close();
  }
}
