// From the log to the table: walks over the frames from an address to the end and applies what they say. Finds the head,
// and what is damaged or torn. Runs once per start.

import type { BindingTable } from './binding-table.ts';
import { GENERATION_BYTES, type Log } from './log.ts';
import {
  claimedLength,
  claimsFrame,
  ENTRY_RECORD,
  ENTRY_REFRESH,
  entryKind,
  entryRow,
  entryWords,
  FRAME_HEADER_BYTES,
  firstEntry,
  frameLength,
  NO_FRAME,
  previousFrame,
  recordBindings,
  recordRowAt,
  refreshWordsAt,
  removalKeyAt,
} from './log-frame.ts';

export interface ReplayReport {
  readonly entries: number;
  /** Damaged stretches, oldest first; also where frames are missing, of length 0 then. */
  readonly damaged: readonly Stretch[];
  /** The batch that was being written when the last process ended, if one was: never acknowledged. */
  readonly torn: Stretch | null;
}

export interface Stretch {
  readonly address: number;
  readonly bytes: number;
}

export interface ReplayOptions {
  /** Where to begin: a frame's address. */
  readonly from: number;
  /** Called after each generation: the address reached, and the end of the newest generation. */
  progress?(address: number, end: number): void;
}

/** Applies the log from `from` on to the table, and finds the log's head. The table is to be settled afterwards. */
export function replay(log: Log, table: BindingTable, options: ReplayOptions): ReplayReport {
  return new Replay(log, table, options).run();
}

class Replay {
  private readonly log: Log;
  private readonly table: BindingTable;
  private readonly options: ReplayOptions;
  private readonly bytes = new Uint8Array(new ArrayBuffer(GENERATION_BYTES));
  private readonly words = new Uint32Array(this.bytes.buffer);
  private readonly damaged: Stretch[] = [];
  private torn: Stretch | null = null;
  private entries = 0;
  /** Address of the last sound frame, -1 before the first. */
  private last = -1;
  /** Where it ends. */
  private at: number;

  constructor(log: Log, table: BindingTable, options: ReplayOptions) {
    this.log = log;
    this.table = table;
    this.options = options;
    this.at = options.from;
  }

  run(): ReplayReport {
    const { log, damaged, options } = this;
    const newest = log.generations.at(-1)?.number ?? -1;
    for (const { number } of log.generations) {
      const start = number * GENERATION_BYTES;
      if (options.from >= start + GENERATION_BYTES) continue;
      if (this.at < start) this.at = start;
      const end = this.read(start);
      this.replayGeneration(start, end);
      if (number === newest) this.end(start, end);
      options.progress?.(this.at, (newest + 1) * GENERATION_BYTES);
    }
    log.head = this.at;
    log.last = Math.max(0, this.last);
    for (const { address, bytes } of damaged) if (bytes > 0) log.setAside(address, bytes);
    return { entries: this.entries, damaged, torn: this.torn };
  }

  private replayGeneration(start: number, end: number): void {
    const { words } = this;
    for (let at = this.at - start; ; ) {
      const length = frameLength(words, at >> 2, end >> 2, start + at);
      if (length === NO_FRAME) {
        at = findFrame(words, at + 8, end, start);
        if (at < 0) return;
        continue;
      }
      if (this.last >= 0 && previousFrame(words, at >> 2) !== this.last) {
        const from = Math.max(this.at, start);
        this.damaged.push({ address: from, bytes: start + at - from });
      } else if (this.last < 0 && at > 0 && this.options.from <= start) {
        this.damaged.push({ address: start, bytes: at });
      }
      this.entries += applyFrame(this.table, words, at, length, start);
      this.last = start + at;
      at += length;
      this.at = start + at;
    }
  }

  /** What lies behind the last frame of all: nothing, a batch that was being written, or damage. */
  private end(start: number, end: number): void {
    const { words } = this;
    const at = this.at - start;
    let content = end;
    while (content > at && words[(content >> 2) - 1] === 0) content -= 4;
    if (content === at) return;
    const stretch = { address: this.at, bytes: content - at };
    const isTorn = claimsFrame(words, at >> 2, end >> 2, this.at) && at + claimedLength(words, at >> 2) >= content;
    if (isTorn) this.torn = stretch;
    else this.damaged.push(stretch);
  }

  /** Returns how many bytes the generation has, a multiple of 8. */
  private read(address: number): number {
    let end = 0;
    for (let got = -1; end < GENERATION_BYTES && got !== 0; end += got) {
      got = this.log.read(address + end, this.bytes, end, GENERATION_BYTES - end);
    }
    return end & ~7;
  }
}

/** The first sound frame from `at` on, or -1. */
function findFrame(words: Uint32Array, at: number, end: number, start: number): number {
  for (let p = at; p + FRAME_HEADER_BYTES <= end; p += 8) {
    if (words[p >> 2] === 0) continue;
    if (frameLength(words, p >> 2, end >> 2, start + p) !== NO_FRAME) return p;
  }
  return -1;
}

/** Returns the number of entries. */
function applyFrame(table: BindingTable, words: Uint32Array, at: number, length: number, start: number): number {
  const end = (at + length) >> 2;
  let entries = 0;
  for (let w = firstEntry(at >> 2); w < end; entries++) {
    const size = entryWords(words, w);
    if (size === 0) break;
    const row = entryRow(words, w);
    const kind = entryKind(words, w);
    if (kind === ENTRY_RECORD) table.replayRecord(row, words, recordRowAt(w), start + w * 4, recordBindings(words, w));
    else if (kind === ENTRY_REFRESH) table.replayRefresh(row, words[w + 1], words, refreshWordsAt(w));
    else table.replayRemoval(row, words, removalKeyAt(w));
    w += size;
  }
  return entries;
}
