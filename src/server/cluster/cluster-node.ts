// A node's part of a cluster on the main thread: it answers operators' questions, carries out their orders, and joins the cluster where the
// NATS servers were away at its start. The threads process bindings.

import { setTimeout as delay } from 'node:timers/promises';
import { createOrderMemory, OrderTable } from '../../cluster/order-table.ts';
import { createPeerCountsMemory, PeerCounts } from '../../cluster/peers/peer-counts.ts';
import { ShardTable } from '../../cluster/shard-table.ts';
import type { ClusterOptions } from '../../threads/cluster/cluster-options.ts';
import type { Config } from '../config/config.ts';
import type { ClusterConfig } from '../config/sections/cluster-config.ts';
import type { DataDirectory } from '../data/data-directory.ts';
import { openLifeNumbers } from '../data/life-numbers.ts';
import type { Log } from '../process/log.ts';
import { ClusterError } from './cluster-error.ts';
import type { ClusterRecord } from './cluster-record.ts';
import { type ClusterReading, type ClusterStatus, lagMs, problemsOf, readingOf, statusOf } from './cluster-status.ts';
import { NodeExchange, type NodeExchangeOptions } from './exchange/node-exchange.ts';
import type { CopyReport } from './exchange/shard-copies.ts';
import type { ShardComparison } from './exchange/verify.ts';
import { JoinedNode, type NodeStores } from './joined-node.ts';
import { Joining } from './joining.ts';
import { KnownRecord } from './known-record.ts';
import { type ClusterAway, type ClusterParts, enroll } from './meet-cluster.ts';
import { LoginWatch } from './nats/login-watch.ts';
import { natsAccess } from './nats/nats-access.ts';
import { connectNats } from './nats/nats-client.ts';
import { NatsLookup } from './nats/nats-lookup.ts';
import { openManager } from './nats/streams.ts';
import { TlsRelays } from './nats/tls-relays.ts';
import { identify } from './node-identity.ts';
import { policyDigest } from './policy-digest.ts';
import { reseedMeta } from './reseed-meta.ts';
import type { ShardMoves } from './shard-moves.ts';

/** Longest wait of a status request for an answer of NATS. */
const STATUS_MS = 1000;

interface OpenParts {
  readonly options: ClusterOptions;
  readonly known: KnownRecord;
  readonly relays: TlsRelays | undefined;
  readonly log: Log;
}

export class ClusterNode {
  readonly options: ClusterOptions;
  private readonly parts: OpenParts;
  private readonly config: ClusterConfig;
  private readonly table: ShardTable;
  private readonly orders: OrderTable;
  private readonly peers: PeerCounts;
  private joined: JoinedNode | undefined;
  private lookup: NatsLookup | undefined;
  private login: LoginWatch | undefined;
  /** The record at the start. */
  private readonly record: ClusterRecord;
  private joining: Joining | undefined;
  private stores: NodeStores | undefined;
  private exchange: NodeExchange | undefined;

  private constructor(parts: OpenParts, config: ClusterConfig, record: ClusterRecord) {
    const { options } = parts;
    this.parts = parts;
    this.config = config;
    this.options = options;
    this.record = record;
    this.table = new ShardTable(options.shards, options.table);
    this.orders = new OrderTable(options.orders);
    this.peers = new PeerCounts(options.counts);
  }

  /** Makes this data directory a node. Throws a ClusterError where it cannot be one. */
  static async open(
    met: ClusterParts | ClusterAway,
    config: Config & { readonly cluster: ClusterConfig },
    directory: DataDirectory,
    log: Log,
  ): Promise<ClusterNode> {
    const { cluster } = config;
    const { secret } = directory;
    const known = new KnownRecord(directory.path, cluster.name, log);
    const identity = identify(directory.path, cluster.name);
    const start = { identity, secret, life: openLifeNumbers(directory.path, log)() };
    const record = 'connection' in met ? await enroll(met, cluster, start) : met.record;
    const { number } = record.nodes[cluster.node];
    const relays = await TlsRelays.open(cluster.nats, log);
    const options: ClusterOptions = {
      name: cluster.name,
      shards: record.shards,
      node: cluster.node,
      number,
      life: start.life,
      listen: cluster.listen,
      access: natsAccess(cluster, relays?.token),
      table: new ShardTable(record.shards).memory,
      orders: createOrderMemory(record.shards),
      counts: createPeerCountsMemory(),
      secret,
      silentMs: cluster.silentMs,
      holdMs: cluster.holdMs,
      policyDigest: policyDigest(config),
    };
    const node = new ClusterNode({ options, known, relays, log }, cluster, record);
    if ('connection' in met) await node.join({ ...met, record });
    else node.joining = new Joining({ config, start, known, number, log }, met, (parts) => node.join(parts));
    return node;
  }

  /** Called once the shards are open: gives copies of them to other nodes, and fetches those that this node needs. Throws a ClusterError. */
  async serve(parts: Pick<NodeExchangeOptions, 'readers' | 'renew'> & NodeStores): Promise<void> {
    const { config, options, table } = this;
    const { log } = this.parts;
    this.stores = parts;
    this.exchange = await NodeExchange.open({
      ...{ readers: parts.readers, renew: parts.renew, stores: parts.stores, log },
      ...{ cluster: config.name, node: config.node, listen: config.listen, secret: options.secret, table },
      sources: (shard) => this.joined?.view.sources(shard) ?? [],
      others: () => this.joined?.view.others().map(({ place }) => place) ?? [],
    });
    this.joined?.serve(parts);
    this.joining?.begin();
  }

  async status(): Promise<ClusterStatus> {
    const { joined } = this;
    if (joined !== undefined) await Promise.race([joined.view.refresh(), delay(STATUS_MS)]);
    return statusOf({
      cluster: this.config.name,
      node: this.config.node,
      connected: joined?.isConnected ?? false,
      problems: this.problems(),
      record: joined?.view.record ?? this.record,
      heard: joined?.view.beats.nodes() ?? new Map(),
      table: this.table,
      policyDigest: this.options.policyDigest,
      leaders: joined?.view.streams.leaders ?? [],
      ...this.natsFaults(),
    });
  }

  /** Throws a ClusterError where the node is not of its cluster yet, like all methods below. */
  get moves(): ShardMoves {
    return this.demandJoined().moves;
  }

  /** Gives up all ownership from here on, or ends that; also on a node that is not of its cluster yet. */
  drain(draining: boolean): void {
    if (this.joined === undefined) this.orders.setDraining(draining);
    else this.joined.moves.drain(draining);
  }

  /** Called before a stop: hands its shards to other nodes, where there are any; waits a little for that. */
  async handOver(): Promise<void> {
    await this.joined?.moves.handOver();
  }

  /** Replaces this node's store of a shard by another node's. */
  async reseed(shard: number): Promise<CopyReport> {
    const { view } = this.demandJoined();
    view.demandShard(shard);
    await view.refresh();
    return this.exchanged().reseed(shard);
  }

  /** As JoinedNode.remakeStream. */
  async remakeStream(shard: number): Promise<number> {
    return this.demandJoined().remakeStream(shard);
  }

  /** Makes the META stream anew, also where this node waits for it. Resolves with the names of the nodes in its record. */
  async reseedMeta(): Promise<string[]> {
    const { nodes } = (await this.joined?.reseedMeta()) ?? (await this.reseedMetaAlone());
    return Object.keys(nodes).sort();
  }

  /** Compares all tables of this node with those of the other nodes. */
  async verify(): Promise<ShardComparison[]> {
    await this.demandJoined().view.refresh();
    return this.exchanged().verify();
  }

  /** As JoinedNode.remove. */
  async remove(name: string): Promise<void> {
    await this.demandJoined().remove(name);
  }

  reading(): ClusterReading {
    const { joined, table, options, peers } = this;
    joined?.view.look();
    const nodes = joined?.view.nodes() ?? [];
    return {
      ...readingOf(table, options.number, joined?.isConnected ?? false, nodes),
      peers,
      askedByStrangers: this.exchange?.refused ?? 0,
      metaStrangers: joined?.metaStrangers ?? 0,
      unsynced: joined?.unsynced ?? [],
      ...this.natsFaults(),
    };
  }

  /** Greatest age of this node's data of a shard, ms. */
  readonly lagMs = (shard: number): number => lagMs(this.table, shard);

  /** Reasons against sending requests here. */
  problems(): string[] {
    const { node } = this.config;
    const { joined } = this;
    if (joined === undefined) return [`this node is not of its cluster yet: ${this.joining?.reason}`];
    const hasLeft = joined.view.record.nodes[node]?.number !== this.options.number;
    return [
      ...(hasLeft ? [`node ${node} was let go by aorta cluster leave: start it anew`] : []),
      ...problemsOf(this.reading()),
    ];
  }

  /** Whether this node decides about a shard. */
  isOwner(shard: number): boolean {
    return this.table.isOwner(shard);
  }

  async close(): Promise<void> {
    await this.joining?.close();
    await this.exchange?.close();
    this.lookup?.close();
    this.login?.close();
    await this.parts.relays?.close();
    await this.joined?.close();
  }

  private natsFaults(): Pick<ClusterReading, 'streamFaults' | 'serverFaults'> {
    const { view } = this.joined ?? {};
    return { streamFaults: view?.streams.faults ?? [], serverFaults: view?.servers.faults ?? [] };
  }

  private exchanged(): NodeExchange {
    if (this.exchange === undefined) throw new ClusterError('this node starts still');
    return this.exchange;
  }

  private demandJoined(): JoinedNode {
    if (this.joined === undefined) throw new ClusterError(this.problems().join('; '));
    return this.joined;
  }

  /** Uses a connection of its own: the node has none yet. */
  private async reseedMetaAlone(): Promise<ClusterRecord> {
    const { config, options, record } = this;
    const { number: node, shards, secret } = options;
    const connection = await connectNats(config.nats, `aorta ${config.node}`);
    try {
      const manager = await openManager(connection);
      const watch = { cluster: config.name, node, shards, silentMs: config.silentMs, secret };
      return await reseedMeta({ connection, manager, record }, watch);
    } finally {
      await connection.close();
    }
  }

  // --- joining

  /** From here on the threads know the servers' addresses, and may speak with them and the other nodes. */
  private async join(parts: ClusterParts): Promise<void> {
    const { options, table, config } = this;
    const { relays, known, log } = this.parts;
    this.login = new LoginWatch(config.nats, options.access.login, log);
    known.keep(parts.record);
    this.joined = new JoinedNode({ parts, config, options, table, known, log });
    this.lookup = new NatsLookup(options.access.addresses, config.nats.servers, log, relays?.ports);
    await this.lookup.look();
    this.orders.join();
    if (this.stores !== undefined) this.joined.serve(this.stores);
  }
}
