// The working set of one batch: the newest record of every AOR the batch changed, in the order first changed.
// Later decisions of the batch read it before the store; commit takes it whole; a failed commit drops it whole.

import { AOR_KEY_BYTES } from './location-store.ts';

const INDEX_SLOTS = 1024;

/** @hot */
export class WriteSet {
  /** Entries, each an AOR. */
  count = 0;
  /** Keys, AOR_KEY_BYTES each. */
  readonly keys: Uint8Array;
  /** Bounds of each entry's record in `bytes`; equal bounds mean that the AOR's record is to be removed. */
  readonly at: Int32Array;
  readonly end: Int32Array;
  /** Records; grows when a batch needs more. */
  bytes: Buffer;
  private used = 0;
  private readonly capacity: number;
  private readonly index = new Int16Array(INDEX_SLOTS).fill(-1);
  private readonly keyWords: Uint32Array;

  /** @param capacity AORs a batch may change; at most half of the index */
  constructor(capacity = 512, bytes = 1 << 20) {
    if (capacity > INDEX_SLOTS / 2) throw new RangeError(`a batch changes at most ${INDEX_SLOTS / 2} AORs`);
    this.capacity = capacity;
    this.keys = new Uint8Array(capacity * AOR_KEY_BYTES);
    this.keyWords = new Uint32Array(this.keys.buffer);
    this.at = new Int32Array(capacity);
    this.end = new Int32Array(capacity);
    this.bytes = Buffer.allocUnsafeSlow(bytes);
  }

  get full(): boolean {
    return this.count === this.capacity;
  }

  /** Index of the entry for a key given as four words, or -1. */
  find(k0: number, k1: number, k2: number, k3: number): number {
    const words = this.keyWords;
    for (let slot = k0 & (INDEX_SLOTS - 1); ; slot = (slot + 1) & (INDEX_SLOTS - 1)) {
      const entry = this.index[slot];
      if (entry < 0) return -1;
      const w = entry << 2;
      if (words[w] === k0 >>> 0 && words[w + 1] === k1 >>> 0 && words[w + 2] === k2 >>> 0 && words[w + 3] === k3 >>> 0)
        return entry;
    }
  }

  /** Makes room for a record of at most `size` bytes and returns where to write it in `bytes`; `put` then claims it. */
  reserve(size: number): number {
    if (this.used + size > this.bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.used + size));
      this.bytes.copy(grown, 0, 0, this.used);
      this.bytes = grown;
    }
    return this.used;
  }

  /** Sets the record of a key to `length` bytes written at the last `reserve`; length 0 removes the AOR's record. */
  put(k0: number, k1: number, k2: number, k3: number, length: number): void {
    let entry = this.find(k0, k1, k2, k3);
    if (entry < 0) entry = this.insert(k0, k1, k2, k3);
    this.at[entry] = this.used;
    this.used += length;
    this.end[entry] = this.used;
  }

  clear(): void {
    if (this.count > 0) this.index.fill(-1);
    this.count = 0;
    this.used = 0;
  }

  private insert(k0: number, k1: number, k2: number, k3: number): number {
    const entry = this.count++;
    const words = this.keyWords;
    const w = entry << 2;
    words[w] = k0;
    words[w + 1] = k1;
    words[w + 2] = k2;
    words[w + 3] = k3;
    let slot = k0 & (INDEX_SLOTS - 1);
    while (this.index[slot] >= 0) slot = (slot + 1) & (INDEX_SLOTS - 1);
    this.index[slot] = entry;
    return entry;
  }
}
