// Expiry of one shard: removes expired bindings from their records, a bounded number per batch, as writes of that
// batch. The store knows when an AOR is due.
// @hot

import { imageLength } from '../core/binding/binding.ts';
import { CHANGE_EXPIRED, type ChangeSink } from '../core/binding/changes.ts';
import { countImages } from '../core/binding/images.ts';
import { copyAsleep, isToldAsEnded, KEPT_NEVER, mayBeAsleep } from '../core/binding/sleep.ts';
import { endedBy } from '../core/binding/target.ts';
import type { ShardExchange } from '../core/uas/exchange.ts';
import type { DueVisitor, LocationStore } from '../location/location-store.ts';
import type { AorState } from './aor-state.ts';
import type { FlowSweeper } from './flow-sweeper.ts';
import type { BatchTally } from './observe/batch-tally.ts';
import type { History } from './observe/history.ts';
import { LAG_BOUNDS, LAG_ROW, type Measures } from './observe/measures.ts';
import type { ShardOptions } from './shard-options.ts';
import { sooner } from './sooner.ts';
import type { WatchedAors } from './subscriptions/watched-aors.ts';

/** AORs visited per batch: bounds the batch, and the write set. */
const AORS_PER_BATCH = 48;
/** Pause between two visits: even a million simultaneous expiries must not hold up requests. */
const PAUSE_MS = 2;

export class Sweeper implements DueVisitor {
  private readonly store: LocationStore;
  private readonly state: AorState;
  private readonly exchange: ShardExchange;
  private readonly tally: BatchTally;
  private readonly measures: Measures;
  /** Bindings that end with connections, where this process holds such. */
  flows: FlowSweeper | null = null;
  /** Receivers of expired bindings, while there are listeners: for all AORs, and for watched AORs. */
  changes: ChangeSink | null = null;
  watched: ChangeSink | null = null;
  watchedAors: WatchedAors | null = null;
  /** Receiver of all changes, if a history is kept. */
  history: History | null = null;
  /** Whether the time can be trusted; null: always. */
  clock: NonNullable<ShardOptions['clock']> | null = null;
  /** Time that bindings are kept asleep after their expiry; KEPT_NEVER: they are not kept. */
  dormantMs = KEPT_NEVER;
  /** Of the current AOR: expired bindings that listeners have not been told of. */
  private ended = 0;
  private hasSleepers = false;
  private setBacks = 0;
  private sweptAt = 0;

  constructor(store: LocationStore, state: AorState, exchange: ShardExchange, tally: BatchTally, measures: Measures) {
    this.store = store;
    this.state = state;
    this.exchange = exchange;
    this.tally = tally;
    this.measures = measures;
  }

  /** Adds removals of bindings that have expired or lost their connection to the batch's writes; the rest at the next call. */
  sweep(now: number): void {
    this.exchange.request.now = now;
    this.state.startSweep();
    if (this.clock !== null && this.clock.setBacks !== this.setBacks) this.shorten(this.clock.setBacks, now);
    if (this.pauseMs(now) === 0 && !this.holds) {
      this.sweptAt = now;
      this.store.expire(now, AORS_PER_BATCH, this);
    }
    this.flows?.sweep(now, this.changes ?? this.watched, this.history);
  }

  /** Milliseconds until `sweep` has work, 0 when it has, -1 when there is nothing to wait for. */
  msToNextTick(now: number): number {
    const expiry = this.holds ? -1 : this.store.msToNextExpiry(now) || this.pauseMs(now);
    return this.flows === null ? expiry : sooner(expiry, this.flows.msToNext(now));
  }

  /** For the store: removes expired bindings from one AOR's record. */
  expire(k0: number, k1: number, k2: number, k3: number, expiresAt: number, isOnly: boolean): void {
    const { state } = this;
    const { request, result } = this.exchange;
    state.key[0] = k0;
    state.key[1] = k1;
    state.key[2] = k2;
    state.key[3] = k3;
    const changes = this.changes ?? this.watchedChanges();
    if (isOnly && changes === null && this.dormantMs <= 0 && !state.isTouched()) {
      state.remove();
      this.history?.gone(CHANGE_EXPIRED, request.now);
      this.swept(1, expiresAt);
      return;
    }
    if (state.isSweepFull) return;
    state.load(request);
    if (state.failure !== null) return;
    const before = countImages(request.state, request.stateAt, request.stateEnd);
    if (before <= 0) return;
    state.startRecordLikeLoaded(request, result);
    const after = this.copyImages();
    // With the same images, the put still updates the row's next removal by the current policy.
    if (after === before && this.ended === 0 && !this.hasSleepers) return;
    state.put(result, after);
    if (changes !== null) this.report(changes);
    if (this.history !== null) this.report(this.history);
    if (this.ended > 0) this.swept(this.ended, expiresAt);
  }

  /** Copies live bindings, with or without an open connection, and as asleep those that a push may wake; returns how many. */
  private copyImages(): number {
    const { now, state, stateAt, stateEnd } = this.exchange.request;
    const { record } = this.exchange.result;
    let count = 0;
    this.ended = 0;
    this.hasSleepers = false;
    for (let at = stateAt; at < stateEnd; at += imageLength(state, at)) {
      const hasEnded = endedBy(state, at, now, null) !== 0;
      if (hasEnded && !isToldAsEnded(state, at)) this.ended++;
      if (hasEnded && !mayBeAsleep(state, at, now, this.dormantMs)) continue;
      if (hasEnded || isToldAsEnded(state, at)) this.hasSleepers = true;
      if (hasEnded) copyAsleep(record, state, at);
      else record.span(state, at, at + imageLength(state, at));
      count++;
    }
    return count;
  }

  private watchedChanges(): ChangeSink | null {
    return this.watched !== null && this.watchedAors?.has(this.state.key) ? this.watched : null;
  }

  private get holds(): boolean {
    return this.clock?.holds === true;
  }

  /** @cold */
  private shorten(setBacks: number, now: number): void {
    this.setBacks = setBacks;
    this.store.shorten(now);
  }

  private pauseMs(now: number): number {
    const left = this.sweptAt + PAUSE_MS - now;
    return left > 0 && left <= PAUSE_MS ? left : 0;
  }

  private swept(bindings: number, expiresAt: number): void {
    this.tally.swept(bindings);
    this.measures.observe(LAG_ROW, LAG_BOUNDS, (this.exchange.request.now - expiresAt) / 1000);
  }

  private report(changes: ChangeSink): void {
    const { now, state, stateAt, stateEnd } = this.exchange.request;
    const aorAt = this.state.loadedAorAt;
    for (let at = stateAt; at < stateEnd; at += imageLength(state, at))
      if (endedBy(state, at, now, null) !== 0 && !isToldAsEnded(state, at))
        changes.add(CHANGE_EXPIRED, state, aorAt, stateAt, state, at, now);
  }
}
