// The pool of shards: opens the parts that they share (sockets, rings, bells, counters), starts their lives (shard-lives.ts), and stops all in
// order. It decides nothing about messages.

import type { FlowLiveness } from '../core/binding/live-flow.ts';
import type { LocationReader } from '../location/location-reader.ts';
import { BindingEvents } from '../shard/observe/binding-events.ts';
import { COUNTER } from '../shard/observe/counters.ts';
import type { ShardReading } from '../shard/observe/shard-reading.ts';
import { TapReader } from '../shard/observe/tap-reader.ts';
import { readTopSenders, type TopSenderLists } from '../shard/observe/top-senders-reader.ts';
import { ProcessClock, startClock } from '../shard/process-clock.ts';
import { ORDER_CRASH } from '../shard/rings/bell.ts';
import { ringCapacity, ringDepth } from '../shard/rings/ring.ts';
import type { ShardSettings } from '../shard/shard-settings.ts';
import { type FlowNumbers, unsavedNumbers } from '../transport/flow/flow-tokens.ts';
import type { FlowCounts } from '../transport/flow/flows.ts';
import { LiveFlows } from '../transport/flow/live-flows.ts';
import { DEFAULT_STREAM_POLICY, type StreamPolicy } from '../transport/flow/stream-policy.ts';
import type { ListenAddress } from '../transport/listener.ts';
import type { MulticastAddress } from '../transport/node/multicast.ts';
import { DEFAULT_WEBSOCKET_POLICY } from '../transport/websocket/websocket-policy.ts';
import type { OrderSource } from './admin-requests.ts';
import { CHECKPOINT_BYTES, Checkpoints } from './checkpoint/checkpoints.ts';
import type { ClusterMain } from './cluster/cluster-main.ts';
import type { EmbeddedPeer } from './embedded-peer.ts';
import { Orders } from './orders.ts';
import { type PoolOptions, storeOptions } from './pool-options.ts';
import { Readers } from './readers.ts';
import { RingDispatcher } from './ring-dispatcher.ts';
import { ShardLives } from './shard-lives.ts';
import { openSharedLocations, type SharedLocations } from './shared-location/shared-locations.ts';
import { chooseUdp, openSharedParts, ringsTo, type SharedParts } from './shared-parts.ts';
import { warnOfFewDescriptors, warnOfSmallBuffers } from './system-limits.ts';

const OPENING_MS = 100;
export interface Pool {
  /** The time that bindings live by. */
  readonly clock: ProcessClock;
  readonly udp: 'native' | 'dgram';
  readonly listeners: readonly ListenAddress[];
  /** The joined multicast group, with its real port. */
  readonly multicast: MulticastAddress | undefined;
  /** Counters of each shard, by COUNTER. */
  counters(): readonly Float64Array[];
  /** A shard's histograms, counters and rings as they are now; the reading does not involve the shard. */
  readings(): readonly ShardReading[];
  /** Shards that died and were started again. */
  readonly restarts: number;
  /** Liveness of connections. */
  readonly flows: FlowLiveness;
  /** Results of pings, by shard. */
  readonly pingResults: readonly SharedArrayBuffer[];
  /** Counts of connections by outcome. */
  readonly connections: Readonly<FlowCounts>;
  /** Listeners with TLS read their certificates again; open connections stay. */
  reload(): void;
  /** Other rules and limits of connections. Resolves when all running shards work by them; rejects with the objection of one. */
  configure(settings: ShardSettings, streams: StreamPolicy): Promise<void>;
  /** Readers of the shards' committed bindings for this thread, by shard. Throws where the shards keep them in their own memory. */
  openReaders(): LocationReader[];
  /** Has the owning shard decide about an operator's request; undefined where no answer came in time. */
  order(request: Uint8Array, source: OrderSource): Promise<Buffer | undefined>;
  /** The program around the server. */
  readonly program: EmbeddedPeer;
  /** Stops receiving, finishes the received messages, sends the answers, closes the stores. */
  stop(): Promise<void>;
  /** Reader of watched messages. */
  readonly tap: TapReader;
  /** Changes of bindings, for listeners. */
  readonly events: BindingEvents;
  /** The newest changes of bindings, by shard (shard/observe/history.ts); empty where none are kept. */
  readonly histories: readonly SharedArrayBuffer[];
  /** Orders to the shards that run. */
  readonly orders: Pick<Orders, 'ask'>;
  /** The top senders of the last seconds. */
  topSenders(max: number): TopSenderLists;
  /** Has a shard begin a new life with the store that is ready for it (location/files/ready-copy). */
  renew(shard: number): void;
  /** Makes a shard die as if by a fault, for tests. */
  crash(shard: number): void;
}

/** Starts the shards. Resolves when all serve; rejects with the error of the first that cannot, and then nothing stays open. */
export async function startPool(options: PoolOptions): Promise<Pool> {
  const native = chooseUdp(options.udp);
  if (typeof native === 'string') options.log('info', 'udp by node:dgram on the main thread', { reason: native });
  const { shards, listeners, inherited = [] } = options;
  const cluster = options.cluster && {
    ...(await import('./cluster/cluster-main.ts')),
    ...(await import('./cluster/cluster-parts.ts')),
  };
  if (typeof native === 'string' && inherited.some(({ kind }) => kind === 'udp'))
    throw new Error(`inherited UDP sockets need the native path: ${native}`);
  const parts = openSharedParts(typeof native === 'string' ? null : native, {
    shards,
    listeners,
    inherited,
    connections: (options.streams ?? DEFAULT_STREAM_POLICY).connectionsMax,
    historyBytes: options.policy.historyBytes,
    ...(cluster && { cluster: cluster.openClusterParts }),
  });
  warnOfSmallBuffers(options, parts);
  warnOfFewDescriptors(options);
  const pool = new RunningPool(
    options,
    parts,
    options.cluster && cluster && new cluster.ClusterMain(options.cluster, parts),
  );
  try {
    await pool.open();
  } catch (error) {
    await pool.stop();
    throw error;
  }
  return pool;
}

class RunningPool implements Pool {
  readonly udp: 'native' | 'dgram';
  listeners: readonly ListenAddress[];
  multicast: MulticastAddress | undefined;
  private readonly options: PoolOptions;
  readonly clock: ProcessClock;
  private readonly parts: SharedParts;
  readonly tap: TapReader;
  readonly events: BindingEvents;
  private readonly main: RingDispatcher;
  private readonly checkpoints: Checkpoints;
  private readonly shared: SharedLocations | undefined;
  readonly orders: Orders;
  private readonly readers = new Readers();
  private readonly lives: ShardLives;
  private stopped: Promise<void> | undefined;
  private readonly cluster: ClusterMain | undefined;
  private readonly numbers: FlowNumbers;

  constructor(options: PoolOptions, parts: SharedParts, cluster: ClusterMain | undefined) {
    this.options = options;
    this.cluster = cluster;
    this.numbers = options.flowNumbers ?? unsavedNumbers();
    this.parts = parts;
    this.clock = options.clock === undefined ? startClock() : new ProcessClock(options.clock);
    this.udp = parts.native === null ? 'dgram' : 'native';
    this.listeners = parts.listeners;
    this.main = new RingDispatcher(
      parts,
      {
        shards: options.shards,
        policy: options.streams ?? DEFAULT_STREAM_POLICY,
        messageBytesMax: options.policy.messageBytesMax,
        webSocket: options.webSocket ?? { policy: DEFAULT_WEBSOCKET_POLICY },
        ...(options.tls && { tls: options.tls }),
        ...(options.inherited && { inherited: options.inherited }),
        numbers: this.numbers,
        ...(cluster && { node: cluster.node }),
      },
      options.toProgram ?? (() => {}),
    );
    this.tap = new TapReader(parts.tapMemory, parts.taps);
    this.events = new BindingEvents(parts.events, parts.eventBellMemory, (error) =>
      options.log('error', 'a listener to binding events failed', { error: String(error) }),
    );
    this.orders = new Orders(settingsOf(options), parts.bells);
    this.checkpoints = new Checkpoints(options.checkpointBytes ?? CHECKPOINT_BYTES, options.log, parts.counters);
    this.shared = openSharedLocations(options);
    const { clock, main, events, orders: rules, readers, checkpoints, shared } = this;
    this.lives = new ShardLives({ options, parts, clock, main, events, rules, readers, checkpoints, shared });
  }

  async open(): Promise<void> {
    this.options.beforeServing?.((listener) => this.events.subscribe(listener));
    const { multicast, log } = this.options;
    this.listeners = await this.main.listen(this.parts.listeners, this.udp === 'dgram', log);
    if (multicast !== undefined) this.multicast = await this.main.join(multicast, log);
    await this.cluster?.start(this.numbers.first, this.clock.memory, log);
    const watch = setInterval(() => this.tellOpening(), OPENING_MS);
    try {
      await this.lives.open();
    } finally {
      clearInterval(watch);
    }
  }

  get restarts(): number {
    return this.lives.restarts;
  }

  private tellOpening(): void {
    this.options.opening?.(this.sum('opened'), this.sum('to_open'));
  }

  /** Sum of a counter over all shards' own counts. */
  private sum(name: keyof typeof COUNTER): number {
    return this.parts.counters.reduce((total, memory) => total + new Float64Array(memory)[COUNTER[name]], 0);
  }

  order(request: Uint8Array, source: OrderSource): Promise<Buffer | undefined> {
    return this.main.orders.ask(request, source);
  }

  get program(): EmbeddedPeer {
    return this.main.program;
  }

  get flows(): FlowLiveness {
    return this.cluster?.flows ?? new LiveFlows(this.parts.liveFlows);
  }

  get pingResults(): readonly SharedArrayBuffer[] {
    return this.parts.pingResults;
  }

  openReaders(): LocationReader[] {
    return Array.from({ length: this.options.shards }, (_, shard) => {
      if (storeOptions(this.options, shard).kind === 'memory')
        throw new Error('bindings in the memory of other threads cannot be read');
      return this.readers.of(shard);
    });
  }

  counters(): readonly Float64Array[] {
    return this.parts.counters.map((memory, shard) => this.main.merge(new Float64Array(memory), shard));
  }

  readings(): readonly ShardReading[] {
    const { parts, lives } = this;
    return this.counters().map((counters, shard) => {
      const rings = ringsTo(parts, shard);
      return {
        counters,
        measures: new Float64Array(parts.measures[shard]),
        ringBytes: rings.reduce((sum, memory) => sum + ringDepth(memory), 0),
        ringCapacity: rings.reduce((sum, memory) => sum + ringCapacity(memory), 0),
        open: lives.serving[shard] === true,
      };
    });
  }

  get connections(): Readonly<FlowCounts> {
    const { counts } = this.main.streams.flows;
    const skippedBytes = counts.skippedBytes + this.sum('skipped_bytes');
    const refusedDescriptors = counts.refusedDescriptors + this.sum('refused_connections');
    return { ...counts, pings: counts.pings + this.sum('pings'), skippedBytes, refusedDescriptors };
  }

  reload(): void {
    this.main.streams.reload();
  }

  configure(settings: ShardSettings, streams: StreamPolicy): Promise<void> {
    this.main.streams.configure(streams);
    this.shared?.configure(settings.policy);
    return this.orders.change(settings);
  }

  get histories(): readonly SharedArrayBuffer[] {
    return this.parts.histories;
  }

  topSenders(max: number): TopSenderLists {
    return readTopSenders(this.parts.topSenders, max, this.clock.now());
  }

  renew(shard: number): void {
    this.lives.renew(shard);
  }

  crash(shard: number): void {
    this.parts.bells[shard].give(ORDER_CRASH);
  }

  stop(): Promise<void> {
    this.stopped ??= this.shutDown();
    return this.stopped;
  }

  private async shutDown(): Promise<void> {
    this.main.pause();
    await this.lives.end();
    await this.cluster?.stop();
    await this.shared?.close();
    await this.checkpoints.close();
    await this.main.close();
    this.events.drain();
    await this.lives.close();
    this.readers.closeAll();
    this.parts.close();
  }
}

function settingsOf({ policy, auth, gate }: PoolOptions): ShardSettings {
  return {
    policy,
    ...(auth && { auth: { policy: auth.policy, generation: auth.nonceGeneration, realms: policy.domains } }),
    ...(gate && { gate }),
  };
}
