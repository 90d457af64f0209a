// All bindings of a shard in memory: a row per AOR, found by its key, in shared memory without an object per binding. The table has committed state
// alone; the log is its source. @hot

import {
  bindingsOf,
  expiresAtOf,
  grantedOf,
  placeOf,
  ROW_EXPIRES,
  ROW_IDENTITY,
  ROW_KEPT_WORDS,
  ROW_KEY,
  ROW_LINKS,
  ROW_PLACE,
  ROW_WORDS,
  setExpires,
  setPlace,
} from './binding-row.ts';
import { KeyIndex, SUB_TABLES, type SubTable } from './key-index.ts';
import { CHUNK_ROWS, chunkOf, createChunk, type RowChunks, wordOf } from './row-chunks.ts';
import { RowWheel } from './row-wheel.ts';

/** Announcements for readers in other threads. */
export type TableNews =
  | { readonly type: 'chunk'; readonly index: number; readonly chunk: Uint32Array }
  | { readonly type: 'sub-table'; readonly index: number; readonly table: SubTable }
  /** Generations of the log before this one are gone. */
  | { readonly type: 'dropped'; readonly tail: number };

/** Index after the versions: the number of announcements. */
export const NEWS_COUNT = SUB_TABLES;

/** Initial data of a reader in another thread; crosses by structured clone. */
export interface TableParts {
  readonly chunks: RowChunks;
  readonly tables: readonly SubTable[];
  /** By sub-table; odd while rows or slots of its keys change. */
  readonly versions: Int32Array;
  /** Number of announcements before these parts. */
  readonly news: number;
  /** Rows whose records a reader found bad: their number, then the last of the rows, + 1. */
  readonly suspects: Int32Array;
}

const SUSPECTS_MAX = 64;

/** For readers in other threads: reports a row whose record is unreadable or damaged, for the shard to examine. @cold */
export function suspect(suspects: Int32Array, row: number): void {
  const slot = Atomics.add(suspects, 0, 1) % SUSPECTS_MAX;
  Atomics.store(suspects, 1 + slot, row + 1);
}

export class BindingTable {
  readonly chunks: RowChunks = [];
  readonly index: KeyIndex;
  readonly wheel: RowWheel;
  readonly versions = new Int32Array(new SharedArrayBuffer((SUB_TABLES + 1) * 4));
  private readonly suspects = new Int32Array(new SharedArrayBuffer((1 + SUSPECTS_MAX) * 4));
  private suspectsSeen = 0;
  /** Rows ever used: the largest number + 1. */
  rows = 0;
  /** Bindings of all AORs; an AOR counts COUNTED_MAX at most. */
  bindings = 0;
  /** First free row + 1, 0 for none. */
  private free = 0;
  private readonly listeners: ((news: TableNews) => void)[] = [];

  constructor() {
    this.index = new KeyIndex({ grown: (sub, table) => this.announce({ type: 'sub-table', index: sub, table }) });
    this.wheel = new RowWheel(this.chunks);
  }

  /** AORs with bindings. */
  get aors(): number {
    return this.index.count;
  }

  /** The current parts; every later chunk and sub-table is announced. @cold */
  share(listener: (news: TableNews) => void): TableParts {
    this.listeners.push(listener);
    const { chunks, index, versions } = this;
    return {
      chunks: [...chunks],
      tables: [...index.tables],
      versions,
      news: versions[NEWS_COUNT],
      suspects: this.suspects,
    };
  }

  /** A row that a reader found bad, or -1. Reports beyond the capacity are lost, and come again. */
  nextSuspect(): number {
    const count = Atomics.load(this.suspects, 0);
    if (count === this.suspectsSeen) return -1;
    if (count - this.suspectsSeen > SUSPECTS_MAX) this.suspectsSeen = count - SUSPECTS_MAX;
    return Atomics.exchange(this.suspects, 1 + (this.suspectsSeen++ % SUSPECTS_MAX), 0) - 1;
  }

  /** @cold */
  announce(news: TableNews): void {
    if (this.listeners.length === 0) return;
    for (const listener of this.listeners) listener(news);
    Atomics.add(this.versions, NEWS_COUNT, 1);
  }

  /** Row of a key, or -1. */
  find(k0: number, k1: number, k2: number, k3: number): number {
    const { index } = this;
    for (let slot = index.first(k2); slot >= 0; slot = index.next(k2, slot)) {
      const row = index.rowAt(k2, slot);
      const chunk = chunkOf(this.chunks, row);
      const at = wordOf(row) + ROW_KEY;
      if (
        chunk[at] === k0 >>> 0 &&
        chunk[at + 1] === k1 >>> 0 &&
        chunk[at + 2] === k2 >>> 0 &&
        chunk[at + 3] === k3 >>> 0
      )
        return row;
    }
    return -1;
  }

  /** A free row, reserved until `put` or `giveBack`. */
  allocate(): number {
    const row = this.free - 1;
    if (row < 0) {
      this.reach(this.rows + 1);
      return this.rows - 1;
    }
    this.free = chunkOf(this.chunks, row)[wordOf(row) + ROW_LINKS];
    return row;
  }

  /** Frees an allocated row that is not needed. */
  giveBack(row: number): void {
    const chunk = chunkOf(this.chunks, row);
    chunk[wordOf(row) + ROW_PLACE + 1] = 0;
    chunk[wordOf(row) + ROW_LINKS] = this.free;
    this.free = row + 1;
  }

  isLive(row: number): boolean {
    return row < this.rows && bindingsOf(chunkOf(this.chunks, row), wordOf(row) + ROW_PLACE) > 0;
  }

  placeOf(row: number): number {
    return placeOf(chunkOf(this.chunks, row), wordOf(row) + ROW_PLACE);
  }

  bindingsOf(row: number): number {
    return bindingsOf(chunkOf(this.chunks, row), wordOf(row) + ROW_PLACE);
  }

  /** Writes the row of an AOR, new or not, from words[at …], ROW_KEPT_WORDS of them. */
  put(row: number, words: Uint32Array, at: number, address: number, bindings: number): void {
    const chunk = chunkOf(this.chunks, row);
    const r = wordOf(row);
    const before = bindingsOf(chunk, r + ROW_PLACE);
    const isEarlier = before > 0 && expiresAtOf(words, at + ROW_EXPIRES) < expiresAtOf(chunk, r + ROW_EXPIRES);
    if (isEarlier) this.wheel.remove(row);
    const tag = words[at + ROW_KEY + 2];
    this.begin(tag);
    for (let i = 0; i < ROW_KEPT_WORDS; i++) chunk[r + i] = words[at + i];
    setPlace(chunk, r + ROW_PLACE, address, bindings);
    if (before === 0) this.index.add(tag, row);
    this.end(tag);
    this.bindings += bindings - before;
    if (before === 0 || isEarlier) this.wheel.add(row);
  }

  /** Applies a refresh: words[at …] are the row's words from ROW_EXPIRES to ROW_PLACE. */
  refresh(row: number, words: Uint32Array, at: number): void {
    const chunk = chunkOf(this.chunks, row);
    const r = wordOf(row) + ROW_EXPIRES;
    const isEarlier = expiresAtOf(words, at) < expiresAtOf(chunk, r);
    if (isEarlier) this.wheel.remove(row);
    const tag = chunk[r - ROW_EXPIRES + ROW_KEY + 2];
    this.begin(tag);
    for (let i = 0; i < ROW_PLACE - ROW_EXPIRES; i++) chunk[r + i] = words[at + i];
    this.end(tag);
    if (isEarlier) this.wheel.add(row);
  }

  /** The record of a row has been moved to another address. */
  move(row: number, address: number): void {
    const chunk = chunkOf(this.chunks, row);
    const r = wordOf(row);
    const tag = chunk[r + ROW_KEY + 2];
    this.begin(tag);
    setPlace(chunk, r + ROW_PLACE, address, bindingsOf(chunk, r + ROW_PLACE));
    this.end(tag);
  }

  /** The AOR has no bindings left. */
  remove(row: number): void {
    const chunk = chunkOf(this.chunks, row);
    const r = wordOf(row);
    this.wheel.remove(row);
    this.bindings -= bindingsOf(chunk, r + ROW_PLACE);
    const tag = chunk[r + ROW_KEY + 2];
    this.begin(tag);
    this.index.remove(tag, row);
    chunk[r + ROW_PLACE + 1] = 0;
    this.end(tag);
    this.giveBack(row);
  }

  // --- following another node: its frame names the rows; the free list is wrong until `settle`

  /** Whether a row can become an AOR's: it is the AOR's already, or it is free and the AOR has none. words[at …] is the AOR's key. */
  mayBecome(row: number, words: Uint32Array, at: number): boolean {
    const known = this.find(words[at], words[at + 1], words[at + 2], words[at + 3]);
    return known === row || (known < 0 && !this.isLive(row));
  }

  /** As `put`, into a row that another node has allocated. */
  putAt(row: number, words: Uint32Array, at: number, address: number, bindings: number): void {
    this.reach(row + 1);
    this.put(row, words, at, address, bindings);
  }

  // --- replay: the log names the rows, free or not; no wheel, no free list until `settle`

  /** As `put`, for a record of the log; removes contradicting entries. @cold */
  replayRecord(row: number, words: Uint32Array, at: number, address: number, bindings: number): void {
    this.reach(row + 1);
    const known = this.find(words[at], words[at + 1], words[at + 2], words[at + 3]);
    if (known >= 0 && known !== row) this.replayRemoval(known, words, at);
    const chunk = chunkOf(this.chunks, row);
    const r = wordOf(row);
    const tag = words[at + ROW_KEY + 2];
    if (known !== row) {
      this.index.remove(chunk[r + ROW_KEY + 2], row);
      this.index.remove(tag, row);
    }
    for (let i = 0; i < ROW_KEPT_WORDS; i++) chunk[r + i] = words[at + i];
    setPlace(chunk, r + ROW_PLACE, address, bindings);
    if (known !== row) this.index.add(tag, row);
  }

  /** Whether a refresh of an AOR with `tag` as third word of its key can be for a row: the row is plain, and has that tag. @cold */
  isRefreshed(row: number, tag: number): boolean {
    if (!this.isLive(row)) return false;
    const chunk = chunkOf(this.chunks, row);
    const r = wordOf(row);
    return chunk[r + ROW_KEY + 2] === tag && (chunk[r + ROW_IDENTITY] | chunk[r + ROW_IDENTITY + 1]) !== 0;
  }

  /** @param tag third word of the AOR's key @cold */
  replayRefresh(row: number, tag: number, words: Uint32Array, at: number): void {
    if (!this.isRefreshed(row, tag)) return;
    const chunk = chunkOf(this.chunks, row);
    const r = wordOf(row);
    for (let i = 0; i < ROW_PLACE - ROW_EXPIRES; i++) chunk[r + ROW_EXPIRES + i] = words[at + i];
  }

  /** @param row the AOR's row when it was removed; words[at …] its key @cold */
  replayRemoval(row: number, words: Uint32Array, at: number): void {
    const tag = words[at + 2];
    const known = this.find(words[at], words[at + 1], tag, words[at + 3]);
    if (known >= 0 && known !== row) this.replayRemoval(known, words, at);
    this.reach(row + 1);
    const chunk = chunkOf(this.chunks, row);
    const r = wordOf(row);
    let same = true;
    for (let i = 0; i < ROW_IDENTITY; i++) if (chunk[r + i] !== words[at + i]) same = false;
    // The row may belong to another AOR of the same tag by now, whose entry of the index must stay.
    if (same || chunk[r + ROW_KEY + 2] !== tag || !this.isLive(row)) this.index.remove(tag, row);
    if (same) chunk[r + ROW_PLACE + 1] = 0;
  }

  /** Adds a chunk whose first `words` words the caller fills, from a checkpoint; undefined: no chunk can be so long. @cold */
  restoreRows(words: number): Uint32Array | undefined {
    const rows = words / ROW_WORDS;
    if (!Number.isInteger(rows) || rows > CHUNK_ROWS || this.rows % CHUNK_ROWS !== 0) return undefined;
    this.reach(this.rows + rows);
    return this.chunks[this.chunks.length - 1]?.subarray(0, words);
  }

  /**
   * After a replay with damage: frames that should have corrected the checkpoint's fuzzy copy may be lost, so the index is rebuilt from
   * the rows. If an AOR has two rows, the one with the newer record stays. @cold
   */
  reindex(): void {
    this.index.clear();
    for (let row = 0; row < this.rows; row++) {
      if (!this.isLive(row)) continue;
      const chunk = chunkOf(this.chunks, row);
      const at = wordOf(row) + ROW_KEY;
      const known = this.find(chunk[at], chunk[at + 1], chunk[at + 2], chunk[at + 3]);
      const older = known >= 0 && this.placeOf(known) < this.placeOf(row) ? known : row;
      if (known >= 0) chunkOf(this.chunks, older)[wordOf(older) + ROW_PLACE + 1] = 0;
      if (known >= 0 && older === known) this.index.remove(chunk[at + 2], known);
      if (known < 0 || older === known) this.index.add(chunk[at + 2], row);
    }
  }

  /**
   * After replay, and after a clock was set back: counts, puts free rows on the free list and links live ones. A checkpoint's index may
   * name a row that was given up while it was copied, and whose removal a full disk refused: the log does not show it, the number of rows
   * does.
   * @param now epoch ms, at which the remaining lifetime of a plain row is at most the granted one; 0: unknown @cold
   */
  settle(now = 0): void {
    this.bindings = 0;
    this.free = 0;
    this.wheel.clear();
    let live = 0;
    for (let row = this.rows - 1; row >= 0; row--) {
      const bindings = this.bindingsOf(row);
      this.bindings += bindings;
      if (bindings > 0) {
        live++;
        if (now > 0) this.shorten(row, now);
        this.wheel.add(row);
      } else this.giveBack(row);
    }
    if (live === this.index.count) return;
    this.reindex();
    this.settle(now);
  }

  /** Shortens a binding whose end is too late, by a clock that was ahead, to its granted interval. */
  private shorten(row: number, now: number): void {
    const chunk = chunkOf(this.chunks, row);
    const at = wordOf(row) + ROW_EXPIRES;
    const granted = grantedOf(chunk, at);
    if (granted === 0 || expiresAtOf(chunk, at) <= now + granted * 1000) return;
    const tag = chunk[at - ROW_EXPIRES + ROW_KEY + 2];
    this.begin(tag);
    setExpires(chunk, at, now + granted * 1000, granted);
    this.end(tag);
  }

  /** Adds chunks until all rows below `count` exist. */
  private reach(count: number): void {
    if (count <= this.rows) return;
    this.rows = count;
    while (this.chunks.length * CHUNK_ROWS < count) {
      const chunk = createChunk();
      this.chunks.push(chunk);
      this.announce({ type: 'chunk', index: this.chunks.length - 1, chunk });
    }
  }

  private begin(tag: number): void {
    Atomics.add(this.versions, tag & (SUB_TABLES - 1), 1);
  }

  private end(tag: number): void {
    Atomics.add(this.versions, tag & (SUB_TABLES - 1), 1);
  }
}
