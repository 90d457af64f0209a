// An LMDB environment of many keys in a folder of its own, which other processes may have open: the options that all of those share.
// The log's have their own (location/log/lmdb-generation).

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
 * Opens the environment in a folder that is there; makes it where it may write. Its file must have been looked at (`checkFile`).
 * Its transactions throw ENOSPC where the disk is all but full.
 * @throws the disk's error, and EMFILE where descriptors are few
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

/** No transaction begins on a disk that is all but full. */
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

/** Removes a folder with an environment. File by file: to list a folder takes a descriptor, and the last one may be gone. */
export function removeLmdb(folder: string): void {
  for (const name of [DATA_FILE, LOCK_FILE]) rmSync(join(folder, name), { force: true });
  try {
    rmdirSync(folder);
  } catch {
    rmSync(folder, { recursive: true, force: true }); // it holds something else, or is not there
  }
}
