// Flows (address, port, transport) with a recent registration: they pass although their prefix is refused, until their own failures
// have spent their budget. The word of an entry is the tick at which these failures are forgiven.
// @hot

import type { AbusePolicy } from './abuse-policy.ts';
import { OWN as CLEAR_AT, NONE, RecentSuccesses } from './recent-successes.ts';
import { TICKS_PER_S } from './tick.ts';

export class KnownFlows {
  private ticksPerFailure = 1;
  private ticksMax = 0;
  private refundTicks = 0;
  private readonly successes: RecentSuccesses;

  constructor(policy: AbusePolicy) {
    this.successes = new RecentSuccesses(policy);
    this.configure(policy);
  }

  /** Other limits for the flows there are. @cold */
  configure(policy: AbusePolicy): void {
    this.ticksPerFailure = TICKS_PER_S / policy.flowFailuresPerS;
    this.ticksMax = Math.round(policy.flowFailuresMax * this.ticksPerFailure);
    this.refundTicks = this.ticksOf(policy.flowChallengeCost) * policy.challengesRefund;
    this.successes.configure(policy);
  }

  /** Bytes of memory: a constant. */
  get bytes(): number {
    return this.successes.bytes;
  }

  /** Whether the flow is known and its budget not spent. */
  passes(a: number, b: number, tick: number): boolean {
    const { successes } = this;
    const flow = successes.find(a, b, tick);
    return flow !== NONE && successes.words[flow + CLEAR_AT] - tick < this.ticksMax;
  }

  /** Counts a failure, or a part of one. Flows without a success are ignored. */
  fail(a: number, b: number, cost: number, tick: number): void {
    const { successes } = this;
    const flow = successes.find(a, b, tick);
    if (flow !== NONE) successes.words[flow + CLEAR_AT] = this.clearAt(flow, tick) + this.ticksOf(cost);
  }

  /** The flow is known from now on. */
  succeed(a: number, b: number, tick: number): void {
    const { successes } = this;
    const flow = successes.succeed(a, b, tick);
    // A success takes back the challenges before it, not the failures: an account must not buy guesses at others.
    successes.words[flow + CLEAR_AT] = this.clearAt(flow, tick) - this.refundTicks;
  }

  /** The tick of a flow's word, kept between now and a full bucket, also after the clock was set. */
  private clearAt(flow: number, tick: number): number {
    const at = this.successes.words[flow + CLEAR_AT];
    if (at < tick) return tick;
    return at < tick + this.ticksMax ? at : tick + this.ticksMax;
  }

  private ticksOf(failures: number): number {
    const ticks = Math.round(failures * this.ticksPerFailure);
    return ticks > 0 ? ticks : 1;
  }
}
