// INVITE server transactions that wait for their ACK (RFC 3261 §17.2.1, state Completed). The final answer is sent again over
// UDP at growing intervals (timer G) until the ACK comes or timer H ends. The answers are in the ring of answers.
// @hot

import { SLOT_COUNT } from '../../sip/parser/slab.ts';
import { copyPeer, createPeers, type Peers } from '../../sip/sources.ts';
import { ExpiryIndex, type ExpiryVisitor } from '../timers/expiry-index.ts';
import type { BatchResponses } from './batch-responses.ts';
import { INVITES_MAX } from './transaction-sizes.ts';
import type { Transactions } from './transactions.ts';

const T1_MS = 500;
const T2_MS = 4000;
const TICK_MS = 50;
/** Timers visited per batch. */
const BUDGET = 128;

export class InviteServerTransactions implements ExpiryVisitor {
  private readonly index = new ExpiryIndex(INVITES_MAX, TICK_MS);
  private readonly transactions: Transactions;
  private readonly answers: BatchResponses;
  private readonly peers: Peers;
  /** By entry of the index: destination of the answer, its place, timers. */
  private readonly rows = createPeers(INVITES_MAX);
  private readonly place = new Float64Array(INVITES_MAX);
  private readonly length = new Uint16Array(INVITES_MAX);
  private readonly port = new Uint16Array(INVITES_MAX);
  private readonly intervalMs = new Uint16Array(INVITES_MAX);
  private readonly giveUpAt = new Float64Array(INVITES_MAX);
  private readonly timerHMs: number;
  private readonly key = new Uint32Array(4);
  private now = 0;
  private slot = SLOT_COUNT;

  /** @param timerHMs 64 * T1, like Timer J */
  constructor(transactions: Transactions, answers: BatchResponses, peers: Peers, timerHMs: number) {
    this.transactions = transactions;
    this.answers = answers;
    this.peers = peers;
    this.timerHMs = timerHMs;
  }

  /** Watches the answer in `row` of the batch, of transaction `ticket`, once it is final. */
  watch(row: number, ticket: number, now: number): void {
    if (this.index.count === INVITES_MAX) return;
    const { key, answers } = this;
    this.transactions.copyKey(ticket, key);
    const id = this.index.track(key[0], key[1], key[2], key[3], now + T1_MS);
    copyPeer(this.peers, answers.slot[row], this.rows, id);
    this.place[id] = answers.place[row];
    this.length[id] = answers.end[row] - answers.at[row];
    this.port[id] = answers.port[row];
    this.intervalMs[id] = T1_MS;
    this.giveUpAt[id] = now + this.timerHMs;
  }

  /** The ACK of a request with this key: the transaction is confirmed. False where none waited for it. */
  acknowledge(requestHigh: number, requestLow: number, branchHigh: number, branchLow: number): boolean {
    return this.index.count > 0 && this.index.untrack(requestHigh, requestLow, branchHigh, branchLow);
  }

  /** Adds the answers whose timer G fires to the batch, in slots from `freeSlot` on; returns how many. */
  resend(now: number, freeSlot: number): number {
    if (this.index.count === 0) return 0;
    this.now = now;
    this.slot = freeSlot;
    this.index.advance(now, BUDGET, this);
    return this.slot - freeSlot;
  }

  msToNextTick(now: number): number {
    return this.index.msToNextTick(now);
  }

  /** For the index: timer G of one INVITE. Returns its next time, 0 when timer H has ended or the answer is no longer kept. */
  expire(k0: number, k1: number, k2: number, k3: number): number {
    const id = this.index.idOf(k0, k1, k2, k3);
    const { now, answers, transactions } = this;
    if (now >= this.giveUpAt[id] || !transactions.isKept(this.place[id])) return 0;
    if (this.slot >= SLOT_COUNT) return now + TICK_MS; // this batch is full
    copyPeer(this.rows, id, this.peers, this.slot);
    const at = this.place[id] % transactions.answers.length;
    answers.add(this.slot++, at, at + this.length[id], this.port[id]);
    this.intervalMs[id] = Math.min(this.intervalMs[id] * 2, T2_MS);
    return now + this.intervalMs[id];
  }
}
