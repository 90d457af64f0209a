// The log on disk (decisions/0100): a generation is an LMDB environment; the newest gets a frame per transaction. Every life of a shard begins a
// generation; older generations are only read, as bytes, and dropped whole.

import { fdatasyncSync, mkdirSync, unlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { syncPath } from '../files/sync-path.ts';
import { FrameSearch, GenerationFile } from './generation/generation-file.ts';
import { type GenerationHead, generationHead, readHead } from './generation/generation-head.ts';
import { GENERATION_BYTES } from './generation/generation-size.ts';
import { LmdbGeneration } from './generation/lmdb-generation.ts';
import type { Durability, FrameFound, Log, LogProblems } from './log.ts';
import { generationPath, keepDamaged, moveAside, openFolder, unusable, writeManifest } from './log-folder.ts';

/** Bytes that a generation needs beside a frame longer than the usual generation. */
const OVERHEAD_BYTES = 1 << 18;
const UNIT_BYTES = 1 << 16;

interface Generation {
  readonly number: number;
  readonly file: GenerationFile;
  /** Bytes on disk; 0 while the generation is written, whose own object then has them. */
  bytes: number;
  /** Written in this life or one before, and never synced: without `durable` the end of the life syncs it. */
  unsynced: boolean;
}

export class LmdbLog implements Log {
  readonly name: string;
  readonly generationBytes: number;
  readonly fullBytes: number;
  problems: LogProblems;
  generations: number[] = [];
  head = 0;
  last = 0;
  droppedAt: number;
  private readonly directory: string;
  private readonly durability: Durability;
  private readonly files: Generation[] = [];
  /** The generation that is written; null if the next frame begins one. */
  private newest: LmdbGeneration | null = null;
  private readonly search = new FrameSearch();
  private staged: Uint8Array | null = null;
  private stagedLength = 0;
  private stagedAddress = 0;
  /** Address of the last frame that has lasted for certain. */
  private certainly = -1;

  /**
   * @param directory of the shard; made where it is missing
   * @param generationBytes span of a generation's addresses, the same for the whole life of a log: a multiple of 64 KiB
   * @param fullBytes size limit of a generation's file, at most `generationBytes`
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
      const { name, generations, first, droppedAt, problems } = openFolder(directory, generationBytes);
      this.name = name;
      this.droppedAt = droppedAt;
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

  certain(generation: number): number | undefined {
    return this.headOf(generation)?.certain;
  }

  resume(head: number, last: number, certain: number): void {
    this.head = head;
    this.last = last;
    this.certainly = certain;
  }

  endBehind(address: number): void {
    const end = Math.floor(address / this.generationBytes);
    const [oldest] = this.generations;
    // The newest first: a crash in between leaves the damage in place, and the next start finds it again.
    for (let newest = this.files.at(-1); newest !== undefined && newest.number > end; newest = this.files.at(-1)) {
      this.files.pop();
      this.generations.pop();
      newest.file.close();
      moveAside(this.directory, basename(generationPath(this.directory, newest.number)));
    }
    // It goes on where the oldest was, and none of those before is missing any more.
    if (this.files.length === 0)
      writeManifest(this.directory, { name: this.name, first: oldest, droppedAt: this.droppedAt });
    this.problems = { ...this.problems, missing: this.problems.missing.filter((number) => number <= end) };
  }

  find(place: number, unreadable: (place: number) => void = () => {}): FrameFound | null {
    const file = this.fileOf(place);
    if (file === undefined) return null;
    const start = place - (place % this.generationBytes);
    const found = this.search.find(file, place - start, (offset) => unreadable(start + offset));
    return found && { address: found.address, place: start + found.offset, length: found.length };
  }

  settled(generation: number): number {
    const isPossible = (address: number) => Math.floor(address / this.generationBytes) === generation;
    return this.fileOf(generation * this.generationBytes)?.settledAddress(isPossible) ?? -1;
  }

  before(generation: number): number | undefined {
    return this.headOf(generation)?.before;
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
      if (lasting) this.certainly = address;
      return newest.number * this.generationBytes + offset;
    } catch (error) {
      this.end(newest); // the content of its pages is uncertain now
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
    keepDamaged(this, this.directory, place, Math.min(length, this.generationBytes));
  }

  dropTail(lasting: boolean): void {
    const number = this.generations[0];
    const manifest = { name: this.name, first: number + 1, droppedAt: this.last };
    writeManifest(this.directory, manifest, lasting || this.durability === 'durable');
    this.droppedAt = this.last;
    // The name is removed at once. Freeing 64 MB of blocks takes the file system some ten milliseconds, in the thread that closes the file last.
    unlinkSync(generationPath(this.directory, number));
    this.generations.shift();
    this.files.shift()?.file.closeLater();
  }

  close(): void {
    const { newest } = this;
    this.newest = null;
    try {
      newest?.finish();
      for (const { file, unsynced } of this.files) if (unsynced) fdatasyncSync(file.fd);
    } finally {
      this.closeFiles();
    }
  }

  private headOf(generation: number): GenerationHead | undefined {
    return this.fileOf(generation * this.generationBytes) && readHead(generationPath(this.directory, generation));
  }

  private fileOf(place: number): GenerationFile | undefined {
    const number = Math.floor(place / this.generationBytes);
    // Usually there is no gap: a generation's number gives its index.
    const expected = this.files[number - (this.files[0]?.number ?? 0)];
    if (expected?.number === number) return expected.file;
    return this.files.find((generation) => generation.number === number)?.file;
  }

  /** The generation before stays in use until the next one is made: if that fails, smaller frames may still fit. */
  private begin(number: number, length: number): void {
    const before = this.newest;
    // The next one's head names the last frame of this one, which need not have lasted.
    if (before !== null && this.durability === 'durable') this.syncLast(before);
    const generation = this.make(number, length);
    this.ended();
    before?.abandon();
    try {
      if (this.durability === 'durable') {
        generation.sync(); // its head alone tells where the one before ended, and that this file belongs to the log
        syncPath(dirname(generationPath(this.directory, number)));
      }
    } catch (error) {
      generation.discard();
      throw error;
    }
    this.add(number, generation.file, 0);
    this.newest = generation;
  }

  private syncLast(newest: LmdbGeneration): void {
    try {
      newest.sync();
    } catch (error) {
      this.end(newest); // as in `settle`
      throw error;
    }
    this.certainly = this.last;
  }

  /** @param length bytes of its first frame */
  private make(number: number, length: number): LmdbGeneration {
    const path = generationPath(this.directory, number);
    const before = this.head === 0 ? -1 : this.last;
    const head = generationHead(this.name, number, before, Math.min(before, this.certainly));
    const needed = Math.ceil((length + OVERHEAD_BYTES) / UNIT_BYTES) * UNIT_BYTES;
    const bytes = Math.min(this.generationBytes, Math.max(this.fullBytes, needed));
    try {
      return new LmdbGeneration(path, number, bytes, this.durability, head);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      moveAside(this.directory, basename(path)); // a file of another origin
      return new LmdbGeneration(path, number, bytes, this.durability, head);
    }
  }

  /** Nothing more is written to a generation: a commit or a sync failed. One without a settled frame is removed: a disk may fail for hours. */
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
    this.files.push({ number, file, bytes, unsynced: this.durability === 'process' });
    this.generations.push(number);
  }

  /** Syncs unsynced writes of a process before this one, since new frames build on them from now on. */
  private syncBefore(): void {
    for (const { file } of this.files) fdatasyncSync(file.fd);
    for (const path of [join(this.directory, 'log'), this.directory, dirname(this.directory)]) syncPath(path);
  }

  private closeFiles(): void {
    for (const { file } of this.files.splice(0)) file.close();
  }
}
