// The cluster as this node's main thread knows it: its record, its streams' leaders, and the nodes' beats.

import type { JetStreamManager } from '@nats-io/jetstream';
import type { Beat } from '../../cluster/beat.ts';
import type { NodeView } from '../../cluster/membership.ts';
import { isOwner, ROLE_FOLLOWING } from '../../cluster/roles.ts';
import { streamName } from '../../cluster/stream-names.ts';
import { monotonicMs } from '../../transport/monotonic.ts';
import { parsePeer } from '../config/sections/cluster-config.ts';
import type { BeatWatch } from './beat-watch.ts';
import { ClusterError } from './cluster-error.ts';
import { type ClusterRecord, readRecord } from './cluster-record.ts';
import type { NodePlace } from './exchange/exchange-client.ts';
import { exchangePort } from './exchange/node-exchange.ts';
import type { KnownRecord } from './known-record.ts';
import { goneFault } from './nats/stream-faults.ts';
import type { ServerWatch } from './server-watch.ts';
import type { StreamWatch } from './stream-watch.ts';

/** Interval at which a node without status requests learns which nodes have left. */
const LOOK_MS = 5000;

interface OtherNode {
  /** Address at which it answers exchanges. */
  readonly place: NodePlace;
  readonly beat: Beat;
}

export interface ViewParts {
  readonly manager: JetStreamManager;
  readonly cluster: string;
  /** Number of this node. */
  readonly number: number;
  readonly beats: BeatWatch;
  readonly streams: StreamWatch;
  readonly servers: ServerWatch;
  readonly known: KnownRecord;
}

export class ClusterView {
  record: ClusterRecord;
  readonly beats: BeatWatch;
  readonly streams: StreamWatch;
  readonly servers: ServerWatch;
  private readonly parts: ViewParts;
  private lookedAt = Number.NEGATIVE_INFINITY;

  constructor(parts: ViewParts, record: ClusterRecord) {
    this.parts = parts;
    this.beats = parts.beats;
    this.streams = parts.streams;
    this.servers = parts.servers;
    this.record = record;
  }

  /**
   * Refreshes the record, and the state of streams and servers, unless they are fresh. Where they cannot be read, the last known
   * state counts.
   */
  async refresh(): Promise<void> {
    // Status and metrics report failures of the connection and of streams.
    await Promise.allSettled([this.readRecord(), this.streams.look(), this.servers.look()]);
  }

  close(): void {
    this.streams.close();
    this.servers.close();
    this.beats.close();
  }

  /** Has the record read now and then, for callers that need not wait for its newest state. */
  look(): void {
    if (monotonicMs() - this.lookedAt < LOOK_MS) return;
    this.lookedAt = monotonicMs();
    void this.refresh();
  }

  /**
   * Nodes that were ever heard of, without those that have left: for each name the node of the record, or else one that is alive.
   */
  nodes(): NodeView[] {
    const numbers = new Set(Object.values(this.record.nodes).map(({ number }) => number));
    const isKnown = ({ beat }: NodeView) => numbers.has(beat.node);
    const all = this.beats.members.nodes(monotonicMs()).filter((view) => isKnown(view) || view.isAlive);
    const byName = new Map<string, NodeView>();
    for (const view of all) if (isKnown(view) || !byName.has(view.beat.name)) byName.set(view.beat.name, view);
    return [...byName.values()];
  }

  /** Throws a ClusterError where the record cannot be read. */
  async readRecord(): Promise<void> {
    const { manager, cluster, known } = this.parts;
    const found = await readRecord(manager, cluster);
    if (found === undefined) throw new ClusterError(goneFault(streamName(cluster, 'META'), undefined).problem);
    this.record = found.record;
    known.keep(found.record);
  }

  /** Throws a ClusterError where there is no such shard. */
  demandShard(shard: number): void {
    const { shards } = this.record;
    if (!(shard < shards)) throw new ClusterError(`there are shards 0 to ${shards - 1}`);
  }

  /** Name of the node with a number, by the record. */
  nameOf(number: number): string | undefined {
    return Object.entries(this.record.nodes).find(([, node]) => node.number === number)?.[0];
  }

  /** Other nodes whose beats arrive. */
  others(): OtherNode[] {
    const heard = this.beats.nodes();
    return Object.entries(this.record.nodes).flatMap(([name, { number, listen }]) => {
      const view = heard.get(number);
      if (number === this.parts.number || view?.isAlive !== true) return [];
      const { host, port } = parsePeer(listen);
      return [{ place: { name, host, port: exchangePort({ port }) }, beat: view.beat }];
    });
  }

  /** Other nodes of the record whose beats do not arrive. */
  missing(): string[] {
    const others = this.others();
    return Object.entries(this.record.nodes)
      .filter(([name, { number }]) => number !== this.parts.number && !others.some(({ place }) => place.name === name))
      .map(([name]) => name);
  }

  /** Nodes whose copy of a shard is level with the stream. Followers come first: the owner has more to do. */
  sources(shard: number): NodePlace[] {
    void this.refresh();
    const able = this.others().filter(({ beat }) => {
      const { role = 0, applied = -1 } = beat.shards[shard] ?? {};
      return applied >= 0 && (role === ROLE_FOLLOWING || isOwner(role));
    });
    const isBusy = ({ beat }: OtherNode) => (isOwner(beat.shards[shard].role) ? 1 : 0);
    return able.sort((a, b) => isBusy(a) - isBusy(b)).map(({ place }) => place);
  }
}
