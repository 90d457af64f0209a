// The expiry of each row's first binding: a hashed wheel of one-second buckets whose links are in the rows themselves. Lazy: a later deadline costs
// nothing, the bucket that fires links the row anew. Time is an argument. @hot

import { msToOccupied, ticksToOccupied } from '../../core/timers/occupied-buckets.ts';
import { expiresAtOf, ROW_EXPIRES, ROW_LINKS } from './binding-row.ts';
import { chunkOf, type RowChunks, wordOf } from './row-chunks.ts';

const END = -1;
const UNLINKED = -2;
const TICK_MS = 1000;
/** Number of buckets, a power of two; later deadlines are checked once per turn of the wheel. */
const BUCKETS = 8192;
/** The list of the bucket that is firing. */
const FIRING = BUCKETS;
/** Time until a row that fired is checked again, if its load or commit failed. */
const RETRY_MS = 1000;

export interface RowVisitor {
  /** The first binding of a row has expired. The row stays on the wheel until it is removed. */
  expireRow(row: number): void;
}

/** A row fires at the first tick at or after its expiry, never early. A clock that is set back delays only overdue rows. @hot */
export class RowWheel {
  /** Rows linked. */
  count = 0;
  private readonly rows: RowChunks;
  private readonly heads = new Int32Array(BUCKETS + 1).fill(END);
  /** A bit per bucket: set if the bucket has a row. */
  private readonly occupied = new Int32Array(BUCKETS >> 5);
  /** Last tick whose bucket has fired. */
  private tick = 0;

  constructor(rows: RowChunks) {
    this.rows = rows;
  }

  /** Links a row that is not linked, at its own expiry; a row that never expires stays off the wheel. */
  add(row: number): void {
    const chunk = chunkOf(this.rows, row);
    const at = wordOf(row);
    const expiresAt = expiresAtOf(chunk, at + ROW_EXPIRES);
    if (expiresAt > 0) this.link(row, expiresAt);
    else chunk[at + ROW_LINKS] = UNLINKED;
  }

  remove(row: number): void {
    if ((chunkOf(this.rows, row)[wordOf(row) + ROW_LINKS] | 0) !== UNLINKED) this.unlink(row);
  }

  /** Empties the wheel, so that every row can be added again, by the caller. */
  clear(): void {
    this.heads.fill(END);
    this.occupied.fill(0);
    this.count = 0;
  }

  /** Fires rows due at `nowMs`, and checks at most `budget` rows. True: the budget is used up and more may be due. */
  advance(nowMs: number, budget: number, visitor: RowVisitor): boolean {
    const nowTick = Math.floor(nowMs / TICK_MS);
    if (nowTick - this.tick > BUCKETS) this.tick = nowTick - BUCKETS;
    if (nowTick < this.tick) this.tick = nowTick; // the clock was set back: new rows must not wait for the old time
    for (let left = budget; ; ) {
      for (let row = this.heads[FIRING]; row !== END; row = this.heads[FIRING]) {
        if (left-- <= 0) return true;
        this.unlink(row);
        const expiresAt = expiresAtOf(chunkOf(this.rows, row), wordOf(row) + ROW_EXPIRES);
        this.link(row, expiresAt <= nowMs ? nowMs + RETRY_MS : expiresAt);
        if (expiresAt <= nowMs) visitor.expireRow(row);
      }
      if (this.tick >= nowTick) return false;
      this.tick = Math.min(this.tick + ticksToOccupied(this.occupied, this.tick), nowTick);
      this.fire(this.tick & (BUCKETS - 1));
    }
  }

  /** Milliseconds until a row may be due, 0 when one is, -1 when the wheel is empty. */
  msToNextTick(nowMs: number): number {
    if (this.count === 0) return -1;
    if (this.heads[FIRING] !== END) return 0;
    return msToOccupied(this.occupied, this.tick, TICK_MS, nowMs);
  }

  /** Moves a bucket, whole, to the firing list, which is empty. */
  private fire(bucket: number): void {
    const row = this.heads[bucket];
    if (row === END) return;
    this.heads[bucket] = END;
    this.occupied[bucket >> 5] &= ~(1 << (bucket & 31));
    this.heads[FIRING] = row;
    this.setPrevious(row, ~FIRING);
  }

  private link(row: number, deadlineMs: number): void {
    let tick = Math.ceil(deadlineMs / TICK_MS);
    if (tick <= this.tick) tick = this.tick + 1;
    const bucket = tick & (BUCKETS - 1);
    const head = this.heads[bucket];
    this.setNext(row, head);
    this.setPrevious(row, ~bucket);
    if (head !== END) this.setPrevious(head, row);
    else this.occupied[bucket >> 5] |= 1 << (bucket & 31);
    this.heads[bucket] = row;
    this.count++;
  }

  private unlink(row: number): void {
    const chunk = chunkOf(this.rows, row);
    const at = wordOf(row) + ROW_LINKS;
    const next = chunk[at] | 0;
    const previous = chunk[at + 1] | 0;
    if (next !== END) this.setPrevious(next, previous);
    if (previous >= 0) this.setNext(previous, next);
    else {
      const bucket = ~previous;
      this.heads[bucket] = next;
      if (next === END && bucket < BUCKETS) this.occupied[bucket >> 5] &= ~(1 << (bucket & 31));
    }
    chunk[at] = UNLINKED;
    this.count--;
  }

  private setNext(row: number, next: number): void {
    chunkOf(this.rows, row)[wordOf(row) + ROW_LINKS] = next;
  }

  /** Sets the row before, or for the first row of a bucket the complement of the bucket. */
  private setPrevious(row: number, previous: number): void {
    chunkOf(this.rows, row)[wordOf(row) + ROW_LINKS + 1] = previous;
  }
}
