// Where in a data directory the shards' stores lie: at its top, or after a move in a folder of their own, so that moving is
// whole or not at all. Which folder counts, data-directory's file says; what lies in a store, location/.

import { closeSync, existsSync, fsyncSync, openSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** A folder's name in the data directory's file; undefined: the top. */
export type FolderName = string | undefined;

export const FOLDER_NAME = /^bindings-[1-9]\d*$/;
const SHARD_NAME = /^shard-\d+$/;

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

/** Removes what a move has left behind, finished or broken off: every store that is not in the folder `current`. */
export function removeLeftovers(directory: string, current: FolderName): void {
  for (const name of readdirSync(directory)) {
    const isOld = SHARD_NAME.test(name) ? current !== undefined : FOLDER_NAME.test(name) && name !== current;
    if (isOld) rmSync(join(directory, name), { recursive: true, force: true });
  }
}

/** Everything below and `path` itself is on disk when this returns. */
export function syncTree(path: string): void {
  if (process.platform === 'win32' || !existsSync(path)) return;
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) syncTree(join(path, entry.name));
    else syncOne(join(path, entry.name));
  }
  syncOne(path);
}

function syncOne(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
