// The scores of sources: the recent costs of each and the standing that its successes gave it, in a table of fixed size.
// A newcomer replaces the entry of its set with the least worth. Times are ticks, sources are hashes.
// @hot

import type { AbusePolicy } from './abuse-policy.ts';
import { TICKS_PER_S } from './tick.ts';

const WAYS = 8;
export const NOBODY = -1;

// An entry's words; levels are floats, the rest integers, over one buffer.
const WORDS = 8;
const CHECK = 0;
const FAILURES = 1; // float: a leaking bucket
const CHALLENGES = 2; // float: a leaking bucket
const TOUCHED = 3; // tick up to which both have leaked
const STANDING = 4; // successes in sixteenths, so that a single one is remembered for some hours
const HALVES_AT = 5; // tick at which the standing is halved next
const REPORTED = 6; // tick of the last log line, 0 for none

const SUCCESS = 16;
const STANDING_MAX = 1 << 24;
const HALF_LIFE_TICKS = 3600 * TICKS_PER_S;
/** Weight of a failure in an entry's worth, in the units of STANDING; a challenge is worth 1. */
const FAILURE_WORTH = 2 * SUCCESS;
const SUCCESSES_PER_PLACE = 16;

export class SourceScores {
  private policy: AbusePolicy;
  private readonly setMask: number;
  private readonly tags: Int32Array;
  private readonly ints: Int32Array;
  private readonly floats: Float32Array;
  private readonly lastKind: Uint8Array;
  private failuresPerTick = 0;
  private challengesPerTick = 0;
  private reportEveryTicks = 0;
  private successes = 0;

  constructor(policy: AbusePolicy) {
    const sets = 2 ** Math.ceil(Math.log2(Math.max(1, policy.sourcesMax / WAYS)));
    this.policy = policy;
    this.setMask = sets - 1;
    this.tags = new Int32Array(sets * WAYS);
    this.ints = new Int32Array(sets * WAYS * WORDS);
    this.lastKind = new Uint8Array(sets * WAYS);
    this.floats = new Float32Array(this.ints.buffer);
    this.configure(policy);
  }

  /** Other limits for the sources there are. @cold */
  configure(policy: AbusePolicy): void {
    this.policy = policy;
    this.failuresPerTick = policy.failuresPerS / TICKS_PER_S;
    this.challengesPerTick = policy.challengesPerS / TICKS_PER_S;
    this.reportEveryTicks = policy.reportEveryS * TICKS_PER_S;
  }

  /** Bytes of memory: a constant. */
  get bytes(): number {
    return this.tags.byteLength + this.ints.byteLength + this.lastKind.byteLength;
  }

  /** The entry of a source, with its levels up to date; NOBODY where it has none. */
  find(a: number, b: number, tick: number): number {
    const { tags, ints } = this;
    const first = (b & this.setMask) * WAYS;
    for (let entry = first; entry < first + WAYS; entry++) {
      if (tags[entry] !== a || ints[entry * WORDS + CHECK] !== b) continue;
      if (ints[entry * WORDS + TOUCHED] !== tick) this.settle(entry, tick);
      return entry;
    }
    return NOBODY;
  }

  /**
   * The same, making an entry where there is none: in a free place or that of the least worth. Only one success in SUCCESSES_PER_PLACE
   * displaces another entry: frequent successes are kept, and a million homes do not displace each other.
   */
  claim(a: number, b: number, tick: number, success: boolean): number {
    const found = this.find(a, b, tick);
    if (found !== NOBODY) return found;
    const { tags, ints } = this;
    const first = (b & this.setMask) * WAYS;
    let place = first;
    while (place < first + WAYS && tags[place] !== 0) place++;
    if (place === first + WAYS) {
      if (success && ++this.successes % SUCCESSES_PER_PLACE !== 0) return NOBODY;
      place = this.least(first, tick);
    }
    tags[place] = a;
    ints.fill(0, place * WORDS, place * WORDS + WORDS);
    ints[place * WORDS + CHECK] = b;
    ints[place * WORDS + TOUCHED] = tick;
    return place;
  }

  /** Whether either budget, `factor` times as large as a source's, is used up. */
  isSpent(entry: number, factor: number): boolean {
    return this.failuresSpent(entry, factor) || this.challengesSpent(entry, factor);
  }

  private failuresSpent(entry: number, factor: number): boolean {
    const level = this.floats[entry * WORDS + FAILURES];
    const { policy } = this;
    return level >= policy.failuresMax && level >= policy.failuresMax * factor * this.failureFactor(entry);
  }

  private challengesSpent(entry: number, factor: number): boolean {
    const level = this.floats[entry * WORDS + CHALLENGES];
    const { policy } = this;
    return level >= policy.challengesMax && level >= policy.challengesMax * factor * this.challengeFactor(entry);
  }

  /** Seconds until neither budget is used up, without further costs. @cold */
  spentS(entry: number, factor: number): number {
    const { floats, policy } = this;
    const failures = floats[entry * WORDS + FAILURES] / this.failureFactor(entry) - policy.failuresMax * factor;
    const challenges = floats[entry * WORDS + CHALLENGES] / this.challengeFactor(entry) - policy.challengesMax * factor;
    return Math.max(0, failures / policy.failuresPerS, challenges / policy.challengesPerS);
  }

  /** As `blame`, of the budget that is used most. @cold */
  mainKind(entry: number): number {
    return this.usedFailures(entry) >= this.usedChallenges(entry) ? this.lastKind[entry] : 0;
  }

  /** Used share of the budget that is used most; 1 and above: spent. @cold */
  usedShare(entry: number, factor: number): number {
    return Math.max(this.usedFailures(entry), this.usedChallenges(entry)) / factor;
  }

  /** @cold */
  private usedFailures(entry: number): number {
    return this.floats[entry * WORDS + FAILURES] / (this.policy.failuresMax * this.failureFactor(entry));
  }

  /** @cold */
  private usedChallenges(entry: number): number {
    return this.floats[entry * WORDS + CHALLENGES] / (this.policy.challengesMax * this.challengeFactor(entry));
  }

  /** The hash by which the entry is found. @cold */
  keyOf(entry: number): readonly [a: number, b: number] {
    return [this.tags[entry], this.ints[entry * WORDS + CHECK]];
  }

  /** Empties both buckets; the standing stays. @cold */
  forgive(entry: number): void {
    const at = entry * WORDS;
    this.floats[at + FAILURES] = 0;
    this.floats[at + CHALLENGES] = 0;
    this.ints[at + REPORTED] = 0;
  }

  /** @param kind the kind to blame, for `blame`: 1 to 255 */
  addFailure(entry: number, kind: number, cost: number): void {
    this.floats[entry * WORDS + FAILURES] += cost;
    this.lastKind[entry] = kind;
  }

  /** The kind of the last failure where failures have spent a budget `factor` times as large as a source's; 0 where challenges have. @cold */
  blame(entry: number, factor: number): number {
    return this.failuresSpent(entry, factor) ? this.lastKind[entry] : 0;
  }

  addChallenge(entry: number): void {
    this.floats[entry * WORDS + CHALLENGES] += 1;
  }

  addSuccess(entry: number, tick: number): void {
    const { ints, floats, policy } = this;
    const at = entry * WORDS;
    const failures = floats[at + FAILURES] - policy.failuresRefund;
    const challenges = floats[at + CHALLENGES] - policy.challengesRefund;
    floats[at + FAILURES] = failures > 0 ? failures : 0;
    floats[at + CHALLENGES] = challenges > 0 ? challenges : 0;
    if (ints[at + STANDING] === 0) ints[at + HALVES_AT] = tick + HALF_LIFE_TICKS;
    if (ints[at + STANDING] < STANDING_MAX) ints[at + STANDING] += SUCCESS;
  }

  /** Successes that still count, rounded up. */
  standing(entry: number): number {
    return (this.ints[entry * WORDS + STANDING] + SUCCESS - 1) >> 4;
  }

  /** Whether a log line about the source is due; after true it is not due for a while. */
  claimReport(entry: number, tick: number): boolean {
    const last = this.ints[entry * WORDS + REPORTED];
    if (last !== 0 && tick >= last && tick - last < this.reportEveryTicks) return false;
    this.ints[entry * WORDS + REPORTED] = tick;
    return true;
  }

  /** Leaks both buckets and halves the standing. A clock that was set back leaks nothing. */
  private settle(entry: number, tick: number): void {
    const { ints, floats } = this;
    const at = entry * WORDS;
    const elapsed = tick - ints[at + TOUCHED];
    ints[at + TOUCHED] = tick;
    if (elapsed <= 0) return;
    if (floats[at + FAILURES] > 0) {
      const left = floats[at + FAILURES] - elapsed * this.failuresPerTick * this.failureFactor(entry);
      floats[at + FAILURES] = left > 0 ? left : 0;
    }
    if (floats[at + CHALLENGES] > 0) {
      const left = floats[at + CHALLENGES] - elapsed * this.challengesPerTick * this.challengeFactor(entry);
      floats[at + CHALLENGES] = left > 0 ? left : 0;
    }
    if (ints[at + STANDING] > 0 && tick >= ints[at + HALVES_AT]) this.halve(at, tick);
  }

  private halve(at: number, tick: number): void {
    const { ints } = this;
    const times = 1 + Math.floor((tick - ints[at + HALVES_AT]) / HALF_LIFE_TICKS);
    ints[at + STANDING] = times > 31 ? 0 : ints[at + STANDING] >> times;
    ints[at + HALVES_AT] += times * HALF_LIFE_TICKS;
  }

  private failureFactor(entry: number): number {
    return this.factor(entry, this.policy.failuresStanding);
  }

  private challengeFactor(entry: number): number {
    return this.factor(entry, this.policy.challengesStanding);
  }

  private factor(entry: number, successes: number): number {
    const standing = this.ints[entry * WORDS + STANDING];
    if (standing === 0) return 1;
    const factor = 1 + standing / (SUCCESS * successes);
    return factor < this.policy.standingFactorMax ? factor : this.policy.standingFactorMax;
  }

  private least(first: number, tick: number): number {
    let least = first;
    let leastWorth = this.worth(first, tick);
    for (let entry = first + 1; entry < first + WAYS; entry++) {
      const worth = this.worth(entry, tick);
      if (worth >= leastWorth) continue;
      least = entry;
      leastWorth = worth;
    }
    return least;
  }

  /** Loss if the entry were dropped: its standing and its recent costs. */
  private worth(entry: number, tick: number): number {
    const at = entry * WORDS;
    this.settle(entry, tick);
    return this.ints[at + STANDING] + this.floats[at + FAILURES] * FAILURE_WORTH + this.floats[at + CHALLENGES];
  }
}
