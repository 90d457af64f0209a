// Numbers for lives of shards: each start of a shard has a greater one than all before it in this data directory, whatever the clock
// did meanwhile. Nonces carry it, so that those of other lives are told by it and not by their time.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { unwritable } from './data-directory.ts';
import { writeNumber } from './flow-numbers.ts';

const FILE = 'lives';
/** Reserved at a time: a shard that dies starts again without a write. */
const RESERVED = 1024;
const NUMBERS = 2 ** 32;

/**
 * Reserves the first numbers; each call then gives the next one, of 32 bits. They do not fall behind the seconds since 1970, so that a
 * directory restored from a copy repeats none. Throws a DataDirectoryError where the file cannot be written.
 */
export function openLifeNumbers(directory: string): () => number {
  const file = join(directory, FILE);
  let next = Math.max(read(file), Math.floor(Date.now() / 1000));
  let reserved = next;
  const reserve = (): void => {
    reserved = next + RESERVED;
    writeNumber(file, reserved);
  };
  try {
    reserve();
  } catch (error) {
    throw unwritable(directory, error);
  }
  return () => {
    if (next === reserved) reserve();
    return next++ % NUMBERS;
  };
}

/** 0 where there is none, or one that makes no sense. */
function read(file: string): number {
  try {
    const number = Number.parseInt(readFileSync(file, 'latin1'), 10);
    return number >= 0 && number < Number.MAX_SAFE_INTEGER - NUMBERS ? number : 0;
  } catch {
    return 0;
  }
}
