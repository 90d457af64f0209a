// What becomes of the streams while nodes run: who leads them, whether they are there and as they must be. Each node looks by itself, once a
// minute, and more often while somebody asks for its state.

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
  /** Is told when the META stream was made that is there, as its server says it. */
  metaSeen(created: string): void;
  readonly log: Log;
}

export class StreamWatch {
  /** Of streams that are gone or were changed. */
  faults: readonly StreamFault[] = [];
  /** NATS servers, by shard. */
  leaders: readonly (string | undefined)[] = [];
  private readonly parts: StreamWatchParts;
  private readonly fresh = new FreshLook(() => this.ask());

  constructor(parts: StreamWatchParts) {
    this.parts = parts;
  }

  /** Asks the servers, unless that was done a moment ago. What cannot be asked is as it was. */
  async look(): Promise<void> {
    await this.fresh.look();
  }

  /** Where something has just been done about it. */
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

  /** What is new. */
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
