// What a node learns of its cluster before anything of it is opened: that the servers lose nothing, that the streams are as they must be, and
// that this data directory may be a node of it, and is one alone.

import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { JetStreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Config } from '../config/config.ts';
import type { ClusterConfig } from '../config/sections/cluster-config.ts';
import { bindingsIn } from '../data/data-directory.ts';
import type { Log } from '../process/log.ts';
import { BeatWatch } from './beat-watch.ts';
import { ClusterError, clusterError } from './cluster-error.ts';
import { type ClusterRecord, readRecord } from './cluster-record.ts';
import { connectNats } from './nats/nats-client.ts';
import { checkServers } from './nats/nats-servers.ts';
import { checkStreams, openManager } from './nats/streams.ts';

/** A node beats four times a second: one of the same name would have been heard after this time. */
const LISTEN_MS = 600;
/** So long a start waits for streams without a leader, as after a start of all servers. */
const PATIENCE_MS = 30_000;

export interface ClusterParts {
  readonly connection: NatsConnection;
  readonly manager: JetStreamManager;
  readonly record: ClusterRecord;
}

/** Looks at servers, streams and the record, before anything of this node is opened. Throws a ClusterError. */
export async function meetCluster(config: Config & { cluster: ClusterConfig }, log: Log): Promise<ClusterParts> {
  const { name, node, nats } = config.cluster;
  await checkServers(nats, log);
  const connection = await connectNats(nats, `aorta ${node}`);
  try {
    const manager = await openManager(connection, PATIENCE_MS);
    const record = (await readRecord(manager, name, PATIENCE_MS))?.record;
    if (record === undefined)
      throw new ClusterError(`there is no cluster ${name} on these NATS servers: make it with "aorta cluster init"`);
    demandDirectory(config, record);
    await checkStreams(manager, name, record.shards, PATIENCE_MS);
    return { connection, manager, record };
  } catch (error) {
    await connection.close();
    throw clusterError(`cluster ${name}`, error);
  }
}

/** The directory must have been made for the cluster: it has its secret, and as many shards. */
function demandDirectory(
  { data, shards, cluster: { name } }: Config & { cluster: ClusterConfig },
  record: ClusterRecord,
) {
  const there = existsSync(data) ? bindingsIn(data) : undefined;
  if (there === undefined)
    throw new ClusterError(
      `${data} is no data directory of cluster ${name} yet: make it with "aorta cluster join --token FILE" and the ` +
        'token of "aorta cluster init"',
    );
  const wanted = shards ?? there.shards;
  if (there.shards !== record.shards || wanted !== record.shards)
    throw new ClusterError(
      `cluster ${name} has ${record.shards} shards, ${data} has ${there.shards}` +
        `${shards === undefined ? '' : `, shards says ${shards}`}: the number of a cluster never changes`,
    );
}

/** Throws a ClusterError where a copy of this directory is heard of. Before anything is told of this start, which would count as the newer one. */
export async function demandAlone(
  { connection, record }: ClusterParts,
  { name, node, silentMs }: ClusterConfig,
  identity: string,
  secret: Uint8Array,
): Promise<void> {
  const { number, directory } = record.nodes[node] ?? {};
  if (number === undefined || directory !== identity) return; // it is refused for that, or new
  const beats = new BeatWatch(connection, { cluster: name, node: number, shards: record.shards, silentMs, secret });
  try {
    await delay(LISTEN_MS);
    if (beats.isAlive(number))
      throw new ClusterError(
        `node ${node} of cluster ${name} is running already: give this one a cluster.node and a data directory of its own`,
      );
  } finally {
    beats.close();
  }
}
