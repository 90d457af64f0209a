// Whether the streams of a cluster exist and are as required. The servers' operator may edit or delete them at any time, and the servers do
// not announce it.

import type { JetStreamManager, StreamConfig, StreamInfo } from '@nats-io/jetstream';
import { ClusterError } from '../cluster-error.ts';
import { logStream, metaStream, REPLICAS, streamInfo, type Wanted } from './streams.ts';

/** A fault of a stream. */
export interface StreamFault {
  readonly stream: string;
  readonly kind: 'gone' | 'changed';
  /** Undefined: META. */
  readonly shard?: number;
  /** Text that names the remedy. */
  readonly problem: string;
}

/** Findings about a stream; neither field where it cannot be asked now. */
interface StreamLook {
  readonly info?: StreamInfo;
  readonly fault?: StreamFault;
}

/** Findings for all shards, by shard, and for META last. Throws nothing. */
export async function lookAtStreams(
  manager: JetStreamManager,
  cluster: string,
  shards: number,
  patienceMs = 0,
): Promise<StreamLook[]> {
  const wanted = [...Array.from({ length: shards }, (_, shard) => logStream(cluster, shard)), metaStream(cluster)];
  return Promise.all(
    wanted.map(async (each, shard) => {
      try {
        const info = await streamInfo(manager, each.name, patienceMs);
        const fault =
          info === undefined
            ? goneFault(each.name, shard < shards ? shard : undefined)
            : changedFault(info.config, each);
        return { ...(info && { info }), ...(fault && { fault }) };
      } catch {
        return {}; // it has no leader now: status and metrics report that by its shard's owner
      }
    }),
  );
}

/**
 * The same for a start, or an operator. A missing stream is only reported: its shard waits, and the node has the data to make it anew.
 * @throws ClusterError where a stream is not as required
 */
export async function checkStreams(
  manager: JetStreamManager,
  cluster: string,
  shards: number,
  patienceMs = 0,
): Promise<StreamLook[]> {
  const found = await lookAtStreams(manager, cluster, shards, patienceMs);
  const changed = found.find(({ fault }) => fault?.kind === 'changed')?.fault;
  if (changed !== undefined) throw new ClusterError(changed.problem);
  return found;
}

/** @param shard undefined: META, or a record missing from it */
export function goneFault(stream: string, shard: number | undefined): StreamFault {
  const problem =
    shard === undefined
      ? `stream ${stream} is gone, or has lost the cluster's record: changes of users are told to no other node, and no node ` +
        'can join. Put it back from a backup of the NATS servers, or make it anew from what the nodes have: aorta cluster reseed meta'
      : `stream ${stream} is gone: nothing is written until it is there. Put it back from a backup of the NATS servers, or ` +
        `make it anew from what the nodes have: aorta cluster reseed ${shard} --stream`;
  return { stream, kind: 'gone', problem, ...(shard !== undefined && { shard }) };
}

function changedFault(is: StreamConfig, wanted: Wanted): StreamFault | undefined {
  const differences = differencesOf(is, wanted);
  if (differences.length === 0) return undefined;
  const stream = wanted.name;
  const told = differences.map(
    (key) => `${key} is ${JSON.stringify(is[key])}, expected ${JSON.stringify(wanted[key])}`,
  );
  const flags = differences.flatMap((key) => FLAGS[key]?.(wanted) ?? []);
  const cure = ['nats stream edit', stream, ...flags].join(' ');
  return { stream, kind: 'changed', problem: `stream ${stream} is not as it must be: ${told.join('; ')} (${cure})` };
}

/** Options of NATS's command line. It cannot change the other settings later. */
const FLAGS: Partial<Record<keyof StreamConfig, (wanted: Wanted) => string>> = {
  num_replicas: ({ num_replicas }) => `--replicas=${num_replicas}`,
  max_msgs: ({ max_msgs }) => `--max-msgs=${max_msgs}`,
  max_msgs_per_subject: ({ max_msgs_per_subject }) => `--max-msgs-per-subject=${max_msgs_per_subject}`,
  max_msg_size: ({ max_msg_size }) => `--max-msg-size=${max_msg_size}`,
  max_bytes: ({ max_bytes }) => `--max-bytes=${max_bytes}`,
  max_age: ({ max_age = 0 }) => `--max-age=${max_age / 1e9}s`,
  discard: ({ discard }) => `--discard=${discard}`,
};

/** Differences from the required configuration; longer and larger limits are fine. */
function differencesOf(is: StreamConfig, wanted: Wanted): (keyof StreamConfig)[] {
  const differences: (keyof StreamConfig)[] = [];
  const demand = (key: keyof StreamConfig, holds: boolean) => {
    if (!holds) differences.push(key);
  };
  for (const key of ['storage', 'retention', 'discard', 'max_msgs', 'deny_delete', 'deny_purge'] as const)
    demand(key, is[key] === wanted[key]);
  demand('subjects', JSON.stringify(is.subjects) === JSON.stringify(wanted.subjects));
  demand('num_replicas', is.num_replicas >= REPLICAS);
  // A message refused for its length, or one without an acknowledgement, would keep its shard waiting for ever.
  demand('max_msg_size', (is.max_msg_size ?? -1) <= 0);
  for (const key of ['no_ack', 'sealed', 'allow_rollup_hdrs', 'mirror'] as const) demand(key, !is[key]);
  demand('sources', (is.sources ?? []).length === 0);
  for (const key of ['max_bytes', 'max_age', 'max_msgs_per_subject'] as const) {
    const [found = 0, least = 0] = [is[key], wanted[key]];
    demand(key, found <= 0 || (least > 0 && found >= least));
  }
  return differences;
}
