// The META stream made anew where it was lost: with the record as one node knows it. Users and static bindings are told again by all nodes
// (shared/meta-sync), and their versions say which count.

import { setTimeout as delay } from 'node:timers/promises';
import { BeatWatch, type WatchOptions } from './beat-watch.ts';
import { ClusterError } from './cluster-error.ts';
import { type ClusterRecord, changeRecord, readRecord } from './cluster-record.ts';
import type { ClusterParts } from './meet-cluster.ts';
import { remakeMeta } from './nats/streams.ts';

/** Nodes that are there have been heard of after this time. */
const LISTEN_MS = 1000;

/**
 * Throws a ClusterError where nothing is wrong with the stream, or a node is heard of that the record has not: its number would be given to
 * another one.
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
