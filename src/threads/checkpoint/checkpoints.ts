// The checkpoint helper as the main thread has it: starts it, tells it of the shards' lives, and logs failures.

import { Worker } from 'node:worker_threads';
import { LogPositions } from '../../location/log/log-positions.ts';
import { COUNTER } from '../../shard/observe/counters.ts';
import type { ShardLog } from '../../shard/shard-options.ts';
import { taskFile } from '../tasks/task-file.ts';
import type { CheckpointNews, CheckpointOrder } from './checkpoint-task.ts';
import type { CheckpointSource } from './checkpointer.ts';
import type { ScrubReport } from './scrubber.ts';

/** Default: about a third of a second of replay. */
export const CHECKPOINT_BYTES = 32 << 20;
/** The helper is started when a log has grown enough, or this long after the first shard has opened. */
const START_MS = 60_000;
const LOOK_MS = 250;

export class Checkpoints {
  /** Checkpoints written since the start. */
  written = 0;
  private readonly grownBytes: number;
  private readonly log: ShardLog;
  private readonly counters: readonly SharedArrayBuffer[];
  private worker: Worker | null = null;
  /** Shards that opened before the helper was started. */
  private readonly waiting = new Map<number, CheckpointSource>();
  private watch: NodeJS.Timeout | undefined;
  private loaded: Promise<unknown> = Promise.resolve();

  /**
   * @param grownBytes least growth of a shard's log between two checkpoints
   * @param counters of each shard
   */
  constructor(grownBytes: number, log: ShardLog, counters: readonly SharedArrayBuffer[]) {
    this.grownBytes = grownBytes;
    this.counters = counters;
    this.log = log;
  }

  /** A life of a shard begins; the one before is over. */
  opened(shard: number, source: CheckpointSource): void {
    if (this.worker !== null) return tell(this.worker, shard, source);
    this.waiting.set(shard, source);
    const began = performance.now();
    this.watch ??= setInterval(() => {
      if (performance.now() - began >= START_MS || [...this.waiting.values()].some((waiting) => this.hasGrown(waiting)))
        this.start();
    }, LOOK_MS).unref();
  }

  /** A shard's life is over: its table changes no more. */
  ended(shard: number): void {
    this.waiting.get(shard)?.port.close();
    this.waiting.delete(shard);
    this.worker?.postMessage({ shard, source: null } satisfies CheckpointOrder);
  }

  /** Gives up a checkpoint in progress: the one before still counts. */
  async close(): Promise<void> {
    clearInterval(this.watch);
    for (const shard of [...this.waiting.keys()]) this.ended(shard);
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

  private hasGrown({ marks }: CheckpointSource): boolean {
    return new LogPositions(marks).grown >= this.grownBytes;
  }

  private start(): void {
    clearInterval(this.watch);
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
    this.worker = worker;
    for (const [shard, source] of this.waiting) tell(worker, shard, source);
    this.waiting.clear();
  }
}

function tell(worker: Worker, shard: number, source: CheckpointSource): void {
  worker.postMessage({ shard, source } satisfies CheckpointOrder, [source.port]);
}
