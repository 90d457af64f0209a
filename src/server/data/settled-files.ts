// The small files of a data directory at a start: whether each is what was written last, whether the last process stopped in order,
// and a line in the log where that is not so.

import { settleStatic } from '../../shard/statics/static-file.ts';
import type { Log } from '../process/log.ts';
import type { DataDirectory } from './data-directory.ts';

/** @param problem names the file, and why it could not be read */
export function logCopyUsed(log: Log, problem: string): void {
  log('error', 'a damaged file was set aside, its copy is used', { problem });
}

/** The description was settled when the directory was opened, and tells of it here; static bindings are. */
export function settleFiles({ path, problem, brokenOff }: DataDirectory, log: Log): void {
  if (brokenOff !== undefined) log('warn', 'the last process did not stop in order', { process: brokenOff });
  if (problem !== undefined) logCopyUsed(log, problem);
  try {
    const ofStatics = settleStatic(path);
    if (ofStatics !== undefined) logCopyUsed(log, ofStatics);
  } catch (error) {
    log('error', 'static bindings cannot be read', { error: error instanceof Error ? error.message : String(error) });
  }
}
