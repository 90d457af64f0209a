// Keeps the log short: counts the live records of each generation, moves them from the oldest one to the head, a
// bounded piece per batch, and drops generations without live records. @hot

import { RECORD_BYTES_MAX } from '../record.ts';
import { ROW_KEY } from '../table/binding-row.ts';
import type { BindingTable } from '../table/binding-table.ts';
import { chunkOf, wordOf } from '../table/row-chunks.ts';
import { readAround } from './around.ts';
import type { FrameWriter } from './frame-writer.ts';
import type { FrameFound, Log } from './log.ts';
import {
  ENTRY_RECORD,
  entryKind,
  entryRow,
  entryWords,
  firstEntry,
  frameLength,
  NO_FRAME,
  RECORD_ENTRY_BYTES,
  recordLength,
} from './log-frame.ts';
import { RecordReader } from './log-records.ts';

/** Assumed size of a record while there is none to measure: a phone over UDP with a User-Agent. */
const RECORD_BYTES_MEAN = 300;
/** The log may have this many times the bytes of its live records, and always two generations. */
const SPACE_FACTOR = 1.7;
const GENERATIONS_MIN = 2;
/** Bytes of the tail examined for each byte that the batch appends, and the bounds per batch. */
const PACE = 4;
const LOOK_MIN = 16 << 10;
const LOOK_MAX = 256 << 10;
const MOVES_MAX = 1024;
/** Rows examined per batch for records that damage kept from being moved. */
const ROWS_MAX = 8192;
/** Damaged records given up per batch. */
const BAD_MAX = 16;

export class LogCleaner {
  /** A power cut may lose the end of the log, and dropped records would then be needed again: true syncs the log before a drop. */
  syncsBeforeDrop = false;
  /** Moves in the current frame. */
  moves = 0;
  readonly movedRow = new Int32Array(MOVES_MAX);
  /** Offsets in the frame. */
  readonly movedTo = new Int32Array(MOVES_MAX);
  /** Rows of the tail whose records are unreadable or damaged: they must be given up, or the tail stays for ever. */
  readonly bad = new Int32Array(BAD_MAX);
  badCount = 0;
  private readonly log: Log;
  private readonly table: BindingTable;
  private readonly records: RecordReader;
  private readonly record = new Uint8Array(RECORD_BYTES_MAX);
  /** Row at which the search of the table for records of the tail continues, and the same if the current moves fail. */
  private sweptTo = 0;
  private sweepMark = 0;
  /** Limit of examined bytes: a frame has moves beside the entries of its batch, and must fit a generation. */
  private readonly lookMax: number;
  /** By generation, from the oldest: number of rows whose record is in it. */
  private live: number[] = [];
  private firstGeneration = 0;
  /** Bytes of all record entries appended: for the average size. */
  private recordBytes = 0;
  private recordCount = 0;
  /** The tail's live records before this place have been moved: the place of a frame, or of an entry within the current frame. */
  private cleaned = 0;
  private frameAt = 0;
  private frameEnd = 0;
  /** The frame to restart from if the current moves fail. */
  private mark = 0;
  private window = new Uint8Array(new ArrayBuffer(0));
  private words = new Uint32Array(0);

  constructor(log: Log, table: BindingTable) {
    this.log = log;
    this.table = table;
    this.records = new RecordReader(log);
    this.lookMax = Math.min(LOOK_MAX, log.fullBytes / 4);
  }

  /** Counts the records of the table. Returns rows whose generation is missing. @cold */
  open(): number[] {
    const { log, table } = this;
    this.firstGeneration = Math.floor(log.tail / log.generationBytes);
    this.restart(log.tail);
    this.live = [0];
    const there = new Set(log.generations);
    const lost: number[] = [];
    for (let row = 0; row < table.rows; row++) {
      if (!table.isLive(row)) continue;
      if (there.has(Math.floor(table.placeOf(row) / log.generationBytes))) this.recordAdded(table.placeOf(row), 0);
      else lost.push(row);
    }
    return lost;
  }

  /** A record is now live at a place in the log; `bytes` of its entry. */
  recordAdded(place: number, bytes: number): void {
    const generation = Math.floor(place / this.log.generationBytes) - this.firstGeneration;
    while (this.live.length <= generation) this.live.push(0);
    this.live[generation]++;
    if (bytes === 0) return;
    this.recordBytes += bytes;
    this.recordCount++;
  }

  /** The record at a place is dead. */
  recordDead(place: number): void {
    const generation = Math.floor(place / this.log.generationBytes) - this.firstGeneration;
    if (generation >= 0) this.live[generation]--;
  }

  /** Begins a frame's moves: live records of the tail, as many as are worth the writes. `appended`: approximate bytes of the batch. */
  moveInto(frame: FrameWriter, appended: number): void {
    this.moves = 0;
    this.badCount = 0;
    this.sweepMark = this.sweptTo;
    if (this.log.bytes <= this.allowed() || this.log.generations.length < 2) return;
    let look = appended * PACE;
    if (look < LOOK_MIN) look = LOOK_MIN;
    if (look > this.lookMax) look = this.lookMax;
    this.mark = this.cleaned < this.frameEnd ? this.frameAt : this.cleaned;
    const end = this.cleaned + look;
    while (this.cleaned < end && this.live[0] > this.moves) {
      if (this.cleaned >= this.frameEnd && !this.nextFrame()) break;
      if (!this.moveEntries(frame, end)) return;
    }
    const isThrough = this.cleaned >= this.log.tail + this.log.generationBytes;
    if (isThrough && this.moves === 0 && this.live[0] > 0) this.sweep(frame);
  }

  /** The moves hold: their entries are in the frame at `place`. */
  moved(place: number): void {
    for (let i = 0; i < this.moves; i++) {
      const row = this.movedRow[i];
      this.recordDead(this.table.placeOf(row));
      this.table.move(row, place + this.movedTo[i]);
      this.recordAdded(place, 0);
    }
    this.moves = 0;
  }

  /** The moves do not hold. */
  failed(): void {
    if (this.moves > 0) this.restart(this.mark);
    this.moves = 0;
    this.badCount = 0;
    this.sweptTo = this.sweepMark;
  }

  /**
   * Drops the oldest generations without live records; never the one that is written, nor one at or after `keepFrom`.
   * Returns their number.
   */
  drop(keepFrom: number): number {
    let dropped = 0;
    while (this.log.generations.length > 1 && this.live[0] === 0) {
      if ((this.firstGeneration + 1) * this.log.generationBytes > keepFrom) break;
      if (!this.dropTail()) break;
      const first = Math.floor(this.log.tail / this.log.generationBytes);
      this.live.splice(0, first - this.firstGeneration); // a number may be missing
      this.firstGeneration = first;
      dropped++;
    }
    if (dropped > 0) this.sweptTo = 0;
    if (this.cleaned < this.log.tail) this.restart(this.log.tail);
    return dropped;
  }

  /** False: the generation cannot be dropped now; the current batch holds all the same. */
  private dropTail(): boolean {
    try {
      if (this.syncsBeforeDrop) this.log.sync();
      this.log.dropTail(this.syncsBeforeDrop);
      return true;
    } catch {
      return false;
    }
  }

  /** Allowed bytes of the log. */
  private allowed(): number {
    const mean = this.recordCount === 0 ? RECORD_BYTES_MEAN : this.recordBytes / this.recordCount;
    const allowed = this.table.aors * mean * SPACE_FACTOR;
    const least = GENERATIONS_MIN * this.log.fullBytes;
    return allowed < least ? least : allowed;
  }

  private restart(address: number): void {
    this.cleaned = address;
    this.frameAt = address;
    this.frameEnd = address;
  }

  /** Moves on to the next frame of the tail; false: there is none. Bytes that are no frame are skipped: the replay has reported them. */
  private nextFrame(): boolean {
    const { log } = this;
    const tailEnd = log.tail + log.generationBytes;
    if (this.cleaned >= tailEnd) return false;
    for (let found = log.find(this.cleaned); found !== null; found = log.find(found.place + 8)) {
      if (!this.bring(found)) continue;
      this.frameAt = found.place;
      this.frameEnd = found.place + found.length;
      this.cleaned = this.frameAt + firstEntry(0) * 4;
      return true;
    }
    this.restart(tailEnd);
    return false;
  }

  /** Moves the live records in the rest of the current frame, up to the address `end`; false: no more moves fit. */
  private moveEntries(frame: FrameWriter, end: number): boolean {
    const { words, table, frameAt } = this;
    while (this.cleaned < this.frameEnd && this.cleaned < end) {
      if (this.moves === MOVES_MAX) return false;
      const w = (this.cleaned - frameAt) >> 2;
      if (entryKind(words, w) === ENTRY_RECORD) {
        const row = entryRow(words, w);
        if (table.isLive(row) && table.placeOf(row) === this.cleaned) this.move(frame, row, w);
      }
      this.cleaned += entryWords(words, w) * 4;
    }
    return true;
  }

  /**
   * The tail has been walked through and still has live records, in damaged frames. Searches the table for them, record by record: sound
   * records are moved, damaged ones given up.
   */
  private sweep(frame: FrameWriter): void {
    const { table, log } = this;
    const end = this.sweptTo + ROWS_MAX;
    for (; this.sweptTo < end && this.sweptTo < table.rows; this.sweptTo++) {
      if (this.moves === MOVES_MAX || this.badCount === BAD_MAX || frame.length > this.lookMax) return;
      const row = this.sweptTo;
      if (!table.isLive(row)) continue;
      const place = table.placeOf(row);
      if (Math.floor(place / log.generationBytes) !== this.firstGeneration) continue;
      const chunk = chunkOf(table.chunks, row);
      const length = this.read(place, chunk, wordOf(row));
      if (length < 0 || length > this.record.length) this.bad[this.badCount++] = row;
      else {
        const i = this.moves++;
        this.movedRow[i] = row;
        this.movedTo[i] = frame.record(row, chunk, wordOf(row), table.bindingsOf(row), this.record, 0, length);
      }
    }
    if (this.sweptTo >= table.rows) this.sweptTo = 0;
  }

  private read(place: number, chunk: Uint32Array, at: number): number {
    try {
      return this.records.read(place, chunk, at + ROW_KEY, this.record);
    } catch {
      return -1;
    }
  }

  private move(frame: FrameWriter, row: number, w: number): void {
    const from = w * 4 + RECORD_ENTRY_BYTES;
    const chunk = chunkOf(this.table.chunks, row);
    const i = this.moves++;
    this.movedRow[i] = row;
    this.movedTo[i] = frame.record(
      row,
      chunk,
      wordOf(row),
      this.table.bindingsOf(row),
      this.window,
      from,
      from + recordLength(this.words, w),
    );
  }

  /** Brings a frame into the window; false: it is not sound. */
  private bring({ address, place, length }: FrameFound): boolean {
    if (length > this.log.generationBytes) return false;
    if (this.window.length < length) {
      this.window = new Uint8Array(new ArrayBuffer(length * 2));
      this.words = new Uint32Array(this.window.buffer);
    }
    const got = readAround(this.log, place, this.window, 0, length);
    return got >= length && frameLength(this.window, this.words, 0, length >> 2, address) !== NO_FRAME;
  }
}
