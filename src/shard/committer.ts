// A batch's one commit, and the state of the disk: whether commits fail now, probes without a request, and the log lines.
// @hot

import type { Changes } from '../core/binding/changes.ts';
import { type LocationStore, OwnershipLost } from '../location/location-store.ts';
import type { WriteSet } from '../location/write-set.ts';
import type { ChangeFeed } from './feed/feed-writer.ts';
import { COUNTER } from './observe/counters.ts';
import { PacedLog } from './observe/paced-log.ts';
import type { ShardOptions } from './shard-options.ts';

/** In place of a position: nothing behind the last settled one is or will be committed. */
export const FAILED = -1;
/** Interval of probes while commits fail and no request causes one: a load balancer sends none to a node that is not ready. */
const PROBE_MS = 1000;
/** Time without a failure after which the disk counts as sound: on a full one, small batches fit where large ones do not. */
const STEADY_MS = 3000;
/** A batch that took longer is logged: its phones have sent again by then. */
const HUNG_MS = 3000;

export class Committer {
  private readonly store: LocationStore;
  private readonly feed: ChangeFeed | null;
  private readonly counters: Float64Array;
  private readonly log: ShardOptions['log'];
  private readonly failure: PacedLog;
  private readonly readFailure: PacedLog;
  private readonly damage: PacedLog;
  private readonly hang: PacedLog;
  /** The last failure was a loss of ownership. */
  isLost = false;
  private failing = false;
  private settledBefore = 0;
  private isTold = false;
  private failedFrom = 0;
  private triedAt = 0;
  private lastFailureAt = 0;

  constructor({ store, counters, log, feed }: ShardOptions) {
    this.store = store;
    this.feed = feed ?? null;
    this.counters = counters;
    this.log = log;
    this.failure = new PacedLog(log, 'commit failed');
    this.readFailure = new PacedLog(log, 'load failed');
    this.damage = new PacedLog(log, 'damaged bindings were met');
    this.hang = new PacedLog(log, 'a batch hung, most likely for its disk');
    counters[COUNTER.commits_failing] = 0;
    counters[COUNTER.committing] = 0;
  }

  /** Hands the writes to the store. Returns their position, or FAILED. @param lasting as LocationStore.commit's */
  append(writes: WriteSet, changes: Changes, now: number, lasting: boolean): number {
    const { counters } = this;
    counters[COUNTER.committing] = 1;
    let position = FAILED;
    try {
      if (this.feed !== null && changes.count > 0) this.feed.append(changes, lasting);
      position = this.store.commit(writes, now, lasting);
      this.feed?.handedOver(position);
      counters[COUNTER.commits]++;
    } catch (error) {
      this.failed(error, writes.count, now);
    }
    counters[COUNTER.committing] = 0;
    return position;
  }

  /** The position to be settled before an answer without changes may be sent, or FAILED. */
  confirm(now: number): number {
    let position = FAILED;
    try {
      position = this.store.confirm?.(now) ?? this.store.settled();
    } catch (error) {
      this.failed(error, 0, now);
    }
    return position;
  }

  /** The position up to which all commits hold, or FAILED: then none behind it does. */
  settled(now: number): number {
    let position = FAILED;
    try {
      position = this.store.settled();
      if (this.failing && position > this.settledBefore) this.holds(now);
      this.settledBefore = position;
      this.feed?.settled(position);
    } catch (error) {
      this.failed(error, 0, now);
    }
    return position;
  }

  /** A record could not be read. @cold */
  unreadable(error: unknown, now: number): void {
    this.counters[COUNTER.load_failures]++;
    this.readFailure.tell({ error: String(error) }, now);
  }

  /** Logs a batch that took too long, its commit included. */
  took(ms: number, now: number): void {
    if (ms >= HUNG_MS) this.hang.tell({ took_s: Math.round(ms / 1000) }, now);
  }

  /** Logs damaged records. @param since their number since the start @cold */
  damaged(since: number, now: number): void {
    this.damage.tell({ since_start: since }, now);
  }

  /** Tries the disk again if that is due. */
  probe(now: number): void {
    if (this.msToProbe(now) === 0) this.prove(now);
  }

  /** Milliseconds until `probe` has work, 0 when it has, -1 while commits hold. */
  msToProbe(now: number): number {
    if (!this.failing) return -1;
    const left = this.triedAt + PROBE_MS - now;
    return left > 0 && left <= PROBE_MS ? left : 0;
  }

  /** @cold */
  private prove(now: number): void {
    this.counters[COUNTER.committing] = 1;
    try {
      this.store.prove(now);
      this.holds(now);
    } catch (error) {
      this.failed(error, 0, now);
    }
    this.counters[COUNTER.committing] = 0;
  }

  /** @cold */
  private failed(error: unknown, aors: number, now: number): void {
    this.feed?.failed();
    this.isLost = error instanceof OwnershipLost;
    if (this.isLost) return;
    this.counters[COUNTER.commit_failures]++;
    this.counters[COUNTER.commits_failing] = 1;
    this.triedAt = now;
    this.lastFailureAt = now;
    if (!this.failing) this.failedFrom = now;
    this.failing = true;
    if (this.failure.tell({ error: String(error), aors }, now)) this.isTold = true;
  }

  /** @cold */
  private holds(now: number): void {
    this.triedAt = now;
    if (now - this.lastFailureAt < STEADY_MS) return;
    this.failing = false;
    this.counters[COUNTER.commits_failing] = 0;
    if (this.isTold)
      this.log('info', 'commits hold again', { failed_s: Math.round((this.lastFailureAt - this.failedFrom) / 1000) });
    this.isTold = false;
  }
}
