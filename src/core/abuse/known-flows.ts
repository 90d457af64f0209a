// Flows (address, port, transport) from which somebody registered lately: they are let in although their prefix is refused.
// Only a success makes an entry, so that no flood can push one out. A table of fixed size; the oldest success goes first.
// @hot

import type { AbusePolicy } from './abuse-policy.ts';
import { TICKS_PER_S } from './tick.ts';

// A set of five entries is a line of the processor's cache.
const WAYS = 5;
const SET_WORDS = 16;
const NONE = -1;

const WORDS = 3;
const TAG = 0; // never 0 in an entry that is taken
const SUCCEEDED = 1; // tick of the last success
const CLEAR_AT = 2; // tick at which its failures will be forgiven

export class KnownFlows {
  private ticksPerFailure = 1;
  private ticksMax = 0;
  private lifeTicks = 0;
  private refundTicks = 0;
  private readonly setMask: number;
  private readonly words: Int32Array;

  constructor(policy: AbusePolicy) {
    const sets = 2 ** Math.ceil(Math.log2(Math.max(1, policy.flowsMax / WAYS)));
    this.setMask = sets - 1;
    this.words = new Int32Array(sets * SET_WORDS);
    this.configure(policy);
  }

  /** Other limits for the flows there are. @cold */
  configure(policy: AbusePolicy): void {
    this.ticksPerFailure = TICKS_PER_S / policy.flowFailuresPerS;
    this.ticksMax = Math.round(policy.flowFailuresMax * this.ticksPerFailure);
    this.lifeTicks = policy.knownFlowS * TICKS_PER_S;
    this.refundTicks = this.ticksOf(policy.flowChallengeCost) * policy.challengesRefund;
  }

  /** Bytes of memory, whatever comes. */
  get bytes(): number {
    return this.words.byteLength;
  }

  /** Whether the flow is known and has not spent what it may. */
  passes(a: number, b: number, tick: number): boolean {
    const flow = this.find(a, b, tick);
    return flow !== NONE && this.words[flow + CLEAR_AT] - tick < this.ticksMax;
  }

  /** A failure, or a part of one. Of no account for flows without a success. */
  fail(a: number, b: number, cost: number, tick: number): void {
    const flow = this.find(a, b, tick);
    if (flow !== NONE) this.words[flow + CLEAR_AT] = this.clearAt(flow, tick) + this.ticksOf(cost);
  }

  /** The flow is known from now on. */
  succeed(a: number, b: number, tick: number): void {
    const found = this.find(a, b, tick);
    const flow = found === NONE ? this.replace(a, b) : found;
    this.words[flow + SUCCEEDED] = tick;
    // A success takes back the challenges before it, not the failures: an account must not buy guesses at others.
    this.words[flow + CLEAR_AT] = this.clearAt(flow, tick) - this.refundTicks;
  }

  /** A flow whose last success is not too long ago. */
  private find(a: number, b: number, tick: number): number {
    const { words } = this;
    const tag = a | 0;
    const first = (b & this.setMask) * SET_WORDS;
    for (let flow = first; flow < first + WAYS * WORDS; flow += WORDS)
      if (words[flow] === tag) return tick - words[flow + SUCCEEDED] <= this.lifeTicks ? flow : NONE;
    return NONE;
  }

  private replace(a: number, b: number): number {
    const { words } = this;
    const tag = a | 0;
    const first = (b & this.setMask) * SET_WORDS;
    let oldest = first;
    for (let flow = first; flow < first + WAYS * WORDS; flow += WORDS) {
      if (words[flow + TAG] === 0 || words[flow + TAG] === tag) {
        oldest = flow;
        break;
      }
      if (words[flow + SUCCEEDED] < words[oldest + SUCCEEDED]) oldest = flow;
    }
    words[oldest + TAG] = tag;
    words[oldest + CLEAR_AT] = 0;
    return oldest;
  }

  /** Between now and a full bucket, also where the clock was set. */
  private clearAt(flow: number, tick: number): number {
    const at = this.words[flow + CLEAR_AT];
    if (at < tick) return tick;
    return at < tick + this.ticksMax ? at : tick + this.ticksMax;
  }

  private ticksOf(failures: number): number {
    const ticks = Math.round(failures * this.ticksPerFailure);
    return ticks > 0 ? ticks : 1;
  }
}
