// A node's part of its cluster as the main thread's pool has it: the cluster's thread, the connections of all nodes, their counts. Loaded only
// where there is a cluster.

import { ClusterFlows } from '../../cluster/peers/cluster-flows.ts';
import type { FlowLiveness } from '../../core/binding/live-flow.ts';
import { LiveFlows } from '../../transport/flow/live-flows.ts';
import { keepLargeBlocksApart } from '../../transport/linux/large-blocks.ts';
import type { SharedParts } from '../shared-parts.ts';
import type { ClusterOptions } from './cluster-options.ts';
import type { ClusterLog } from './cluster-thread.ts';
import { ClusterWorker } from './cluster-worker.ts';

export class ClusterMain {
  readonly node: number;
  readonly flows: FlowLiveness;
  private readonly options: ClusterOptions;
  private readonly shared: SharedParts;
  private worker: ClusterWorker | undefined;

  constructor(options: ClusterOptions, shared: SharedParts) {
    const { cluster } = shared;
    if (cluster === undefined) throw new Error('nothing is shared with the cluster');
    keepLargeBlocksApart(); // before the shards' threads, of which a node of a cluster has many
    this.node = options.number;
    this.options = options;
    this.shared = shared;
    this.flows = new ClusterFlows(cluster.flows, options.number, new LiveFlows(shared.liveFlows));
  }

  /**
   * Resolves when this node listens for the others; rejects with the error that prevents it.
   * @param firstFlow of this life
   * @param clock of bindings
   */
  async start(firstFlow: number, clock: SharedArrayBuffer, log: ClusterLog): Promise<void> {
    const { cluster, clusterBell, bellMemories, bellFds } = this.shared;
    if (cluster === undefined || clusterBell === undefined) return;
    const { options } = this;
    const task = { options, parts: cluster, shardBells: bellMemories, shardBellFds: bellFds, firstFlow, clock };
    this.worker = await ClusterWorker.start(task, clusterBell, log);
  }

  /** Called after the shards have stopped: their last answers leave. */
  async stop(): Promise<void> {
    await this.worker?.stop();
  }
}
