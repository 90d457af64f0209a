// The time of bindings, epoch milliseconds, the same in every thread: an anchor in shared memory plus the time since then by the
// monotonic clock. A change of the machine's clock has no effect; server/process/clock-keeper moves the anchor.
// @hot

import { monotonicMs } from '../transport/monotonic.ts';

const ANCHOR = 0;
/** By the monotonic clock; 0: not held. */
const HELD_UNTIL = 1;
const SET_BACKS = 2;
const WORDS = 3;

export function createClockMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(8 * WORDS);
}

export class ProcessClock {
  readonly memory: SharedArrayBuffer;
  private readonly words: Float64Array;
  private readonly monotonic: () => number;

  constructor(memory: SharedArrayBuffer, monotonic: () => number = monotonicMs) {
    this.memory = memory;
    this.words = new Float64Array(memory);
    this.monotonic = monotonic;
  }

  now(): number {
    return Math.floor(this.words[ANCHOR] + this.monotonic());
  }

  /** Expired bindings are not removed for now: the clock may be wrong. */
  get holds(): boolean {
    const until = this.words[HELD_UNTIL];
    return until > 0 && this.monotonic() < until;
  }

  /** Number of times the clock was set back: bindings granted before may end later than they should. */
  get setBacks(): number {
    return this.words[SET_BACKS];
  }

  /** Epoch ms at the monotonic clock's zero. */
  get anchor(): number {
    return this.words[ANCHOR];
  }

  /** @param at by the monotonic clock @cold */
  set(now: number, at: number = this.monotonic()): void {
    this.words[ANCHOR] = now - at;
  }

  /** @cold */
  move(byMs: number): void {
    this.words[ANCHOR] += byMs;
  }

  /** @param at by the monotonic clock @cold */
  setBack(now: number, at: number = this.monotonic()): void {
    this.set(now, at);
    this.words[SET_BACKS]++;
  }

  /** @param ms 0: ends it @cold */
  hold(ms: number): void {
    this.words[HELD_UNTIL] = ms === 0 ? 0 : this.monotonic() + ms;
  }
}

/** For processes without a data directory: the machine's time at the start, plus the time since. @cold */
export function startClock(): ProcessClock {
  const clock = new ProcessClock(createClockMemory());
  clock.set(Date.now());
  return clock;
}
