// The location store of a shard's directory: which log and which checkpoint lie there.

import { checkpointIn } from './checkpoint/checkpoint.ts';
import { checkpointFiles } from './checkpoint/checkpoint-files.ts';
import { GENERATION_BYTES } from './log/generation-size.ts';
import { LmdbLog } from './log/lmdb-log.ts';
import type { Durability } from './log/log.ts';
import { LogStore } from './log/log-store.ts';

/**
 * @param directory of the shard; made where it is missing
 * @param progress is told how many bytes have been read, and of how many
 * @param now epoch ms, to which a binding has no more left than it was granted; 0: not known
 * @param generationBytes that a file of the log may have, about: at most GENERATION_BYTES
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
