// A shard's part of the feed: the changes of a batch are in its newest segment before the batch is committed, and count once the
// commit holds. The next start cuts off batches that a crash left uncommitted.

import { closeSync, fdatasyncSync, ftruncateSync, mkdirSync, openSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  CHANGE_REFRESHED,
  type Changes,
  changeLength,
  changeParts,
  setChangeSequence,
} from '../../core/binding/changes.ts';
import { FeedNumbers } from './feed-memory.ts';
import {
  BATCH_HEADER_BYTES,
  type LogMark,
  SEGMENT_HEADER_BYTES,
  sealBatch,
  segmentName,
  segmentsOf,
} from './feed-segment.ts';
import { beginSegment, dropSegments, removeSegment, writeAll } from './segment-files.ts';
import type { ScannedBatch } from './segment-scan.ts';
import { soundPart } from './sound-part.ts';

/** Receives the changes of a shard's commits. */
export interface ChangeFeed {
  /** Before the commit. Throws the disk's error; then nothing was appended. @param lasting as LocationStore.commit's */
  append(changes: Changes, lasting: boolean): void;
  /** The commit was handed to the store and has this position. */
  handedOver(position: number): void;
  /** All commits up to this position hold. */
  settled(position: number): void;
  /** All unsettled commits have failed; in a cluster, only those never handed over: the stream decides the others. */
  failed(): void;
}

export interface FeedOptions {
  /** Of this shard. */
  readonly directory: string;
  readonly memory: SharedArrayBuffer;
  readonly shard: number;
  /** Whether refreshes are published. */
  readonly refreshes: boolean;
  /** Segments beyond this many bytes are removed, the oldest first. */
  readonly keepBytes: number;
  readonly durability: 'durable' | 'process';
  /** Commits are a stream's: a batch's fate is known with the message behind its mark. */
  readonly byStream?: boolean;
  /** Called when the feed cannot be written: gives up ownership of the shard, and returns the error for a commit to throw. */
  readonly gaveUp?: (error: unknown) => Error;
}

const SEGMENT_BYTES_MAX = 16 << 20;
const SEGMENTS_AT_LEAST = 4;
/** Positions of batches that no commit of this life settles: one not handed over, and one of the life before. */
const NOT_HANDED_OVER = Number.POSITIVE_INFINITY;
const OF_THE_LAST_LIFE = Number.MAX_SAFE_INTEGER;

interface Unsettled {
  position: number;
  readonly first: number;
  readonly at: number;
  /** The last number before it. */
  readonly before: number;
  /** Of the life before: the stream's message before it, which the log may have lost. */
  readonly behind?: LogMark;
}

export class FeedWriter implements ChangeFeed {
  private readonly options: FeedOptions;
  private readonly mark: () => LogMark;
  private readonly log: number;
  private readonly numbers: FeedNumbers;
  private fd = -1;
  /** End of the last batch. */
  private end = 0;
  /** The first number to be cut off, after a failed attempt; 0: none. */
  private tornFrom = 0;
  private lastNumber = 0;
  private readonly unsettled: Unsettled[] = [];
  private bytes = new Uint8Array(64 << 10);

  /**
   * Continues where the last life ended.
   * @param mark end of the store's log @param log its `logSum`
   */
  constructor(options: FeedOptions, mark: () => LogMark, log: number) {
    this.options = options;
    this.mark = mark;
    this.log = log;
    this.numbers = new FeedNumbers(options.memory);
    mkdirSync(options.directory, { recursive: true, mode: 0o700 });
    this.resume();
    this.settleNumbers();
  }

  append(changes: Changes, lasting: boolean): void {
    // An owner has all of its stream. That ends before a batch of the life before: it was remade, and the batch may have been acknowledged.
    if (this.unsettled[0]?.behind !== undefined) this.settled(OF_THE_LAST_LIFE);
    const told = this.copyTold(changes);
    if (told.count === 0) return;
    const { numbers, options } = this;
    if (this.tornFrom > 0) this.cut();
    const first = numbers.reserve(options.shard, told.count);
    try {
      this.number(told.length, first);
      sealBatch(this.bytes, told.length, first, first + told.count - 1, this.mark());
      if (this.fd < 0 || (this.end >= this.segmentBytes && this.unsettled.length === 0)) this.roll(first);
      this.unsettled.push({ position: NOT_HANDED_OVER, first, at: this.end, before: this.lastNumber });
      this.write(told.length, lasting);
    } catch (error) {
      this.failed();
      throw this.options.gaveUp?.(error) ?? error;
    }
    this.end += told.length;
    this.lastNumber = first + told.count - 1;
  }

  handedOver(position: number): void {
    const newest = this.unsettled.at(-1);
    if (newest?.position === NOT_HANDED_OVER) newest.position = position;
  }

  settled(position: number): void {
    const { unsettled } = this;
    if (unsettled.length === 0) return;
    while (unsettled.length > 0 && unsettled[0].position <= position) unsettled.shift();
    this.settleNumbers();
  }

  failed(): void {
    const { unsettled, options } = this;
    const from = options.byStream ? unsettled.findIndex(({ position }) => position === NOT_HANDED_OVER) : 0;
    this.takeBack(from < 0 ? unsettled.length : from);
  }

  /** The newest number that this node has assigned or read: the next owner's are greater. */
  get newest(): number {
    return this.numbers.last;
  }

  /**
   * The stream's next message is about to be applied.
   * @param isBatch only this node can have written it, if a batch of this node is unsettled
   * @param newest as its writer's
   */
  follows(isBatch: boolean, newest: number): void {
    this.numbers.raise(newest);
    const [oldest] = this.unsettled;
    if (oldest === undefined) return;
    const { last, lastSum } = this.mark();
    const { behind = { last, lastSum } } = oldest;
    if (last < behind.last) return;
    // Another message has that place in a stream that was remade, which says nothing of the batch: it may have been acknowledged.
    const isRemade = last > behind.last || lastSum !== behind.lastSum;
    if (!isBatch && !isRemade) return this.takeBack(0);
    this.unsettled.length = 0;
    this.settleNumbers();
  }

  close(): void {
    if (this.fd >= 0) closeSync(this.fd);
    this.fd = -1;
  }

  /** Removes batches from this one on: they were not committed, and must not be read. */
  private takeBack(from: number): void {
    const [oldest] = this.unsettled.splice(from);
    if (oldest !== undefined) {
      this.end = oldest.at;
      this.lastNumber = oldest.before;
      this.tornFrom = oldest.first;
      this.tryCut();
    }
    this.settleNumbers();
  }

  private settleNumbers(): void {
    this.numbers.settle(this.options.shard, this.unsettled[0]?.first ?? this.tornFrom);
  }

  private get segmentBytes(): number {
    return Math.min(SEGMENT_BYTES_MAX, Math.ceil(this.options.keepBytes / SEGMENTS_AT_LEAST));
  }

  /** Copies the published changes into `bytes`, behind space for the header. */
  private copyTold(changes: Changes): { length: number; count: number } {
    if (this.bytes.length < BATCH_HEADER_BYTES + changes.end)
      this.bytes = new Uint8Array(Math.max(this.bytes.length * 2, BATCH_HEADER_BYTES + changes.end));
    const view = new DataView(changes.bytes.buffer);
    let count = 0;
    let length = BATCH_HEADER_BYTES;
    for (let at = 0; at < changes.end; ) {
      const size = changeLength(view, at);
      if (this.options.refreshes || changeParts(view, at).kind !== CHANGE_REFRESHED) {
        this.bytes.set(changes.bytes.subarray(at, at + size), length);
        length += size;
        count++;
      }
      at += size;
    }
    return { length, count };
  }

  private number(length: number, first: number): void {
    const view = new DataView(this.bytes.buffer);
    let number = first;
    for (let at = BATCH_HEADER_BYTES; at < length; at += changeLength(view, at)) setChangeSequence(view, at, number++);
  }

  private write(length: number, lasting: boolean): void {
    writeAll(this.fd, this.bytes, length, this.end);
    if (lasting) this.sync();
  }

  private sync(): void {
    if (this.options.durability === 'durable') fdatasyncSync(this.fd);
  }

  /** Starts another segment, and removes the oldest to free space. */
  private roll(first: number): void {
    const { directory, durability, keepBytes } = this.options;
    if (this.fd >= 0) this.sync(); // the next segment's batches sync that one alone
    this.close();
    this.fd = beginSegment(directory, first, { before: this.lastNumber, log: this.log }, durability === 'durable');
    this.end = SEGMENT_HEADER_BYTES;
    dropSegments(directory, keepBytes);
  }

  private tryCut(): void {
    try {
      this.cut();
    } catch {
      // tried again before the next batch; no reader passes it until then
    }
  }

  private cut(): void {
    if (this.fd >= 0) {
      ftruncateSync(this.fd, this.end);
      this.sync(); // with later commits behind its mark, a batch that a power cut brings back would count
    }
    this.tornFrom = 0;
    this.settleNumbers();
  }

  /** Finds the end of the newest segment, and cuts off torn or uncommitted batches: a power cut may leave segments of nothing else. */
  private resume(): void {
    const { log, options } = this;
    const { directory, durability, byStream = false } = options;
    const newest = segmentsOf(readdirSync(directory)).at(-1);
    if (newest === undefined) return;
    const path = join(directory, segmentName(newest));
    const commits = { mark: this.mark(), log, byStream };
    const { end, last, lost, isOld, open } = soundPart(path, newest, this.numbers.last, commits);
    this.lastNumber = lost ?? last;
    if (byStream && open !== undefined) return this.leaveOpen(path, open, last);
    if (end <= SEGMENT_HEADER_BYTES && lost === undefined) {
      removeSegment(directory, newest, durability === 'durable');
      return this.resume();
    }
    this.end = end;
    this.fd = openSync(path, 'r+');
    ftruncateSync(this.fd, end);
    this.sync(); // nothing would cut off again, behind a new segment, what a power cut brings back
    // A new segment's header tells readers the numbers before it.
    if (lost !== undefined || isOld) this.close();
  }

  /** The last batch may have been published: the stream's next message decides. */
  private leaveOpen(path: string, batch: ScannedBatch, before: number): void {
    const { first, at, length, lastNumber } = batch;
    this.fd = openSync(path, 'r+');
    this.unsettled.push({ position: OF_THE_LAST_LIFE, first, at, before, behind: batch });
    this.end = at + length;
    this.lastNumber = lastNumber;
    ftruncateSync(this.fd, this.end);
  }
}
