// What the cluster's thread of a node shares with the others: rings both ways, its bell, what it knows of the whole cluster's connections,
// what it counts. Made by the main thread before any of them starts.

import { createClusterFlowsMemory } from '../../cluster/peers/cluster-flows.ts';
import { createBellMemory } from '../../shard/rings/bell.ts';
import { createRingMemory } from '../../shard/rings/ring.ts';

const RING_BYTES = 1 << 20;
const MAIN_RING_BYTES = 256 << 10;

export interface ClusterSharedParts {
  readonly bell: SharedArrayBuffer;
  readonly bellFd: number;
  /** Requests of other nodes, by shard, and what becomes of their connections. */
  readonly toShards: readonly SharedArrayBuffer[];
  /** Answers of other nodes, by the shard whose thread sends them. */
  readonly relays: readonly SharedArrayBuffer[];
  readonly fromShards: readonly SharedArrayBuffer[];
  readonly fromMain: SharedArrayBuffer;
  /** Of ClusterFlows. */
  readonly flows: SharedArrayBuffer;
}

export function openClusterParts(shards: number, bellFd: number): ClusterSharedParts {
  const every = <T>(make: () => T): T[] => Array.from({ length: shards }, make);
  return {
    bell: createBellMemory(),
    bellFd,
    toShards: every(() => createRingMemory(RING_BYTES)),
    relays: every(() => createRingMemory(RING_BYTES)),
    fromShards: every(() => createRingMemory(RING_BYTES)),
    fromMain: createRingMemory(MAIN_RING_BYTES),
    flows: createClusterFlowsMemory(),
  };
}
