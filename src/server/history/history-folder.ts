// The history on disk: segments, the oldest of which are removed, and queries for the entries of an AOR or a period. It is for people:
// nothing is synced, and a power cut may lose the last seconds.

import { mkdirSync } from 'node:fs';
import { type FileHandle, open, readdir, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { entriesIn, timeAt } from '../../shard/observe/history-reader.ts';
import {
  indexPath,
  offsetsOf,
  readEntries,
  readIndex,
  readSegment,
  SEGMENT_HEAD,
  SegmentIndex,
  type Span,
  segmentPath,
} from './history-segment.ts';

const SEGMENT_BYTES_MAX = 4 << 20;
/** Segments that share the kept bytes. */
const SEGMENTS_AT_LEAST = 4;
const NAME = /^(\d{10})\.changes$/;

interface Segment extends Span {
  readonly number: number;
  readonly bytes: number;
}

/** Places in the full segments that a query has read, by number. */
export type PlacesRead = Map<number, BigUint64Array>;

/** A period in epoch ms, both ends included. */
export interface While {
  readonly since: number;
  readonly until: number;
}

export class HistoryFolder {
  private readonly folder: string;
  private readonly keepBytes: number;
  private readonly segmentBytes: number;
  /** The full segments, oldest first. */
  private readonly full: Segment[] = [];
  private number = 0;
  private index = new SegmentIndex();
  private file: FileHandle | undefined;
  private length = 0;

  private constructor(folder: string, keepBytes: number) {
    this.folder = folder;
    this.keepBytes = keepBytes;
    this.segmentBytes = Math.min(SEGMENT_BYTES_MAX, Math.floor(keepBytes / SEGMENTS_AT_LEAST));
  }

  /** @param keepBytes of segments at most. Rejects with the system's error. */
  static async open(folder: string, keepBytes: number): Promise<HistoryFolder> {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const history = new HistoryFolder(folder, keepBytes);
    const names = (await readdir(folder)).sort();
    for (const number of names.flatMap((name) => NAME.exec(name)?.[1] ?? []).map(Number)) await history.find(number);
    history.number = (history.full.at(-1)?.number ?? 0) + 1;
    await history.clean();
    return history;
  }

  /** Appends complete entries. Rejects with the system's error; the bytes then are lost, and nothing else. */
  async append(bytes: Buffer): Promise<void> {
    if (this.file !== undefined && this.length >= this.segmentBytes) await this.seal();
    this.file ??= await this.begin();
    try {
      await writeAt(this.file, bytes, this.length);
    } catch (error) {
      await this.file.truncate(this.length).catch(() => {}); // half an entry would hide those after it
      throw error;
    }
    this.index.addWhole(bytes, bytes.length, this.length);
    this.length += bytes.length;
  }

  /** Entries about the AOR of a key, the newest first. */
  async *ofKey(key: Uint32Array, read: PlacesRead = new Map()): AsyncGenerator<Buffer> {
    yield* (await this.entries(this.number, this.index.places, key)).reverse();
    for (const { number } of [...this.full].reverse()) {
      const places = read.get(number) ?? (await readIndex(indexPath(this.folder, number)))?.places;
      if (places === undefined) continue; // removed meanwhile
      read.set(number, places);
      yield* (await this.entries(number, places, key)).reverse();
    }
  }

  /** Entries of a period, the newest first. */
  async *within({ since, until }: While): AsyncGenerator<Buffer> {
    const newest: Segment = { number: this.number, bytes: this.length, from: this.index.from, to: this.index.to };
    for (const { number, from, to } of [...this.full, newest].reverse()) {
      if (to < since || from > until) continue;
      const bytes = await readSegment(segmentPath(this.folder, number));
      const places = [...entriesIn(bytes)].filter((at) => timeAt(bytes, at) >= since && timeAt(bytes, at) <= until);
      for (const at of places.reverse()) yield bytes.subarray(at, at + bytes.readUInt32LE(at));
    }
  }

  /** Closes the last segment with its index. */
  async close(): Promise<void> {
    if (this.file !== undefined) await this.seal();
  }

  private entries(number: number, places: BigUint64Array, key: Uint32Array): Promise<Buffer[]> {
    const offsets = offsetsOf(places, key[0]);
    return offsets.length === 0 ? Promise.resolve([]) : readEntries(segmentPath(this.folder, number), offsets, key);
  }

  /** The file of a new segment with its head; one that an attempt before this has left without is begun again. */
  private async begin(): Promise<FileHandle> {
    const file = await open(segmentPath(this.folder, this.number), 'w', 0o600);
    try {
      await writeAt(file, SEGMENT_HEAD, 0);
    } catch (error) {
      await file.close();
      throw error;
    }
    this.length = SEGMENT_HEAD.length;
    return file;
  }

  /** Without its index the segment stays the last one. */
  private async seal(): Promise<void> {
    const { number, length, index, file } = this;
    await this.writeIndex(number, index);
    this.full.push({ number, bytes: length, from: index.from, to: index.to });
    this.file = undefined;
    this.number++;
    this.index = new SegmentIndex();
    await file?.close();
    await this.clean();
  }

  private async writeIndex(number: number, index: SegmentIndex): Promise<void> {
    const path = indexPath(this.folder, number);
    await writeFile(`${path}.new`, index.encode(), { mode: 0o600 });
    await rename(`${path}.new`, path);
  }

  /** Finds a segment of an earlier life. Without an index the process was killed, and the last entry may be cut off. */
  private async find(number: number): Promise<void> {
    const path = segmentPath(this.folder, number);
    const found = await readIndex(indexPath(this.folder, number));
    if (found !== undefined) {
      this.full.push({ number, bytes: (await stat(path)).size, from: found.from, to: found.to });
      return;
    }
    const index = new SegmentIndex();
    const end = index.add(await readSegment(path), SEGMENT_HEAD.length);
    if (end === 0) return rm(path, { force: true });
    await truncate(path, SEGMENT_HEAD.length + end);
    await this.writeIndex(number, index);
    this.full.push({ number, bytes: SEGMENT_HEAD.length + end, from: index.from, to: index.to });
  }

  private async clean(): Promise<void> {
    let kept = this.full.reduce((sum, { bytes }) => sum + bytes, this.segmentBytes);
    while (kept > this.keepBytes) {
      const oldest = this.full.shift();
      if (oldest === undefined) return;
      kept -= oldest.bytes;
      await rm(indexPath(this.folder, oldest.number), { force: true });
      await rm(segmentPath(this.folder, oldest.number), { force: true });
    }
  }
}

/** Writes all bytes: a nearly full disk takes fewer than given before it fails. */
async function writeAt(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; )
    done += (await file.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
}
