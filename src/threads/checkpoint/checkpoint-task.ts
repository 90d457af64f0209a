// The helper thread that writes the checkpoints of all shards in turn. checkpointer.ts decides when and how.

import { setTimeout as delay } from 'node:timers/promises';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { Checkpointer, type CheckpointReport, type CheckpointSource, surroundingsOf } from './checkpointer.ts';
import { type ScrubReport, type ScrubSubject, scrub } from './scrubber.ts';

const LOOK_MS = 250;
/** Interval between two scrubs of the whole log. */
const SCRUB_MS = 86_400_000;

/** An order to the helper: a shard begins a life with this table, or (null) its life before has ended. */
export interface CheckpointOrder {
  readonly shard: number;
  readonly source: CheckpointSource | null;
}

/** News from the helper. */
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
      // A disk that fails altogether is reported by the shards that write to it.
    }
  }
}

if (parentPort !== null) void run(parentPort, workerData);
