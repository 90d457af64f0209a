// Shards in virtual time: each with its socket's queue, its ring and a store that now and then fails, driven as all shards are
// (shard/batch.ts). A message may cost time: then a queue grows as a socket's buffer does, and runs over.

import { DEFAULT_POLICY, type Policy } from '../../../src/core/uas/policy.ts';
import type { LocationStore } from '../../../src/location/location-store.ts';
import { type Backlog, BatchDriver } from '../../../src/shard/batch.ts';
import { COUNTER, COUNTER_NAMES, type CounterName } from '../../../src/shard/observe/counters.ts';
import { Measures } from '../../../src/shard/observe/measures.ts';
import { Shard } from '../../../src/shard/shard.ts';
import { SLOT_COUNT, slab, slotStart } from '../../../src/sip/parser/slab.ts';
import { FlakyStore } from '../../support/flaky-store.ts';
import { LateStore } from '../../support/late-store.ts';
import type { Random } from './random.ts';
import type { Timeline } from './timeline.ts';

export interface Datagram {
  readonly bytes: Uint8Array;
  /** Of the phone: the last three bytes of 10.x.y.z. */
  readonly host: number;
  readonly port: number;
}

/** What the servers tell the world. */
export interface Listener {
  /** An answer left for host and port. */
  answered(text: string, host: number, port: number): void;
  /** A shard has lost its memory and come up again on its store. */
  restarted(index: number): void;
}

export interface ServersOptions {
  /** Time that a registration costs its shard, ms; without it nothing costs any. */
  readonly messageMs?: number;
  readonly policy?: Partial<Policy>;
  /** Commits hold only some time after they were handed over, if at all. */
  readonly late?: boolean;
}

interface Server {
  shard: Shard;
  driver: BatchDriver;
  readonly store: FlakyStore;
  readonly counters: Float64Array;
  queue: Datagram[];
  ring: Datagram[];
  /** Of the batch under way. */
  batch: Datagram[];
  /** By slot: those whose answers may still come. */
  readonly inSlots: Datagram[];
  /** Where commits settle later. */
  readonly late: LateStore | null;
  runPlanned: boolean;
  /** Time that the shard has worked, ms. */
  workedMs: number;
}

/** Between two passes of a shard that hears nothing: up to this, so that bindings run out well before they are swept. */
const IDLE_MS_MAX = 5000;
/** Cost of a request that is refused or repeated, as a part of a registration's. */
const REFUSAL = 0.45;
/** Datagrams that a socket's buffer holds. */
const QUEUE_MAX = 6144;

export class Servers {
  forwarded = 0;
  /** Datagrams for which a queue had no room. */
  dropped = 0;
  private readonly options: ServersOptions;
  private readonly lengths = new Int32Array(SLOT_COUNT);
  private readonly timeline: Timeline;
  private readonly random: Random;
  private readonly listener: Listener;
  private readonly all: Server[] = [];
  private rough = true;

  constructor(count: number, timeline: Timeline, random: Random, listener: Listener, options: ServersOptions = {}) {
    this.options = options;
    this.timeline = timeline;
    this.random = random;
    this.listener = listener;
    for (let index = 0; index < count; index++) {
      const store = new FlakyStore(() => this.rough && random.chance(0.05));
      const counters = new Float64Array(COUNTER_NAMES.length);
      const late = options.late ? new LateStore(store) : null;
      const shard = this.open(index, count, late ?? store, counters);
      const queues = { queue: [], ring: [], batch: [], inSlots: [], runPlanned: false, workedMs: 0 };
      this.all.push({ shard, late, driver: this.drive(index, shard, counters), store, counters, ...queues });
      this.tick(index);
    }
  }

  get stores(): readonly FlakyStore[] {
    return this.all.map(({ store }) => store);
  }

  counter(index: number, name: CounterName): number {
    return this.all[index].counters[COUNTER[name]];
  }

  msToNextTick(index: number): number {
    return this.all[index].shard.msToNextTick(this.timeline.now);
  }

  /** From now on no commit fails and no ring is full. */
  calm(): void {
    this.rough = false;
  }

  /** A datagram reaches the host: the kernel gives it to one shard's socket, always the same for one source. */
  arrive(datagram: Datagram): void {
    const index = (Math.imul(datagram.host, 0x9e3779b1) >>> 16) % this.all.length;
    const { queue } = this.all[index];
    if (queue.length === QUEUE_MAX) this.dropped++;
    else queue.push(datagram);
    this.plan(index);
  }

  /** Kills a shard between two batches: what was on its way to it and all it remembered is gone, its store is not. */
  restart(index: number): void {
    const server = this.all[index];
    server.counters.fill(0);
    server.queue = [];
    server.ring = [];
    server.late?.die();
    server.shard = this.open(index, this.all.length, server.late ?? server.store, server.counters);
    server.driver = this.drive(index, server.shard, server.counters);
    this.listener.restarted(index);
  }

  private open(index: number, shards: number, store: LocationStore, counters: Float64Array): Shard {
    const shard: Shard = new Shard({
      index,
      shards,
      store,
      policy: { ...DEFAULT_POLICY, domains: ['example.com'], expiresJitterPercent: 10, ...this.options.policy },
      secret: Uint8Array.from({ length: 32 }, (_, i) => 7 * i + 1),
      counters,
      forward: (owner, slot, length) => this.forward(shard, owner, slot, length),
      log: () => {},
    });
    shard.open();
    return shard;
  }

  private drive(index: number, shard: Shard, counters: Float64Array): BatchDriver {
    const server = (): Server => this.all[index];
    const backlog: Backlog = {
      get fill() {
        return server().queue.length / QUEUE_MAX;
      },
      waitMs: (_batch, _isFull, usualMs) => (server().queue.length * usualMs) / server().driver.messagesMax,
    };
    return new BatchDriver({
      shard,
      counters,
      measures: new Measures(),
      elapsed: () => server().workedMs,
      decided: () => {
        server().workedMs += this.costOf(server());
      },
      send: () => this.send(server()),
      backlog,
    });
  }

  /** The disk, or another machine, has what it was handed; the shard hears of it at its next batch. */
  private settleLater(index: number): void {
    const { late } = this.all[index];
    const waiting = late?.waiting.at(-1);
    if (waiting === undefined) return;
    this.timeline.after(this.random.between(1, 150), () => {
      if (late?.waiting.includes(waiting)) {
        if (this.rough && this.random.chance(0.03)) late.lose();
        else late.settle(late.waiting.indexOf(waiting) + 1);
      }
      this.plan(index);
    });
  }

  private forward(from: Shard, owner: number, slot: number, length: number): boolean {
    if (this.rough && this.random.chance(0.02)) return false; // the owner's ring is full
    const { ip, port } = from.peers;
    const host = (ip[slot * 16 + 1] << 16) | (ip[slot * 16 + 2] << 8) | ip[slot * 16 + 3];
    this.all[owner].ring.push({ bytes: slab.slice(slotStart(slot), slotStart(slot) + length), host, port: port[slot] });
    this.forwarded++;
    this.plan(owner);
    return true;
  }

  /** A batch takes what has come while the one before was being committed. */
  private plan(index: number, busyMs = 0): void {
    const server = this.all[index];
    if (server.runPlanned) return;
    server.runPlanned = true;
    this.timeline.after(busyMs > 0 ? busyMs : this.random.between(0, 40), () => {
      server.runPlanned = false;
      this.run(index);
    });
  }

  private tick(index: number): void {
    this.timeline.after(this.random.between(200, IDLE_MS_MAX), () => {
      this.tick(index);
      if (this.msToNextTick(index) === 0) this.plan(index);
    });
  }

  private run(index: number): void {
    const server = this.all[index];
    const { shard, driver, workedMs } = server;
    const { now } = this.timeline;
    const first = shard.firstSlot;
    const batch = [...server.ring, ...server.queue];
    server.ring = [];
    server.queue = batch.splice(Math.min(SLOT_COUNT - first, driver.messagesMax));
    server.batch = batch;
    // Shards of one thread share the slab: what lies in the slots in flight is another's by now.
    for (const [slot, { bytes }] of server.inSlots.slice(0, first).entries()) slab.set(bytes, slotStart(slot));
    for (const [i, datagram] of batch.entries()) {
      const slot = first + i;
      server.inSlots[slot] = datagram;
      slab.set(datagram.bytes, slotStart(slot));
      shard.peers.family[slot] = 4;
      shard.peers.ip.set([10, datagram.host >> 16, (datagram.host >> 8) & 255, datagram.host & 255], slot * 16);
      shard.peers.port[slot] = datagram.port;
      this.lengths[slot] = datagram.bytes.length;
    }
    driver.run(this.lengths, first, first + batch.length, now);
    this.settleLater(index);
    const busyMs = server.workedMs - workedMs;
    if (busyMs > 0 || server.queue.length > 0 || shard.msToNextTick(now) === 0) this.plan(index, busyMs);
  }

  /** Time that the batch under way costs, ms. */
  private costOf({ shard: { answers }, batch }: Server): number {
    let served = 0;
    for (let row = 0; row < answers.count; row++) if (answers.status[row] === 200) served++;
    return (served + (batch.length - served) * REFUSAL) * (this.options.messageMs ?? 0);
  }

  /** Answers leave when the batch's time is over. */
  private send(server: Server): void {
    const { inSlots } = server;
    const { answers } = server.shard;
    const busyMs = this.costOf(server);
    for (let row = 0; row < answers.count; row++) {
      const text = Buffer.from(answers.bytes.subarray(answers.at[row], answers.end[row])).toString('latin1');
      const { host } = inSlots[answers.slot[row]];
      const port = answers.port[row];
      if (busyMs === 0) this.listener.answered(text, host, port);
      else this.timeline.after(busyMs, () => this.listener.answered(text, host, port));
    }
  }
}
