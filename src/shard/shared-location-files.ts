// The read model on disk (docs/decisions/0103): <data>/location/<number>/data.mdb, an LMDB environment that holds the record of every AOR
// that is registered now, by its key; `current` names the one to read. What is written and when is shared-location-writer's.

import { chmodSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as lmdb from 'lmdb';
import { secureEnvironment } from '../location/lmdb-guard.ts';
import { checkFile } from './lmdb-file.ts';

/** Address space, not memory or disk: room for hundreds of millions of bindings. */
const MAP_BYTES = 2 ** 38;
const CURRENT = 'current';
const NAME = /^\d{10}$/;

/** Keys of 16 bytes are AORs'. Others are shorter. */
export const BEAT_KEY = Buffer.from('beat');
export const ABOUT_KEY = Buffer.from('about');

/** Raised when what lies in an environment changes. */
export const SHARED_FORMAT = 1;

/** What a reader needs besides the records, as JSON under ABOUT_KEY. */
export interface AboutLocation {
  readonly format: number;
  /** Keys of the hashes and of GRUUs: the data directory's secret, base64. */
  readonly secret: string;
  readonly gruu: 'on' | 'off';
  readonly gruuGeneration: number;
  readonly domains: readonly string[];
}

interface ReadTransaction extends lmdb.Transaction {
  readonly address: number;
}

type Database = lmdb.RootDatabase<Buffer, Uint8Array> & {
  getBinaryFast(key: Uint8Array, options: { readonly transaction: lmdb.Transaction }): Buffer | undefined;
};

const native = (lmdb as unknown as { readonly nativeAddon: { resetTxn(address: number): void } }).nativeAddon;

export function sharedFolder(data: string): string {
  return join(data, 'location');
}

export function environmentFolder(data: string, number: number): string {
  return join(sharedFolder(data), String(number).padStart(10, '0'));
}

/** Numbers of the environments that lie there. */
export function environmentsIn(data: string): number[] {
  try {
    return readdirSync(sharedFolder(data))
      .filter((name) => NAME.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

/** Number of the environment to read; undefined where there is none. */
export function currentEnvironment(data: string): number | undefined {
  try {
    const text = readFileSync(join(sharedFolder(data), CURRENT), 'utf8').trim();
    return NAME.test(text) ? Number(text) : undefined;
  } catch {
    return undefined;
  }
}

/** From now on readers read this one; the others are removed, and stay readable for those who have them open. */
export function makeCurrent(data: string, number: number): void {
  const file = join(sharedFolder(data), CURRENT);
  // Not synced: after a power cut it is made anew, like all of this.
  writeFileSync(`${file}.new`, `${String(number).padStart(10, '0')}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
  for (const other of environmentsIn(data)) if (other !== number) removeEnvironment(data, other);
}

export function removeEnvironment(data: string, number: number): void {
  rmSync(environmentFolder(data, number), { recursive: true, force: true });
}

/** A new environment; nothing in it is ever synced. Throws what the disk says. */
export function createEnvironment(data: string, number: number): Database {
  const path = environmentFolder(data, number);
  mkdirSync(sharedFolder(data), { recursive: true, mode: 0o700 });
  mkdirSync(path, { mode: 0o700 });
  const db = open(path, { noSync: true, noMemInit: true });
  for (const name of ['data.mdb', 'lock.mdb']) chmodSync(join(path, name), 0o600);
  return db;
}

/** Throws where there is none, or one that this version does not read. */
export function openEnvironment(data: string, number: number): Database {
  const path = environmentFolder(data, number);
  const file = join(path, 'data.mdb');
  checkFile(file);
  return open(path, { readOnly: true });
}

function open(path: string, options: object): Database {
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
    permissionsMode: 0o600,
    ...options,
  } as lmdb.RootDatabaseOptions) as Database;
}

/** Reads of one thread, each in a snapshot that ends with it: one left open would keep the file from using its pages again. */
export class SnapshotReader {
  private readonly db: Database;
  private readonly snapshot: ReadTransaction;
  private readonly reading: { readonly transaction: lmdb.Transaction };

  constructor(db: Database) {
    this.db = db;
    this.snapshot = db.useReadTransaction() as ReadTransaction;
    this.reading = { transaction: this.snapshot };
    native.resetTxn(this.snapshot.address);
  }

  /** Copies the value of a key into `into`, where it fits; its length, -1 where there is none. */
  read(key: Uint8Array, into: Uint8Array): number {
    // A shared buffer whose length is faked: nothing but subarray and set may touch it, and only until the next read.
    const shared = this.db.getBinaryFast(key, this.reading);
    let length = -1;
    if (shared !== undefined) {
      length = shared.length;
      if (length <= into.length) into.set(shared.subarray(0, length));
    }
    native.resetTxn(this.snapshot.address);
    return length;
  }

  /** Values, of whichever keys. */
  get count(): number {
    return (this.db.getStats() as { readonly entryCount: number }).entryCount;
  }

  close(): void {
    this.snapshot.done();
    void this.db.close();
  }
}
