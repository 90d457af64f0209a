// Checks before lmdb-js opens an environment, since a failure to open ends the process: LMDB writes to its lock file through a map, so a hole that
// gets no block raises SIGBUS, and a missing descriptor or first page SIGSEGV.

import { closeSync, existsSync, ftruncateSync, linkSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { diskSpace } from './disk-space.ts';

/** More bytes than LMDB's lock file has. */
const LOCK_BYTES = 16_384;
/** More bytes than a transaction needs. */
const ROOM_BYTES = 4 << 20;
/** More than an environment opens. */
const DESCRIPTORS = 8;
/** Blocks of a lock file and of the first pages. */
const ZEROS = new Uint8Array(1 << 16);

/** Makes a lock file that no process has open yet. It also allocates the blocks of the first pages, and frees them again for LMDB. */
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
 * Throws ENOSPC if the disk is nearly full. LMDB must not meet a full disk: its message for that overflows its own buffer, and the
 * process ends.
 */
export function demandRoom(folder: string): void {
  if (diskSpace(folder).free < ROOM_BYTES) throw noSpace(folder);
}

/** The system's error for a full disk. */
function noSpace(path: string): NodeJS.ErrnoException {
  const error = new Error(`ENOSPC: no space left on device, write '${path}'`);
  return Object.assign(error, { code: 'ENOSPC', syscall: 'write', path });
}

/** Throws EMFILE or ENFILE if too few descriptors are free for an environment. */
export function demandDescriptors(file: string): void {
  const fds: number[] = [];
  try {
    while (fds.length < DESCRIPTORS) fds.push(openSync(file, 'r'));
  } finally {
    for (const fd of fds) closeSync(fd);
  }
}

/** The same for an environment that other processes may have open: an existing lock file stays as it is. */
export function secureEnvironment(data: string, lock: string): void {
  if (!isWhole(lock)) {
    const made = `${lock}.${process.pid}-${process.hrtime.bigint()}`;
    try {
      makeLock(made);
      // An old lock file with holes may be in use: its blocks are allocated first, and LMDB uses them.
      if (!existsSync(lock)) linkSync(made, lock);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // Another process has made it meanwhile; or the directory is read-only, and LMDB opens it without locks.
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
