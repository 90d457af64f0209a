// The main thread's end of the helper that writes checkpoints: starts it, tells it of the shards' lives, and logs what fails.

import { Worker } from 'node:worker_threads';
import { COUNTER } from '../../shard/observe/counters.ts';
import type { ShardLog } from '../../shard/shard-options.ts';
import { taskFile } from '../tasks/task-file.ts';
import type { CheckpointNews, CheckpointOrder } from './checkpoint-task.ts';
import type { CheckpointSource } from './checkpointer.ts';
import type { ScrubReport } from './scrubber.ts';

/** By default: a third of a second of replay, about. */
export const CHECKPOINT_BYTES = 32 << 20;

export class Checkpoints {
  /** Written since the start. */
  written = 0;
  private readonly grownBytes: number;
  private readonly log: ShardLog;
  private readonly counters: readonly SharedArrayBuffer[];
  private worker: Worker | null = null;
  private loaded: Promise<unknown> = Promise.resolve();

  /**
   * @param grownBytes that a shard's log grows by at least between two checkpoints
   * @param counters of each shard
   */
  constructor(grownBytes: number, log: ShardLog, counters: readonly SharedArrayBuffer[]) {
    this.grownBytes = grownBytes;
    this.counters = counters;
    this.log = log;
  }

  /** A life of a shard begins; the one before is over. */
  opened(shard: number, source: CheckpointSource): void {
    this.worker ??= this.start();
    this.worker.postMessage({ shard, source } satisfies CheckpointOrder, [source.port]);
  }

  /** A shard's life is over: its table changes no more. */
  ended(shard: number): void {
    this.worker?.postMessage({ shard, source: null } satisfies CheckpointOrder);
  }

  /** One under way is given up: the one before still counts. */
  async close(): Promise<void> {
    this.worker?.ref();
    await this.loaded; // a native module ends the process where its thread is terminated while it loads
    await this.worker?.terminate();
    this.worker = null;
  }

  private tellScrubbed(shard: number, report: ScrubReport): void {
    const counters = new Float64Array(this.counters[shard]);
    counters[COUNTER.scrubbed_bytes] += report.bytes;
    counters[COUNTER.scrubbed_damaged] += report.damaged;
    this.log(report.damaged > 0 ? 'error' : 'info', 'log read through', { shard, ...report });
  }

  private start(): Worker {
    const worker = new Worker(taskFile('checkpoint-task'), { workerData: this.grownBytes });
    this.loaded = new Promise((resolve) => {
      worker.once('message', resolve);
      worker.once('exit', resolve);
    });
    worker.on('message', (news: CheckpointNews | 'loaded') => {
      if (news === 'loaded') return;
      const { shard, problem, scrubbed } = news;
      if (scrubbed !== undefined) return this.tellScrubbed(shard, scrubbed);
      if (problem === undefined) this.written++;
      else this.log('warn', 'checkpoint failed', { shard, error: problem });
    });
    worker.on('error', (error) => {
      this.log('error', 'checkpoint thread died, restarts will be slow', { error: error.message });
    });
    worker.unref();
    return worker;
  }
}
