// From the log to the table: walks over the frames from an address to the end and applies what they say. Finds the head,
// and what is damaged or torn. Runs once per start.

import type { BindingTable } from './binding-table.ts';
import type { FrameFound, Log } from './log.ts';
import {
  claimedChecksum,
  ENTRY_RECORD,
  ENTRY_REFRESH,
  entryKind,
  entryRow,
  entryWords,
  firstEntry,
  frameLength,
  NO_FRAME,
  previousFrame,
  recordBindings,
  recordRowAt,
  refreshWordsAt,
  removalKeyAt,
} from './log-frame.ts';
import type { LogEnd } from './log-marks.ts';

export interface ReplayReport {
  readonly entries: number;
  /** Damaged stretches, oldest first; also where frames are missing, of length 0 then. */
  readonly damaged: readonly Stretch[];
  /** The batch that was being written when the last process ended, if one was: never acknowledged. */
  readonly torn: Stretch | null;
  /** Checksum of the last frame. */
  readonly lastSum: number;
}

/** Of what keeps the log. */
export interface Stretch {
  readonly place: number;
  readonly bytes: number;
}

export interface ReplayOptions {
  /** Where to begin, of a checkpoint; the oldest frame otherwise. */
  readonly end: LogEnd | undefined;
  /** Called after each generation: the address reached, and the end of the newest generation. */
  progress?(address: number, end: number): void;
}

/** Applies the log from `from` on to the table, and finds the log's head. The table is to be settled afterwards. */
export function replay(log: Log, table: BindingTable, options: ReplayOptions): ReplayReport {
  return new Replay(log, table, options).run();
}

/** Frames of one generation, read from it. */
class Frames {
  /** Those whose checksums are right, in the order of their addresses. */
  readonly sound: { readonly address: number; readonly place: number; readonly at: number; readonly length: number }[] =
    [];
  readonly unsound: FrameFound[] = [];
  bytes = new Uint8Array(new ArrayBuffer(1 << 20));
  words = new Uint32Array(this.bytes.buffer);
  private end = 0;

  read(log: Log, generation: number): void {
    this.sound.length = 0;
    this.unsound.length = 0;
    this.end = 0;
    const start = generation * log.generationBytes;
    for (let found = log.find(start); found !== null; ) {
      const { address, place, length } = found;
      if (this.take(log, found)) {
        this.sound.push({ address, place, at: this.end, length });
        this.end += length;
        found = log.find(place + length);
      } else {
        this.unsound.push(found);
        found = log.find(place + 8);
      }
    }
    this.sound.sort((a, b) => a.address - b.address);
  }

  /** Behind the frames read so far; whether it is sound. */
  private take(log: Log, { address, place, length }: FrameFound): boolean {
    if (length > log.generationBytes) return false;
    this.room(this.end + length);
    let got = 0;
    for (let more = 1; got < length && more > 0; got += more)
      more = log.read(place + got, this.bytes, this.end + got, length - got);
    return got >= length && frameLength(this.words, this.end >> 2, (this.end + length) >> 2, address) !== NO_FRAME;
  }

  private room(size: number): void {
    if (size <= this.bytes.length) return;
    const grown = new Uint8Array(new ArrayBuffer(Math.max(this.bytes.length * 2, (size + 7) & ~7)));
    grown.set(this.bytes.subarray(0, this.end));
    this.bytes = grown;
    this.words = new Uint32Array(grown.buffer);
  }
}

class Replay {
  private readonly log: Log;
  private readonly table: BindingTable;
  private readonly options: ReplayOptions;
  private readonly from: number;
  private readonly frames = new Frames();
  private readonly damaged: Stretch[] = [];
  private torn: Stretch | null = null;
  private entries = 0;
  /** Address of the last sound frame, -1 before the first. */
  private last: number;
  private lastSum: number;
  /** Where it ends. */
  private at: number;

  constructor(log: Log, table: BindingTable, options: ReplayOptions) {
    this.log = log;
    this.table = table;
    this.options = options;
    this.from = options.end?.address ?? log.tail;
    this.at = this.from;
    this.last = options.end?.last ?? -1;
    this.lastSum = options.end?.lastSum ?? 0;
  }

  run(): ReplayReport {
    const { log, damaged, options, from } = this;
    const { generationBytes, generations } = log;
    const newest = generations.at(-1) ?? -1;
    for (const number of generations) {
      const start = number * generationBytes;
      if (from >= start + generationBytes) continue;
      if (this.at < start) this.at = start;
      this.frames.read(log, number);
      this.replayGeneration();
      this.lookAtUnsound(number === newest);
      options.progress?.(this.at, (newest + 1) * generationBytes);
    }
    log.resume(this.at, Math.max(0, this.last));
    for (const { place, bytes } of damaged) if (bytes > 0) log.setAside(place, bytes);
    return { entries: this.entries, damaged, torn: this.torn, lastSum: this.lastSum };
  }

  private replayGeneration(): void {
    const { frames, from } = this;
    for (const { address, place, at, length } of frames.sound) {
      if (address < from) continue;
      const isMissing =
        this.last >= 0 ? previousFrame(frames.words, at >> 2) !== this.last : address > from && from > 0;
      if (isMissing) this.damaged.push({ place, bytes: 0 });
      this.entries += applyFrame(this.table, frames.words, at, length, place);
      this.last = address;
      this.lastSum = claimedChecksum(frames.words, at >> 2);
      this.at = address + length;
    }
  }

  /** Frames that are not sound: damage; but the last of all is a batch that was being written. */
  private lookAtUnsound(isNewest: boolean): void {
    for (const { address, place, length } of this.frames.unsound) {
      const stretch = { place, bytes: length };
      if (isNewest && address === this.at) this.torn = stretch;
      else if (address >= this.from) this.damaged.push(stretch);
    }
  }
}

/** Returns the number of entries. @param place of the frame, which lies at words[at / 4 …] */
function applyFrame(table: BindingTable, words: Uint32Array, at: number, length: number, place: number): number {
  const end = (at + length) >> 2;
  let entries = 0;
  for (let w = firstEntry(at >> 2); w < end; entries++) {
    const size = entryWords(words, w);
    if (size === 0) break;
    const row = entryRow(words, w);
    const kind = entryKind(words, w);
    if (kind === ENTRY_RECORD)
      table.replayRecord(row, words, recordRowAt(w), place - at + w * 4, recordBindings(words, w));
    else if (kind === ENTRY_REFRESH) table.replayRefresh(row, words[w + 1], words, refreshWordsAt(w));
    else table.replayRemoval(row, words, removalKeyAt(w));
    w += size;
  }
  return entries;
}
