// Which store a shard keeps its bindings in, as it crosses to the thread that opens it.

import { LmdbStore } from '../location/lmdb-store.ts';
import type { LocationStore } from '../location/location-store.ts';
import { MemoryStore } from '../location/memory-store.ts';

export type StoreOptions =
  | { readonly kind: 'memory' }
  | { readonly kind: 'lmdb'; readonly directory: string; readonly durability: 'durable' | 'process' };

/** @throws Error naming the file, where it cannot be opened */
export function openStore(options: StoreOptions): LocationStore {
  return options.kind === 'memory' ? new MemoryStore() : new LmdbStore(options.directory, options.durability);
}
