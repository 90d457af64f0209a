// The bytes of the feed: a shard's segments, each a header and batches of changes back to back. Written by feed-writer, read by
// server/feed/feed-reader.

import { crc32 } from 'node:zlib';

export const SEGMENT_HEADER_BYTES = 16;
export const BATCH_HEADER_BYTES = 48;
const SEGMENT_MAGIC = 0x31466541;
const BATCH_MAGIC = 0x31426541;
/** First bytes of a batch. */
export const BATCH_START = Buffer.from('AeB1');
const CHECKSUM = 4;
const SUFFIX = '.feed';
const DIGITS = 16;

/** The end of the store's log, or in a cluster of the shard's stream, before a batch's commit: it tells whether the batch was committed. */
export interface LogMark {
  /** Address of the last frame, or its sequence. */
  readonly last: number;
  readonly lastSum: number;
}

export interface SegmentHead {
  /** The last number of the segment before, 0 where there was none. */
  readonly before: number;
  /** Of the log whose commits the segment tells, as `logSum`. */
  readonly log: number;
}

export interface BatchHead extends LogMark {
  /** Bytes of the batch, including its header. */
  readonly length: number;
  readonly first: number;
  readonly lastNumber: number;
}

/** Name of the segment whose first batch begins with this number. */
export function segmentName(first: number): string {
  return String(first).padStart(DIGITS, '0') + SUFFIX;
}

/** First numbers of the segments among these files, in their order. */
export function segmentsOf(files: readonly string[]): number[] {
  return files
    .filter((name) => name.length === DIGITS + SUFFIX.length && name.endsWith(SUFFIX))
    .map((name) => Number(name.slice(0, DIGITS)))
    .filter((first) => Number.isSafeInteger(first))
    .sort((one, other) => one - other);
}

/** Tells logs from one another by their names. */
export function logSum(name: string): number {
  return crc32(name);
}

export function segmentHeader({ before, log }: SegmentHead): Uint8Array {
  const bytes = new Uint8Array(SEGMENT_HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, SEGMENT_MAGIC, true);
  view.setUint32(4, log, true);
  view.setFloat64(8, before, true);
  return bytes;
}

/** Undefined where this is no segment. */
export function readSegmentHeader(bytes: Uint8Array): SegmentHead | undefined {
  if (bytes.length < SEGMENT_HEADER_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  if (view.getUint32(0, true) !== SEGMENT_MAGIC) return undefined;
  return { before: view.getFloat64(8, true), log: view.getUint32(4, true) };
}

/** Writes the header of a batch at its place before the changes. bytes[0, length) is the whole batch. */
export function sealBatch(bytes: Uint8Array, length: number, first: number, lastNumber: number, mark: LogMark): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  view.setUint32(0, BATCH_MAGIC, true);
  view.setUint32(CHECKSUM, 0, true);
  view.setFloat64(8, length, true);
  view.setFloat64(16, first, true);
  view.setFloat64(24, lastNumber, true);
  view.setFloat64(32, mark.last, true);
  view.setUint32(40, mark.lastSum, true);
  view.setUint32(44, 0, true);
  view.setUint32(CHECKSUM, crc32(bytes.subarray(0, length)), true);
}

/** The header of a batch; undefined where there is none. The checksum is not tested. */
export function readBatchHead(bytes: Uint8Array): BatchHead | undefined {
  if (bytes.length < BATCH_HEADER_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const length = view.getFloat64(8, true);
  if (view.getUint32(0, true) !== BATCH_MAGIC || !(length > BATCH_HEADER_BYTES && length < 2 ** 31)) return undefined;
  const first = view.getFloat64(16, true);
  const lastNumber = view.getFloat64(24, true);
  if (!(first <= lastNumber && lastNumber - first < length)) return undefined; // a reader would wait for a number that never comes
  return {
    length,
    first,
    lastNumber,
    last: view.getFloat64(32, true),
    lastSum: view.getUint32(40, true),
  };
}

/** Whether the bytes of a batch are as they were written. The checksum is zeroed in `bytes`. */
export function isBatchSound(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const sum = view.getUint32(CHECKSUM, true);
  view.setUint32(CHECKSUM, 0, true);
  return crc32(bytes) === sum;
}
