// The location store on disk: records and refreshes in the log, a row per AOR in the table, one frame and at most one fdatasync per batch. record.ts
// and the registrar define the content of a record.

import { refreshImage } from '../../core/binding/binding.ts';
import { AOR_KEY_BYTES } from '../aor-key-size.ts';
import type { CheckpointFound, ReadCheckpoint } from '../checkpoint/checkpoint.ts';
import type { DueVisitor, LocationStore, RecordVisitor, ScanReport } from '../location-store.ts';
import { RECORD_BYTES_MAX, RECORD_HEADER_BYTES, recordAorLength, sealRecord } from '../record.ts';
import type { ChangedKeys } from '../shared/changed-keys.ts';
import { ROW_EXPIRES, ROW_KEY, ROW_WORDS, RowCopy } from '../table/binding-row.ts';
import { BindingTable, type TableNews, type TableParts } from '../table/binding-table.ts';
import { chunkOf, wordOf } from '../table/row-chunks.ts';
import type { RowVisitor } from '../table/row-wheel.ts';
import { BATCH_BYTES, type WriteSet } from '../write-set.ts';
import { type Applied, appliedWords, CONTROL_APPLIED } from './control-entry.ts';
import type { FollowedFrame } from './followed-frame.ts';
import { appliedAt } from './frame-lookup.ts';
import { FrameWriter } from './frame-writer.ts';
import type { Log } from './log.ts';
import { LogCleaner } from './log-cleaner.ts';
import { FRAME_HEADER_BYTES, NO_PREVIOUS, RECORD_ENTRY_BYTES } from './log-frame.ts';
import { LogPositions, NO_CHECKPOINT } from './log-positions.ts';
import { RecordReader } from './log-records.ts';
import { type ReplayReport, replay } from './log-replay.ts';

const ENTRIES_MAX = 512;
/** Approximate bytes of an entry, for the cleaner's pace. */
const ENTRY_BYTES = 40;
/** Bytes to keep of a damaged record, whose length cannot be trusted. */
const SET_ASIDE_BYTES = 4096;
/** Why a checkpoint is refused whose rows may be newer than the rest of the log. */
const INEXACT = 'the log is damaged behind its end';
/** No row, and nothing to do. */
const NOTHING = -1;

type Progress = (done: number, total: number) => void;

export interface LogStoreOptions {
  /** Called with the number of bytes read, and their total. */
  readonly progress?: Progress;
  /** As `shorten`'s; 0: unknown. */
  readonly now?: number;
  /** A stream has all frames after the first damage: the replay does not apply them. */
  readonly endsAtDamage?: boolean;
}

interface Loaded {
  readonly checkpoint: CheckpointFound;
  readonly table: BindingTable;
  readonly replayed: ReplayReport;
}

/** The table, from a checkpoint and the log after it. */
function load(log: Log, readCheckpoint: ReadCheckpoint, progress: Progress, endsAtDamage: boolean): Loaded {
  const filled = new BindingTable();
  const checkpoint = readCheckpoint(filled, log, progress);
  const { end, copiedTo, bytes } = checkpoint;
  const table = end === undefined ? new BindingTable() : filled;
  const from = end?.address ?? log.tail;
  const report = (at: number, to: number) => progress(bytes + at - from, bytes + to - from);
  const replayed = replay(log, table, { end, copiedTo, progress: report, endsAtDamage });
  if (replayed.isInexact) return load(log, () => checkpoint.refuse(INEXACT), progress, endsAtDamage);
  return { checkpoint, table, replayed };
}

export class LogStore implements LocationStore, RowVisitor {
  quarantined = 0;
  /** Receives the keys of changed records, for the read model. */
  changes: ChangedKeys | null = null;
  readonly table: BindingTable;
  readonly log: Log;
  /** Findings of the start in the checkpoint, and in the log after it. */
  readonly replayed: ReplayReport;
  readonly checkpoint: CheckpointFound;
  /** Rows with damaged records, if another gives them up: in a cluster the owner does, for all nodes. */
  damagedRows: Set<number> | null = null;
  /** For the thread that writes checkpoints. */
  readonly marks = new LogPositions();
  private readonly cleaner: LogCleaner;
  private readonly records: RecordReader;
  private readonly frame = new FrameWriter();
  private readonly row = new RowCopy();
  private readonly keyBytes = new Uint8Array(AOR_KEY_BYTES);
  private readonly key = new Uint32Array(this.keyBytes.buffer);
  /** By entry of the current batch: its row, whether the row was allocated for it, and the entry's place in the frame. */
  private readonly rowOf = new Int32Array(ENTRIES_MAX);
  private readonly isNew = new Uint8Array(ENTRIES_MAX);
  private readonly offsetOf = new Int32Array(ENTRIES_MAX);
  /** Checksum of the log's last frame. */
  private lastSum = 0;
  /** The frame appended last may be on the disk, but does not hold. */
  private isRefused = false;
  /** Error of the disk at the last read, null if there was none. */
  private unreadable: unknown = null;
  /** Position of the last frame of a cluster's stream that was applied in this life. */
  private followed: Applied | null = null;
  /** Commits made, all of them settled. */
  private position = 0;
  private visitor: DueVisitor | null = null;
  /** The record that `visitSome` looks at. */
  private visited: Uint8Array | undefined;

  /**
   * @param log the store owns it: closed with the store, or if this throws
   * @param readCheckpoint looks for a checkpoint of that log
   * @throws the disk's error, when the log cannot be read
   */
  constructor(log: Log, readCheckpoint: ReadCheckpoint, options: LogStoreOptions = {}) {
    const { progress = () => {}, now = 0, endsAtDamage = false } = options;
    this.log = log;
    try {
      let loaded = load(log, readCheckpoint, progress, endsAtDamage);
      const { lacksMoved } = loaded.replayed;
      if (lacksMoved) loaded = load(log, readCheckpoint, progress, false);
      const { end } = loaded.checkpoint;
      this.checkpoint = loaded.checkpoint;
      this.table = loaded.table;
      this.replayed = { ...loaded.replayed, lacksMoved };
      this.cleaner = new LogCleaner(log, this.table);
      this.records = new RecordReader(log);
      this.lastSum = this.replayed.lastSum;
      this.marks.checkpointed = end?.last ?? NO_CHECKPOINT;
      this.mark();
      if (this.replayed.damaged.length > 0 || this.replayed.torn !== null) this.table.reindex();
      this.table.settle(now);
      for (const row of this.cleaner.open()) this.table.remove(row); // their generation is gone: the phones must register anew
      this.quarantined = this.replayed.damaged.length;
    } catch (error) {
      log.close();
      throw error;
    }
  }

  /** With so many bytes of records, the frame of any batch fits a generation. */
  get batchBytes(): number {
    return Math.min(BATCH_BYTES, this.log.fullBytes >> 2);
  }

  get aors(): number {
    return this.table.aors;
  }

  get bindings(): number {
    return this.table.bindings;
  }

  /** For readers in other threads; later additions are announced. */
  share(listener: (news: TableNews) => void): TableParts {
    return this.table.share(listener);
  }

  find(k0: number, k1: number, k2: number, k3: number, into: RowCopy): boolean {
    const row = this.table.find(k0, k1, k2, k3);
    if (row < 0) return false;
    into.copyFrom(chunkOf(this.table.chunks, row), wordOf(row), row);
    return true;
  }

  load(key: Uint8Array, into: Uint8Array): number {
    this.keyBytes.set(key);
    const row = this.table.find(this.key[0], this.key[1], this.key[2], this.key[3]);
    if (row < 0) return -1;
    const length = this.readRow(row, into);
    if (length < 0) this.quarantine(row);
    return length;
  }

  commit(writes: WriteSet, now: number, lasting = true): number {
    const { frame, cleaner } = this;
    let encoded = 0;
    let place = 0;
    frame.start();
    try {
      cleaner.moveInto(frame, writes.count * ENTRY_BYTES + FRAME_HEADER_BYTES);
      for (; encoded < writes.count; encoded++) this.encode(frame, writes, encoded);
      // A frame without entries still shows that a refused frame before it does not hold: a 200 that nothing was there to remove must last, too.
      if (frame.entries === 0 && !this.isRefused) {
        this.giveUpBad();
        return this.position;
      }
      // Later records and refreshes build on a record, and would be lost with it. Only batches of removals alone may be undone.
      place = this.append(now, lasting || cleaner.moves > 0 || writes.leavesRecords);
    } catch (error) {
      cleaner.failed();
      this.giveBack(encoded);
      throw error;
    }
    cleaner.moved(place);
    for (let entry = 0; entry < writes.count; entry++) this.apply(writes, entry, place);
    this.committed();
    return ++this.position;
  }

  /** After a frame that holds: drops generations without live records. */
  private committed(): void {
    const { cleaner, log } = this;
    if (cleaner.drop(this.marks.checkpointed) > 0)
      this.table.announce({ type: 'dropped', tail: Math.floor(log.tail / log.generationBytes) });
    this.mark();
    this.giveUpBad();
  }

  // --- in a cluster: commits are in a stream, and each node's log follows it

  /** Position of the stream that the log has reached; null: it has no frame of a stream. */
  applied(): Applied | null {
    const { end } = this.checkpoint;
    return this.followed ?? this.replayed.applied ?? (end === undefined ? null : appliedAt(this.log, end.last));
  }

  /** Checksum of the last frame of a log without frames of a stream: 0 for an empty log. */
  get baseSum(): number {
    return this.lastSum;
  }

  /**
   * Adds a batch to a frame for the stream. Rows for new AORs are allocated, until `follow` applies that frame, or
   * `giveBack` frees them. @throws with no row allocated
   */
  encodeInto(frame: FrameWriter, writes: WriteSet): void {
    let encoded = 0;
    try {
      for (; encoded < writes.count; encoded++) this.encode(frame, writes, encoded);
    } catch (error) {
      this.giveBack(encoded);
      throw error;
    }
  }

  /** Frees the rows allocated for the first `entries` of the batch encoded last; rows that another node has filled stay. */
  giveBack(entries: number): void {
    for (let entry = entries - 1; entry >= 0; entry--)
      if (this.isNew[entry] === 1 && !this.table.isLive(this.rowOf[entry])) this.table.giveBack(this.rowOf[entry]);
  }

  /**
   * Applies a sound frame of the stream that does not contradict the table: its entries, and this log's cleaner's moves, as one frame of
   * the log.
   * @throws the disk's error, with nothing applied
   */
  follow(source: FollowedFrame, applied: Applied): void {
    const { frame, cleaner, table } = this;
    let place = 0;
    frame.start();
    frame.control(CONTROL_APPLIED, appliedWords(applied));
    try {
      cleaner.moveInto(frame, source.bytes);
      source.copyInto(frame);
      place = this.append(applied.time, true);
    } catch (error) {
      cleaner.failed();
      throw error;
    }
    cleaner.moved(place);
    source.apply(table, cleaner, place, this.changes);
    this.followed = applied;
    cleaner.syncsBeforeDrop = true; // a node that has lost the end of its log follows the stream from the new end
    this.position++;
    this.committed();
  }

  settled(): number {
    return this.position;
  }

  shorten(now: number): void {
    this.table.settle(now);
  }

  prove(now: number): void {
    this.frame.start();
    this.append(now, true);
    this.mark();
  }

  expire(now: number, budget: number, visitor: DueVisitor): void {
    this.examineSuspects();
    this.visitor = visitor;
    this.table.wheel.advance(now, budget, this);
    this.visitor = null;
  }

  /** Examines records that readers in other threads found bad. */
  examineSuspects(): void {
    for (let row = this.table.nextSuspect(); row >= 0; row = this.table.nextSuspect()) this.examine(row);
  }

  msToNextExpiry(now: number): number {
    return this.table.wheel.msToNextTick(now);
  }

  /** For the wheel: a row's expiry has passed. */
  expireRow(row: number): void {
    const { row: copy, visitor } = this;
    const chunk = chunkOf(this.table.chunks, row);
    const at = wordOf(row);
    copy.copyFrom(chunk, at, row);
    visitor?.expire(chunk[at], chunk[at + 1], chunk[at + 2], chunk[at + 3], copy.expiresAt, copy.plain);
  }

  scan(visit: (key: Uint8Array, record: Uint8Array) => void): ScanReport {
    const { table } = this;
    const key = new Uint32Array(4);
    const keyBytes = new Uint8Array(key.buffer);
    this.visited ??= new Uint8Array(RECORD_BYTES_MAX);
    const into = this.visited;
    const damaged: number[] = [];
    let records = 0;
    for (let row = 0; row < table.rows; row++) {
      if (!table.isLive(row)) continue;
      const length = this.readRow(row, into);
      if (length < 0) {
        damaged.push(row);
        continue;
      }
      key.set(chunkOf(table.chunks, row).subarray(wordOf(row), wordOf(row) + 4));
      records++;
      visit(keyBytes, into.subarray(0, length));
    }
    for (const row of damaged) this.examine(row);
    return { records, quarantined: damaged.length };
  }

  visitSome(cursor: number, max: number, visitor: RecordVisitor): number {
    const { table, key } = this;
    const end = Math.min(table.rows, cursor + max);
    this.visited ??= new Uint8Array(RECORD_BYTES_MAX);
    for (let row = cursor; row < end; row++) {
      if (!table.isLive(row)) continue;
      const length = this.readRow(row, this.visited);
      if (length < 0) continue;
      const chunk = chunkOf(table.chunks, row);
      const at = wordOf(row);
      for (let i = 0; i < key.length; i++) key[i] = chunk[at + i];
      visitor.visitRecord(key, this.visited, length);
    }
    return end < table.rows ? end : -1;
  }

  close(): void {
    this.log.close();
  }

  /** Reads the current record of a row; -1: it is damaged, or `unreadable` has the disk's error. */
  private readRow(row: number, into: Uint8Array): number {
    const chunk = chunkOf(this.table.chunks, row);
    const at = wordOf(row);
    const length = this.recordAt(this.table.placeOf(row), chunk, at + ROW_KEY, into);
    if (length < 0 || length > into.length) return length;
    this.row.copyFrom(chunk, at, row);
    if (!this.row.plain) return length;
    refreshImage(into, RECORD_HEADER_BYTES + recordAorLength(into, 0), this.row);
    sealRecord(into, 0, length); // a move to another number of shards copies these bytes
    return length;
  }

  private giveUpBad(): void {
    const { cleaner } = this;
    for (let i = 0; i < cleaner.badCount; i++) this.examine(cleaner.bad[i]);
    cleaner.badCount = 0;
  }

  private recordAt(place: number, words: Uint32Array, at: number, into: Uint8Array): number {
    this.unreadable = null;
    try {
      return this.records.read(place, words, at, into);
    } catch (error) {
      this.unreadable = error;
      return -1;
    }
  }

  /** Gives up a row whose record was reported as bad, if it is bad. */
  private examine(row: number): void {
    if (!this.table.isLive(row)) return;
    this.visited ??= new Uint8Array(RECORD_BYTES_MAX);
    if (this.readRow(row, this.visited) >= 0) return;
    try {
      this.quarantine(row);
    } catch {
      // the disk accepts no write: the record will be found again
    }
  }

  /** Adds an entry of the batch to the frame; the table stays as it is. */
  private encode(frame: FrameWriter, writes: WriteSet, entry: number): void {
    const { table } = this;
    const words = writes.rows;
    const w = entry * ROW_WORDS;
    const at = writes.at[entry];
    const end = writes.end[entry];
    if (at > end || end > writes.bytes.length) throw new RangeError('record out of bounds');
    let row = table.find(words[w], words[w + 1], words[w + 2], words[w + 3]);
    this.isNew[entry] = 0;
    if (at < end) {
      if (row < 0) {
        row = table.allocate();
        this.isNew[entry] = 1;
      }
      this.offsetOf[entry] = frame.record(row, words, w, writes.bindings[entry], writes.bytes, at, end);
    } else if (row >= 0) {
      if (writes.refreshes[entry] === 1) frame.refresh(row, words[w + 2], words, w + ROW_EXPIRES);
      else frame.removal(row, words, w);
    }
    this.rowOf[entry] = row;
  }

  /** Appends the frame and returns its place, once it holds. */
  private append(now: number, lasting: boolean): number {
    const { frame, log } = this;
    const address = log.place(frame.length);
    const isFirst = this.lastSum === 0 && log.last === 0;
    frame.seal(address, isFirst ? NO_PREVIOUS : log.last, now);
    this.isRefused = true;
    log.append(frame.bytes, frame.length, address);
    const place = log.settle(lasting);
    this.isRefused = false;
    this.lastSum = frame.checksum;
    return place;
  }

  /** The frame at `at` holds: applies an entry to the table. */
  private apply(writes: WriteSet, entry: number, at: number): void {
    const { table, cleaner } = this;
    const row = this.rowOf[entry];
    if (row === NOTHING) return;
    const w = entry * ROW_WORDS;
    const length = writes.end[entry] - writes.at[entry];
    if (writes.refreshes[entry] === 1) return table.refresh(row, writes.rows, w + ROW_EXPIRES);
    if (this.isNew[entry] === 0) cleaner.recordDead(table.placeOf(row));
    this.changes?.add(writes.rows, w);
    if (length === 0) return table.remove(row);
    const place = at + this.offsetOf[entry];
    table.put(row, writes.rows, w, place, writes.bindings[entry]);
    cleaner.recordAdded(place, RECORD_ENTRY_BYTES + length);
  }

  /**
   * Gives up a row whose record `readRow` found bad: keeps a copy outside the log, and writes a removal, so that the phone registers anew.
   * If the disk accepts the removal, only a sector is unreadable. If it does not, an unreadable record may be readable later: throws the
   * error of the read. A damaged record is removed in any case; a restart finds it again.
   */
  private quarantine(row: number): void {
    const { frame, log, table, unreadable, damagedRows } = this;
    if (damagedRows !== null) {
      if (!damagedRows.has(row)) this.quarantined++;
      damagedRows.add(row);
      return;
    }
    const place = table.placeOf(row);
    try {
      frame.start();
      frame.removal(row, chunkOf(table.chunks, row), wordOf(row));
      this.append(0, true);
    } catch {
      if (unreadable !== null) throw unreadable;
    }
    this.quarantined++;
    log.setAside(place, SET_ASIDE_BYTES);
    this.cleaner.recordDead(place);
    this.changes?.add(chunkOf(table.chunks, row), wordOf(row));
    table.remove(row);
    this.mark();
  }

  /** Publishes the position of the table: after the change of its rows and index, never before. */
  private mark(): void {
    const { marks, log } = this;
    marks.tail = log.tail;
    marks.last = log.last;
    marks.lastSum = this.lastSum;
    marks.head = log.head;
    this.changes?.flush();
  }
}
