// Damaged files that were set aside: below each shard, and, once their shard is removed, at the top of the data directory. They are
// kept until an operator removes them: moves, backups and restores take them along.

import { cpSync, existsSync, mkdirSync, readdirSync, renameSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { damagedFolder } from '../../location/log/log-folder.ts';

const SHARD = /^shard-\d+$/;

export interface SetAside {
  readonly folder: string;
  readonly files: number;
}

/** Folders of a data directory with files set aside. @param stores directories of its shards */
export function setAside(data: string, stores: readonly string[]): SetAside[] {
  const folders = [data, ...stores].map(damagedFolder);
  return folders.map((folder) => ({ folder, files: filesIn(folder) })).filter(({ files }) => files > 0);
}

/** Moves the files set aside in a store, or a folder of stores, to the top before its removal. */
export function keepDamaged(data: string, removed: string): void {
  const stores = SHARD.test(basename(removed)) ? [removed] : shardsIn(removed);
  for (const store of stores) {
    if (filesIn(damagedFolder(store)) === 0) continue;
    const name = store
      .slice(data.length + 1)
      .replaceAll('/', '-')
      .replaceAll('\\', '-');
    const top = damagedFolder(data);
    mkdirSync(top, { recursive: true, mode: 0o700 });
    let to = join(top, name);
    for (let n = 2; existsSync(to); n++) to = join(top, `${name}.${n}`);
    renameSync(damagedFolder(store), to);
  }
}

/** Copies them for a backup. */
export function copyDamaged(data: string, stores: readonly string[], to: string): void {
  for (const { folder } of setAside(data, stores)) {
    const target = join(to, folder.slice(data.length + 1));
    mkdirSync(dirname(target), { recursive: true, mode: 0o700 });
    cpSync(folder, target, { recursive: true, preserveTimestamps: true });
  }
}

function shardsIn(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => SHARD.test(name))
    .map((name) => join(folder, name));
}

function filesIn(folder: string): number {
  if (!existsSync(folder)) return 0;
  return readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).length;
}
