// A shard of a cluster in its thread: the stream, and what decides by it, put together.

import { ClusterShard } from '../../cluster/cluster-shard.ts';
import { ClusterStore } from '../../cluster/cluster-store.ts';
import { ShardTable } from '../../cluster/shard-table.ts';
import { deriveKey } from '../../core/auth/derived-key.ts';
import type { LocationStore } from '../../location/location-store.ts';
import { LogStore } from '../../location/log/log-store.ts';
import * as abi from '../../transport/linux/linux-abi.ts';
import type { ClusterOptions } from './cluster-options.ts';
import { NatsStream } from './nats-stream.ts';

export interface OpenClusterShard {
  readonly stream: NatsStream;
  readonly shard: ClusterShard;
  /** What the shard keeps its bindings in. */
  readonly store: ClusterStore;
}

/** @throws where this machine has no poll() for it, or the bindings are kept in memory */
export function openClusterShard(
  cluster: ClusterOptions,
  shard: number,
  store: LocationStore,
  log: (level: 'info' | 'warn' | 'error', event: string, fields: Record<string, unknown>) => void,
): OpenClusterShard {
  const calls = abi.loadCalls();
  if (typeof calls === 'string') throw new Error(`a cluster needs the native path: ${calls}`);
  if (!(store instanceof LogStore)) throw new Error('a cluster keeps bindings on disk');
  const { name, number, life, secret, holdMs, access } = cluster;
  const inbox = `${access.inbox}-${shard}`;
  const stream = new NatsStream(calls, { cluster: name, shard, access: { ...access, inbox }, log });
  const key = deriveKey(secret, 'cluster streams');
  const table = new ShardTable(cluster.shards, cluster.table);
  const open = new ClusterShard({ store, stream, table, shard, node: number, life, key, log, holdMs });
  return { stream, shard: open, store: new ClusterStore(store, open) };
}
