// From the log to the table: walks over the frames from an address to the end and applies what they say. Finds the head,
// and what is damaged or torn: there entry by entry, so that damage costs what lay in it. Runs once per start.

import { openRecord } from '../record.ts';
import type { BindingTable } from '../table/binding-table.ts';
import { readAround } from './around.ts';
import { type Applied, CONTROL_APPLIED, controlType, readApplied } from './control-entry.ts';
import { type FrameRead, GenerationFrames } from './generation-frames.ts';
import type { FrameFound, Log } from './log.ts';
import {
  ENTRY_CONTROL,
  ENTRY_RECORD,
  ENTRY_REFRESH,
  ENTRY_REMOVAL,
  entryKind,
  entryRow,
  entryWords,
  FRAME_HEADER_BYTES,
  firstEntry,
  frameLength,
  isControlSound,
  isRecordEntrySound,
  isRemovalSound,
  NO_FRAME,
  NO_PREVIOUS,
  previousFrame,
  RECORD_ENTRY_BYTES,
  recordBindings,
  recordFrame,
  recordLength,
  recordRowAt,
  refreshTag,
  refreshWordsAt,
  removalKeyAt,
} from './log-frame.ts';
import type { LogEnd } from './log-positions.ts';

export interface ReplayReport {
  readonly entries: number;
  /** Damaged stretches, oldest first; also where frames are missing, of length 0 then. */
  readonly damaged: readonly Stretch[];
  /** The batch that was being written when the last process ended, if one was: never acknowledged. */
  readonly torn: Stretch | null;
  /** Checksum of the last frame. */
  readonly lastSum: number;
  /** What the last frame said that was of a cluster's stream; null where none of those replayed was. */
  readonly applied: Applied | null;
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

/** Frames of a generation looked at for its first. */
const CLAIMS_MAX = 64;

/** Applies the log from `from` on to the table, and finds the log's head. The table is to be settled afterwards. */
export function replay(log: Log, table: BindingTable, options: ReplayOptions): ReplayReport {
  return new Replay(log, table, options).run();
}

/**
 * Address of the last frame before these generations, as the head or the first frame of one of them says: what lies behind that was
 * refused. Those that do not say so are passed over: where commits failed again and again, they have no frame.
 */
function limitBefore(log: Log, numbers: readonly number[]): number {
  for (const number of numbers) {
    const before = log.before(number);
    if (before !== undefined) return before;
    const start = number * log.generationBytes;
    let claims = 0;
    for (let found = log.find(start); found !== null && claims < CLAIMS_MAX; found = log.find(found.place + 8)) {
      if (Math.floor(found.address / log.generationBytes) !== number) continue;
      claims++;
      const previous = found.address === start ? previousOf(log, found) : -1;
      if (previous === NO_PREVIOUS) return -1;
      if (previous >= 0) return previous;
    }
    if (claims > 1) break; // its first frame is lost, so nothing is known
  }
  return Number.POSITIVE_INFINITY;
}

/** What a frame says of a cluster's stream; null where it is of none, or not there. @param address of a frame */
export function appliedAt(log: Log, address: number): Applied | null {
  const start = address - (address % log.generationBytes);
  for (let found = log.find(start); found !== null; found = log.find(found.place + 8)) {
    if (found.address !== address || found.length > log.generationBytes) continue;
    const bytes = new Uint8Array(new ArrayBuffer(found.length));
    const words = new Uint32Array(bytes.buffer);
    if (readAround(log, found.place, bytes, 0, found.length) < found.length) continue;
    if (frameLength(bytes, words, 0, words.length, address) === NO_FRAME) continue;
    const w = firstEntry(0);
    const isOfStream =
      words.length > w && entryKind(words, w) === ENTRY_CONTROL && controlType(words, w) === CONTROL_APPLIED;
    return isOfStream ? readApplied(words, w) : null;
  }
  return null;
}

/** Address of the frame before one that is sound; -1 where it is not. */
function previousOf(log: Log, { address, place, length }: FrameFound): number {
  if (length > log.generationBytes) return -1;
  const bytes = new Uint8Array(new ArrayBuffer(length));
  const words = new Uint32Array(bytes.buffer);
  if (readAround(log, place, bytes, 0, length) < length) return -1;
  return frameLength(bytes, words, 0, length >> 2, address) === NO_FRAME ? -1 : previousFrame(words, 0);
}

class Replay {
  private readonly log: Log;
  private readonly table: BindingTable;
  private readonly options: ReplayOptions;
  private readonly from: number;
  private readonly frames: GenerationFrames;
  private readonly damaged: Stretch[] = [];
  private torn: Stretch | null = null;
  private entries = 0;
  private applied: Applied | null = null;
  /** Address of the last frame, -1 before the first. */
  private last: number;
  private lastSum: number;
  /** Address of the last frame that is known to have been settled. */
  private settled = -1;
  /** Where it ends. */
  private at: number;

  constructor(log: Log, table: BindingTable, options: ReplayOptions) {
    this.log = log;
    this.table = table;
    this.options = options;
    this.frames = new GenerationFrames(log);
    this.from = options.end?.address ?? log.tail;
    this.at = this.from;
    this.last = this.from > 0 ? (options.end?.last ?? -1) : -1;
    this.lastSum = options.end?.lastSum ?? 0;
  }

  run(): ReplayReport {
    const { log, damaged, options, from } = this;
    const { generationBytes } = log;
    const numbers = log.generations.filter((number) => (number + 1) * generationBytes > from);
    const end = ((numbers.at(-1) ?? 0) + 1) * generationBytes;
    for (const [i, number] of numbers.entries()) {
      this.frames.read(number);
      this.replayGeneration(number, limitBefore(log, numbers.slice(i + 1)));
      options.progress?.(Math.max(this.at, (number + 1) * generationBytes), end);
    }
    // A frame that was settled, and nothing of it is there: no later one tells that it is missing.
    const { settled } = this;
    if (settled >= from && settled > this.last)
      damaged.push({ place: settled - (settled % generationBytes), bytes: 0 });
    log.resume(this.at, Math.max(0, this.last));
    for (const { place, bytes } of damaged) if (bytes > 0) log.setAside(place, bytes);
    return { entries: this.entries, damaged, torn: this.torn, lastSum: this.lastSum, applied: this.applied };
  }

  /** @param limit address of the last frame that counts */
  private replayGeneration(number: number, limit: number): void {
    const { frames, damaged, log } = this;
    for (const place of frames.unreadable) damaged.push({ place, bytes: 0 });
    const isNewest = limit === Number.POSITIVE_INFINITY;
    if (isNewest || this.hasGap(limit)) frames.findLostRecords(number);
    for (const frame of frames.frames.slice(0, isNewest ? this.settledCount(number) : undefined)) {
      if (frame.address < this.from || frame.address > limit) continue;
      const previous = frames.previousOf(frame);
      const isMissing =
        this.last >= 0 ? previous >= 0 && previous !== this.last : previous >= log.tail && previous < frame.address;
      if (isMissing) damaged.push({ place: frame.place, bytes: 0 });
      if (frame.sound) this.applyFrame(frame);
      else this.salvage(frame);
      this.last = frame.address;
      this.lastSum = frames.checksumOf(frame);
      // A length that is damaged may lead out of the generation: behind a head that far away, the next frames would stand before it.
      this.at = Math.max(this.at, Math.min(frame.address + frame.length, (number + 1) * log.generationBytes));
    }
    this.settled = Math.max(this.settled, isNewest ? log.settled(number) : limit);
  }

  /** How many of the newest generation's frames count: what is not sound behind them is a batch that was being written. */
  private settledCount(number: number): number {
    const { frames } = this.frames;
    const settled = this.log.settled(number);
    let count = frames.length;
    while (count > 0 && !frames[count - 1].sound && frames[count - 1].address > settled) {
      const { place, length, whole, address } = frames[--count];
      if (whole && address >= this.from) this.torn = { place, bytes: length };
    }
    return count;
  }

  /** Whether the frames of a generation do not follow one another up to `limit`. */
  private hasGap(limit: number): boolean {
    const { frames } = this;
    let { last } = this;
    for (const frame of frames.frames) {
      if (frame.address < this.from || frame.address > limit) continue;
      if (!frame.sound || (last >= 0 && frames.previousOf(frame) !== last)) return true;
      last = frame.address;
    }
    return last !== limit;
  }

  private applyFrame(frame: FrameRead): void {
    const { at, length, place } = frame;
    const { words } = this.frames;
    const salt = this.frames.saltOf(frame);
    const end = (at + length) >> 2;
    for (let w = firstEntry(at >> 2); w < end; this.entries++) {
      const size = entryWords(words, w);
      if (size === 0) break;
      this.apply(w, place - at + w * 4, salt);
      w += size;
    }
  }

  /** Applies what is sound of a frame that is not. */
  private salvage(frame: FrameRead): void {
    const { at, length, place, address, whole } = frame;
    const end = (at + length) >> 2;
    const salt = this.frames.saltOf(frame);
    for (let w = (at + (whole ? FRAME_HEADER_BYTES : 0)) >> 2; w < end; ) {
      const size = this.soundWords(w, end, address, salt);
      if (size > 0) {
        this.apply(w, place - at + w * 4, salt);
        this.entries++;
      }
      w += size > 0 ? size : 2;
    }
    this.damaged.push({ place, bytes: whole ? length : 0 });
  }

  /** Words of the entry at `w`, 0 where it is not sound. */
  private soundWords(w: number, end: number, address: number, salt: number): number {
    const { words, bytes } = this.frames;
    const kind = entryKind(words, w);
    const size = entryWords(words, w);
    if (size === 0 || w + size > end) return 0;
    if (kind === ENTRY_REFRESH)
      return this.table.isRefreshed(entryRow(words, w), refreshTag(words, w, salt)) ? size : 0;
    if (kind === ENTRY_REMOVAL) return isRemovalSound(words, w, end, salt) ? size : 0;
    if (kind === ENTRY_CONTROL) return isControlSound(words, w, end, salt) ? size : 0;
    if (!isRecordEntrySound(words, w, end) || recordFrame(words, w, address) !== address) return 0;
    const from = w * 4 + RECORD_ENTRY_BYTES;
    return openRecord(bytes, from, from + recordLength(words, w)) ? size : 0;
  }

  /** @param place of the entry at `w` @param salt of its frame */
  private apply(w: number, place: number, salt: number): void {
    const { table } = this;
    const { words } = this.frames;
    const row = entryRow(words, w);
    const kind = entryKind(words, w);
    if (kind === ENTRY_RECORD) table.replayRecord(row, words, recordRowAt(w), place, recordBindings(words, w));
    else if (kind === ENTRY_REFRESH) table.replayRefresh(row, refreshTag(words, w, salt), words, refreshWordsAt(w));
    else if (kind === ENTRY_REMOVAL) table.replayRemoval(row, words, removalKeyAt(w));
    else if (controlType(words, w) === CONTROL_APPLIED) this.applied = readApplied(words, w);
  }
}
