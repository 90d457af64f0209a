// A registrar in the caller's own thread: one shard, driven by a program's messages and by its event loop. One turn of the loop is one batch:
// one commit, then the answers. It is for programs that own their sockets and want no threads.

import type { FlowLiveness } from '../../core/binding/live-flow.ts';
import type { Policy } from '../../core/uas/policy.ts';
import type { LocationReader } from '../../location/location-reader.ts';
import type { LocationStore } from '../../location/location-store.ts';
import { LogFiles } from '../../location/log/log-files.ts';
import { LogReader } from '../../location/log/log-reader.ts';
import { MemoryStore } from '../../location/memory-store.ts';
import { openLogStore } from '../../location/open-log-store.ts';
import type { TableNews } from '../../location/table/binding-table.ts';
import type { ShardAuth } from '../../shard/admission.ts';
import { BatchDriver } from '../../shard/batch.ts';
import type { FeedOptions, FeedWriter } from '../../shard/feed/feed-writer.ts';
import { openFeed } from '../../shard/feed/open-feed.ts';
import type { GateOptions } from '../../shard/gate.ts';
import { BindingEvents } from '../../shard/observe/binding-events.ts';
import { COUNTER, COUNTER_NAMES } from '../../shard/observe/counters.ts';
import { createEventMemory, EventWriter } from '../../shard/observe/event-ring.ts';
import { Measures } from '../../shard/observe/measures.ts';
import type { ProcessClock } from '../../shard/process-clock.ts';
import { Bell, createBellMemory } from '../../shard/rings/bell.ts';
import { Shard } from '../../shard/shard.ts';
import type { ShardLog, ShardOptions } from '../../shard/shard-options.ts';
import type { StaticTable } from '../../shard/statics/static-table.ts';
import type { SubscriptionOptions } from '../../shard/subscriptions/subscription-options.ts';
import { MESSAGE_BYTES_MAX, SLOT_COUNT, slab, slotStart } from '../../sip/parser/slab.ts';
import { createPeers, LISTENER_ADMIN, type Peers } from '../../sip/sources.ts';
import { AdminRequests, type OrderSource } from '../../threads/admin-requests.ts';
import type { WaitingMessage } from '../../threads/waiting/pending-credentials.ts';
import { LoopBacklog } from './loop-backlog.ts';
import { type MessageSource, readPeer, type SendAnswer, writePeer } from './message-source.ts';

/** Slot 0 belongs to the public parser: a program may be reading it. */
const FIRST_SLOT = 1;
const SLEEP_MS_MAX = 60_000;

export interface InlineOptions {
  readonly policy: Policy;
  /** 32 bytes. */
  readonly secret: Uint8Array;
  /** The time that bindings live by. */
  readonly clock: ProcessClock;
  /** Absent: bindings in memory. */
  readonly disk?: {
    readonly directory: string;
    readonly durability: 'durable' | 'process';
    readonly generationBytes: number;
  };
  readonly auth?: ShardAuth;
  readonly gate: GateOptions;
  readonly flows: FlowLiveness;
  readonly statics: StaticTable;
  readonly feed?: FeedOptions;
  /** Present where registrations may be watched. */
  readonly subscriptions?: SubscriptionOptions;
  /** Present where push services are used: wakes the devices of a lookup. */
  readonly wake?: NonNullable<ShardOptions['wake']>;
  readonly log: ShardLog;
  readonly send: SendAnswer;
}

export class InlineRegistrar {
  readonly events: BindingEvents;
  readonly reader: LocationReader;
  readonly counters = new Float64Array(COUNTER_NAMES.length);
  private readonly orders = new AdminRequests((bytes, peers) => this.receiveNow(bytes, peers));
  private readonly options: InlineOptions;
  private readonly store: LocationStore;
  private readonly feed: FeedWriter | undefined;
  private readonly shard: Shard;
  private readonly backlog = new LoopBacklog(
    () => performance.eventLoopUtilization().idle,
    () => performance.now(),
  );
  private readonly driver: BatchDriver;
  private filled = FIRST_SLOT;
  private turn: NodeJS.Immediate | undefined;
  private timer: NodeJS.Timeout | undefined;
  private closed = false;
  /**
   * Whether the shard is at work. A function of the program called meanwhile (a listener, `send`) may hand in more messages, which wait until it
   * is done.
   */
  private isBusy = false;
  private waiting: (() => void)[] = [];

  constructor(options: InlineOptions) {
    this.options = options;
    const { disk } = options;
    if (disk === undefined) {
      const store = new MemoryStore();
      this.store = store;
      this.reader = store.reader();
    } else {
      const { directory, durability, generationBytes } = disk;
      const store = openLogStore(directory, durability, { now: options.clock.now(), generationBytes });
      const news: TableNews[] = [];
      const parts = store.share((item) => news.push(item));
      this.store = store;
      this.reader = new LogReader(new LogFiles(directory), parts, () => news.shift());
    }
    this.feed = options.feed && openFeed(options.feed, this.store);
    const eventMemory = createEventMemory();
    const bellMemory = createBellMemory();
    this.events = new BindingEvents([eventMemory], bellMemory, (error) =>
      options.log('error', 'a listener to binding events failed', { error: String(error) }),
    );
    const measures = new Measures();
    this.shard = new Shard({
      index: 0,
      shards: 1,
      store: this.store,
      clock: options.clock,
      policy: options.policy,
      secret: options.secret,
      counters: this.counters,
      measures,
      forward: () => false,
      log: options.log,
      ...(options.auth && { auth: options.auth }),
      gate: options.gate,
      flows: options.flows,
      statics: options.statics,
      ...(this.feed && { feed: this.feed }),
      ...(options.subscriptions && { subscriptions: options.subscriptions }),
      ...(options.wake && { wake: options.wake }),
      events: new EventWriter(eventMemory, new Bell(bellMemory, () => this.events.wake())),
    });
    this.shard.open();
    this.driver = new BatchDriver({
      shard: this.shard,
      counters: this.counters,
      measures,
      elapsed: () => performance.now(),
      send: () => this.send(),
      backlog: this.backlog,
    });
    this.plan();
  }

  /** Decides about a message; its answer, if there is one, leaves at the end of this turn of the event loop. */
  handle(bytes: Uint8Array, source: MessageSource): void {
    if (this.closed) throw new Error('the registrar is stopped');
    if (bytes.length > MESSAGE_BYTES_MAX) throw new RangeError(`a message of ${bytes.length} bytes is no SIP message`);
    if (this.isBusy) {
      const peers = createPeers(1);
      writePeer(peers, 0, source, 0);
      this.counters[COUNTER.received]++;
      return this.receiveNow(bytes, peers);
    }
    writePeer(this.shard.peers, this.filled, source, 0);
    this.counters[COUNTER.received]++;
    this.receiveNow(bytes);
  }

  /**
   * The answer to an operator's request; undefined where none came in time. After `close` the store would read a file that is no longer its own.
   */
  async ask(request: Uint8Array, source: OrderSource): Promise<Buffer | undefined> {
    if (this.closed) throw new Error('the registrar is stopped');
    return this.orders.ask(request, source);
  }

  /** A message returns from its wait; its peer is the one row of its `peers`. @param isUntold whether its user could not be looked up */
  again({ bytes, peers }: Pick<WaitingMessage, 'bytes' | 'peers'>, isUntold: boolean): void {
    if (this.closed) return;
    if (isUntold) this.shard.waitedInVain(this.filled);
    this.receiveNow(bytes, peers);
  }

  /** A lookup returns from its wait for devices; its peer is the one row of its `peers`. */
  hasWaited({ bytes, peers }: Pick<WaitingMessage, 'bytes' | 'peers'>): void {
    if (this.closed) return;
    this.shard.hasWaited(this.filled);
    this.receiveNow(bytes, peers);
  }

  /** Peers of the slots. */
  get peers(): Peers {
    return this.shard.peers;
  }

  /** @param from one row; without it the row of the slot has the peer */
  private receiveNow(bytes: Uint8Array, from?: Peers): void {
    if (this.isBusy) {
      const copies = [Uint8Array.from(bytes), from && structuredClone(from)] as const;
      this.waiting.push(() => this.receiveNow(...copies));
      return;
    }
    const slot = this.filled++;
    if (from !== undefined)
      for (const column of Object.keys(from) as (keyof Peers)[])
        this.shard.peers[column].set(from[column], slot * from[column].length);
    slab.set(bytes, slotStart(slot));
    this.work(() => this.driver.receive(slot, bytes.length, this.options.clock.now()));
    if (this.filled === SLOT_COUNT) this.finish();
    else this.endLater();
  }

  private work(job: () => void): void {
    this.isBusy = true;
    try {
      job();
    } finally {
      this.isBusy = false;
    }
  }

  private endLater(): void {
    this.turn ??= setImmediate(() => this.endTurn());
  }

  /** `flows` reports that a connection of the program has closed: bindings made over it are removed after the policy's grace. */
  flowEnded(flow: number): void {
    if (this.closed) return;
    if (this.isBusy) {
      this.waiting.push(() => this.flowEnded(flow));
      return;
    }
    const at = slotStart(this.filled);
    for (let i = 0; i < 4; i++) slab[at + i] = flow >>> (8 * i);
    this.work(() => this.shard.flowsEnded(this.filled, 4, this.options.clock.now()));
    this.endLater();
  }

  /** Answers the messages handed in, and closes the store. */
  close(): void {
    if (this.closed) return;
    this.takeWaiting();
    this.finish();
    this.closed = true;
    clearTimeout(this.timer);
    this.events.drain();
    this.reader.close();
    this.feed?.close();
    this.options.subscriptions?.journal?.close();
    this.store.close();
  }

  private endTurn(): void {
    if (this.closed) return;
    this.takeWaiting();
    this.backlog.endTurn(this.filled - FIRST_SLOT);
    this.finish();
  }

  private takeWaiting(): void {
    const jobs = this.waiting;
    this.waiting = [];
    for (const job of jobs) job();
  }

  private finish(): void {
    clearImmediate(this.turn);
    this.turn = undefined;
    const freeSlot = this.filled;
    this.filled = FIRST_SLOT;
    this.work(() => this.driver.finish(freeSlot, this.options.clock.now()));
    if (this.waiting.length > 0) this.endLater();
    this.plan();
  }

  private send(): void {
    const { answers, outgoing, peers } = this.shard;
    for (let row = 0; row < answers.count; row++) {
      const bytes = Buffer.from(answers.bytes.subarray(answers.at[row], answers.end[row]));
      if (peers.listener[answers.slot[row]] === LISTENER_ADMIN) {
        this.orders.answered(bytes, peers, answers.slot[row]);
        continue;
      }
      this.options.send(bytes, readPeer(peers, answers.slot[row], answers.port[row]));
    }
    for (let row = 0; outgoing !== null && row < outgoing.count; row++) {
      const bytes = Buffer.from(outgoing.bytes.subarray(outgoing.at[row], outgoing.end[row]));
      this.options.send(bytes, readPeer(outgoing.peers, row, outgoing.port[row]));
    }
  }

  /** Plans the next look at timers; an earlier message comes before it. */
  private plan(): void {
    clearTimeout(this.timer);
    const due = this.shard.msToNextTick(this.options.clock.now());
    if (due < 0 || this.closed) return;
    this.timer = setTimeout(() => this.endTurn(), Math.min(due, SLEEP_MS_MAX));
    this.timer.unref();
  }
}
