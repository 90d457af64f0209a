// Syncs the names in a directory, or the bytes of a file, to the disk.

import { closeSync, fsyncSync, openSync } from 'node:fs';

/** Returns when they are on disk. Windows writes names by itself, and has no such call for them. */
export function syncPath(path: string): void {
  if (process.platform === 'win32') return;
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
