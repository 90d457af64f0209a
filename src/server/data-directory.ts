// The data directory: its lock, its format, its secret, and in which folder how many shards keep their bindings.
// Moving bindings to other shards is move.ts's; what is in a shard's store, location/'s.

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
import {
  FOLDER_NAME,
  type FolderName,
  folderPath,
  hasStores,
  nextFolder,
  removeLeftovers,
  syncTree,
} from './binding-folders.ts';

/** Of the shards' stores. 1: one LMDB record per AOR; 2: log and checkpoint. A directory of an older format is moved at the start. */
export const DATA_FORMAT = 2;

export const META_FILE = 'aorta.json';
const LOCK_FILE = 'lock';
const LOCK_EX_NB = 2 | 4; // the same on Linux and macOS

export type DataDirectoryProblem = 'locked' | 'newer' | 'damaged' | 'unwritable' | 'move';

/** The message says what to do about it. */
export class DataDirectoryError extends Error {
  override readonly name = 'DataDirectoryError';
  readonly kind: DataDirectoryProblem;

  constructor(kind: DataDirectoryProblem, message: string, cause?: unknown) {
    super(message, { cause });
    this.kind = kind;
  }
}

/** The stores of all shards: below `path`, one directory each. */
export interface Bindings {
  readonly path: string;
  readonly shards: number;
  readonly format: number;
}

/** Bindings have to go to other stores before anyone may use them. */
export interface PendingMove {
  readonly from: Bindings;
  readonly to: Bindings;
  /** From now on the new stores count; the old ones go. The new ones must have been closed. */
  complete(): void;
  /** The new stores go. */
  abandon(): void;
}

export interface DataDirectory {
  readonly path: string;
  /** Where the bindings are, or will be after `move`. */
  readonly bindings: Bindings;
  readonly move: PendingMove | undefined;
  /** 32 bytes: keys of the hashes. */
  readonly secret: Uint8Array;
  /** Lets the next process in; the end of this process does the same. */
  close(): void;
}

export interface DataDirectoryOptions {
  /** Number of shards wanted. */
  readonly shards: number;
  /** `shards` is a wish for a new directory: an existing one keeps its own number. */
  readonly anyShards?: boolean;
}

const Meta = z.object({
  format: z.number().int().positive(),
  shards: z.number().int().positive(),
  secret: z.base64().refine((text) => Buffer.from(text, 'base64').length === 32, 'must be 32 bytes'),
  created: z.string(),
  /** Folder of the shards' stores, where it is not the directory itself. */
  bindings: z.string().regex(FOLDER_NAME).optional(),
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
    clearLeftovers(directory, meta.bindings);
    const move = pendingMove(directory, meta, options.anyShards === true ? meta.shards : options.shards);
    const secret = new Uint8Array(Buffer.from(meta.secret, 'base64'));
    let open = true;
    const close = (): void => {
      if (open) closeLock(lock);
      open = false;
    };
    return { path: directory, bindings: move?.to ?? bindingsOf(directory, meta), move, secret, close };
  } catch (error) {
    closeLock(lock);
    throw error;
  }
}

/** Where the bindings of a directory are, without opening it; undefined where it is none. Throws a DataDirectoryError. */
export function bindingsIn(directory: string): Bindings | undefined {
  const meta = readMeta(directory);
  return meta && bindingsOf(directory, meta);
}

function bindingsOf(directory: string, { bindings, shards, format }: Meta): Bindings {
  return { path: folderPath(directory, bindings), shards, format };
}

/** What has to happen before the directory has `shards` shards in today's format; undefined: it has. */
function pendingMove(directory: string, meta: Meta, shards: number): PendingMove | undefined {
  if (meta.shards === shards && meta.format === DATA_FORMAT) return undefined;
  const next: Meta = { ...meta, format: DATA_FORMAT, shards, bindings: nextFolder(meta.bindings) };
  const to = bindingsOf(directory, next);
  return {
    from: bindingsOf(directory, meta),
    to,
    complete() {
      syncTree(to.path);
      writeMeta(directory, next);
      clearLeftovers(directory, next.bindings);
    },
    abandon: () => clearLeftovers(directory, meta.bindings),
  };
}

function clearLeftovers(directory: string, current: FolderName): void {
  try {
    removeLeftovers(directory, current);
  } catch (error) {
    throw unwritable(directory, error);
  }
}

function lockDirectory(directory: string): number {
  const file = join(directory, LOCK_FILE);
  let fd: number;
  try {
    makeDirectory(directory);
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

/** With its parents. One by one: where the kernel says of a parent that it is there and of its child that it is not (/proc), Node's own way never ends. */
function makeDirectory(path: string): void {
  if (existsSync(path)) return;
  makeDirectory(dirname(path));
  mkdirSync(path, { mode: 0o700 });
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
    if (!hasStores(directory)) return undefined;
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

/** What to say where a file of the data directory cannot be written. */
export function unwritable(directory: string, error: unknown): DataDirectoryError {
  const reason = error instanceof Error ? error.message : String(error);
  return new DataDirectoryError(
    'unwritable',
    `cannot write to the data directory ${directory} (${reason}): make it writable for this user, make room, ` +
      'or start with another --data',
    error,
  );
}

function createMeta(directory: string, shards: number): Meta {
  const secret = randomBytes(32).toString('base64');
  const meta: Meta = { format: DATA_FORMAT, shards, secret, created: new Date().toISOString() };
  writeMeta(directory, meta);
  return meta;
}

/** Whole or not at all: a new file takes its name only once it is on disk. */
function writeMeta(directory: string, meta: Meta): void {
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
}

function withFile(path: string, flags: string, use: (fd: number) => void): void {
  const fd = openSync(path, flags, 0o600);
  try {
    use(fd);
  } finally {
    closeSync(fd);
  }
}
