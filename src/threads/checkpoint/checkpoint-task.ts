// The helper thread that writes the checkpoints of all shards, one after the other. When and how is checkpointer's.

import { setTimeout as delay } from 'node:timers/promises';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { Checkpointer, type CheckpointReport, type CheckpointSource, surroundingsOf } from './checkpointer.ts';
import { type ScrubReport, type ScrubSubject, scrub } from './scrubber.ts';

const LOOK_MS = 250;
/** Between two readings of the whole log. */
const SCRUB_MS = 86_400_000;

/** To the helper: a shard begins a life with this table, or has ended the one before. */
export interface CheckpointOrder {
  readonly shard: number;
  readonly source: CheckpointSource | null;
}

/** From the helper. */
export interface CheckpointNews {
  readonly shard: number;
  readonly report?: CheckpointReport;
  readonly scrubbed?: ScrubReport;
  readonly problem?: string;
}

async function run(port: MessagePort, grownBytes: number): Promise<void> {
  port.postMessage('loaded'); // from now on it may be terminated
  const shards = new Map<number, Checkpointer>();
  port.on('message', ({ shard, source }: CheckpointOrder) => {
    shards.get(shard)?.close();
    shards.delete(shard);
    if (source === null) return;
    const checkpointer = new Checkpointer(source, grownBytes, surroundingsOf(source));
    shards.set(shard, checkpointer);
    const subject = checkpointer.scrubSubject(source.directory, source.parts.suspects);
    void scrubDaily(subject, (scrubbed) => port.postMessage({ shard, scrubbed } satisfies CheckpointNews));
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

async function scrubDaily(subject: ScrubSubject, tell: (report: ScrubReport) => void): Promise<void> {
  for (;;) {
    await delay(SCRUB_MS, undefined, { ref: false });
    if (subject.ended()) return;
    try {
      tell(await scrub(subject, (ms) => delay(ms)));
    } catch {
      // a disk that gives nothing at all is told by those who need it
    }
  }
}

if (parentPort !== null) void run(parentPort, workerData);
