// Replaces a store by a copy: the copy is made beside the store, and exchanged between two lives of the shard. A crash at any moment leaves one of
// the two.

import { existsSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { syncPath } from './sync-path.ts';

/** Folder of damaged data, kept for later examination. */
const DAMAGED = 'damaged';

/** Folder of a copy in progress; it is no store yet. */
export function unfinishedCopy(directory: string): string {
  return `${directory}.copy`;
}

function readyCopy(directory: string): string {
  return `${directory}.ready`;
}

/** The copy is complete and on disk: the shard's next life begins with it. */
export function finishCopy(directory: string): void {
  rmSync(readyCopy(directory), { recursive: true, force: true });
  renameSync(unfinishedCopy(directory), readyCopy(directory));
  syncPath(dirname(directory));
}

/** Whether a copy waits for the shard's next life. */
export function hasReadyCopy(directory: string): boolean {
  return existsSync(readyCopy(directory));
}

/** Replaces a store, before it is opened, by a finished copy. Returns whether there was one. */
export function takeReadyCopy(directory: string): boolean {
  const [ready, before] = [readyCopy(directory), `${directory}.leftover`];
  if (!existsSync(ready)) return false;
  if (existsSync(directory)) {
    rmSync(before, { recursive: true, force: true });
    renameSync(directory, before);
  }
  renameSync(ready, directory);
  if (existsSync(join(before, DAMAGED)) && !existsSync(join(directory, DAMAGED)))
    renameSync(join(before, DAMAGED), join(directory, DAMAGED));
  syncPath(dirname(directory));
  rmSync(before, { recursive: true, force: true });
  return true;
}
