// Assembles a shard of a cluster in its thread: the stream, and the parts that decide by it.

import { randomBytes } from 'node:crypto';
import { ClusterShard } from '../../cluster/cluster-shard.ts';
import { ClusterStore } from '../../cluster/cluster-store.ts';
import { ClusterFlows } from '../../cluster/peers/cluster-flows.ts';
import { ShardTable } from '../../cluster/shard-table.ts';
import { deriveKey } from '../../core/auth/derived-key.ts';
import type { LocationStore } from '../../location/location-store.ts';
import { LogStore } from '../../location/log/log-store.ts';
import { Bell } from '../../shard/rings/bell.ts';
import { Ring } from '../../shard/rings/ring.ts';
import type { ShardLog } from '../../shard/shard-options.ts';
import { LiveFlows } from '../../transport/flow/live-flows.ts';
import * as abi from '../../transport/linux/linux-abi.ts';
import type { TcpConnections } from '../../transport/linux/linux-tcp.ts';
import { UdpSender } from '../../transport/linux/udp-sender.ts';
import { monotonicMs } from '../../transport/monotonic.ts';
import type { Forwarding } from '../forwarding.ts';
import type { ShardTask } from '../shard-messages.ts';
import { fdWake } from '../shared-parts.ts';
import { Away } from './away.ts';
import { NatsStream } from './nats-stream.ts';
import { Relay } from './relay.ts';

const INBOX_BYTES = 4;

export interface OpenClusterShard {
  readonly stream: NatsStream;
  readonly shard: ClusterShard;
  /** The store of the shard's bindings. */
  readonly store: ClusterStore;
  /** The ways of requests and answers to other nodes. */
  readonly away: Away;
  /** The connections of all nodes. */
  readonly flows: ClusterFlows;
  /** Sends the answers of other nodes. */
  relay(forwarding: Forwarding, tcp: TcpConnections | null): Relay;
}

/** @throws where this machine has no poll() for it, or the bindings are kept in memory */
export function openClusterShard(task: ShardTask, store: LocationStore, log: ShardLog): OpenClusterShard | undefined {
  const { cluster, clusterParts: parts, index: shard } = task;
  if (cluster === undefined || parts === undefined) return undefined;
  const calls = abi.loadCalls();
  if (typeof calls === 'string') throw new Error(`a cluster needs the native path: ${calls}`);
  if (!(store instanceof LogStore)) throw new Error('a cluster keeps bindings on disk');
  const { name, number, life, secret, holdMs, access } = cluster;
  // Unique to this life of the thread: an answer to a question of a former life must not count for a new one.
  const inbox = `${access.inbox}-${shard}-${randomBytes(INBOX_BYTES).toString('hex')}`;
  const stream = new NatsStream(calls, { cluster: name, shard, access: { ...access, inbox }, log });
  const key = deriveKey(secret, 'cluster streams');
  const table = new ShardTable(cluster.shards, cluster.table);
  const options = { store, stream, table, shard, node: number, life, key, log, holdMs, monotonic: monotonicMs };
  const open = new ClusterShard(options);
  const bell = new Bell(parts.bell, fdWake(calls, parts.bellFd));
  return {
    stream,
    shard: open,
    store: new ClusterStore(store, open),
    away: new Away(table, new Ring(parts.fromShards[shard]), bell),
    flows: new ClusterFlows(parts.flows, number, new LiveFlows(task.liveFlows)),
    relay: (forwarding, tcp) =>
      new Relay(new Ring(parts.relays[shard]), forwarding, (peers) => new UdpSender(calls, task.sockets, peers), tcp),
  };
}
