// The commit of a batch in two halves. Its writes are handed to the store, which gives them a position. Its answers are sent once
// the store has settled that position. A store that settles at once does both in one call. With another, batches are in
// flight: their answers wait, decisions see their writes, and if they fail, so does everything decided on them.
// @hot

import type { Changes } from '../core/binding/changes.ts';
import { BatchResponses } from '../core/uas/batch-responses.ts';
import type { Transactions } from '../core/uas/transactions.ts';
import { WriteSet } from '../location/write-set.ts';
import { SLOT_COUNT } from '../sip/parser/slab.ts';
import { type Peers, TRANSPORT_UDP } from '../sip/sources.ts';
import type { AorState } from './aor-state.ts';
import { type Committer, FAILED } from './committer.ts';
import type { FlowSweeper, PairsTaken } from './flow-sweeper.ts';
import type { BatchTally } from './observe/batch-tally.ts';
import { COUNTER } from './observe/counters.ts';
import type { EventSink } from './observe/event-ring.ts';
import type { History } from './observe/history.ts';
import type { Measures } from './observe/measures.ts';
import type { Pinger } from './pings/pinger.ts';
import type { ResponseLifecycle } from './response-lifecycle.ts';

/** Interval at which the store is asked while batches are in flight and no message comes. */
const ASK_MS = 1;
/** Batches in flight at most: each has a working set of its own. */
const IN_FLIGHT_MAX = 8;

/** All that depends on a position that the store has not settled. */
class BatchInFlight {
  position = 0;
  /** Epoch ms at which it was committed. */
  since = 0;
  /** First slot behind those of its answers' requests. */
  freeSlot = 0;
  readonly writes = new WriteSet();
  readonly answers: BatchResponses;
  tally: BatchTally | null = null;
  changes: Changes | null = null;
  history: Uint8Array | null = null;
  pairs: PairsTaken | null = null;

  constructor(ring: Uint8Array) {
    this.answers = new BatchResponses(ring);
  }
}

export interface CommitParts {
  readonly committer: Committer;
  readonly peers: Peers;
  readonly answers: BatchResponses;
  readonly lifecycle: ResponseLifecycle;
  readonly transactions: Transactions;
  readonly state: AorState;
  readonly writes: WriteSet;
  readonly tally: BatchTally;
  readonly changes: Changes;
  readonly events: EventSink | undefined;
  readonly history: History | null;
  readonly flows: FlowSweeper | null;
  /** Gets committed writes while it is on. */
  readonly pinger: Pinger | null;
  readonly counters: Float64Array;
  /** In a cluster: whether the stream has been silent for so long that waiting clients get an answer. */
  readonly deciding: { refuses(now: number): boolean } | null;
}

export class BatchCommit {
  private readonly parts: CommitParts;
  /** Oldest first. */
  private readonly inFlight: BatchInFlight[] = [];
  private readonly spare: BatchInFlight[] = [];
  private askedAt = 0;
  /** Rows of `answers` from this one on waited for the store, for `waitedS` seconds. */
  private heldFrom = 0;
  private readonly waitedS = new Float64Array(SLOT_COUNT);

  constructor(parts: CommitParts) {
    this.parts = parts;
  }

  /** The first slot without a request in flight. */
  get firstSlot(): number {
    let slot = 0;
    for (let i = 0; i < this.inFlight.length; i++)
      if (this.inFlight[i].freeSlot > slot) slot = this.inFlight[i].freeSlot;
    return this.isFull ? SLOT_COUNT : slot;
  }

  /** Whether the maximum of batches is in flight: no request can be decided until the store settles one. */
  get isFull(): boolean {
    return this.inFlight.length >= IN_FLIGHT_MAX;
  }

  /** Commits the batch's one transaction, and collects settled earlier ones. `answers` then holds those to send, 503s among them. */
  commit(now: number, freeSlot: number): void {
    const { committer, writes, changes, answers, lifecycle } = this.parts;
    const waits = this.inFlight.length > 0;
    const { hasConditional } = answers;
    if (writes.count > 0 || (hasConditional && !waits)) {
      // Expiries alone would happen again after a crash: no client waits for the disk.
      const position =
        writes.count > 0 ? committer.append(writes, changes, now, hasConditional) : committer.confirm(now);
      const settled = position === FAILED || waits ? position : committer.settled(now);
      if (settled === FAILED) this.failed(now);
      else if (!waits && settled >= position) this.committed(now);
      else this.setAside(position, freeSlot, now);
    } else if (!waits) committer.probe(now);
    else if (hasConditional) this.setAside(this.inFlight[this.inFlight.length - 1].position, freeSlot, now);
    lifecycle.publish(0, now);
    this.heldFrom = answers.count;
    if (this.inFlight.length > 0) this.collect(now);
  }

  /** Measures the sent answers. */
  measure(measures: Measures, peers: Peers, seconds: number): void {
    const { answers } = this.parts;
    measures.answered(answers, peers, seconds, 0, this.heldFrom);
    for (let row = this.heldFrom; row < answers.count; row++)
      measures.answered(answers, peers, seconds + this.waitedS[row], row, row + 1);
  }

  /** Milliseconds until the store is to be asked, or tried again after a failure; 0 when it is time, -1 for never. */
  msToNext(now: number): number {
    if (this.inFlight.length === 0) return this.parts.committer.msToProbe(now);
    const left = this.askedAt + ASK_MS - now;
    return left > 0 && left <= ASK_MS ? left : 0;
  }

  private committed(now: number): void {
    const { tally, flows, pinger, writes, history, changes, events } = this.parts;
    tally.apply();
    flows?.committed(writes, now);
    if (pinger?.isOn) pinger.committed(writes, now);
    history?.publish();
    if (changes.count > 0 && events?.listening) events.publish(changes); // a listener that hears of a change finds it in the history
  }

  private failed(now: number): void {
    this.refuse(0, now);
    this.parts.flows?.failed(now);
  }

  /** Answers 503 from a row on to requests that depended on the commit. If another node owns the shard, UDP clients repeat to that one. */
  private refuse(from: number, now: number): void {
    const { answers, lifecycle, committer, counters, peers, transactions } = this.parts;
    if (committer.isLost) {
      let kept = from;
      for (let row = from; row < answers.count; row++) {
        const isRepeated = answers.conditional[row] !== 0 && peers.transport[answers.slot[row]] === TRANSPORT_UDP;
        if (isRepeated) {
          counters[COUNTER.dropped_not_owner]++;
          transactions.abandon(answers.ticket[row]);
        } else answers.copyRow(answers, row, kept++);
      }
      answers.count = kept;
    }
    lifecycle.fail(from, now);
  }

  /** Moves the batch aside, with all that depends on it, until its position is settled. @cold */
  private setAside(position: number, freeSlot: number, now: number): void {
    const { answers, state, writes, tally, changes, history, flows } = this.parts;
    const batch = this.spare.pop() ?? new BatchInFlight(answers.bytes);
    batch.position = position;
    batch.since = now;
    answers.moveConditional(batch.answers);
    batch.freeSlot = batch.answers.count > 0 ? freeSlot : 0;
    writes.swap(batch.writes);
    batch.tally = tally.copy();
    batch.changes = changes.copy();
    batch.history = history?.copy() ?? null;
    batch.pairs = flows?.handOver() ?? null;
    this.inFlight.push(batch);
    state.earlier.push(batch.writes);
  }

  /** @cold */
  private collect(now: number): void {
    const { committer, state, counters } = this.parts;
    this.askedAt = now;
    const settled = committer.settled(now);
    while (this.inFlight.length > 0 && (settled === FAILED || this.inFlight[0].position <= settled)) {
      const batch = this.inFlight[0];
      this.letLeave(batch, settled !== FAILED, now);
      this.inFlight.shift();
      state.earlier.shift();
      this.spare.push(batch);
    }
    counters[COUNTER.committing] = this.inFlight.length > 0 ? 1 : 0;
    if (this.inFlight.length > 0 && this.parts.deciding?.refuses(now)) this.leaveOpen(now);
  }

  /** Tells waiting clients that the result is unknown. The writes are still in flight, unpublished; their fate is seen later. @cold */
  private leaveOpen(now: number): void {
    const { lifecycle, answers } = this.parts;
    const from = answers.count;
    for (const batch of this.inFlight) {
      this.takeAnswers(batch, now);
      batch.answers.count = 0;
      batch.freeSlot = 0;
    }
    lifecycle.fail(from, now, true);
    lifecycle.publish(from, now);
  }

  /** @cold */
  private takeAnswers(batch: BatchInFlight, now: number): void {
    const { answers } = this.parts;
    for (let row = 0; row < batch.answers.count; row++) {
      this.waitedS[answers.count] = (now - batch.since) / 1000;
      answers.copyRow(batch.answers, row, answers.count++);
    }
  }

  /** Adds the answers of a batch in flight to those that are sent. @cold */
  private letLeave(batch: BatchInFlight, isCommitted: boolean, now: number): void {
    const { answers, lifecycle, events, flows, pinger, history } = this.parts;
    const from = answers.count;
    this.takeAnswers(batch, now);
    if (isCommitted) {
      batch.tally?.apply();
      flows?.committed(batch.writes, now);
      if (pinger?.isOn) pinger.committed(batch.writes, now);
      if (batch.history !== null) history?.publishCopy(batch.history);
      if (batch.changes !== null && batch.changes.count > 0 && events?.listening) events.publish(batch.changes);
    } else {
      this.refuse(from, now);
      if (batch.pairs !== null) flows?.failed(now, batch.pairs);
    }
    lifecycle.publish(from, now);
    if (isCommitted) this.dropOverwritten(from);
  }

  /** Drops answers that newer ones have overwritten meanwhile: the client's retransmission draws a new one. @cold */
  private dropOverwritten(from: number): void {
    const { answers, transactions, counters } = this.parts;
    let kept = from;
    for (let row = from; row < answers.count; row++) {
      if (transactions.isKept(answers.place[row])) answers.copyRow(answers, row, kept++);
      else counters[COUNTER.dropped_send]++;
    }
    answers.count = kept;
  }
}
