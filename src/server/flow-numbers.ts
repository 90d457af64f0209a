// Numbers for connections that no earlier life of the data directory has given out: a file keeps how far they are reserved,
// so that a binding that names a connection of before a restart never means one of after it.

import { randomInt } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { FlowNumbers } from '../transport/flow-tokens.ts';
import { unwritable } from './data-directory.ts';

const FILE = 'flows';
/** Reserved at a time; a start gives up what the life before it had left. */
const RESERVED = 1 << 20;
const NUMBERS = 2 ** 32;

/** Reserves the first numbers. Throws a DataDirectoryError where the file cannot be written. */
export function openFlowNumbers(directory: string): FlowNumbers {
  const file = join(directory, FILE);
  const first = read(file) ?? randomInt(NUMBERS);
  let reserved = first;
  const reserve = () => {
    reserved = (reserved + RESERVED) % NUMBERS;
    writeNumber(file, reserved);
  };
  try {
    reserve();
  } catch (error) {
    throw unwritable(directory, error);
  }
  return { first, step: RESERVED, reserve };
}

/** Undefined where there is none, or one that makes no sense: then a start at random is the best there is. */
function read(file: string): number | undefined {
  try {
    const number = Number.parseInt(readFileSync(file, 'latin1'), 10);
    return number >= 0 && number < NUMBERS ? number : undefined;
  } catch {
    return undefined;
  }
}

/** Whole or not at all: the file takes its name only once it is on disk. */
export function writeNumber(file: string, number: number): void {
  const fd = openSync(`${file}.new`, 'w', 0o600);
  try {
    writeSync(fd, `${number}\n`);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(`${file}.new`, file);
}
