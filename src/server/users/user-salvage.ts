// A user store whose file has damaged pages: users on sound pages are written to a new file, the old one is kept aside. A memory
// map of such a file would end the process.

import { existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { nodeFiles } from '../../location/files/file-calls.ts';
import { DATA_FILE } from '../../location/files/lmdb-environment.ts';
import { readTree } from '../../location/files/lmdb-tree.ts';
import { decodeUser, type User, userNameOf } from '../../users/stored-user.ts';
import { userDirectory } from '../../users/user-environment.ts';
import { KEY_USER } from '../../users/user-record.ts';
import { UserStore } from '../../users/user-store.ts';
import { syncTree } from '../data/binding-folders.ts';
import type { Log } from '../process/log.ts';
import { logDamagedUser } from './users-log.ts';

/** Another process may write while pages are read. */
const TRIES = 3;
const PER_TRANSACTION = 1000;

/** Opens the user store for a start, and repairs it where it is damaged. Throws an Error that names it. */
export async function openSoundUsers(data: string, log: Log): Promise<UserStore> {
  const { path, aside, building } = placesOf(data);
  if (!existsSync(path) && existsSync(aside) && existsSync(building)) renameSync(aside, path); // a start was interrupted in between
  const file = join(path, DATA_FILE);
  if (UserStore.exists(data) && statSync(file).size === 0)
    // LMDB takes it for a new one
    log('error', 'the user store is empty: restore it from a backup, or import the users again', { file });
  const damaged = UserStore.exists(data) ? damagedPages(path) : [];
  if (damaged.length > 0) await salvage(data, damaged, log);
  return UserStore.open(data);
}

function placesOf(data: string): { path: string; aside: string; building: string } {
  const path = userDirectory(data);
  return { path, aside: `${path}.damaged`, building: `${path}.salvaged` };
}

/** Empty, too, where not even the first pages can be read: opening reports that. */
function damagedPages(path: string): readonly string[] {
  let damaged: readonly string[] = [];
  for (let tries = 0; tries < TRIES; tries++) {
    try {
      ({ damaged } = readTree(join(path, DATA_FILE)));
    } catch {
      return [];
    }
    if (damaged.length === 0) break;
  }
  return damaged;
}

function freeName(path: string): string {
  let n = 2;
  while (existsSync(`${path}-${n}`)) n++;
  return `${path}-${n}`;
}

async function salvage(data: string, damaged: readonly string[], log: Log): Promise<void> {
  const { path, aside, building } = placesOf(data);
  const users: User[] = [];
  readTree(join(path, DATA_FILE), (key, value) => {
    if (key[0] !== KEY_USER) return;
    const user = decodeUser(key, Buffer.from(value));
    if (user !== undefined) users.push(user);
    else logDamagedUser(log, userNameOf(key));
  });
  rmSync(building, { recursive: true, force: true });
  mkdirSync(building, { mode: 0o700 });
  const store = UserStore.open(building);
  for (let at = 0; at < users.length; at += PER_TRANSACTION) store.put(users.slice(at, at + PER_TRANSACTION), 'any');
  await store.close();
  syncTree(building);
  if (existsSync(aside)) renameSync(aside, freeName(aside));
  renameSync(path, aside);
  renameSync(userDirectory(building), path);
  nodeFiles.syncDirectory(data);
  rmSync(building, { recursive: true, force: true });
  log('error', 'the user store was damaged: users on sound pages were kept, import the others again', {
    users: users.length,
    damaged: damaged.slice(0, 5),
    pages: damaged.length,
    aside,
  });
}
