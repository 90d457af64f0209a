// The Piscina entry of a shard of a cluster: as shard-task's, with what only nodes of clusters load.

import { Shard } from '../../shard/shard.ts';
import type { ShardTask } from '../shard-messages.ts';
import { runShardThread } from '../shard-thread.ts';
import { openClusterShard } from './open-cluster-shard.ts';

export function runShardTask(task: ShardTask): void {
  runShardThread(task, (options) => new Shard(options), openClusterShard);
}
