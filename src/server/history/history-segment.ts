// A file of the history on disk: entries as a shard wrote them (shard/observe/history.ts), the oldest first, after a head of 16 bytes. A full
// one gets an index beside it, by which the entries of an AOR are found without reading the others.

import { constants } from 'node:fs';
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { ENTRY_AT, ENTRY_KEY } from '../../shard/observe/history.ts';
import { entriesIn, entryLength, isOfKey } from '../../shard/observe/history-reader.ts';

export const SEGMENT_HEAD = Buffer.from('AortaHistory 1\n\n');
const INDEX_MAGIC = 0x31786968;
/** In the machine's byte order, little-endian: u32 magic, u32 CRC-32 of the rest, f64 times of the first and last entry (epoch ms). */
const INDEX_HEAD_BYTES = 24;
const PLACE_BYTES = 8;

/** Times of a segment's entries; clocks may have been set meanwhile. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

export function segmentPath(folder: string, number: number): string {
  return join(folder, `${String(number).padStart(10, '0')}.changes`);
}

export function indexPath(folder: string, number: number): string {
  return join(folder, `${String(number).padStart(10, '0')}.index`);
}

/** A segment's entries so far, by key and by time. A place is a number of 64 bits: the first word of the key, above the offset in the file. */
export class SegmentIndex {
  from = Number.POSITIVE_INFINITY;
  to = Number.NEGATIVE_INFINITY;
  private words = new Uint32Array(2048);
  private count = 0;

  /** Adds entries at `offset` of a file. Returns the number of bytes that are complete entries. */
  add(bytes: Buffer, offset: number): number {
    let end = 0;
    for (const at of entriesIn(bytes)) end = at + entryLength(bytes, at);
    this.addWhole(bytes, end, offset);
    return end;
  }

  /**
   * The same for bytes[0, end), known to be complete entries: a storm brings 100,000 a second, and a view of words reads one in a tenth of the
   * time.
   */
  addWhole(bytes: Buffer, end: number, offset: number): void {
    const { buffer, byteOffset } = bytes;
    const view = new DataView(buffer, byteOffset, end);
    for (let at = 0; at < end; at += view.getUint32(at, true)) {
      this.push(view.getUint32(at + ENTRY_KEY, true), offset + at);
      const time = view.getFloat64(at + ENTRY_AT, true);
      if (time < this.from) this.from = time;
      if (time > this.to) this.to = time;
    }
  }

  get places(): BigUint64Array {
    return new BigUint64Array(this.words.slice(0, 2 * this.count).buffer).sort();
  }

  /** The content of the index file. */
  encode(): Buffer {
    const { places } = this;
    const bytes = Buffer.alloc(INDEX_HEAD_BYTES + places.byteLength);
    bytes.set(new Uint8Array(places.buffer), INDEX_HEAD_BYTES);
    bytes.writeUInt32LE(INDEX_MAGIC, 0);
    bytes.writeDoubleLE(this.from, 8);
    bytes.writeDoubleLE(this.to, 16);
    bytes.writeUInt32LE(crc32(bytes.subarray(8)), 4);
    return bytes;
  }

  private push(word: number, offset: number): void {
    if (2 * this.count === this.words.length) {
      const grown = new Uint32Array(2 * this.words.length);
      grown.set(this.words);
      this.words = grown;
    }
    this.words[2 * this.count] = offset;
    this.words[2 * this.count++ + 1] = word;
  }
}

/** The places of an index, sorted, and the span; undefined where the file is missing or damaged. */
export async function readIndex(path: string): Promise<(Span & { readonly places: BigUint64Array }) | undefined> {
  const bytes = await readFile(path).catch(() => undefined);
  if (bytes === undefined || bytes.length < INDEX_HEAD_BYTES || bytes.readUInt32LE(0) !== INDEX_MAGIC) return undefined;
  if (bytes.readUInt32LE(4) !== crc32(bytes.subarray(8))) return undefined;
  const places = new BigUint64Array((bytes.length - INDEX_HEAD_BYTES) / PLACE_BYTES);
  new Uint8Array(places.buffer).set(bytes.subarray(INDEX_HEAD_BYTES));
  return { from: bytes.readDoubleLE(8), to: bytes.readDoubleLE(16), places };
}

/** The offsets of entries whose key begins with a word, the oldest first. @param places sorted */
export function offsetsOf(places: BigUint64Array, word: number): number[] {
  const least = BigInt(word) << 32n;
  let low = 0;
  for (let high = places.length; low < high; ) {
    const middle = (low + high) >> 1;
    if (places[middle] < least) low = middle + 1;
    else high = middle;
  }
  const found: number[] = [];
  for (; low < places.length && places[low] >> 32n === BigInt(word); low++)
    found.push(Number(places[low] & 0xffffffffn));
  return found;
}

/** The entries at these offsets of a segment that are of a key, as bytes. */
export async function readEntries(path: string, offsets: readonly number[], key: Uint32Array): Promise<Buffer[]> {
  const file = await openToRead(path);
  if (file === undefined) return [];
  try {
    const found: Buffer[] = [];
    for (const offset of offsets) {
      const head = await readAt(file, offset, 4);
      const bytes = head.length < 4 ? head : await readAt(file, offset, Math.min(head.readUInt32LE(0), 1 << 16));
      if (entryLength(bytes, 0) > 0 && isOfKey(bytes, 0, key)) found.push(bytes);
    }
    return found;
  } finally {
    await file.close();
  }
}

/** The content of a segment after its head; empty where it is removed or invalid. */
export async function readSegment(path: string): Promise<Buffer> {
  const bytes = await readFile(path).catch(() => SEGMENT_HEAD);
  return bytes.subarray(0, SEGMENT_HEAD.length).equals(SEGMENT_HEAD)
    ? bytes.subarray(SEGMENT_HEAD.length)
    : bytes.subarray(0, 0);
}

function openToRead(path: string): Promise<FileHandle | undefined> {
  return open(path, constants.O_RDONLY).catch(() => undefined);
}

async function readAt(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  const { bytesRead } = await file.read(bytes, 0, length, offset);
  return bytes.subarray(0, bytesRead);
}
