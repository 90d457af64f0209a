// Format of a copy of a shard's store in transit: a list of files, then their bytes back to back.

import * as z from 'zod';
import { ClusterError } from '../cluster-error.ts';

/** Files of a shard's store: a checkpoint, the log's generations and their manifest. No other names and no other places. */
const NAME = /^(checkpoint|log\/(manifest|\d{10}\.mdb))$/;
const LIST_BYTES_MAX = 4 << 20;
const LENGTH_BYTES = 4;

const File = z.tuple([z.string().regex(NAME), z.number().int().nonnegative()]);
const List = z.array(File);

export interface CopiedFile {
  readonly name: string;
  readonly length: number;
}

export function listOf(files: readonly CopiedFile[]): Buffer {
  const json = Buffer.from(JSON.stringify(files.map(({ name, length }) => [name, length])));
  const head = Buffer.alloc(LENGTH_BYTES);
  head.writeUInt32BE(json.length);
  return Buffer.concat([head, json]);
}

/** Destination of a copy's bytes. */
export interface CopySink {
  /** The list of files is complete. */
  begin(files: readonly CopiedFile[]): Promise<void>;
  /** A file begins; earlier bytes belong to the one before. */
  file(name: string): Promise<void>;
  write(bytes: Buffer): Promise<void>;
}

/** Reads a copy in pieces of any length. */
export class CopyReader {
  private readonly sink: CopySink;
  private head: Buffer | undefined = Buffer.alloc(0);
  private files: CopiedFile[] = [];
  private next = 0;
  private left = 0;

  constructor(sink: CopySink) {
    this.sink = sink;
  }

  /** Whether all files are complete. */
  get isWhole(): boolean {
    return this.head === undefined && this.left === 0 && this.next === this.files.length;
  }

  /** Accepts a piece. @throws ClusterError where it is no copy */
  async take(piece: Buffer): Promise<void> {
    let bytes = piece;
    if (this.head !== undefined) {
      const rest = await this.list(Buffer.concat([this.head, bytes]));
      if (rest === undefined) return;
      bytes = rest;
    }
    while (bytes.length > 0) {
      if (this.left === 0) throw new ClusterError('the copy has more bytes than files');
      const part = bytes.subarray(0, this.left);
      await this.sink.write(part);
      this.left -= part.length;
      bytes = bytes.subarray(part.length);
      await this.begun();
    }
  }

  /** Undefined while the list is incomplete; else the bytes after it. */
  private async list(all: Buffer): Promise<Buffer | undefined> {
    this.head = all;
    if (all.length < LENGTH_BYTES) return undefined;
    const length = all.readUInt32BE();
    if (length > LIST_BYTES_MAX) throw new ClusterError('its list of files is too long');
    if (all.length < LENGTH_BYTES + length) return undefined;
    const found = List.safeParse(parse(all.subarray(LENGTH_BYTES, LENGTH_BYTES + length)));
    if (!found.success) throw new ClusterError('it is no copy of a shard');
    this.files = found.data.map(([name, size]) => ({ name, length: size }));
    if (new Set(this.files.map(({ name }) => name)).size < this.files.length)
      throw new ClusterError('it names a file twice');
    this.head = undefined;
    await this.sink.begin(this.files);
    await this.begun();
    return all.subarray(LENGTH_BYTES + length);
  }

  /** Completes files without remaining bytes, and begins the next one. */
  private async begun(): Promise<void> {
    while (this.left === 0 && this.next < this.files.length) {
      const { name, length } = this.files[this.next++];
      this.left = length;
      await this.sink.file(name);
    }
  }
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
}
