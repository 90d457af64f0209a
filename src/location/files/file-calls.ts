// The system calls for small files, as an interface: tests of faults replace Node's by a simulated disk.

import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { syncPath } from './sync-path.ts';

/** Each call throws as Node's does: an Error with `code`. */
export interface FileCalls {
  /** Opens a file for writing, emptied, readable by its owner alone. Returns its descriptor. */
  create(path: string): number;
  /** Returns the number of bytes written, which may be less than `length`. */
  write(fd: number, bytes: Uint8Array, offset: number, length: number): number;
  sync(fd: number): void;
  close(fd: number): void;
  rename(from: string, to: string): void;
  /** A file that is not there is no error. */
  remove(path: string): void;
  exists(path: string): boolean;
  read(path: string): Buffer;
  /** Inode, time and length, which differ after a change; empty if there is no file. */
  mark(path: string): string;
  /** The names in a directory are on disk when this returns. */
  syncDirectory(path: string): void;
}

export const nodeFiles: FileCalls = {
  create: (path) => openSync(path, 'w', 0o600),
  write: (fd, bytes, offset, length) => writeSync(fd, bytes, offset, length),
  sync: fsyncSync,
  close: closeSync,
  rename: renameSync,
  remove: (path) => rmSync(path, { force: true }),
  exists: existsSync,
  read: (path) => readFileSync(path),
  mark: (path) => {
    const stat = statSync(path, { throwIfNoEntry: false });
    return stat === undefined ? '' : `${stat.ino} ${stat.mtimeMs} ${stat.size}`;
  },
  syncDirectory: syncPath,
};
