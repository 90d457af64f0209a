// A node's part of a cluster on the main thread: it answers what operators ask and carries out what they order. What happens to bindings is
// the threads'.

import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { createOrderMemory } from '../../cluster/order-table.ts';
import { createPeerCountsMemory, PeerCounts } from '../../cluster/peers/peer-counts.ts';
import { ROLE_BROKEN } from '../../cluster/roles.ts';
import { ShardTable } from '../../cluster/shard-table.ts';
import { streamName } from '../../cluster/stream-names.ts';
import type { ClusterOptions } from '../../threads/cluster/cluster-options.ts';
import type { UserStore } from '../../users/user-store.ts';
import type { Config } from '../config/config.ts';
import type { ClusterConfig } from '../config/sections/cluster-config.ts';
import type { DataDirectory } from '../data/data-directory.ts';
import { openLifeNumbers } from '../data/life-numbers.ts';
import type { Log } from '../process/log.ts';
import { BeatWatch } from './beat-watch.ts';
import { ClusterError } from './cluster-error.ts';
import { changeRecord } from './cluster-record.ts';
import { type ClusterReading, type ClusterStatus, lagMs, problemsOf, readingOf, statusOf } from './cluster-status.ts';
import { ClusterView } from './cluster-view.ts';
import { NodeExchange, type NodeExchangeOptions } from './exchange/node-exchange.ts';
import type { CopyReport } from './exchange/shard-copies.ts';
import type { ShardComparison } from './exchange/verify.ts';
import { LogSyncs } from './log-syncs.ts';
import { type ClusterParts, demandAlone } from './meet-cluster.ts';
import { readLogin } from './nats/nats-client.ts';
import { NatsLookup } from './nats/nats-lookup.ts';
import { remakeStream, streamInfo } from './nats/streams.ts';
import { TlsRelays } from './nats/tls-relays.ts';
import { enrolled, identify } from './node-identity.ts';
import { policyDigest } from './policy-digest.ts';
import { ShardMoves } from './shard-moves.ts';
import { MetaSync } from './shared/meta-sync.ts';
import { SharedStatics } from './shared/shared-statics.ts';

/** So long who asks for the status waits for what NATS says of it. */
const STATUS_MS = 1000;

export class ClusterNode {
  readonly options: ClusterOptions;
  readonly moves: ShardMoves;
  private readonly parts: ClusterParts;
  private readonly config: ClusterConfig;
  private readonly table: ShardTable;
  private readonly peers: PeerCounts;
  private readonly lookup: NatsLookup;
  private readonly relays: TlsRelays | undefined;
  private readonly view: ClusterView;
  private isConnected = true;
  private exchange: NodeExchange | undefined;
  private meta: MetaSync | undefined;
  private syncs: LogSyncs | undefined;

  private constructor(
    parts: ClusterParts,
    config: ClusterConfig,
    options: ClusterOptions,
    { lookup, beats, relays }: { lookup: NatsLookup; beats: BeatWatch; relays: TlsRelays | undefined },
  ) {
    this.parts = parts;
    this.config = config;
    this.options = options;
    this.lookup = lookup;
    this.relays = relays;
    const { manager, connection, record } = parts;
    this.table = new ShardTable(record.shards, options.table);
    this.peers = new PeerCounts(options.counts);
    this.view = new ClusterView({ manager, cluster: config.name, number: options.number, beats }, record);
    this.moves = new ShardMoves({ connection, options, table: this.table, view: this.view });
    void this.watchConnection();
  }

  /** Makes this data directory a node. Throws a ClusterError where it cannot be one. */
  static async open(
    parts: ClusterParts,
    config: Config & { cluster: ClusterConfig },
    directory: DataDirectory,
    log: Log,
  ): Promise<ClusterNode> {
    const { cluster } = config;
    const { connection, manager } = parts;
    const { secret } = directory;
    const identity = identify(directory.path, cluster.name);
    const life = openLifeNumbers(directory.path, log)();
    await demandAlone(parts, cluster, identity, secret);
    const record = await changeRecord(connection, manager, cluster.name, (found) => {
      if (found === undefined) throw new ClusterError(`cluster ${cluster.name} is gone`);
      return enrolled(found, cluster, { directory: identity, secret, now: new Date(), life });
    });
    const { number } = record.nodes[cluster.node];
    const { shards } = record;
    const { silentMs } = cluster;
    const beats = new BeatWatch(connection, { cluster: cluster.name, node: number, shards, silentMs, secret });
    const relays = await TlsRelays.open(cluster.nats, log);
    const lookup = new NatsLookup(cluster.nats.servers, log, relays?.ports);
    await lookup.look();
    const options: ClusterOptions = {
      name: cluster.name,
      shards,
      node: cluster.node,
      number,
      life,
      listen: cluster.listen,
      access: {
        addresses: lookup.memory,
        login: readLogin(cluster.nats),
        node: cluster.node,
        inbox: `_INBOX.aorta-${cluster.node}-${randomBytes(6).toString('hex')}`,
        ...(relays && { relayToken: relays.token }),
      },
      table: new ShardTable(record.shards).memory,
      orders: createOrderMemory(record.shards),
      counts: createPeerCountsMemory(),
      secret,
      silentMs: cluster.silentMs,
      holdMs: cluster.holdMs,
      policyDigest: policyDigest(config),
    };
    return new ClusterNode({ ...parts, record }, cluster, options, { lookup, beats, relays });
  }

  async status(): Promise<ClusterStatus> {
    const { view } = this;
    await Promise.race([view.refresh(), delay(STATUS_MS)]);
    return statusOf({
      cluster: this.config.name,
      node: this.config.node,
      connected: this.isConnected,
      record: view.record,
      heard: view.beats.nodes(),
      table: this.table,
      policyDigest: this.options.policyDigest,
      leaders: view.leaders,
    });
  }

  /** Once the shards are open: gives copies of them to other nodes, and has those that this node needs. Throws a ClusterError. */
  async serve(parts: Pick<NodeExchangeOptions, 'stores' | 'readers' | 'renew' | 'log'>): Promise<void> {
    const { config, options, table, view } = this;
    this.exchange = await NodeExchange.open({
      ...parts,
      ...{ cluster: config.name, node: config.node, listen: config.listen, secret: options.secret, table },
      sources: (shard) => view.sources(shard),
      others: () => view.others().map(({ place }) => place),
    });
    const first = async (shard: number) =>
      (await streamInfo(this.parts.manager, streamName(config.name, shard)))?.state.first_seq;
    this.syncs = new LogSyncs({ table, first, ...parts });
  }

  /** Users and static bindings are the cluster's from here on. @param users absent where nobody is authenticated */
  share(data: string, users: UserStore | undefined, log: Log): void {
    const { parts, config, options } = this;
    const { number: node, secret } = options;
    const statics = new SharedStatics(data, node);
    this.meta = new MetaSync({ ...parts, cluster: config.name, node, secret, users, statics, log });
  }

  /** Throws this node's store of a shard away, and has another node's. Throws a ClusterError. */
  async reseed(shard: number): Promise<CopyReport> {
    this.view.demandShard(shard);
    await this.view.refresh();
    return this.exchanged().reseed(shard);
  }

  /**
   * Makes the stream of a shard anew behind what the node with most of it has, where it is gone, has lost something or holds what must not be
   * followed. Resolves with the sequence. Throws a ClusterError where nothing is wrong with it, or a node is missing that may have more.
   */
  async remakeStream(shard: number): Promise<number> {
    const { view, parts, config, table } = this;
    await view.readRecord(); // a node that has just joined may have most
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

  /** Compares all tables of this node with those of the others. */
  async verify(): Promise<ShardComparison[]> {
    await this.view.refresh();
    return this.exchanged().verify();
  }

  reading(): ClusterReading {
    this.view.look();
    const reading = readingOf(this.table, this.options.number, this.isConnected, this.view.nodes());
    const [askedByStrangers, metaStrangers] = [this.exchange?.refused ?? 0, this.meta?.strangers ?? 0];
    const unsynced = this.syncs?.unsynced ?? [];
    return { ...reading, peers: this.peers, askedByStrangers, metaStrangers, unsynced };
  }

  /** How old what this node has of a shard may be. */
  readonly lagMs = (shard: number): number => lagMs(this.table, shard);

  /** What speaks against sending requests here. */
  problems(): string[] {
    const { node } = this.config;
    const hasLeft = this.view.record.nodes[node]?.number !== this.options.number;
    return [
      ...(hasLeft ? [`node ${node} was let go by aorta cluster leave: start it anew`] : []),
      ...problemsOf(this.reading()),
    ];
  }

  /** Whether this node decides about a shard. */
  isOwner(shard: number): boolean {
    return this.table.isOwner(shard);
  }

  /** Until the connection is closed. */
  private async watchConnection(): Promise<void> {
    for await (const { type } of this.parts.connection.status()) {
      if (type === 'disconnect' || type === 'staleConnection') this.isConnected = false;
      else if (type === 'reconnect') this.isConnected = true;
    }
  }

  /** Forgets a node that is gone for good: its number and its name are free. Throws a ClusterError where it lives. */
  async remove(name: string): Promise<void> {
    const { parts, view } = this;
    const { connection, manager } = parts;
    view.record = await changeRecord(connection, manager, this.config.name, (record) => {
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
    await this.exchange?.close();
    await this.meta?.close();
    this.lookup.close();
    await this.relays?.close();
    this.view.beats.close();
    await this.parts.connection.close();
  }

  private exchanged(): NodeExchange {
    if (this.exchange === undefined) throw new ClusterError('this node starts still');
    return this.exchange;
  }
}
