// The frame of a batch, built in one buffer that is used again (layout: log-frame). @hot

import { FRAME_AT_FIRST, FRAME_ENTRIES_AT_FIRST } from '../first-sizes.ts';
import { ROW_EXPIRES, ROW_KEPT_WORDS, ROW_PLACE } from '../table/binding-row.ts';
import {
  ADDRESS,
  addControl,
  addRecord,
  addRefresh,
  addRemoval,
  CHECKSUM,
  claimedChecksum,
  controlCheckAt,
  ENTRIES,
  ENTRY_CONTROL,
  ENTRY_RECORD,
  ENTRY_REFRESH,
  ENTRY_REMOVAL,
  entryKind,
  entrySalt,
  FRAME_HEADER_BYTES,
  KIND_SHIFT,
  LENGTH,
  LENGTH_BITS,
  MAGIC,
  mixWords,
  PREVIOUS,
  RECORD_ENTRY_BYTES,
  REFRESH_WORDS,
  REMOVAL_CHECK,
  REMOVAL_WORDS,
  refreshCheck,
  sealRecordEntry,
  sumOfHeader,
  TIME,
} from './log-frame.ts';

export class FrameWriter {
  /** Bytes of the frame so far. */
  length = FRAME_HEADER_BYTES;
  entries = 0;
  bytes: Uint8Array<ArrayBuffer>;
  private words: Uint32Array;
  /** By entry: its word number, since sealing the frame completes the entry; and for a refresh the tag. */
  private at = new Uint32Array(FRAME_ENTRIES_AT_FIRST);
  private tags = new Uint32Array(FRAME_ENTRIES_AT_FIRST);

  constructor(capacity = FRAME_AT_FIRST) {
    this.bytes = new Uint8Array(new ArrayBuffer(capacity));
    this.words = new Uint32Array(this.bytes.buffer);
  }

  start(): void {
    this.length = FRAME_HEADER_BYTES;
    this.entries = 0;
  }

  /** A new, changed or moved record: row[at …] is its row, bytes[from, end) the record. Returns the entry's offset in the frame. */
  record(
    row: number,
    words: Uint32Array,
    at: number,
    bindings: number,
    bytes: Uint8Array,
    from: number,
    end: number,
  ): number {
    const offset = this.length;
    this.ensure(RECORD_ENTRY_BYTES + end - from + 8);
    const w = offset >> 2;
    this.words[w] = (ENTRY_RECORD << KIND_SHIFT) | row;
    this.words[w + 1] = (bindings << LENGTH_BITS) | (end - from);
    for (let i = 0; i < ROW_KEPT_WORDS; i++) this.words[w + 2 + i] = words[at + i];
    const length = end - from;
    let to = offset + RECORD_ENTRY_BYTES;
    this.bytes.set(bytes.subarray(from, end), to); // a view costs less than a loop over 50 bytes
    for (to += length; (to & 7) !== 0; to++) this.bytes[to] = 0;
    this.length = to;
    this.enter(w, 0);
    return offset;
  }

  /** words[at …] are the row's words from ROW_EXPIRES to ROW_PLACE. */
  refresh(row: number, tag: number, words: Uint32Array, at: number): void {
    const w = this.length >> 2;
    this.ensure(REFRESH_WORDS * 4);
    this.words[w] = (ENTRY_REFRESH << KIND_SHIFT) | row;
    for (let i = 0; i < ROW_PLACE - ROW_EXPIRES; i++) this.words[w + 2 + i] = words[at + i];
    this.words[w + 1] = (tag ^ refreshCheck(this.words, w)) >>> 0;
    this.length += REFRESH_WORDS * 4;
    this.enter(w, tag);
  }

  /** words[at …] are the AOR's key. */
  removal(row: number, words: Uint32Array, at: number): void {
    const w = this.length >> 2;
    this.ensure(REMOVAL_WORDS * 4);
    this.words[w] = (ENTRY_REMOVAL << KIND_SHIFT) | row;
    for (let i = 0; i < 4; i++) this.words[w + 1 + i] = words[at + i];
    this.words[w + REMOVAL_CHECK] = mixWords(this.words, w, w + REMOVAL_CHECK);
    this.length += REMOVAL_WORDS * 4;
    this.enter(w, 0);
  }

  /** An entry without a row: a subtype (not 0) and its words. @cold */
  control(subtype: number, content: readonly number[]): void {
    const w = this.length >> 2;
    const size = (content.length + 4) & ~1; // subtype, size, content, checksum
    this.ensure(size * 4);
    this.words.fill(0, w, w + size);
    this.words.set([subtype, size, ...content], w);
    this.words[w + size - 1] = mixWords(this.words, w, w + size - 1);
    this.length += size * 4;
    this.enter(w, 0);
  }

  /** Checksum of the frame sealed last. */
  get checksum(): number {
    return claimedChecksum(this.words, 0);
  }

  /** Completes the header of a frame for `address`, whose predecessor is at `previous`. */
  seal(address: number, previous: number, now: number): void {
    const { words } = this;
    words[0] = MAGIC;
    words[LENGTH] = this.length;
    words[ADDRESS] = address % 4294967296;
    words[ADDRESS + 1] = Math.floor(address / 4294967296);
    words[ENTRIES] = this.entries;
    words[TIME] = now % 4294967296;
    words[TIME + 1] = Math.floor(now / 4294967296);
    words[PREVIOUS] = previous % 4294967296;
    words[PREVIOUS + 1] = Math.floor(previous / 4294967296);
    words[CHECKSUM] = this.sealEntries(address);
  }

  /** Undoes a seal, so that the same entries can be sealed for another address. @cold */
  unseal(): void {
    const { words, at } = this;
    const salt = entrySalt(words, 0);
    for (let i = 0; i < this.entries; i++) {
      const w = at[i];
      const kind = entryKind(words, w);
      if (kind === ENTRY_REFRESH) words[w + 1] ^= salt;
      else if (kind === ENTRY_REMOVAL) words[w + REMOVAL_CHECK] ^= salt;
      else if (kind === ENTRY_CONTROL) words[controlCheckAt(words, w)] ^= salt;
    }
  }

  /** Binds the entries to the frame's address; returns its checksum. */
  private sealEntries(address: number): number {
    const { words, at, tags } = this;
    const salt = entrySalt(words, 0);
    let sum = sumOfHeader(words, 0);
    for (let i = 0; i < this.entries; i++) {
      const w = at[i];
      const kind = entryKind(words, w);
      if (kind === ENTRY_REFRESH) {
        words[w + 1] ^= salt;
        sum = addRefresh(sum, tags[i]);
      } else if (kind === ENTRY_REMOVAL) {
        words[w + REMOVAL_CHECK] ^= salt;
        sum = addRemoval(sum, words, w);
      } else if (kind === ENTRY_CONTROL) {
        words[controlCheckAt(words, w)] ^= salt;
        sum = addControl(sum, words, w);
      } else {
        sealRecordEntry(words, w, address);
        sum = addRecord(sum, words, w);
      }
    }
    return sum >>> 0;
  }

  private enter(w: number, tag: number): void {
    const i = this.entries++;
    if (i === this.at.length) {
      this.at = grown(this.at);
      this.tags = grown(this.tags);
    }
    this.at[i] = w;
    this.tags[i] = tag;
  }

  private ensure(size: number): void {
    if (this.length + size <= this.bytes.length) return;
    const grown = new Uint8Array(new ArrayBuffer(Math.max(this.bytes.length * 2, (this.length + size + 7) & ~7)));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
    this.words = new Uint32Array(grown.buffer);
  }
}

function grown(words: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const more = new Uint32Array(words.length * 2);
  more.set(words);
  return more;
}
