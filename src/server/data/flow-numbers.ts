// Numbers for connections that no earlier life of the data directory has given out. A file keeps the end of the reserved
// ones, so that a binding over a connection from before a restart never refers to one after it.

import { randomInt } from 'node:crypto';
import type { FileCalls } from '../../location/files/file-calls.ts';
import type { FlowNumbers } from '../../transport/flow/flow-tokens.ts';
import type { Log } from '../process/log.ts';
import { NumberFile } from './number-file.ts';

/** Numbers reserved at a time; a start drops the rest of the life before. */
const RESERVED = 1 << 20;
/** How many times as many are ready: a disk that fails for a while refuses no connection. */
const AHEAD = 2;
const NUMBERS = 2 ** 32;

/** Reserves the first numbers. Throws a DataDirectoryError where the file cannot be read or written. */
export function openFlowNumbers(directory: string, log: Log, calls?: FileCalls): FlowNumbers {
  const file = new NumberFile(directory, { name: 'flows', step: RESERVED, log, calls });
  const first = file.reserved === undefined ? randomInt(NUMBERS) : file.reserved % NUMBERS;
  let reserved = (first + AHEAD * RESERVED) % NUMBERS;
  file.writeFirst(directory, reserved);
  return {
    first,
    step: RESERVED,
    reserve() {
      reserved = (reserved + RESERVED) % NUMBERS;
      try {
        file.write(reserved);
      } catch (error) {
        log('error', 'numbers of connections cannot be reserved', { file: file.path, error: String(error) });
      }
    },
  };
}
