// The log's bytes: a frame per batch, its entries, its checksum (layout: decisions/0040). Built and read here, in one buffer
// that is used again; where frames go is log's. @hot

import { ROW_EXPIRES, ROW_KEPT_WORDS, ROW_PLACE } from '../table/binding-row.ts';

export const FRAME_HEADER_BYTES = 40;
const HEADER_WORDS = FRAME_HEADER_BYTES >> 2;
const MAGIC = 0x32676f6c;
const LENGTH = 1; // word numbers
const ADDRESS = 2;
const CHECKSUM = 4;
const ENTRIES = 5;
const TIME = 6;
const PREVIOUS = 8;

export const ENTRY_RECORD = 1;
export const ENTRY_REFRESH = 2;
export const ENTRY_REMOVAL = 3;
const KIND_SHIFT = 30;
const ROWS_MAX = 2 ** KIND_SHIFT;

const LENGTH_BITS = 26;
/** Bytes of a record entry before the record. */
export const RECORD_ENTRY_BYTES = 64;
const RECORD_ENTRY_WORDS = RECORD_ENTRY_BYTES >> 2;
/** Of a record entry: word of its frame's address, in units of 8, the low 32 bits; and of the checksum over the words before. */
const RECORD_FRAME = 14;
const RECORD_CHECK = 15;
const REFRESH_WORDS = 8;
const REMOVAL_WORDS = 6;
const REMOVAL_CHECK = 5;

export class FrameWriter {
  /** Bytes of the frame so far. */
  length = FRAME_HEADER_BYTES;
  entries = 0;
  bytes: Uint8Array<ArrayBuffer>;
  private words: Uint32Array;
  /** Word numbers of the record entries: they get their checksums when the frame is sealed. */
  private readonly recordAt: number[] = [];
  private records = 0;

  constructor(capacity = 1 << 17) {
    this.bytes = new Uint8Array(new ArrayBuffer(capacity));
    this.words = new Uint32Array(this.bytes.buffer);
  }

  start(): void {
    this.length = FRAME_HEADER_BYTES;
    this.entries = 0;
    this.records = 0;
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
    this.room(RECORD_ENTRY_BYTES + end - from + 8);
    const w = offset >> 2;
    this.words[w] = (ENTRY_RECORD << KIND_SHIFT) | row;
    this.words[w + 1] = (bindings << LENGTH_BITS) | (end - from);
    for (let i = 0; i < ROW_KEPT_WORDS; i++) this.words[w + 2 + i] = words[at + i];
    const length = end - from;
    let to = offset + RECORD_ENTRY_BYTES;
    if (length > 512) this.bytes.set(bytes.subarray(from, end), to);
    else for (let i = from; i < end; i++) this.bytes[to + i - from] = bytes[i];
    for (to += length; (to & 7) !== 0; to++) this.bytes[to] = 0;
    this.length = to;
    this.entries++;
    this.recordAt[this.records++] = w;
    return offset;
  }

  /** words[at …] are the row's words from ROW_EXPIRES to ROW_PLACE. */
  refresh(row: number, tag: number, words: Uint32Array, at: number): void {
    const w = this.length >> 2;
    this.room(REFRESH_WORDS * 4);
    this.words[w] = (ENTRY_REFRESH << KIND_SHIFT) | row;
    for (let i = 0; i < ROW_PLACE - ROW_EXPIRES; i++) this.words[w + 2 + i] = words[at + i];
    this.words[w + 1] = (tag ^ refreshCheck(this.words, w)) >>> 0;
    this.length += REFRESH_WORDS * 4;
    this.entries++;
  }

  /** words[at …] are the AOR's key. */
  removal(row: number, words: Uint32Array, at: number): void {
    const w = this.length >> 2;
    this.room(REMOVAL_WORDS * 4);
    this.words[w] = (ENTRY_REMOVAL << KIND_SHIFT) | row;
    for (let i = 0; i < 4; i++) this.words[w + 1 + i] = words[at + i];
    this.words[w + REMOVAL_CHECK] = mixWords(this.words, w, w + REMOVAL_CHECK);
    this.length += REMOVAL_WORDS * 4;
    this.entries++;
  }

  /** Of the frame sealed last. */
  get checksum(): number {
    return claimedChecksum(this.words, 0);
  }

  /** Completes the header of a frame that will lie at `address`, behind the one at `previous`. */
  seal(address: number, previous: number, now: number): void {
    const { words } = this;
    for (let i = 0; i < this.records; i++) sealRecordEntry(words, this.recordAt[i], address);
    words[0] = MAGIC;
    words[LENGTH] = this.length;
    words[ADDRESS] = address % 4294967296;
    words[ADDRESS + 1] = Math.floor(address / 4294967296);
    words[ENTRIES] = this.entries;
    words[TIME] = now % 4294967296;
    words[TIME + 1] = Math.floor(now / 4294967296);
    words[PREVIOUS] = previous % 4294967296;
    words[PREVIOUS + 1] = Math.floor(previous / 4294967296);
    words[CHECKSUM] = checksum(words, 0, this.length >> 2);
  }

  private room(size: number): void {
    if (this.length + size <= this.bytes.length) return;
    const grown = new Uint8Array(new ArrayBuffer(Math.max(this.bytes.length * 2, (this.length + size + 7) & ~7)));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
    this.words = new Uint32Array(grown.buffer);
  }
}

/** What the first frame of a log names as the one before. */
export const NO_PREVIOUS = 2 ** 52;

/** What `frameLength` finds besides a length. */
export const NO_FRAME = 0;

/**
 * Length in bytes of the sound frame for `address` at words[w …], of which `words` holds all up to `end` (word number);
 * NO_FRAME where there is none, or not a sound one, or its end is not there yet.
 */
export function frameLength(words: Uint32Array, w: number, end: number, address: number): number {
  if (!claimsFrame(words, w, end) || claimedAddress(words, w) !== address) return NO_FRAME;
  const length = words[w + LENGTH];
  if (w + (length >> 2) > end) return NO_FRAME;
  return words[w + CHECKSUM] === checksum(words, w, length >> 2) ? length : NO_FRAME;
}

/** Whether a header stands at words[w …], be the rest sound or not. */
export function claimsFrame(words: Uint32Array, w: number, end: number): boolean {
  if (w + HEADER_WORDS > end || words[w] !== MAGIC) return false;
  const length = words[w + LENGTH];
  return length >= FRAME_HEADER_BYTES && (length & 7) === 0;
}

/** Address that the header at words[w …] names. */
export function claimedAddress(words: Uint32Array, w: number): number {
  return words[w + ADDRESS + 1] * 4294967296 + words[w + ADDRESS];
}

/** Address of the frame before. */
export function previousFrame(words: Uint32Array, w: number): number {
  return words[w + PREVIOUS + 1] * 4294967296 + words[w + PREVIOUS];
}

/** Checksum that the header at words[w …] names. */
export function claimedChecksum(words: Uint32Array, w: number): number {
  return words[w + CHECKSUM];
}

/** Length of the frame that claims to begin at words[w …]. */
export function claimedLength(words: Uint32Array, w: number): number {
  return words[w + LENGTH];
}

export function firstEntry(w: number): number {
  return w + HEADER_WORDS;
}

export function entryKind(words: Uint32Array, w: number): number {
  return words[w] >>> KIND_SHIFT;
}

export function entryRow(words: Uint32Array, w: number): number {
  return words[w] & (ROWS_MAX - 1);
}

/** Words of the entry at `w`; 0 where it is none. */
export function entryWords(words: Uint32Array, w: number): number {
  const kind = entryKind(words, w);
  if (kind === ENTRY_REFRESH) return REFRESH_WORDS;
  if (kind === ENTRY_REMOVAL) return REMOVAL_WORDS;
  if (kind !== ENTRY_RECORD) return 0;
  return RECORD_ENTRY_WORDS + (((recordLength(words, w) + 7) & ~7) >> 2);
}

/** Of a record entry: bytes of the record. */
export function recordLength(words: Uint32Array, w: number): number {
  return words[w + 1] & ((1 << LENGTH_BITS) - 1);
}

export function recordBindings(words: Uint32Array, w: number): number {
  return words[w + 1] >>> LENGTH_BITS;
}

/**
 * Whether the record entry at `w`, of which `words` holds all up to `end` (word number), says what was written; the record itself has a
 * checksum of its own.
 */
export function isRecordEntrySound(words: Uint32Array, w: number, end: number): boolean {
  return w + RECORD_ENTRY_WORDS <= end && isRecordHeadSound(words, w) && w + entryWords(words, w) <= end;
}

/** The same of what stands before the record. */
export function isRecordHeadSound(words: Uint32Array, w: number): boolean {
  return entryKind(words, w) === ENTRY_RECORD && words[w + RECORD_CHECK] === mixWords(words, w, w + RECORD_CHECK);
}

/** Address of the frame that a record entry was written in; `near` is one within 16 GiB. */
export function recordFrame(words: Uint32Array, w: number, near: number): number {
  const units = near / 8;
  const ahead = (words[w + RECORD_FRAME] - (units % 4294967296)) | 0;
  return (units + ahead) * 8;
}

/** Of a refresh: word 2 of its row, where the entry is sound; any number otherwise. */
export function refreshTag(words: Uint32Array, w: number): number {
  return (words[w + 1] ^ refreshCheck(words, w)) >>> 0;
}

export function isRemovalSound(words: Uint32Array, w: number, end: number): boolean {
  if (w + REMOVAL_WORDS > end || entryKind(words, w) !== ENTRY_REMOVAL) return false;
  return words[w + REMOVAL_CHECK] === mixWords(words, w, w + REMOVAL_CHECK);
}

/** Where an entry's row, key or words of a refresh begin. */
export function recordRowAt(w: number): number {
  return w + 2;
}

export function refreshWordsAt(w: number): number {
  return w + 2;
}

export function removalKeyAt(w: number): number {
  return w + 1;
}

function sealRecordEntry(words: Uint32Array, w: number, address: number): void {
  words[w + RECORD_FRAME] = (address / 8) % 4294967296;
  words[w + RECORD_CHECK] = mixWords(words, w, w + RECORD_CHECK);
}

/** Of all words of a refresh but its second. */
function refreshCheck(words: Uint32Array, w: number): number {
  return mixWords(words, w + 2, w + REFRESH_WORDS) ^ Math.imul(words[w], 0x9e3779b1);
}

/** A checksum of words[from, end); each step is a bijection. */
export function mixWords(words: Uint32Array, from: number, end: number): number {
  let sum = 0x811c9dc5 ^ (end - from);
  for (let i = from; i < end; i++) {
    sum = Math.imul(sum ^ words[i], 0x9e3779b1);
    sum ^= sum >>> 15;
  }
  return sum >>> 0;
}

/** Of all words of a frame but the checksum itself; each step is a bijection. */
function checksum(words: Uint32Array, w: number, count: number): number {
  let sum = 0x811c9dc5 ^ count;
  for (let i = 0; i < count; i++) {
    if (i === CHECKSUM) continue;
    sum = Math.imul(sum ^ words[w + i], 0x9e3779b1);
    sum ^= sum >>> 15;
  }
  return sum >>> 0;
}
