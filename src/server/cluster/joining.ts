// A node that has started without its cluster: it tries to join again and again, until the servers answer and nothing prevents it.

import { setTimeout as delay } from 'node:timers/promises';
import type { Config } from '../config/config.ts';
import type { ClusterConfig } from '../config/sections/cluster-config.ts';
import type { Log } from '../process/log.ts';
import { ClusterError, LoginRefused, ServersAway } from './cluster-error.ts';
import type { KnownRecord } from './known-record.ts';
import { type ClusterAway, type ClusterParts, enroll, meetCluster, type NodeStart } from './meet-cluster.ts';

const TRY_MS = 1000;
/** Interval at which the same reason is logged. */
const TELL_MS = 60_000;
const SILENT: Log = () => {};

export interface JoiningParts {
  readonly config: Config & { readonly cluster: ClusterConfig };
  readonly start: NodeStart;
  readonly known: KnownRecord;
  /** Number of this node, when it was of the cluster last. */
  readonly number: number;
  readonly log: Log;
}

export class Joining {
  /** Why it has not joined. */
  reason = '';
  private readonly parts: JoiningParts;
  private readonly away: ClusterAway;
  private readonly joined: (parts: ClusterParts) => Promise<void>;
  private readonly stopped = new AbortController();
  private toldAt = 0;
  private running: Promise<void> | undefined;

  /** @param joined is called once, when the record contains this start */
  constructor(parts: JoiningParts, away: ClusterAway, joined: (parts: ClusterParts) => Promise<void>) {
    this.parts = parts;
    this.away = away;
    this.joined = joined;
    this.tell(away.why);
  }

  /** Called once the shards are open. */
  begin(): void {
    this.running ??= this.run();
  }

  async close(): Promise<void> {
    this.stopped.abort();
    await this.running;
  }

  private async run(): Promise<void> {
    const { signal } = this.stopped;
    for (;;) {
      await delay(TRY_MS, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      try {
        await this.join();
        return;
      } catch (error) {
        this.tell(error);
      }
    }
  }

  private async join(): Promise<void> {
    const { config, known, log } = this.parts;
    const { name, node } = config.cluster;
    const met = await meetCluster(config, SILENT, 0, known.record ?? this.away.record);
    try {
      await this.enter(met);
    } catch (error) {
      await met.connection.close();
      throw error;
    }
    log('info', 'joined the cluster', { cluster: name, node });
  }

  private async enter(met: ClusterParts): Promise<void> {
    const { config, start, number } = this.parts;
    const { cluster } = config;
    if (met.record.nodes[cluster.node]?.number !== number)
      throw new ClusterError(`node ${cluster.node} was let go by aorta cluster leave: start it anew`);
    const record = await enroll(met, cluster, start);
    await this.joined({ ...met, record });
  }

  /** A new reason is logged at once. */
  private tell(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    const isKnown = reason === this.reason && performance.now() - this.toldAt < TELL_MS;
    this.reason = reason;
    if (isKnown) return;
    this.toldAt = performance.now();
    const level = error instanceof ServersAway && !(error instanceof LoginRefused) ? 'warn' : 'error';
    this.parts.log(level, 'this node is not of its cluster yet: REGISTERs draw 503', { reason });
  }
}
