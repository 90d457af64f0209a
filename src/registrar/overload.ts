// Storm control: when a shard cannot keep up, new registrations are put off, and each is told a time of its own to come back,
// so that they return as fast as the shard was measured to work and no faster. Live bindings are refreshed all the while.
// Pure: time and what was seen come in. Who counts as new is the caller's to say. @hot

import type { Policy } from './policy.ts';

/** Of the measured rate, what is given to those who were put off; the rest is for refreshes. */
const SHARE = 0.8;
/** Registrations a batch must have answered to say how fast they go: small ones cost more each. */
const MEASURED_MIN = 32;
/** Registrations per second before anything was measured. */
const RATE_FIRST = 1000;

export class Overload {
  /** Whether new registrations are put off now. */
  on = false;
  private targetMs = 0;
  private retryAfterMaxS = 0;
  /** Since when there has always been more to receive than was received; 0: it was all received. */
  private behindSince = 0;
  /** Registrations per second that the shard can do. */
  private rate = RATE_FIRST;
  /** When the last of those who were put off may come back, epoch ms. */
  private booked = 0;

  constructor(policy: Policy) {
    this.configure(policy);
  }

  configure(policy: Policy): void {
    this.targetMs = policy.overloadTargetMs;
    this.retryAfterMaxS = policy.retryAfterMaxS;
    if (this.targetMs === 0) this.on = false;
  }

  /**
   * Once per batch.
   * @param drained whether the batch took all there was to receive
   * @param commitMs how long its commit took
   * @param batchMs how long all of it took
   * @param done registrations it answered with 200
   */
  batch(now: number, drained: boolean, commitMs: number, batchMs: number, done: number): void {
    const { targetMs } = this;
    if (targetMs === 0) return;
    if (drained) this.behindSince = 0;
    else if (this.behindSince === 0) this.behindSince = now;
    const behindMs = this.behindSince === 0 ? 0 : now - this.behindSince;
    this.on = behindMs > targetMs || (commitMs > targetMs && !drained);
    if (done < MEASURED_MIN || batchMs <= 0) return;
    const rate = (done * 1000) / batchMs;
    this.rate += (rate - this.rate) / (this.rate === RATE_FIRST ? 1 : 8);
  }

  /**
   * The next time that is free, in seconds from now, for a registration that is put off.
   * @param spread 32 random bits: where those go for whom no time is left below the maximum
   */
  bookS(now: number, spread: number): number {
    const { retryAfterMaxS } = this;
    const from = this.booked > now ? this.booked : now;
    const at = from + 1000 / (this.rate * SHARE);
    const seconds = Math.ceil((at - now) / 1000);
    if (seconds > retryAfterMaxS) return Math.ceil((retryAfterMaxS * (1 + (spread >>> 0) / 4294967296)) / 2);
    this.booked = at;
    return seconds;
  }
}
