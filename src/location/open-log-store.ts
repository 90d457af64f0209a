// Opens the location store of a shard's directory, with its log and its checkpoint.

import { checkpointIn } from './checkpoint/checkpoint.ts';
import { checkpointFiles } from './checkpoint/checkpoint-files.ts';
import { GENERATION_BYTES } from './log/generation/generation-size.ts';
import { LmdbLog } from './log/lmdb-log.ts';
import type { Durability } from './log/log.ts';
import { LogStore, type LogStoreOptions } from './log/log-store.ts';

export interface OpenLogStoreOptions extends LogStoreOptions {
  /** Approximate size of a file of the log: at most GENERATION_BYTES. */
  readonly generationBytes?: number;
}

/**
 * @param directory of the shard; made where it is missing
 * @throws Error naming the log, when it cannot be opened
 */
export function openLogStore(directory: string, durability: Durability, options: OpenLogStoreOptions = {}): LogStore {
  const { generationBytes = GENERATION_BYTES, ...more } = options;
  const log = new LmdbLog(directory, durability, GENERATION_BYTES, generationBytes);
  return new LogStore(log, checkpointIn(checkpointFiles(directory)), more);
}
