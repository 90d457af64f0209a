// Storm control: when a shard cannot keep up, it lets in new registrations at a rate that keeps its backlog short but never empty.
// Each of the others is given a time of its own to come back. Live bindings are refreshed all the while.
// Pure: time and measurements are arguments. The caller decides which registrations are new. @hot

import type { Policy } from '../uas/policy.ts';

/** Part of the measured rate that serves postponed registrations; the rest is for refreshes. */
const SHARE = 0.85;
/** No client is sent back into the running storm: the first postponed ones come back after this time, the others after them. */
const FIRST_MS = 10_000;
/** The soonest return while the storm is worked off: a stall then is no new storm. */
const SOONEST_MS = 1000;
/** Samples in the average of the shard's rate, and answered registrations that make one sample: a batch, or several small ones. */
const BATCHES = 128;
const MEASURED_MIN = 32;
/** Cost of a refusal, as a part of a registration. */
const REFUSAL = 0.45;
/** Registrations per second before the first measurement. */
const RATE_FIRST = 1000;
/** Below this pressure all new registrations are let in; at a pressure of 1, the fewest. */
const PRESSURE_LOW = 0.5;
/** Full pressure: the wait as a part of the target, and the used part of the buffers' capacity. */
const WAIT_FULL = 0.4;
const FILL_FULL = 0.6;
/** Some are let in even where refusing all would not be enough: otherwise none would be until the storm is over. */
const SHARE_MIN = 0.2;
/** A backlog shorter than this part of the target is a burst: after a restart, say. A longer one would overflow the buffers. */
const BURST = 0.4;
/** A backlog that shrank to less than this part works itself off: after a slow sync of the disk, say. */
const SHRUNK = 0.75;
/** A storm is over when no message has been left waiting for this many targets. */
const CALM_TARGETS = 4;

export class Overload {
  /** Part of the new registrations that are let in now. */
  share = 1;
  private targetMs = 0;
  private retryAfterMaxS = 0;
  /** Since when each batch has left messages waiting; 0: the last batch left none. */
  private behindSince = 0;
  /** The wait at that time, ms. */
  private behindWaitMs = 0;
  /** End of the storm, as the backlog has it: until then new registrations are held back; 0: none are. */
  private stormUntil = 0;
  private due = 0;
  /** New registrations that this batch refused. */
  private refused = 0;
  /** Work done, in registrations, and the time of its batches, ms: older work counts less. */
  private done = 0;
  private doneMs = 0;
  /** The current sample: registrations answered, work in registrations, time. */
  private sampleDone = 0;
  private sampleWork = 0;
  private sampleMs = 0;
  /** Return time of the last postponed client, epoch ms. */
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
   * @param waitMs time that the waiting messages will take; 0 where none are left
   * @param fill used part of the capacity for waiting messages
   * @param batchMs time of the whole batch
   * @param done registrations answered with 200
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
   * Books the next free time for a postponed registration, in seconds from now.
   * @param spread 32 random bits: they choose the time where none is free below the maximum
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

  /** Measured rate of the shard, in registrations per second. */
  private get rate(): number {
    return this.done === 0 ? RATE_FIRST : (this.done * 1000) / this.doneMs;
  }

  /**
   * Only batches that left messages waiting are measured: one that left none may have been small. A batch with mostly refusals does not
   * measure registrations. Small batches are counted together.
   * @param fullMs time of a batch that left messages waiting; 0: it left none
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
