// The process that holds a data directory, by its lock file.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isAlive } from '../../location/files/process-alive.ts';

export const LOCK_FILE = 'lock';

/** The process named in a lock file; of use where there is no flock, and for messages. */
export function namedHolder(file: string): number | undefined {
  const pid = Number.parseInt(readFileSync(file, 'latin1'), 10);
  return pid > 0 ? pid : undefined;
}

/** The process that holds a directory now, by its lock file. */
export function lockHolder(directory: string): number | undefined {
  try {
    const pid = namedHolder(join(directory, LOCK_FILE));
    return pid !== undefined && isAlive(pid) ? pid : undefined;
  } catch {
    return undefined;
  }
}
