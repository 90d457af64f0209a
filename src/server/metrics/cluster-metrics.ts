// Metrics of a cluster as this node sees it.

import { ACK_BOUNDS_MS, type ShardCount } from '../../cluster/shard-table.ts';
import type { ClusterReading } from '../cluster/cluster-status.ts';
import type { Exposition, Labels } from './exposition.ts';

type Sample = readonly [Labels, number];

export function clusterMetrics(out: Exposition, reading: ClusterReading): void {
  const { number, nodes, shards } = reading;
  const each = (value: (shard: ClusterReading['shards'][number]) => number): Sample[] =>
    shards.map((state, shard) => [{ shard }, value(state)]);
  const ofNodes = (value: (node: ClusterReading['nodes'][number]) => number): Sample[] =>
    nodes.map((node) => [{ node: node.beat.name }, value(node)]);
  out.gauge(
    'aorta_cluster_owner',
    '1 where this node owns the shard.',
    each(({ owns }) => (owns ? 1 : 0)),
  );
  out.gauge(
    'aorta_cluster_owner_node',
    'Number of the node that owns the shard; 0: nobody.',
    each(({ owner }) => owner),
  );
  out.gauge(
    'aorta_cluster_epoch',
    'Claims of the shard so far.',
    each(({ epoch }) => epoch),
  );
  out.gauge(
    'aorta_cluster_applied_sequence',
    'Last message of the stream taken in.',
    each(({ applied }) => applied),
  );
  out.gauge(
    'aorta_cluster_behind',
    'Messages of the stream known of and not taken in.',
    each(({ behind }) => behind),
  );
  out.gauge(
    'aorta_cluster_stalled',
    '1 while the owner waits for its stream.',
    each(({ stalled }) => (stalled ? 1 : 0)),
  );
  out.gauge(
    'aorta_cluster_broken',
    '1 where the stream holds what must not be followed.',
    each(({ broken }) => (broken ? 1 : 0)),
  );
  out.gauge(
    'aorta_cluster_copying',
    '1 while the shard is copied from another node.',
    each(({ copying }) => (copying ? 1 : 0)),
  );
  shardCounts(out, reading);
  natsMetrics(out, reading);
  out.gauge(
    'aorta_cluster_node_up',
    '1 where the node is heard of.',
    ofNodes(({ isAlive }) => (isAlive ? 1 : 0)),
  );
  out.gauge(
    'aorta_cluster_clock_skew_seconds',
    'How far the clock of the node is ahead of this one.',
    ofNodes(({ aheadMs }) => aheadMs / 1000),
  );
  peerMetrics(out, reading);
  const own = nodes.find(({ beat }) => beat.node === number)?.beat.policy;
  out.gauge(
    'aorta_cluster_policy_differs',
    '1 where the node decides by another policy than this one.',
    ofNodes(({ beat }) => (own !== undefined && beat.policy !== own ? 1 : 0)),
  );
}

function natsMetrics(out: Exposition, { connected, streamFaults, serverFaults }: ClusterReading): void {
  out.gauge(
    'aorta_cluster_stream_faults',
    'Streams that are gone, or were changed and are not as they must be.',
    (['gone', 'changed'] as const).map((kind) => [
      { kind },
      streamFaults.filter((fault) => fault.kind === kind).length,
    ]),
  );
  out.gauge(
    'aorta_cluster_server_faults',
    'NATS servers that do not sync, are too old, or have no route to another. Of those in cluster.nats.monitors.',
    (['unsynced', 'old', 'unrouted'] as const).map((kind) => [
      { kind },
      serverFaults.filter((fault) => fault.kind === kind).length,
    ]),
  );
  out.gauge('aorta_cluster_nats_connected', '1 while the main thread reaches a NATS server.', [
    [{}, connected ? 1 : 0],
  ]);
}

function shardCounts(out: Exposition, { shards, unsynced }: ClusterReading): void {
  const each = (name: ShardCount, perUnit = 1): Sample[] =>
    shards.map(({ counts }, shard) => [{ shard }, counts[name] / perUnit]);
  out.gauge(
    'aorta_cluster_lag_seconds',
    'How old what this node has of the shard may be; 0 while it hears of every change.',
    shards.map(({ lagS }, shard) => [{ shard }, lagS]),
  );
  out.gauge(
    'aorta_cluster_unsynced_behind_stream',
    'Messages that the stream keeps no more and that may not be on this disk yet.',
    unsynced.map((count, shard) => [{ shard }, count]),
  );
  out.counter('aorta_cluster_claims_total', 'Takeovers of the shard by this node.', each('claims'));
  out.counter('aorta_cluster_fenced_total', 'Frames of this node that were never to hold.', each('fenced'));
  out.counter(
    'aorta_cluster_unknown_outcomes_total',
    'Publications whose outcome was read from the stream.',
    each('unknown_outcomes'),
  );
  out.counter('aorta_cluster_strangers_total', 'Messages of the stream that no node has written.', each('strangers'));
  out.counter(
    'aorta_cluster_stalled_seconds_total',
    'Time in which the owner waited for its stream.',
    each('stalled_ms', 1000),
  );
  const bounds = ACK_BOUNDS_MS.map((ms) => ms / 1000);
  out.histogram(
    'aorta_cluster_ack_seconds',
    'How long frames of this node took until the stream had them.',
    shards.map(({ acks: { counts, sumMs } }, shard) => ({ labels: { shard }, bounds, counts, sum: sumMs / 1000 })),
  );
}

function peerMetrics(out: Exposition, { nodes, number, peers, askedByStrangers, metaStrangers }: ClusterReading): void {
  const others = nodes.filter(({ beat }) => beat.node !== number);
  out.gauge(
    'aorta_cluster_peer_up',
    '1 where the connection to the node stands.',
    others.map(({ beat }) => [{ node: beat.name }, peers.isUp(beat.node) ? 1 : 0]),
  );
  const one = (name: string, help: string, value: number) => out.counter(name, help, [[{}, value]]);
  one('aorta_cluster_forwarded_total', 'Requests sent to the node that owns their shard.', peers.read('forwarded'));
  one('aorta_cluster_taken_total', 'Requests that came from other nodes.', peers.read('taken'));
  one('aorta_cluster_forwarded_answers_total', 'Answers of other nodes that left here.', peers.read('answered'));
  one('aorta_cluster_forward_failures_total', 'Requests and answers without a way.', peers.read('failed'));
  one('aorta_cluster_put_back_total', 'Requests over connections that no node could decide.', peers.read('put_back'));
  out.counter('aorta_cluster_peers_refused_total', 'Connections and requests of peers that were refused, by reason.', [
    [{ reason: 'no node' }, peers.read('strangers')],
    [{ reason: 'bad frame' }, peers.read('bad_frames')],
    [{ reason: 'unsigned request' }, askedByStrangers],
  ]);
  one(
    'aorta_cluster_meta_strangers_total',
    'Messages about users and static bindings that no node has written.',
    metaStrangers,
  );
}
