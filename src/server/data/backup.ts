// A copy of a data directory that a running server keeps changing, and its restoration. Each shard's copy is the state that a
// crash at one moment would have left (shard-files). backup-command has the texts and exit codes.

import {
  chmodSync,
  closeSync,
  cpSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { syncPath } from '../../location/files/sync-path.ts';
import { openLogStore } from '../../location/open-log-store.ts';
import { openUserDatabase, userDirectory } from '../../users/user-environment.ts';
import type { Progress } from '../process/progress.ts';
import { mebibytes } from '../process/size-text.ts';
import { shardDirectories, syncTree } from './binding-folders.ts';
import { copyDamaged } from './damaged.ts';
import { bindingsIn, openDataDirectory } from './data-directory.ts';
import { beginRestore, DATA_FORMAT, finishRestore, META_FILE, OLDEST_IN_PLACE } from './directory-meta.ts';
import { giveToOwner } from './owner.ts';
import { closeFiles, type OpenFile, openShardFiles } from './shard-files.ts';

const CHUNK_BYTES = 1 << 20;
/** Files of the top folder that belong to this run of the server, or are not needed. */
const OF_THIS_RUN = /^(reserve|lock|clock(\.copy)?|.*\.lock|.*\.url|.*\.new|.*\.damaged|admin-url|admin-token)$/;

/** Error of a backup or a restore; the message names the remedy. */
class BackupError extends Error {
  override readonly name = 'BackupError';
}

export interface BackupReport {
  readonly shards: number;
  readonly bytes: number;
}

export interface RestoreReport {
  readonly aors: number;
  readonly bindings: number;
  /** Places in the log that could not be read: the next start names them. */
  readonly damaged: number;
}

/** Copies `data` into the new directory `to`. Throws a BackupError, and then `to` lacks the files that a restore requires. */
export async function backUp(data: string, to: string, progress: Progress): Promise<BackupReport> {
  const from = resolve(data);
  const target = resolve(to);
  const bindings = knownBindings(from);
  demandEmpty(target);
  mkdirSync(target, { recursive: true, mode: 0o700 });
  const meta = readFileSync(join(from, META_FILE));
  let bytes = 0;
  for (const directory of shardDirectories(bindings.path, bindings.shards)) {
    const opened = openShardFiles(directory);
    if (opened === undefined) throw new BackupError(`${directory} changes too fast to be copied: try again`);
    try {
      const { files, end } = opened;
      const into = join(target, directory.slice(from.length + 1));
      const total = files.reduce((sum, { length }) => sum + length, 0);
      let done = 0;
      for (const file of files) {
        copyOut(file, join(into, file.name), (count) => {
          done += count;
          progress(`copying ${basename(directory)}, MiB`, mebibytes(done), mebibytes(total));
        });
      }
      if (end !== undefined) writeFileSync(join(into, end.name), end.bytes(), { mode: 0o600 });
      bytes += done;
    } finally {
      closeFiles(opened);
    }
  }
  bytes += copyTop(from, target) + (await copyUsers(from, target));
  copyDamaged(from, shardDirectories(bindings.path, bindings.shards), target);
  if (!readFileSync(join(from, META_FILE)).equals(meta))
    throw new BackupError(`${from} was moved to other shards meanwhile: remove ${target} and back up again`);
  syncTree(target);
  writeFileSync(join(target, META_FILE), meta, { mode: 0o600 });
  syncPath(join(target, META_FILE));
  syncPath(target);
  return { shards: bindings.shards, bytes };
}

/** Copies a backup into the new directory `data`, and reads every shard of it. Throws a BackupError or the store's own error. */
export function restore(backup: string, data: string): RestoreReport {
  const from = resolve(backup);
  const target = resolve(data);
  if (!existsSync(join(from, META_FILE)))
    throw new BackupError(`${from} is no backup, or one that was broken off: ${META_FILE} is missing`);
  knownBindings(from);
  demandEmpty(target);
  const top = (path: string) => (dirname(path) === from ? basename(path) : '');
  mkdirSync(target, { recursive: true, mode: 0o700 });
  beginRestore(target);
  cpSync(from, target, { recursive: true, preserveTimestamps: true, filter: (path) => !OF_THIS_RUN.test(top(path)) });
  syncTree(target);
  finishRestore(target);
  const directory = openDataDirectory(target, { shards: 1, anyShards: true });
  try {
    const counts = { aors: 0, bindings: 0, damaged: 0 };
    for (const path of shardDirectories(directory.bindings.path, directory.bindings.shards)) {
      const store = openLogStore(path, 'process');
      counts.aors += store.aors;
      counts.bindings += store.bindings;
      counts.damaged += store.quarantined + store.log.problems.aside.length + store.log.problems.missing.length;
      store.close();
    }
    return counts;
  } finally {
    directory.close();
    giveToOwner(target);
  }
}

function knownBindings(directory: string): NonNullable<ReturnType<typeof bindingsIn>> {
  const bindings = existsSync(directory) ? bindingsIn(directory) : undefined;
  if (bindings === undefined) throw new BackupError(`${directory} is no data directory: there is no ${META_FILE}`);
  if (bindings.format >= OLDEST_IN_PLACE) return bindings;
  throw new BackupError(
    `${directory} has format ${bindings.format}: start this version on it once, which brings it to ${DATA_FORMAT}`,
  );
}

function demandEmpty(target: string): void {
  if (existsSync(target) && readdirSync(target).length > 0)
    throw new BackupError(`${target} is there and not empty: name a new directory`);
}

function copyOut({ fd, length }: OpenFile, to: string, copied: (bytes: number) => void): void {
  mkdirSync(dirname(to), { recursive: true, mode: 0o700 });
  const out = openSync(to, 'wx', 0o600);
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  try {
    for (let at = 0; at < length; ) {
      const got = readSync(fd, chunk, 0, Math.min(chunk.length, length - at), at);
      if (got === 0) break;
      for (let done = 0; done < got; ) done += writeSync(out, chunk, done, got - done, at + done);
      at += got;
      copied(got);
    }
    fsyncSync(out);
  } finally {
    closeSync(out);
  }
}

/** Copies tokens, static bindings, flow numbers. */
function copyTop(from: string, to: string): number {
  let bytes = 0;
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    if (!entry.isFile() || OF_THIS_RUN.test(entry.name) || entry.name.startsWith(META_FILE)) continue;
    const content = readFileSync(join(from, entry.name));
    writeFileSync(join(to, entry.name), content, { mode: 0o600 });
    bytes += content.length;
  }
  return bytes;
}

/** LMDB copies itself, as of one transaction. */
async function copyUsers(from: string, to: string): Promise<number> {
  if (!existsSync(join(userDirectory(from), 'data.mdb'))) return 0;
  const users = openUserDatabase(from, 'read');
  try {
    const target = userDirectory(to);
    mkdirSync(target, { mode: 0o700 });
    await users.backup(target, true);
    const file = join(target, 'data.mdb');
    chmodSync(file, 0o600);
    return statSync(file).size;
  } finally {
    await users.close();
    giveToOwner(userDirectory(from)); // the file of locks, where no process has opened it before
  }
}
