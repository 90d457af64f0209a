// The read model on disk (docs/decisions/0103): <data>/location/<number>/data.mdb, an LMDB environment with the record of every registered AOR, by
// its key; `current` names the one to read. shared-location-writer decides what is written and when.

import { chmodSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DATA_FILE, LOCK_FILE, openLmdb, removeLmdb } from '../files/lmdb-environment.ts';
import { checkFile } from '../files/lmdb-file.ts';
import type { BytesDatabase } from '../files/lmdb-snapshots.ts';

/** Address space, not memory or disk: enough for hundreds of millions of bindings. */
const MAP_BYTES = 2 ** 38;
const CURRENT = 'current';
const NAME = /^\d{10}$/;

/** Keys of 16 bytes are AORs'. Others are shorter. */
export const BEAT_KEY = Buffer.from('beat');
export const ABOUT_KEY = Buffer.from('about');

export function sharedFolder(data: string): string {
  return join(data, 'location');
}

export function environmentFolder(data: string, number: number): string {
  return join(sharedFolder(data), String(number).padStart(10, '0'));
}

/** Numbers of the existing environments. */
export function environmentsIn(data: string): number[] {
  try {
    return readdirSync(sharedFolder(data))
      .filter((name) => NAME.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

/** Number of the environment to read; undefined: there is none. */
export function currentEnvironment(data: string): number | undefined {
  try {
    const text = readFileSync(join(sharedFolder(data), CURRENT), 'utf8').trim();
    return NAME.test(text) ? Number(text) : undefined;
  } catch {
    return undefined;
  }
}

/** Directs readers to this environment; the others are removed, and stay readable for processes that have them open. */
export function makeCurrent(data: string, number: number): void {
  const file = join(sharedFolder(data), CURRENT);
  // Not synced: after a power cut it is made anew, like the whole model.
  writeFileSync(`${file}.new`, `${String(number).padStart(10, '0')}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
  for (const other of environmentsIn(data)) if (other !== number) removeEnvironment(data, other);
}

export function removeEnvironment(data: string, number: number): void {
  removeLmdb(environmentFolder(data, number));
}

/** A new environment; nothing in it is ever synced. Throws the disk's error. */
export function createEnvironment(data: string, number: number): BytesDatabase {
  const path = environmentFolder(data, number);
  mkdirSync(sharedFolder(data), { recursive: true, mode: 0o700 });
  mkdirSync(path, { mode: 0o700 });
  try {
    const db = openLmdb(path, { mapSize: MAP_BYTES, noSync: true, noMemInit: true });
    for (const name of [DATA_FILE, LOCK_FILE]) chmodSync(join(path, name), 0o600);
    return db;
  } catch (error) {
    removeEnvironment(data, number);
    throw error;
  }
}

/** Throws if there is none, or this version cannot read it. */
export function openEnvironment(data: string, number: number): BytesDatabase {
  const path = environmentFolder(data, number);
  checkFile(join(path, DATA_FILE));
  return openLmdb(path, { mapSize: MAP_BYTES, readOnly: true });
}
