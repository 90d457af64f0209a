// A file that a start on a full disk gives up: the small files of a start need some room, and a registrar that starts serves lookups and
// answers 503, which is more than none.

import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { diskSpace } from '../../location/files/disk-space.ts';

const RESERVE_FILE = 'reserve';
const RESERVE_BYTES = 1 << 20;
/** With less there is no room for a reserve. */
const ROOM = 16 << 20;

/** Removes the reserve where a start would find no room. Where that fails, what the start writes first says why. */
export function makeRoom(directory: string): void {
  const file = join(directory, RESERVE_FILE);
  if (!existsSync(file) || freeBytes(directory) >= RESERVE_BYTES) return;
  try {
    rmSync(file);
  } catch {
    // read-only, for one
  }
}

/** Makes the reserve, where there is room and none is there yet. Where that fails, there is none. */
export function keepReserve(directory: string): void {
  const file = join(directory, RESERVE_FILE);
  if (existsSync(file) || freeBytes(directory) < ROOM) return;
  try {
    writeFileSync(file, Buffer.alloc(RESERVE_BYTES), { mode: 0o600 });
  } catch {
    rmSync(file, { force: true });
  }
}

/** Of the disk that has the directory; 0 where that is not known. */
function freeBytes(directory: string): number {
  try {
    return diskSpace(directory).free;
  } catch {
    return 0;
  }
}
