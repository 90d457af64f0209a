// Flows (address, port, transport) from which somebody registered lately: they are let in although their prefix is refused.
// Only a success makes an entry, so that no flood can push one out. A table of fixed size; the oldest success goes first.
// @hot

import type { AbusePolicy } from './abuse-policy.ts';
import { TICKS_PER_S } from './tick.ts';

const WAYS = 4;
const NONE = -1;

const WORDS = 5;
const CHECK = 0;
const SUCCEEDED = 1; // tick of the last success
const FAILURES = 2; // float: a leaking bucket
const TOUCHED = 3; // tick up to which it has leaked
const AORS = 4; // a bit per account that succeeded here

export class KnownFlows {
  private readonly failuresMax: number;
  private readonly failuresPerTick: number;
  private readonly lifeTicks: number;
  private readonly refund: number;
  private readonly setMask: number;
  private readonly tags: Uint32Array;
  private readonly ints: Int32Array;
  private readonly floats: Float32Array;

  constructor(policy: AbusePolicy) {
    const sets = 2 ** Math.ceil(Math.log2(Math.max(1, policy.flowsMax / WAYS)));
    this.failuresMax = policy.flowFailuresMax;
    this.failuresPerTick = policy.flowFailuresPerS / TICKS_PER_S;
    this.lifeTicks = policy.knownFlowS * TICKS_PER_S;
    this.refund = policy.flowChallengeCost * policy.challengesRefund;
    this.setMask = sets - 1;
    this.tags = new Uint32Array(sets * WAYS);
    this.ints = new Int32Array(sets * WAYS * WORDS);
    this.floats = new Float32Array(this.ints.buffer);
  }

  /** Bytes of memory, whatever comes. */
  get bytes(): number {
    return this.tags.byteLength + this.ints.byteLength;
  }

  /** Whether the flow is known and has not spent what it may. */
  passes(a: number, b: number, tick: number): boolean {
    const flow = this.find(a, b, tick);
    return flow !== NONE && this.leak(flow, tick) < this.failuresMax;
  }

  /** A failure, or a part of one. Of no account for flows without a success. */
  fail(a: number, b: number, cost: number, tick: number): void {
    const flow = this.find(a, b, tick);
    if (flow !== NONE) this.floats[flow * WORDS + FAILURES] = this.leak(flow, tick) + cost;
  }

  /** The flow is known from now on; returns its entry, for `markAor`. */
  succeed(a: number, b: number, tick: number): number {
    const found = this.find(a, b, tick);
    const flow = found === NONE ? this.replace(a, b) : found;
    const at = flow * WORDS;
    this.ints[at + SUCCEEDED] = tick;
    // A success takes back the challenges before it, not the failures: an account must not buy guesses at others.
    const failures = this.leak(flow, tick) - this.refund;
    this.floats[at + FAILURES] = failures > 0 ? failures : 0;
    return flow;
  }

  markAor(flow: number, bit: number): void {
    this.ints[flow * WORDS + AORS] |= bit;
  }

  hasAor(a: number, b: number, bit: number, tick: number): boolean {
    const flow = this.find(a, b, tick);
    return flow !== NONE && (this.ints[flow * WORDS + AORS] & bit) !== 0;
  }

  /** A flow whose last success is not too long ago. */
  private find(a: number, b: number, tick: number): number {
    const { tags, ints } = this;
    const first = (b & this.setMask) * WAYS;
    for (let flow = first; flow < first + WAYS; flow++) {
      if (tags[flow] === a && ints[flow * WORDS + CHECK] === (b | 0))
        return tick - ints[flow * WORDS + SUCCEEDED] <= this.lifeTicks ? flow : NONE;
    }
    return NONE;
  }

  private replace(a: number, b: number): number {
    const { tags, ints } = this;
    const first = (b & this.setMask) * WAYS;
    let oldest = first;
    for (let flow = first; flow < first + WAYS; flow++) {
      if (tags[flow] === 0 || (tags[flow] === a && ints[flow * WORDS + CHECK] === (b | 0))) {
        oldest = flow;
        break;
      }
      if (ints[flow * WORDS + SUCCEEDED] < ints[oldest * WORDS + SUCCEEDED]) oldest = flow;
    }
    tags[oldest] = a;
    ints.fill(0, oldest * WORDS, oldest * WORDS + WORDS);
    ints[oldest * WORDS + CHECK] = b | 0;
    return oldest;
  }

  private leak(flow: number, tick: number): number {
    const at = flow * WORDS;
    const elapsed = tick - this.ints[at + TOUCHED];
    if (elapsed === 0) return this.floats[at + FAILURES];
    this.ints[at + TOUCHED] = tick;
    const left = elapsed > 0 ? this.floats[at + FAILURES] - elapsed * this.failuresPerTick : this.floats[at + FAILURES];
    this.floats[at + FAILURES] = left > 0 ? left : 0;
    return this.floats[at + FAILURES];
  }
}
