// Makes a lost META stream anew, with the record as one node knows it. All nodes publish their users and static bindings again
// (shared/meta-sync), and versions decide which of them count.

import { setTimeout as delay } from 'node:timers/promises';
import { BeatWatch, type WatchOptions } from './beat-watch.ts';
import { ClusterError } from './cluster-error.ts';
import { type ClusterRecord, changeRecord, readRecord } from './cluster-record.ts';
import type { ClusterParts } from './meet-cluster.ts';
import { remakeMeta } from './nats/streams.ts';

/** After this time the beats of all nodes that are alive have arrived. */
const LISTEN_MS = 1000;

/**
 * Makes the stream anew.
 * @throws ClusterError where nothing is wrong with the stream, or beats of a node arrive that the record lacks: its number would be given
 * to another one
 */
export async function reseedMeta(
  { connection, manager, record }: ClusterParts,
  watch: WatchOptions,
): Promise<ClusterRecord> {
  if ((await readRecord(manager, watch.cluster)) !== undefined)
    throw new ClusterError(`nothing is wrong with the META stream of cluster ${watch.cluster}`);
  const beats = new BeatWatch(connection, watch);
  await delay(LISTEN_MS);
  const numbers = new Set(Object.values(record.nodes).map(({ number }) => number));
  const unknown = [...beats.nodes().values()].filter(({ beat, isAlive }) => isAlive && !numbers.has(beat.node));
  beats.close();
  if (unknown.length > 0) {
    const names = unknown.map(({ beat }) => beat.name).join(' and ');
    throw new ClusterError(`this node's record is older than node ${names}: run it on that one`);
  }
  await remakeMeta(manager, watch.cluster);
  return changeRecord(connection, manager, watch.cluster, (found) => {
    if (found !== undefined) throw new ClusterError('another node has just made it anew');
    return record;
  });
}
