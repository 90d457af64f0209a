// Messages signed by nodes are valid while they are fresh, and once: a listener on the network cannot repeat them.

/** Largest difference between clocks of nodes. */
const FRESH_MS = 60_000;

export class TakenOnce {
  /** Codes taken, and the time at which each is no longer fresh. */
  private readonly taken = new Map<string, number>();

  /** Takes a code that is proved. @param at when it was made, epoch ms */
  take(code: string, at: number, now: number): 'new' | 'old' | 'again' {
    if (!(Math.abs(now - at) <= FRESH_MS)) return 'old';
    for (const [other, until] of this.taken) if (until < now) this.taken.delete(other);
    if (this.taken.has(code)) return 'again';
    this.taken.set(code, at + FRESH_MS);
    return 'new';
  }
}
