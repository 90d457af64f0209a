// The state of a cluster as one node sees it: nodes, shards, servers. Its sources are beats, the table of shards and the streams.

import * as z from 'zod';
import type { NodeView } from '../../cluster/membership.ts';
import type { PeerCounts } from '../../cluster/peers/peer-counts.ts';
import { ROLE_BROKEN, ROLE_COPYING, ROLE_NAMES, ROLE_STALLED } from '../../cluster/roles.ts';
import { SHARD_COUNTS, type ShardCount, type ShardTable } from '../../cluster/shard-table.ts';
import { monotonicMs } from '../../transport/monotonic.ts';
import type { ClusterRecord } from './cluster-record.ts';
import type { ServerFault } from './nats/nats-servers.ts';
import type { StreamFault } from './nats/stream-faults.ts';

const LEVEL_MS = 3000;

const nodeStatus = z
  .object({
    name: z.string(),
    number: z.number(),
    listen: z.string(),
    alive: z.boolean(),
    draining: z.boolean(),
    owns: z.number().describe('shards'),
    behind: z.number().describe('most messages that a shard is behind its stream'),
    clockAheadMs: z.number().describe('against this node, network included'),
    policyDiffers: z.boolean(),
  })
  .meta({ id: 'ClusterNode' });
const shardStatus = z
  .object({
    shard: z.number(),
    owner: z.string().nullable(),
    epoch: z.number(),
    sequence: z.number().describe('last message of the stream that a node is known to have'),
    roles: z.record(z.string(), z.string()).describe('by node'),
    behind: z.record(z.string(), z.number()).describe('messages, by node'),
    leader: z.string().nullable().describe('NATS server that leads the stream'),
  })
  .meta({ id: 'ClusterShard' });
const natsFault = z
  .object({
    of: z.string().describe('name of a stream, or the monitoring of a NATS server'),
    kind: z.enum(['gone', 'changed', 'unsynced', 'old', 'unrouted']),
    problem: z.string().describe('in words that say what to do'),
  })
  .meta({ id: 'ClusterFault' });
export const clusterStatus = z
  .object({
    cluster: z.string(),
    node: z.string(),
    connected: z.boolean().describe('whether this node reaches a NATS server'),
    problems: z.array(z.string()).describe('what keeps this node from being ready'),
    nodes: z.array(nodeStatus),
    shards: z.array(shardStatus),
    faults: z.array(natsFault).describe('streams and NATS servers that are not as they must be'),
  })
  .meta({ id: 'Cluster' });
export type ClusterStatus = z.infer<typeof clusterStatus>;

/** State for metrics, without questions to other nodes or servers. */
export interface ClusterReading {
  /** Number of this node. */
  readonly number: number;
  readonly connected: boolean;
  readonly nodes: readonly NodeView[];
  readonly shards: readonly {
    readonly owns: boolean;
    readonly owner: number;
    readonly epoch: number;
    readonly applied: number;
    readonly behind: number;
    readonly stalled: boolean;
    readonly broken: boolean;
    readonly copying: boolean;
    /** Whether this node has applied the whole stream once since it joined. */
    readonly caughtUp: boolean;
    /** Greatest age of this node's data of the shard, s. */
    readonly lagS: number;
    readonly counts: Readonly<Record<ShardCount, number>>;
    /** Time until acknowledgements of this node's frames. */
    readonly acks: { readonly counts: Float64Array; readonly sumMs: number };
  }[];
  readonly peers: PeerCounts;
  /** Requests for copies and digests from strangers. */
  readonly askedByStrangers: number;
  /** Messages about users and static bindings that no node has written. */
  readonly metaStrangers: number;
  /** By shard: messages that its stream no longer keeps, and that may not be on this node's disk. */
  readonly unsynced: readonly number[];
  /** Faults of streams that are missing or wrongly configured. */
  readonly streamFaults: readonly StreamFault[];
  /** Faults of NATS servers that may lose acknowledged messages. */
  readonly serverFaults: readonly ServerFault[];
}

/** Greatest age of this node's data of a shard, ms; 0 while it gets every change. A follower asks every 2 s whether it has all. */
export function lagMs(table: ShardTable, shard: number): number {
  const levelAt = table.levelAt(shard);
  // Before it was level with its stream for the first time, only the time of its log's last message is known.
  const ms = levelAt > 0 ? monotonicMs() - levelAt : Date.now() - table.writtenAt(shard);
  return ms <= LEVEL_MS ? 0 : Math.round(ms);
}

export function readingOf(
  table: ShardTable,
  number: number,
  connected: boolean,
  nodes: readonly NodeView[],
): Pick<ClusterReading, 'number' | 'connected' | 'nodes' | 'shards'> {
  const shards = Array.from({ length: table.shards }, (_, shard) => ({
    owns: table.isOwner(shard),
    owner: table.route(shard),
    epoch: table.epoch(shard),
    applied: Math.max(0, table.applied(shard)),
    behind: table.behind(shard),
    stalled: table.role(shard) === ROLE_STALLED,
    broken: table.role(shard) === ROLE_BROKEN,
    copying: table.role(shard) === ROLE_COPYING,
    caughtUp: table.levelAt(shard) > 0,
    lagS: lagMs(table, shard) / 1000,
    counts: Object.fromEntries(SHARD_COUNTS.map((name) => [name, table.count(shard, name)])) as Record<
      ShardCount,
      number
    >,
    acks: table.acks(shard),
  }));
  return { number, connected, nodes, shards };
}

/** Reasons against sending requests to this node; empty where there are none. */
export function problemsOf({
  connected,
  number,
  shards,
  streamFaults,
}: Pick<ClusterReading, 'connected' | 'number' | 'shards' | 'streamFaults'>): string[] {
  const some = (what: (shard: ClusterReading['shards'][number], index: number) => boolean, text: string) => {
    const count = shards.filter(what).length;
    return count > 0 ? [`${count} shards ${text}`] : [];
  };
  /** Shards whose stream is missing: no node can catch up with it. */
  const gone = new Set(streamFaults.flatMap(({ kind, shard }) => (kind === 'gone' ? (shard ?? []) : [])));
  return [
    ...(connected ? [] : ['no NATS server can be reached']),
    ...some(({ copying }) => copying, 'are being copied from another node'),
    ...some(({ broken }) => broken, 'do not follow their streams any more'),
    ...some(
      ({ copying, broken, caughtUp }, shard) => !copying && !broken && !caughtUp && !gone.has(shard),
      'have not caught up with their streams yet',
    ),
    // By the log, "this node" as the owner may be one of its former lives.
    ...some(({ owner, owns, caughtUp }) => owner === 0 || (caughtUp && owner === number && !owns), 'have no owner yet'),
  ];
}

export interface StatusSource {
  readonly cluster: string;
  readonly node: string;
  readonly connected: boolean;
  readonly problems: readonly string[];
  readonly record: ClusterRecord;
  /** Views of nodes by number. */
  readonly heard: ReadonlyMap<number, NodeView>;
  readonly table: ShardTable;
  readonly policyDigest: number;
  /** Leaders of streams by shard. */
  readonly leaders: readonly (string | undefined)[];
  readonly streamFaults: readonly StreamFault[];
  readonly serverFaults: readonly ServerFault[];
}

export function statusOf(source: StatusSource): ClusterStatus {
  const { cluster, node, connected, problems, record, leaders, streamFaults, serverFaults } = source;
  const shards = Array.from({ length: record.shards }, (_, shard) => ofShard(source, shard, leaders[shard] ?? null));
  const nodes = Object.keys(record.nodes)
    .sort()
    .map((name) => ofNode(source, name, shards));
  const faults = [
    ...streamFaults.map(({ stream, kind, problem }) => ({ of: stream, kind, problem })),
    ...serverFaults.map(({ monitor, kind, problem }) => ({ of: monitor, kind, problem })),
  ];
  return { cluster, node, connected, problems: [...problems], nodes, shards, faults };
}

function ofNode(source: StatusSource, name: string, shards: ClusterStatus['shards']): z.infer<typeof nodeStatus> {
  const { number, listen } = source.record.nodes[name];
  const heard = source.heard.get(number);
  return {
    name,
    number,
    listen,
    alive: heard?.isAlive ?? false,
    draining: heard?.beat.draining ?? false,
    owns: shards.filter(({ owner }) => owner === name).length,
    behind: Math.max(0, ...shards.map(({ behind }) => behind[name] ?? 0)),
    clockAheadMs: Math.round(heard?.aheadMs ?? 0),
    policyDiffers: heard !== undefined && heard.beat.policy !== source.policyDigest,
  };
}

function ofShard(source: StatusSource, shard: number, leader: string | null): z.infer<typeof shardStatus> {
  const { record, heard, table } = source;
  const names = Object.keys(record.nodes).sort();
  const told = names.flatMap((name) => {
    const found = heard.get(record.nodes[name].number);
    return found?.isAlive ? [{ name, state: found.beat.shards[shard] }] : [];
  });
  const sequence = Math.max(0, table.applied(shard), ...told.map(({ state }) => state?.applied ?? 0));
  const number = table.route(shard);
  return {
    shard,
    owner: names.find((name) => record.nodes[name].number === number) ?? null,
    epoch: table.epoch(shard),
    sequence,
    roles: Object.fromEntries(told.map(({ name, state }) => [name, ROLE_NAMES[state?.role ?? 0] || 'starting'])),
    behind: Object.fromEntries(told.map(({ name, state }) => [name, sequence - Math.max(0, state?.applied ?? 0)])),
    leader,
  };
}
