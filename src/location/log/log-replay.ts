// From the log to the table: applies the frames from an address to the end. Finds the head, and damaged or torn frames: there it checks entry by
// entry, so that damage costs only the damaged entries. Runs once per start.

import { openRecord } from '../record.ts';
import type { BindingTable } from '../table/binding-table.ts';
import { type Applied, CONTROL_APPLIED, controlType, readApplied } from './control-entry.ts';
import { appliedAt, certainBefore, limitBefore } from './frame-lookup.ts';
import { type FrameRead, GenerationFrames } from './generation-frames.ts';
import type { Log } from './log.ts';
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
  isControlSound,
  isRecordEntrySound,
  isRemovalSound,
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
  /** Damaged stretches, oldest first; missing frames are stretches of length 0. */
  readonly damaged: readonly Stretch[];
  /** The damage that ended the log (`endsAtDamage`): later frames are not applied. */
  readonly endedAt: Stretch | null;
  /**
   * No stream brings again what is missing, only a copy has it: frames up to `droppedAt` with the records moved there, or frames from before
   * the cluster. The log must be replayed without `endsAtDamage`.
   */
  readonly lacksMoved: boolean;
  /** A checkpoint has rows newer than its end, which do not fit a log that ends so early. The log must be replayed without it. */
  readonly isInexact: boolean;
  /** Where a batch is missing or incomplete that the last process was writing at its end, or that need not have lasted: never acknowledged. */
  readonly torn: Stretch | null;
  /** Checksum of the last frame. */
  readonly lastSum: number;
  /** The stream position of the last replayed frame from a cluster's stream; null: no frame was from one. */
  readonly applied: Applied | null;
}

/** A stretch of a file of the log. */
export interface Stretch {
  readonly place: number;
  readonly bytes: number;
}

export interface ReplayOptions {
  /** The end of a checkpoint, where the replay begins; without one, the oldest frame. */
  readonly end: LogEnd | undefined;
  /** As CheckpointFound.copiedTo. */
  readonly copiedTo?: number;
  /**
   * The rest of the log can be had from a stream, in the order of writes: the log ends before the first damage. Not if that is
   * before `droppedAt`, since records moved behind it are nowhere else, nor before the first frame of the stream.
   */
  readonly endsAtDamage?: boolean;
  /** Called after each generation: the address reached, and the end of the newest generation. */
  progress?(address: number, end: number): void;
}

/** Applies the log from `from` on to the table, and finds the log's head. The caller must settle the table afterwards. */
export function replay(log: Log, table: BindingTable, options: ReplayOptions): ReplayReport {
  return new Replay(log, table, options).run();
}

class Replay {
  private readonly log: Log;
  private readonly table: BindingTable;
  private readonly options: ReplayOptions;
  private readonly from: number;
  private readonly frames: GenerationFrames;
  private readonly damaged: Stretch[] = [];
  private endedAt: Stretch | null = null;
  private torn: Stretch | null = null;
  /** Address of the last frame before the first that is missing without having lasted, and that no head names: all up to there is on disk now. */
  private beforeTorn = Number.POSITIVE_INFINITY;
  private entries = 0;
  private applied: Applied | null = null;
  /** Address of the last frame, -1 before the first. */
  private last: number;
  private lastSum: number;
  /** Address of the last frame that had lasted for certain. */
  private certain = -1;
  /** Address after the last frame. */
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
    this.lookForFirst();
    const { generationBytes } = log;
    const numbers = log.generations.filter((number) => (number + 1) * generationBytes > from);
    const end = ((numbers.at(-1) ?? 0) + 1) * generationBytes;
    for (const [i, number] of numbers.entries()) {
      if (this.endedAt !== null) break;
      this.frames.read(number);
      this.replayGeneration(number, numbers.slice(i + 1));
      options.progress?.(Math.max(this.at, (number + 1) * generationBytes), end);
    }
    const { endedAt } = this;
    const { endsAtDamage = false } = options;
    const isShort = Math.max(0, this.last) < log.droppedAt;
    const lacksMoved =
      endsAtDamage && (endedAt === null ? isShort && Number.isFinite(log.droppedAt) : isShort || !this.isOfStream());
    const { end: started, copiedTo = Number.POSITIVE_INFINITY } = options;
    const isInexact = endedAt !== null && !lacksMoved && started !== undefined && this.last < copiedTo;
    if (endedAt !== null && !lacksMoved && !isInexact) log.endBehind(this.last);
    // A frame that had lasted is missing as a whole, and no later frame shows it.
    if (!endsAtDamage && this.lacksUpTo(this.certain))
      damaged.push({ place: this.certain - (this.certain % generationBytes), bytes: 0 });
    log.resume(this.at, Math.max(0, this.last), Math.min(this.last, Math.max(this.certain, this.beforeTorn)));
    for (const { place, bytes } of damaged) if (bytes > 0) log.setAside(place, bytes);
    const { entries, torn, lastSum, applied } = this;
    return { entries, damaged, endedAt, lacksMoved, isInexact, torn, lastSum, applied };
  }

  /** Whether a frame of a stream is before the damage, or no frame is of anything else. */
  private isOfStream(): boolean {
    const { log, frames, options, applied } = this;
    if (applied !== null) return true;
    if (options.end !== undefined) return appliedAt(log, options.end.last) !== null;
    return log.generations.every((number) => {
      frames.read(number);
      return !frames.frames.some((frame) => this.isFromBefore(frame));
    });
  }

  /** Whether a frame is from before the cluster: it does not begin with a position in a stream. */
  private isFromBefore({ at, length, sound }: FrameRead): boolean {
    const { words } = this.frames;
    const [w, end] = [firstEntry(at >> 2), (at + length) >> 2];
    if (w >= end) return sound;
    if (entryKind(words, w) === ENTRY_CONTROL) return false;
    return sound || (entryKind(words, w) === ENTRY_RECORD && isRecordEntrySound(words, w, end));
  }

  /** Without a checkpoint all is built on the oldest generations: where they are missing, the log ends before it begins. */
  private lookForFirst(): void {
    const { log, options } = this;
    const [first = Number.POSITIVE_INFINITY] = log.problems.missing;
    if (!options.endsAtDamage || options.end !== undefined || first > (log.generations[0] ?? -1)) return;
    this.endedAt = { place: first * log.generationBytes, bytes: 0 };
  }

  private replayGeneration(number: number, later: readonly number[]): void {
    const { frames, damaged, log } = this;
    const { endsAtDamage = false } = this.options;
    /** Address of the last frame that counts. */
    const limit = limitBefore(log, later);
    const isNewest = limit === Number.POSITIVE_INFINITY;
    if (log.before(number) !== undefined) this.beforeTorn = Number.POSITIVE_INFINITY; // its head told of those before
    const certain = isNewest ? log.settled(number) : Math.min(limit, certainBefore(log, later));
    if (!endsAtDamage) {
      for (const place of frames.unreadable) damaged.push({ place, bytes: 0 });
      if (isNewest || this.hasGap(limit)) frames.findLostRecords(number);
    }
    for (const frame of frames.frames.slice(0, isNewest ? this.settledCount(number) : undefined)) {
      if (frame.address < this.from || frame.address > limit) continue;
      const previous = frames.previousOf(frame);
      const isMissing =
        this.last >= 0 ? previous >= 0 && previous !== this.last : previous >= log.tail && previous < frame.address;
      if (endsAtDamage && (isMissing || !frame.sound)) {
        this.endedAt = { place: frame.place, bytes: frame.length };
        return;
      }
      const mustBe = frame.address <= certain;
      if (isMissing) {
        const isAtHead = previous < number * log.generationBytes;
        const isCertain = isAtHead ? this.lacksUpTo(this.certain) : mustBe || this.lacksUpTo(certain);
        this.lacks(isCertain, { place: frame.place, bytes: 0 });
      }
      if (frame.sound) this.applyFrame(frame);
      else this.lacks(mustBe, this.salvage(frame));
      this.last = frame.address;
      this.lastSum = frames.checksumOf(frame);
      // A damaged length may lead out of the generation: a head that far away would be after the next frames.
      this.at = Math.max(this.at, Math.min(frame.address + frame.length, (number + 1) * log.generationBytes));
    }
    this.certain = Math.max(this.certain, certain);
  }

  /** Whether a frame of an address up to `certain` is missing behind the last; frames before `from` are dropped, or in the checkpoint. */
  private lacksUpTo(certain: number): boolean {
    return certain >= this.from && certain > this.last;
  }

  /** What had not lasted when the power was cut, none of which was acknowledged, is no damage. */
  private lacks(mustBe: boolean, stretch: Stretch): void {
    if (mustBe) this.damaged.push(stretch);
    else {
      this.torn = stretch;
      this.beforeTorn = Math.min(this.beforeTorn, this.last);
    }
  }

  /** Number of the newest generation's settled frames: damaged bytes after them are a batch that was being written. */
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

  /** Applies the sound entries of a damaged frame. Returns the damage. */
  private salvage(frame: FrameRead): Stretch {
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
    return { place, bytes: whole ? length : 0 };
  }

  /** Words of the entry at `w`, 0: it is damaged. */
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
