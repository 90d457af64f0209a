// The log on disk: generations, files of one length that are appended to and unlinked whole (decisions/0040). Here a place is an
// address.

import {
  close,
  closeSync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { Durability, FrameFound, Log, SharedLogSource } from './log.ts';
import { claimedAddress, claimedLength, claimsFrame, FRAME_HEADER_BYTES } from './log-frame.ts';

const GENERATION_BYTES = 2 ** 26;
const FOLDER = 'log';
const SUFFIX = '.log';
/** How far ahead of the head a generation is zeroed: a write into blocks that are there syncs twice as fast (decisions/0040). */
const ZEROED_BYTES = 1 << 20;
const ZEROS = new Uint8Array(1 << 16);

/** Of a search for frames. */
const WINDOW_BYTES = 1 << 20;

interface Generation {
  readonly number: number;
  readonly file: string;
  readonly fd: number;
  /** Bytes of the file that hold zeros or frames. */
  zeroed: number;
}

export class FileLog implements Log {
  readonly generationBytes = GENERATION_BYTES;
  head = 0;
  last = 0;
  /** Oldest first, without a gap; the last one is appended to. */
  private readonly files: Generation[] = [];
  /** Appended and not settled. */
  private appended = -1;
  private appendedLength = 0;
  private readonly window = new Uint8Array(new ArrayBuffer(WINDOW_BYTES));
  private readonly windowWords = new Uint32Array(this.window.buffer);
  private windowAt = 0;
  private windowEnd = 0;
  private readonly directory: string;
  private readonly folder: string;
  private readonly durability: Durability;
  /** Frames at the head wait for the next sync. */
  private unsynced = false;

  /**
   * @param directory of the shard; made where it is missing
   * @throws Error naming the directory and what to do, when it cannot be opened
   */
  constructor(directory: string, durability: Durability) {
    this.directory = directory;
    this.folder = join(directory, FOLDER);
    this.durability = durability;
    try {
      mkdirSync(this.folder, { recursive: true });
      if (durability === 'durable') for (const path of [this.folder, directory, dirname(directory)]) sync(path);
      for (const number of this.numbersFound()) this.files.push(this.open(number, 'r+'));
    } catch (error) {
      this.close();
      throw unusable(this.folder, error);
    }
    this.head = this.tail;
  }

  get generations(): readonly number[] {
    return this.files.map(({ number }) => number);
  }

  get tail(): number {
    return this.files.length === 0 ? this.head : this.files[0].number * GENERATION_BYTES;
  }

  get bytes(): number {
    let bytes = 0;
    for (const generation of this.files) bytes += generation.zeroed;
    return bytes;
  }

  resume(head: number, last: number): void {
    this.head = head;
    this.last = last;
  }

  find(place: number): FrameFound | null {
    const end = (Math.floor(place / GENERATION_BYTES) + 1) * GENERATION_BYTES;
    for (let at = place; at < end; at += 8) {
      if (!this.bring(at, end)) return null;
      const w = (at - this.windowAt) >> 2;
      if (this.windowWords[w] === 0 || !claimsFrame(this.windowWords, w, (this.windowEnd - this.windowAt) >> 2))
        continue;
      if (claimedAddress(this.windowWords, w) === at)
        return { address: at, place: at, length: claimedLength(this.windowWords, w) };
    }
    return null;
  }

  /** At the head, or at the start of the next generation. */
  place(length: number): number {
    const left = GENERATION_BYTES - (this.head % GENERATION_BYTES);
    const needsNext = length > left || this.files.length === 0;
    if (!needsNext) return this.head;
    return this.files.length === 0 ? this.head : this.head + left;
  }

  append(bytes: Uint8Array, length: number, address: number): void {
    const generation = this.generationFor(address);
    const at = address % GENERATION_BYTES;
    if (this.durability === 'durable') this.zeroAhead(generation, at + length);
    try {
      for (let done = 0; done < length; ) done += writeSync(generation.fd, bytes, done, length - done, at + done);
    } catch (error) {
      this.blot(generation, at, length);
      throw error;
    }
    this.appended = address;
    this.appendedLength = length;
  }

  settle(lasting: boolean): number {
    const { appended: address, appendedLength: length } = this;
    const generation = this.generationFor(address);
    const at = address % GENERATION_BYTES;
    try {
      if (this.durability === 'durable') {
        if (lasting) fdatasyncSync(generation.fd);
        this.unsynced = !lasting;
      }
    } catch (error) {
      this.blot(generation, at, length);
      throw error;
    }
    if (at + length > generation.zeroed) generation.zeroed = at + length;
    this.head = address + length;
    this.last = address;
    return address;
  }

  read(address: number, into: Uint8Array, at: number, length: number): number {
    const generation = this.files[Math.floor(address / GENERATION_BYTES) - this.firstNumber];
    if (generation === undefined) return 0;
    return readSync(generation.fd, into, at, length, address % GENERATION_BYTES);
  }

  fileAt(address: number): string {
    return generationFile(this.directory, Math.floor(address / GENERATION_BYTES));
  }

  setAside(address: number, length: number): void {
    try {
      const bytes = new Uint8Array(Math.min(length, GENERATION_BYTES));
      const end = this.read(address, bytes, 0, bytes.length);
      const directory = join(this.directory, 'damaged');
      mkdirSync(directory, { recursive: true });
      writeFileSync(join(directory, String(address)), bytes.subarray(0, end), { mode: 0o600 });
    } catch {
      // it is counted and named all the same
    }
  }

  dropTail(): void {
    this.syncRest();
    const generation = this.files.shift();
    if (generation === undefined) return;
    // The name goes at once and in order. Giving 64 MB of blocks back takes the file system some ten milliseconds: elsewhere, whoever
    // closes last.
    unlinkSync(generation.file);
    close(generation.fd, () => {});
  }

  close(): void {
    for (const { fd } of this.files.splice(0)) {
      if (this.durability === 'process' || this.unsynced) fsyncSync(fd); // an orderly end leaves nothing to chance
      closeSync(fd);
    }
  }

  private get firstNumber(): number {
    return this.files.length === 0 ? 0 : this.files[0].number;
  }

  /** Those without a gap up to the newest; what lies before a gap was dropped, its unlinking not yet on disk. */
  private numbersFound(): number[] {
    const numbers = readdirSync(this.folder)
      .filter((name) => /^\d{10}\.log$/.test(name))
      .map((name) => Number(name.slice(0, -SUFFIX.length)))
      .sort((a, b) => a - b);
    const gap = numbers.findLastIndex((number, i) => i > 0 && number !== numbers[i - 1] + 1);
    for (const number of numbers.slice(0, Math.max(0, gap))) unlinkSync(generationFile(this.directory, number));
    return numbers.slice(Math.max(0, gap));
  }

  private generationFor(address: number): Generation {
    const number = Math.floor(address / GENERATION_BYTES);
    const last = this.files.at(-1);
    if (last !== undefined && last.number === number) return last;
    this.syncRest();
    const generation = this.open(number, 'w+');
    if (this.durability === 'durable') sync(this.folder);
    this.files.push(generation);
    return generation;
  }

  /** What waits for a sync gets it: before a generation begins or ends, so that none has a gap. */
  private syncRest(): void {
    const newest = this.files.at(-1);
    if (this.unsynced && newest !== undefined) fdatasyncSync(newest.fd);
    this.unsynced = false;
  }

  /** Has a frame's header at `at` in the window; false where the generation ends before. */
  private bring(at: number, end: number): boolean {
    if (at >= this.windowAt && at + FRAME_HEADER_BYTES <= this.windowEnd) return true;
    const got = this.read(at, this.window, 0, Math.min(WINDOW_BYTES, end - at)) & ~7;
    this.windowAt = at;
    this.windowEnd = at + got;
    return got >= FRAME_HEADER_BYTES;
  }

  private open(number: number, flags: 'r+' | 'w+'): Generation {
    const file = generationFile(this.directory, number);
    const fd = openSync(file, flags, 0o600);
    return { number, file, fd, zeroed: fstatSync(fd).size };
  }

  /** Best effort: where there is no room, the frame itself says so. */
  private zeroAhead(generation: Generation, end: number): void {
    if (end <= generation.zeroed) return;
    try {
      const to = Math.min(end + ZEROED_BYTES, GENERATION_BYTES);
      while (generation.zeroed < to) {
        const length = Math.min(ZEROS.length, to - generation.zeroed);
        generation.zeroed += writeSync(generation.fd, ZEROS, 0, length, generation.zeroed);
      }
    } catch {
      // the append below meets the same error where it matters
    }
  }

  /** A frame that failed must not be found by a restart: its batch was refused. Best effort, where something was written. */
  private blot(generation: Generation, at: number, length: number): void {
    try {
      for (let done = 0; done < length; )
        done += writeSync(generation.fd, ZEROS, 0, Math.min(ZEROS.length, length - done), at + done);
    } catch {
      // from here on nothing could be written
    }
  }
}

/** The generations' files for a reader in another thread, opened when they are first read. */
export class LogFiles implements SharedLogSource {
  readonly generationBytes = GENERATION_BYTES;
  private readonly directory: string;
  private readonly fds = new Map<number, number>();

  /** @param directory of the shard */
  constructor(directory: string) {
    this.directory = directory;
  }

  read(place: number, into: Uint8Array, at: number, length: number): number {
    const number = Math.floor(place / GENERATION_BYTES);
    let fd = this.fds.get(number);
    if (fd === undefined) {
      try {
        fd = openSync(generationFile(this.directory, number), 'r');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0; // dropped meanwhile
        throw error;
      }
      this.fds.set(number, fd);
    }
    return readSync(fd, into, at, length, place % GENERATION_BYTES);
  }

  /** Generations before `tail` are gone: an open file would keep their space. */
  drop(tail: number): void {
    for (const [number, fd] of this.fds) {
      if (number >= tail) continue;
      close(fd, () => {});
      this.fds.delete(number);
    }
  }

  close(): void {
    this.drop(Number.POSITIVE_INFINITY);
  }
}

/** What a helper thread may have seen of the log between two addresses is on disk when this returns. @param directory of the shard */
export function syncLog(directory: string, from: number, to: number): void {
  for (let n = Math.floor(from / GENERATION_BYTES); n <= Math.floor(to / GENERATION_BYTES); n++) {
    let fd: number;
    try {
      fd = openSync(generationFile(directory, n), 'r');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue; // dropped, or not begun
      throw error;
    }
    try {
      fdatasyncSync(fd);
    } finally {
      closeSync(fd);
    }
  }
}

/** @param directory of the shard */
function generationFile(directory: string, number: number): string {
  return join(directory, FOLDER, `${String(number).padStart(10, '0')}${SUFFIX}`);
}

function unusable(directory: string, error: unknown): Error {
  const reason = error instanceof Error ? error.message : String(error);
  return new Error(
    `cannot use the location store ${directory} (${reason}): ` +
      'restore it from a backup, or move it away to start with an empty one; phones then register anew',
    { cause: error },
  );
}

/** A directory's names. */
function sync(path: string): void {
  if (process.platform === 'win32') return;
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
