// What a cluster says of itself in its META stream: how many shards it has, whose secret, and which nodes. One message, changed by
// compare-and-set.

import { JetStreamApiError, type JetStreamManager, jetstream } from '@nats-io/jetstream';
import { headers, type NatsConnection } from '@nats-io/transport-node';
import * as z from 'zod';
import { metaSubject, streamName } from '../../cluster/stream-names.ts';
import { ClusterError, clusterError } from './cluster-error.ts';
import { patiently, streamInfo } from './nats/streams.ts';

const WRONG_LAST = [10071, 10164];
const TRIES_MAX = 8;
/** Numbers of nodes: they have a byte in a binding. */
const NODES_MAX = 254;

const Node = z.object({
  number: z.number().int().min(1).max(NODES_MAX),
  /** Of its data directory. */
  directory: z.string(),
  listen: z.string(),
  joined: z.string(),
  /** Of its newest start. */
  life: z.number().int().optional(),
});
export const clusterRecord = z.object({
  format: z.literal(1),
  shards: z.number().int().min(1),
  /** Of the secret, which it does not tell. */
  fingerprint: z.string(),
  created: z.string(),
  /** The greatest number that any node ever had. */
  last: z.number().int().optional(),
  /** By name. */
  nodes: z.record(z.string(), Node),
});
export type ClusterRecord = z.infer<typeof clusterRecord>;
export type NodeRecord = z.infer<typeof Node>;

const recordSubject = (cluster: string) => `${metaSubject(cluster)}.record`;

/** Undefined where there is none yet. Throws a ClusterError. */
export async function readRecord(
  manager: JetStreamManager,
  cluster: string,
  patienceMs = 0,
): Promise<{ record: ClusterRecord; sequence: number } | undefined> {
  const stream = streamName(cluster, 'META');
  if ((await streamInfo(manager, stream, patienceMs)) === undefined) return undefined;
  try {
    const ask = () => manager.streams.getMessage(stream, { last_by_subj: recordSubject(cluster) });
    const message = await patiently(ask, patienceMs);
    if (message === null) return undefined;
    return { record: clusterRecord.parse(message.json()), sequence: message.seq };
  } catch (error) {
    if (error instanceof JetStreamApiError && error.status === 404) return undefined;
    throw clusterError(`the record of cluster ${cluster} cannot be read`, error);
  }
}

/** Changes it, however many do at the same time. @param change is given the newest one; undefined: nothing is to change */
export async function changeRecord(
  connection: NatsConnection,
  manager: JetStreamManager,
  cluster: string,
  change: (record: ClusterRecord | undefined) => ClusterRecord | undefined,
): Promise<ClusterRecord> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const found = await readRecord(manager, cluster);
    const next = change(found?.record);
    if (next === undefined) {
      if (found === undefined) throw new ClusterError(`there is no cluster ${cluster}`);
      return found.record;
    }
    const expected = headers();
    expected.set('Nats-Expected-Last-Subject-Sequence', String(found?.sequence ?? 0));
    try {
      await jetstream(connection).publish(recordSubject(cluster), JSON.stringify(next), { headers: expected });
      return next;
    } catch (error) {
      if (error instanceof JetStreamApiError && WRONG_LAST.includes(error.code)) continue;
      throw clusterError(`the record of cluster ${cluster} cannot be changed`, error);
    }
  }
  throw new ClusterError(`the record of cluster ${cluster} changes all the time: try again`);
}

/**
 * A number that no node has ever had: bindings over a connection name node and connection, and those of a node that left must not become
 * a newcomer's. Once all have been given, one that is free.
 */
export function freeNumber({ nodes, last = 0 }: ClusterRecord): number {
  const taken = new Set(Object.values(nodes).map(({ number }) => number));
  const greatest = Math.max(last, ...taken);
  if (greatest < NODES_MAX) return greatest + 1;
  for (let number = 1; number <= NODES_MAX; number++) if (!taken.has(number)) return number;
  throw new ClusterError(`the cluster has ${NODES_MAX} nodes: let one leave first (aorta cluster leave NODE)`);
}
