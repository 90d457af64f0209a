// The clock of abuse control: eighths of a second since the first message, as small integers for tables of words.
// @hot

export const TICKS_PER_S = 8;
const TICK_MS = 1000 / TICKS_PER_S;
const UNSET = -1;

export class Ticks {
  private originMs = UNSET;
  private lastMs = UNSET;
  private last = 0;

  /** The tick of a time in epoch milliseconds: 1 at the first call, an integer of 31 bits for the next 8 years. */
  at(nowMs: number): number {
    if (nowMs === this.lastMs) return this.last;
    if (this.originMs === UNSET) this.originMs = nowMs - TICK_MS;
    this.lastMs = nowMs;
    this.last = Math.floor((nowMs - this.originMs) / TICK_MS);
    return this.last;
  }
}
