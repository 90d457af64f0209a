// The file of a generation as bytes, without LMDB: frames lie behind the header of a page, contiguously and for ever, so they are
// read where they lie. A sector that cannot be read costs what lies in it; through a memory map it would end the process.

import { close, closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { readAround } from './around.ts';
import { claimedAddress, claimedChecksum, claimedLength, claimsFrame, FRAME_HEADER_BYTES } from './log-frame.ts';

export const PAGE_BYTES = 4096;
export const PAGE_HEADER_BYTES = 24;
/** A shorter value may share a page with others and move with it: from here on it has pages of its own, contiguous and its for ever. */
export const VALUE_BYTES_MIN = 2040;
const WINDOW_BYTES = 1 << 20;

// LMDB's pages: offsets in bytes. Meta pages are the first two; the newest transaction's says where the tree begins.
const META_ROOT = 136;
const META_TRANSACTION = 152;
const META_BYTES = 160;
const PAGE_FLAGS = 18;
const PAGE_LOWER = 20;
const BRANCH = 1;
const LEAF = 2;
const META = 8;
const NODE_KEY_SIZE = 6;
const NODE_KEY = 8;
const DEPTH_MAX = 8;
/** Of looks at a tree whose pages may be taken for other ones meanwhile. */
const LOOKS_MAX = 10;

/** A frame of a file; `offset` of its first byte. */
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
   * Page that the value begins at which was committed last: the frame in `bytes`, which is sealed.
   * @param guess page to look at first
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

  /** Closes where it costs this thread nothing: the last to close a file without a name waits for its blocks. */
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

  /** Address of the last frame that was settled, -1 before the first; undefined where the tree that says it cannot be read. */
  lastAddress(): number | undefined {
    for (let looks = 0; looks < LOOKS_MAX; looks++) {
      try {
        const { key, transaction } = this.lastNode();
        const address = key.length === 8 ? key.readUInt32BE(0) * 4294967296 + key.readUInt32BE(4) : -1;
        if (this.readMeta().transaction === transaction) return address; // until the next one, pages of a tree are left alone
      } catch {
        // perhaps it has changed meanwhile
      }
    }
    return undefined;
  }

  /**
   * The node of the greatest key, by the tree of the newest transaction: valid until the next read. `page` is where its value begins.
   * @throws Error where that tree makes no sense
   */
  private lastNode(): { readonly key: Buffer; readonly page: number; readonly transaction: bigint } {
    const { page, root, transaction } = this.readMeta();
    let number = root;
    for (let depth = 0; depth < DEPTH_MAX; depth++) {
      if (readSync(this.fd, page, 0, PAGE_BYTES, number * PAGE_BYTES) < PAGE_BYTES) break;
      const nodes = page.readUInt16LE(PAGE_LOWER) >> 1;
      const node = PAGE_HEADER_BYTES + page.readUInt16LE(PAGE_HEADER_BYTES + (nodes - 1) * 2);
      const keyAt = node + NODE_KEY;
      if ((page.readUInt16LE(PAGE_FLAGS) & BRANCH) === 0) {
        const keyEnd = keyAt + page.readUInt16LE(node + NODE_KEY_SIZE);
        return { key: page.subarray(keyAt, keyEnd), page: Number(page.readBigUInt64LE(keyEnd)), transaction };
      }
      number = page.readUInt32LE(node) + page.readUInt16LE(node + 4) * 4294967296;
    }
    throw new Error('the tree makes no sense');
  }

  /** What the newest transaction's meta page says; `page` is for what is read next. */
  private readMeta(): { readonly page: Buffer; readonly root: number; readonly transaction: bigint } {
    this.page ??= Buffer.alloc(PAGE_BYTES + META_BYTES);
    const { page } = this;
    readSync(this.fd, page, 0, page.length, 0);
    const [first, second] = [
      page.readBigUInt64LE(META_TRANSACTION),
      page.readBigUInt64LE(PAGE_BYTES + META_TRANSACTION),
    ];
    const isSecond = second > first;
    const root = Number(page.readBigUInt64LE((isSecond ? PAGE_BYTES : 0) + META_ROOT));
    return { page, root, transaction: isSecond ? second : first };
  }
}

/** Whether a page is one of LMDB's own: it holds no value of VALUE_BYTES_MIN or more. */
export function isOfTree(page: Buffer): boolean {
  return page.length === PAGE_BYTES && (page.readUInt16LE(PAGE_FLAGS) & (BRANCH | LEAF | META)) !== 0;
}

/** Looks for frames by their headers, in windows, in files that do not change; passes over what cannot be read. */
export class FrameSearch {
  private readonly window = new Uint8Array(new ArrayBuffer(WINDOW_BYTES));
  private readonly words = new Uint32Array(this.window.buffer);
  private file: GenerationFile | null = null;
  private windowAt = 0;
  private windowEnd = 0;

  /** The first frame whose header lies at or behind `offset`. @param unreadable is told of each page that cannot be read */
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

  /** Has the page at `at` in the window; false where the file ends before. */
  private bring(at: number, unreadable: (offset: number) => void): boolean {
    if (at >= this.windowAt && at + PAGE_BYTES <= this.windowEnd) return true;
    this.windowAt = at;
    this.windowEnd = at + this.readAround(at, unreadable);
    return this.windowEnd >= at + PAGE_BYTES;
  }

  /** Fills the window, with zeros where nothing can be read. */
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
