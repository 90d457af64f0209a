// The log on disk: generations, files of one length that are appended to and unlinked whole (decisions/0040). Bytes and
// addresses only; what frames say is log-frame's, what is worth keeping the cleaner's.

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

/** `durable`: on disk before append returns. `process`: handed to the kernel, so it survives the process, not the power. */
export type Durability = 'durable' | 'process';

export const GENERATION_BYTES = 2 ** 26;
const FOLDER = 'log';
const SUFFIX = '.log';
/** How far ahead of the head a generation is zeroed: a write into blocks that are there syncs twice as fast (decisions/0040). */
const ZEROED_BYTES = 1 << 20;
const ZEROS = new Uint8Array(1 << 16);

export interface Generation {
  readonly number: number;
  readonly file: string;
  readonly fd: number;
  /** Bytes of the file that hold zeros or frames. */
  zeroed: number;
}

export class Log {
  /** Oldest first, without a gap; the last one is appended to. */
  readonly generations: Generation[] = [];
  /** Where the next frame goes. */
  head = 0;
  /** Address of the last frame. */
  last = 0;
  private readonly directory: string;
  private readonly folder: string;
  private readonly durability: Durability;
  /** Frames at the head wait for the next sync. */
  private unsynced = false;

  /**
   * @param directory of the shard; made where it is missing. The caller sets `head` and `last` when it has read the frames.
   * @throws Error naming the directory and what to do, when it cannot be opened
   */
  constructor(directory: string, durability: Durability) {
    this.directory = directory;
    this.folder = join(directory, FOLDER);
    this.durability = durability;
    try {
      mkdirSync(this.folder, { recursive: true });
      if (durability === 'durable') for (const path of [this.folder, directory, dirname(directory)]) sync(path);
      for (const number of this.numbersFound()) this.generations.push(this.open(number, 'r+'));
    } catch (error) {
      this.close();
      throw unusable(this.folder, error);
    }
    this.head = this.tail;
  }

  /** Address of the oldest byte kept. */
  get tail(): number {
    return this.generations.length === 0 ? this.head : this.generations[0].number * GENERATION_BYTES;
  }

  /** Behind the newest generation's last byte, written or not. */
  get end(): number {
    const newest = this.generations.at(-1);
    return newest === undefined ? this.head : newest.number * GENERATION_BYTES + newest.zeroed;
  }

  /** Bytes that generations take on disk. */
  get bytes(): number {
    let bytes = 0;
    for (const generation of this.generations) bytes += generation.zeroed;
    return bytes;
  }

  /** Where a frame of so many bytes will go: at the head, or at the start of the next generation. */
  place(length: number): number {
    const left = GENERATION_BYTES - (this.head % GENERATION_BYTES);
    const needsNext = length > left || this.generations.length === 0;
    if (!needsNext) return this.head;
    return this.generations.length === 0 ? this.head : this.head + left;
  }

  /**
   * Appends a frame at the address that `place` gave. Throws with nothing appended: the next frame overwrites what was written.
   * @param lasting false: nobody is told of it, so the next frame's sync is soon enough
   */
  append(bytes: Uint8Array, length: number, address: number, lasting = true): void {
    const generation = this.generationFor(address);
    const at = address % GENERATION_BYTES;
    if (this.durability === 'durable') this.zeroAhead(generation, at + length);
    try {
      for (let done = 0; done < length; ) done += writeSync(generation.fd, bytes, done, length - done, at + done);
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
  }

  /** Reads up to `length` bytes at an address into into[at …]; returns how many there were. */
  read(address: number, into: Uint8Array, at: number, length: number): number {
    const generation = this.generations[Math.floor(address / GENERATION_BYTES) - this.firstNumber];
    if (generation === undefined) return 0;
    return readSync(generation.fd, into, at, length, address % GENERATION_BYTES);
  }

  /** The file that holds an address, for messages. */
  fileAt(address: number): string {
    return generationFile(this.directory, Math.floor(address / GENERATION_BYTES));
  }

  /** Keeps a copy of bytes that are damaged, outside the log, which will drop them. Best effort. */
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

  /** Unlinks the oldest generation, which nothing needs any more. */
  dropTail(): void {
    this.settle();
    const generation = this.generations.shift();
    if (generation === undefined) return;
    // The name goes at once and in order. Giving 64 MB of blocks back takes the file system some ten milliseconds: elsewhere, whoever
    // closes last.
    unlinkSync(generation.file);
    close(generation.fd, () => {});
  }

  close(): void {
    for (const { fd } of this.generations.splice(0)) {
      if (this.durability === 'process' || this.unsynced) fsyncSync(fd); // an orderly end leaves nothing to chance
      closeSync(fd);
    }
  }

  private get firstNumber(): number {
    return this.generations.length === 0 ? 0 : this.generations[0].number;
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
    const last = this.generations.at(-1);
    if (last !== undefined && last.number === number) return last;
    this.settle();
    const generation = this.open(number, 'w+');
    if (this.durability === 'durable') sync(this.folder);
    this.generations.push(generation);
    return generation;
  }

  /** What waits for a sync gets it: before a generation begins or ends, so that none has a gap. */
  private settle(): void {
    const newest = this.generations.at(-1);
    if (this.unsynced && newest !== undefined) fdatasyncSync(newest.fd);
    this.unsynced = false;
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

/** @param directory of the shard */
export function generationFile(directory: string, number: number): string {
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
