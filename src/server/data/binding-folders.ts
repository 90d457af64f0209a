// Where in a data directory the shards' stores lie: at its top, or after a move in a folder of their own, so that moving is
// whole or not at all. Which folder counts, directory-meta's file says; what lies in a store, location/.

import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { replaceFile } from '../../location/files/small-file.ts';
import { syncPath } from '../../location/files/sync-path.ts';
import { keepDamaged } from './damaged.ts';

/** A folder's name in the data directory's file; undefined: the top. */
export type FolderName = string | undefined;

export const FOLDER_NAME = /^bindings-[1-9]\d*$/;
/** Stands for the top where a name is needed. */
export const TOP = '.';
const SHARD_NAME = /^shard-\d+$/;
/** A store that nobody needs gets such a name before it is removed, so that no start takes what is left of it for a store. */
const LEFTOVER = '.leftover';
const LEFTOVER_NAME = /^(shard-\d+|bindings-\d+)\.leftover$/;
/** Lies in a folder that a move is still filling. */
const UNFINISHED = 'unfinished';

export function folderPath(directory: string, name: FolderName): string {
  return name === undefined ? directory : join(directory, name);
}

/** A name that has not been used since `current` was. */
export function nextFolder(current: FolderName): string {
  return `bindings-${current === undefined ? 1 : Number(current.slice('bindings-'.length)) + 1}`;
}

/** The store of each shard below `path`. */
export function shardDirectories(path: string, shards: number): string[] {
  return Array.from({ length: shards }, (_, shard) => join(path, `shard-${shard}`));
}

/** Whether anything that looks like a shard's store lies at the top: then the directory is not a new one. */
export function hasStores(directory: string): boolean {
  return readdirSync(directory).some((name) => SHARD_NAME.test(name) || FOLDER_NAME.test(name));
}

/** Makes the folder that a move fills; until `finish` a start removes it. */
export function begin(path: string): void {
  mkdirSync(path, { mode: 0o700 });
  replaceFile(join(path, UNFINISHED), '');
}

/** The folder is one that counts, as the data directory's file says. */
export function finish(path: string): void {
  rmSync(join(path, UNFINISHED), { force: true });
}

/** Removes what moves have left behind: a folder that none has finished, and `left`, where the stores of before the last move were. */
export function removeLeftovers(directory: string, current: FolderName, left: string | undefined): void {
  for (const name of readdirSync(directory)) {
    const unfinished = FOLDER_NAME.test(name) && name !== current && isUnfinished(join(directory, name));
    const before =
      left !== undefined && left !== (current ?? TOP) && (left === TOP ? SHARD_NAME.test(name) : name === left);
    if (unfinished || before) {
      if (before) keepDamaged(directory, join(directory, name));
      const leftover = join(directory, name + LEFTOVER);
      rmSync(leftover, { recursive: true, force: true });
      renameSync(join(directory, name), leftover);
      rmSync(leftover, { recursive: true, force: true });
    } else if (LEFTOVER_NAME.test(name)) rmSync(join(directory, name), { recursive: true, force: true });
  }
}

function isUnfinished(folder: string): boolean {
  const names = readdirSync(folder);
  return names.includes(UNFINISHED) || !names.some((name) => SHARD_NAME.test(name));
}

/** Names of stores that a data directory of so many shards in `current` does not account for. */
export function strangeStores(directory: string, current: FolderName, shards: number): string[] {
  const top = readdirSync(directory).filter((name) =>
    SHARD_NAME.test(name)
      ? current !== undefined || isBeyond(name, shards)
      : FOLDER_NAME.test(name) && name !== current,
  );
  const path = folderPath(directory, current);
  if (current === undefined || !existsSync(path)) return top;
  const beyond = readdirSync(path).filter((name) => SHARD_NAME.test(name) && isBeyond(name, shards));
  return [...top, ...beyond.map((name) => join(current, name))];
}

function isBeyond(shardName: string, shards: number): boolean {
  return Number(shardName.slice('shard-'.length)) >= shards;
}

/** Everything below and `path` itself is on disk when this returns. */
export function syncTree(path: string): void {
  if (process.platform === 'win32' || !existsSync(path)) return;
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) syncTree(join(path, entry.name));
    else syncPath(join(path, entry.name));
  }
  syncPath(path);
}
