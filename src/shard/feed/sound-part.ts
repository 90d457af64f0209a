// What of a shard's newest segment counts after a start: the batches that are sound and were committed.

import { type LogMark, SEGMENT_HEADER_BYTES } from './feed-segment.ts';
import { type ScannedBatch, SegmentScan } from './segment-scan.ts';

export interface SoundPart {
  /** Where they end. */
  readonly end: number;
  /** Their last number. */
  readonly last: number;
  /** The last number behind them of what is damaged, or cannot be reached for damage, although it was committed. */
  readonly lost?: number;
  /** The sound batch behind them whose mark is still what the log ends with: it was not committed, or its commit is not in this log yet. */
  readonly open?: ScannedBatch;
}

/**
 * What is damaged before the end stays, and readers tell of it. Throws the disk's error.
 * @param first number of the segment
 * @param newest number that no change has exceeded: lost is all up to it where the file is no segment
 */
export function soundPart(path: string, first: number, newest: number, mark: LogMark): SoundPart {
  const scan = new SegmentScan(path);
  try {
    let end = SEGMENT_HEADER_BYTES;
    let last = scan.before ?? first - 1;
    let lost: number | undefined;
    let next = scan.peek();
    // Behind the first that was not committed, none was.
    for (; next !== undefined && !isUncommitted(next, mark); next = scan.peek()) {
      const isSound = scan.read(next) !== undefined;
      if (!isSound) scan.skip(next);
      else [end, last] = [scan.at, next.lastNumber];
      lost = isSound ? undefined : next.lastNumber;
    }
    const beyond = next === undefined ? lastBeyond(scan, end, mark) : 0;
    if (beyond > (lost ?? 0)) lost = beyond;
    const isNone = scan.before === undefined && end === SEGMENT_HEADER_BYTES && scan.length > end;
    if (isNone) lost = newest;
    const open = lost === undefined && next !== undefined && scan.read(next) !== undefined ? next : undefined;
    return { end, last, ...(lost !== undefined && { lost }), ...(open && { open }) };
  } finally {
    scan.close();
  }
}

/** The last number behind bytes that are no batch: a damaged header hides what is behind it from readers. 0 where nothing is sound there. */
function lastBeyond(scan: SegmentScan, end: number, mark: LogMark): number {
  scan.at = end;
  let last = 0;
  for (let next = scan.peekSound(); next !== undefined && !isUncommitted(next, mark); next = scan.peekSound()) {
    last = next.lastNumber;
    scan.skip(next);
  }
  return last;
}

/** The log has no frame behind the one that was its last before this batch. */
function isUncommitted(batch: LogMark, now: LogMark): boolean {
  return batch.last === now.last && batch.lastSum === now.lastSum;
}
