// Reading the bindings of a shard from another thread, while the shard writes: rows from its table in shared memory, records
// from its log. It locks nothing: a row that changes during the read is read again.

import { refreshImage } from '../../core/binding/binding.ts';
import { AOR_KEY_BYTES } from '../aor-key-size.ts';
import { type LocationReader, type RecordVisit, SCAN_START, UnreadableError } from '../location-reader.ts';
import { RECORD_BYTES_MAX, RECORD_HEADER_BYTES, recordAorLength, sealRecord } from '../record.ts';
import { bindingsOf, placeOf, ROW_KEY, ROW_PLACE, ROW_WORDS, RowCopy } from '../table/binding-row.ts';
import { NEWS_COUNT, suspect, type TableNews, type TableParts } from '../table/binding-table.ts';
import { homeOf, probe, SUB_TABLES } from '../table/key-index.ts';
import { CHUNK_ROWS, chunkOf, wordOf } from '../table/row-chunks.ts';
import type { SharedLogSource } from './log.ts';
import { RecordReader } from './log-records.ts';

const CURSOR_BYTES = 4;

/** Cursor of a scan that begins with a row. */
export function cursorBefore(row: number): Uint8Array {
  if (row === 0) return SCAN_START;
  const cursor = new Uint8Array(CURSOR_BYTES);
  new DataView(cursor.buffer).setUint32(0, row - 1);
  return cursor;
}
/** Reads of a row that keeps changing before the reader pauses for a moment. */
const TRIES = 1000;

export class LogReader implements LocationReader {
  private readonly chunks: Uint32Array[];
  private readonly tables: Int32Array[];
  private readonly versions: Int32Array;
  private readonly next: () => TableNews | undefined;
  private readonly files: SharedLogSource;
  private readonly records: RecordReader;
  private heard = 0;
  private readonly keyBytes = new Uint8Array(AOR_KEY_BYTES);
  private readonly key = new Uint32Array(this.keyBytes.buffer);
  /** The row found, as it was at one moment. */
  private readonly words = new Uint32Array(ROW_WORDS);
  private readonly row = new RowCopy();
  private rowFound = -1;
  private readonly suspects: Int32Array;
  /** Why the last record could not be read. */
  private unreadable: UnreadableError | null = null;

  /**
   * @param files of the shard's log, to be closed with this
   * @param parts the shared memory from the store's `share`
   * @param next returns the oldest announcement since `share` that was not returned yet, if any; it must not wait
   */
  constructor(files: SharedLogSource, parts: TableParts, next: () => TableNews | undefined) {
    this.chunks = [...parts.chunks];
    this.tables = [...parts.tables];
    this.versions = parts.versions;
    this.suspects = parts.suspects;
    this.heard = parts.news;
    this.next = next;
    this.files = files;
    this.records = new RecordReader(files);
  }

  read(key: Uint8Array, into: Uint8Array): number {
    this.keyBytes.set(key);
    // The cleaner may move a record while it is read, or a commit may replace it: its row then names another place.
    for (let tries = 0, before = -1; ; tries++) {
      if (!this.find()) return -1;
      const address = placeOf(this.words, ROW_PLACE);
      const length = this.readRecord(address, into);
      if (length >= 0) return length;
      if (address === before || tries === TRIES) return this.bad(length);
      before = address;
    }
  }

  scan(after: Uint8Array, max: number, visit: RecordVisit): Uint8Array | undefined {
    this.listen();
    const into = new Uint8Array(RECORD_BYTES_MAX);
    const first = after.length < CURSOR_BYTES ? 0 : new DataView(after.buffer, after.byteOffset).getUint32(0) + 1;
    let visited = 0;
    for (let row = first; row < this.chunks.length * CHUNK_ROWS; row++) {
      if (!this.copyRow(row)) continue;
      this.key.set(this.words.subarray(ROW_KEY, ROW_KEY + 4));
      const length = this.readOrNothing(Uint8Array.from(this.keyBytes), into);
      if (length < 0) continue;
      visit(this.keyBytes, into.subarray(0, length), row);
      if (++visited < max) continue;
      const cursor = new Uint8Array(CURSOR_BYTES);
      new DataView(cursor.buffer).setUint32(0, row);
      return cursor;
    }
    return undefined;
  }

  /** Applies an announcement of the shard; a listener to announcements calls this for each. */
  hear(news: TableNews): void {
    this.heard = (this.heard + 1) | 0;
    if (news.type === 'chunk') this.chunks[news.index] = news.chunk;
    else if (news.type === 'sub-table') this.tables[news.index] = news.table;
    else this.files.drop?.(news.tail);
  }

  close(): void {
    this.files.close();
  }

  private listen(): void {
    while (this.heard !== Atomics.load(this.versions, NEWS_COUNT)) {
      const news = this.next();
      if (news === undefined) return;
      this.hear(news);
    }
  }

  /** Copies the row of `key` into `words`; false: there is none. */
  private find(): boolean {
    const tag = this.key[2];
    const sub = tag & (SUB_TABLES - 1);
    for (let tries = 1; ; tries++) {
      const version = Atomics.load(this.versions, sub);
      if ((version & 1) === 0) {
        this.listen();
        const found = this.search(tag, this.tables[sub]);
        if (Atomics.load(this.versions, sub) === version) return found;
      }
      if (tries % TRIES === 0) pause(this.versions, sub, version);
    }
  }

  private search(tag: number, table: Int32Array): boolean {
    const { key, words } = this;
    const mask = (table.length >> 1) - 1;
    for (let slot = probe(table, tag, homeOf(table, tag)); slot >= 0; slot = probe(table, tag, (slot + 1) & mask)) {
      const row = table[slot * 2 + 1] - 1;
      const chunk = chunkOf(this.chunks, row);
      if (row < 0 || chunk === undefined) return false; // changed meanwhile, as the version shows
      copyWords(chunk, wordOf(row), words);
      this.rowFound = row;
      if (words[0] === key[0] && words[1] === key[1] && words[2] === key[2] && words[3] === key[3]) return true;
    }
    return false;
  }

  /** Copies a row that has bindings into `words`. */
  private copyRow(row: number): boolean {
    const chunk = chunkOf(this.chunks, row);
    for (let tries = 1; ; tries++) {
      const at = wordOf(row);
      if (bindingsOf(chunk, at + ROW_PLACE) === 0) return false;
      const sub = Atomics.load(chunk, at + ROW_KEY + 2) & (SUB_TABLES - 1);
      const version = Atomics.load(this.versions, sub);
      if ((version & 1) === 0) {
        copyWords(chunk, at, this.words);
        if (Atomics.load(this.versions, sub) === version) return bindingsOf(this.words, ROW_PLACE) > 0;
      }
      if (tries % TRIES === 0) pause(this.versions, sub, version);
    }
  }

  /** Reports the record to the shard. Throws if the disk could not read a record that may exist. */
  private bad(length: number): number {
    suspect(this.suspects, this.rowFound);
    if (this.unreadable !== null) throw this.unreadable;
    return length;
  }

  /** As `read`, but an unreadable record costs a scan that record alone. */
  private readOrNothing(key: Uint8Array, into: Uint8Array): number {
    try {
      return this.read(key, into);
    } catch (error) {
      if (error instanceof UnreadableError) return -1;
      throw error;
    }
  }

  private recordAt(place: number, into: Uint8Array): number {
    this.unreadable = null;
    try {
      return this.records.read(place, this.words, ROW_KEY, into);
    } catch (error) {
      this.unreadable = new UnreadableError(error);
      return -1;
    }
  }

  private readRecord(address: number, into: Uint8Array): number {
    const length = this.recordAt(address, into);
    if (length < 0 || length > into.length) return length;
    this.row.copyFrom(this.words, 0, 0);
    if (!this.row.plain) return length;
    refreshImage(into, RECORD_HEADER_BYTES + recordAorLength(into, 0), this.row);
    sealRecord(into, 0, length);
    return length;
  }
}

/** The shard's thread was suspended in the middle of a change: waits, so that it can continue. */
function pause(versions: Int32Array, sub: number, version: number): void {
  Atomics.wait(versions, sub, version, 1);
}

/** Word by word and in order, so that the version read afterwards is a later one on every processor. */
function copyWords(from: Uint32Array, at: number, to: Uint32Array): void {
  for (let i = 0; i < ROW_WORDS; i++) to[i] = Atomics.load(from, at + i);
}
