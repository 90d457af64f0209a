// Memory that a node's cluster thread shares with its other threads: rings both ways, its bell, the connections of the whole cluster,
// counters. Made by the main thread before any of them starts.

import { createClusterFlowsMemory } from '../../cluster/peers/cluster-flows.ts';
import { createBellMemory } from '../../shard/rings/bell.ts';
import { createRingMemory } from '../../shard/rings/ring.ts';

const RING_BYTES = 1 << 20;
const MAIN_RING_BYTES = 256 << 10;

export interface ClusterSharedParts {
  readonly bell: SharedArrayBuffer;
  readonly bellFd: number;
  /** By shard: requests of other nodes, and news of their connections. */
  readonly toShards: readonly SharedArrayBuffer[];
  /** Answers of other nodes, by the shard whose thread sends them. */
  readonly relays: readonly SharedArrayBuffer[];
  readonly fromShards: readonly SharedArrayBuffer[];
  readonly fromMain: SharedArrayBuffer;
  /** Memory of ClusterFlows. */
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
