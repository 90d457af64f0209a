// Storm control: when a shard cannot keep up, as many new registrations are let in as keep its backlog short but never empty,
// and the others are each told a time of their own to come back. Live bindings are refreshed all the while.
// Pure: time and what was seen come in. Who counts as new is the caller's to say. @hot

import type { Policy } from './policy.ts';

/** Of the measured rate, what is given to those who were put off; the rest is for refreshes. */
const SHARE = 0.7;
/** Registrations a batch must have answered to say how fast they go: small ones cost more each. */
const MEASURED_MIN = 32;
/** Nobody is sent back into the storm that is. */
const SOONEST_MS = 10_000;
/** What it costs to put one off, as a part of a registration. */
const REFUSAL = 0.5;
/** Registrations per second before anything was measured. */
const RATE_FIRST = 1000;
/** All new ones are let in up to this part of what presses, the fewest from all of it on. */
const PRESSURE_LOW = 0.25;
/** The wait, as a part of the target, and the part of the buffers' room, that press fully. */
const WAIT_FULL = 0.4;
const FILL_FULL = 0.6;
/** Where even refusing all would not do, some get in all the same: else none would until the storm is over. */
const SHARE_MIN = 0.2;
/** A backlog of less than this part of the target is a burst: after a restart, say. Longer, and the buffers would run over. */
const BURST = 0.4;
/** A storm is over when nothing has been left waiting for so many targets. */
const CALM_TARGETS = 4;

export class Overload {
  /** Part of the new registrations that are let in now. */
  share = 1;
  private targetMs = 0;
  private retryAfterMaxS = 0;
  /** Since when there has always been more to receive than was received; 0: it was all received. */
  private behindSince = 0;
  /** Until when new registrations are held back as the backlog has it; 0: they are not. */
  private stormUntil = 0;
  private let = 0;
  private refused = 0;
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
    if (this.targetMs === 0) this.share = 1;
  }

  /**
   * Once per batch.
   * @param waitMs how long what still waits will take; 0 where the batch took all there was
   * @param fill part of the room for what waits that is taken
   * @param commitMs how long its commit took
   * @param batchMs how long all of it took
   * @param done registrations it answered with 200
   */
  batch(now: number, waitMs: number, fill: number, commitMs: number, batchMs: number, done: number): void {
    const { targetMs } = this;
    if (targetMs === 0) return;
    if (waitMs === 0) this.behindSince = 0;
    else if (this.behindSince === 0) this.behindSince = now;
    const behindMs = this.behindSince === 0 ? 0 : now - this.behindSince;
    if (behindMs > targetMs * BURST || (commitMs > targetMs && waitMs > 0))
      this.stormUntil = now + targetMs * CALM_TARGETS;
    this.share = now < this.stormUntil ? shareAt(Math.max(waitMs / (targetMs * WAIT_FULL), fill / FILL_FULL)) : 1;
    const worth = done + this.refused * REFUSAL;
    this.refused = 0;
    if (worth < MEASURED_MIN || batchMs <= 0) return;
    const rate = (worth * 1000) / batchMs;
    this.rate += (rate - this.rate) / (this.rate === RATE_FIRST ? 1 : 8);
  }

  /** Whether the next new registration is let in: `share` of them are, evenly. */
  admits(): boolean {
    if (this.share >= 1) return true;
    this.let += this.share;
    if (this.let < 1) {
      this.refused++;
      return false;
    }
    this.let -= 1;
    return true;
  }

  /**
   * The next time that is free, in seconds from now, for a registration that is put off.
   * @param spread 32 random bits: where those go for whom no time is left below the maximum
   */
  bookS(now: number, spread: number): number {
    const { retryAfterMaxS } = this;
    const soonest = now + SOONEST_MS;
    const from = this.booked > soonest ? this.booked : soonest;
    const at = from + 1000 / (this.rate * SHARE);
    const seconds = Math.ceil((at - now) / 1000);
    if (seconds > retryAfterMaxS) return Math.ceil((retryAfterMaxS * (1 + (spread >>> 0) / 4294967296)) / 2);
    this.booked = at;
    return seconds;
  }
}

function shareAt(pressure: number): number {
  if (pressure <= PRESSURE_LOW) return 1;
  const share = (1 - pressure) / (1 - PRESSURE_LOW);
  return share > SHARE_MIN ? share : SHARE_MIN;
}
