// A file that a start on a full disk removes: the small files of a start need some space. A registrar that has started serves lookups
// and answers 503, which is better than none.

import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { diskSpace } from '../../location/files/disk-space.ts';

const RESERVE_FILE = 'reserve';
const RESERVE_BYTES = 1 << 20;
/** Free bytes below which no reserve is made. */
const ROOM = 16 << 20;

/** Removes the reserve where a start would find no space. If that fails, the first write of the start reports the reason. */
export function makeRoom(directory: string): void {
  const file = join(directory, RESERVE_FILE);
  if (!existsSync(file) || freeBytes(directory) >= RESERVE_BYTES) return;
  try {
    rmSync(file);
  } catch {
    // a read-only disk, for example
  }
}

/** Makes the reserve, where there is space and none exists. If that fails, there is none. */
export function keepReserve(directory: string): void {
  const file = join(directory, RESERVE_FILE);
  if (existsSync(file) || freeBytes(directory) < ROOM) return;
  try {
    writeFileSync(file, Buffer.alloc(RESERVE_BYTES), { mode: 0o600 });
  } catch {
    rmSync(file, { force: true });
  }
}

/** Free bytes on the directory's disk; 0 where that is not known. */
function freeBytes(directory: string): number {
  try {
    return diskSpace(directory).free;
  } catch {
    return 0;
  }
}
