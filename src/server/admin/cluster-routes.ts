// Routes about the cluster, only on the admin listeners of its nodes.

import * as z from 'zod';
import { ClusterError } from '../cluster/cluster-error.ts';
import type { ClusterNode } from '../cluster/cluster-node.ts';
import { clusterStatus } from '../cluster/cluster-status.ts';
import { Problem } from '../http/problem.ts';
import type { Routes } from '../http/route.ts';

export interface ClusterAccess {
  /** The node; throws a Problem during the start. */
  node(): ClusterNode;
  /** Tells load balancers whether to send requests. */
  announce(draining: boolean): void;
}

const shardComparison = z
  .object({
    shard: z.number(),
    records: z.number().describe('of this node'),
    nodes: z.array(
      z.object({
        node: z.string(),
        records: z.number(),
        differ: z.number().describe("groups of rows that differ from this node's for good; -1: it could not be asked"),
        problem: z.string().optional(),
      }),
    ),
  })
  .meta({ id: 'ClusterComparison' });

export function addClusterRoutes(routes: Routes, { node, announce }: ClusterAccess): void {
  routes.add({
    name: 'getCluster',
    tag: 'Cluster',
    method: 'GET',
    path: '/v1/cluster',
    summary: 'The cluster as this node sees it: nodes, shards, owners, how far each node is',
    response: clusterStatus,
    handle: () => node().status(),
  });
  routes.add({
    name: 'drainNode',
    tag: 'Cluster',
    method: 'POST',
    path: '/v1/cluster/drain',
    summary: 'Hands all shards of this node to others, which /readyz announces (503); false ends it',
    body: z.strictObject({ draining: z.boolean().default(true) }),
    response: z.object({ draining: z.boolean() }),
    handle: ({ body: { draining } }) => {
      announce(draining);
      node().drain(draining);
      return { draining };
    },
  });
  routes.add({
    name: 'balanceCluster',
    tag: 'Cluster',
    method: 'POST',
    path: '/v1/cluster/balance',
    summary: 'Brings each shard to the node that is its home while all live, one after the other',
    response: z.object({ moved: z.number() }),
    handle: () => refusing(async () => ({ moved: await node().moves.balance() })),
  });
  routes.add({
    name: 'takeShard',
    tag: 'Cluster',
    method: 'POST',
    path: '/v1/cluster/shards/{shard}/take',
    summary: 'Has the owner of a shard hand it to this node',
    params: z.object({ shard: z.coerce.number().int().min(0) }),
    response: clusterStatus,
    handle: ({ params: { shard } }) =>
      refusing(async () => {
        await node().moves.take(shard);
        return node().status();
      }),
  });
  addMendingRoutes(routes, node);
}

/** Repairs of nodes and streams. */
function addMendingRoutes(routes: Routes, node: ClusterAccess['node']): void {
  routes.add({
    name: 'reseedShard',
    tag: 'Cluster',
    method: 'POST',
    path: '/v1/cluster/shards/{shard}/reseed',
    summary: "Throws this node's store of a shard away, and has a copy of another node's",
    params: z.object({ shard: z.coerce.number().int().min(0) }),
    response: z.object({ shard: z.number(), from: z.string(), bytes: z.number() }),
    handle: ({ params: { shard } }) => refusing(() => node().reseed(shard)),
  });
  routes.add({
    name: 'remakeStream',
    tag: 'Cluster',
    method: 'POST',
    path: '/v1/cluster/shards/{shard}/stream',
    summary: 'Makes the stream of a shard anew, where it has lost something: behind what the node with most of it has',
    params: z.object({ shard: z.coerce.number().int().min(0) }),
    response: z.object({ shard: z.number(), sequence: z.number().describe('what the nodes have') }),
    handle: ({ params: { shard } }) => refusing(async () => ({ shard, sequence: await node().remakeStream(shard) })),
  });
  routes.add({
    name: 'remakeMeta',
    tag: 'Cluster',
    method: 'POST',
    path: '/v1/cluster/meta',
    summary: 'Makes the META stream anew, where it is gone: all nodes tell it users and static bindings again',
    response: z.object({ nodes: z.array(z.string()).describe('that its record has') }),
    handle: () => refusing(async () => ({ nodes: await node().reseedMeta() })),
  });
  routes.add({
    name: 'verifyCluster',
    tag: 'Cluster',
    method: 'POST',
    path: '/v1/cluster/verify',
    summary: 'Compares all tables of this node with those of the others',
    response: z.object({ shards: z.array(shardComparison) }),
    handle: () => refusing(async () => ({ shards: await node().verify() })),
  });
  routes.add({
    name: 'forgetNode',
    tag: 'Cluster',
    method: 'DELETE',
    path: '/v1/cluster/nodes/{node}',
    summary: 'Forgets a node that is gone for good',
    params: z.object({ node: z.string() }),
    status: 204,
    handle: ({ params }) => refusing(() => node().remove(params.node)),
  });
}

async function refusing<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error;
    throw new Problem(409, 'cluster', error.message);
  }
}
