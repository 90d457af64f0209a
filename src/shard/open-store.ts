// Which store a shard keeps its bindings in, as it crosses to the thread that opens it.

import type { LocationStore } from '../location/location-store.ts';
import { MemoryStore } from '../location/memory-store.ts';
import { openLogStore } from '../location/open-log-store.ts';

export type StoreOptions =
  | { readonly kind: 'memory' }
  | { readonly kind: 'log'; readonly directory: string; readonly durability: 'durable' | 'process' };

/**
 * @param progress is told how many bytes have been read, and of how many
 * @throws Error naming the file, where it cannot be opened
 */
export function openStore(options: StoreOptions, progress: (done: number, total: number) => void): LocationStore {
  return options.kind === 'memory' ? new MemoryStore() : openLogStore(options.directory, options.durability, progress);
}
