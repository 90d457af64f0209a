// The record of one AOR as bytes: version, checksum, the AOR's text, then binding images back to back. core/binding/binding defines images, the store
// keeps records. A record is current, of an older version (updated when it is read), or damaged (decisions/0104). @hot

import { imagesFromV2 } from './record-v2.ts';

/** 0 version, 1 zero, 2 AOR length (u16), 4 checksum over everything else (u32); little-endian. */
export const RECORD_HEADER_BYTES = 8;

/** Bytes of the largest record: a request that would make a larger one is refused. */
export const RECORD_BYTES_MAX = 65_536;

/**
 * Raised when the layout of record or image changes; `updateRecord` must then read the one before. The formats of data directories, of
 * the read model and of a cluster's frames rise with it, since an older program takes newer records for damaged ones.
 */
export const RECORD_VERSION = 3;
export const OLDEST_VERSION = 2;

const SEED = 0x811c9dc5;
const MULTIPLIER = 0x9e3779b1;

/** Fills in version and checksum of the record [at, end), which has the current layout; the AOR's length must have been set. */
export function sealRecord(bytes: Uint8Array, at: number, end: number): void {
  bytes[at] = RECORD_VERSION;
  bytes[at + 1] = 0;
  const sum = checksum(bytes, at, end);
  bytes[at + 4] = sum;
  bytes[at + 5] = sum >>> 8;
  bytes[at + 6] = sum >>> 16;
  bytes[at + 7] = sum >>> 24;
}

/** Whether [at, end) is a record, of today's version or an older one. False: it is damaged, or a newer program's. */
export function openRecord(bytes: Uint8Array, at: number, end: number): boolean {
  if (end - at < RECORD_HEADER_BYTES || end > bytes.length) return false;
  if (bytes[at] < OLDEST_VERSION || bytes[at] > RECORD_VERSION || bytes[at + 1] !== 0) return false;
  if (RECORD_HEADER_BYTES + recordAorLength(bytes, at) > end - at) return false;
  const sum = bytes[at + 4] | (bytes[at + 5] << 8) | (bytes[at + 6] << 16) | (bytes[at + 7] << 24);
  return sum === checksum(bytes, at, end);
}

/**
 * Updates the record at the start of `bytes`, which openRecord has found sound, to the current version; every record from a log or a
 * file passes this function before its images are read. `bytes` must have room for a record of the largest size.
 * @returns its length
 */
export function updateRecord(bytes: Uint8Array, length: number): number {
  return bytes[0] === RECORD_VERSION ? length : updateOld(bytes, length);
}

/** @cold */
function updateOld(bytes: Uint8Array, length: number): number {
  const images = RECORD_HEADER_BYTES + recordAorLength(bytes, 0);
  let end = length;
  if (bytes[0] === 2) end = imagesFromV2(bytes, images, end);
  sealRecord(bytes, 0, end);
  return end;
}

export function recordAorLength(bytes: Uint8Array, at: number): number {
  return bytes[at + 2] | (bytes[at + 3] << 8);
}

/** @param length 0 to 65535 */
export function setRecordAorLength(bytes: Uint8Array, at: number, length: number): void {
  bytes[at + 2] = length;
  bytes[at + 3] = length >>> 8;
}

/** Four bytes a step, each step a bijection: any damage confined to four aligned bytes changes the sum. */
function checksum(bytes: Uint8Array, at: number, end: number): number {
  let sum = step(SEED ^ (end - at), bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24));
  let i = at + RECORD_HEADER_BYTES;
  for (; i + 4 <= end; i += 4) {
    sum = step(sum, bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24));
  }
  let rest = 0;
  for (let shift = 0; i < end; i++, shift += 8) rest |= bytes[i] << shift;
  return step(sum, rest);
}

function step(sum: number, word: number): number {
  const mixed = Math.imul(sum ^ word, MULTIPLIER);
  return mixed ^ (mixed >>> 15);
}
