// Accounts whose passwords are being guessed: the number of recent wrong passwords of each, from any source. Only wrong passwords
// make entries. A table of fixed size; the entry with the fewest is dropped first. Keys are account.ts's.
// @hot

import type { AbusePolicy } from './abuse-policy.ts';
import { TICKS_PER_S } from './tick.ts';

const WAYS = 4;
const NONE = -1;

const WORDS = 4;
const CHECK = 0;
const FAILURES = 1; // float: a leaking bucket
const TOUCHED = 2; // tick up to which it has leaked
const REPORTED = 3; // tick of the last log line, 0 for none

export class GuessedAors {
  private failuresMax = 0;
  private failuresPerTick = 0;
  private refund = 0;
  private reportEveryTicks = 0;
  private readonly setMask: number;
  private readonly tags: Uint32Array;
  private readonly ints: Int32Array;
  private readonly floats: Float32Array;
  private idle = true;

  constructor(policy: AbusePolicy) {
    const sets = 2 ** Math.ceil(Math.log2(Math.max(1, policy.aorsMax / WAYS)));
    this.setMask = sets - 1;
    this.tags = new Uint32Array(sets * WAYS);
    this.ints = new Int32Array(sets * WAYS * WORDS);
    this.floats = new Float32Array(this.ints.buffer);
    this.configure(policy);
  }

  /** Other limits for the accounts there are. @cold */
  configure(policy: AbusePolicy): void {
    this.failuresMax = policy.aorFailuresMax;
    this.failuresPerTick = policy.aorFailuresPerS / TICKS_PER_S;
    this.refund = policy.aorRefund;
    this.reportEveryTicks = policy.reportEveryS * TICKS_PER_S;
  }

  /** Bytes of memory: a constant. */
  get bytes(): number {
    return this.tags.byteLength + this.ints.byteLength;
  }

  /** Whether the account has drawn its limit of wrong passwords. */
  isSpent(k0: number, k1: number, k2: number, tick: number): boolean {
    const aor = this.find(k0, k1, k2);
    return aor !== NONE && this.leak(aor, tick) >= this.failuresMax;
  }

  fail(k0: number, k1: number, k2: number, tick: number): void {
    let aor = this.find(k0, k1, k2);
    if (aor === NONE) aor = this.replace(k0, k1, k2, tick);
    this.floats[aor * WORDS + FAILURES] = this.leak(aor, tick) + 1;
  }

  succeed(k0: number, k1: number, k2: number, tick: number): void {
    const aor = this.find(k0, k1, k2);
    if (aor === NONE) return;
    const left = this.leak(aor, tick) - this.refund;
    this.floats[aor * WORDS + FAILURES] = left > 0 ? left : 0;
  }

  /** Whether a log line about the account is due; after true it is not due for a while. @cold */
  claimReport(k0: number, k1: number, k2: number, tick: number): boolean {
    const aor = this.find(k0, k1, k2);
    if (aor === NONE) return false;
    const last = this.ints[aor * WORDS + REPORTED];
    if (last !== 0 && tick >= last && tick - last < this.reportEveryTicks) return false;
    this.ints[aor * WORDS + REPORTED] = tick;
    return true;
  }

  /** Seconds until the account is no longer spent, without further guesses; 0 where it is not spent. @cold */
  spentS(k0: number, k1: number, k2: number, tick: number): number {
    const aor = this.find(k0, k1, k2);
    if (aor === NONE) return 0;
    return Math.max(0, this.leak(aor, tick) - this.failuresMax) / (this.failuresPerTick * TICKS_PER_S);
  }

  /** Used share of the account's limit; 1 and above: spent. @cold */
  usedShare(k0: number, k1: number, k2: number, tick: number): number {
    const aor = this.find(k0, k1, k2);
    return aor === NONE ? 0 : this.leak(aor, tick) / this.failuresMax;
  }

  /** Forgets the account's wrong passwords. @cold */
  forgive(k0: number, k1: number, k2: number): void {
    const aor = this.find(k0, k1, k2);
    if (aor === NONE) return;
    this.floats[aor * WORDS + FAILURES] = 0;
    this.ints[aor * WORDS + REPORTED] = 0;
  }

  /** NONE at once while no account has drawn a wrong password since the start. */
  private find(k0: number, k1: number, k2: number): number {
    if (this.idle) return NONE;
    const { tags, ints } = this;
    const first = (k1 & this.setMask) * WAYS;
    for (let aor = first; aor < first + WAYS; aor++) {
      if (tags[aor] === k0 >>> 0 && ints[aor * WORDS + CHECK] === (k2 | 0)) return aor;
    }
    return NONE;
  }

  private replace(k0: number, k1: number, k2: number, tick: number): number {
    const first = (k1 & this.setMask) * WAYS;
    let least = first;
    for (let aor = first + 1; aor < first + WAYS; aor++) if (this.leak(aor, tick) < this.leak(least, tick)) least = aor;
    this.idle = false;
    this.tags[least] = k0;
    this.ints[least * WORDS + CHECK] = k2 | 0;
    this.floats[least * WORDS + FAILURES] = 0;
    this.ints[least * WORDS + TOUCHED] = tick;
    this.ints[least * WORDS + REPORTED] = 0;
    return least;
  }

  private leak(aor: number, tick: number): number {
    const at = aor * WORDS;
    const elapsed = tick - this.ints[at + TOUCHED];
    if (elapsed === 0) return this.floats[at + FAILURES];
    this.ints[at + TOUCHED] = tick;
    const left = elapsed > 0 ? this.floats[at + FAILURES] - elapsed * this.failuresPerTick : this.floats[at + FAILURES];
    this.floats[at + FAILURES] = left > 0 ? left : 0;
    return this.floats[at + FAILURES];
  }
}
