// Time for periods that a change of the machine's clock must neither repeat nor prolong: it keeps running where the clock steps back.
// @hot

export class SteadyTime {
  private last = Number.NEGATIVE_INFINITY;
  private ahead = 0;

  /** @param clock epoch ms; steps back are made up for. Returns ms that never shrink. */
  at(clock: number): number {
    if (clock < this.last) this.ahead += this.last - clock;
    this.last = clock;
    return clock + this.ahead;
  }
}
