// The Piscina entry of a shard of a cluster: like shard-task's, with the modules that only nodes of clusters load.

import { ShardTable } from '../../cluster/shard-table.ts';
import { hasReadyCopy } from '../../location/files/ready-copy.ts';
import { Shard } from '../../shard/shard.ts';
import type { ShardTask } from '../shard-messages.ts';
import { runShardThread } from '../shard-thread.ts';
import { openClusterShard } from './open-cluster-shard.ts';

export function runShardTask(task: ShardTask): void {
  const { cluster, store, index } = task;
  // The shard's role with its former store: it would be reported as needing a copy until this store is open.
  if (cluster !== undefined && store.kind === 'log' && hasReadyCopy(store.directory))
    new ShardTable(cluster.shards, cluster.table).setRole(index, 0);
  runShardThread(task, (options) => new Shard(options), openClusterShard);
}
