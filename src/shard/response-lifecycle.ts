// The life of a batch's answers. They are started from the request in the table, and finished as a row. Once the commit holds they are
// published, so that retransmissions get them; where it failed, 503s replace them. The registrar decides their content.
// @hot

import type { BatchResponses } from '../core/uas/batch-responses.ts';
import type { ShardExchange } from '../core/uas/exchange.ts';
import type { InviteServerTransactions } from '../core/uas/invite-server-transactions.ts';
import { answerKeepAlive } from '../core/uas/keep-alive.ts';
import type { RequestKeys } from '../core/uas/request-keys.ts';
import { answerPort } from '../core/uas/response.ts';
import { ANSWER_BYTES_MAX, type Transactions } from '../core/uas/transactions.ts';
import { ANSWER } from '../core/wasm/module-memory.ts';
import { Views } from '../core/wasm/views.ts';
import { parse } from '../sip/parser/parser.ts';
import { slotStart, table } from '../sip/parser/slab.ts';
import { METHOD_INVITE, T_METHOD } from '../sip/parser/span-table.ts';
import { type Peers, TRANSPORT_UDP } from '../sip/sources.ts';
import type { BatchTally } from './observe/batch-tally.ts';
import { COUNTER } from './observe/counters.ts';
import { outcomeOf } from './observe/outcome.ts';
import type { ShardRules } from './shard-rules.ts';

/** Longer answers over UDP may be fragmented (RFC 3261 §18.1.1); they are sent all the same, and counted. */
const LARGE_ANSWER_BYTES = 1300;
/** Maximum bytes sent to a possibly forged address, for each byte that came from it. */
const AMPLIFICATION_MAX = 3;
/** Retry-After of a request whose commit failed: spread by the request's own random bits (a mask). */
const AGAIN_S_MIN = 10;
const AGAIN_S_SPREAD = 15;

/** Requests to a full shard are spread over this many more seconds (a mask). */
const RING_FULL_SPREAD_S = 7;
/** Retry-After of a request that no node can decide: from 5 to 20 seconds. */
const UNDECIDED_S_MIN = 5;
const UNDECIDED_S_SPREAD = 15;

const written = new Views(ANSWER);

export interface ResponseParts {
  readonly answers: BatchResponses;
  readonly transactions: Transactions;
  readonly invites: InviteServerTransactions;
  readonly peers: Peers;
  /** Lengths of the messages in the slots, bytes. */
  readonly lengths: Uint16Array;
  readonly keys: RequestKeys;
  readonly exchange: ShardExchange;
  readonly rules: ShardRules;
  readonly tally: BatchTally;
  readonly counters: Float64Array;
}

export class ResponseLifecycle {
  private readonly parts: ResponseParts;
  private slot = 0;
  private now = 0;

  constructor(parts: ResponseParts) {
    this.parts = parts;
  }

  /** Starts the answer to the request in a slot, which is in the table and has its keys computed. */
  start(slot: number, now: number): void {
    this.slot = slot;
    this.now = now;
    const { exchange, keys, lengths, peers } = this.parts;
    const { request, result } = exchange;
    exchange.reset();
    const isUdp = peers.transport[slot] === TRANSPORT_UDP;
    result.answerBytesMax = isUdp ? AMPLIFICATION_MAX * lengths[slot] : ANSWER_BYTES_MAX;
    request.now = now;
    request.peer = slot;
    request.tagHigh = keys.tagHigh;
    request.tagLow = keys.tagLow;
  }

  /** The source is known: the answer may have any length. */
  trust(): void {
    this.parts.exchange.result.answerBytesMax = ANSWER_BYTES_MAX;
  }

  /** §17.2.1: 100 where an INVITE's answer must wait for an external result; clients repeat other requests. */
  trying(slot: number, now: number): void {
    if (table[T_METHOD] !== METHOD_INVITE) return;
    this.start(slot, now);
    this.parts.rules.uas.trying(this.parts.exchange);
    this.finish(-1, false);
  }

  /** Refuses because the owner's ring is full: over a stream the client would not repeat the request by itself. */
  putOff(slot: number, now: number): void {
    this.busy(slot, now, 1, RING_FULL_SPREAD_S);
    this.parts.counters[COUNTER.put_off_ring_full]++;
  }

  /** Refuses: no node can decide the request now. */
  putOffUndecided(slot: number, now: number): void {
    this.busy(slot, now, UNDECIDED_S_MIN, UNDECIDED_S_SPREAD);
    this.parts.counters[COUNTER.put_off_not_owner]++;
  }

  /** Answers that the result is unknown: another node may have decided the request, and cannot be asked. */
  leaveUndecided(slot: number, now: number): void {
    const { keys, exchange, rules, counters } = this.parts;
    keys.compute();
    this.start(slot, now);
    rules.uas.unknown(exchange, UNDECIDED_S_MIN + (keys.tagLow & UNDECIDED_S_SPREAD));
    this.finish(-1, false);
    counters[COUNTER.put_off_not_owner]++;
  }

  private busy(slot: number, now: number, seconds: number, spread: number): void {
    const { keys, exchange, rules } = this.parts;
    keys.compute();
    this.start(slot, now);
    rules.uas.busy(exchange, seconds + (keys.tagLow & spread));
    this.finish(-1, false);
  }

  /** Replaces an answer where it or the record did not fit: nothing of it holds. Returns the status of the new answer. */
  startOver(): number {
    this.start(this.slot, this.now);
    return this.parts.rules.uas.failed(this.parts.exchange);
  }

  /**
   * Makes the exchange's answer a row.
   * @param ticket its transaction, or -1
   * @param conditional whether it holds only if the batch's commit succeeds
   */
  finish(ticket: number, conditional: boolean): void {
    const { answers, counters, exchange, peers } = this.parts;
    const { result } = exchange;
    const { answer } = result;
    if (answer.overflow) this.startOver();
    if (answer.overflow) {
      counters[COUNTER.dropped_send]++; // even a 500, with its Vias, is no datagram
      return;
    }
    const length = answer.at - answer.from;
    if (length > result.answerBytesMax) {
      counters[COUNTER.dropped_amplifying]++;
      return;
    }
    const row = this.add(length, answerPort(exchange.request));
    if (length > LARGE_ANSWER_BYTES && peers.transport[this.slot] === TRANSPORT_UDP) counters[COUNTER.large_answers]++;
    answers.ticket[row] = ticket;
    answers.status[row] = result.status;
    answers.outcome[row] = outcomeOf(result.status, result.reason);
    answers.reason[row] = result.reason;
    answers.conditional[row] = conditional ? 1 : 0;
    const isInvite = ticket >= 0 && table[T_METHOD] === METHOD_INVITE;
    if (isInvite && peers.transport[this.slot] === TRANSPORT_UDP) answers.awaitsAck[row] = 1;
  }

  /** Answers the slab's bytes [at, at + length), which are no SIP message; false: they draw no answer. */
  keepAlive(at: number, length: number): boolean {
    const { exchange, peers } = this.parts;
    const { answer } = exchange.result;
    if (!answerKeepAlive(exchange, at, length)) return false;
    this.add(answer.at - answer.from, peers.port[this.slot]);
    return true;
  }

  /** Copies the exchange's answer into the ring of answers; returns its row. */
  private add(length: number, port: number): number {
    const { answers, transactions } = this.parts;
    const place = transactions.keep(written.of(length));
    const row = answers.add(this.slot, transactions.keptAt, transactions.keptAt + length, port);
    answers.place[row] = place;
    return row;
  }

  /**
   * Replaces every answer from a row on that depended on the commit.
   * @param isOpen the result of the commit is still unknown: 504; else it failed: 503
   */
  fail(from: number, now: number, isOpen = false): void {
    const { answers, keys, lengths, exchange, rules, transactions } = this.parts;
    const { result } = exchange;
    const rows = answers.count;
    for (let row = from; row < rows; row++) {
      if (answers.conditional[row] === 0) continue;
      const slot = answers.slot[row];
      parse(slotStart(slot), slotStart(slot) + lengths[slot]);
      keys.compute();
      this.start(slot, now);
      const status = isOpen
        ? rules.uas.unknown(exchange, UNDECIDED_S_MIN + (keys.tagLow & UNDECIDED_S_SPREAD))
        : rules.uas.notKept(exchange, AGAIN_S_MIN + (keys.tagLow & AGAIN_S_SPREAD));
      if (result.answer.overflow) continue; // a longer phrase does not fit: the refusal stays
      const length = result.answer.at - result.answer.from;
      answers.place[row] = transactions.keep(written.of(length));
      answers.at[row] = transactions.keptAt;
      answers.end[row] = transactions.keptAt + length;
      answers.status[row] = status;
      answers.outcome[row] = outcomeOf(status, result.reason);
      answers.reason[row] = result.reason;
    }
  }

  /** Publishes the answers in the rows from `from` on: from now on retransmissions get them. */
  publish(from: number, now: number): void {
    const { answers, tally, transactions, invites } = this.parts;
    for (let row = from; row < answers.count; row++) {
      if (answers.status[row] === 0) continue; // a replayed one
      tally.answered(answers.status[row], answers.outcome[row], answers.reason[row]);
      const ticket = answers.ticket[row];
      if (ticket < transactions.oldest) continue; // none, or forgotten
      const length = answers.end[row] - answers.at[row];
      transactions.publish(ticket, answers.place[row], length, answers.port[row], answers.status[row]);
      if (answers.awaitsAck[row] !== 0) invites.watch(row, ticket, now);
    }
  }
}
