// The streams of a cluster: their required configuration, their creation and their lookup. stream-faults.ts checks them later.

import { setTimeout as delay } from 'node:timers/promises';
import {
  DiscardPolicy,
  JetStreamApiError,
  type JetStreamManager,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
  type StreamInfo,
} from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { logSubject, metaSubject, streamName } from '../../../cluster/stream-names.ts';
import { clusterError, ServersAway } from '../cluster-error.ts';

const STREAM_NOT_FOUND = 10059;
export const REPLICAS = 3;
const LOG_BYTES = 1 << 30;
const SECOND_NS = 1e9;
const TRY_MS = 500;
/** Servers exchange their state every 10 s: one that missed the first exchange cannot hold a stream until the next. */
const PLACES_MS = 45_000;
/** A longer wait is reported. */
const SILENT_MS = 2000;
/** Error codes of servers that do not know of each other, or have no leader, yet. */
const NO_SUITABLE_PEERS = 10005;
const UNAVAILABLE = 503;
/** A server that first starts while the others elect a leader may stay out of their group for good: one of 20 starts on a busy machine. */
const LEFT_OUT = 'where all of them run, one was left out of their first election: restart one after the other';
/** A node that was away for longer cannot catch up by its stream. */
const LOG_AGE_NS = 24 * 3600 * SECOND_NS;
const DUPLICATES_NS = SECOND_NS / 10;

export type Wanted = Partial<StreamConfig> & { readonly name: string };

const ALIKE = {
  storage: StorageType.File,
  retention: RetentionPolicy.Limits,
  discard: DiscardPolicy.Old,
  num_replicas: REPLICAS,
  max_msgs: -1,
  max_msgs_per_subject: -1,
  max_msg_size: -1,
  no_ack: false,
  sealed: false,
  allow_rollup_hdrs: false,
  deny_delete: true,
  deny_purge: true,
  allow_direct: true,
  duplicate_window: DUPLICATES_NS,
} as const;

/** The stream of a shard. */
export function logStream(cluster: string, shard: number): Wanted {
  const subjects = [logSubject(cluster, shard)];
  return { ...ALIKE, name: streamName(cluster, shard), subjects, max_bytes: LOG_BYTES, max_age: LOG_AGE_NS };
}

/** The stream of users, static bindings and the record. */
export function metaStream(cluster: string): Wanted {
  const subjects = [`${metaSubject(cluster)}.>`];
  // A newcomer needs only the last message about a user or a binding.
  return { ...ALIKE, name: streamName(cluster, 'META'), subjects, max_bytes: -1, max_age: 0, max_msgs_per_subject: 1 };
}

/** Called once where the servers keep the caller waiting. */
type Told = (reason: string) => void;

/** Makes the missing streams. Throws a ClusterError. */
export async function makeStreams(
  manager: JetStreamManager,
  cluster: string,
  shards: number,
  told: Told,
  placesMs = PLACES_MS,
): Promise<void> {
  const wanted = [metaStream(cluster), ...Array.from({ length: shards }, (_, shard) => logStream(cluster, shard))];
  for (const config of wanted) {
    if ((await streamInfo(manager, config.name)) !== undefined) continue;
    await makeStream(manager, config, told, placesMs);
  }
}

/** Makes a shard's stream anew, after a sequence: nodes that have all messages up to it continue. Throws a ClusterError. */
export async function remakeStream(
  manager: JetStreamManager,
  cluster: string,
  shard: number,
  sequence: number,
): Promise<void> {
  const wanted = logStream(cluster, shard);
  try {
    if ((await streamInfo(manager, wanted.name)) !== undefined) await manager.streams.delete(wanted.name);
  } catch (error) {
    throw clusterError(`stream ${wanted.name} cannot be removed`, error);
  }
  // Not by `first_seq`: nats-server applies that again at each start. A stream whose servers were all killed came back without its messages.
  await makeStream(manager, { ...wanted, deny_purge: false });
  try {
    if (sequence > 0) await manager.streams.purge(wanted.name, { seq: sequence + 1 });
    await manager.streams.update(wanted.name, { deny_purge: true });
  } catch (error) {
    throw clusterError(`stream ${wanted.name} is not made anew yet, try again`, error);
  }
}

/** Makes the META stream, where there is none. Throws a ClusterError. */
export async function remakeMeta(manager: JetStreamManager, cluster: string): Promise<void> {
  const wanted = metaStream(cluster);
  if ((await streamInfo(manager, wanted.name)) === undefined) await makeStream(manager, wanted);
}

/**
 * Servers that have just started know of each other only after some seconds: passing errors, and no others, are worth another
 * attempt.
 */
async function makeStream(manager: JetStreamManager, config: Wanted, told?: Told, placesMs = PLACES_MS): Promise<void> {
  let isTold = false;
  for (const from = Date.now(); ; await delay(TRY_MS)) {
    try {
      await manager.streams.add(config);
      return;
    } catch (error) {
      const waited = Date.now() - from;
      if (!isPassing(error) || waited >= placesMs)
        throw clusterError(
          `stream ${config.name} cannot be made (it needs ${REPLICAS} servers in one NATS cluster${isWithoutPlace(error) ? `; ${LEFT_OUT}` : ''})`,
          error,
        );
      if (isTold || waited < SILENT_MS) continue;
      isTold = true;
      told?.(error instanceof Error ? error.message : String(error));
    }
  }
}

/** Whether a server may answer a moment later: it does not answer, or has no leader or no peers yet. */
function isPassing(error: unknown): boolean {
  return !(error instanceof JetStreamApiError) || error.status === UNAVAILABLE || isWithoutPlace(error);
}

function isWithoutPlace(error: unknown): boolean {
  return error instanceof JetStreamApiError && error.code === NO_SUITABLE_PEERS;
}

/** Asks again while there is no leader: after a start of all servers an election takes some seconds. */
export async function patiently<T>(ask: () => Promise<T>, patienceMs: number): Promise<T> {
  for (const from = Date.now(); ; await delay(TRY_MS)) {
    try {
      return await ask();
    } catch (error) {
      const isFinal = error instanceof JetStreamApiError && error.status !== UNAVAILABLE;
      if (isFinal || Date.now() - from >= patienceMs) throw error;
    }
  }
}

/** Opens the manager, with further attempts while the servers have no leader. Throws a ClusterError. */
export async function openManager(connection: NatsConnection, patienceMs = 0): Promise<JetStreamManager> {
  try {
    return await patiently(() => jetstreamManager(connection), patienceMs);
  } catch (error) {
    if (error instanceof JetStreamApiError && error.status !== UNAVAILABLE)
      throw clusterError('the NATS servers have no JetStream for this node', error);
    throw new ServersAway(
      `the NATS servers have no leader: two of ${REPLICAS} have to run, and to reach each other by the routes of their ` +
        `configuration: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

/** The state of a stream; undefined where it does not exist. Throws a ClusterError. */
export async function streamInfo(
  manager: JetStreamManager,
  name: string,
  patienceMs = 0,
): Promise<StreamInfo | undefined> {
  try {
    return await patiently(() => manager.streams.info(name), patienceMs);
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === STREAM_NOT_FOUND) return undefined;
    throw clusterError(`stream ${name} cannot be asked`, error);
  }
}
