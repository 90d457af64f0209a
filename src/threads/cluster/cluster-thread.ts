// The thread of a node that speaks with the other nodes. It sleeps in poll() over their connections, NATS and a bell, hands requests and
// answers between them and the shards' threads, and beats.

import { OrderTable } from '../../cluster/order-table.ts';
import { ClusterFlows } from '../../cluster/peers/cluster-flows.ts';
import { PeerCounts } from '../../cluster/peers/peer-counts.ts';
import { FRAME_BEAT, type FrameReader } from '../../cluster/peers/peer-frame.ts';
import { ShardTable } from '../../cluster/shard-table.ts';
import { deriveKey } from '../../core/auth/derived-key.ts';
import { ProcessClock } from '../../shard/process-clock.ts';
import { Bell, ORDER_NONE, ORDER_STOP } from '../../shard/rings/bell.ts';
import { Ring } from '../../shard/rings/ring.ts';
import { parseIp } from '../../sip/ip.ts';
import * as abi from '../../transport/linux/linux-abi.ts';
import type { PeerPlace } from '../../transport/linux/linux-peers.ts';
import { monotonicMs } from '../../transport/monotonic.ts';
import { fdWake } from '../shared-parts.ts';
import { Beats } from './beats.ts';
import type { ClusterOptions } from './cluster-options.ts';
import type { ClusterSharedParts } from './cluster-parts.ts';
import type { PeerConnection } from './peer-connection.ts';
import { type MeshUser, PeerMesh } from './peer-mesh.ts';
import { RequestForwarder } from './request-forwarder.ts';

/** Interval at which a node outside its cluster checks whether it has joined. */
const AWAY_MS = 100;
/** Time at a stop for bytes that are still unsent. */
const LAST_MS = 500;
const LAST_LOOK_MS = 5;

/** Structured clone takes it to the thread. */
export interface ClusterThreadTask {
  readonly options: ClusterOptions;
  readonly parts: ClusterSharedParts;
  readonly shardBells: readonly SharedArrayBuffer[];
  readonly shardBellFds: readonly number[];
  /** The first flow number of this life. */
  readonly firstFlow: number;
  /** Memory of the ProcessClock that bindings live by. */
  readonly clock: SharedArrayBuffer;
}

export type ClusterLog = (level: 'info' | 'warn' | 'error', event: string, fields: Record<string, unknown>) => void;

export class ClusterThread implements MeshUser {
  private readonly calls: abi.Calls;
  private readonly task: ClusterThreadTask;
  private readonly log: ClusterLog;
  private readonly bell: Bell;
  private readonly rings: readonly Ring[];
  private readonly orders: OrderTable;
  private readonly beats: Beats;
  private readonly forwarder: RequestForwarder;
  private readonly clock: ProcessClock;
  private readonly mesh: PeerMesh;
  private fds: abi.NativeMemory;
  private readonly scratch: abi.NativeMemory;

  /** Throws where this machine has no native path, or the address for the other nodes cannot be bound. */
  constructor(task: ClusterThreadTask, log: ClusterLog) {
    const calls = abi.loadCalls();
    if (typeof calls === 'string') throw new Error(`a cluster needs the native path: ${calls}`);
    const { options, parts, shardBells, shardBellFds, firstFlow } = task;
    const { number, shards, holdMs } = options;
    this.calls = calls;
    this.fds = new abi.NativeMemory(64 * abi.POLLFD_BYTES);
    this.scratch = new abi.NativeMemory(8);
    this.task = task;
    this.clock = new ProcessClock(task.clock);
    this.log = log;
    this.bell = new Bell(parts.bell, fdWake(calls, parts.bellFd));
    this.rings = [parts.fromMain, ...parts.fromShards].map((memory) => new Ring(memory));
    const bells = shardBells.map((memory, shard) => new Bell(memory, fdWake(calls, shardBellFds[shard])));
    const table = new ShardTable(shards, options.table);
    const flows = new ClusterFlows(parts.flows, number, { isAlive: () => true });
    const counts = new PeerCounts(options.counts);
    this.orders = new OrderTable(options.orders);
    this.forwarder = new RequestForwarder({
      ...{ node: number, shards, holdMs, table, flows, counts, bells, incoming: this.rings },
      toShards: parts.toShards.map((memory) => new Ring(memory)),
      relays: parts.relays.map((memory) => new Ring(memory)),
      isAlive: (node) => this.beats.isAlive(node),
      isJoined: () => this.orders.joined,
    });
    const listen = placeOf(options.listen);
    const own = { cluster: options.name, node: number, life: options.life };
    const key = deriveKey(options.secret, 'cluster peers');
    this.mesh = new PeerMesh({ calls, own, key, listen, counts, user: this });
    this.forwarder.mesh = this.mesh;
    this.beats = new Beats({
      ...{ calls, options, table, flows, listen, firstFlow, mesh: this.mesh },
      changed: (shard) => bells[shard].ring(),
      gone: () => this.forwarder.gone(),
      succeeded: (life) => log('error', 'another process is this node: stop one of them', { node: options.node, life }),
    });
  }

  /** Runs until it is told to stop. */
  run(): void {
    try {
      while (this.bell.order !== ORDER_STOP) this.turn();
      this.sendLast();
    } finally {
      this.mesh.close();
      this.beats.nats.close();
    }
  }

  up(peer: PeerConnection, isSame: boolean): void {
    this.log('info', 'connected to a node', { node: peer.node, life: peer.life });
    this.forwarder.up(peer, isSame);
  }

  down(node: number, why: string): void {
    this.log('warn', 'the connection to a node is gone', { node, why });
    this.beats.cut(node);
    this.forwarder.down(node);
  }

  frame(peer: PeerConnection, reader: FrameReader, bytes: Uint8Array): boolean {
    if (reader.kind === FRAME_BEAT) return this.beats.heard(bytes.subarray(reader.at, reader.end), peer.node);
    return this.forwarder.frame(peer, reader, bytes);
  }

  /** Sends the shards' last answers, after the shards have stopped. */
  private sendLast(): void {
    const until = monotonicMs() + LAST_MS;
    const waits = () => this.mesh.all.some(({ socket }) => socket.unsent > 0) || this.rings.some((ring) => !ring.empty);
    while (waits() && monotonicMs() < until) {
      this.forwarder.takeRings(monotonicMs());
      this.mesh.flush();
      if (waits()) this.calls.poll(0, 0, LAST_LOOK_MS);
    }
  }

  private turn(): void {
    const { mesh, beats, forwarder } = this;
    const now = monotonicMs();
    // No frame leaves until it is known that no other process is this node.
    const { joined } = this.orders;
    if (joined) {
      mesh.work(now);
      beats.work(now, this.clock.now());
    }
    const more = forwarder.takeRings(now);
    forwarder.work(now);
    mesh.flush();
    if (more) this.look(0, joined);
    else this.sleep(joined ? beats.msToNext(now) : AWAY_MS, joined);
  }

  private sleep(ms: number, joined: boolean): void {
    const { bell, rings } = this;
    bell.beforeSleep();
    const rests = bell.order === ORDER_NONE && rings.every((ring) => ring.empty);
    this.look(rests ? ms : 0, joined);
    bell.afterSleep();
  }

  /** Waits for so long at most. What is not ready costs the next turn no system call. */
  private look(ms: number, joined: boolean): void {
    const { calls, mesh, beats } = this;
    const count = joined ? this.fill() : this.fillBell();
    if (calls.poll(this.fds.address, count, Math.ceil(ms)) <= 0) return;
    if (this.isReady(0)) calls.read(this.task.parts.bellFd, this.scratch.address, 8);
    if (!joined) return;
    mesh.hasCaller = this.isReady(1);
    beats.hasNews = this.isReady(2);
    for (const [i, connection] of mesh.all.entries()) if (this.isReady(3 + i)) connection.hasBytes = true;
  }

  private isReady(i: number): boolean {
    return this.fds.view.getInt16(i * abi.POLLFD_BYTES + 6, true) !== 0;
  }

  /** Fills the list for poll(); returns its length. */
  private fill(): number {
    const { mesh, beats } = this;
    const count = 3 + mesh.all.length;
    if (count * abi.POLLFD_BYTES > this.fds.bytes.length) this.fds = new abi.NativeMemory(2 * count * abi.POLLFD_BYTES);
    this.wait(0, this.task.parts.bellFd, abi.POLLIN);
    this.wait(1, mesh.listener, abi.POLLIN);
    this.wait(2, beats.nats.fd, beats.nats.events);
    for (const [i, { socket }] of mesh.all.entries()) this.wait(3 + i, socket.fd, socket.events);
    return count;
  }

  /** Only the bell: connections of other nodes wait until this node is of its cluster. */
  private fillBell(): number {
    this.wait(0, this.task.parts.bellFd, abi.POLLIN);
    return 1;
  }

  private wait(i: number, fd: number, events: number): void {
    const { view } = this.fds;
    view.setInt32(i * abi.POLLFD_BYTES, fd, true);
    view.setInt16(i * abi.POLLFD_BYTES + 4, events, true);
    view.setInt16(i * abi.POLLFD_BYTES + 6, 0, true);
  }
}

function placeOf({ host, port }: ClusterOptions['listen']): PeerPlace {
  const ip = new Uint8Array(16);
  const family = parseIp(host, ip, 0);
  if (family === 0) throw new Error(`${host} is no IP address`);
  return { family, ip: ip.slice(0, family === 6 ? 16 : 4), port };
}
