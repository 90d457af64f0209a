// The pool of shards: opens what they share (sockets, rings, bells, counters), starts one never-ending task for each,
// starts again what dies, and takes all down in order. Decides nothing about messages.

import { randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import { Piscina } from 'piscina';
import type { LocationReader } from '../location/location-reader.ts';
import { BindingEvents } from '../shard/observe/binding-events.ts';
import { COUNTER } from '../shard/observe/counters.ts';
import { type PastChange, readHistory } from '../shard/observe/history-reader.ts';
import type { ShardReading } from '../shard/observe/shard-reading.ts';
import { TapEnd } from '../shard/observe/tap-reader.ts';
import { readTalkers, type TopTalkers } from '../shard/observe/top-senders-reader.ts';
import { ProcessClock, startClock } from '../shard/process-clock.ts';
import { ORDER_CRASH, ORDER_DRAIN, ORDER_STOP } from '../shard/rings/bell.ts';
import { ringCapacity, ringDepth } from '../shard/rings/ring.ts';
import { ownerOf } from '../shard/shard-of.ts';
import type { ShardSettings } from '../shard/shard-settings.ts';
import { unsavedNumbers } from '../transport/flow/flow-tokens.ts';
import type { FlowCounts } from '../transport/flow/flows.ts';
import { LiveFlows } from '../transport/flow/live-flows.ts';
import { DEFAULT_STREAM_POLICY, type StreamPolicy } from '../transport/flow/stream-policy.ts';
import type { ListenAddress } from '../transport/listener.ts';
import type { MulticastAddress } from '../transport/node/multicast.ts';
import { DEFAULT_WEBSOCKET_POLICY } from '../transport/websocket/websocket-policy.ts';
import type { OrderSource } from './admin-requests.ts';
import { CHECKPOINT_BYTES, Checkpoints } from './checkpoint/checkpoints.ts';
import type { ProgramEnd } from './embedded-peer.ts';
import { createWaitingMemory, leaveWaitingRoom, type WaitingMessage } from './pending-credentials.ts';
import { type PoolOptions, storeOptions } from './pool-options.ts';
import { Readers } from './readers.ts';
import { Reconfiguration } from './reconfiguration.ts';
import { MainEnd } from './ring-dispatcher.ts';
import type { AuthTask, ShardNews, ShardTask } from './shard-thread.ts';
import { openSharedLocations, type SharedLocations } from './shared-location/shared-locations.ts';
import { chooseUdp, openSharedParts, type SharedParts } from './shared-parts.ts';
import { warnOfFewDescriptors, warnOfSmallBuffers } from './system-limits.ts';

const OPENING_MS = 100;
const RESTART_MS_FIRST = 50;
const RESTART_MS_MAX = 5000;
/** A shard that lived this long starts again at once. */
const RESTART_FORGOTTEN_MS = 60_000;

export interface Pool {
  /** The time that bindings live by. */
  readonly clock: ProcessClock;
  readonly udp: 'native' | 'dgram';
  readonly listeners: readonly ListenAddress[];
  /** The multicast group that was joined, with its real port. */
  readonly multicast: MulticastAddress | undefined;
  /** One array per shard, by COUNTER. */
  counters(): readonly Float64Array[];
  /** A shard's histograms, counters and rings as they are now; reading them asks nothing of the shard. */
  readings(): readonly ShardReading[];
  /** Shards that died and were started again. */
  readonly restarts: number;
  /** Which connections still stand. */
  readonly flows: LiveFlows;
  /** Connections, and what became of them. */
  readonly connections: Readonly<FlowCounts>;
  /** Listeners with TLS read their certificates anew; connections that there are go on. */
  reload(): void;
  /** Other rules and limits of connections; resolves when all shards that run work by them, rejects with what one has against them. */
  configure(settings: ShardSettings, streams: StreamPolicy): Promise<void>;
  /** Readers of the shards' committed bindings for this thread, by shard. Throws where the shards keep them in their own memory. */
  openReaders(): LocationReader[];
  /** Has the owning shard decide about an operator's request; undefined where no answer came in time. */
  order(request: Uint8Array, source: OrderSource): Promise<Buffer | undefined>;
  /** The program around us. */
  readonly program: ProgramEnd;
  /** Stops receiving, finishes what was received, sends the answers, closes the stores. */
  stop(): Promise<void>;
  /** What its messages are watched with. */
  readonly tap: TapEnd;
  /** What happens to bindings, for whoever listens. */
  readonly events: BindingEvents;
  /** The newest changes of the AOR of a key, newest first; empty where no history is kept. */
  history(key: Uint32Array, max: number): PastChange[];
  /** Who has sent most in the last seconds. */
  talkers(max: number): TopTalkers;
  /** Makes a shard die as by a fault, for the tests. */
  crash(shard: number): void;
}

/** Starts the shards; resolves when all of them serve, rejects with what kept the first from it, leaving nothing open. */
export async function startPool(options: PoolOptions): Promise<Pool> {
  const native = chooseUdp(options.udp);
  if (typeof native === 'string') options.log('info', 'udp by node:dgram on the main thread', { reason: native });
  const { shards, listeners, inherited = [] } = options;
  if (typeof native === 'string' && inherited.some(({ kind }) => kind === 'udp'))
    throw new Error(`inherited UDP sockets need the native path: ${native}`);
  const parts = openSharedParts(typeof native === 'string' ? null : native, {
    shards,
    listeners,
    inherited,
    connections: (options.streams ?? DEFAULT_STREAM_POLICY).connectionsMax,
    historyBytes: options.policy.historyBytes,
  });
  warnOfSmallBuffers(options, parts);
  warnOfFewDescriptors(options);
  const pool = new RunningPool(options, parts);
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
  restarts = 0;
  private readonly options: PoolOptions;
  readonly clock: ProcessClock;
  private readonly parts: SharedParts;
  readonly tap: TapEnd;
  readonly events: BindingEvents;
  private readonly main: MainEnd;
  private readonly checkpoints: Checkpoints;
  private readonly shared: SharedLocations | undefined;
  private readonly rules: Reconfiguration;
  private readonly piscina: Piscina;
  private readonly readers = new Readers();
  private readonly stopping = new AbortController();
  private readonly lives: Promise<void>[] = [];
  private stopped: Promise<void> | undefined;
  private readonly waiting: readonly SharedArrayBuffer[];
  private readonly serving: boolean[] = [];
  private readonly drained: (() => void)[] = [];

  constructor(options: PoolOptions, parts: SharedParts) {
    this.options = options;
    this.parts = parts;
    this.clock = options.clock === undefined ? startClock() : new ProcessClock(options.clock);
    this.udp = parts.native === null ? 'dgram' : 'native';
    this.listeners = parts.listeners;
    this.main = new MainEnd(
      parts,
      {
        shards: options.shards,
        policy: options.streams ?? DEFAULT_STREAM_POLICY,
        messageBytesMax: options.policy.messageBytesMax,
        webSocket: options.webSocket ?? { policy: DEFAULT_WEBSOCKET_POLICY },
        ...(options.tls && { tls: options.tls }),
        ...(options.inherited && { inherited: options.inherited }),
        numbers: options.flowNumbers ?? unsavedNumbers(),
      },
      options.toProgram ?? (() => {}),
    );
    this.tap = new TapEnd(parts.tapMemory, parts.taps);
    this.events = new BindingEvents(parts.events, parts.eventBellMemory, (error) =>
      options.log('error', 'a listener to binding events failed', { error: String(error) }),
    );
    this.waiting = Array.from({ length: options.shards }, createWaitingMemory);
    this.rules = new Reconfiguration(settingsOf(options), parts.bells);
    this.checkpoints = new Checkpoints(options.checkpointBytes ?? CHECKPOINT_BYTES, options.log, parts.counters);
    this.shared = openSharedLocations(options);
    this.piscina = new Piscina({
      filename: options.taskFile ?? taskFile(),
      name: 'runShardTask',
      minThreads: options.shards,
      maxThreads: options.shards,
      concurrentTasksPerWorker: 1,
      atomics: 'disabled',
      recordTiming: false,
    });
    this.piscina.on('error', (error: Error) => options.log('error', 'shard thread failed', { error: error.message }));
  }

  async open(): Promise<void> {
    this.options.beforeServing?.((listener) => this.events.subscribe(listener));
    const { multicast, log } = this.options;
    this.listeners = await this.main.listen(this.parts.listeners, this.udp === 'dgram', log);
    if (multicast !== undefined) this.multicast = await this.main.join(multicast, log);
    const watch = setInterval(() => this.tellOpening(), OPENING_MS);
    try {
      await Promise.all(
        Array.from({ length: this.options.shards }, (_, shard) => {
          return new Promise<void>((opened, failed) => {
            this.lives.push(this.live(shard, opened, failed));
          });
        }),
      );
    } finally {
      clearInterval(watch);
    }
  }

  private tellOpening(): void {
    this.options.opening?.(this.sum('opened'), this.sum('to_open'));
  }

  /** Of all shards' own counts. */
  private sum(name: keyof typeof COUNTER): number {
    return this.parts.counters.reduce((total, memory) => total + new Float64Array(memory)[COUNTER[name]], 0);
  }

  order(request: Uint8Array, source: OrderSource): Promise<Buffer | undefined> {
    return this.main.orders.ask(request, source);
  }

  get program(): ProgramEnd {
    return this.main.program;
  }

  get flows(): LiveFlows {
    return new LiveFlows(this.parts.liveFlows);
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
    const { parts, serving } = this;
    return this.counters().map((counters, shard) => ({
      counters,
      measures: new Float64Array(parts.measures[shard]),
      ringBytes: this.ringsTo(shard).reduce((sum, memory) => sum + ringDepth(memory), 0),
      ringCapacity: this.ringsTo(shard).reduce((sum, memory) => sum + ringCapacity(memory), 0),
      open: serving[shard] === true,
    }));
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
    return this.rules.change(settings);
  }

  history(key: Uint32Array, max: number): PastChange[] {
    const { histories } = this.parts;
    return histories.length === 0 ? [] : readHistory(histories[ownerOf(key[3], histories.length)], key, max);
  }

  talkers(max: number): TopTalkers {
    return readTalkers(this.parts.talkers, max, this.clock.now());
  }

  crash(shard: number): void {
    this.parts.bells[shard].give(ORDER_CRASH);
  }

  stop(): Promise<void> {
    this.stopped ??= this.takeDown();
    return this.stopped;
  }

  private async takeDown(): Promise<void> {
    this.stopping.abort();
    this.main.pause();
    // A message that one shard hands to another must find it: none returns while any still may.
    const drained = this.lives.map((life, shard) => {
      return Promise.race([life, new Promise<void>((resolve) => (this.drained[shard] = resolve))]);
    });
    for (const bell of this.parts.bells) bell.give(ORDER_DRAIN);
    await Promise.all(drained);
    for (const bell of this.parts.bells) bell.give(ORDER_STOP);
    await Promise.all(this.lives);
    await this.shared?.close();
    await this.checkpoints.close();
    await this.main.close();
    this.events.drain();
    await this.piscina.destroy();
    this.readers.closeAll();
    this.parts.close();
  }

  /** A shard from its first start to the stop, through every death. */
  private async live(shard: number, opened: () => void, failed: (error: unknown) => void): Promise<void> {
    let wait = RESTART_MS_FIRST;
    let first = true;
    while (!this.stopping.signal.aborted) {
      const startedAt = performance.now();
      let wasOpen = false;
      const error = await this.run(shard, () => {
        wasOpen = true;
        this.serving[shard] = true;
        if (first) opened();
        else this.options.log('info', 'shard started again', { shard });
      });
      this.serving[shard] = false;
      if (this.stopping.signal.aborted) return;
      if (first && !wasOpen) return failed(error);
      first = false;
      if (performance.now() - startedAt > RESTART_FORGOTTEN_MS) wait = RESTART_MS_FIRST;
      this.restarts++;
      this.main.streams.bury(shard);
      this.options.log('error', 'shard died', { shard, error: error.message, restart_ms: wait });
      await delay(wait, undefined, { signal: this.stopping.signal }).catch(() => {});
      wait = Math.min(wait * 2, RESTART_MS_MAX);
    }
  }

  /** One life; resolves with what ended it. */
  private async run(shard: number, opened: () => void): Promise<Error> {
    const { port1, port2 } = new MessageChannel();
    let reason: Error | undefined;
    const hear = (news: ShardNews) => {
      if (news.type === 'wake') this.main.wake();
      else if (news.type === 'events') this.events.wake();
      else if (news.type === 'wait') void this.letWait(shard, news.message);
      else if (news.type === 'drained') this.drained[shard]?.();
      else if (news.type === 'configured') this.rules.answered(shard, news.problem);
      else if (news.type === 'log') this.options.log(news.level, news.event, news.fields);
      else if (news.type === 'failed') reason = revive(news);
      else {
        this.options.log('info', 'shard open', { shard, ...news.report });
        if (news.table) this.readers.opened(shard, news.table);
        if (news.checkpoint) this.checkpoints.opened(shard, news.checkpoint);
        if (news.shared) this.shared?.opened(shard, news.shared);
        this.rules.opened(shard, port1);
        opened();
      }
    };
    port1.on('message', hear);
    let ended: unknown = new Error('the shard ended by itself');
    try {
      const task: ShardTask = { ...this.task(shard), port: port2 };
      await this.piscina.run(task, { transferList: [port2] });
    } catch (error) {
      ended = error;
    }
    // The task's end may overtake its last words, a wake among them, without which the bell would stay down.
    for (let last = receiveMessageOnPort(port1); last !== undefined; last = receiveMessageOnPort(port1)) {
      hear(last.message as ShardNews);
    }
    port1.close();
    this.checkpoints.ended(shard);
    if (!this.stopping.signal.aborted) this.shared?.ended(shard); // else it writes what is left first
    this.rules.ended(shard);
    // Piscina's copy of an error has lost its code.
    return reason ?? (ended instanceof Error ? ended : new Error(String(ended)));
  }

  /** Keeps a message until its user is known. Where that cannot be found out now, the client will repeat it. */
  private async letWait(shard: number, { user, realm, bytes, peers }: WaitingMessage): Promise<void> {
    const result = await this.options.auth?.ask(user, realm);
    leaveWaitingRoom(this.waiting[shard]);
    if (result === undefined || result === 'unavailable' || this.stopping.signal.aborted) return;
    this.main.again(shard, bytes, peers);
  }

  private authTask(shard: number): AuthTask | undefined {
    const { auth } = this.options;
    const rules = this.rules.current.auth;
    if (auth === undefined || rules === undefined) return undefined;
    return {
      ...rules,
      data: auth.data,
      ...(auth.providerState && { providerState: auth.providerState }),
      nonceStart: randomInt(2 ** 22),
      life: auth.nextLife(), // a shard that died has forgotten which nonces were used
      waiting: this.waiting[shard],
    };
  }

  /** The rings a shard reads: the main thread's first. */
  private ringsTo(shard: number): SharedArrayBuffer[] {
    return [this.parts.fromMain[shard], ...this.parts.between.flatMap((row) => row[shard] ?? [])];
  }

  private task(shard: number): Omit<ShardTask, 'port'> {
    const auth = this.authTask(shard);
    const { options, parts, rules } = this;
    return {
      index: shard,
      shards: options.shards,
      store: storeOptions(options, shard),
      policy: rules.current.policy,
      secret: options.secret,
      clock: this.clock.memory,
      counters: parts.counters[shard],
      measures: parts.measures[shard],
      bells: parts.bellMemories,
      bellFds: parts.bellFds,
      mainBell: parts.mainBellMemory,
      incoming: this.ringsTo(shard),
      outgoing: parts.between[shard],
      toMain: parts.toMain[shard],
      liveFlows: parts.liveFlows,
      flowRows: parts.flowRows,
      ...(parts.epolls.length > 0 && { epoll: parts.epolls[shard] }),
      framing: this.main.streams.framing,
      tapMemory: parts.tapMemory,
      tap: parts.taps[shard],
      history: parts.histories[shard],
      talkers: parts.talkers[shard],
      events: parts.events[shard],
      eventBell: parts.eventBellMemory,
      ...(options.dataDir !== undefined && { data: options.dataDir }),
      sockets: parts.sockets[shard],
      ...(this.shared && { changes: this.shared.memoryOf(shard) }),
      ...(auth && { auth }),
      ...(rules.current.gate && { gate: rules.current.gate }),
    };
  }
}

function settingsOf({ policy, auth, gate }: PoolOptions): ShardSettings {
  return {
    policy,
    ...(auth && { auth: { policy: auth.policy, generation: auth.nonceGeneration, realms: policy.domains } }),
    ...(gate && { gate }),
  };
}

function revive(news: Extract<ShardNews, { type: 'failed' }>): Error {
  const error: NodeJS.ErrnoException = new Error(news.message);
  error.name = news.name;
  if (news.code !== undefined) error.code = news.code;
  return error;
}

/** The compiled entry: threads load no TypeScript, so a pool running from src looks beside it in dist. */
function taskFile(): string {
  const here = fileURLToPath(new URL('./shard-task.js', import.meta.url));
  if (!import.meta.url.endsWith('.ts')) return here;
  return fileURLToPath(new URL('../../dist/threads/shard-task.js', import.meta.url));
}
