// What nodes sign for each other is good while it is fresh, and once: whoever hears it cannot have it done again.

/** Clocks of nodes may differ so much. */
const FRESH_MS = 60_000;

export class TakenOnce {
  /** Codes taken, and until when they would be fresh. */
  private readonly taken = new Map<string, number>();

  /** Takes a proved code. @param at when it was made, epoch ms */
  take(code: string, at: number, now: number): 'new' | 'old' | 'again' {
    if (!(Math.abs(now - at) <= FRESH_MS)) return 'old';
    for (const [other, until] of this.taken) if (until < now) this.taken.delete(other);
    if (this.taken.has(code)) return 'again';
    this.taken.set(code, at + FRESH_MS);
    return 'new';
  }
}
