// A node's part of a cluster on the main thread: before the start it learns what the cluster is and whether this node may be one of it;
// then it answers what operators ask and carries out what they order. What happens to bindings is the threads'.

import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { createOrderMemory, OrderTable } from '../../cluster/order-table.ts';
import { createPeerCountsMemory, PeerCounts } from '../../cluster/peers/peer-counts.ts';
import { ShardTable } from '../../cluster/shard-table.ts';
import { streamName } from '../../cluster/stream-names.ts';
import type { ClusterOptions } from '../../threads/cluster/cluster-options.ts';
import type { Config } from '../config/config.ts';
import type { ClusterConfig } from '../config/sections/cluster-config.ts';
import { bindingsIn, type DataDirectory } from '../data/data-directory.ts';
import { openLifeNumbers } from '../data/life-numbers.ts';
import type { Log } from '../process/log.ts';
import { BeatWatch } from './beat-watch.ts';
import { ClusterError, clusterError } from './cluster-error.ts';
import { ClusterOrders } from './cluster-orders.ts';
import { type ClusterRecord, changeRecord, readRecord } from './cluster-record.ts';
import { type ClusterReading, type ClusterStatus, problemsOf, readingOf, statusOf } from './cluster-status.ts';
import { connectNats, readLogin } from './nats-client.ts';
import { NatsLookup } from './nats-lookup.ts';
import { checkServers } from './nats-servers.ts';
import { enrolled, identify } from './node-identity.ts';
import { policyDigest } from './policy-digest.ts';
import { checkStreams, patiently } from './streams.ts';

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

export class ClusterNode {
  readonly options: ClusterOptions;
  private readonly parts: ClusterParts;
  private readonly config: ClusterConfig;
  private readonly table: ShardTable;
  private readonly orderTable: OrderTable;
  private readonly peers: PeerCounts;
  private readonly lookup: NatsLookup;
  private readonly beats: BeatWatch;
  private readonly orders: ClusterOrders;
  private record: ClusterRecord;
  private leaders: (string | undefined)[] = [];
  private leadersAt = 0;
  private isConnected = true;

  private constructor(
    parts: ClusterParts,
    config: ClusterConfig,
    options: ClusterOptions,
    lookup: NatsLookup,
    beats: BeatWatch,
  ) {
    this.parts = parts;
    this.config = config;
    this.options = options;
    this.lookup = lookup;
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
    const record = await changeRecord(connection, manager, cluster.name, (found) => {
      if (found === undefined) throw new ClusterError(`cluster ${cluster.name} is gone`);
      return enrolled(found, cluster, { directory: identity, secret, now: new Date() });
    });
    const { number } = record.nodes[cluster.node];
    const { shards } = record;
    const beats = new BeatWatch(connection, {
      cluster: cluster.name,
      node: number,
      shards,
      silentMs: cluster.silentMs,
    });
    await delay(LISTEN_MS);
    if (beats.isAlive(number))
      throw new ClusterError(
        `node ${cluster.node} of cluster ${cluster.name} is running already: give this one a cluster.node and a data directory of its own`,
      );
    const lookup = new NatsLookup(cluster.nats.servers, log);
    await lookup.look();
    const options: ClusterOptions = {
      name: cluster.name,
      shards,
      node: cluster.node,
      number,
      life: openLifeNumbers(directory.path, log)(),
      listen: cluster.listen,
      access: {
        addresses: lookup.memory,
        login: readLogin(cluster.nats),
        node: cluster.node,
        inbox: `_INBOX.aorta-${cluster.node}-${randomBytes(6).toString('hex')}`,
      },
      table: new ShardTable(record.shards).memory,
      orders: createOrderMemory(record.shards),
      counts: createPeerCountsMemory(),
      secret,
      silentMs: cluster.silentMs,
      holdMs: cluster.holdMs,
      policyDigest: policyDigest(config),
    };
    return new ClusterNode({ ...parts, record }, cluster, options, lookup, beats);
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

  reading(): ClusterReading {
    const reading = readingOf(this.table, this.options.number, this.isConnected, this.beats.members.nodes(Date.now()));
    return { ...reading, peers: this.peers };
  }

  /** What speaks against sending requests here. */
  problems(): string[] {
    return problemsOf(this.reading());
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
    if (!draining) return;
    for (let shard = 0; shard < this.record.shards; shard++) {
      const heir = this.table.isOwner(shard) ? this.beats.members.heir(shard, Date.now()) : 0;
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
      const home = names.get(this.beats.members.home(shard, Date.now()));
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
      return { ...record, nodes };
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
    this.lookup.close();
    this.beats.close();
    await this.parts.connection.close();
  }

  /** Why a shard cannot be handed over from here. */
  private hand(shard: number, node: number): string | undefined {
    if (!(shard < this.record.shards) || !this.table.isOwner(shard)) return `shard ${shard} is not owned here`;
    const heard = this.beats.nodes().get(node);
    if (heard?.isAlive !== true) return `node ${node} is not heard of`;
    if (heard.beat.draining) return `node ${node} is draining`;
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
