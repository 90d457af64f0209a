// Flows (address, port, transport) from which somebody registered lately: they are let in although their prefix is refused, until
// failures of their own have spent what they may. The word of an entry is the tick at which these will be forgiven.
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

  /** Bytes of memory, whatever comes. */
  get bytes(): number {
    return this.successes.bytes;
  }

  /** Whether the flow is known and has not spent what it may. */
  passes(a: number, b: number, tick: number): boolean {
    const { successes } = this;
    const flow = successes.find(a, b, tick);
    return flow !== NONE && successes.words[flow + CLEAR_AT] - tick < this.ticksMax;
  }

  /** A failure, or a part of one. Of no account for flows without a success. */
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

  /** Between now and a full bucket, also where the clock was set. */
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
