// The files of a shard's segments: how one begins, and how the oldest go.

import {
  closeSync,
  fdatasyncSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { nodeFiles } from '../../location/files/file-calls.ts';
import { SEGMENT_HEADER_BYTES, type SegmentHead, segmentHeader, segmentName, segmentsOf } from './feed-segment.ts';

/** Name of a segment until its header is written: a crash leaves none without, which would count as damaged. */
const NEXT = 'next';

/**
 * Begins a segment, and returns its descriptor. Throws the disk's error, and then there is none.
 * @param first its first number
 * @param synced header and name are on disk when this returns
 */
export function beginSegment(directory: string, first: number, head: SegmentHead, synced: boolean): number {
  const next = join(directory, NEXT);
  const fd = openSync(next, 'w+', 0o600);
  try {
    writeAll(fd, segmentHeader(head), SEGMENT_HEADER_BYTES, 0);
    if (synced) fdatasyncSync(fd);
    renameSync(next, join(directory, segmentName(first)));
    if (synced) nodeFiles.syncDirectory(directory);
    return fd;
  } catch (error) {
    closeSync(fd); // no reader would read a batch in a segment without a header
    throw error;
  }
}

/** Removes a segment of nothing but uncommitted batches, which no reader that has opened it reads any more. */
export function removeSegment(directory: string, first: number, synced: boolean): void {
  const path = join(directory, segmentName(first));
  truncateSync(path, SEGMENT_HEADER_BYTES);
  rmSync(path);
  if (synced) nodeFiles.syncDirectory(directory);
}

/** Removes the oldest segments, until no more than this many bytes are left or one segment. */
export function dropSegments(directory: string, keepBytes: number): void {
  const segments = segmentsOf(readdirSync(directory)).map((first) => join(directory, segmentName(first)));
  let bytes = segments.reduce((sum, path) => sum + statSync(path).size, 0);
  for (const path of segments.slice(0, -1)) {
    if (bytes <= keepBytes) return;
    bytes -= statSync(path).size;
    rmSync(path);
  }
}

export function writeAll(fd: number, bytes: Uint8Array, length: number, at: number): void {
  for (let done = 0; done < length; ) {
    const written = writeSync(fd, bytes, done, length - done, at + done);
    if (written <= 0) throw new Error('nothing was written');
    done += written;
  }
}
