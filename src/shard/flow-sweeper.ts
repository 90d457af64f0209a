// Removes bindings whose connection has closed from the store, at once or after a grace, a bounded number of AORs per batch. Records from
// before a restart are searched in the background. Lookups already leave such bindings out, by the same rule (core/binding/live-flow).
// @hot

import { imageLength } from '../core/binding/binding.ts';
import { CHANGE_FLOW_ENDED, type ChangeSink } from '../core/binding/changes.ts';
import { countImages } from '../core/binding/images.ts';
import { type FlowLiveness, flowKey, isCutOff, lifelineKey } from '../core/binding/live-flow.ts';
import { copyAsleep, mayBeAsleep } from '../core/binding/sleep.ts';
import { SteadyTime } from '../core/timers/steady-time.ts';
import type { ShardExchange } from '../core/uas/exchange.ts';
import type { Policy } from '../core/uas/policy.ts';
import { dormantMsOf } from '../core/uas/push-policy.ts';
import { FLOWS_AT_FIRST } from '../location/first-sizes.ts';
import type { LocationStore, RecordVisitor } from '../location/location-store.ts';
import { RECORD_HEADER_BYTES, recordAorLength } from '../location/record.ts';
import { ROW_WORDS } from '../location/table/binding-row.ts';
import { FlowIndex } from '../location/table/flow-index.ts';
import type { WriteSet } from '../location/write-set.ts';
import { slab, slotStart } from '../sip/parser/slab.ts';
import type { AorState } from './aor-state.ts';
import type { BatchTally } from './observe/batch-tally.ts';

/** AORs visited per batch: bounds the batch, and the write set. */
const AORS_PER_BATCH = 128;
/** Pairs of flow and AOR that a shard tracks; bindings beyond are no targets once their flow has closed, and expire. */
const PAIRS_MAX = 1 << 20;
/** Search of the records from before the start: AORs at a time, and the interval. About 5% of a core. */
const AORS_PER_LOOK = 128;
const LOOK_MS = 10;
/** Time until AORs are visited again after a failed load or commit. */
const RETRY_MS = 1000;

/** Pairs of flow and AOR visited in a batch. */
export class PairsTaken {
  readonly tokens = new Uint32Array(AORS_PER_BATCH);
  readonly keys = new Uint32Array(AORS_PER_BATCH * 4);
  count = 0;
}

export class FlowSweeper implements RecordVisitor {
  private readonly index = new FlowIndex(PAIRS_MAX);
  /** A clock set back prolongs no grace. */
  private readonly time = new SteadyTime();
  private readonly store: LocationStore;
  private readonly flows: FlowLiveness;
  private graceMs: number;
  private dormantMs: number;
  private readonly state: AorState;
  private readonly exchange: ShardExchange;
  private readonly tally: BatchTally;
  // Closed flows with pairs, in the order in which they are due: a queue in a ring of power-of-two size.
  private tokens = new Uint32Array(FLOWS_AT_FIRST);
  /** By `time`. */
  private dueAt = new Float64Array(FLOWS_AT_FIRST);
  private first = 0;
  private waiting = 0;
  /** Of the current batch. */
  private pairs = new PairsTaken();
  /** Of the current AOR: bindings whose connection has closed. */
  private cutOff = 0;
  /** Position of the search of records from before the start, and its next time; -1 when it is over. */
  private cursor = 0;
  private lookAt = 0;
  private now = 0;

  constructor(
    store: LocationStore,
    flows: FlowLiveness,
    policy: Policy,
    state: AorState,
    exchange: ShardExchange,
    tally: BatchTally,
  ) {
    this.store = store;
    this.flows = flows;
    this.graceMs = policy.flowGraceS * 1000;
    this.dormantMs = dormantMsOf(policy.push);
    this.state = state;
    this.exchange = exchange;
    this.tally = tally;
  }

  configure(policy: Policy): void {
    this.graceMs = policy.flowGraceS * 1000;
    this.dormantMs = dormantMsOf(policy.push);
  }

  /**
   * Tracks an AOR's bindings that end with a flow, and queues the closed flows.
   * @param again whether flows tracked before may have closed unnoticed
   */
  watch(
    k0: number,
    k1: number,
    k2: number,
    k3: number,
    bytes: Uint8Array,
    at: number,
    end: number,
    now: number,
    again = false,
  ): void {
    for (let image = at; image < end; image += imageLength(bytes, image)) {
      const token = lifelineKey(bytes, image);
      if (token === 0) continue;
      const known = this.index.has(token);
      const isNew = this.index.track(token, k0, k1, k2, k3) && !known;
      if ((isNew || again) && isCutOff(bytes, image, this.flows)) this.enqueue(token, now);
    }
  }

  /** A node's flows have closed: a slot of the slab has a list of tokens, four bytes each, the lowest first. */
  ended(slot: number, length: number, node: number, now: number): void {
    for (let at = slotStart(slot), end = at + length; at < end; at += 4) {
      const flow = (slab[at] | (slab[at + 1] << 8) | (slab[at + 2] << 16) | (slab[at + 3] << 24)) >>> 0;
      const token = flowKey(flow, node);
      if (this.index.has(token)) this.enqueue(token, now);
    }
  }

  /** Searches all records again: another owner has written them. @cold */
  lookAgain(): void {
    this.cursor = 0;
  }

  /** Adds removals of bindings of closed flows to the batch's writes; the rest follows at the next call. */
  sweep(now: number, changes: ChangeSink | null, history: ChangeSink | null): void {
    this.pairs.count = 0;
    const at = this.time.at(now);
    if (this.cursor >= 0 && at >= this.lookAt) this.lookBack(now);
    const { tokens, dueAt, index, state } = this; // after the search: it may make the queue grow
    while (this.waiting > 0 && this.pairs.count < AORS_PER_BATCH && !state.isSweepFull) {
      const entry = this.first & (tokens.length - 1);
      if (dueAt[entry] > at) return;
      if (index.removeOne(tokens[entry])) this.visit(tokens[entry], now, changes, history);
      else this.dequeue();
    }
  }

  /** Milliseconds until `sweep` has work, 0 when it has, -1 when there is nothing to wait for. */
  msToNext(now: number): number {
    if (this.waiting === 0 && this.cursor < 0) return -1;
    let dueAt = this.cursor >= 0 ? this.lookAt : Number.POSITIVE_INFINITY;
    if (this.waiting > 0) dueAt = Math.min(dueAt, this.dueAt[this.first & (this.tokens.length - 1)]);
    return Math.max(0, Math.ceil(dueAt - this.time.at(now)));
  }

  /** For the store: a record from before the start, or one written since. */
  visitRecord(key: Uint32Array, bytes: Uint8Array, length: number): void {
    const images = RECORD_HEADER_BYTES + recordAorLength(bytes, 0);
    if (countImages(bytes, images, length) > 0)
      this.watch(key[0], key[1], key[2], key[3], bytes, images, length, this.now, true);
  }

  /** The batch's writes are committed. */
  committed(writes: WriteSet, now: number): void {
    const { rows, at, end } = writes;
    for (let entry = 0, w = 0; entry < writes.count; entry++, w += ROW_WORDS) {
      if (end[entry] === at[entry]) continue;
      const images = at[entry] + RECORD_HEADER_BYTES + recordAorLength(writes.bytes, at[entry]);
      this.watch(rows[w], rows[w + 1], rows[w + 2], rows[w + 3], writes.bytes, images, end[entry], now);
    }
  }

  /** The batch's writes have failed: its pairs are visited again soon. */
  failed(now: number, { tokens, keys, count } = this.pairs): void {
    for (let i = 0, k = 0; i < count; i++, k += 4) {
      this.index.track(tokens[i], keys[k], keys[k + 1], keys[k + 2], keys[k + 3]);
      if (i === 0 || tokens[i] !== tokens[i - 1]) this.postpone(tokens[i], now);
    }
    this.pairs.count = 0;
  }

  /** The pairs of a batch that is settled later, for `failed`. @cold */
  handOver(): PairsTaken {
    const { pairs } = this;
    this.pairs = new PairsTaken();
    return pairs;
  }

  /** Visits some of the records from before the start: slowly, for bindings of closed flows are no targets meanwhile either. */
  private lookBack(now: number): void {
    this.now = now;
    this.lookAt = this.time.at(now) + LOOK_MS;
    this.cursor = this.store.visitSome(this.cursor, AORS_PER_LOOK, this);
  }

  /** Removes the flow's bindings from the AOR in the index's `key`. */
  private visit(token: number, now: number, changes: ChangeSink | null, history: ChangeSink | null): void {
    const { state, index, pairs } = this;
    const { request, result } = this.exchange;
    for (let i = 0; i < 4; i++) {
      state.key[i] = index.key[i];
      pairs.keys[(pairs.count << 2) + i] = index.key[i];
    }
    pairs.tokens[pairs.count++] = token;
    request.now = now;
    state.load(request);
    if (state.failure !== null) {
      pairs.count--;
      const { key } = state;
      index.track(token, key[0], key[1], key[2], key[3]);
      return this.postpone(token, now);
    }
    const before = countImages(request.state, request.stateAt, request.stateEnd);
    if (before <= 0) return;
    state.startRecordLikeLoaded(request, result);
    const after = this.copyImages(token, changes, history);
    if (this.cutOff === 0) return;
    state.put(result, after);
    this.tally.cutOff(this.cutOff);
  }

  /** Copies the other bindings, and as asleep those whose device a push may wake; returns how many. */
  private copyImages(token: number, changes: ChangeSink | null, history: ChangeSink | null): number {
    const { request, result } = this.exchange;
    const aorAt = this.state.loadedAorAt;
    const { now, state, stateAt, stateEnd } = request;
    let count = 0;
    this.cutOff = 0;
    for (let image = stateAt; image < stateEnd; image += imageLength(state, image)) {
      if (lifelineKey(state, image) === token && isCutOff(state, image, this.flows)) {
        changes?.add(CHANGE_FLOW_ENDED, state, aorAt, stateAt, state, image, now);
        history?.add(CHANGE_FLOW_ENDED, state, aorAt, stateAt, state, image, now);
        this.cutOff++;
        if (!mayBeAsleep(state, image, now, this.dormantMs)) continue;
        copyAsleep(result.record, state, image);
        count++;
        continue;
      }
      result.record.span(state, image, image + imageLength(state, image));
      count++;
    }
    return count;
  }

  /** Visits the flow again soon, not now. At the head of the queue it gives up its place: otherwise the sweep would not end. */
  private postpone(token: number, now: number): void {
    if (this.waiting > 0 && this.tokens[this.first & (this.tokens.length - 1)] === token) this.dequeue();
    this.push(token, this.time.at(now) + RETRY_MS);
  }

  private dequeue(): void {
    this.first++;
    this.waiting--;
  }

  private enqueue(token: number, now: number): void {
    this.push(token, this.time.at(now) + this.graceMs);
  }

  /** The queue need not be exactly in order: an entry behind a later one waits for it. */
  private push(token: number, dueAt: number): void {
    if (this.waiting === this.tokens.length) this.grow();
    const entry = (this.first + this.waiting++) & (this.tokens.length - 1);
    this.tokens[entry] = token;
    this.dueAt[entry] = dueAt;
  }

  private grow(): void {
    const tokens = new Uint32Array(this.tokens.length * 2);
    const dueAt = new Float64Array(tokens.length);
    for (let i = 0; i < this.waiting; i++) {
      const entry = (this.first + i) & (this.tokens.length - 1);
      tokens[i] = this.tokens[entry];
      dueAt[i] = this.dueAt[entry];
    }
    this.tokens = tokens;
    this.dueAt = dueAt;
    this.first = 0;
  }
}
