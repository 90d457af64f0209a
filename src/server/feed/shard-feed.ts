// The segments of one shard as one list of batches.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { changeLength, changeParts } from '../../core/binding/changes.ts';
import { BATCH_HEADER_BYTES, segmentName, segmentsOf } from '../../shard/feed/feed-segment.ts';
import { type ScannedBatch, SegmentScan } from '../../shard/feed/segment-scan.ts';

export interface LostNumbers {
  readonly from: number;
  readonly sequence: number;
}

/** One item of the list. */
export interface FeedPiece {
  readonly lost?: LostNumbers;
  /** Entries of core/binding/changes. */
  readonly changes: readonly { readonly view: DataView; readonly at: number }[];
}

/** A batch, or numbers that are lost. */
type Next = { readonly batch: ScannedBatch } | { readonly lost: LostNumbers };

export class ShardFeed {
  private readonly directory: string;
  private after: number;
  private scan: SegmentScan | undefined;
  private segment = -1;
  private next: Next | undefined;

  /** @param after number of the last known change */
  constructor(directory: string, after: number) {
    this.directory = directory;
    this.after = after;
  }

  /** The first number of the next item, up to a number; undefined without one. Throws the disk's error. */
  peek(to: number): number | undefined {
    this.next ??= this.find(to);
    if (this.next === undefined) return undefined;
    return 'lost' in this.next ? this.next.lost.from : this.next.batch.first;
  }

  /** Reads the item that `peek` found; the next `peek` looks after it. */
  read(): FeedPiece {
    const { next, scan, after } = this;
    this.next = undefined;
    if (next === undefined || scan === undefined) return { changes: [] };
    if ('lost' in next) {
      this.after = next.lost.sequence;
      return { lost: next.lost, changes: [] };
    }
    const { batch } = next;
    const bytes = scan.read(batch);
    this.after = batch.lastNumber;
    if (bytes !== undefined) return { changes: changesOf(bytes, after) };
    scan.skip(batch);
    return { lost: { from: Math.max(batch.first, after + 1), sequence: batch.lastNumber }, changes: [] };
  }

  close(): void {
    this.scan?.close();
    this.scan = undefined;
  }

  private find(to: number): Next | undefined {
    for (;;) {
      const before = this.scan?.header?.before ?? 0;
      if (before > this.after) return before <= to ? { lost: { from: this.after + 1, sequence: before } } : undefined;
      const batch = this.scan?.peek();
      if (this.scan !== undefined && batch !== undefined) {
        if (batch.lastNumber > to) return undefined;
        if (batch.lastNumber > this.after) return { batch };
        this.scan.skip(batch);
        continue;
      }
      if (!this.openNext()) return undefined;
    }
  }

  /** Opens the segment after this one; at first the one that contains the position. False where there is none. */
  private openNext(): boolean {
    const later = segmentsOf(readdirSync(this.directory)).filter((first) => first > this.segment);
    const at = this.scan === undefined ? later.findLastIndex((first) => first <= this.after + 1) : 0;
    const next = later[Math.max(0, at)];
    if (next === undefined) return false;
    // The last batch of this segment may have come since the last look; none comes once there is a later segment.
    if (this.scan?.peek() !== undefined) return true;
    let scan: SegmentScan;
    try {
      scan = new SegmentScan(join(this.directory, segmentName(next)));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      return this.openNext(); // it was removed just now, for newer ones
    }
    this.close();
    this.scan = scan;
    this.segment = next;
    return true;
  }
}

function changesOf(bytes: Uint8Array<ArrayBuffer>, after: number): FeedPiece['changes'] {
  const view = new DataView(bytes.buffer);
  const changes: { view: DataView; at: number }[] = [];
  for (let at = BATCH_HEADER_BYTES; at < bytes.length; at += changeLength(view, at))
    if (changeParts(view, at).sequence > after) changes.push({ view, at });
  return changes;
}

/** Newest number of a shard's segments, 0 where there is none. Throws the system's error. */
export function newestNumber(directory: string): number {
  const newest = segmentsOf(readdirSync(directory)).at(-1);
  if (newest === undefined) return 0;
  const scan = new SegmentScan(join(directory, segmentName(newest)));
  try {
    let last = newest;
    for (let next = scan.peek(); next !== undefined; next = scan.peek()) {
      last = Math.max(last, next.lastNumber);
      scan.skip(next);
    }
    return last;
  } finally {
    scan.close();
  }
}
