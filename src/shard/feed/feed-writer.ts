// A shard's part of the feed: the changes of a batch are in its newest segment before the batch is committed, and count once the
// commit holds. What a crash left uncommitted is cut off at the next start.

import {
  closeSync,
  fdatasyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
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
  segmentHeader,
  segmentName,
  segmentsOf,
} from './feed-segment.ts';
import type { ScannedBatch } from './segment-scan.ts';
import { soundPart } from './sound-part.ts';

/** What the changes of a shard's commits are written to. */
export interface ChangeFeed {
  /** Before the commit. Throws the disk's error; then nothing is there. @param lasting as LocationStore.commit's */
  append(changes: Changes, lasting: boolean): void;
  /** The commit, handed over, has this position. */
  handedOver(position: number): void;
  /** All commits up to this position hold. */
  settled(position: number): void;
  /** What has not settled never will; in a cluster, what was never handed over: the stream decides of the rest. */
  failed(): void;
}

export interface FeedOptions {
  /** Of this shard. */
  readonly directory: string;
  readonly memory: SharedArrayBuffer;
  readonly shard: number;
  /** Whether refreshes are told. */
  readonly refreshes: boolean;
  /** Segments beyond so many bytes are removed, the oldest first. */
  readonly keepBytes: number;
  readonly durability: 'durable' | 'process';
  /** Commits are a stream's: whether a batch was committed is known when the message behind its mark is. */
  readonly byStream?: boolean;
  /** Nothing can be written: has another node own the shard, and returns what a commit throws then. */
  readonly gaveUp?: (error: unknown) => Error;
}

const SEGMENT_BYTES_MAX = 16 << 20;
const SEGMENTS_AT_LEAST = 4;
/** Positions of batches that no commit settles: one that was not handed over, and one of the life before. */
const NOT_HANDED_OVER = Number.POSITIVE_INFINITY;
const OF_THE_LAST_LIFE = Number.MAX_SAFE_INTEGER;

interface Unsettled {
  position: number;
  readonly first: number;
  readonly at: number;
  /** The last number before it. */
  readonly before: number;
}

export class FeedWriter implements ChangeFeed {
  private readonly options: FeedOptions;
  private readonly mark: () => LogMark;
  private readonly numbers: FeedNumbers;
  private fd = -1;
  /** Behind the last batch. */
  private end = 0;
  /** The first number of what is to be cut off, since an attempt failed; 0: nothing is. */
  private tornFrom = 0;
  private lastNumber = 0;
  private readonly unsettled: Unsettled[] = [];
  private bytes = new Uint8Array(64 << 10);

  /**
   * Goes on where the last life ended.
   * @param mark what the store's log ends with
   */
  constructor(options: FeedOptions, mark: () => LogMark) {
    this.options = options;
    this.mark = mark;
    this.numbers = new FeedNumbers(options.memory);
    mkdirSync(options.directory, { recursive: true, mode: 0o700 });
    this.resume();
    this.settleNumbers();
  }

  append(changes: Changes, lasting: boolean): void {
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

  /** The newest number that this node has given or heard of: the next owner's are greater. */
  get newest(): number {
    return this.numbers.last;
  }

  /**
   * The stream's next message is about to be taken in.
   * @param isBatch nobody but this node can have written it, where a batch of this node has not settled
   * @param newest as its writer's
   */
  follows(isBatch: boolean, newest: number): void {
    this.numbers.raise(newest);
    if (this.unsettled.length === 0) return;
    if (!isBatch) return this.takeBack(0);
    this.unsettled.length = 0;
    this.settleNumbers();
  }

  close(): void {
    if (this.fd >= 0) closeSync(this.fd);
    this.fd = -1;
  }

  /** Batches from this one on were not committed, and are not to be read. */
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

  /** The changes that are told come into `bytes`, behind room for the header. */
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
    if (lasting && this.options.durability === 'durable') fdatasyncSync(this.fd);
  }

  /** Another segment; the oldest make room for it. */
  private roll(first: number): void {
    const { directory } = this.options;
    this.close();
    const fd = openSync(join(directory, segmentName(first)), 'w+', 0o600);
    try {
      writeAll(fd, segmentHeader(this.lastNumber), SEGMENT_HEADER_BYTES, 0);
    } catch (error) {
      closeSync(fd); // a batch in a segment without a header would be read by nobody
      throw error;
    }
    this.fd = fd;
    this.end = SEGMENT_HEADER_BYTES;
    this.trim();
  }

  private trim(): void {
    const { directory, keepBytes } = this.options;
    const segments = segmentsOf(readdirSync(directory)).map((first) => join(directory, segmentName(first)));
    let bytes = segments.reduce((sum, path) => sum + statSync(path).size, 0);
    for (const path of segments.slice(0, -1)) {
      if (bytes <= keepBytes) return;
      bytes -= statSync(path).size;
      rmSync(path);
    }
  }

  private tryCut(): void {
    try {
      this.cut();
    } catch {
      // before the next batch it is tried again; no reader passes it until then
    }
  }

  private cut(): void {
    if (this.fd >= 0) ftruncateSync(this.fd, this.end);
    this.tornFrom = 0;
    this.settleNumbers();
  }

  /** Finds the end of the newest segment; what is torn or was not committed is cut off. */
  private resume(): void {
    const { directory, byStream } = this.options;
    const newest = segmentsOf(readdirSync(directory)).at(-1);
    if (newest === undefined) return;
    const path = join(directory, segmentName(newest));
    const { end, last, lost, open } = soundPart(path, newest, this.numbers.last, this.mark());
    this.end = end;
    this.lastNumber = lost ?? last;
    this.fd = openSync(path, 'r+');
    if (byStream && open !== undefined) return this.leaveOpen(open, last);
    ftruncateSync(this.fd, end);
    if (end <= SEGMENT_HEADER_BYTES) rmSync(path);
    // Another segment tells readers which numbers were before it.
    if (end <= SEGMENT_HEADER_BYTES || lost !== undefined) this.close();
  }

  /** The last batch may have been published: the stream's next message tells. */
  private leaveOpen({ first, at, length, lastNumber }: ScannedBatch, before: number): void {
    this.unsettled.push({ position: OF_THE_LAST_LIFE, first, at, before });
    this.end = at + length;
    this.lastNumber = lastNumber;
    ftruncateSync(this.fd, this.end);
  }
}

function writeAll(fd: number, bytes: Uint8Array, length: number, at: number): void {
  for (let done = 0; done < length; ) {
    const written = writeSync(fd, bytes, done, length - done, at + done);
    if (written <= 0) throw new Error('nothing was written');
    done += written;
  }
}
