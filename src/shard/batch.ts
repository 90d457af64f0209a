// The order of a batch, for all drivers of a shard: receive, expire, commit, send, release, observe. No thread, no socket, no
// clock: BatchParts has the differences of a shard's thread, a registrar inside a program, the warm-up and a simulation.
// @hot

import type { BatchResponses } from '../core/uas/batch-responses.ts';
import { SLOT_COUNT } from '../sip/parser/slab.ts';
import type { Peers } from '../sip/sources.ts';
import type { Gate } from './gate.ts';
import { COUNTER } from './observe/counters.ts';
import { BATCH_BOUNDS, BATCH_ROW, COMMIT_ROW, type Measures, SECONDS_BOUNDS } from './observe/measures.ts';
import type { OutgoingRequests } from './outgoing/outgoing-requests.ts';
import type { ShardSettings } from './shard-settings.ts';

/** The shard in its driver's view. */
export interface Pipeline {
  readonly peers: Peers;
  readonly answers: BatchResponses;
  /** The shard's own requests, sent with the answers; null or absent where it never sends any. */
  readonly outgoing?: OutgoingRequests | null;
  /** The first slot for the next batch; above 0 while answers wait for the store, SLOT_COUNT where no message can be received. */
  readonly firstSlot: number;
  /** Abuse control; null or absent where no sender authenticates. */
  readonly gate?: Gate | null;
  open(): void;
  /** Throws for invalid rules; then the old ones stay. */
  configure(settings: ShardSettings): void;
  receive(slot: number, length: number, now: number): void;
  /** Puts held requests into slots from `first` on; returns the first free slot. Absent: none is ever held. */
  takeHeld?(lengths: Int32Array, first: number, now: number): number;
  /** A list of closed flows, in a slot of the slab. */
  flowsEnded(slot: number, length: number, now: number): void;
  /** The next message in a slot has waited for its user without a result. */
  waitedInVain(slot: number): void;
  /** The next message in a slot, a lookup, has waited for devices to wake. Absent: none ever waits. */
  hasWaited?(slot: number): void;
  /** A request of the shard's own, in a slot, has found no connection to the slot's peer. Absent: none ever needs one. */
  notSent?(slot: number, length: number, now: number): void;
  /** In a cluster: connections of other nodes may have closed. */
  nodesGone?(): void;
  /** @param freeSlot first slot behind the batch's: repeated answers use the slots from it on */
  expire(now: number, freeSlot: number): void;
  commit(now: number): void;
  /** The answers have been sent, this many seconds after the batch was received. */
  release(seconds: number): void;
  /** @param waitMs waiting work, ms @param fill used share of its capacity @param batchMs time of the batch */
  observe(now: number, waitMs: number, fill: number, batchMs: number): void;
  msToNextTick(now: number): number;
  /** In a cluster: from now on this node decides, or another one does. @param epoch greater than any earlier node's */
  tookOver?(epoch: number, now: number): void;
  gaveUp?(): void;
}

/** Messages that wait to be received, after a batch. */
export interface Backlog {
  /** Used share of the capacity for waiting messages, of the fullest buffer: 0 to 1. */
  readonly fill: number;
  /**
   * Time that the waiting messages will take, ms; 0 where the batch received all. Called once, after each batch.
   * @param batch messages in the batch
   * @param isFull whether it had no free slot
   * @param usualMs time of a recent batch
   */
  waitMs(batch: number, isFull: boolean, usualMs: number): number;
}

export interface BatchParts {
  readonly shard: Pipeline;
  readonly counters: Float64Array;
  readonly measures: Measures;
  /** Milliseconds since any fixed moment. */
  elapsed(): number;
  /** All messages are decided, nothing is committed: other shards can start with the messages forwarded to them. */
  decided?(): void;
  /** Sends the rows of `shard.answers`. */
  send(): void;
  /** Absent: no message ever waits, and no storm is seen. */
  readonly backlog?: Backlog;
}

/** A batch has half as many messages where all slots together would take more work than this: what comes meanwhile waits for its end. */
const WORK_MS_MAX = 20;
/** Messages of a batch that tells what one takes. */
const JUDGED_MIN = 64;

export class BatchDriver {
  /** Datagrams of the next batch at most. */
  messagesMax = SLOT_COUNT / 2;
  private readonly parts: BatchParts;
  private readonly backlog: Backlog;
  private isOpen = false;
  private messages = 0;
  private beganMs = 0;
  /** Time of the batch before. */
  private lastMs = 0;
  /** Of the batch's time, that of its commit. */
  private commitMs = 0;

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

  /** One message of a batch that arrives one by one, its source in the same row of `peers`. */
  receive(slot: number, length: number, now: number): void {
    if (!this.isOpen) this.begin();
    this.messages++;
    this.parts.shard.receive(slot, length, now);
  }

  /** Ends the batch, which may be empty. @param freeSlot first slot behind its last */
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
    // One slow sync does not predict the next batches.
    const usualMs = tookMs < this.lastMs ? tookMs : this.lastMs;
    this.lastMs = tookMs;
    const waitMs = this.backlog.waitMs(messages, messages >= this.messagesMax || freeSlot >= SLOT_COUNT, usualMs);
    if (messages >= JUDGED_MIN) this.judge((tookMs - this.commitMs) / messages);
    shard.observe(now, waitMs, this.backlog.fill, tookMs);
  }

  private judge(messageMs: number): void {
    this.messagesMax = messageMs * SLOT_COUNT <= WORK_MS_MAX ? SLOT_COUNT : SLOT_COUNT / 2;
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
    const tookMs = elapsed() - before;
    this.commitMs = tookMs;
    if (counters[COUNTER.commits] === commits) return;
    counters[COUNTER.commit_us] += tookMs * 1000;
    measures.observe(COMMIT_ROW, SECONDS_BOUNDS, tookMs / 1000);
  }
}

const NOTHING_WAITS: Backlog = { fill: 0, waitMs: () => 0 };
