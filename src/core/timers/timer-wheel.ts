// Timers by the million in typed arrays: a hashed wheel of one-tick buckets, 16 bytes a timer. The purpose of a timer
// is the caller's; ids belong to the caller, time is an argument. @hot

import { msToOccupied } from './occupied-buckets.ts';

const END = -1;
const UNLINKED = -2;

/** Called when a timer fires; the timer is unlinked by then and may be added again. */
export interface TimerVisitor {
  visit(id: number): void;
}

/**
 * A timer fires at the first tick at or after its deadline, so never early and at most one tick late. A deadline that
 * moves later costs one store (its firing bucket links the timer anew), one that moves earlier a few.
 * A clock set back delays only overdue timers. @hot
 */
export class TimerWheel {
  /** Timers linked. */
  count = 0;
  private readonly tickMs: number;
  private readonly buckets: number;
  /** First timer of each bucket; the last row holds the rest of the firing bucket. */
  private readonly heads: Int32Array;
  /** One bit per bucket that holds a timer. */
  private readonly occupied: Int32Array;
  /** Last tick whose bucket has been taken. */
  private tick = 0;
  private next: Int32Array;
  /** The timer before, or the complement of the bucket for the first of one. */
  private previous: Int32Array;
  private deadlines: Float64Array;

  /** @param buckets a power of two, at least 32; timers with further deadlines are visited once per turn of the wheel */
  constructor(tickMs = 1000, buckets = 8192, capacity = 1024) {
    this.tickMs = tickMs;
    this.buckets = buckets;
    this.heads = new Int32Array(buckets + 1).fill(END);
    this.occupied = new Int32Array(buckets >> 5);
    this.next = new Int32Array(capacity).fill(UNLINKED);
    this.previous = new Int32Array(capacity);
    this.deadlines = new Float64Array(capacity);
  }

  has(id: number): boolean {
    return id < this.next.length && this.next[id] !== UNLINKED;
  }

  /** Epoch ms of a linked timer. */
  deadline(id: number): number {
    return this.deadlines[id];
  }

  /** Sets the deadline (epoch ms) of a timer, linking it where it is not. Ids are small and dense: memory follows the largest. */
  add(id: number, deadlineMs: number): void {
    if (id >= this.next.length) this.grow(id);
    if (this.next[id] !== UNLINKED) {
      const later = deadlineMs >= this.deadlines[id];
      if (!later) this.unlink(id);
      this.deadlines[id] = deadlineMs;
      if (later) return;
    } else this.deadlines[id] = deadlineMs;
    this.link(id);
  }

  /** Unlinks a timer; nothing where it is not linked. */
  remove(id: number): void {
    if (this.has(id)) this.unlink(id);
  }

  /**
   * Fires timers due at `nowMs` (epoch ms), visiting at most `budget` timers.
   * True: the budget ran out and more may be due.
   */
  advance(nowMs: number, budget: number, visitor: TimerVisitor): boolean {
    const nowTick = Math.floor(nowMs / this.tickMs);
    if (nowTick - this.tick > this.buckets) this.tick = nowTick - this.buckets;
    if (nowTick < this.tick) this.tick = nowTick; // the clock was set back: new timers must not wait for the old time
    const firing = this.buckets;
    let left = budget;
    for (;;) {
      let id = this.heads[firing];
      while (id !== END) {
        if (left-- <= 0) return true;
        this.unlink(id);
        if (this.deadlines[id] <= nowMs) visitor.visit(id);
        else this.link(id);
        id = this.heads[firing];
      }
      if (this.tick >= nowTick) return false;
      this.tick++;
      this.fire(this.tick & (this.buckets - 1));
    }
  }

  /** Milliseconds until a timer may be due, 0 when one is, -1 when there are no timers. */
  msToNextTick(nowMs: number): number {
    if (this.count === 0) return -1;
    if (this.heads[this.buckets] !== END) return 0;
    return msToOccupied(this.occupied, this.tick, this.tickMs, nowMs);
  }

  /** Moves a bucket, whole, to the firing row, which is empty. */
  private fire(bucket: number): void {
    const id = this.heads[bucket];
    if (id === END) return;
    this.heads[bucket] = END;
    this.occupied[bucket >> 5] &= ~(1 << (bucket & 31));
    this.heads[this.buckets] = id;
    this.previous[id] = ~this.buckets;
  }

  private link(id: number): void {
    let tick = Math.ceil(this.deadlines[id] / this.tickMs);
    if (tick <= this.tick) tick = this.tick + 1;
    const bucket = tick & (this.buckets - 1);
    const head = this.heads[bucket];
    this.next[id] = head;
    this.previous[id] = ~bucket;
    if (head !== END) this.previous[head] = id;
    else this.occupied[bucket >> 5] |= 1 << (bucket & 31);
    this.heads[bucket] = id;
    this.count++;
  }

  private unlink(id: number): void {
    const next = this.next[id];
    const previous = this.previous[id];
    if (next !== END) this.previous[next] = previous;
    if (previous >= 0) this.next[previous] = next;
    else {
      const bucket = ~previous;
      this.heads[bucket] = next;
      if (next === END && bucket < this.buckets) this.occupied[bucket >> 5] &= ~(1 << (bucket & 31));
    }
    this.next[id] = UNLINKED;
    this.count--;
  }

  private grow(id: number): void {
    let capacity = this.next.length;
    while (capacity <= id) capacity *= 2;
    const next = new Int32Array(capacity);
    next.set(this.next);
    next.fill(UNLINKED, this.next.length);
    const previous = new Int32Array(capacity);
    previous.set(this.previous);
    const deadlines = new Float64Array(capacity);
    deadlines.set(this.deadlines);
    this.next = next;
    this.previous = previous;
    this.deadlines = deadlines;
  }
}
