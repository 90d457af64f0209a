// The sound batches of a segment, one after the other.

import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import {
  BATCH_HEADER_BYTES,
  BATCH_START,
  type BatchHead,
  isBatchSound,
  readBatchHead,
  readSegmentHeader,
  SEGMENT_HEADER_BYTES,
  type SegmentHead,
} from './feed-segment.ts';

export interface ScannedBatch extends BatchHead {
  /** Offset in the segment. */
  readonly at: number;
}

export class SegmentScan {
  /** Undefined where the file is no segment. */
  readonly header: SegmentHead | undefined;
  /** End of the last batch read. */
  at = SEGMENT_HEADER_BYTES;
  private readonly fd: number;
  private readonly head = new Uint8Array(BATCH_HEADER_BYTES);

  /** Throws the system's error. */
  constructor(path: string) {
    this.fd = openSync(path, 'r');
    const header = new Uint8Array(SEGMENT_HEADER_BYTES);
    const read = readSync(this.fd, header, 0, header.length, 0);
    this.header = readSegmentHeader(header.subarray(0, read));
  }

  /** The head of the next batch, without moving on; undefined where there is none. */
  peek(): ScannedBatch | undefined {
    const { head, at } = this;
    const read = readSync(this.fd, head, 0, head.length, at);
    const found = readBatchHead(head.subarray(0, read));
    return found && { ...found, at };
  }

  /** The next sound batch, behind any damage; undefined where there is none. */
  peekSound(): ScannedBatch | undefined {
    const { at: before } = this;
    const next = this.peek();
    const isSound = next !== undefined && this.read(next) !== undefined;
    this.at = before;
    return isSound ? next : this.peekBeyond();
  }

  /** Length of the file, in bytes. */
  get length(): number {
    return fstatSync(this.fd).size;
  }

  /** Moves on past a batch without reading its bytes. */
  skip({ at, length }: ScannedBatch): void {
    this.at = at + length;
  }

  /** The bytes of a batch; undefined where they are incomplete or unsound. */
  read({ at, length }: ScannedBatch): Uint8Array<ArrayBuffer> | undefined {
    const bytes = new Uint8Array(new ArrayBuffer(length));
    let done = 0;
    while (done < length) {
      const read = readSync(this.fd, bytes, done, length - done, at + done);
      if (read === 0) return undefined;
      done += read;
    }
    if (!isBatchSound(bytes)) return undefined;
    this.at = at + length;
    return bytes;
  }

  close(): void {
    closeSync(this.fd);
  }

  private rest(): Buffer {
    const rest = Buffer.alloc(Math.max(0, this.length - this.at));
    return rest.subarray(0, readSync(this.fd, rest, 0, rest.length, this.at));
  }

  private peekBeyond(): ScannedBatch | undefined {
    const rest = this.rest();
    for (let at = rest.indexOf(BATCH_START); at >= 0; at = rest.indexOf(BATCH_START, at + 1)) {
      const found = readBatchHead(rest.subarray(at));
      if (found !== undefined && isBatchSound(Buffer.from(rest.subarray(at, at + found.length))))
        return { ...found, at: this.at + at };
    }
    return undefined;
  }
}
