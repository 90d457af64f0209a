// Watches the streams while nodes run: their leaders, their existence and their configuration. Each node checks them by itself, once a
// minute, and more often while its state is in demand.

import type { JetStreamManager } from '@nats-io/jetstream';
import { streamName } from '../../cluster/stream-names.ts';
import type { Log } from '../process/log.ts';
import { readRecord } from './cluster-record.ts';
import { FreshLook } from './fresh-look.ts';
import { goneFault, lookAtStreams, type StreamFault } from './nats/stream-faults.ts';

export interface StreamWatchParts {
  readonly manager: JetStreamManager;
  readonly cluster: string;
  readonly shards: number;
  /** Gets the creation time of the present META stream, by its server. */
  metaSeen(created: string): void;
  readonly log: Log;
}

export class StreamWatch {
  /** Faults of streams that are missing or were changed. */
  faults: readonly StreamFault[] = [];
  /** NATS servers that lead the streams, by shard. */
  leaders: readonly (string | undefined)[] = [];
  private readonly parts: StreamWatchParts;
  private readonly fresh = new FreshLook(() => this.ask());

  constructor(parts: StreamWatchParts) {
    this.parts = parts;
  }

  /** Asks the servers, unless the last answer is fresh. Streams that cannot be asked keep their state. */
  async look(): Promise<void> {
    await this.fresh.look();
  }

  /** Asks in any case, after a repair. */
  async lookNow(): Promise<void> {
    await this.fresh.lookNow();
  }

  close(): void {
    this.fresh.close();
  }

  private async ask(): Promise<void> {
    const { manager, cluster, shards, metaSeen } = this.parts;
    const looks = await lookAtStreams(manager, cluster, shards);
    this.leaders = looks.slice(0, shards).map(({ info }) => info?.cluster?.leader);
    const created = looks[shards].info?.created;
    if (created !== undefined) metaSeen(created);
    const meta = streamName(cluster, 'META');
    const hasRecord = await readRecord(manager, cluster).then(
      (found) => found !== undefined,
      () => true, // it cannot be read now, which is no loss
    );
    const known = new Map(this.faults.map((fault) => [fault.stream, fault]));
    this.faults = looks.flatMap(({ info, fault }, shard) => {
      const stream = streamName(cluster, shard < shards ? shard : 'META');
      if (stream === meta && !hasRecord) return [goneFault(meta, undefined)];
      if (fault !== undefined) return [fault];
      return info === undefined ? (known.get(stream) ?? []) : [];
    });
    this.tell(known);
  }

  /** Logs new faults. */
  private tell(before: ReadonlyMap<string, StreamFault>): void {
    const { log } = this.parts;
    for (const { stream, kind, problem } of this.faults) {
      if (before.get(stream)?.problem === problem) continue;
      log('error', kind === 'gone' ? 'a stream is gone' : 'a stream was changed', { stream, problem });
    }
    for (const stream of before.keys())
      if (!this.faults.some((fault) => fault.stream === stream))
        log('info', 'a stream is as it must be again', { stream });
  }
}
