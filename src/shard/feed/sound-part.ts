// The valid part of a shard's newest segment after a start: batches that are sound and were committed.

import { type LogMark, SEGMENT_HEADER_BYTES } from './feed-segment.ts';
import { type ScannedBatch, SegmentScan } from './segment-scan.ts';

export interface SoundPart {
  /** End of the last one. */
  readonly end: number;
  /** Their last number. */
  readonly last: number;
  /** The last number behind them of committed batches that are damaged, or unreachable because of damage. */
  readonly lost?: number;
  /** Their commits were of another log, before the number of shards changed: no batch can be told to be uncommitted. */
  readonly isOld: boolean;
  /** The sound batch behind them whose mark is the end of the log or later: it was not committed, or its commit is not in this log yet. */
  readonly open?: ScannedBatch;
}

/** The commits that batches tell. */
export interface Commits {
  /** Where log or stream end. */
  readonly mark: LogMark;
  /** Sum of the log's name. */
  readonly log: number;
  /** In a cluster, they are a stream's. */
  readonly byStream: boolean;
}

/**
 * Damage before the end stays in the file, and readers report it. Throws the disk's error.
 * @param first number of the segment
 * @param newest upper bound of all numbers: if the file is no segment, all up to it are lost
 */
export function soundPart(path: string, first: number, newest: number, commits: Commits): SoundPart {
  const scan = new SegmentScan(path);
  try {
    const { mark, log, byStream } = commits;
    const { header } = scan;
    const isOld = !byStream && header !== undefined && header.log !== log;
    const isUncommitted = byStream ? lastOf(scan, mark) : ruleFor(header?.log ?? log, { mark, log });
    let end = SEGMENT_HEADER_BYTES;
    let last = header?.before ?? first - 1;
    let lost: number | undefined;
    let next = scan.peek();
    // Behind the first uncommitted batch, none was committed.
    for (; next !== undefined && !isUncommitted(next); next = scan.peek()) {
      const isSound = scan.read(next) !== undefined;
      if (!isSound) scan.skip(next);
      else [end, last] = [scan.at, next.lastNumber];
      lost = isSound ? undefined : next.lastNumber;
    }
    const beyond = next === undefined ? lastBeyond(scan, end, isUncommitted) : 0;
    if (beyond > (lost ?? 0)) lost = beyond;
    if (header === undefined && end === SEGMENT_HEADER_BYTES) lost = newest;
    const open = lost === undefined && next !== undefined && scan.read(next) !== undefined ? next : undefined;
    return { end, last, isOld, ...(lost !== undefined && { lost }), ...(open && { open }) };
  } finally {
    scan.close();
  }
}

/** The last sound number behind damaged bytes: a damaged header hides later batches from readers. 0 where none is sound. */
function lastBeyond(scan: SegmentScan, end: number, isUncommitted: (batch: ScannedBatch) => boolean): number {
  scan.at = end;
  let last = 0;
  for (let next = scan.peekSound(); next !== undefined && !isUncommitted(next); next = scan.peekSound()) {
    last = next.lastNumber;
    scan.skip(next);
  }
  return last;
}

/** Tells which batches of a segment were not committed. @param of the segment: its log's sum; 0 in earlier versions, which did not name it */
function ruleFor(of: number, { mark, log }: Pick<Commits, 'mark' | 'log'>): (batch: LogMark) => boolean {
  if (of === log) return (batch) => isBehind(batch, mark);
  return (batch) => of === 0 && isAt(batch, mark);
}

/** Whether the log's last frame is still the one before this batch, or an earlier one: a power cut took the frames of batches before it. */
function isBehind(batch: LogMark, now: LogMark): boolean {
  return batch.last > now.last || isAt(batch, now);
}

function isAt(batch: LogMark, now: LogMark): boolean {
  return batch.last === now.last && batch.lastSum === now.lastSum;
}

/**
 * A node goes on behind a batch once that was applied, and the stream has it though a power cut took it from the log: the last batch alone
 * may be uncommitted.
 */
function lastOf(scan: SegmentScan, now: LogMark): (batch: ScannedBatch) => boolean {
  let last = 0;
  for (let next = scan.peek(); next !== undefined; next = scan.peek()) {
    last = next.at;
    scan.skip(next);
  }
  scan.at = SEGMENT_HEADER_BYTES;
  return (batch) => batch.at === last && isBehind(batch, now);
}
