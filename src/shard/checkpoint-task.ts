// The helper thread that writes the checkpoints of all shards, one after the other. When and how is checkpointer's.

import { setTimeout as delay } from 'node:timers/promises';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { Checkpointer, type CheckpointReport, type CheckpointSource, surroundingsOf } from './checkpointer.ts';

const LOOK_MS = 250;

/** To the helper: a shard begins a life with this table, or has ended the one before. */
export interface CheckpointOrder {
  readonly shard: number;
  readonly source: CheckpointSource | null;
}

/** From the helper. */
export interface CheckpointNews {
  readonly shard: number;
  readonly report?: CheckpointReport;
  readonly problem?: string;
}

async function run(port: MessagePort, grownBytes: number): Promise<void> {
  const shards = new Map<number, Checkpointer>();
  port.on('message', ({ shard, source }: CheckpointOrder) => {
    shards.get(shard)?.close();
    shards.delete(shard);
    if (source !== null) shards.set(shard, new Checkpointer(source, grownBytes, surroundingsOf(source)));
  });
  for (;;) {
    for (const [shard, checkpointer] of [...shards]) {
      if (!checkpointer.isDue(performance.now())) continue;
      try {
        port.postMessage({ shard, report: await checkpointer.write() } satisfies CheckpointNews);
      } catch (error) {
        const problem = error instanceof Error ? error.message : String(error);
        if (shards.get(shard) === checkpointer) port.postMessage({ shard, problem } satisfies CheckpointNews);
      }
    }
    await delay(LOOK_MS);
  }
}

if (parentPort !== null) void run(parentPort, workerData);
