// From where which account succeeded lately: so that its owner is let in while strangers guess. Each entry is one account at one source,
// with the flow of its last success; only a success makes one. A table of fixed size; the oldest success goes first.
// @hot

import type { AbusePolicy } from './abuse-policy.ts';
import { TICKS_PER_S } from './tick.ts';

/** The account has not succeeded from this source lately. */
export const NOT_KNOWN = 0;
/** It has, from another port or over another transport. */
const KNOWN_SOURCE = 1;
/** It has, from this very flow. */
export const KNOWN_FLOW = 2;

// A set of five entries is a line of the processor's cache.
const WAYS = 5;
const SET_WORDS = 16;
const NONE = -1;

const WORDS = 3;
const TAG = 0; // never 0 in an entry that is taken
const SUCCEEDED = 1; // tick of the last success
const FLOW = 2; // of the last success, a hash

export class KnownAccounts {
  private lifeTicks = 0;
  private readonly setMask: number;
  private readonly words: Int32Array;

  constructor(policy: AbusePolicy) {
    const sets = 2 ** Math.ceil(Math.log2(Math.max(1, policy.flowsMax / WAYS)));
    this.setMask = sets - 1;
    this.words = new Int32Array(sets * SET_WORDS);
    this.configure(policy);
  }

  /** Another lifetime for the entries there are. @cold */
  configure(policy: AbusePolicy): void {
    this.lifeTicks = policy.knownFlowS * TICKS_PER_S;
  }

  /** Bytes of memory, whatever comes. */
  get bytes(): number {
    return this.words.byteLength;
  }

  /**
   * NOT_KNOWN, KNOWN_SOURCE or KNOWN_FLOW.
   * @param a,b of the source, the account's hash mixed in
   * @param flow hash of the flow
   */
  find(a: number, b: number, flow: number, tick: number): number {
    const entry = this.entryOf(a, b);
    if (entry === NONE || tick - this.words[entry + SUCCEEDED] > this.lifeTicks) return NOT_KNOWN;
    return this.words[entry + FLOW] === flow ? KNOWN_FLOW : KNOWN_SOURCE;
  }

  succeed(a: number, b: number, flow: number, tick: number): void {
    const { words } = this;
    let entry = this.entryOf(a, b);
    if (entry === NONE) entry = this.oldest(b);
    words[entry + TAG] = a === 0 ? 1 : a;
    words[entry + SUCCEEDED] = tick;
    words[entry + FLOW] = flow;
  }

  private entryOf(a: number, b: number): number {
    const { words } = this;
    const tag = a === 0 ? 1 : a | 0;
    const first = (b & this.setMask) * SET_WORDS;
    for (let entry = first; entry < first + WAYS * WORDS; entry += WORDS) if (words[entry] === tag) return entry;
    return NONE;
  }

  private oldest(b: number): number {
    const { words } = this;
    const first = (b & this.setMask) * SET_WORDS;
    let oldest = first;
    for (let entry = first; entry < first + WAYS * WORDS; entry += WORDS) {
      if (words[entry + TAG] === 0) return entry;
      if (words[entry + SUCCEEDED] < words[oldest + SUCCEEDED]) oldest = entry;
    }
    return oldest;
  }
}
