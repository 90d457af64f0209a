// SipHash with 128 bits of output (Aumasson, Bernstein): a keyed hash for tables and tags that peers must not be able to
// predict (1-3, the default). With more rounds (2-4) it is a code that they must not be able to forge. The text is collected in this
// file and hashed by simd/siphash.ts, without allocation. Not for passwords.
// @hot

import { core as theCore } from './parser/core.ts';
import { HASH_OUT, HASH_TEXT, HASH_TEXT_BYTES } from './parser/memory-map.ts';
import { memory, slab as theSlab } from './parser/slab.ts';

// Constants of this module: V8 compiles them in, while it loads an import each time it is used.
const core = theCore;
const slab = theSlab;

/** Text not hashed yet, and the result: one hash at a time in a thread. */
const text = new Uint8Array(memory.buffer, HASH_TEXT, HASH_TEXT_BYTES);
const result = new Uint32Array(memory.buffer, HASH_OUT, 4);

/** begin; span, byte and word as often as needed; end; then read `out`. No other hash may begin before the end. */
export class SipHash {
  /** The result as four little-endian words: out[0] and out[1] are the low and high half of the first 64 bits. */
  readonly out = new Uint32Array(4);
  private readonly k0: number;
  private readonly k1: number;
  private readonly k2: number;
  private readonly k3: number;
  private readonly wordRounds: number;
  private readonly lastRounds: number;
  /** Bytes in `text`, and bytes hashed. */
  private length = 0;
  private hashed = 0;

  /**
   * @param key 16 bytes
   * @param wordRounds rounds per eight bytes, and lastRounds at the end: the two numbers of SipHash-c-d
   */
  constructor(key: Uint8Array, wordRounds = 1, lastRounds = 3) {
    this.wordRounds = wordRounds;
    this.lastRounds = lastRounds;
    const view = new DataView(key.buffer, key.byteOffset, 16);
    this.k0 = view.getInt32(0, true);
    this.k1 = view.getInt32(4, true);
    this.k2 = view.getInt32(8, true);
    this.k3 = view.getInt32(12, true);
  }

  begin(): void {
    this.length = 0;
    this.hashed = 0;
    core.hashStart(this.k0, this.k1, this.k2, this.k3);
  }

  byte(value: number): void {
    if (this.length === HASH_TEXT_BYTES) this.flush();
    text[this.length++] = value;
  }

  /** Adds four bytes, the lowest first. */
  word(value: number): void {
    if (this.length + 4 > HASH_TEXT_BYTES) this.flush();
    const at = this.length;
    text[at] = value;
    text[at + 1] = value >>> 8;
    text[at + 2] = value >>> 16;
    text[at + 3] = value >>> 24;
    this.length = at + 4;
  }

  /** Adds bytes[at, end); an absent or empty span adds nothing. */
  span(bytes: Uint8Array, at: number, end: number): void {
    while (end - at > HASH_TEXT_BYTES - this.length) {
      const most = at + HASH_TEXT_BYTES - this.length;
      this.absorb(bytes, at, most);
      this.flush();
      at = most;
    }
    if (at < end) this.absorb(bytes, at, end);
  }

  /** Finishes: `out` is the hash until the next `end`. */
  end(): void {
    const { out, length } = this;
    core.hashFinish(HASH_TEXT, HASH_TEXT + length, this.hashed + length, this.wordRounds, this.lastRounds);
    out[0] = result[0];
    out[1] = result[1];
    out[2] = result[2];
    out[3] = result[3];
  }

  private absorb(bytes: Uint8Array, at: number, end: number): void {
    let to = this.length;
    this.length = to + end - at;
    if (bytes === slab) core.copyBytes(HASH_TEXT + to, at, end - at);
    else while (at < end) text[to++] = bytes[at++];
  }

  /** Hashes the collected text, except the bytes behind the last whole word. */
  private flush(): void {
    const whole = this.length & -8;
    core.hashWords(HASH_TEXT, HASH_TEXT + whole, this.wordRounds);
    text.copyWithin(0, whole, this.length);
    this.length -= whole;
    this.hashed += whole;
  }
}
