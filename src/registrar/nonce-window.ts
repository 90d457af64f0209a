// Which nc values of which nonces were used (RFC 7616 §3.4, §5.12): a bounded queue of nonces, each with its highest nc and the
// 64 below it. A nonce that had to be forgotten can never come back as an unused one. No clock, no randomness here.
// @hot

/** Not seen before, and noted now. */
export const NC_NEW = 0;
/** Seen before. */
export const NC_REPLAYED = 1;
/** So far below the highest that nobody can say. */
export const NC_TOO_OLD = 2;
/** The nonce is not known here and is as old as ones already forgotten: it may have been used. */
export const NC_FORGOTTEN = 3;

/** Credentials without qop have no nc: each nonce is theirs once, and nobody's afterwards. */
export const NC_WITHOUT_QOP = 0xffff_ffff;

const WINDOW_MAX = 64;
const NONE = -1;

export class NonceWindow {
  /** Nonces known. */
  count = 0;
  /** Nonces issued up to here (epoch ms) that are not known may have been used and forgotten. */
  lowWaterMark: number;
  private readonly capacity: number;
  private readonly window: number;
  private readonly lifetimeMs: number;
  /** Row of the oldest entry; the rows are a ring. */
  private oldest = 0;
  private readonly heads: Int32Array;
  private readonly next: Int32Array;
  private readonly idHigh: Uint32Array;
  private readonly idLow: Uint32Array;
  private readonly issuedAt: Float64Array;
  private readonly highest: Uint32Array;
  /** Bit k: nc `highest - k` was seen; low word k < 32, then the high one. */
  private readonly seenLow: Int32Array;
  private readonly seenHigh: Int32Array;

  /**
   * @param nonces how many are remembered at most (about 40 bytes each, touched only as they come)
   * @param window how far below the highest nc another may come late, 1 to 64
   * @param lifetimeMs age at which a nonce is stale anyway, and its entry free
   * @param usedUntil nonces issued up to then (epoch ms) may have been used by an earlier process; 0 where nobody could have
   */
  constructor(nonces: number, window: number, lifetimeMs: number, usedUntil: number) {
    this.capacity = Math.max(1, nonces);
    this.window = Math.min(Math.max(1, window), WINDOW_MAX);
    this.lifetimeMs = lifetimeMs;
    this.lowWaterMark = usedUntil;
    let heads = 1;
    while (heads < this.capacity) heads *= 2;
    this.heads = new Int32Array(heads).fill(NONE);
    this.next = new Int32Array(this.capacity);
    this.idHigh = new Uint32Array(this.capacity);
    this.idLow = new Uint32Array(this.capacity);
    this.issuedAt = new Float64Array(this.capacity);
    this.highest = new Uint32Array(this.capacity);
    this.seenLow = new Int32Array(this.capacity);
    this.seenHigh = new Int32Array(this.capacity);
  }

  /** Notes the use of a nonce under an nc, after its credentials were found right: NC_*; only NC_NEW changes anything. */
  accept(idHigh: number, idLow: number, issuedAt: number, nc: number, now: number): number {
    const row = this.find(idHigh, idLow);
    if (row >= 0) return this.note(row, nc);
    if (issuedAt <= this.lowWaterMark) return NC_FORGOTTEN;
    this.add(idHigh, idLow, issuedAt, nc, now, 1, 0);
    return NC_NEW;
  }

  /** Takes up a nonce that an earlier process saw used up to `nc`: every nc up to there counts as seen. */
  resume(idHigh: number, idLow: number, issuedAt: number, nc: number, now: number): void {
    if (this.find(idHigh, idLow) < 0) this.add(idHigh, idLow, issuedAt, nc, now, -1, -1);
  }

  private note(row: number, nc: number): number {
    const highest = this.highest[row];
    if (nc > highest) {
      this.shift(row, nc - highest);
      this.highest[row] = nc;
      this.seenLow[row] |= 1;
      return NC_NEW;
    }
    const below = highest - nc;
    if (below >= this.window) return NC_TOO_OLD;
    const seen = below < 32 ? this.seenLow : this.seenHigh;
    const bit = 1 << (below & 31);
    if ((seen[row] & bit) !== 0) return NC_REPLAYED;
    seen[row] |= bit;
    return NC_NEW;
  }

  private shift(row: number, by: number): void {
    const low = this.seenLow[row];
    const high = this.seenHigh[row];
    if (by >= 64) {
      this.seenLow[row] = 0;
      this.seenHigh[row] = 0;
    } else if (by >= 32) {
      this.seenLow[row] = 0;
      this.seenHigh[row] = low << (by - 32);
    } else {
      this.seenLow[row] = low << by;
      this.seenHigh[row] = (high << by) | (low >>> (32 - by));
    }
  }

  private find(idHigh: number, idLow: number): number {
    let row = this.heads[idLow & (this.heads.length - 1)];
    while (row >= 0 && (this.idLow[row] !== idLow || this.idHigh[row] !== idHigh)) row = this.next[row];
    return row;
  }

  private add(
    idHigh: number,
    idLow: number,
    issuedAt: number,
    nc: number,
    now: number,
    low: number,
    high: number,
  ): void {
    this.makeRoom(now);
    let row = this.oldest + this.count;
    if (row >= this.capacity) row -= this.capacity;
    this.count++;
    const head = idLow & (this.heads.length - 1);
    this.next[row] = this.heads[head];
    this.heads[head] = row;
    this.idHigh[row] = idHigh;
    this.idLow[row] = idLow;
    this.issuedAt[row] = issuedAt;
    this.highest[row] = nc;
    this.seenLow[row] = low;
    this.seenHigh[row] = high;
  }

  /** Drops up to two entries whose nonces are stale anyway; where none is and all rows are taken, the oldest, marking it. */
  private makeRoom(now: number): void {
    for (let i = 0; i < 2 && this.count > 0 && now - this.issuedAt[this.oldest] > this.lifetimeMs; i++)
      this.dropOldest();
    if (this.count < this.capacity) return;
    this.lowWaterMark = Math.max(this.lowWaterMark, this.issuedAt[this.oldest]);
    this.dropOldest();
  }

  private dropOldest(): void {
    const row = this.oldest;
    const head = this.idLow[row] & (this.heads.length - 1);
    const behind = this.next[row];
    if (this.heads[head] === row) this.heads[head] = behind;
    else {
      let before = this.heads[head];
      while (this.next[before] !== row) before = this.next[before];
      this.next[before] = behind;
    }
    this.oldest = row + 1 === this.capacity ? 0 : row + 1;
    this.count--;
  }
}
