// Defaults that help texts name. The rest of the defaults is config.ts's.

import { availableParallelism } from 'node:os';
import type { ListenAddress } from '../../transport/listener.ts';

/** The data directory. */
export const DEFAULT_DATA = './data';

export const DEFAULT_LISTEN: readonly ListenAddress[] = [
  { transport: 'udp', host: '127.0.0.1', port: 5060 },
  { transport: 'tcp', host: '127.0.0.1', port: 5060 },
];

export const SHARDS_MAX = 64;

/** Shard threads for a new data directory where none are asked for: one per core. */
export const DEFAULT_SHARDS = Math.min(SHARDS_MAX, availableParallelism());

/** Percent. A server whose phones all refresh in the same minute has built its own storm. */
export const DEFAULT_EXPIRES_JITTER = 10;
