// The data directory: its lock, its format and what was fixed when it was made (number of shards, secret).
// What a shard keeps in it is location/log's.

import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';

/** Raised when the layout changes; what follows from it is then written here. */
const DATA_FORMAT = 1;

const META_FILE = 'aorta.json';
const LOCK_FILE = 'lock';
const LOCK_EX_NB = 2 | 4; // the same on Linux and macOS

export type DataDirectoryProblem = 'locked' | 'newer' | 'damaged' | 'unwritable' | 'shards';

/** The message says what to do about it. */
export class DataDirectoryError extends Error {
  override readonly name = 'DataDirectoryError';
  readonly kind: DataDirectoryProblem;

  constructor(kind: DataDirectoryProblem, message: string, cause?: unknown) {
    super(message, { cause });
    this.kind = kind;
  }
}

export interface DataDirectory {
  readonly path: string;
  /** Number of shards; fixed when the directory was made. */
  readonly shards: number;
  /** 32 bytes: keys of the hashes. */
  readonly secret: Uint8Array;
  /** Lets the next process in; the end of this process does the same. */
  close(): void;
}

export interface DataDirectoryOptions {
  /** Number of shards of a new directory; an existing one must have as many, too. */
  readonly shards: number;
  /** `shards` is a wish: an existing directory keeps its own number. */
  readonly anyShards?: boolean;
}

const Meta = z.object({
  format: z.number().int().positive(),
  shards: z.number().int().positive(),
  secret: z.base64().refine((text) => Buffer.from(text, 'base64').length === 32, 'must be 32 bytes'),
  created: z.string(),
});
type Meta = z.infer<typeof Meta>;

/**
 * Opens the data directory for this process alone, making it where it is missing.
 * @throws DataDirectoryError
 */
export function openDataDirectory(path: string, options: DataDirectoryOptions): DataDirectory {
  const directory = resolve(path);
  const lock = lockDirectory(directory);
  try {
    const meta = readMeta(directory) ?? createMeta(directory, options.shards);
    if (meta.shards !== options.shards && options.anyShards !== true) {
      throw new DataDirectoryError(
        'shards',
        `the data directory ${directory} was made for ${meta.shards} shards, not ${options.shards}: ` +
          `start with --shards ${meta.shards}, or with another data directory`,
      );
    }
    const secret = new Uint8Array(Buffer.from(meta.secret, 'base64'));
    let open = true;
    const close = (): void => {
      if (open) closeLock(lock);
      open = false;
    };
    return { path: directory, shards: meta.shards, secret, close };
  } catch (error) {
    closeLock(lock);
    throw error;
  }
}

function lockDirectory(directory: string): number {
  const file = join(directory, LOCK_FILE);
  let fd: number;
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    fd = openSync(file, 'a+', 0o600);
  } catch (error) {
    throw unwritable(directory, error);
  }
  const holder = readHolder(file);
  const locked = flock(fd) ?? !(holder !== undefined && holder !== process.pid && isAlive(holder));
  if (!locked) {
    closeSync(fd);
    const who = holder === undefined ? 'another process' : `process ${holder}`;
    throw new DataDirectoryError(
      'locked',
      `the data directory ${directory} is in use by ${who}: stop that one first, or start with another --data`,
    );
  }
  try {
    ftruncateSync(fd);
    writeSync(fd, `${process.pid}\n`);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw unwritable(directory, error);
  }
}

/** True: locked for as long as `fd` is open, whatever ends the process. Undefined: this machine has no such lock. */
function flock(fd: number): boolean | undefined {
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
    const call = koffi.load(null).func('int flock(int fd, int operation)');
    if (call(fd, LOCK_EX_NB) === 0) return true;
    return koffi.errno() === constants.errno.EWOULDBLOCK ? false : undefined;
  } catch {
    return undefined;
  }
}

/** The process named in a lock file; of use where there is no flock, and for the message. */
function readHolder(file: string): number | undefined {
  const pid = Number.parseInt(readFileSync(file, 'latin1'), 10);
  return pid > 0 ? pid : undefined;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function closeLock(fd: number): void {
  try {
    ftruncateSync(fd);
  } finally {
    closeSync(fd);
  }
}

function readMeta(directory: string): Meta | undefined {
  const file = join(directory, META_FILE);
  if (!existsSync(file)) {
    if (!existsSync(join(directory, 'shard-0'))) return undefined;
    throw damaged(file, 'it is missing, but there are bindings');
  }
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw damaged(file, error instanceof Error ? error.message : String(error));
  }
  const format = z.object({ format: z.number() }).safeParse(content);
  if (format.success && format.data.format > DATA_FORMAT) {
    throw new DataDirectoryError(
      'newer',
      `the data directory ${directory} was written by a newer version (format ${format.data.format}, ` +
        `this one knows up to ${DATA_FORMAT}): run that version, or start with another --data`,
    );
  }
  const meta = Meta.safeParse(content);
  if (!meta.success) throw damaged(file, z.prettifyError(meta.error).replaceAll('\n', ' '));
  return meta.data;
}

function damaged(file: string, reason: string): DataDirectoryError {
  return new DataDirectoryError(
    'damaged',
    `cannot read ${file} (${reason}): restore it from a backup, or move ${dirname(file)} away to start with an ` +
      'empty one; phones then register anew',
  );
}

function unwritable(directory: string, error: unknown): DataDirectoryError {
  const reason = error instanceof Error ? error.message : String(error);
  return new DataDirectoryError(
    'unwritable',
    `cannot write to the data directory ${directory} (${reason}): make it writable for this user, make room, ` +
      'or start with another --data',
    error,
  );
}

/** Whole or not at all: a new file takes its name only once it is on disk. */
function createMeta(directory: string, shards: number): Meta {
  const meta: Meta = {
    format: DATA_FORMAT,
    shards,
    secret: randomBytes(32).toString('base64'),
    created: new Date().toISOString(),
  };
  const file = join(directory, META_FILE);
  try {
    withFile(`${file}.new`, 'w', (fd) => {
      writeSync(fd, `${JSON.stringify(meta, null, 2)}\n`);
      fsyncSync(fd);
    });
    renameSync(`${file}.new`, file);
    if (process.platform !== 'win32')
      for (const path of [directory, dirname(directory)]) withFile(path, 'r', fsyncSync);
  } catch (error) {
    throw unwritable(directory, error);
  }
  return meta;
}

function withFile(path: string, flags: string, use: (fd: number) => void): void {
  const fd = openSync(path, flags, 0o600);
  try {
    use(fd);
  } finally {
    closeSync(fd);
  }
}
