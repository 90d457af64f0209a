// The files of a shard's store as of one moment, while the shard continues to write: the state that a crash then would have left. The
// checkpoint and the log after it are all opened before any copying, so that no removal can take a file away.

import { closeSync, existsSync, fstatSync, openSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isGeneration, logFiles } from '../../location/log/log-folder.ts';
import { CopyEnd } from './copy-end.ts';

/** Attempts: a checkpoint or a dropped generation may interfere, and a later moment may be quieter. */
const TRIES = 100;

export interface OpenFile {
  /** Name below the shard's directory. */
  readonly name: string;
  readonly fd: number;
  readonly length: number;
}

export interface ShardFiles {
  readonly files: readonly OpenFile[];
  /** The generation after them; undefined where there is no log. */
  readonly end: CopyEnd | undefined;
}

/** The caller closes them; undefined where the directory changes too fast. */
export function openShardFiles(directory: string): ShardFiles | undefined {
  for (let tries = 0; tries < TRIES; tries++) {
    let files: OpenFile[] = [];
    let end: CopyEnd | undefined;
    try {
      for (const name of filesOf(directory)) files.push({ name, fd: openSync(join(directory, name), 'r'), length: 0 });
      const newest = files.findLast(({ name }) => isGeneration(name));
      end = newest && CopyEnd.of(join(directory, newest.name));
      // Lengths after `end`, so that its frame lies within.
      files = files.map((file) => ({ ...file, length: fstatSync(file.fd).size }));
    } catch (error) {
      closeFiles({ files, end });
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue;
      throw error;
    }
    const now = filesOf(directory);
    // Files after the newest generation are later than this moment.
    if (files.every(({ name, fd }) => now.includes(name) && isStill(join(directory, name), fd))) return { files, end };
    closeFiles({ files, end });
  }
  return undefined;
}

export function closeFiles({ files, end }: ShardFiles): void {
  for (const { fd } of files) closeSync(fd);
  end?.close();
}

/** The checkpoint, where there is one, and the generations of the log, oldest first. */
function filesOf(directory: string): string[] {
  const checkpoint = existsSync(join(directory, 'checkpoint')) ? ['checkpoint'] : [];
  return [...checkpoint, ...logFiles(directory)];
}

function isStill(path: string, fd: number): boolean {
  const now = statSync(path, { throwIfNoEntry: false });
  return now !== undefined && now.ino === fstatSync(fd).ino;
}
