// Defaults that help texts name. config.ts has the other defaults.

import { availableParallelism } from 'node:os';
import type { ListenAddress } from '../../transport/listener.ts';

/** The data directory. */
export const DEFAULT_DATA = './data';

export const DEFAULT_LISTEN: readonly ListenAddress[] = [
  { transport: 'udp', host: '127.0.0.1', port: 5060 },
  { transport: 'tcp', host: '127.0.0.1', port: 5060 },
];

export const SHARDS_MAX = 64;

/** Shard threads of a new data directory, unless configured: one per core. */
export const DEFAULT_SHARDS = Math.min(SHARDS_MAX, availableParallelism());

/** Percent. Without it, phones that all refresh in the same minute would cause a storm of the server's own making. */
export const DEFAULT_EXPIRES_JITTER = 10;
