// The working set of one batch: for every AOR that the batch changed, in the order of first changes, its newest record, its removal, or the refresh
// of its only binding. Later decisions of the batch read it before the store. A commit accepts it whole; a failed commit drops it whole.

import { AOR_KEY_BYTES } from './aor-key-size.ts';
import { WRITES_AT_FIRST } from './first-sizes.ts';
import {
  COUNTED_MAX,
  GRANTED_MAX_S,
  ROW_CSEQ,
  ROW_EPOCH,
  ROW_EXPIRES,
  ROW_IDENTITY,
  ROW_NONCE,
  ROW_WORDS,
  type RowCopy,
  setExpires,
} from './table/binding-row.ts';

/** Bytes of records that every store accepts in a commit, beside the removals and refreshes of a batch. */
export const BATCH_BYTES = 1 << 18;

const INDEX_SLOTS = 2048;
const KEY_WORDS = 4;

/** @hot */
export class WriteSet {
  /** Entries, each an AOR. */
  count = 0;
  /** Keys, AOR_KEY_BYTES each. */
  readonly keys: Uint8Array;
  /** Bounds of each entry's record in `bytes`; equal bounds mean a removal of the AOR's record, or a refresh (`refreshes`). */
  readonly at: Int32Array;
  readonly end: Int32Array;
  /** 1: the record stays, and `rows` has the fields that a refresh changes. */
  readonly refreshes: Uint8Array;
  /** New rows, ROW_WORDS each, without place and links. */
  readonly rows: Uint32Array;
  /** Bindings of each entry's record. */
  readonly bindings: Uint8Array;
  /** Records; grows when a batch needs more. */
  bytes: Buffer;
  private used = 0;
  private readonly capacity: number;
  private readonly index = new Int16Array(INDEX_SLOTS).fill(-1);
  private readonly keyWords: Uint32Array;

  /** @param capacity AORs a batch may change; at most half of the index */
  constructor(capacity = 1024, bytes = WRITES_AT_FIRST) {
    if (capacity > INDEX_SLOTS / 2) throw new RangeError(`a batch changes at most ${INDEX_SLOTS / 2} AORs`);
    this.capacity = capacity;
    this.keys = new Uint8Array(capacity * AOR_KEY_BYTES);
    this.keyWords = new Uint32Array(this.keys.buffer);
    this.at = new Int32Array(capacity);
    this.end = new Int32Array(capacity);
    this.refreshes = new Uint8Array(capacity);
    this.rows = new Uint32Array(capacity * ROW_WORDS);
    this.bindings = new Uint8Array(capacity);
    this.bytes = Buffer.allocUnsafeSlow(bytes);
  }

  /** Bytes of its records. */
  get length(): number {
    return this.used;
  }

  get full(): boolean {
    return this.count === this.capacity;
  }

  /** Whether an AOR has bindings afterwards. */
  get leavesRecords(): boolean {
    for (let entry = 0; entry < this.count; entry++)
      if (this.end[entry] > this.at[entry] || this.refreshes[entry] === 1) return true;
    return false;
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

  /** Reserves memory for a record of at most `size` bytes and returns where to write it in `bytes`; `put` then claims it. */
  reserve(size: number): number {
    if (this.used + size > this.bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.used + size));
      this.bytes.copy(grown, 0, 0, this.used);
      this.bytes = grown;
    }
    return this.used;
  }

  /**
   * Sets the record of a key to `length` bytes written at the last `reserve`; length 0 removes the AOR's record.
   * Until `describe` is called, the AOR is not plain and never expires. Returns the entry.
   */
  put(k0: number, k1: number, k2: number, k3: number, length: number): number {
    const entry = this.entryFor(k0, k1, k2, k3);
    this.at[entry] = this.used;
    this.used += length;
    this.end[entry] = this.used;
    this.refreshes[entry] = 0;
    this.bindings[entry] = length > 0 ? 1 : 0;
    const row = entry * ROW_WORDS;
    for (let i = KEY_WORDS; i < ROW_WORDS; i++) this.rows[row + i] = 0;
    return entry;
  }

  /** Sets the number of bindings of the record just put, and the end of the first of them (epoch ms). */
  describe(entry: number, bindings: number, expiresAt: number): void {
    this.bindings[entry] = bindings > COUNTED_MAX ? COUNTED_MAX : bindings;
    setExpires(this.rows, entry * ROW_WORDS + ROW_EXPIRES, expiresAt, 0);
  }

  /** The record just put has one binding, and this is its row. A row that cannot hold its granted interval is not plain. */
  describePlain(entry: number, binding: RowCopy): void {
    this.describe(entry, 1, binding.expiresAt);
    if (binding.grantedS > GRANTED_MAX_S) return;
    this.setRow(entry, binding);
  }

  /** The only binding of an AOR has been refreshed: its row becomes this. */
  refresh(k0: number, k1: number, k2: number, k3: number, binding: RowCopy): void {
    const entry = this.entryFor(k0, k1, k2, k3);
    this.at[entry] = this.used;
    this.end[entry] = this.used;
    this.refreshes[entry] = 1;
    this.bindings[entry] = 1;
    this.setRow(entry, binding);
  }

  /** The new row of an entry. */
  copyRow(entry: number, into: RowCopy): void {
    into.copyFrom(this.rows, entry * ROW_WORDS, -1);
  }

  /** Exchanges all content with another set of the same capacity. @cold */
  swap(other: WriteSet): void {
    const mine = { ...this };
    Object.assign(this, other);
    Object.assign(other, mine);
  }

  clear(): void {
    if (this.count > 0) this.index.fill(-1);
    this.count = 0;
    this.used = 0;
  }

  private setRow(entry: number, binding: RowCopy): void {
    const { rows } = this;
    const row = entry * ROW_WORDS;
    rows[row + ROW_IDENTITY] = binding.identityHigh;
    rows[row + ROW_IDENTITY + 1] = binding.identityLow;
    setExpires(rows, row + ROW_EXPIRES, binding.expiresAt, binding.grantedS);
    rows[row + ROW_CSEQ] = binding.cseq;
    rows[row + ROW_EPOCH] = binding.epoch;
    rows[row + ROW_NONCE] = binding.nonceId;
    rows[row + ROW_NONCE + 1] = binding.highestNc;
  }

  private entryFor(k0: number, k1: number, k2: number, k3: number): number {
    const found = this.find(k0, k1, k2, k3);
    if (found >= 0) return found;
    const entry = this.count++;
    this.setKey(this.keyWords, entry << 2, k0, k1, k2, k3);
    this.setKey(this.rows, entry * ROW_WORDS, k0, k1, k2, k3);
    let slot = k0 & (INDEX_SLOTS - 1);
    while (this.index[slot] >= 0) slot = (slot + 1) & (INDEX_SLOTS - 1);
    this.index[slot] = entry;
    return entry;
  }

  private setKey(words: Uint32Array, at: number, k0: number, k1: number, k2: number, k3: number): void {
    words[at] = k0;
    words[at + 1] = k1;
    words[at + 2] = k2;
    words[at + 3] = k3;
  }
}
