// Used nc values by nonce (RFC 7616 §3.4, §5.12): a bounded queue of nonces, each with its highest nc and the
// 64 below it. A forgotten nonce never counts as unused again. No clock, no randomness.
// @hot

/** Not seen before, and noted now. */
export const NC_NEW = 0;
/** Seen before. */
export const NC_REPLAYED = 1;
/** So far below the highest that its use is unknown. */
export const NC_TOO_OLD = 2;
/** The nonce is not known, and is of another life or as old as forgotten ones: it may have been used. */
export const NC_FORGOTTEN = 3;

/** Credentials without qop have no nc: each nonce is accepted for them once, and for no request afterwards. */
export const NC_WITHOUT_QOP = 0xffff_ffff;

const WINDOW_MAX = 64;

// --- a row: eight words, half a cache line, so that a use of a nonce waits for memory once
const ID_HIGH = 0;
const ID_LOW = 1;
/** The next row of the same head, as a link. */
const NEXT = 2;
const HIGHEST = 3;
/** Bit k: nc `highest - k` was seen; low word k < 32, then the high one. */
const SEEN_LOW = 4;
const SEEN_HIGH = 5;
/** Issue time of the nonce, epoch ms, as a double: the fourth of the row. */
const ISSUED_AT = 3;
const ROW_SHIFT = 3;

export class NonceWindow {
  /** Nonces known. */
  count = 0;
  /** Issue time (ms) up to which unknown nonces of this life may have been used and forgotten. */
  lowWaterMark = Number.NEGATIVE_INFINITY;
  private readonly capacity: number;
  private readonly window: number;
  private readonly lifetimeMs: number;
  /** Row of the oldest entry; the rows are a ring. */
  private oldest = 0;
  /** Links: row + 1, 0 for none, so that memory is touched only where there are nonces. */
  private readonly heads: Int32Array;
  private readonly words: Int32Array;
  private readonly times: Float64Array;

  /**
   * @param nonces maximum of remembered nonces (about 40 bytes each, touched only as they come)
   * @param window width of the window below the highest nc in which a late one is accepted, 1 to 64
   * @param lifetimeMs age at which a nonce is stale anyway, and its entry free
   */
  constructor(nonces: number, window: number, lifetimeMs: number) {
    this.capacity = Math.max(1, nonces);
    this.window = Math.min(Math.max(1, window), WINDOW_MAX);
    this.lifetimeMs = lifetimeMs;
    let heads = 1;
    while (heads < this.capacity) heads *= 2;
    this.heads = new Int32Array(heads);
    this.words = new Int32Array(this.capacity << ROW_SHIFT);
    this.times = new Float64Array(this.words.buffer);
  }

  /** Forgets all, for a life that has issued no nonce yet. @cold */
  clear(): void {
    this.heads.fill(0);
    this.count = 0;
    this.oldest = 0;
    this.lowWaterMark = Number.NEGATIVE_INFINITY;
  }

  /**
   * Notes the use of a nonce under an nc, after its credentials were found right: NC_*; only NC_NEW changes anything.
   * @param ofThisLife false: the nonce may have been used before, in another life
   */
  accept(idHigh: number, idLow: number, issuedAt: number, ofThisLife: boolean, nc: number, now: number): number {
    const row = this.find(idHigh, idLow);
    if (row >= 0) return this.note(row << ROW_SHIFT, nc);
    if (!ofThisLife || issuedAt <= this.lowWaterMark) return NC_FORGOTTEN;
    this.add(idHigh, idLow, issuedAt, nc, now, 1, 0);
    return NC_NEW;
  }

  /** Adds a nonce that an earlier process saw used up to `nc`: every nc up to there counts as seen. */
  resume(idHigh: number, idLow: number, issuedAt: number, nc: number, now: number): void {
    if (this.find(idHigh, idLow) < 0) this.add(idHigh, idLow, issuedAt, nc, now, -1, -1);
  }

  private note(at: number, nc: number): number {
    const { words } = this;
    const highest = words[at + HIGHEST] >>> 0;
    if (nc > highest) {
      shift(words, at, nc - highest);
      words[at + HIGHEST] = nc;
      words[at + SEEN_LOW] |= 1;
      return NC_NEW;
    }
    const below = highest - nc;
    if (below >= this.window) return NC_TOO_OLD;
    const seen = at + (below < 32 ? SEEN_LOW : SEEN_HIGH);
    const bit = 1 << (below & 31);
    if ((words[seen] & bit) !== 0) return NC_REPLAYED;
    words[seen] |= bit;
    return NC_NEW;
  }

  private find(idHigh: number, idLow: number): number {
    const { words } = this;
    const high = idHigh | 0;
    const low = idLow | 0;
    let link = this.heads[low & (this.heads.length - 1)];
    while (link > 0) {
      const at = (link - 1) << ROW_SHIFT;
      if (words[at + ID_LOW] === low && words[at + ID_HIGH] === high) break;
      link = words[at + NEXT];
    }
    return link - 1;
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
    this.evict(now);
    let row = this.oldest + this.count;
    if (row >= this.capacity) row -= this.capacity;
    this.count++;
    const { words } = this;
    const at = row << ROW_SHIFT;
    const head = idLow & (this.heads.length - 1);
    words[at + ID_HIGH] = idHigh;
    words[at + ID_LOW] = idLow;
    words[at + NEXT] = this.heads[head];
    words[at + HIGHEST] = nc;
    words[at + SEEN_LOW] = low;
    words[at + SEEN_HIGH] = high;
    this.times[(at >> 1) + ISSUED_AT] = issuedAt;
    this.heads[head] = row + 1;
  }

  /** Drops up to two entries with stale nonces; else, where all rows are taken, the oldest, raising the mark to its time. */
  private evict(now: number): void {
    for (let i = 0; i < 2 && this.count > 0 && now - this.issuedAt(this.oldest) > this.lifetimeMs; i++)
      this.dropOldest();
    if (this.count < this.capacity) return;
    // A nonce of another life may be dated ahead of this life's clock: the mark must not refuse nonces that this life issues.
    this.lowWaterMark = Math.max(this.lowWaterMark, Math.min(this.issuedAt(this.oldest), now));
    this.dropOldest();
  }

  private issuedAt(row: number): number {
    return this.times[((row << ROW_SHIFT) >> 1) + ISSUED_AT];
  }

  private dropOldest(): void {
    const { words } = this;
    const row = this.oldest;
    const head = words[(row << ROW_SHIFT) + ID_LOW] & (this.heads.length - 1);
    const behind = words[(row << ROW_SHIFT) + NEXT];
    if (this.heads[head] === row + 1) this.heads[head] = behind;
    else {
      let before = (this.heads[head] - 1) << ROW_SHIFT;
      while (words[before + NEXT] !== row + 1) before = (words[before + NEXT] - 1) << ROW_SHIFT;
      words[before + NEXT] = behind;
    }
    this.oldest = row + 1 === this.capacity ? 0 : row + 1;
    this.count--;
  }
}

/** Shifts the bits of seen nc values as the row's highest nc rises. */
function shift(words: Int32Array, at: number, by: number): void {
  const low = words[at + SEEN_LOW];
  const high = words[at + SEEN_HIGH];
  if (by >= 64) {
    words[at + SEEN_LOW] = 0;
    words[at + SEEN_HIGH] = 0;
  } else if (by >= 32) {
    words[at + SEEN_LOW] = 0;
    words[at + SEEN_HIGH] = low << (by - 32);
  } else {
    words[at + SEEN_LOW] = low << by;
    words[at + SEEN_HIGH] = (high << by) | (low >>> (32 - by));
  }
}
