// Free space on the disk of a path.

import { statfsSync } from 'node:fs';

/** Bytes. Blocks that root alone may use are not free. Throws the system's error. */
export function diskSpace(path: string): { readonly free: number; readonly size: number } {
  const { blocks, bavail, bsize } = statfsSync(path);
  return { free: bavail * bsize, size: blocks * bsize };
}
