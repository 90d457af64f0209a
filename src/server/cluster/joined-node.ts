// A node that is of its cluster: its main thread's messages to the NATS servers, and those that it gets from them. Earlier it has reached
// none.

import { ROLE_BROKEN } from '../../cluster/roles.ts';
import type { ShardTable } from '../../cluster/shard-table.ts';
import { streamName } from '../../cluster/stream-names.ts';
import type { ClusterOptions } from '../../threads/cluster/cluster-options.ts';
import type { UserStore } from '../../users/user-store.ts';
import type { ClusterConfig } from '../config/sections/cluster-config.ts';
import type { Log } from '../process/log.ts';
import { BeatWatch } from './beat-watch.ts';
import { ClusterError } from './cluster-error.ts';
import { type ClusterRecord, changeRecord } from './cluster-record.ts';
import { ClusterView } from './cluster-view.ts';
import type { KnownRecord } from './known-record.ts';
import { LogSyncs } from './log-syncs.ts';
import type { ClusterParts } from './meet-cluster.ts';
import { remakeStream, streamInfo } from './nats/streams.ts';
import { reseedMeta } from './reseed-meta.ts';
import { ServerWatch } from './server-watch.ts';
import { ShardMoves } from './shard-moves.ts';
import { MetaSync } from './shared/meta-sync.ts';
import { SharedStatics } from './shared/shared-statics.ts';
import { StreamWatch } from './stream-watch.ts';

export interface JoinedNodeOptions {
  /** The record contains this start. */
  readonly parts: ClusterParts;
  readonly config: ClusterConfig;
  readonly options: ClusterOptions;
  readonly table: ShardTable;
  readonly known: KnownRecord;
  readonly log: Log;
}

/** Stores that are shared, and synced, once the shards are open. */
export interface NodeStores {
  readonly data: string;
  /** Absent where clients do not authenticate. */
  readonly users: UserStore | undefined;
  /** Directories of the shards' stores. */
  readonly stores: readonly string[];
}

export class JoinedNode {
  readonly view: ClusterView;
  readonly moves: ShardMoves;
  isConnected = true;
  private readonly node: JoinedNodeOptions;
  private meta: MetaSync | undefined;
  private syncs: LogSyncs | undefined;

  constructor(node: JoinedNodeOptions) {
    const { parts, config, options, table, known, log } = node;
    const { connection, manager, record } = parts;
    const { number, shards, secret } = options;
    const { name: cluster, silentMs } = config;
    this.node = node;
    const beats = new BeatWatch(connection, { cluster, node: number, shards, silentMs, secret });
    const metaSeen = (created: string) => this.meta?.seen(created);
    const streams = new StreamWatch({ manager, cluster, shards, metaSeen, log });
    const servers = new ServerWatch(config.nats, log);
    this.view = new ClusterView({ manager, cluster, number, beats, streams, servers, known }, record);
    this.moves = new ShardMoves({ connection, options, table, view: this.view });
    void this.watchConnection();
  }

  /** From here on users and static bindings are the cluster's, and logs are synced. */
  serve({ data, users, stores }: NodeStores): void {
    const { parts, config, options, table, known, log } = this.node;
    const { number: node, secret } = options;
    const statics = new SharedStatics(data, node);
    this.meta = new MetaSync({ ...parts, cluster: config.name, node, secret, users, statics, known, log });
    const first = async (shard: number) =>
      (await streamInfo(parts.manager, streamName(config.name, shard)))?.state.first_seq;
    this.syncs = new LogSyncs({ table, stores, first, log });
    void this.view.refresh();
  }

  get metaStrangers(): number {
    return this.meta?.strangers ?? 0;
  }

  get unsynced(): readonly number[] {
    return this.syncs?.unsynced ?? [];
  }

  /**
   * Makes the stream of a shard anew, after the last sequence of the most advanced node. The stream must be missing, lack messages or
   * hold some that must not be followed. Resolves with the sequence.
   * @throws ClusterError where nothing is wrong with it, or a missing node may be more advanced
   */
  async remakeStream(shard: number): Promise<number> {
    const { view } = this;
    const { parts, config, table } = this.node;
    await view.readRecord(); // a node that has just joined may be the most advanced
    view.demandShard(shard);
    const missing = view.missing();
    if (missing.length > 0)
      throw new ClusterError(
        `what ${missing.join(' and ')} ${missing.length > 1 ? 'have' : 'has'} is not known: start it first, or let it leave`,
      );
    const others = view.others();
    const applied = Math.max(table.applied(shard), 0, ...others.map(({ beat }) => beat.shards[shard]?.applied ?? 0));
    const roles = [table.role(shard), ...others.map(({ beat }) => beat.shards[shard]?.role ?? 0)];
    const { state } = (await streamInfo(parts.manager, streamName(config.name, shard))) ?? {};
    if (state !== undefined && state.last_seq >= applied && !roles.includes(ROLE_BROKEN))
      throw new ClusterError(`nothing is wrong with the stream of shard ${shard}`);
    await remakeStream(parts.manager, config.name, shard, applied);
    return applied;
  }

  /** Makes the META stream anew. Throws a ClusterError where nothing is wrong with it. */
  async reseedMeta(): Promise<ClusterRecord> {
    const { view } = this;
    const { parts, config, options } = this.node;
    const { number: node, shards, secret } = options;
    const watch = { cluster: config.name, node, shards, silentMs: config.silentMs, secret };
    const record = await reseedMeta({ ...parts, record: view.record }, watch);
    await view.streams.lookNow();
    return record;
  }

  /** Removes a node that is gone for good: its number and its name become free. Throws a ClusterError where it is alive. */
  async remove(name: string): Promise<void> {
    const { view } = this;
    const { parts, config } = this.node;
    view.record = await changeRecord(parts.connection, parts.manager, config.name, (record) => {
      const node = record?.nodes[name];
      if (record === undefined || node === undefined) throw new ClusterError(`there is no node ${name}`);
      if (view.beats.isAlive(node.number))
        throw new ClusterError(`node ${name} is running: drain it and stop it first`);
      const { [name]: _, ...nodes } = record.nodes;
      return { ...record, last: Math.max(record.last ?? 0, node.number), nodes };
    });
  }

  async close(): Promise<void> {
    this.moves.close();
    await this.syncs?.close();
    await this.meta?.close();
    this.view.close();
    await this.node.parts.connection.close();
  }

  /** Runs until the connection is closed. */
  private async watchConnection(): Promise<void> {
    for await (const { type } of this.node.parts.connection.status()) {
      if (type === 'disconnect' || type === 'staleConnection') this.isConnected = false;
      else if (type === 'reconnect') this.isConnected = true;
    }
  }
}
