// The file of a generation as bytes, without LMDB: frames are after the header of a page, contiguous and never moved, so they are read in place. An
// unreadable sector costs only the frames in it; through a memory map it would end the process.

import { close, closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { readAround } from '../around.ts';
import { claimedAddress, claimedChecksum, claimedLength, claimsFrame, FRAME_HEADER_BYTES } from '../log-frame.ts';

export const PAGE_BYTES = 4096;
export const PAGE_HEADER_BYTES = 24;
/** A shorter value may share a page with others and move with it: a value of this length or more has contiguous pages of its own for ever. */
export const VALUE_BYTES_MIN = 2040;
/** The key of a frame: its address, and a further byte where its commit need not last. */
export const LASTING_KEY_BYTES = 8;
export const KEY_BYTES = LASTING_KEY_BYTES + 1;
const WINDOW_BYTES = 1 << 20;

// LMDB's pages: offsets in bytes. The first two are meta pages; the newest transaction's names the root of the tree.
const META_ROOT = 136;
const META_TRANSACTION = 152;
const META_BYTES = 160;
const PAGE_NUMBER = 0;
const PAGE_TRANSACTION = 8;
const PAGE_FLAGS = 18;
const PAGE_LOWER = 20;
const BRANCH = 1;
const LEAF = 2;
const META = 8;
const NODE_KEY_SIZE = 6;
const NODE_KEY = 8;
const DEPTH_MAX = 8;
/** Tries to read a tree whose pages may be reused meanwhile. */
const LOOKS_MAX = 10;

/** A frame of a file; `offset` is that of its first byte. */
export interface FrameAt {
  readonly offset: number;
  readonly address: number;
  readonly length: number;
}

export class GenerationFile {
  readonly fd: number;
  private readonly header = new Uint8Array(new ArrayBuffer(FRAME_HEADER_BYTES));
  private readonly headerWords = new Uint32Array(this.header.buffer);
  private page: Buffer | null = null;

  constructor(path: string) {
    this.fd = openSync(path, 'r');
  }

  get size(): number {
    return fstatSync(this.fd).size;
  }

  read(offset: number, into: Uint8Array, at: number, length: number): number {
    return readSync(this.fd, into, at, length, offset);
  }

  /**
   * First page of the value that was committed last: the sealed frame in `bytes`.
   * @param guess page to check first
   * @throws Error where it is not found
   */
  pageOf(bytes: Uint8Array<ArrayBufferLike>, guess: number): number {
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, FRAME_HEADER_BYTES / 4);
    if (this.holds(words, guess)) return guess;
    const { page } = this.lastNode();
    if (this.holds(words, page)) return page;
    throw new Error('what was written is not in the file');
  }

  close(): void {
    closeSync(this.fd);
  }

  /** Closes the file in another thread: the last to close a removed file waits until its blocks are freed. */
  closeLater(): void {
    close(this.fd, () => {});
  }

  private holds(words: Uint32Array, page: number): boolean {
    const { header, headerWords } = this;
    const got = readSync(this.fd, header, 0, header.length, page * PAGE_BYTES + PAGE_HEADER_BYTES);
    if (got < header.length) return false;
    return (
      claimsFrame(headerWords, 0, headerWords.length) &&
      claimedAddress(headerWords, 0) === claimedAddress(words, 0) &&
      claimedChecksum(headerWords, 0) === claimedChecksum(words, 0) &&
      claimedLength(headerWords, 0) === claimedLength(words, 0)
    );
  }

  /** Address of the last frame, -1 before the first; undefined: the tree that names it is unreadable. */
  lastAddress(): number | undefined {
    return this.look(() => addressIn(this.lastNode().key));
  }

  /**
   * Address of the last frame whose commit was to last, -1 without one; undefined: no tree that names it is readable. Then this frame and all
   * before it are on disk.
   * @param isPossible whether an address is one of the generation's: of a page of the tree a power cut may leave parts
   */
  settledAddress(isPossible: (address: number) => boolean = () => true): number | undefined {
    const read = (meta: Meta) => {
      const key = this.lastLasting(meta);
      if (key === undefined) return -1;
      const address = addressIn(key);
      if (!isPossible(address)) throw new Error('the tree makes no sense');
      return address;
    };
    const settled = this.look(() => read(this.readMeta()));
    if (settled !== undefined) return settled;
    try {
      return read(this.readMeta(true)); // a power cut may leave the last meta page without its tree
    } catch {
      return undefined;
    }
  }

  /** What `read` finds in one transaction's tree; undefined: it is unreadable. */
  private look<T>(read: () => T): T | undefined {
    for (let looks = 0; looks < LOOKS_MAX; looks++) {
      try {
        const { transaction } = this.readMeta();
        const found = read();
        if (this.readMeta().transaction === transaction) return found; // until the next transaction, pages of a tree do not change
      } catch {
        // the tree may have changed meanwhile
      }
    }
    return undefined;
  }

  /**
   * The node of the greatest key, by the tree of the newest transaction: valid until the next read. `page` is the first page of its
   * value.
   * @throws Error if that tree is invalid
   */
  private lastNode(): Node {
    const meta = this.readMeta();
    let number = meta.root;
    for (let depth = 0; depth < DEPTH_MAX; depth++) {
      const page = this.readTreePage(number, meta);
      const last = nodesOf(page) - 1;
      if (isLeaf(page)) return leafNode(page, last);
      number = childOf(page, last);
    }
    throw new Error('the tree makes no sense');
  }

  /** The greatest key of a frame that was to last. @throws Error if the tree is invalid */
  private lastLasting(meta: Meta, number = meta.root, depth = 0): Buffer | undefined {
    if (depth === DEPTH_MAX) throw new Error('the tree makes no sense');
    const page = Buffer.from(this.readTreePage(number, meta));
    for (let node = nodesOf(page) - 1; node >= 0; node--) {
      const key = isLeaf(page) ? leafNode(page, node).key : this.lastLasting(meta, childOf(page, node), depth + 1);
      if (key?.length === LASTING_KEY_BYTES) return key;
    }
    return undefined;
  }

  /** A page of a transaction's tree, valid until the next read. @throws Error if it is of no tree, or of a later transaction's */
  private readTreePage(number: number, { page, transaction }: Meta): Buffer {
    const got = readSync(this.fd, page, 0, PAGE_BYTES, number * PAGE_BYTES);
    const isTree = got === PAGE_BYTES && (page.readUInt16LE(PAGE_FLAGS) & (BRANCH | LEAF)) !== 0;
    if (!isTree || page.readBigUInt64LE(PAGE_NUMBER) !== BigInt(number) || nodesOf(page) === 0)
      throw new Error('the tree makes no sense');
    if (page.readBigUInt64LE(PAGE_TRANSACTION) > transaction) throw new Error('the tree is of another transaction');
    return page;
  }

  /** Content of the newest transaction's meta page, or the other one; `page` is a buffer for the next read. */
  private readMeta(isOther = false): Meta {
    this.page ??= Buffer.alloc(PAGE_BYTES + META_BYTES);
    const { page } = this;
    readSync(this.fd, page, 0, page.length, 0);
    const [first, second] = [
      page.readBigUInt64LE(META_TRANSACTION),
      page.readBigUInt64LE(PAGE_BYTES + META_TRANSACTION),
    ];
    const isSecond = second > first !== isOther;
    const root = Number(page.readBigUInt64LE((isSecond ? PAGE_BYTES : 0) + META_ROOT));
    return { page, root, transaction: isSecond ? second : first };
  }
}

interface Meta {
  readonly page: Buffer;
  readonly root: number;
  readonly transaction: bigint;
}

interface Node {
  readonly key: Buffer;
  /** First page of its value. */
  readonly page: number;
}

/** Address that the key of a frame names; -1: it is the key of no frame. */
function addressIn(key: Buffer): number {
  return key.length < LASTING_KEY_BYTES ? -1 : key.readUInt32BE(0) * 4294967296 + key.readUInt32BE(4);
}

function isLeaf(page: Buffer): boolean {
  return (page.readUInt16LE(PAGE_FLAGS) & BRANCH) === 0;
}

function nodesOf(page: Buffer): number {
  return page.readUInt16LE(PAGE_LOWER) >> 1;
}

function nodeAt(page: Buffer, node: number): number {
  return PAGE_HEADER_BYTES + page.readUInt16LE(PAGE_HEADER_BYTES + node * 2);
}

function childOf(page: Buffer, node: number): number {
  const at = nodeAt(page, node);
  return page.readUInt32LE(at) + page.readUInt16LE(at + 4) * 4294967296;
}

function leafNode(page: Buffer, node: number): Node {
  const at = nodeAt(page, node);
  const keyEnd = at + NODE_KEY + page.readUInt16LE(at + NODE_KEY_SIZE);
  return { key: page.subarray(at + NODE_KEY, keyEnd), page: Number(page.readBigUInt64LE(keyEnd)) };
}

/** Whether a page is one of LMDB's own: it holds no value of VALUE_BYTES_MIN or more. */
export function isOfTree(page: Buffer): boolean {
  return page.length === PAGE_BYTES && (page.readUInt16LE(PAGE_FLAGS) & (BRANCH | LEAF | META)) !== 0;
}

/** Searches files that do not change for frames, by their headers, in windows; skips unreadable pages. */
export class FrameSearch {
  private readonly window = new Uint8Array(new ArrayBuffer(WINDOW_BYTES));
  private readonly words = new Uint32Array(this.window.buffer);
  private file: GenerationFile | null = null;
  private windowAt = 0;
  private windowEnd = 0;

  /** The first frame with a header at or after `offset`. @param unreadable gets the offset of each unreadable page */
  find(file: GenerationFile, offset: number, unreadable: (offset: number) => void): FrameAt | null {
    if (this.file !== file) this.windowEnd = 0;
    this.file = file;
    const first = Math.max(0, Math.ceil((offset - PAGE_HEADER_BYTES) / PAGE_BYTES));
    for (let at = first * PAGE_BYTES; this.bring(at, unreadable); at += PAGE_BYTES) {
      const w = (at - this.windowAt + PAGE_HEADER_BYTES) >> 2;
      if (!claimsFrame(this.words, w, WINDOW_BYTES >> 2)) continue;
      const address = claimedAddress(this.words, w);
      return { offset: at + PAGE_HEADER_BYTES, address, length: claimedLength(this.words, w) };
    }
    return null;
  }

  /** Brings the page at `at` into the window; false: the file ends before. */
  private bring(at: number, unreadable: (offset: number) => void): boolean {
    if (at >= this.windowAt && at + PAGE_BYTES <= this.windowEnd) return true;
    this.windowAt = at;
    this.windowEnd = at + this.readAround(at, unreadable);
    return this.windowEnd >= at + PAGE_BYTES;
  }

  /** Fills the window, with zeros for unreadable pages. */
  private readAround(at: number, unreadable: (offset: number) => void): number {
    const { file, window } = this;
    if (file === null) return 0;
    let isWhole = true;
    const got = readAround(file, at, window, 0, WINDOW_BYTES, (offset) => {
      isWhole = false;
      unreadable(offset);
    });
    return isWhole ? got : Math.min(WINDOW_BYTES, file.size - at);
  }
}
