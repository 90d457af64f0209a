// The Piscina entry of a shard: a task that ends only when the shard is stopped. It only calls runShardThread.

import { Shard } from '../shard/shard.ts';
import type { ShardTask } from './shard-messages.ts';
import { runShardThread } from './shard-thread.ts';

export function runShardTask(task: ShardTask): void {
  runShardThread(task, (options) => new Shard(options));
}
