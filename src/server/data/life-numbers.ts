// Numbers for lives of shards: each start of a shard has a greater one than all before it in this data directory, even if the clock
// was set back. Nonces carry it, so that it identifies those of other lives, and not their time.

import type { FileCalls } from '../../location/files/file-calls.ts';
import type { Log } from '../process/log.ts';
import { NumberFile } from './number-file.ts';

/** Numbers reserved at a time: a shard that dies restarts without a write. */
const RESERVED = 1024;
const NUMBERS = 2 ** 32;

/**
 * Reserves the first numbers; each call then returns the next one, of 32 bits. They never fall behind the seconds since 1970, so that
 * a directory restored from a copy repeats none. Throws a DataDirectoryError where the file cannot be read or written.
 */
export function openLifeNumbers(directory: string, log: Log, calls?: FileCalls): () => number {
  const file = new NumberFile(directory, { name: 'lives', step: RESERVED, log, calls });
  let next = Math.max(file.reserved ?? 0, Math.floor(Date.now() / 1000));
  let reserved = next + RESERVED;
  file.writeFirst(directory, reserved);
  return () => {
    if (next === reserved) {
      file.write(next + RESERVED);
      reserved = next + RESERVED;
    }
    return next++ % NUMBERS;
  };
}
