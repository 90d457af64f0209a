// Files of checkpoints in a shard's directory: the current one, the one being written, and one that a start refused.

import {
  closeSync,
  existsSync,
  fdatasyncSync,
  fstatSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { syncPath } from '../files/sync-path.ts';
import type { CheckpointFile, CheckpointPlace } from './checkpoint.ts';

const FILE = 'checkpoint';

/** @param directory of the shard */
export function checkpointFiles(directory: string): CheckpointPlace {
  const name = join(directory, FILE);
  const next = `${name}.new`;
  return {
    name,
    create: () => fileOf(openSync(next, 'w', 0o600)),
    accept() {
      renameSync(next, name);
      syncPath(directory);
    },
    abandon: () => rmSync(next, { force: true }),
    open: () => (existsSync(name) ? fileOf(openSync(name, 'r')) : null),
    refuse() {
      renameSync(name, `${name}.refused`);
      syncPath(directory);
    },
    remove: () => rmSync(name, { force: true }),
  };
}

function fileOf(fd: number): CheckpointFile {
  return {
    get size() {
      return fstatSync(fd).size;
    },
    read: (from, into, at, length) => readSync(fd, into, at, length, from),
    write(at, bytes) {
      for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done, at + done);
    },
    sync: () => fdatasyncSync(fd), // also syncs the length
    close: () => closeSync(fd),
  };
}
