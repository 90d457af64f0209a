// SipHash with 128 bits of output (Aumasson, Bernstein): a keyed hash for tables and tags that peers must not be able to
// predict (1-3, the default), and with more rounds (2-4) a code that they must not be able to forge. Streamed, in 32-bit
// arithmetic, without allocation. Not for passwords.
// @hot

/** One hash at a time: begin, span and byte as often as needed, end, read `out`. */
export class SipHash {
  /** The result as four little-endian words: out[0] and out[1] are the low and high half of the first 64 bits. */
  readonly out = new Uint32Array(4);
  private readonly key: Int32Array;
  /** v0 low, v0 high, v1 low … v3 high. */
  private readonly state = new Int32Array(8);
  /** Bytes of the unfinished word; `pending` of them, in the low bytes first. */
  private low = 0;
  private high = 0;
  private pending = 0;
  private length = 0;
  private readonly wordRounds: number;
  private readonly lastRounds: number;

  /**
   * @param key 16 bytes
   * @param wordRounds rounds per eight bytes, and lastRounds at the end: the two numbers of SipHash-c-d
   */
  constructor(key: Uint8Array, wordRounds = 1, lastRounds = 3) {
    this.wordRounds = wordRounds;
    this.lastRounds = lastRounds;
    const view = new DataView(key.buffer, key.byteOffset, 16);
    this.key = new Int32Array(4);
    for (let i = 0; i < 4; i++) this.key[i] = view.getInt32(4 * i, true);
  }

  begin(): void {
    const { key, state } = this;
    state[0] = key[0] ^ 0x70736575;
    state[1] = key[1] ^ 0x736f6d65;
    state[2] = key[2] ^ 0x6e646f6d ^ 0xee; // 0xee: 128 bits of output
    state[3] = key[3] ^ 0x646f7261;
    state[4] = key[0] ^ 0x6e657261;
    state[5] = key[1] ^ 0x6c796765;
    state[6] = key[2] ^ 0x79746573;
    state[7] = key[3] ^ 0x74656462;
    this.low = 0;
    this.high = 0;
    this.pending = 0;
    this.length = 0;
  }

  byte(value: number): void {
    const shift = (this.pending & 3) << 3;
    if (this.pending < 4) this.low |= (value & 255) << shift;
    else this.high |= (value & 255) << shift;
    this.length++;
    if (++this.pending === 8) this.compress();
  }

  /** Four bytes at once, the lowest first; before anything else or behind other words. */
  word(value: number): void {
    this.length += 4;
    if (this.pending === 0) {
      this.low = value | 0;
      this.pending = 4;
      return;
    }
    this.high = value | 0;
    this.compress();
  }

  /** bytes[at, end); an absent or empty span adds nothing. */
  span(bytes: Uint8Array, at: number, end: number): void {
    while (at < end && this.pending !== 0) this.byte(bytes[at++]);
    for (; at + 8 <= end; at += 8) {
      this.low = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
      this.high = bytes[at + 4] | (bytes[at + 5] << 8) | (bytes[at + 6] << 16) | (bytes[at + 7] << 24);
      this.length += 8;
      this.compress();
    }
    while (at < end) this.byte(bytes[at++]);
  }

  /** Finishes: `out` is the hash until the next `end`. */
  end(): void {
    const { state, out } = this;
    this.high |= (this.length & 255) << 24;
    this.compress();
    state[4] ^= 0xee;
    rounds(state, this.lastRounds);
    out[0] = state[0] ^ state[2] ^ state[4] ^ state[6];
    out[1] = state[1] ^ state[3] ^ state[5] ^ state[7];
    state[2] ^= 0xdd;
    rounds(state, this.lastRounds);
    out[2] = state[0] ^ state[2] ^ state[4] ^ state[6];
    out[3] = state[1] ^ state[3] ^ state[5] ^ state[7];
  }

  private compress(): void {
    const { state, low, high } = this;
    state[6] ^= low;
    state[7] ^= high;
    rounds(state, this.wordRounds);
    state[0] ^= low;
    state[1] ^= high;
    this.low = 0;
    this.high = 0;
    this.pending = 0;
  }
}

/** `count` SipRounds. Additions of 64 bits carry by hand; a rotation by 32 is a swap of the halves. */
function rounds(state: Int32Array, count: number): void {
  let v0 = state[0];
  let w0 = state[1];
  let v1 = state[2];
  let w1 = state[3];
  let v2 = state[4];
  let w2 = state[5];
  let v3 = state[6];
  let w3 = state[7];
  let t = 0;
  for (; count > 0; count--) {
    // v0 += v1; v1 = rotl(v1, 13) ^ v0; v0 = rotl(v0, 32)
    v0 = (v0 + v1) | 0;
    w0 = (w0 + w1 + (v0 >>> 0 < v1 >>> 0 ? 1 : 0)) | 0;
    t = ((v1 << 13) | (w1 >>> 19)) ^ v0;
    w1 = ((w1 << 13) | (v1 >>> 19)) ^ w0;
    v1 = t;
    t = v0;
    v0 = w0;
    w0 = t;
    // v2 += v3; v3 = rotl(v3, 16) ^ v2
    v2 = (v2 + v3) | 0;
    w2 = (w2 + w3 + (v2 >>> 0 < v3 >>> 0 ? 1 : 0)) | 0;
    t = ((v3 << 16) | (w3 >>> 16)) ^ v2;
    w3 = ((w3 << 16) | (v3 >>> 16)) ^ w2;
    v3 = t;
    // v0 += v3; v3 = rotl(v3, 21) ^ v0
    v0 = (v0 + v3) | 0;
    w0 = (w0 + w3 + (v0 >>> 0 < v3 >>> 0 ? 1 : 0)) | 0;
    t = ((v3 << 21) | (w3 >>> 11)) ^ v0;
    w3 = ((w3 << 21) | (v3 >>> 11)) ^ w0;
    v3 = t;
    // v2 += v1; v1 = rotl(v1, 17) ^ v2; v2 = rotl(v2, 32)
    v2 = (v2 + v1) | 0;
    w2 = (w2 + w1 + (v2 >>> 0 < v1 >>> 0 ? 1 : 0)) | 0;
    t = ((v1 << 17) | (w1 >>> 15)) ^ v2;
    w1 = ((w1 << 17) | (v1 >>> 15)) ^ w2;
    v1 = t;
    t = v2;
    v2 = w2;
    w2 = t;
  }
  state[0] = v0;
  state[1] = w0;
  state[2] = v1;
  state[3] = w1;
  state[4] = v2;
  state[5] = w2;
  state[6] = v3;
  state[7] = w3;
}
