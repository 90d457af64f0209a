// A cluster's record in its META stream: its number of shards, its secret's fingerprint, and its nodes. It is one message, changed by
// compare-and-set.

import { JetStreamApiError, type JetStreamManager, jetstream } from '@nats-io/jetstream';
import { headers, type NatsConnection } from '@nats-io/transport-node';
import * as z from 'zod';
import { metaSubject, streamName } from '../../cluster/stream-names.ts';
import { ClusterError, clusterError } from './cluster-error.ts';
import { patiently, streamInfo } from './nats/streams.ts';

const WRONG_LAST = [10071, 10164];
const TRIES_MAX = 8;
/** Greatest number of a node: numbers have one byte in a binding. */
const NODES_MAX = 254;

const Node = z.object({
  number: z.number().int().min(1).max(NODES_MAX),
  /** ID of its data directory. */
  directory: z.string(),
  listen: z.string(),
  joined: z.string(),
  /** Number of its newest start. */
  life: z.number().int().optional(),
});
export const clusterRecord = z.object({
  format: z.literal(1),
  shards: z.number().int().min(1),
  /** Fingerprint of the secret, which does not reveal it. */
  fingerprint: z.string(),
  created: z.string(),
  /** The greatest number that any node ever had. */
  last: z.number().int().optional(),
  /** Nodes by name. */
  nodes: z.record(z.string(), Node),
});
export type ClusterRecord = z.infer<typeof clusterRecord>;
export type NodeRecord = z.infer<typeof Node>;

const recordSubject = (cluster: string) => `${metaSubject(cluster)}.record`;

/** The record; undefined where there is none yet. Throws a ClusterError. */
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

/** Changes the record, also with concurrent changes. @param change gets the newest record; undefined: nothing changes */
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
 * A number that no node has ever had: bindings over a connection name node and connection, and those of a former node must not become a
 * newcomer's. Once all numbers have been used, a free one.
 */
export function freeNumber({ nodes, last = 0 }: ClusterRecord): number {
  const taken = new Set(Object.values(nodes).map(({ number }) => number));
  const greatest = Math.max(last, ...taken);
  if (greatest < NODES_MAX) return greatest + 1;
  for (let number = 1; number <= NODES_MAX; number++) if (!taken.has(number)) return number;
  throw new ClusterError(`the cluster has ${NODES_MAX} nodes: let one leave first (aorta cluster leave NODE)`);
}
