// Records of the second format of data directories, which had a log in files of its own. They are read once, for a move into a log of
// today, and never written. Generations have 64 MiB, frames back to back; damaged stretches are skipped and counted.

import { closeSync, existsSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { refreshImage } from '../../core/binding/binding.ts';
import type { ScanReport } from '../../location/location-store.ts';
import { readAround } from '../../location/log/around.ts';
import {
  openRecord,
  RECORD_BYTES_MAX,
  RECORD_HEADER_BYTES,
  recordAorLength,
  sealRecord,
  updateRecord,
} from '../../location/record.ts';
import { ROW_KEY, RowCopy } from '../../location/table/binding-row.ts';
import { BindingTable } from '../../location/table/binding-table.ts';
import { chunkOf, wordOf } from '../../location/table/row-chunks.ts';
import type { RecordSource } from './move-bindings.ts';

const GENERATION_BYTES = 2 ** 26;
const MAGIC = 0x31676f6c;
const HEADER_WORDS = 10;
const RECORD_ENTRY_WORDS = 14;
const LENGTH_MASK = 2 ** 26 - 1;

export class FileLogRecords implements RecordSource {
  private readonly table = new BindingTable();
  private readonly fds = new Map<number, number>();
  private readonly row = new RowCopy();
  private readonly record = new Uint8Array(RECORD_BYTES_MAX);
  private readonly bytes = new Uint8Array(new ArrayBuffer(RECORD_ENTRY_WORDS * 4 + RECORD_BYTES_MAX));
  private readonly words = new Uint32Array(this.bytes.buffer);
  /** Stretches that hold no frames. */
  private damaged = 0;

  /**
   * @param directory of the shard; without a log there are no records
   * @throws Error naming the file, when it cannot be opened
   */
  constructor(directory: string) {
    const folder = join(directory, 'log');
    const names = existsSync(folder) ? readdirSync(folder).filter((name) => /^\d{10}\.log$/.test(name)) : [];
    const buffer = new Uint8Array(new ArrayBuffer(GENERATION_BYTES));
    for (const name of names.sort()) {
      const file = join(folder, name);
      const number = Number(name.slice(0, 10));
      this.fds.set(number, openSync(file, 'r'));
      this.replay(number, buffer);
    }
    this.table.settle();
  }

  get aors(): number {
    return this.table.aors;
  }

  scan(visit: (key: Uint8Array, record: Uint8Array) => void): ScanReport {
    const { table } = this;
    const key = new Uint32Array(4);
    const keyBytes = new Uint8Array(key.buffer);
    let records = 0;
    let quarantined = this.damaged;
    for (let row = 0; row < table.rows; row++) {
      if (!table.isLive(row)) continue;
      const record = this.recordOf(row);
      if (record === undefined) {
        quarantined++;
        continue;
      }
      const at = wordOf(row) + ROW_KEY;
      key.set(chunkOf(table.chunks, row).subarray(at, at + 4));
      visit(keyBytes, record);
      records++;
    }
    return { records, quarantined };
  }

  close(): void {
    for (const fd of this.fds.values()) closeSync(fd);
    this.fds.clear();
  }

  /** The record of a row; undefined where it is damaged. */
  private recordOf(row: number): Uint8Array | undefined {
    const { bytes, words, table } = this;
    const chunk = chunkOf(table.chunks, row);
    const at = wordOf(row);
    const got = this.read(table.placeOf(row), bytes, 0, bytes.length);
    const from = RECORD_ENTRY_WORDS * 4;
    const end = from + (words[1] & LENGTH_MASK);
    if (words[0] >>> 30 !== 1 || end > got || !openRecord(bytes, from, end)) return undefined;
    for (let i = 0; i < 4; i++) if (words[2 + i] !== chunk[at + ROW_KEY + i]) return undefined;
    this.row.copyFrom(chunk, at, row);
    this.record.set(bytes.subarray(from, end));
    const record = this.record.subarray(0, updateRecord(this.record, end - from));
    if (!this.row.plain) return record;
    refreshImage(record, RECORD_HEADER_BYTES + recordAorLength(record, 0), this.row);
    sealRecord(record, 0, record.length);
    return record;
  }

  private read(address: number, into: Uint8Array, at: number, length: number): number {
    const fd = this.fds.get(Math.floor(address / GENERATION_BYTES));
    if (fd === undefined) return 0;
    const source = { read: (from: number, to: Uint8Array, a: number, n: number) => readSync(fd, to, a, n, from) };
    return readAround(source, address % GENERATION_BYTES, into, at, length);
  }

  private replay(number: number, buffer: Uint8Array<ArrayBuffer>): void {
    const start = number * GENERATION_BYTES;
    const words = new Uint32Array(buffer.buffer);
    const end = this.read(start, buffer, 0, GENERATION_BYTES) >> 2;
    let isDamaged = false;
    for (let w = 0; w < end; ) {
      const length = frameWords(words, w, end, start + w * 4);
      if (length === 0) {
        isDamaged ||= words[w] !== 0;
        w += 2;
        continue;
      }
      if (isDamaged) this.damaged++;
      isDamaged = false;
      this.replayFrame(words, w, w + length, start);
      w += length;
    }
  }

  private replayFrame(words: Uint32Array, frame: number, end: number, start: number): void {
    const { table } = this;
    for (let w = frame + HEADER_WORDS; w < end; ) {
      const kind = words[w] >>> 30;
      const row = words[w] & (2 ** 30 - 1);
      if (kind === 1) {
        table.replayRecord(row, words, w + 2, start + w * 4, words[w + 1] >>> 26);
        w += RECORD_ENTRY_WORDS + ((((words[w + 1] & LENGTH_MASK) + 7) & ~7) >> 2);
      } else if (kind === 2) {
        table.replayRefresh(row, words[w + 1], words, w + 2);
        w += 8;
      } else if (kind === 3) {
        table.replayRemoval(row, words, w + 1);
        w += 6;
      } else return;
    }
  }
}

/** Words of the sound frame for `address` at `w`; 0 where there is none. */
function frameWords(words: Uint32Array, w: number, end: number, address: number): number {
  if (words[w] !== MAGIC || w + HEADER_WORDS > end) return 0;
  const count = words[w + 1] >> 2;
  if (count < HEADER_WORDS || (words[w + 1] & 7) !== 0 || w + count > end) return 0;
  if (words[w + 2] !== address % 4294967296 || words[w + 3] !== Math.floor(address / 4294967296)) return 0;
  let sum = 0x811c9dc5 ^ count;
  for (let i = 0; i < count; i++) {
    if (i === 4) continue;
    sum = Math.imul(sum ^ words[w + i], 0x9e3779b1);
    sum ^= sum >>> 15;
  }
  return words[w + 4] === sum >>> 0 ? count : 0;
}
