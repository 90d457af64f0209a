// Opens the location store of a shard's directory, with its log and its checkpoint.

import { checkpointIn } from './checkpoint/checkpoint.ts';
import { checkpointFiles } from './checkpoint/checkpoint-files.ts';
import { GENERATION_BYTES } from './log/generation-size.ts';
import { LmdbLog } from './log/lmdb-log.ts';
import type { Durability } from './log/log.ts';
import { LogStore } from './log/log-store.ts';

/**
 * @param directory of the shard; made where it is missing
 * @throws Error naming the log, when it cannot be opened
 */
export function openLogStore(
  directory: string,
  durability: Durability,
  progress?: (done: number, total: number) => void,
  now = 0,
  generationBytes = GENERATION_BYTES,
): LogStore {
  const log = new LmdbLog(directory, durability, GENERATION_BYTES, generationBytes);
  return new LogStore(log, checkpointIn(checkpointFiles(directory)), progress, now);
}
