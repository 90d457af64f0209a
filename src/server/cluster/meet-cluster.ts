// A node's checks before it joins its cluster. The servers must lose no message, and the streams must be as required. This data directory must
// be allowed as a node, and be the only one of its name.

import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { JetStreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { streamName } from '../../cluster/stream-names.ts';
import type { Config } from '../config/config.ts';
import type { ClusterConfig } from '../config/sections/cluster-config.ts';
import { bindingsIn } from '../data/data-directory.ts';
import type { Log } from '../process/log.ts';
import { BeatWatch } from './beat-watch.ts';
import { ClusterError, clusterError, ServersAway } from './cluster-error.ts';
import { type ClusterRecord, changeRecord, readRecord } from './cluster-record.ts';
import { KnownRecord } from './known-record.ts';
import { connectNats } from './nats/nats-client.ts';
import { checkServers } from './nats/nats-servers.ts';
import { checkStreams, goneFault } from './nats/stream-faults.ts';
import { openManager } from './nats/streams.ts';
import { enrolled } from './node-identity.ts';

/** A node beats four times a second: one of the same name would have been heard after this time. */
const LISTEN_MS = 600;
/** Time that the first start of a node waits for streams without a leader, as after a start of all servers. */
const PATIENCE_MS = 30_000;
/** The same for a node that has been of the cluster: it answers lookups meanwhile. */
const KNOWN_PATIENCE_MS = 5000;

type ClusteredConfig = Config & { readonly cluster: ClusterConfig };

export interface ClusterParts {
  readonly connection: NatsConnection;
  readonly manager: JetStreamManager;
  readonly record: ClusterRecord;
}

/** The servers cannot be asked yet, and the node has been of the cluster before. */
export interface ClusterAway {
  readonly why: ServersAway;
  /** The record as the node has seen it last. */
  readonly record: ClusterRecord;
}

/** Runs before any part of this node is opened. Throws a ClusterError where it must not start. */
export async function meetOrWait(config: ClusteredConfig, log: Log): Promise<ClusterParts | ClusterAway> {
  const { data, cluster } = config;
  const record = existsSync(data) ? new KnownRecord(data, cluster.name, log).record : undefined;
  try {
    return await meetCluster(config, log, record === undefined ? PATIENCE_MS : KNOWN_PATIENCE_MS, record);
  } catch (error) {
    if (!(error instanceof ServersAway) || record?.nodes[cluster.node] === undefined) throw error;
    demandDirectory(config, record);
    return { why: error, record };
  }
}

/**
 * Checks servers, streams and the record.
 * @param known the record as this node has seen it last
 * @throws ClusterError; ServersAway where the failure may pass
 */
export async function meetCluster(
  config: ClusteredConfig,
  log: Log,
  patienceMs: number,
  known: ClusterRecord | undefined,
): Promise<ClusterParts> {
  const { name, node, nats } = config.cluster;
  await checkServers(nats, log);
  const connection = await connectNats(nats, `aorta ${node}`);
  try {
    const manager = await openManager(connection, patienceMs);
    const record = (await readRecord(manager, name, patienceMs))?.record;
    if (record === undefined) throw noRecord(name, known);
    demandDirectory(config, record);
    for (const { fault } of await checkStreams(manager, name, record.shards, patienceMs))
      if (fault !== undefined) log('error', 'a stream is gone', { stream: fault.stream, problem: fault.problem });
    return { connection, manager, record };
  } catch (error) {
    await connection.close();
    throw clusterError(`cluster ${name}`, error);
  }
}

/** The error where there is no record. A node that has been of the cluster has the data to make the record anew. */
function noRecord(name: string, known: ClusterRecord | undefined): ClusterError {
  if (known !== undefined) return new ServersAway(goneFault(streamName(name, 'META'), undefined).problem);
  return new ClusterError(`there is no cluster ${name} on these NATS servers: make it with "aorta cluster init"`);
}

/** The directory must have been made for the cluster: with its secret, and the same number of shards. */
function demandDirectory({ data, shards, cluster: { name } }: ClusteredConfig, record: ClusterRecord) {
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

/** A start of a data directory. */
export interface NodeStart {
  /** ID of the directory. */
  readonly identity: string;
  readonly secret: Uint8Array;
  /** Number of the start. */
  readonly life: number;
}

/** Enters this start into the record, and returns it. Throws a ClusterError where it must not be of the cluster. */
export async function enroll(parts: ClusterParts, config: ClusterConfig, start: NodeStart): Promise<ClusterRecord> {
  const { connection, manager } = parts;
  const { identity: directory, secret, life } = start;
  await demandAlone(parts, config, start);
  return changeRecord(connection, manager, config.name, (found) => {
    if (found === undefined) throw new ClusterError(`cluster ${config.name} is gone`);
    return enrolled(found, config, { directory, secret, now: new Date(), life });
  });
}

/**
 * Throws a ClusterError where beats of a copy of this directory arrive. Runs before this start is announced, which would count as the newer one.
 */
async function demandAlone(
  { connection, record }: ClusterParts,
  { name, node, silentMs }: ClusterConfig,
  { identity, secret }: NodeStart,
): Promise<void> {
  const { number, directory } = record.nodes[node] ?? {};
  if (number === undefined || directory !== identity) return; // it is refused later for that, or is new
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
