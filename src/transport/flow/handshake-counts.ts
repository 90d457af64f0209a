// Connections that have not finished their handshake: how many in all, and how many of each source. Their listener hears that
// one has ended, but not always whose it was, and ends each after a time: what is not known to be over is forgotten by then.

export class HandshakeCounts {
  total = 0;
  private readonly lifeMs: number;
  private young = new Map<string, number>();
  private old = new Map<string, number>();
  private turnAt = 0;

  /** @param lifeMs none lasts longer */
  constructor(lifeMs: number) {
    this.lifeMs = lifeMs;
  }

  /** Handshakes of a source, those that have failed within the last 2 * lifeMs perhaps included. */
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

  /** @param source null where it is not known any more */
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
