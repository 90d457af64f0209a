// The data directory: its lock, its format, its secret, its number of shards, and the folder of their stores. move.ts moves bindings to other
// shards; location/ has the content of a shard's store.

import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, ftruncateSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { isAlive } from '../../location/files/process-alive.ts';
import { syncPath } from '../../location/files/sync-path.ts';
import { removeUrl } from '../admin/admin-files.ts';
import type { Log } from '../process/log.ts';
import {
  begin,
  finish,
  folderPath,
  nextFolder,
  removeLeftovers,
  strangeStores,
  syncTree,
  TOP,
} from './binding-folders.ts';
import { DataDirectoryError, unwritable } from './directory-error.ts';
import { DATA_FORMAT, META_FILE, type Meta, metaFile, OLDEST_IN_PLACE, readMeta, writeMeta } from './directory-meta.ts';
import { DirectoryWatch } from './directory-watch.ts';
import { LOCK_FILE, namedHolder } from './lock-holder.ts';
import { foreignFile } from './owner.ts';
import { makeRoom } from './reserve.ts';

const LOCK_EX_NB = 2 | 4; // the same on Linux and macOS

/** The stores of all shards: below `path`, one directory each. */
export interface Bindings {
  readonly path: string;
  readonly shards: number;
  readonly format: number;
}

/** Bindings that must be moved to other stores before any use. */
export interface PendingMove {
  readonly from: Bindings;
  readonly to: Bindings;
  /** From now on the new stores count, and the old ones are removed. The new ones must have been closed. */
  complete(): void;
  /** Removes the new stores. */
  abandon(): void;
}

export interface DataDirectory {
  readonly path: string;
  /** The stores now, or after `move`. */
  readonly bindings: Bindings;
  readonly move: PendingMove | undefined;
  /** Keys of the hashes, 32 bytes. */
  readonly secret: Uint8Array;
  /** Why the copy of its description was read: the file itself could not be. */
  readonly problem: string | undefined;
  /** The process before, if it did not close the directory: it was killed, or the power failed. */
  readonly brokenOff: number | undefined;
  /** Whether another directory has its path, or none: known once it is watched. */
  readonly isGone: boolean;
  /** From now on checks that it keeps its place, and logs it otherwise. */
  watch(log: Log): void;
  /** Releases the directory for the next process; so does the end of this process. */
  close(): void;
}

export interface DataDirectoryOptions {
  /** Number of shards wanted. */
  readonly shards: number;
  /** `shards` is for a new directory only: an existing one keeps its own number. */
  readonly anyShards?: boolean;
  /** Secret of a new directory: 32 bytes; by default random ones. */
  readonly secret?: Uint8Array;
}

/**
 * Opens the data directory for this process alone, making it where it is missing.
 * @throws DataDirectoryError
 */
export function openDataDirectory(path: string, options: DataDirectoryOptions): DataDirectory {
  const directory = resolve(path);
  const foreign = foreignFile(directory);
  if (foreign !== undefined) throw new DataDirectoryError('unwritable', foreign);
  makeRoom(directory);
  const { lock, before } = lockDirectory(directory);
  try {
    removeUrl(directory); // it belongs to an earlier life
    const found = readMeta(directory) ?? { content: createMeta(directory, options), sealed: true };
    const { content, problem } = found;
    clearLeftovers(directory, content);
    demandStores(directory, content);
    settle(directory, found);
    syncFound(directory);
    const meta = isReadInPlace(content) ? { ...content, format: DATA_FORMAT } : content;
    if (meta !== content) writeMeta(directory, meta);
    const move = pendingMove(directory, meta, options.anyShards === true ? meta.shards : options.shards);
    const secret = new Uint8Array(Buffer.from(meta.secret, 'base64'));
    let open = true;
    let watch: DirectoryWatch | undefined;
    const close = (): void => {
      watch?.close();
      if (open) closeLock(lock);
      open = false;
    };
    return {
      path: directory,
      bindings: move?.to ?? bindingsOf(directory, meta),
      move,
      secret,
      problem,
      brokenOff: before,
      get isGone() {
        return watch?.isGone ?? false;
      },
      watch(log) {
        watch = new DirectoryWatch(directory, log);
      },
      close,
    };
  } catch (error) {
    closeLock(lock);
    throw error;
  }
}

/** Whether the format is an older one that is read in place. */
function isReadInPlace({ format }: Meta): boolean {
  return format >= OLDEST_IN_PLACE && format < DATA_FORMAT;
}

/** Syncs the names found: a killed start may have left names that are in memory only. */
function syncFound(directory: string): void {
  syncPath(directory);
  try {
    syncPath(dirname(directory));
  } catch {
    // not ours to read: its maker has synced its name
  }
}

/** The stores of a directory, without opening it; undefined where it is no data directory. Throws a DataDirectoryError. */
export function bindingsIn(directory: string): Bindings | undefined {
  const found = readMeta(directory);
  return found && bindingsOf(directory, found.content);
}

function bindingsOf(directory: string, { bindings, shards, format }: Meta): Bindings {
  return { path: folderPath(directory, bindings), shards, format };
}

/** The move that the directory needs for `shards` shards in today's format; undefined: none. */
function pendingMove(directory: string, meta: Meta, shards: number): PendingMove | undefined {
  if (meta.shards === shards && meta.format === DATA_FORMAT) return undefined;
  const { left: _, ...kept } = meta;
  const next: Meta = {
    ...kept,
    format: DATA_FORMAT,
    shards,
    bindings: nextFolder(meta.bindings),
    left: meta.bindings ?? TOP,
  };
  const to = bindingsOf(directory, next);
  try {
    begin(to.path);
  } catch (error) {
    throw unwritable(directory, error);
  }
  return {
    from: bindingsOf(directory, meta),
    to,
    complete() {
      syncTree(to.path);
      writeMeta(directory, next);
      clearLeftovers(directory, next);
    },
    abandon: () => clearLeftovers(directory, meta),
  };
}

/** Removes only leftovers of moves, finished or interrupted ones. */
function clearLeftovers(directory: string, { bindings, left }: Meta): void {
  try {
    if (bindings !== undefined) finish(folderPath(directory, bindings));
    removeLeftovers(directory, bindings, left);
  } catch (error) {
    throw unwritable(directory, error);
  }
}

/** A description that does not fit the stores starts nothing and removes nothing: it is older than the stores, or of another directory. */
function demandStores(directory: string, { bindings, shards }: Meta): void {
  const strange = strangeStores(directory, bindings, shards);
  if (strange.length === 0) return;
  const where = bindings === undefined ? 'at its top' : `in ${bindings}`;
  throw new DataDirectoryError(
    'mismatch',
    `${directory} holds ${strange.join(', ')}, but its ${META_FILE} says ${shards} shards ${where}: it is older than the ` +
      `stores, or of another directory. Nothing was changed: put the right one back (${META_FILE}.copy, or a backup's), ` +
      `or move ${strange.join(', ')} away if that is not wanted any more`,
  );
}

function settle(directory: string, found: Parameters<ReturnType<typeof metaFile>['settle']>[0]): void {
  try {
    metaFile(directory).settle(found);
  } catch (error) {
    throw unwritable(directory, error);
  }
}

interface Lock {
  readonly fd: number;
  /**
   * Descriptor of the directory itself, which is locked, too: a lock file is easily removed by hand. Undefined where a directory cannot be opened.
   */
  readonly place: number | undefined;
}

/** An orderly end leaves the lock empty: `before` is a process that ended otherwise. */
function lockDirectory(directory: string): { lock: Lock; before: number | undefined } {
  const file = join(directory, LOCK_FILE);
  let fd: number;
  try {
    makeDirectory(directory);
    fd = openSync(file, 'a+', 0o600);
  } catch (error) {
    throw unwritable(directory, error);
  }
  const lock = { fd, place: openPlace(directory) };
  const holder = namedHolder(file);
  const isFree = flock(fd) ?? !(holder !== undefined && holder !== process.pid && isAlive(holder));
  if (!isFree || (lock.place !== undefined && flock(lock.place) === false)) {
    release(lock);
    const who = holder === undefined ? 'another process' : `process ${holder}`;
    throw new DataDirectoryError(
      'locked',
      `the data directory ${directory} is in use by ${who}: stop that one first, or start with another --data`,
    );
  }
  try {
    ftruncateSync(fd);
    writeSync(fd, `${process.pid}\n`);
    return { lock, before: holder };
  } catch (error) {
    release(lock);
    throw unwritable(directory, error);
  }
}

function openPlace(directory: string): number | undefined {
  try {
    return openSync(directory, 'r');
  } catch {
    return undefined; // not on Windows
  }
}

/**
 * Makes the directory with its parents, one by one. Node's recursive mkdir never returns where the kernel reports a parent as existing and its
 * child as missing (/proc).
 */
function makeDirectory(path: string): void {
  if (existsSync(path)) return;
  makeDirectory(dirname(path));
  mkdirSync(path, { mode: 0o700 });
}

/** True: locked for as long as `fd` is open, even if the process is killed. Undefined: this machine has no such lock. */
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

function closeLock(lock: Lock): void {
  try {
    ftruncateSync(lock.fd);
  } finally {
    release(lock);
  }
}

function release({ fd, place }: Lock): void {
  if (place !== undefined) closeSync(place);
  closeSync(fd);
}

function createMeta(directory: string, { shards, secret: given }: DataDirectoryOptions): Meta {
  const secret = Buffer.from(given ?? randomBytes(32)).toString('base64');
  const meta: Meta = { format: DATA_FORMAT, shards, secret, created: new Date().toISOString() };
  writeMeta(directory, meta);
  return meta;
}
