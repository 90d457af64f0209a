// The log on disk (decisions/0100): a generation is an LMDB environment, the newest of which takes a frame per transaction. Every life
// of a shard begins a generation; what was there before is only read, by bytes, and dropped whole.

import { fdatasyncSync, mkdirSync, unlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { syncPath } from '../files/sync-path.ts';
import { readAround } from './around.ts';
import { FrameSearch, GenerationFile } from './generation-file.ts';
import { GENERATION_BYTES } from './generation-size.ts';
import { LmdbGeneration } from './lmdb-generation.ts';
import type { Durability, FrameFound, Log, LogProblems } from './log.ts';
import {
  damagedFolder,
  generationHead,
  generationPath,
  moveAside,
  openFolder,
  readHead,
  writeManifest,
} from './log-folder.ts';

/** What a generation needs besides the frame that is longer than it shall be. */
const OVERHEAD_BYTES = 1 << 18;
const UNIT_BYTES = 1 << 16;

interface Generation {
  readonly number: number;
  readonly file: GenerationFile;
  /** On disk; 0 while it is written, when it says so itself. */
  bytes: number;
  /** Written in this life and never synced: without `durable` the end of the life sees to it. */
  unsynced: boolean;
}

export class LmdbLog implements Log {
  readonly generationBytes: number;
  readonly fullBytes: number;
  readonly problems: LogProblems;
  generations: number[] = [];
  head = 0;
  last = 0;
  private readonly directory: string;
  private readonly durability: Durability;
  private readonly name: string;
  private readonly files: Generation[] = [];
  /** The generation that is written; null where the next frame begins one. */
  private newest: LmdbGeneration | null = null;
  private readonly search = new FrameSearch();
  private staged: Uint8Array | null = null;
  private stagedLength = 0;
  private stagedAddress = 0;

  /**
   * @param directory of the shard; made where it is missing
   * @param generationBytes that a generation's addresses span, the same for the whole life of a log: a multiple of 64 KiB
   * @param fullBytes that a generation's file may have, at most `generationBytes`
   * @throws Error naming the log and what to do, when it cannot be opened
   */
  constructor(
    directory: string,
    durability: Durability,
    generationBytes = GENERATION_BYTES,
    fullBytes = generationBytes,
  ) {
    this.directory = directory;
    this.durability = durability;
    this.generationBytes = generationBytes;
    this.fullBytes = fullBytes - (fullBytes % UNIT_BYTES);
    let path = join(directory, 'log');
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      const { name, generations, first, problems } = openFolder(directory, generationBytes);
      this.name = name;
      this.problems = problems;
      for (const number of generations) {
        path = generationPath(directory, number);
        const file = new GenerationFile(path);
        this.add(number, file, file.size);
      }
      if (durability === 'durable') this.syncBefore();
      this.head = (generations[0] ?? first) * generationBytes;
    } catch (error) {
      this.closeFiles();
      throw unusable(path, error);
    }
  }

  get tail(): number {
    return this.generations.length === 0 ? this.head : this.generations[0] * this.generationBytes;
  }

  get bytes(): number {
    let bytes = this.newest?.bytes ?? 0;
    for (const generation of this.files) bytes += generation.bytes;
    return bytes;
  }

  resume(head: number, last: number): void {
    this.head = head;
    this.last = last;
  }

  find(place: number, unreadable: (place: number) => void = () => {}): FrameFound | null {
    const file = this.fileOf(place);
    if (file === undefined) return null;
    const start = place - (place % this.generationBytes);
    const found = this.search.find(file, place - start, (offset) => unreadable(start + offset));
    return found && { address: found.address, place: start + found.offset, length: found.length };
  }

  settled(generation: number): number {
    return this.fileOf(generation * this.generationBytes)?.lastAddress() ?? -1;
  }

  before(generation: number): number | undefined {
    const path = generationPath(this.directory, generation);
    return this.fileOf(generation * this.generationBytes) && readHead(path)?.before;
  }

  place(length: number): number {
    if (this.newest?.fits(length)) return this.head;
    const newest = this.generations.at(-1);
    return newest === undefined ? this.head : (newest + 1) * this.generationBytes;
  }

  append(bytes: Uint8Array, length: number, address: number): void {
    const number = Math.floor(address / this.generationBytes);
    if (this.newest?.number !== number) this.begin(number, length);
    if (!this.newest?.fits(length)) throw new RangeError(`a batch of ${length} bytes is longer than a generation`);
    this.staged = bytes;
    this.stagedLength = length;
    this.stagedAddress = address;
  }

  settle(lasting: boolean): number {
    const { newest, staged, stagedLength: length, stagedAddress: address } = this;
    if (newest === null || staged === null) throw new Error('nothing was appended');
    this.staged = null;
    try {
      const offset = newest.commit(staged, length, address, lasting);
      this.head = address + length;
      this.last = address;
      return newest.number * this.generationBytes + offset;
    } catch (error) {
      this.end(newest); // what its pages hold now is uncertain
      throw error;
    }
  }

  sync(): void {
    if (this.durability === 'durable') return;
    for (const generation of this.files) {
      if (!generation.unsynced) continue;
      fdatasyncSync(generation.file.fd);
      generation.unsynced = generation.number === this.newest?.number;
    }
    syncPath(join(this.directory, 'log'));
  }

  read(place: number, into: Uint8Array, at: number, length: number): number {
    return this.fileOf(place)?.read(place % this.generationBytes, into, at, length) ?? 0;
  }

  fileAt(place: number): string {
    return generationPath(this.directory, Math.floor(place / this.generationBytes));
  }

  setAside(place: number, length: number): void {
    try {
      const bytes = new Uint8Array(Math.min(length, this.generationBytes));
      const end = readAround(this, place, bytes, 0, bytes.length);
      const folder = damagedFolder(this.directory);
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      writeFileSync(join(folder, String(place)), bytes.subarray(0, end), { mode: 0o600 });
    } catch {
      // it is counted and named all the same
    }
  }

  dropTail(): void {
    const number = this.generations[0];
    writeManifest(this.directory, this.name, number + 1, this.durability === 'durable');
    // The name is removed at once. Freeing 64 MB of blocks takes the file system some ten milliseconds: the last to close it pays.
    unlinkSync(generationPath(this.directory, number));
    this.generations.shift();
    this.files.shift()?.file.closeLater();
  }

  close(): void {
    const { newest } = this;
    this.newest = null;
    try {
      newest?.finish(true);
      for (const { file, unsynced } of this.files) if (unsynced) fdatasyncSync(file.fd);
    } finally {
      this.closeFiles();
    }
  }

  private fileOf(place: number): GenerationFile | undefined {
    const number = Math.floor(place / this.generationBytes);
    const { files } = this;
    // Mostly there is no gap: a generation stands where its number says.
    const expected = files[number - (files[0]?.number ?? 0)];
    if (expected?.number === number) return expected.file;
    return files.find((generation) => generation.number === number)?.file;
  }

  /** The generation before stays in use until the next one stands: where that cannot be, smaller frames may still fit. */
  private begin(number: number, length: number): void {
    const generation = this.make(number, length);
    const before = this.newest;
    this.ended();
    try {
      before?.finish(this.durability === 'durable');
      // The one before ended by a failure, or with another life: what it refused may lie at its end. This one's head alone tells so.
      if (before === null && this.durability === 'durable') generation.sync();
      if (this.durability === 'durable') syncPath(dirname(generationPath(this.directory, number)));
    } catch (error) {
      generation.discard();
      throw error;
    }
    this.add(number, generation.file, 0);
    this.newest = generation;
  }

  /** @param length of its first frame */
  private make(number: number, length: number): LmdbGeneration {
    const path = generationPath(this.directory, number);
    const head = generationHead(this.name, number, this.head === 0 ? -1 : this.last);
    const needed = Math.ceil((length + OVERHEAD_BYTES) / UNIT_BYTES) * UNIT_BYTES;
    const bytes = Math.min(this.generationBytes, Math.max(this.fullBytes, needed));
    try {
      return new LmdbGeneration(path, number, bytes, this.durability, head);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      moveAside(this.directory, basename(path)); // nobody of ours
      return new LmdbGeneration(path, number, bytes, this.durability, head);
    }
  }

  /** Nothing more is written to a generation: a commit failed. One without a settled frame is removed: a disk may fail for hours. */
  private end(generation: LmdbGeneration): void {
    this.ended();
    if (this.last >= generation.number * this.generationBytes) return generation.abandon();
    this.files.pop();
    this.generations.pop();
    generation.discard();
  }

  private ended(): void {
    const entry = this.files.at(-1);
    if (entry !== undefined) entry.bytes = this.newest?.bytes ?? 0;
    this.newest = null;
  }

  private add(number: number, file: GenerationFile, bytes: number): void {
    this.files.push({ number, file, bytes, unsynced: bytes === 0 && this.durability === 'process' });
    this.generations.push(number);
  }

  /** What a process before this one wrote and did not sync may be built upon from now on: so it is synced first. */
  private syncBefore(): void {
    const newest = this.files.at(-1);
    if (newest !== undefined) fdatasyncSync(newest.file.fd);
    for (const path of [join(this.directory, 'log'), this.directory, dirname(this.directory)]) syncPath(path);
  }

  private closeFiles(): void {
    for (const { file } of this.files.splice(0)) file.close();
  }
}

function unusable(path: string, error: unknown): Error {
  const reason = error instanceof Error ? error.message : String(error);
  return new Error(
    `cannot use the location store, ${path} (${reason}): ` +
      'look at the disk (dmesg, smartctl), restore the data directory from a backup, or move it away to start with an empty one; ' +
      'phones then register anew',
    { cause: error },
  );
}
