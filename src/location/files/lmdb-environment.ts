// An LMDB environment of many keys in a folder of its own, which other processes may have open: the options common to
// all of them. The log's have their own (location/log/generation/lmdb-generation).

import { rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import * as lmdb from 'lmdb';
import { demandRoom, secureEnvironment } from './lmdb-guard.ts';
import type { BytesDatabase } from './lmdb-snapshots.ts';

export const DATA_FILE = 'data.mdb';
export const LOCK_FILE = 'lock.mdb';

export interface EnvironmentOptions {
  /** Address space, not memory or disk. */
  readonly mapSize: number;
  readonly readOnly?: boolean;
  /** Nothing in it is ever synced. */
  readonly noSync?: boolean;
  readonly noMemInit?: boolean;
}

/**
 * Opens the environment in an existing folder; makes it if it may write. `checkFile` must have checked its file. Its
 * transactions throw ENOSPC if the disk is nearly full.
 * @throws the disk's error, and EMFILE if too few descriptors are free
 */
export function openLmdb(folder: string, options: EnvironmentOptions): BytesDatabase {
  secureEnvironment(join(folder, DATA_FILE), join(folder, LOCK_FILE));
  const database = lmdb.open<Buffer, Uint8Array>({
    path: folder,
    noSubdir: false,
    keyEncoding: 'binary',
    encoding: 'binary',
    compression: false,
    cache: false,
    maxDbs: 1,
    overlappingSync: false,
    eventTurnBatching: false,
    permissionsMode: 0o600,
    ...options,
  } as lmdb.RootDatabaseOptions) as BytesDatabase;
  if (options.readOnly !== true) keepRoom(database, folder);
  return database;
}

/** Makes transactions throw on a disk that is nearly full. */
function keepRoom(database: BytesDatabase, folder: string): void {
  const transaction = database.transaction.bind(database);
  const transactionSync = database.transactionSync.bind(database);
  database.transaction = async (work) => {
    demandRoom(folder);
    return transaction(work);
  };
  database.transactionSync = (work, flags) => {
    demandRoom(folder);
    return transactionSync(work, flags);
  };
}

/** Removes a folder with an environment, file by file: listing a folder takes a descriptor, and none may be free. */
export function removeLmdb(folder: string): void {
  for (const name of [DATA_FILE, LOCK_FILE]) rmSync(join(folder, name), { force: true });
  try {
    rmdirSync(folder);
  } catch {
    rmSync(folder, { recursive: true, force: true }); // it has other files, or is missing
  }
}
