// The order of a batch, for all who drive a shard: receive, expire, commit, send, release, observe. No thread, no socket, no
// clock: what differs between a shard's thread, a registrar inside a program, the warm-up and a simulation comes as BatchParts.
// @hot

import type { BatchResponses } from '../core/uas/batch-responses.ts';
import { SLOT_COUNT } from '../sip/parser/slab.ts';
import type { Peers } from '../sip/sources.ts';
import type { Gate } from './gate.ts';
import { COUNTER } from './observe/counters.ts';
import { BATCH_BOUNDS, BATCH_ROW, COMMIT_ROW, type Measures, SECONDS_BOUNDS } from './observe/measures.ts';
import type { OutgoingRequests } from './outgoing/outgoing-requests.ts';
import type { ShardSettings } from './shard-settings.ts';

/** The shard, as its driver sees it. */
export interface Pipeline {
  readonly peers: Peers;
  readonly answers: BatchResponses;
  /** Requests of its own that leave with the answers; null or absent where it never sends any. */
  readonly outgoing?: OutgoingRequests | null;
  /** The first slot for the next batch; 0 unless answers wait for the store, SLOT_COUNT where no message can be received. */
  readonly firstSlot: number;
  /** Whom abuse control limits; null or absent where nobody authenticates. */
  readonly gate?: Gate | null;
  open(): void;
  /** Throws where the rules make no sense; then the old ones hold on. */
  configure(settings: ShardSettings): void;
  receive(slot: number, length: number, now: number): void;
  /** Brings requests that were held back into slots from `first` on; returns the first slot that is free. Without it none ever is. */
  takeHeld?(lengths: Int32Array, first: number, now: number): number;
  /** A list of flows that have ended, in a slot of the slab. */
  flowsEnded(slot: number, length: number, now: number): void;
  /** The message that comes next into a slot has waited for its user, of whom nobody could tell. */
  waitedInVain(slot: number): void;
  /** The message that comes next into a slot, a lookup, has waited for devices to wake. Without it none ever waits. */
  hasWaited?(slot: number): void;
  /** A request of its own, in a slot, has found no connection to the peer of the slot. Without it none ever asks for one. */
  notSent?(slot: number, length: number, now: number): void;
  /** In a cluster: connections of other nodes may be gone. */
  nodesGone?(): void;
  /** @param freeSlot behind the slots of the batch: repeated answers use those from there on */
  expire(now: number, freeSlot: number): void;
  commit(now: number): void;
  /** The answers have left, so many seconds after the batch was received. */
  release(seconds: number): void;
  /** @param waitMs work that waits, ms @param fill used share of its capacity @param batchMs time of the batch */
  observe(now: number, waitMs: number, fill: number, batchMs: number): void;
  msToNextTick(now: number): number;
  /** In a cluster: from here on this node decides, or another one does. @param epoch greater than that of any before */
  tookOver?(epoch: number, now: number): void;
  gaveUp?(): void;
}

/** What waits to be received, behind a batch. */
export interface Backlog {
  /** Used share of the capacity for messages that wait, of the fullest buffer: 0 to 1. */
  readonly fill: number;
  /**
   * How long the messages that wait will take, ms; 0 where the batch had all there were. Called once, after each batch.
   * @param batch messages in the batch
   * @param isFull whether it had no free slot
   * @param usualMs time of a batch of late
   */
  waitMs(batch: number, isFull: boolean, usualMs: number): number;
}

export interface BatchParts {
  readonly shard: Pipeline;
  readonly counters: Float64Array;
  readonly measures: Measures;
  /** Milliseconds since any fixed moment. */
  elapsed(): number;
  /** All messages are decided, nothing is committed: other shards can start on what was forwarded to them. */
  decided?(): void;
  /** Sends the rows of `shard.answers`. */
  send(): void;
  /** Without it nothing ever waits, and no storm is seen. */
  readonly backlog?: Backlog;
}

export class BatchDriver {
  private readonly parts: BatchParts;
  private readonly backlog: Backlog;
  private isOpen = false;
  private messages = 0;
  private beganMs = 0;
  /** Time of the batch before. */
  private lastMs = 0;

  constructor(parts: BatchParts) {
    this.parts = parts;
    this.backlog = parts.backlog ?? NOTHING_WAITS;
  }

  /** A whole batch: the messages in the slots [first, end); a slot of length 0 has none. */
  run(lengths: Int32Array, first: number, end: number, now: number): void {
    this.begin();
    this.messages = end - first;
    const { shard } = this.parts;
    for (let slot = first; slot < end; slot++) {
      if (lengths[slot] > 0) shard.receive(slot, lengths[slot], now);
    }
    this.finish(end, now);
  }

  /** One message of a batch that comes one by one, its source in the same row of `peers`. */
  receive(slot: number, length: number, now: number): void {
    if (!this.isOpen) this.begin();
    this.messages++;
    this.parts.shard.receive(slot, length, now);
  }

  /** Ends the batch, which may have received nothing. @param freeSlot behind its last slot */
  finish(freeSlot: number, now: number): void {
    if (!this.isOpen) this.begin();
    const { parts, messages } = this;
    const { shard, counters, measures } = parts;
    if (messages > 0) {
      counters[COUNTER.batches]++;
      measures.observe(BATCH_ROW, BATCH_BOUNDS, messages);
    }
    parts.decided?.();
    shard.expire(now, freeSlot);
    this.commit(now);
    const requests = shard.outgoing?.count ?? 0;
    if (shard.answers.count > 0 || requests > 0) parts.send();
    const tookMs = parts.elapsed() - this.beganMs;
    counters[COUNTER.busy_us] += tookMs * 1000;
    shard.release(tookMs / 1000);
    this.isOpen = false;
    this.messages = 0;
    // One slow sync says nothing of the next batches.
    const usualMs = tookMs < this.lastMs ? tookMs : this.lastMs;
    this.lastMs = tookMs;
    const waitMs = this.backlog.waitMs(messages, freeSlot >= SLOT_COUNT, usualMs);
    shard.observe(now, waitMs, this.backlog.fill, tookMs);
  }

  private begin(): void {
    this.isOpen = true;
    this.beganMs = this.parts.elapsed();
  }

  private commit(now: number): void {
    const { shard, counters, measures, elapsed } = this.parts;
    const commits = counters[COUNTER.commits];
    const before = elapsed();
    shard.commit(now);
    if (counters[COUNTER.commits] === commits) return;
    const tookMs = elapsed() - before;
    counters[COUNTER.commit_us] += tookMs * 1000;
    measures.observe(COMMIT_ROW, SECONDS_BOUNDS, tookMs / 1000);
  }
}

const NOTHING_WAITS: Backlog = { fill: 0, waitMs: () => 0 };
