// Time for what must neither come back nor last for ever when the machine's clock is set: it keeps running where the clock steps back.
// @hot

export class SteadyTime {
  private last = Number.NEGATIVE_INFINITY;
  private ahead = 0;

  /** @param clock epoch ms; what it was set back by is made up for. Returns ms that never shrink. */
  at(clock: number): number {
    if (clock < this.last) this.ahead += this.last - clock;
    this.last = clock;
    return clock + this.ahead;
  }
}
