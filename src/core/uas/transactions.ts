// Server transactions of answered requests (RFC 3261 §17.2.2, §17.2.3, §8.2.2.2): the requests seen before, and
// their answers. A table from keyed hashes to places in a ring of answers; Timer J is the same for all, so the oldest
// entry always ends first and a queue replaces a timer wheel. Sockets and the content of answers are unknown to it.
// @hot

import { SteadyTime } from '../timers/steady-time.ts';
import { answerRingBytes, KEPT_SHARE, TRANSACTIONS_AT_FIRST } from './transaction-sizes.ts';

/** Outcomes of `find`. */
export const NEW_REQUEST = 0;
/** A retransmission; its answer lies at `answerAt`, `answerEnd`. */
export const RETRANSMISSION = 1;
/** A retransmission whose answer was overwritten by newer ones: the caller makes it again, without effects. */
export const ANSWER_FORGOTTEN = 2;
/** A retransmission of a request whose answer is not sent yet (state Trying): to be discarded. */
export const IN_PROGRESS = 3;
/** The same request by another way (§8.2.2.2). */
export const MERGED_REQUEST = 4;

const EMPTY = -1;
const PENDING = -1;
/** The request will draw no answer: its next copy counts as new. */
const ABANDONED = -2;

/** Maximum bytes of an answer: the largest payload of a UDP datagram over IPv4. */
export const ANSWER_BYTES_MAX = 65_507;

/** Keyed hashes, as `find` takes them. */
export interface TransactionKeys {
  readonly requestHigh: number;
  readonly requestLow: number;
  readonly branchHigh: number;
  readonly branchLow: number;
}

export class Transactions {
  /** The ring of answers, indexed by `at` and `end` of answers. Fixed: the kernel uses its address. */
  readonly answers: Uint8Array;
  count = 0;
  answerAt = 0;
  answerEnd = 0;
  answerPort = 0;
  /** Status of the found answer, also of a forgotten one. */
  answerStatus = 0;
  /** Time of Timer J: a clock set back prolongs it for no transaction. */
  private readonly time = new SteadyTime();
  readonly timerJMs: number;
  private readonly countMax: number;
  // A queue in order of age: transaction number n lives in entry n & (capacity - 1). An index slot holds an entry's number + 1 in its
  // low bits (those of a slot's number), and above them bits of the request's hash, so that other entries are seldom read; 0: none.
  private capacity = TRANSACTIONS_AT_FIRST;
  /** Number of the oldest transaction: those before it are forgotten. */
  oldest = 0;
  private requestHigh = new Uint32Array(this.capacity);
  private requestLow = new Uint32Array(this.capacity);
  private branchHigh = new Uint32Array(this.capacity);
  private branchLow = new Uint32Array(this.capacity);
  /** Birth of a transaction, by `time`. */
  private bornMs = new Float64Array(this.capacity);
  private place = new Float64Array(this.capacity);
  private length = new Uint16Array(this.capacity);
  private port = new Uint16Array(this.capacity);
  private status = new Uint16Array(this.capacity);
  private index = new Int32Array(this.capacity * 2);
  // Bytes ever written to the ring; a place is still readable while it is at most `keptBytes` behind.
  private written = 0;
  private readonly keptBytes: number;
  /** Start of the answer kept last, in the ring. */
  keptAt = 0;

  constructor(timerJMs: number, countMax: number, answers: Uint8Array) {
    this.timerJMs = timerJMs;
    this.countMax = countMax;
    this.answers = answers;
    this.keptBytes = answers.length * KEPT_SHARE;
  }

  /** Keeps an answer of at most ANSWER_BYTES_MAX bytes at `keptAt` of the ring; returns its place, for `publish`. */
  keep(answer: Uint8Array): number {
    const { answers } = this;
    const { length } = answer;
    let at = this.written % answers.length;
    if (at + length > answers.length) {
      this.written += answers.length - at;
      at = 0;
    }
    answers.set(answer, at);
    this.keptAt = at;
    const place = this.written;
    this.written += length;
    return place;
  }

  /**
   * Looks a request up.
   * @param requestHigh,requestLow keyed hash of From tag, Call-ID, CSeq and method
   * @param branchHigh,branchLow keyed hash of the fields that §17.2.3 matches: branch and sent-by, or RFC 2543's fields
   * @param mayMerge false for a request with a To tag
   */
  find(
    requestHigh: number,
    requestLow: number,
    branchHigh: number,
    branchLow: number,
    mayMerge: boolean,
    nowMs: number,
  ): number {
    this.forget(nowMs);
    const entry = this.lookup(requestHigh, requestLow);
    if (entry === EMPTY || this.place[entry] === ABANDONED) return NEW_REQUEST;
    if (this.branchHigh[entry] !== branchHigh >>> 0 || this.branchLow[entry] !== branchLow >>> 0)
      return mayMerge ? MERGED_REQUEST : NEW_REQUEST;
    const place = this.place[entry];
    if (place === PENDING) return IN_PROGRESS;
    this.answerStatus = this.status[entry];
    if (!this.isKept(place)) return ANSWER_FORGOTTEN;
    this.answerAt = place % this.answers.length;
    this.answerEnd = this.answerAt + this.length[entry];
    this.answerPort = this.port[entry];
    return RETRANSMISSION;
  }

  /** Remembers a request before its answer is sent; returns its transaction number, the ticket for `publish`. */
  begin(keys: TransactionKeys, nowMs: number): number {
    const { requestHigh, requestLow, branchHigh, branchLow } = keys;
    let entry = this.lookup(requestHigh, requestLow);
    if (entry === EMPTY) {
      if (this.count === this.countMax) this.dropOldest();
      if (this.count === this.capacity) this.grow();
      entry = (this.oldest + this.count++) & (this.capacity - 1);
      this.requestHigh[entry] = requestHigh;
      this.requestLow[entry] = requestLow;
      this.link(entry);
      this.bornMs[entry] = this.time.at(nowMs);
    }
    this.branchHigh[entry] = branchHigh;
    this.branchLow[entry] = branchLow;
    this.place[entry] = PENDING;
    return this.oldest + ((entry - this.oldest) & (this.capacity - 1));
  }

  /** Sets the answer at `place` for retransmissions of the ticket's request. */
  publish(ticket: number, place: number, length: number, port: number, status: number): void {
    const entry = ticket & (this.capacity - 1);
    this.place[entry] = place;
    this.length[entry] = length;
    this.port[entry] = port;
    this.status[entry] = status;
  }

  /** The request draws no answer from this node: its copies are new requests. @cold */
  abandon(ticket: number): void {
    if (ticket >= this.oldest) this.place[ticket & (this.capacity - 1)] = ABANDONED;
  }

  /** Forgets all requests: another node answers their copies. @cold */
  clear(): void {
    this.index.fill(0);
    this.oldest += this.count;
    this.count = 0;
  }

  /** Whether the answer at a place can still be read. */
  isKept(place: number): boolean {
    return this.written - place <= this.keptBytes;
  }

  /** The four words that identify the ticket's request: those of `begin`. */
  copyKey(ticket: number, into: Uint32Array): void {
    const entry = ticket & (this.capacity - 1);
    into[0] = this.requestHigh[entry];
    into[1] = this.requestLow[entry];
    into[2] = this.branchHigh[entry];
    into[3] = this.branchLow[entry];
  }

  private forget(nowMs: number): void {
    const due = this.time.at(nowMs) - this.timerJMs;
    while (this.count > 0 && this.bornMs[this.oldest & (this.capacity - 1)] <= due) this.dropOldest();
  }

  private lookup(high: number, low: number): number {
    const { index } = this;
    const mask = index.length - 1;
    for (let slot = low & mask; ; slot = (slot + 1) & mask) {
      const word = index[slot];
      if (word === 0) return EMPTY;
      if (((word ^ high) & ~mask) !== 0) continue;
      const entry = (word & mask) - 1;
      if (this.requestLow[entry] === low >>> 0 && this.requestHigh[entry] === high >>> 0) return entry;
    }
  }

  private link(entry: number): void {
    const { index } = this;
    const mask = index.length - 1;
    let slot = this.requestLow[entry] & mask;
    while (index[slot] !== 0) slot = (slot + 1) & mask;
    index[slot] = (this.requestHigh[entry] & ~mask) | (entry + 1);
  }

  private dropOldest(): void {
    this.unlink(this.oldest & (this.capacity - 1));
    this.oldest++;
    this.count--;
  }

  /** Removes an entry from the index and closes the gap, so that no tombstones accumulate. */
  private unlink(entry: number): void {
    const { index } = this;
    const mask = index.length - 1;
    let hole = this.requestLow[entry] & mask;
    while ((index[hole] & mask) !== entry + 1) hole = (hole + 1) & mask;
    for (let slot = (hole + 1) & mask; index[slot] !== 0; slot = (slot + 1) & mask) {
      const home = this.requestLow[(index[slot] & mask) - 1] & mask;
      if (((slot - home) & mask) < ((slot - hole) & mask)) continue;
      index[hole] = index[slot];
      hole = slot;
    }
    index[hole] = 0;
  }

  private grow(): void {
    this.capacity *= 2;
    this.requestHigh = this.moved(this.requestHigh, new Uint32Array(this.capacity));
    this.requestLow = this.moved(this.requestLow, new Uint32Array(this.capacity));
    this.branchHigh = this.moved(this.branchHigh, new Uint32Array(this.capacity));
    this.branchLow = this.moved(this.branchLow, new Uint32Array(this.capacity));
    this.bornMs = this.moved(this.bornMs, new Float64Array(this.capacity));
    this.place = this.moved(this.place, new Float64Array(this.capacity));
    this.length = this.moved(this.length, new Uint16Array(this.capacity));
    this.port = this.moved(this.port, new Uint16Array(this.capacity));
    this.status = this.moved(this.status, new Uint16Array(this.capacity));
    this.index = new Int32Array(this.capacity * 2);
    for (let n = this.oldest; n < this.oldest + this.count; n++) this.link(n & (this.capacity - 1));
  }

  /** Copies a full ring into one twice as long. */
  private moved<A extends Uint32Array | Uint16Array | Float64Array>(from: A, into: A): A {
    const start = this.oldest & (from.length - 1);
    const to = this.oldest & (into.length - 1);
    into.set(from.subarray(start), to);
    into.set(from.subarray(0, start), (to + from.length - start) & (into.length - 1));
    return into;
  }
}

/** Memory that keeps `answerBytes` of answers: for one shard, or for several of a thread in turn. @cold */
export function createAnswerRing(answerBytes: number): Uint8Array {
  return new Uint8Array(new ArrayBuffer(answerRingBytes(answerBytes)));
}
