// The LMDB environment of the users, <data>/users: how it is opened, and reading from it without leaving a snapshot open.
// Apart from the bindings and without their lock, so that `aorta user` works beside a running server.

import { chmodSync, closeSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import * as lmdb from 'lmdb';
import { nodeFiles } from '../location/files/file-calls.ts';
import { checkFile } from '../location/files/lmdb-file.ts';
import { type BytesDatabase, LmdbSnapshots } from '../location/files/lmdb-snapshots.ts';
import { secureEnvironment } from '../location/log/lmdb-guard.ts';

/** Address space, not memory or disk: room for tens of millions of users. */
const MAP_BYTES = 2 ** 34;

/** What to do about errors of the system. */
const FIXES = new Map([
  ['EACCES', 'run this as the user who owns it'],
  ['ENOSPC', 'make room on its disk'],
  ['EMFILE', 'allow this process more open files'],
  ['ENFILE', 'allow the system more open files'],
]);

export type UserDatabase = BytesDatabase;

export function userDirectory(dataDirectory: string): string {
  return join(dataDirectory, 'users');
}

/**
 * Opens the environment; several threads and processes may. `read` needs one that is there already.
 * @throws Error whose message names the directory and what to do
 */
export function openUserDatabase(dataDirectory: string, mode: 'read' | 'write'): UserDatabase {
  const path = userDirectory(dataDirectory);
  const file = join(path, 'data.mdb');
  try {
    if (mode === 'write') prepare(dataDirectory, path);
    else if (!existsSync(file)) throw new Error('there is none');
    checkFile(file);
    const db = open(path, mode);
    if (mode === 'write') for (const name of ['data.mdb', 'lock.mdb']) makePrivate(join(path, name));
    return db;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const fix =
      FIXES.get((error as NodeJS.ErrnoException).code ?? '') ??
      `restore ${path} from a backup, or move it away and import the users again`;
    throw new Error(`cannot use the user store ${file} (${reason}): ${fix}`, { cause: error });
  }
}

/** Makes an environment where there is none, whole, and syncs the names on the way to it, whoever made them. */
function prepare(dataDirectory: string, path: string): void {
  mkdirSync(dataDirectory, { recursive: true, mode: 0o700 });
  if (!existsSync(join(path, 'data.mdb'))) make(path);
  nodeFiles.syncDirectory(path);
  nodeFiles.syncDirectory(dataDirectory);
  nodeFiles.syncDirectory(dirname(resolve(dataDirectory)));
}

/** Under another name first: a directory that holds something, made by another process meanwhile, is never replaced by a rename. */
function make(path: string): void {
  const building = `${path}.new-${process.pid}-${process.hrtime.bigint()}`;
  mkdirSync(building, { mode: 0o700 });
  try {
    void open(building, 'write').close(); // at once: nothing is under way
    const fd = openSync(join(building, 'data.mdb'), 'r+');
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    nodeFiles.syncDirectory(building);
    renameSync(building, path);
  } catch (error) {
    rmSync(building, { recursive: true, force: true });
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
  }
}

function open(path: string, mode: 'read' | 'write'): UserDatabase {
  secureEnvironment(join(path, 'data.mdb'), join(path, 'lock.mdb'));
  return lmdb.open<Buffer, Uint8Array>({
    path,
    noSubdir: false,
    keyEncoding: 'binary',
    encoding: 'binary',
    compression: false,
    cache: false,
    maxDbs: 1,
    mapSize: MAP_BYTES,
    overlappingSync: false,
    eventTurnBatching: false,
    readOnly: mode === 'read',
    permissionsMode: 0o600,
  } as lmdb.RootDatabaseOptions) as UserDatabase;
}

/** HA1s are as good as passwords. The directory keeps others out; this minds copies of it. */
function makePrivate(file: string): void {
  try {
    chmodSync(file, 0o600);
  } catch {
    // another user's file, in a directory that let us in
  }
}

/** Reads of one thread, each in a snapshot of its own. */
export class UserReader {
  private readonly snapshots: LmdbSnapshots;

  constructor(db: UserDatabase) {
    this.snapshots = new LmdbSnapshots(db);
  }

  /** Copies the value of a key into `into`; its length, -1 where there is none, -2 where it is too long. */
  read(key: Uint8Array, into: Uint8Array): number {
    const length = this.snapshots.read(key, into);
    return length > into.length ? -2 : length;
  }

  close(): void {
    this.snapshots.close();
  }
}
