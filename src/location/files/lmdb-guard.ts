// What lmdb-js needs before it opens an environment. It does not outlive one that cannot be opened: LMDB maps its lock file and writes
// there, so a hole that gets no block ends the process (SIGBUS), and so does a missing descriptor or first page (SIGSEGV).

import { closeSync, existsSync, ftruncateSync, linkSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { diskSpace } from './disk-space.ts';

/** More than LMDB's lock file takes. */
const LOCK_BYTES = 16_384;
/** More than a transaction takes. */
const ROOM_BYTES = 4 << 20;
/** More than an environment opens. */
const DESCRIPTORS = 8;
/** Blocks of a lock file and of the first pages. */
const ZEROS = new Uint8Array(1 << 16);

/** Makes a lock file that no process has open yet. The blocks of the first pages are taken with it, and given back for LMDB to take. */
export function makeLock(lock: string): void {
  const fd = openSync(lock, 'w', 0o600);
  try {
    if (writeSync(fd, ZEROS) < ZEROS.length) throw noSpace(lock);
    ftruncateSync(fd, LOCK_BYTES);
  } finally {
    closeSync(fd);
  }
}

/**
 * Throws ENOSPC where the disk is all but full. LMDB must not find out by itself: its text for a page without room is longer than the
 * memory that it takes for it, and the process ends.
 */
export function demandRoom(folder: string): void {
  if (diskSpace(folder).free < ROOM_BYTES) throw noSpace(folder);
}

/** As the system has it. */
function noSpace(path: string): NodeJS.ErrnoException {
  const error = new Error(`ENOSPC: no space left on device, write '${path}'`);
  return Object.assign(error, { code: 'ENOSPC', syscall: 'write', path });
}

/** Throws EMFILE or ENFILE where an environment would lack descriptors. */
export function demandDescriptors(file: string): void {
  const fds: number[] = [];
  try {
    while (fds.length < DESCRIPTORS) fds.push(openSync(file, 'r'));
  } finally {
    for (const fd of fds) closeSync(fd);
  }
}

/** The same for an environment that other processes may have open: a lock file that is there stays as it is. */
export function secureEnvironment(data: string, lock: string): void {
  if (!isWhole(lock)) {
    const made = `${lock}.${process.pid}-${process.hrtime.bigint()}`;
    try {
      makeLock(made);
      // An old lock file with holes may be in use: its blocks are allocated first, and LMDB uses them.
      if (!existsSync(lock)) linkSync(made, lock);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // Made by another process meanwhile; or a directory that is only read, which LMDB opens without locks.
      if (code !== 'EEXIST' && code !== 'EROFS' && code !== 'EACCES') throw error;
    } finally {
      rmSync(made, { force: true });
    }
  }
  demandDescriptors(existsSync(data) ? data : lock);
}

function isWhole(lock: string): boolean {
  const found = statSync(lock, { throwIfNoEntry: false });
  return found !== undefined && found.size > 0 && found.blocks * 512 >= found.size;
}
