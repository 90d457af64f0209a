// The small files of a data directory at a start: whether each has its last content, and whether the last process stopped in order. The log
// gets a line otherwise.

import { logFiles } from '../../location/log/log-folder.ts';
import { settleStatic } from '../../shard/statics/static-file.ts';
import { readServed } from '../config/served-domains.ts';
import type { Log } from '../process/log.ts';
import { shardDirectories } from './binding-folders.ts';
import type { DataDirectory } from './data-directory.ts';
import { OLDEST_IN_PLACE } from './directory-meta.ts';

/** @param problem names the file, and the reason why it could not be read */
export function logCopyUsed(log: Log, problem: string): void {
  log('error', 'a damaged file was set aside, its copy is used', { problem });
}

/** Settles static bindings, and reports on the description, which was settled when the directory was opened. */
export function settleFiles(directory: DataDirectory, log: Log): void {
  const { path, problem, brokenOff } = directory;
  if (brokenOff !== undefined) log('warn', 'the last process did not stop in order', { process: brokenOff });
  if (problem !== undefined) logCopyUsed(log, problem);
  for (const store of missingStores(directory))
    log('error', 'store of a shard missing, its bindings are lost', { store });
  try {
    const ofStatics = settleStatic(path);
    if (ofStatics !== undefined) logCopyUsed(log, ofStatics);
  } catch (error) {
    log('error', 'static bindings cannot be read', { error: error instanceof Error ? error.message : String(error) });
  }
}

/**
 * Stores that are missing: a directory that was served had one for each shard. Stores of older formats look different; their move names
 * missing ones.
 */
function missingStores({ path, bindings, move }: DataDirectory): string[] {
  const had = move?.from ?? bindings;
  if (had.format < OLDEST_IN_PLACE || readServed(path) === undefined) return [];
  return shardDirectories(had.path, had.shards).filter((store) => logFiles(store).length === 0);
}
