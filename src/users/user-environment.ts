// The LMDB environment of the users, <data>/users: opens it, and reads from it without an open snapshot afterwards.
// It is apart from the bindings and needs no lock, so that `aorta user` works beside a running server.

import { chmodSync, closeSync, existsSync, fsyncSync, mkdirSync, openSync, readdirSync, renameSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { nodeFiles } from '../location/files/file-calls.ts';
import { DATA_FILE, LOCK_FILE, openLmdb, removeLmdb } from '../location/files/lmdb-environment.ts';
import { checkFile } from '../location/files/lmdb-file.ts';
import { type BytesDatabase, LmdbSnapshots } from '../location/files/lmdb-snapshots.ts';
import { isAlive } from '../location/files/process-alive.ts';

/** Address space, not memory or disk: enough for tens of millions of users. */
const MAP_BYTES = 2 ** 34;
/** Name of an environment that is being made, with the number of the process. */
const UNFINISHED = /^users\.new-(\d+)-\d+$/;

/** Remedies for errors of the system. */
const FIXES = new Map([
  ['EACCES', 'run this as the user who owns it'],
  ['ENOSPC', 'free space on its disk'],
  ['EMFILE', 'allow this process more open files'],
  ['ENFILE', 'allow the system more open files'],
]);

export type UserDatabase = BytesDatabase;

export function userDirectory(dataDirectory: string): string {
  return join(dataDirectory, 'users');
}

/**
 * Opens the environment; several threads and processes may open it. `read` needs an existing one.
 * @throws Error whose message names the directory and the remedy
 */
export function openUserDatabase(dataDirectory: string, mode: 'read' | 'write'): UserDatabase {
  const path = userDirectory(dataDirectory);
  const file = join(path, DATA_FILE);
  try {
    if (mode === 'write') prepare(dataDirectory, path);
    else if (!existsSync(file)) throw new Error('there is none');
    checkFile(file);
    const db = openLmdb(path, { mapSize: MAP_BYTES, readOnly: mode === 'read' });
    if (mode === 'write') for (const name of [DATA_FILE, LOCK_FILE]) makePrivate(join(path, name));
    return db;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const fix =
      FIXES.get((error as NodeJS.ErrnoException).code ?? '') ??
      `restore ${path} from a backup, or move it away and import the users again`;
    throw new Error(`cannot use the user store ${file} (${reason}): ${fix}`, { cause: error });
  }
}

/** Makes a missing environment, whole or not at all, and syncs the names on its path, even those made by others. */
function prepare(dataDirectory: string, path: string): void {
  mkdirSync(dataDirectory, { recursive: true, mode: 0o700 });
  clearUnfinished(dataDirectory);
  if (!existsSync(join(path, DATA_FILE))) make(path);
  nodeFiles.syncDirectory(path);
  nodeFiles.syncDirectory(dataDirectory);
  nodeFiles.syncDirectory(dirname(resolve(dataDirectory)));
}

/** Removes the rest of a process that ended in the middle of `make`: it never had content. */
function clearUnfinished(dataDirectory: string): void {
  for (const name of readdirSync(dataDirectory)) {
    const maker = UNFINISHED.exec(name)?.[1];
    if (maker !== undefined && !isAlive(Number(maker))) removeLmdb(join(dataDirectory, name));
  }
}

/** Makes it under another name first: a rename never replaces a directory with content, which another process may have made meanwhile. */
function make(path: string): void {
  const building = `${path}.new-${process.pid}-${process.hrtime.bigint()}`;
  mkdirSync(building, { mode: 0o700 });
  try {
    void openLmdb(building, { mapSize: MAP_BYTES }).close(); // at once: no transaction is open
    const fd = openSync(join(building, DATA_FILE), 'r+');
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    nodeFiles.syncDirectory(building);
    renameSync(building, path);
  } catch (error) {
    removeLmdb(building);
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
  }
}

/** HA1s are as good as passwords. The mode of the directory protects the file; this protects copies of it. */
function makePrivate(file: string): void {
  try {
    chmodSync(file, 0o600);
  } catch {
    // another user owns the file, in a directory that we may use
  }
}

/** Reads of one thread, each in a snapshot of its own. */
export class UserReader {
  private readonly snapshots: LmdbSnapshots;

  constructor(db: UserDatabase) {
    this.snapshots = new LmdbSnapshots(db);
  }

  /** Copies the value of a key into `into`. Returns its length, -1: there is none, -2: it is too long. */
  read(key: Uint8Array, into: Uint8Array): number {
    const length = this.snapshots.read(key, into);
    return length > into.length ? -2 : length;
  }

  close(): void {
    this.snapshots.close();
  }
}
