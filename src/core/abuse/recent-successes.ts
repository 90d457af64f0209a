// Recent successes by a hash of 64 bits, each with a word of the caller. Only a success makes an entry, so that no flood can displace
// one. A table of fixed size; the oldest success is dropped first.
// @hot

import type { AbusePolicy } from './abuse-policy.ts';
import { TICKS_PER_S } from './tick.ts';

export const NONE = -1;

// A set of five entries is a line of the processor's cache.
const WAYS = 5;
const SET_WORDS = 16;

const WORDS = 3;
const TAG = 0; // never 0 in an entry that is taken
const SUCCEEDED = 1; // tick of the last success
/** The caller's word of an entry. */
export const OWN = 2;

export class RecentSuccesses {
  readonly words: Int32Array;
  private lifeTicks = 0;
  private readonly setMask: number;

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

  /** Bytes of memory: a constant. */
  get bytes(): number {
    return this.words.byteLength;
  }

  /** Offset in `words` of the entry with this hash, or NONE where it has none or its last success is too old. */
  find(a: number, b: number, tick: number): number {
    const { words } = this;
    const tag = tagOf(a);
    const first = this.firstOf(b);
    for (let entry = first; entry < first + WAYS * WORDS; entry += WORDS)
      if (words[entry] === tag) return tick - words[entry + SUCCEEDED] <= this.lifeTicks ? entry : NONE;
    return NONE;
  }

  /** Notes a success and returns the entry's offset. In a new or too old entry the caller's word is 0. */
  succeed(a: number, b: number, tick: number): number {
    const { words } = this;
    let entry = this.find(a, b, tick);
    if (entry === NONE) {
      entry = this.place(a, b);
      words[entry + TAG] = tagOf(a);
      words[entry + OWN] = 0;
    }
    words[entry + SUCCEEDED] = tick;
    return entry;
  }

  /** The entry of the hash, of any age; else a free one, else that of the oldest success. */
  private place(a: number, b: number): number {
    const { words } = this;
    const tag = tagOf(a);
    const first = this.firstOf(b);
    let oldest = first;
    for (let entry = first; entry < first + WAYS * WORDS; entry += WORDS) {
      if (words[entry + TAG] === 0 || words[entry + TAG] === tag) return entry;
      if (words[entry + SUCCEEDED] < words[oldest + SUCCEEDED]) oldest = entry;
    }
    return oldest;
  }

  private firstOf(b: number): number {
    return (b & this.setMask) * SET_WORDS;
  }
}

function tagOf(a: number): number {
  return a === 0 ? 1 : a | 0;
}
