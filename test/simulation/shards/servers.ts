// Shards in virtual time: each with its socket's queue, its ring and a store that now and then fails. As shard-loop does it:
// ring and queue → receive → expire → commit → send → release.

import { DEFAULT_POLICY } from '../../../src/core/uas/policy.ts';
import { COUNTER, COUNTER_NAMES, type CounterName } from '../../../src/shard/observe/counters.ts';
import { Shard } from '../../../src/shard/shard.ts';
import { SLOT_COUNT, slab, slotStart } from '../../../src/sip/parser/slab.ts';
import { FlakyStore } from '../../support/flaky-store.ts';
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

interface Server {
  shard: Shard;
  readonly store: FlakyStore;
  readonly counters: Float64Array;
  queue: Datagram[];
  ring: Datagram[];
  runPlanned: boolean;
}

/** Between two passes of a shard that hears nothing: up to this, so that bindings run out well before they are swept. */
const IDLE_MS_MAX = 5000;

export class Servers {
  forwarded = 0;
  private readonly timeline: Timeline;
  private readonly random: Random;
  private readonly listener: Listener;
  private readonly all: Server[] = [];
  private rough = true;

  constructor(count: number, timeline: Timeline, random: Random, listener: Listener) {
    this.timeline = timeline;
    this.random = random;
    this.listener = listener;
    for (let index = 0; index < count; index++) {
      const store = new FlakyStore(() => this.rough && random.chance(0.05));
      const counters = new Float64Array(COUNTER_NAMES.length);
      const shard = this.open(index, count, store, counters);
      this.all.push({ shard, store, counters, queue: [], ring: [], runPlanned: false });
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
    this.all[index].queue.push(datagram);
    this.plan(index);
  }

  /** Kills a shard between two batches: what was on its way to it and all it remembered is gone, its store is not. */
  restart(index: number): void {
    const server = this.all[index];
    server.counters.fill(0);
    server.queue = [];
    server.ring = [];
    server.shard = this.open(index, this.all.length, server.store, server.counters);
    this.listener.restarted(index);
  }

  private open(index: number, shards: number, store: FlakyStore, counters: Float64Array): Shard {
    const shard: Shard = new Shard({
      index,
      shards,
      store,
      policy: { ...DEFAULT_POLICY, domains: ['example.com'], expiresJitterPercent: 10 },
      secret: Uint8Array.from({ length: 32 }, (_, i) => 7 * i + 1),
      counters,
      forward: (owner, slot, length) => this.forward(shard, owner, slot, length),
      log: () => {},
    });
    shard.open();
    return shard;
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
  private plan(index: number): void {
    const server = this.all[index];
    if (server.runPlanned) return;
    server.runPlanned = true;
    this.timeline.after(this.random.between(0, 40), () => {
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
    const { shard } = server;
    const { now } = this.timeline;
    const batch = [...server.ring, ...server.queue];
    server.ring = [];
    server.queue = batch.splice(SLOT_COUNT);
    for (const [slot, datagram] of batch.entries()) {
      slab.set(datagram.bytes, slotStart(slot));
      shard.peers.family[slot] = 4;
      shard.peers.ip.set([10, datagram.host >> 16, (datagram.host >> 8) & 255, datagram.host & 255], slot * 16);
      shard.peers.port[slot] = datagram.port;
      shard.receive(slot, datagram.bytes.length, now);
    }
    shard.expire(now);
    shard.commit(now);
    this.send(shard, batch);
    shard.release(0);
    if (server.queue.length > 0 || shard.msToNextTick(now) === 0) this.plan(index);
  }

  private send({ answers }: Shard, batch: readonly Datagram[]): void {
    for (let row = 0; row < answers.count; row++) {
      const text = Buffer.from(answers.bytes.subarray(answers.at[row], answers.end[row])).toString('latin1');
      this.listener.answered(text, batch[answers.slot[row]].host, answers.port[row]);
    }
  }
}
