// Storm control: when a shard cannot keep up, as many new registrations are let in as keep its backlog short but never empty,
// and the others are each told a time of their own to come back. Live bindings are refreshed all the while.
// Pure: time and what was seen come in. Who counts as new is the caller's to say. @hot

import type { Policy } from '../uas/policy.ts';

/** Of the measured rate, what is given to those who were put off; the rest is for refreshes. */
const SHARE = 0.85;
/** Nobody is sent back into the storm that is: the first who are put off come back so late, and the others behind them. */
const FIRST_MS = 10_000;
/** The soonest for those who are put off while the storm is worked off: a stall then is no new one. */
const SOONEST_MS = 1000;
/** Samples over which is averaged what the shard can do, and registrations answered that make one: a batch, or several small ones. */
const BATCHES = 128;
const MEASURED_MIN = 32;
/** What it costs to put one off, as a part of a registration. */
const REFUSAL = 0.45;
/** Registrations per second before anything was measured. */
const RATE_FIRST = 1000;
/** All new ones are let in up to this part of what presses, the fewest from all of it on. */
const PRESSURE_LOW = 0.5;
/** The wait, as a part of the target, and the part of the buffers' capacity, that press fully. */
const WAIT_FULL = 0.4;
const FILL_FULL = 0.6;
/** Where even refusing all would not do, some get in all the same: else none would until the storm is over. */
const SHARE_MIN = 0.2;
/** A backlog that lasts less than this part of the target is a burst: after a restart, say. Longer, and the buffers would run over. */
const BURST = 0.4;
/** One that has shrunk to less than this part of what it was works itself off: after a slow sync of the disk, say. */
const SHRUNK = 0.75;
/** A storm is over when nothing has been left waiting for so many targets. */
const CALM_TARGETS = 4;

export class Overload {
  /** Part of the new registrations that are let in now. */
  share = 1;
  private targetMs = 0;
  private retryAfterMaxS = 0;
  /** Since when there has always been more to receive than was received; 0: it was all received. */
  private behindSince = 0;
  /** What waited then, ms. */
  private behindWaitMs = 0;
  /** Until when new registrations are held back as the backlog has it; 0: they are not. */
  private stormUntil = 0;
  private due = 0;
  /** New ones that this batch put off. */
  private refused = 0;
  /** What was done, in registrations, and the time that batches took for it, ms: the older, the less they count. */
  private done = 0;
  private doneMs = 0;
  /** Of the sample under way: registrations answered, work in registrations, time. */
  private sampleDone = 0;
  private sampleWork = 0;
  private sampleMs = 0;
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
   * @param fill used part of the capacity for what waits
   * @param batchMs how long all of it took
   * @param done registrations it answered with 200
   */
  batch(now: number, waitMs: number, fill: number, batchMs: number, done: number): void {
    const { targetMs } = this;
    if (targetMs === 0) return;
    this.measure(waitMs > 0 ? batchMs : 0, done);
    if (waitMs === 0) this.behindSince = 0;
    else if (this.behindSince === 0) {
      this.behindSince = now;
      this.behindWaitMs = waitMs;
    }
    const lasts = this.behindSince !== 0 && now - this.behindSince > targetMs * BURST;
    if (lasts && (now < this.stormUntil || waitMs >= this.behindWaitMs * SHRUNK))
      this.stormUntil = now + targetMs * CALM_TARGETS;
    this.share = now < this.stormUntil ? shareAt(Math.max(waitMs / (targetMs * WAIT_FULL), fill / FILL_FULL)) : 1;
  }

  /** Whether the next new registration is let in: `share` of them are, evenly. */
  acceptsNew(): boolean {
    this.due += this.share;
    if (this.due < 1) return false;
    this.due -= 1;
    return true;
  }

  /**
   * The next time that is free, in seconds from now, for a registration that is put off.
   * @param spread 32 random bits: where those go for whom no time is left below the maximum
   */
  bookS(now: number, spread: number): number {
    const { retryAfterMaxS } = this;
    this.refused++;
    const soonest = now + (now - this.booked > FIRST_MS ? FIRST_MS : SOONEST_MS);
    const from = this.booked > soonest ? this.booked : soonest;
    const at = from + 1000 / (this.rate * SHARE);
    const seconds = Math.ceil((at - now) / 1000);
    if (seconds > retryAfterMaxS) return Math.ceil((retryAfterMaxS * (1 + (spread >>> 0) / 4294967296)) / 2);
    this.booked = at;
    return seconds;
  }

  /** Registrations per second that the shard can do. */
  private get rate(): number {
    return this.done === 0 ? RATE_FIRST : (this.done * 1000) / this.doneMs;
  }

  /**
   * A batch that had all there was may have been a small one, and of one that mostly refuses the time is not the registrations'.
   * Small batches are counted together.
   * @param fullMs what a batch took that left something waiting; 0: it left nothing
   */
  private measure(fullMs: number, done: number): void {
    const { refused } = this;
    this.refused = 0;
    if (fullMs <= 0) this.sampleDone = 0;
    if (fullMs <= 0 || done * 2 < refused) return;
    if (this.sampleDone === 0) this.sampleWork = this.sampleMs = 0;
    this.sampleDone += done;
    this.sampleWork += done + refused * REFUSAL;
    this.sampleMs += fullMs;
    if (this.sampleDone < MEASURED_MIN) return;
    this.done += this.sampleWork - this.done / BATCHES;
    this.doneMs += this.sampleMs - this.doneMs / BATCHES;
    this.sampleDone = 0;
  }
}

function shareAt(pressure: number): number {
  if (pressure <= PRESSURE_LOW) return 1;
  const share = (1 - pressure) / (1 - PRESSURE_LOW);
  return share > SHARE_MIN ? share : SHARE_MIN;
}
