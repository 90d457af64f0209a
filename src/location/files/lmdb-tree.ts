// Reads the pages of an LMDB file as bytes, without a map: checks all pages of its newest snapshot, and returns the content of the sound ones.
// Through the map a truncated or invalid page ends the process.

import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { metaOf } from './lmdb-file.ts';

// A page: number (u64), transaction (u64), u16 spare, u16 kind, then u16 lower and upper, or u32 number of consecutive
// pages. Offsets behind the header count from its end.
const HEADER_BYTES = 24;
const KIND = 18;
const LOWER = 20;
const UPPER = 22;
const SPAN = 20;
const BRANCH = 1;
const LEAF = 2;
const OVERFLOW = 4;
// An entry: u16 low and u16 high of a length, u16 flags, u16 length of the key, the key, the value. Of a branch: number of a page.
const ENTRY_BYTES = 8;
const IS_BIG = 1;
const DEPTH_MAX = 32;

/** Keys from `low` up to `high`, by their bytes; null: no bound. */
interface Range {
  readonly low: Buffer | null;
  readonly high: Buffer | null;
}

const ALL: Range = { low: null, high: null };
/** Keys are numbers. */
const NOT_ORDERED = null;

export interface TreeReport {
  /** Damaged pages, with the reason; with a branch page all pages below it are lost. */
  readonly damaged: readonly string[];
  readonly entries: number;
}

/**
 * Reads the newest snapshot of a file. Another process may write meanwhile: a page that then seems damaged is sound at the next
 * read.
 * @param visit gets every entry of the main tree on sound pages; valid only during the call
 */
export function readTree(file: string, visit: (key: Buffer, value: Buffer) => void = () => {}): TreeReport {
  const fd = openSync(file, 'r');
  try {
    const meta = metaOf(fd);
    const tree = new Tree(fd, meta.pageSize);
    tree.walk(meta.freeRoot, () => {}, NOT_ORDERED);
    tree.walk(meta.root, visit, ALL);
    return { damaged: tree.damaged, entries: tree.entries };
  } finally {
    closeSync(fd);
  }
}

class Tree {
  readonly damaged: string[] = [];
  entries = 0;
  private readonly fd: number;
  private readonly pageSize: number;
  private readonly pages: number;
  private readonly seen: Uint8Array;

  constructor(fd: number, pageSize: number) {
    this.fd = fd;
    this.pageSize = pageSize;
    this.pages = Math.floor(fstatSync(fd).size / pageSize);
    this.seen = new Uint8Array(this.pages);
  }

  walk(root: number, visit: (key: Buffer, value: Buffer) => void, range: Range | null, depth = 0): void {
    if (root < 0) return;
    let page: Buffer;
    try {
      page = this.page(root, depth);
    } catch (error) {
      this.damaged.push(`page ${root}: ${error instanceof Error ? error.message : String(error)}`);
      return;
    }
    const isLeaf = page.readUInt16LE(KIND) === LEAF;
    const entries = Array.from({ length: page.readUInt16LE(LOWER) >> 1 }, (_, i) => entryAt(page, i));
    for (const [i, at] of entries.entries()) {
      // The first key of a branch is empty: the pages below it begin at the branch's own lower bound.
      const low = !isLeaf && i === 0 ? (range?.low ?? null) : keyOf(page, at);
      const high = i + 1 < entries.length ? keyOf(page, entries[i + 1]) : (range?.high ?? null);
      if (range !== null && !isIn(low, high, range)) this.damaged.push(`page ${root}: a key stands out of order`);
      if (isLeaf) this.leafEntry(page, at, visit);
      else this.walk(childOf(page, at), visit, range && { low, high }, depth + 1);
    }
  }

  private leafEntry(page: Buffer, at: number, visit: (key: Buffer, value: Buffer) => void): void {
    const keyEnd = at + ENTRY_BYTES + page.readUInt16LE(at + 6);
    const length = page.readUInt32LE(at);
    try {
      const isBig = (page.readUInt16LE(at + 4) & IS_BIG) !== 0;
      const value = isBig
        ? this.bigValue(Number(page.readBigUInt64LE(keyEnd)), length)
        : page.subarray(keyEnd, keyEnd + length);
      visit(page.subarray(at + ENTRY_BYTES, keyEnd), value);
      this.entries++;
    } catch (error) {
      this.damaged.push(`an entry: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  /** A page whose entries are all within its bounds. */
  private page(number: number, depth: number): Buffer {
    if (depth > DEPTH_MAX) throw new Error('it lies too deep');
    const page = this.read(number, 1);
    const kind = page.readUInt16LE(KIND);
    if (kind !== LEAF && kind !== BRANCH) throw new Error('it is of no kind that can stand here');
    const lower = page.readUInt16LE(LOWER);
    const upper = page.readUInt16LE(UPPER);
    const pageBytes = this.pageSize - HEADER_BYTES;
    if (lower % 2 !== 0 || lower > upper || upper > pageBytes || lower === 0)
      throw new Error('its bounds make no sense');
    for (let i = 0; i < lower >> 1; i++) {
      const at = page.readUInt16LE(HEADER_BYTES + 2 * i);
      if (at < upper || at + ENTRY_BYTES > pageBytes) throw new Error('an entry lies outside it');
      if (at + entryBytes(page, HEADER_BYTES + at, kind) > pageBytes) throw new Error('an entry is longer than it');
    }
    return page;
  }

  private bigValue(number: number, length: number): Buffer {
    const span = Math.ceil((HEADER_BYTES + length) / this.pageSize);
    const pages = this.read(number, span);
    if (pages.readUInt16LE(KIND) !== OVERFLOW || pages.readUInt32LE(SPAN) < span)
      throw new Error('its value is cut off');
    return pages.subarray(HEADER_BYTES, HEADER_BYTES + length);
  }

  private read(number: number, count: number): Buffer {
    if (!(number >= 2 && number + count <= this.pages)) throw new Error('it lies behind the end of the file');
    if (this.seen[number] !== 0) throw new Error('it is reached twice');
    this.seen[number] = 1;
    const bytes = Buffer.allocUnsafe(count * this.pageSize);
    for (let done = 0; done < bytes.length; ) {
      const got = readSync(this.fd, bytes, done, bytes.length - done, number * this.pageSize + done);
      if (got === 0) throw new Error('it is cut off');
      done += got;
    }
    if (bytes.readBigUInt64LE(0) !== BigInt(number)) throw new Error('it is another page');
    return bytes;
  }
}

function entryAt(page: Buffer, i: number): number {
  return HEADER_BYTES + page.readUInt16LE(HEADER_BYTES + 2 * i);
}

function keyOf(page: Buffer, at: number): Buffer {
  return page.subarray(at + ENTRY_BYTES, at + ENTRY_BYTES + page.readUInt16LE(at + 6));
}

/** Whether low … high is a range within another one. */
function isIn(low: Buffer | null, high: Buffer | null, range: Range): boolean {
  if (low !== null && high !== null && low.compare(high) >= 0) return false;
  if (low !== null && range.low !== null && low.compare(range.low) < 0) return false;
  return low === null || range.high === null || low.compare(range.high) < 0;
}

function entryBytes(page: Buffer, at: number, kind: number): number {
  const key = page.readUInt16LE(at + 6);
  if (kind === BRANCH) return ENTRY_BYTES + key;
  const isBig = (page.readUInt16LE(at + 4) & IS_BIG) !== 0;
  return ENTRY_BYTES + key + (isBig ? 8 : page.readUInt32LE(at));
}

function childOf(page: Buffer, at: number): number {
  return page.readUInt16LE(at) + page.readUInt16LE(at + 2) * 65_536 + page.readUInt16LE(at + 4) * 4_294_967_296;
}
