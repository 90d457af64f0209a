// The folders of the shards' stores in a data directory: its top, or after a move a folder of their own, so that a move is complete or
// has no effect. directory-meta's file names the valid folder; location/ has the content of a store.

import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { replaceFile } from '../../location/files/small-file.ts';
import { syncPath } from '../../location/files/sync-path.ts';
import { keepDamaged } from './damaged.ts';

/** A folder's name as in the data directory's file; undefined: the top. */
export type FolderName = string | undefined;

export const FOLDER_NAME = /^bindings-[1-9]\d*$/;
/** Replaces the top's name where one is needed. */
export const TOP = '.';
const SHARD_NAME = /^shard-\d+$/;
/** A store that is not needed gets this suffix before its removal, so that no start takes the rest of it for a store. */
const LEFTOVER = '.leftover';
const LEFTOVER_NAME = /^(shard-\d+|bindings-\d+)\.leftover$/;
/** File in a folder that a move is still filling. */
const UNFINISHED = 'unfinished';

export function folderPath(directory: string, name: FolderName): string {
  return name === undefined ? directory : join(directory, name);
}

/** The name after `current`; no folder has had it since `current` exists. */
export function nextFolder(current: FolderName): string {
  return `bindings-${current === undefined ? 1 : Number(current.slice('bindings-'.length)) + 1}`;
}

/** The store of each shard below `path`. */
export function shardDirectories(path: string, shards: number): string[] {
  return Array.from({ length: shards }, (_, shard) => join(path, `shard-${shard}`));
}

/** Whether the top has any file named like a shard's store: then the directory is not a new one. */
export function hasStores(directory: string): boolean {
  return readdirSync(directory).some((name) => SHARD_NAME.test(name) || FOLDER_NAME.test(name));
}

/** Makes the folder for a move; until `finish` a start removes it. */
export function begin(path: string): void {
  mkdirSync(path, { mode: 0o700 });
  replaceFile(join(path, UNFINISHED), '');
}

/** The folder is valid by the data directory's file. */
export function finish(path: string): void {
  rmSync(join(path, UNFINISHED), { force: true });
}

/** Removes leftovers of moves: a folder that no move has finished, and `left`, the folder of the stores before the last move. */
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

/** Syncs `path` and everything below it to disk. */
export function syncTree(path: string): void {
  if (process.platform === 'win32' || !existsSync(path)) return;
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) syncTree(join(path, entry.name));
    else syncPath(join(path, entry.name));
  }
  syncPath(path);
}
