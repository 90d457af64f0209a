// Limit of pushes per second. Pure: time comes in as an argument.

export class PushBudget {
  private readonly stepMs: number;
  private readonly burstMs: number;
  /** When the next push may leave without saved capacity. */
  private nextAt = 0;

  /** @param perSecond a second's pushes may leave at once */
  constructor(perSecond: number) {
    this.stepMs = 1000 / perSecond;
    this.burstMs = 1000 - this.stepMs;
  }

  /** Takes a place: returns the wait for it, ms; -1, and none taken, where that would be longer than `mostMs`. */
  take(now: number, mostMs: number): number {
    const at = Math.max(this.nextAt, now - this.burstMs);
    const wait = Math.max(0, at - now);
    if (wait > mostMs) return -1;
    this.nextAt = at + this.stepMs;
    return wait;
  }
}
