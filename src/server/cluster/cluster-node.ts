// A node's part of a cluster on the main thread: before the start it learns what the cluster is and whether this node may be one of it;
// then it answers what operators ask and carries out what they order. What happens to bindings is the threads'.

import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Beat } from '../../cluster/beat.ts';
import { createOrderMemory, OrderTable } from '../../cluster/order-table.ts';
import { createPeerCountsMemory, PeerCounts } from '../../cluster/peers/peer-counts.ts';
import { isOwner, ROLE_BROKEN, ROLE_FOLLOWING } from '../../cluster/roles.ts';
import { ShardTable } from '../../cluster/shard-table.ts';
import { streamName } from '../../cluster/stream-names.ts';
import type { ClusterOptions } from '../../threads/cluster/cluster-options.ts';
import { monotonicMs } from '../../transport/monotonic.ts';
import type { UserStore } from '../../users/user-store.ts';
import type { Config } from '../config/config.ts';
import { type ClusterConfig, parsePeer } from '../config/sections/cluster-config.ts';
import { bindingsIn, type DataDirectory } from '../data/data-directory.ts';
import { openLifeNumbers } from '../data/life-numbers.ts';
import type { Log } from '../process/log.ts';
import { BeatWatch } from './beat-watch.ts';
import { ClusterError, clusterError } from './cluster-error.ts';
import { ClusterOrders } from './cluster-orders.ts';
import { type ClusterRecord, changeRecord, readRecord } from './cluster-record.ts';
import { type ClusterReading, type ClusterStatus, lagMs, problemsOf, readingOf, statusOf } from './cluster-status.ts';
import type { NodePlace } from './exchange/exchange-client.ts';
import { exchangePort, NodeExchange, type NodeExchangeOptions } from './exchange/node-exchange.ts';
import type { CopyReport } from './exchange/shard-copies.ts';
import type { ShardComparison } from './exchange/verify.ts';
import { connectNats, readLogin } from './nats/nats-client.ts';
import { NatsLookup } from './nats/nats-lookup.ts';
import { checkServers } from './nats/nats-servers.ts';
import { checkStreams, patiently, remakeStream, streamInfo } from './nats/streams.ts';
import { TlsRelays } from './nats/tls-relays.ts';
import { enrolled, identify } from './node-identity.ts';
import { policyDigest } from './policy-digest.ts';
import { MetaSync } from './shared/meta-sync.ts';
import { SharedStatics } from './shared/shared-statics.ts';

/** A node beats four times a second: one of the same name would have been heard after this time. */
const LISTEN_MS = 600;
const LEADERS_MS = 5000;
/** So long a start waits for streams without a leader, as after a start of all servers. */
const PATIENCE_MS = 30_000;
/** So long who asks for the status waits for what NATS says of it. */
const STATUS_MS = 1000;
const MOVE_MS = 10_000;
const MOVE_LOOK_MS = 50;
const HAND_OVER_MS = 3000;
const DRAIN_MS = 200;

export interface ClusterParts {
  readonly connection: NatsConnection;
  readonly manager: JetStreamManager;
  readonly record: ClusterRecord;
}

/** Looks at servers, streams and the record, before anything of this node is opened. Throws a ClusterError. */
export async function meetCluster(config: Config & { cluster: ClusterConfig }, log: Log): Promise<ClusterParts> {
  const { name, node, nats } = config.cluster;
  await checkServers(nats, log);
  const connection = await connectNats(nats, `aorta ${node}`);
  try {
    const manager = await patiently(() => jetstreamManager(connection), PATIENCE_MS);
    const record = (await readRecord(manager, name, PATIENCE_MS))?.record;
    if (record === undefined)
      throw new ClusterError(`there is no cluster ${name} on these NATS servers: make it with "aorta cluster init"`);
    demandDirectory(config, record);
    await checkStreams(manager, name, record.shards, PATIENCE_MS);
    return { connection, manager, record };
  } catch (error) {
    await connection.close();
    throw clusterError(`cluster ${name}`, error);
  }
}

/** The directory must have been made for the cluster: it has its secret, and as many shards. */
function demandDirectory(
  { data, shards, cluster: { name } }: Config & { cluster: ClusterConfig },
  record: ClusterRecord,
) {
  const there = existsSync(data) ? bindingsIn(data) : undefined;
  if (there === undefined)
    throw new ClusterError(
      `${data} is no data directory of cluster ${name} yet: make it with "aorta cluster join --token FILE" and the ` +
        'token of "aorta cluster init"',
    );
  const wanted = shards ?? there.shards;
  if (there.shards !== record.shards || wanted !== record.shards)
    throw new ClusterError(
      `cluster ${name} has ${record.shards} shards, ${data} has ${there.shards}` +
        `${shards === undefined ? '' : `, shards says ${shards}`}: the number of a cluster never changes`,
    );
}

/** Throws a ClusterError where a copy of this directory is heard of. Before anything is told of this start, which would count as the newer one. */
async function demandAlone(
  { connection, record }: ClusterParts,
  { name, node, silentMs }: ClusterConfig,
  identity: string,
  secret: Uint8Array,
): Promise<void> {
  const { number, directory } = record.nodes[node] ?? {};
  if (number === undefined || directory !== identity) return; // it is refused for that, or new
  const beats = new BeatWatch(connection, { cluster: name, node: number, shards: record.shards, silentMs, secret });
  try {
    await delay(LISTEN_MS);
    if (beats.isAlive(number))
      throw new ClusterError(
        `node ${node} of cluster ${name} is running already: give this one a cluster.node and a data directory of its own`,
      );
  } finally {
    beats.close();
  }
}

export class ClusterNode {
  readonly options: ClusterOptions;
  private readonly parts: ClusterParts;
  private readonly config: ClusterConfig;
  private readonly table: ShardTable;
  private readonly orderTable: OrderTable;
  private readonly peers: PeerCounts;
  private readonly lookup: NatsLookup;
  private readonly relays: TlsRelays | undefined;
  private readonly beats: BeatWatch;
  private readonly orders: ClusterOrders;
  private record: ClusterRecord;
  private leaders: (string | undefined)[] = [];
  private leadersAt = 0;
  private isConnected = true;
  private drainTimer: NodeJS.Timeout | undefined;
  private exchange: NodeExchange | undefined;
  private meta: MetaSync | undefined;

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
    this.beats = beats;
    this.record = parts.record;
    this.table = new ShardTable(parts.record.shards, options.table);
    this.orderTable = new OrderTable(options.orders);
    this.peers = new PeerCounts(options.counts);
    this.orders = new ClusterOrders({
      connection: parts.connection,
      cluster: config.name,
      node: config.node,
      secret: options.secret,
      hand: (shard, node) => this.hand(shard, node),
    });
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
    await Promise.race([this.refresh(), delay(STATUS_MS)]);
    return statusOf({
      cluster: this.config.name,
      node: this.config.node,
      connected: this.isConnected,
      record: this.record,
      heard: this.beats.nodes(),
      table: this.table,
      policyDigest: this.options.policyDigest,
      leaders: this.leaders,
    });
  }

  /** Once the shards are open: gives copies of them to other nodes, and has those that this node needs. Throws a ClusterError. */
  async serve(parts: Pick<NodeExchangeOptions, 'stores' | 'readers' | 'renew' | 'log'>): Promise<void> {
    const { config, options, table } = this;
    this.exchange = await NodeExchange.open({
      ...parts,
      ...{ cluster: config.name, node: config.node, listen: config.listen, secret: options.secret, table },
      sources: (shard) => this.sources(shard),
      others: () => this.others().map(({ place }) => place),
    });
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
    if (shard >= this.record.shards) throw new ClusterError(`there are shards 0 to ${this.record.shards - 1}`);
    await this.refresh();
    return this.exchanged().reseed(shard);
  }

  /**
   * Makes the stream of a shard anew behind what the node with most of it has, where it is gone, has lost something or holds what must not be
   * followed. Resolves with the sequence. Throws a ClusterError where nothing is wrong with it, or a node is missing that may have more.
   */
  async remakeStream(shard: number): Promise<number> {
    await this.refresh();
    const { record, parts, config, table } = this;
    if (shard >= record.shards) throw new ClusterError(`there are shards 0 to ${record.shards - 1}`);
    const others = this.others();
    const missing = Object.keys(record.nodes).filter(
      (name) => name !== config.node && !others.some(({ place }) => place.name === name),
    );
    if (missing.length > 0)
      throw new ClusterError(
        `what ${missing.join(' and ')} ${missing.length > 1 ? 'have' : 'has'} is not known: start it first, or let it leave`,
      );
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
    await this.refresh();
    return this.exchanged().verify();
  }

  reading(): ClusterReading {
    const reading = readingOf(
      this.table,
      this.options.number,
      this.isConnected,
      this.beats.members.nodes(monotonicMs()),
    );
    return { ...reading, peers: this.peers };
  }

  /** How old what this node has of a shard may be. */
  readonly lagMs = (shard: number): number => lagMs(this.table, shard);

  /** What speaks against sending requests here. */
  problems(): string[] {
    return problemsOf(this.reading());
  }

  /** Whether this node decides about a shard. */
  isOwner(shard: number): boolean {
    return this.table.isOwner(shard);
  }

  /** Has a shard come here. Throws a ClusterError where it does not. */
  async take(shard: number): Promise<void> {
    const owner = this.table.owner(shard);
    await this.move(shard, this.config.node);
    if (owner !== this.options.number) await this.whenMoved(shard, owner);
  }

  /** Owns nothing more from here on, or may again. */
  drain(draining: boolean): void {
    this.orderTable.setDraining(draining);
    clearInterval(this.drainTimer);
    if (!draining) return;
    this.handAll();
    // A shard may have nobody to go to now, and come here by an order that was on its way.
    this.drainTimer = setInterval(() => this.handAll(), DRAIN_MS);
    this.drainTimer.unref();
  }

  private handAll(): void {
    for (let shard = 0; shard < this.record.shards; shard++) {
      const heir = this.table.isOwner(shard) ? this.beats.members.heir(shard, monotonicMs()) : 0;
      if (heir > 0) this.orderTable.setHandTo(shard, heir);
    }
  }

  /** Has the owner of a shard hand it to a node. Throws a ClusterError where that cannot be. */
  async move(shard: number, to: string): Promise<void> {
    await this.refresh();
    const { nodes, shards } = this.record;
    if (shard >= shards) throw new ClusterError(`there are shards 0 to ${shards - 1}`);
    const { number } = nodes[to] ?? {};
    if (number === undefined) throw new ClusterError(`there is no node ${to}`);
    const owner = this.table.owner(shard);
    if (owner === number) return;
    const [name] = Object.entries(nodes).find(([, node]) => node.number === owner) ?? [];
    if (name === undefined) throw new ClusterError(`shard ${shard} has no owner: the next in line claims it by itself`);
    if (name === this.config.node) {
      const problem = this.hand(shard, number);
      if (problem !== undefined) throw new ClusterError(problem);
    } else await this.orders.send(name, shard, number);
  }

  /** Has each shard go to the node that is its home while all live, one after the other; resolves with how many went. */
  async balance(): Promise<number> {
    await this.refresh();
    const names = new Map(Object.entries(this.record.nodes).map(([name, { number }]) => [number, name]));
    let moved = 0;
    for (let shard = 0; shard < this.record.shards; shard++) {
      const home = names.get(this.beats.members.home(shard, monotonicMs()));
      const owner = this.table.owner(shard);
      if (home === undefined || names.get(owner) === home || !names.has(owner)) continue;
      await this.move(shard, home);
      await this.whenMoved(shard, owner);
      moved++;
    }
    return moved;
  }

  /** Until the connection is closed. */
  private async watchConnection(): Promise<void> {
    for await (const { type } of this.parts.connection.status()) {
      if (type === 'disconnect' || type === 'staleConnection') this.isConnected = false;
      else if (type === 'reconnect') this.isConnected = true;
    }
  }

  private async whenMoved(shard: number, from: number): Promise<void> {
    for (let waited = 0; this.table.owner(shard) === from; waited += MOVE_LOOK_MS) {
      if (waited >= MOVE_MS) throw new ClusterError(`shard ${shard} has not gone over within ${MOVE_MS / 1000} s`);
      await delay(MOVE_LOOK_MS);
    }
  }

  /** Forgets a node that is gone for good: its number and its name are free. Throws a ClusterError where it lives. */
  async remove(name: string): Promise<void> {
    const { connection, manager } = this.parts;
    this.record = await changeRecord(connection, manager, this.config.name, (record) => {
      const node = record?.nodes[name];
      if (record === undefined || node === undefined) throw new ClusterError(`there is no node ${name}`);
      if (this.beats.isAlive(node.number))
        throw new ClusterError(`node ${name} is running: drain it and stop it first`);
      const { [name]: _, ...nodes } = record.nodes;
      return { ...record, last: Math.max(record.last ?? 0, node.number), nodes };
    });
  }

  /** Before a stop: its shards go to others, where there are any; waits a little for that. */
  async handOver(): Promise<void> {
    this.drain(true);
    const owns = () => Array.from({ length: this.record.shards }, (_, shard) => shard).some((s) => this.mayHandOver(s));
    for (let waited = 0; waited < HAND_OVER_MS && owns(); waited += MOVE_LOOK_MS) await delay(MOVE_LOOK_MS);
  }

  private mayHandOver(shard: number): boolean {
    return this.table.isOwner(shard) && this.orderTable.handTo(shard, true) > 0;
  }

  async close(): Promise<void> {
    clearInterval(this.drainTimer);
    await this.exchange?.close();
    await this.meta?.close();
    this.lookup.close();
    await this.relays?.close();
    this.beats.close();
    await this.parts.connection.close();
  }

  private exchanged(): NodeExchange {
    if (this.exchange === undefined) throw new ClusterError('this node starts still');
    return this.exchange;
  }

  /** Nodes that are heard of, besides this one, with their addresses for exchanges. */
  private others(): { readonly place: NodePlace; readonly beat: Beat }[] {
    const heard = this.beats.nodes();
    return Object.entries(this.record.nodes).flatMap(([name, { number, listen }]) => {
      const view = heard.get(number);
      if (number === this.options.number || view?.isAlive !== true) return [];
      const { host, port } = parsePeer(listen);
      return [{ place: { name, host, port: exchangePort({ port }) }, beat: view.beat }];
    });
  }

  /** Those that follow the shard first: its owner has more to do. */
  private sources(shard: number): NodePlace[] {
    void this.refresh();
    const able = this.others().filter(({ beat }) => {
      const { role = 0, applied = -1 } = beat.shards[shard] ?? {};
      return applied >= 0 && (role === ROLE_FOLLOWING || isOwner(role));
    });
    const isBusy = ({ beat }: (typeof able)[number]) => (isOwner(beat.shards[shard].role) ? 1 : 0);
    return able.sort((a, b) => isBusy(a) - isBusy(b)).map(({ place }) => place);
  }

  /** Why a shard cannot be handed over from here. */
  private hand(shard: number, node: number): string | undefined {
    if (!(shard < this.record.shards) || !this.table.isOwner(shard)) return `shard ${shard} is not owned here`;
    const heard = this.beats.nodes().get(node);
    if (heard?.isAlive !== true) return `node ${node} is not heard of`;
    if (heard.beat.draining) return `node ${node} is draining`;
    if (!this.beats.members.isReady(node, shard, monotonicMs()))
      return `node ${node} cannot own shard ${shard} now: it does not follow it, or its clock is wrong`;
    this.orderTable.setHandTo(shard, node);
    return undefined;
  }

  /** The record, and who leads the streams: asked now and then. */
  private async refresh(): Promise<void> {
    const { manager } = this.parts;
    try {
      this.record = (await readRecord(manager, this.config.name))?.record ?? this.record;
      if (Date.now() - this.leadersAt < LEADERS_MS) return;
      this.leadersAt = Date.now();
      const names = Array.from({ length: this.record.shards }, (_, shard) => streamName(this.config.name, shard));
      const infos = await Promise.allSettled(names.map((name) => manager.streams.info(name)));
      this.leaders = infos.map((info) => (info.status === 'fulfilled' ? info.value.cluster?.leader : undefined));
    } catch {
      // what was known last is shown
    }
  }
}
