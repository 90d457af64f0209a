// Connections with an unfinished handshake: their number in all, and for each source. The listener learns that a handshake
// has ended, but not always of which source, and it ends each one after a time. Handshakes of unknown outcome are forgotten
// by then.

export class HandshakeCounts {
  total = 0;
  private readonly lifeMs: number;
  private young = new Map<string, number>();
  private old = new Map<string, number>();
  private turnAt = 0;

  /** @param lifeMs longest time of a handshake */
  constructor(lifeMs: number) {
    this.lifeMs = lifeMs;
  }

  /** Handshakes of a source; may include those that have failed within the last 2 * lifeMs. */
  of(source: string, now: number): number {
    this.turn(now);
    return (this.young.get(source) ?? 0) + (this.old.get(source) ?? 0);
  }

  /** @param source null to count it in the total alone */
  add(source: string | null, now: number): void {
    this.turn(now);
    this.total++;
    if (source !== null) this.young.set(source, (this.young.get(source) ?? 0) + 1);
  }

  /** @param source null where it is not known */
  remove(source: string | null): void {
    this.total--;
    if (source === null) return;
    const counts = this.old.has(source) ? this.old : this.young;
    const left = (counts.get(source) ?? 1) - 1;
    if (left > 0) counts.set(source, left);
    else counts.delete(source);
  }

  private turn(now: number): void {
    if (now < this.turnAt) return;
    this.old = now < this.turnAt + this.lifeMs ? this.young : new Map();
    this.young = new Map();
    this.turnAt = now + this.lifeMs;
  }
}
