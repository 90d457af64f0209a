// The lives of the shards: each is a never-ending task in a thread, restarted when it dies, until the stop. The news of a living
// shard is handled here.

import { randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import { Piscina } from 'piscina';
import type { BindingEvents } from '../shard/observe/binding-events.ts';
import type { ProcessClock } from '../shard/process-clock.ts';
import { ORDER_ANEW, ORDER_DRAIN, ORDER_STOP } from '../shard/rings/bell.ts';
import type { Checkpoints } from './checkpoint/checkpoints.ts';
import type { Orders } from './orders.ts';
import { type PoolOptions, pingOptions, storeOptions, subscriptionTask } from './pool-options.ts';
import type { Readers } from './readers.ts';
import type { RingDispatcher } from './ring-dispatcher.ts';
import type { AuthTask, ShardNews, ShardTask } from './shard-messages.ts';
import type { SharedLocations } from './shared-location/shared-locations.ts';
import { ringsTo, type SharedParts } from './shared-parts.ts';
import { taskFile } from './tasks/task-file.ts';
import { createWaitingMemory, endWaiting, type WaitingMessage } from './waiting/pending-credentials.ts';
import type { WaitingLookup } from './waiting/pending-lookups.ts';

/**
 * Size of the young generation of a shard's thread, MB. The thread makes little garbage; a rehearsal would enlarge it for good, by 8
 * MB.
 */
const YOUNG_MB = 12;
/** The same for a node of a cluster, which has a thread for each shard of the cluster. */
const YOUNG_MB_CLUSTER = 6;
const RESTART_MS_FIRST = 50;
const RESTART_MS_MAX = 5000;
/** Bits for a life of a cluster's shard. The node's number is above them, and above that the bit of lives numbered by claims. */
const LIFE_BITS = 23;
/** A shard that lived this long restarts at once. */
const RESTART_FORGOTTEN_MS = 60_000;

/** The listeners to shards' lives, and the parts of each life. */
export interface LivesParts {
  readonly options: PoolOptions;
  readonly parts: SharedParts;
  readonly clock: ProcessClock;
  readonly main: RingDispatcher;
  readonly events: BindingEvents;
  readonly rules: Orders;
  readonly readers: Readers;
  readonly checkpoints: Checkpoints;
  readonly shared: SharedLocations | undefined;
}

export class ShardLives {
  /** Shards that died and were restarted. */
  restarts = 0;
  /** By shard: whether it is open. */
  readonly serving: boolean[] = [];
  private readonly parts: LivesParts;
  private readonly piscina: Piscina;
  private readonly stopping = new AbortController();
  private readonly lives: Promise<void>[] = [];
  private readonly waiting: readonly SharedArrayBuffer[];
  /** By shard: how many lookups wait for devices to wake. */
  private readonly waitingLookups: readonly SharedArrayBuffer[];
  private readonly drained: (() => void)[] = [];
  /** Shards that were told to begin anew. */
  private readonly renewed = new Set<number>();

  constructor(parts: LivesParts) {
    const { options } = parts;
    this.parts = parts;
    this.waiting = Array.from({ length: options.shards }, createWaitingMemory);
    this.waitingLookups = Array.from({ length: options.shards }, createWaitingMemory);
    this.piscina = new Piscina({
      filename: options.taskFile ?? taskFile(options.cluster === undefined ? 'shard-task' : 'cluster-shard-task'),
      name: 'runShardTask',
      minThreads: options.shards,
      maxThreads: options.shards,
      concurrentTasksPerWorker: 1,
      atomics: 'disabled',
      resourceLimits: { maxYoungGenerationSizeMb: options.cluster === undefined ? YOUNG_MB : YOUNG_MB_CLUSTER },
      recordTiming: false,
    });
    this.piscina.on('error', (error: Error) => options.log('error', 'shard thread failed', { error: error.message }));
  }

  /** Resolves when all shards serve; rejects with the error of the first that cannot. */
  async open(): Promise<void> {
    const { length } = this.waiting;
    const opening = Array.from({ length }, (_, shard) => {
      return new Promise<void>((opened, failed) => {
        this.lives.push(this.live(shard, opened, failed));
      });
    });
    await Promise.all(opening);
  }

  /** Has a shard begin a new life with the store that is ready for it. */
  renew(shard: number): void {
    this.renewed.add(shard);
    this.parts.parts.bells[shard].offer(ORDER_ANEW);
  }

  /** Has the shards finish their received messages; resolves when the last has closed its store. */
  async end(): Promise<void> {
    const { bells } = this.parts.parts;
    this.stopping.abort();
    // A shard must find each message handed to it by another: no shard returns while any may still hand one on.
    const drained = this.lives.map((life, shard) => {
      return Promise.race([life, new Promise<void>((resolve) => (this.drained[shard] = resolve))]);
    });
    for (const bell of bells) bell.give(ORDER_DRAIN);
    await Promise.all(drained);
    for (const bell of bells) bell.give(ORDER_STOP);
    await Promise.all(this.lives);
  }

  /** Ends the threads. */
  async close(): Promise<void> {
    await this.piscina.destroy();
  }

  /** A shard from its first start to the stop, through all its deaths. */
  private async live(shard: number, opened: () => void, failed: (error: unknown) => void): Promise<void> {
    const { options, main } = this.parts;
    let wait = RESTART_MS_FIRST;
    let first = true;
    while (!this.stopping.signal.aborted) {
      const startedAt = performance.now();
      let wasOpen = false;
      const error = await this.run(shard, () => {
        wasOpen = true;
        this.serving[shard] = true;
        if (first) opened();
        else options.log('info', 'shard started again', { shard });
      });
      this.serving[shard] = false;
      if (this.stopping.signal.aborted) return;
      if (first && !wasOpen) return failed(error);
      first = false;
      if (this.renewed.delete(shard)) {
        main.streams.bury(shard);
        continue;
      }
      if (performance.now() - startedAt > RESTART_FORGOTTEN_MS) wait = RESTART_MS_FIRST;
      this.restarts++;
      main.streams.bury(shard);
      options.log('error', 'shard died', { shard, error: error.message, restart_ms: wait });
      await delay(wait, undefined, { signal: this.stopping.signal }).catch(() => {});
      wait = Math.min(wait * 2, RESTART_MS_MAX);
    }
  }

  /** Runs one life; resolves with the error that ended it. */
  private async run(shard: number, opened: () => void): Promise<Error> {
    const { options, main, events, rules, readers, checkpoints, shared } = this.parts;
    const { port1, port2 } = new MessageChannel();
    let reason: Error | undefined;
    const hear = (news: ShardNews) => {
      if (news.type === 'wake') main.wake();
      else if (news.type === 'events') events.wake();
      else if (news.type === 'wait') void this.letWait(shard, news.message);
      else if (news.type === 'asleep') void this.letSleepersWake(shard, news.lookup);
      else if (news.type === 'drained') this.drained[shard]?.();
      else if (news.type === 'followed') rules.answered(shard, news.answer);
      else if (news.type === 'log') options.log(news.level, news.event, news.fields);
      else if (news.type === 'failed') reason = revive(news);
      else {
        options.log('info', 'shard open', { shard, ...news.report });
        if (news.table) readers.opened(shard, news.table);
        if (news.checkpoint) checkpoints.opened(shard, news.checkpoint);
        if (news.shared) shared?.opened(shard, news.shared);
        rules.opened(shard, port1);
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
    // The task may have ended before its last messages are heard. One may be a wake, without which the bell would stay down.
    for (let last = receiveMessageOnPort(port1); last !== undefined; last = receiveMessageOnPort(port1)) {
      hear(last.message as ShardNews);
    }
    port1.close();
    checkpoints.ended(shard);
    if (!this.stopping.signal.aborted) shared?.ended(shard); // else it writes the rest first
    rules.ended(shard);
    // Piscina's copy of an error has lost its code.
    return reason ?? (ended instanceof Error ? ended : new Error(String(ended)));
  }

  /** Keeps a message until its user is known. Where the user cannot be looked up now, the answer is 503. */
  private async letWait(shard: number, { user, realm, token, bytes, peers }: WaitingMessage): Promise<void> {
    const result = await this.parts.options.auth?.ask(user, realm, token);
    endWaiting(this.waiting[shard]);
    if (result === undefined || this.stopping.signal.aborted) return;
    this.parts.main.again(shard, bytes, peers, result === 'unavailable');
  }

  /** Keeps a lookup until its devices have woken, or their time is over. */
  private async letSleepersWake(shard: number, lookup: WaitingLookup): Promise<void> {
    const isLast = await this.parts.options.wake?.(lookup);
    endWaiting(this.waitingLookups[shard]);
    if (isLast === true && !this.stopping.signal.aborted) this.parts.main.hasWaited(shard, lookup.bytes, lookup.peers);
  }

  private authTask(shard: number): AuthTask | undefined {
    const { auth } = this.parts.options;
    const rules = this.parts.rules.current.auth;
    if (auth === undefined || rules === undefined) return undefined;
    return {
      ...rules,
      data: auth.data,
      ...(auth.providerState && { providerState: auth.providerState }),
      ...(auth.tokens && { tokens: auth.tokens }),
      nonceStart: randomInt(2 ** 22),
      life: lifeOf(auth.nextLife(), this.parts.options.cluster?.number), // a restarted shard has forgotten which nonces were used
      waiting: this.waiting[shard],
    };
  }

  private task(shard: number): Omit<ShardTask, 'port'> {
    const auth = this.authTask(shard);
    const { options, parts, clock, main, rules, shared } = this.parts;
    return {
      index: shard,
      shards: options.shards,
      store: storeOptions(options, shard),
      policy: rules.current.policy,
      secret: options.secret,
      clock: clock.memory,
      counters: parts.counters[shard],
      measures: parts.measures[shard],
      bells: parts.bellMemories,
      bellFds: parts.bellFds,
      mainBell: parts.mainBellMemory,
      incoming: ringsTo(parts, shard),
      outgoing: parts.between[shard],
      toMain: parts.toMain[shard],
      liveFlows: parts.liveFlows,
      flowRows: parts.flowRows,
      ...(parts.epolls.length > 0 && { epoll: parts.epolls[shard] }),
      framing: main.streams.framing,
      tapMemory: parts.tapMemory,
      tap: parts.taps[shard],
      history: parts.histories[shard],
      topSenders: parts.topSenders[shard],
      events: parts.events[shard],
      eventBell: parts.eventBellMemory,
      ...(options.dataDir !== undefined && { data: options.dataDir }),
      sockets: parts.sockets[shard],
      ...(options.cluster && { cluster: options.cluster }),
      ...(options.feed && { feed: options.feed(shard) }),
      pings: pingOptions(parts, parts.sockets[shard].length === 0),
      ...(rules.current.policy.subscriptions.enabled && {
        subscriptions: subscriptionTask(options, parts.listeners, shard, parts.sockets[shard].length === 0),
      }),
      ...(parts.cluster && { clusterParts: parts.cluster }),
      ...(shared && { changes: shared.memoryOf(shard) }),
      ...(auth && { auth }),
      ...(options.wake && { waitingLookups: this.waitingLookups[shard] }),
      ...(rules.current.gate && { gate: rules.current.gate }),
    };
  }
}

/** The number of a life; each node of a cluster counts its own. */
function lifeOf(life: number, node = 0): number {
  return node === 0 ? life : ((node << LIFE_BITS) | (life & (2 ** LIFE_BITS - 1))) >>> 0;
}

function revive(news: Extract<ShardNews, { type: 'failed' }>): Error {
  const error: NodeJS.ErrnoException = new Error(news.message);
  error.name = news.name;
  if (news.code !== undefined) error.code = news.code;
  return error;
}
