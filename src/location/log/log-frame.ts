// Reads the log's bytes: a frame per batch, its entries, their checksums (layout: decisions/0100). frame-writer writes them; log decides the place of
// a frame. @hot

import { openRecord } from '../record.ts';

export const FRAME_HEADER_BYTES = 40;
const HEADER_WORDS = FRAME_HEADER_BYTES >> 2;
export const MAGIC = 0x6d617246;
/** Magic of frames before format 4: their checksum is over all of their words, and their removals and refreshes do not name the frame. */
const OLD_MAGIC = 0x32676f6c;
export const LENGTH = 1; // word numbers
export const ADDRESS = 2;
export const CHECKSUM = 4;
export const ENTRIES = 5;
export const TIME = 6;
export const PREVIOUS = 8;

/** An entry without a row (control-entry.ts): word 0 is its subtype, not 0; word 1 its number of words; the last is a checksum. */
export const ENTRY_CONTROL = 0;
export const ENTRY_RECORD = 1;
export const ENTRY_REFRESH = 2;
export const ENTRY_REMOVAL = 3;
export const KIND_SHIFT = 30;
const ROWS_MAX = 2 ** KIND_SHIFT;

export const LENGTH_BITS = 26;
/** Bytes of a record entry before the record. */
export const RECORD_ENTRY_BYTES = 64;
const RECORD_ENTRY_WORDS = RECORD_ENTRY_BYTES >> 2;
/** Words of a record entry: its frame's address, in units of 8, the low 32 bits; and the checksum over the words before. */
const RECORD_FRAME = 14;
const RECORD_CHECK = 15;
/** The record's own checksum. */
const RECORD_SUM = 17;
export const REFRESH_WORDS = 8;
export const REMOVAL_WORDS = 6;
export const REMOVAL_CHECK = 5;
const CONTROL_WORDS_MIN = 4;
const CONTROL_WORDS_MAX = 64;

/** Address that the first frame of a log names as the one before. */
export const NO_PREVIOUS = 2 ** 52;

/** Result of `frameLength` without a sound frame. */
export const NO_FRAME = 0;

/**
 * Length in bytes of the sound frame for `address` at words[w …], of which `words` holds all up to `end` (word number);
 * NO_FRAME if there is none, it is not sound, or its end is missing.
 * @param bytes the memory of `words`
 */
export function frameLength(bytes: Uint8Array, words: Uint32Array, w: number, end: number, address: number): number {
  if (!claimsFrame(words, w, end) || claimedAddress(words, w) !== address) return NO_FRAME;
  const length = words[w + LENGTH];
  const frameEnd = w + (length >> 2);
  if (frameEnd > end) return NO_FRAME;
  const isSound =
    words[w] === OLD_MAGIC
      ? words[w + CHECKSUM] === oldChecksum(words, w, length >> 2)
      : isSumRight(bytes, words, w, frameEnd);
  return isSound ? length : NO_FRAME;
}

/** Whether words[w …] begin with a header, even if the rest of the frame is damaged. */
export function claimsFrame(words: Uint32Array, w: number, end: number): boolean {
  if (w + HEADER_WORDS > end || (words[w] !== MAGIC && words[w] !== OLD_MAGIC)) return false;
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

/** Time at which the frame at words[w …] was written, epoch ms. */
export function frameTime(words: Uint32Array, w: number): number {
  return words[w + TIME + 1] * 4294967296 + words[w + TIME];
}

/** Length of the frame that claims to begin at words[w …]. */
export function claimedLength(words: Uint32Array, w: number): number {
  return words[w + LENGTH];
}

/** Salt of the checksums of entries in the frame at words[w …]: with another address, none of the entries is sound. */
export function entrySalt(words: Uint32Array, w: number): number {
  return words[w] === OLD_MAGIC ? 0 : saltOf(words[w + ADDRESS], words[w + ADDRESS + 1]);
}

/** @param low @param high words of a frame's address */
export function saltOf(low: number, high: number): number {
  return mixStep(mixStep(0x811c9dc5, low), high);
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

/** Words of the entry at `w`; 0: it is no entry. */
export function entryWords(words: Uint32Array, w: number): number {
  const kind = entryKind(words, w);
  if (kind === ENTRY_REFRESH) return REFRESH_WORDS;
  if (kind === ENTRY_REMOVAL) return REMOVAL_WORDS;
  if (kind === ENTRY_CONTROL) return controlWords(words, w);
  return RECORD_ENTRY_WORDS + (((recordLength(words, w) + 7) & ~7) >> 2);
}

/** Zeros are no entry. */
function controlWords(words: Uint32Array, w: number): number {
  const size = words[w + 1];
  const isEntry = words[w] !== 0 && size >= CONTROL_WORDS_MIN && size <= CONTROL_WORDS_MAX && (size & 1) === 0;
  return isEntry ? size : 0;
}

/** Bytes of the record in a record entry. */
export function recordLength(words: Uint32Array, w: number): number {
  return words[w + 1] & ((1 << LENGTH_BITS) - 1);
}

export function recordBindings(words: Uint32Array, w: number): number {
  return words[w + 1] >>> LENGTH_BITS;
}

/**
 * Whether the record entry at `w`, of which `words` holds all up to `end` (word number), is as it was written; the record itself has a
 * checksum of its own.
 */
export function isRecordEntrySound(words: Uint32Array, w: number, end: number): boolean {
  return w + RECORD_ENTRY_WORDS <= end && isRecordHeadSound(words, w) && w + entryWords(words, w) <= end;
}

/** The same for the part before the record. */
export function isRecordHeadSound(words: Uint32Array, w: number): boolean {
  return entryKind(words, w) === ENTRY_RECORD && words[w + RECORD_CHECK] === mixWords(words, w, w + RECORD_CHECK);
}

/** Address of the frame that a record entry was written in; `near` is one within 16 GiB. */
export function recordFrame(words: Uint32Array, w: number, near: number): number {
  const units = near / 8;
  const ahead = (words[w + RECORD_FRAME] - (units % 4294967296)) | 0;
  return (units + ahead) * 8;
}

/** Word 2 of the row of a refresh, if the entry is sound; any number otherwise. @param salt of its frame */
export function refreshTag(words: Uint32Array, w: number, salt: number): number {
  return (words[w + 1] ^ refreshCheck(words, w) ^ salt) >>> 0;
}

/** @param salt of its frame */
export function isRemovalSound(words: Uint32Array, w: number, end: number, salt: number): boolean {
  if (w + REMOVAL_WORDS > end || entryKind(words, w) !== ENTRY_REMOVAL) return false;
  return words[w + REMOVAL_CHECK] === (mixWords(words, w, w + REMOVAL_CHECK) ^ salt) >>> 0;
}

/** @param salt of its frame */
export function isControlSound(words: Uint32Array, w: number, end: number, salt: number): boolean {
  const size = entryKind(words, w) === ENTRY_CONTROL ? controlWords(words, w) : 0;
  if (size === 0 || w + size > end) return false;
  return words[controlCheckAt(words, w)] === (mixWords(words, w, w + size - 1) ^ salt) >>> 0;
}

/** Word of a control entry's checksum. */
export function controlCheckAt(words: Uint32Array, w: number): number {
  return w + words[w + 1] - 1;
}

/** Start of an entry's row, key or words of a refresh. */
export function recordRowAt(w: number): number {
  return w + 2;
}

export function refreshWordsAt(w: number): number {
  return w + 2;
}

export function removalKeyAt(w: number): number {
  return w + 1;
}

/** Completes a record entry of the frame at an address. */
export function sealRecordEntry(words: Uint32Array, w: number, address: number): void {
  words[w + RECORD_FRAME] = (address / 8) % 4294967296;
  words[w + RECORD_CHECK] = mixWords(words, w, w + RECORD_CHECK);
}

/** Checksum of all words of a refresh but its second. */
export function refreshCheck(words: Uint32Array, w: number): number {
  return mixWords(words, w + 2, w + REFRESH_WORDS) ^ Math.imul(words[w], 0x9e3779b1);
}

/** A checksum of words[from, end); each step is a bijection. */
export function mixWords(words: Uint32Array, from: number, end: number): number {
  let sum = 0x811c9dc5 ^ (end - from);
  for (let i = from; i < end; i++) sum = mixStep(sum, words[i]);
  return sum >>> 0;
}

function mixStep(sum: number, word: number): number {
  const mixed = Math.imul(sum ^ word, 0x9e3779b1);
  return mixed ^ (mixed >>> 15);
}

// A frame's checksum is over its header and the checksums of its entries.

/** Checksum of the header at words[w …]. */
export function sumOfHeader(words: Uint32Array, w: number): number {
  let sum = mixWords(words, w, w + CHECKSUM);
  for (let i = w + ENTRIES; i < w + HEADER_WORDS; i++) sum = mixStep(sum, words[i]);
  return sum;
}

/** `sum` with a sealed record entry. */
export function addRecord(sum: number, words: Uint32Array, w: number): number {
  return mixStep(mixStep(sum, words[w + RECORD_CHECK]), words[w + RECORD_SUM]);
}

/** `sum` with a refresh of a row with this tag. */
export function addRefresh(sum: number, tag: number): number {
  return mixStep(sum, tag);
}

/** `sum` with a sealed removal. */
export function addRemoval(sum: number, words: Uint32Array, w: number): number {
  return mixStep(sum, words[w + REMOVAL_CHECK]);
}

/** `sum` with a sealed control entry. */
export function addControl(sum: number, words: Uint32Array, w: number): number {
  return mixStep(sum, words[controlCheckAt(words, w)]);
}

function isSumRight(bytes: Uint8Array, words: Uint32Array, frame: number, end: number): boolean {
  const salt = entrySalt(words, frame);
  let sum = sumOfHeader(words, frame);
  let w = firstEntry(frame);
  for (let left = words[frame + ENTRIES]; left > 0; left--) {
    const size = w < end ? entryWords(words, w) : 0;
    if (size === 0 || w + size > end) return false;
    const kind = entryKind(words, w);
    if (kind === ENTRY_REFRESH) sum = addRefresh(sum, refreshTag(words, w, salt));
    else if (kind === ENTRY_REMOVAL) {
      if (!isRemovalSound(words, w, end, salt)) return false;
      sum = addRemoval(sum, words, w);
    } else if (kind === ENTRY_CONTROL) {
      if (!isControlSound(words, w, end, salt)) return false;
      sum = addControl(sum, words, w);
    } else {
      const from = w * 4 + RECORD_ENTRY_BYTES;
      if (!isRecordHeadSound(words, w) || !openRecord(bytes, from, from + recordLength(words, w))) return false;
      sum = addRecord(sum, words, w);
    }
    w += size;
  }
  return w === end && words[frame + CHECKSUM] === sum >>> 0;
}

/** Checksum of all words of a frame but the checksum itself. */
function oldChecksum(words: Uint32Array, w: number, count: number): number {
  let sum = 0x811c9dc5 ^ count;
  for (let i = 0; i < count; i++) if (i !== CHECKSUM) sum = mixStep(sum, words[w + i]);
  return sum >>> 0;
}
