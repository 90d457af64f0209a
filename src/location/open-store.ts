// The kind of store of a shard, as options that cross to the shard's thread.

import type { LocationStore } from './location-store.ts';
import { MemoryStore } from './memory-store.ts';
import { openLogStore } from './open-log-store.ts';

export type StoreOptions =
  | { readonly kind: 'memory' }
  | {
      readonly kind: 'log';
      readonly directory: string;
      readonly durability: 'durable' | 'process';
      /** As openLogStore's. */
      readonly generationBytes: number;
      readonly endsAtDamage: boolean;
    };

/**
 * @param now epoch ms: the remaining lifetime of a binding is at most the granted one
 * @param progress is told how many bytes have been read, and of how many
 * @throws Error naming the file, where it cannot be opened
 */
export function openStore(
  options: StoreOptions,
  now: number,
  progress: (done: number, total: number) => void,
): LocationStore {
  if (options.kind === 'memory') return new MemoryStore();
  const { directory, durability, generationBytes, endsAtDamage } = options;
  return openLogStore(directory, durability, { progress, now, generationBytes, endsAtDamage });
}
