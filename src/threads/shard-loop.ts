// The never-ending loop of a shard's thread: wait, fill the slots from rings and sockets, have the batch done, send. Reads the clock once per batch
// and hands it down. shard/batch has the order of a batch, src/transport the sockets.
// @hot

import { BatchDriver, type Pipeline } from '../shard/batch.ts';
import { COUNTER } from '../shard/observe/counters.ts';
import type { Measures } from '../shard/observe/measures.ts';
import { type Bell, ORDER_ANEW, ORDER_CONFIGURE, ORDER_CRASH, ORDER_DRAIN, ORDER_STOP } from '../shard/rings/bell.ts';
import { RING_MESSAGE, type Ring } from '../shard/rings/ring.ts';
import { noticed } from '../shard/rings/ring-notices.ts';
import { SLOT_COUNT, slab, slotStart } from '../sip/parser/slab.ts';
import { TRANSPORT_TCP, VIA_CLUSTER } from '../sip/sources.ts';
import type { TcpConnections } from '../transport/linux/linux-tcp.ts';
import type { UdpReceiver } from '../transport/linux/linux-udp.ts';
import type { UdpSender } from '../transport/linux/udp-sender.ts';
import { monotonicMs } from '../transport/monotonic.ts';
import { QueuedMessages } from './backlog.ts';
import type { Away } from './cluster/away.ts';
import type { Relay } from './cluster/relay.ts';
import type { Forwarding } from './forwarding.ts';

/** The longest sleep: the counter `loops` shows an observer that the shard lives. */
const SLEEP_MS_MAX = 1000;
/** Slots that rings may fill while there are sockets, so that neighbours' messages never shut out the shard's own. */
const RING_SLOTS_MAX = (SLOT_COUNT * 3) / 4;

export interface LoopParts {
  readonly shard: Pipeline;
  /** The time that bindings live by. */
  readonly clock: { now(): number };
  readonly counters: Float64Array;
  readonly measures: Measures;
  readonly bell: Bell;
  /** Sleeps until the bell rings, a socket is ready or the time is over. Sockets count only with `takes`. */
  readonly waiter: { wait(timeoutMs: number, takes?: boolean): void };
  /** Applies the rules that wait at the port. */
  configure(): void;
  /** Reports that it hands no message to other shards any more. */
  drained(): void;
  /** Rings from other threads: the main thread's first, then the other shards'. */
  readonly rings: readonly Ring[];
  readonly forwarding: Forwarding;
  /** The shard's own sockets; null where the main thread has them. */
  readonly udp: {
    readonly receiver: UdpReceiver;
    readonly sender: UdpSender;
    /** Opens the sender of the shard's own requests. */
    readonly openRequests?: () => UdpSender;
    readonly sockets: number;
  } | null;
  /** Connections that the shard reads itself; null where the main thread has all. */
  readonly tcp: TcpConnections | null;
  /** Present on a node of a cluster: work between batches; `msToNext` is like the shard's `msToNextTick`. */
  readonly cluster?: { tick(now: number): void; msToNext(now: number): number };
  /** Present with it: answers to other nodes (`away`), and answers of other nodes (`relay`). */
  readonly away?: Away;
  readonly relay?: Relay;
  /** Length of the message in each slot; the receiver writes it too. */
  readonly lengths: Int32Array;
}

export class ShardLoop {
  private readonly parts: LoopParts;
  private ringFirst = 0;
  private socketFirst = 0;
  private tcpFirst = false;
  /** Messages of this batch that another shard received, and counted. */
  private fromNeighbours = 0;
  private readonly driver: BatchDriver;
  private readonly ringSlots: number;
  private saidDrained = false;
  private requests: UdpSender | null = null; // null before the first request

  constructor(parts: LoopParts) {
    this.parts = parts;
    const { shard, counters, measures, forwarding } = parts;
    this.ringSlots = parts.udp === null ? SLOT_COUNT : RING_SLOTS_MAX;
    this.driver = new BatchDriver({
      shard,
      counters,
      measures,
      elapsed: () => performance.now(),
      decided: () => {
        forwarding.ringBells();
        parts.away?.ringBell();
      },
      send: () => {
        this.send();
        this.sendRequests();
      },
      backlog: new QueuedMessages(parts.rings, parts.udp?.receiver ?? null),
    });
  }

  /** Runs until told to stop; throws only where the shard cannot go on. */
  run(): void {
    const { bell, clock, counters, shard, cluster } = this.parts;
    for (;;) {
      counters[COUNTER.loops]++;
      const order = bell.order;
      if (order === ORDER_CRASH) this.crash();
      if (order === ORDER_CONFIGURE) this.configure();
      if (cluster !== undefined) this.tick(clock.now());
      const first = shard.firstSlot;
      if (order === ORDER_ANEW && first === 0) return bell.took(ORDER_ANEW);
      const filled = this.fill(first, order !== ORDER_STOP && order !== ORDER_DRAIN);
      const now = clock.now();
      if (filled > first) this.batch(first, filled, now);
      else if (order === ORDER_STOP && first === 0) return;
      else {
        if (order === ORDER_DRAIN) this.drained();
        const due = this.msToNext(now);
        if (due === 0) this.batch(first, first, now);
        else this.sleep(due < 0 || due > SLEEP_MS_MAX ? SLEEP_MS_MAX : due, first);
      }
    }
  }

  /** Milliseconds until work is due without a message; -1 for never. */
  private msToNext(now: number): number {
    const { shard, cluster } = this.parts;
    const due = shard.msToNextTick(now);
    if (cluster === undefined) return due;
    const next = cluster.msToNext(now);
    return next < 0 || (due >= 0 && due < next) ? due : next;
  }

  /** Closes the sockets that it has opened. @cold */
  close(): void {
    this.parts.tcp?.close();
  }

  private batch(first: number, filled: number, now: number): void {
    const { counters, lengths } = this.parts;
    counters[COUNTER.received] += filled - first - this.fromNeighbours;
    this.driver.run(lengths, first, filled, now);
  }

  /** Fills slots from `first` on; returns the first free one. */
  private fill(first: number, sockets: boolean): number {
    const filled = this.fillFromHeld(this.fillFromRings(first));
    if (!sockets) return this.fillFromConnections(filled, false);
    this.tcpFirst = !this.tcpFirst;
    if (this.tcpFirst) return this.fillFromSockets(this.fillFromConnections(filled, true), first);
    return this.fillFromConnections(this.fillFromSockets(filled, first), true);
  }

  private fillFromHeld(from: number): number {
    const { shard, lengths, clock } = this.parts;
    if (shard.takeHeld === undefined) return from;
    const filled = shard.takeHeld(lengths, from, clock.now());
    this.fromNeighbours += filled - from; // their first shard has counted them
    return filled;
  }

  private fillFromRings(first: number): number {
    const { rings, shard, clock, lengths, tcp } = this.parts;
    const max = this.ringSlots;
    let filled = first;
    this.fromNeighbours = 0;
    let r = this.ringFirst < rings.length ? this.ringFirst : 0;
    this.ringFirst = r + 1;
    for (let i = 0; i < rings.length; i++) {
      while (filled < max) {
        const length = rings[r].pop(slab, slotStart(filled), shard.peers, filled);
        if (length < 0) break;
        const { kind } = rings[r];
        if (kind !== RING_MESSAGE && !noticed(kind, shard, filled, length, clock.now(), tcp)) continue;
        lengths[filled++] = length;
        if (r > 0) this.fromNeighbours++;
      }
      if (++r === rings.length) r = 0;
    }
    return filled;
  }

  private fillFromSockets(from: number, first: number): number {
    const { udp } = this.parts;
    if (udp === null) return from;
    const { receiver } = udp;
    let filled = from;
    let s = this.socketFirst < udp.sockets ? this.socketFirst : 0;
    this.socketFirst = s + 1;
    const end = Math.min(SLOT_COUNT, first + this.driver.messagesMax);
    for (let i = 0; i < udp.sockets && filled < end; i++) {
      filled += receiver.receive(s, filled, end);
      if (++s === udp.sockets) s = 0;
    }
    if (receiver.failure !== 0) this.fail(receiver.failure);
    return filled;
  }

  private fillFromConnections(from: number, sockets: boolean): number {
    const { tcp, forwarding } = this.parts;
    if (tcp === null) return from;
    const filled = from + tcp.receive(from, monotonicMs(), sockets);
    forwarding.ringBells();
    return filled;
  }

  private send(): void {
    const { shard, counters, forwarding, udp, tcp } = this.parts;
    const { answers, peers } = shard;
    let byMain = 0;
    let byTcp = 0;
    let away = 0;
    for (let i = 0; i < answers.count; i++) {
      const slot = answers.slot[i];
      if (peers.answeredByMain[slot] === 0) {
        if (peers.transport[slot] === TRANSPORT_TCP) byTcp++;
        continue;
      }
      if ((peers.answeredByMain[slot] & VIA_CLUSTER) !== 0) {
        away++;
        this.sendAway(i);
        continue;
      }
      byMain++;
      const { at, end, port } = answers;
      if (!forwarding.answerByMain(answers.bytes, at[i], end[i], peers, slot, port[i]))
        counters[COUNTER.dropped_ring_full]++;
    }
    if (byTcp > 0 && tcp !== null) counters[COUNTER.dropped_send] += tcp.send(answers);
    if (byMain + byTcp > 0) forwarding.ringBells();
    const byUdp = answers.count - byMain - byTcp - away;
    if (byUdp === 0) return;
    if (udp === null) counters[COUNTER.dropped_send] += byUdp;
    else counters[COUNTER.dropped_send] += udp.sender.send(answers);
  }

  /** Sends the shard's own requests, each by the transport to its peer. */
  private sendRequests(): void {
    const { shard, counters, forwarding, udp, tcp } = this.parts;
    const { outgoing } = shard;
    if (outgoing === undefined || outgoing === null || outgoing.count === 0) return;
    this.requests ??= udp?.openRequests?.() ?? null;
    const { at, end, port, bytes, peers } = outgoing;
    for (let i = 0; i < outgoing.count; i++) {
      if (peers.answeredByMain[i] === 0) continue;
      if (!forwarding.answerByMain(bytes, at[i], end[i], peers, i, port[i])) counters[COUNTER.dropped_ring_full]++;
    }
    forwarding.ringBells();
    if (tcp !== null) counters[COUNTER.dropped_send] += tcp.send(outgoing, peers);
    counters[COUNTER.dropped_send] += this.requests?.send(outgoing) ?? 0;
  }

  /** Work of a cluster's node between two batches. @cold */
  private tick(now: number): void {
    const { cluster, relay, away, counters } = this.parts;
    cluster?.tick(now);
    if (relay !== undefined) counters[COUNTER.dropped_send] += relay.send();
    away?.ringBell();
  }

  /** Sends an answer to a message that another node has received. @cold */
  private sendAway(i: number): void {
    const { shard, away, counters } = this.parts;
    const { at, end, port, bytes, slot } = shard.answers;
    if (away?.answer(bytes, at[i], end[i], shard.peers, slot[i], port[i]) !== true) counters[COUNTER.dropped_send]++;
  }

  /** @param first free slot. Where there is none, messages wake nobody while the store settles the full slots */
  private sleep(ms: number, first: number): void {
    const { bell, rings, waiter, tcp, relay } = this.parts;
    const takes = first < SLOT_COUNT;
    bell.beforeSleep();
    let quiet = bell.allowsSleep;
    if ((takes && tcp?.hasMore) || relay?.ring.empty === false) quiet = false;
    if (first < this.ringSlots) for (let r = 0; r < rings.length && quiet; r++) quiet = rings[r].empty;
    if (quiet) waiter.wait(Math.ceil(ms), takes); // poll() takes whole milliseconds, and would return at once until the time is over
    bell.afterSleep();
  }

  /** Applies new rules between two batches. @cold */
  private configure(): void {
    this.parts.bell.took(ORDER_CONFIGURE);
    this.parts.configure();
  }

  /** @cold */
  private drained(): void {
    if (this.saidDrained) return;
    this.saidDrained = true;
    this.parts.drained();
  }

  /** Follows the order to crash. @cold */
  private crash(): never {
    this.parts.bell.took(ORDER_CRASH);
    throw new Error('died on request');
  }

  /** Ends this life of the shard; the pool starts the next. @cold */
  private fail(errno: number): never {
    throw new Error(`a socket cannot be read any more (errno ${errno})`);
  }
}
