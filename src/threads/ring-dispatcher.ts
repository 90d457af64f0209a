// The rings as the main thread has them: hands messages of its sockets and connections to the shards, and sends the shards' answers. Any
// shard may get a message: it sends the message on to the shard that owns the AOR.

import { COUNTER } from '../shard/observe/counters.ts';
import { Bell } from '../shard/rings/bell.ts';
import {
  RING_ACCEPTED,
  RING_FLOW_NEWS,
  RING_FLOWS_ENDED,
  RING_MESSAGE,
  RING_NOT_SENT,
  RING_UNTOLD,
  RING_WAITED,
  Ring,
} from '../shard/rings/ring.ts';
import type { ShardLog } from '../shard/shard-options.ts';
import {
  createPeers,
  LISTENER_ADMIN,
  LISTENER_MULTICAST,
  LISTENER_PROGRAM,
  type Peers,
  TRANSPORT_UDP,
} from '../sip/sources.ts';
import type { ListenAddress } from '../transport/listener.ts';
import { type DgramUdp, openDgramUdp } from '../transport/node/dgram-udp.ts';
import { type Multicast, type MulticastAddress, openMulticast } from '../transport/node/multicast.ts';
import { AdminRequests } from './admin-requests.ts';
import { Connections, type ConnectionsOptions } from './connections.ts';
import { EmbeddedPeer } from './embedded-peer.ts';
import type { SharedParts } from './shared-parts.ts';

const MESSAGE_ROOM = 65_536;
/** Answers sent before the event loop gets its turn. */
const ANSWERS_PER_TURN = 1024;

export class RingDispatcher {
  /** Connections. */
  readonly streams: Connections;
  /** The admin API's orders. */
  readonly orders = new AdminRequests((bytes, peers) => this.toShard(bytes, peers));
  readonly program: EmbeddedPeer;
  private udp: DgramUdp | null = null;
  private readonly toProgram: (answer: Buffer, peers: Peers) => void;
  /** Rings by shard; the last one leads to the cluster's thread where there is one. */
  private readonly toShards: readonly Ring[];
  private readonly bells: readonly Bell[];
  /** Row for notices of closed flows: they are this node's. */
  private readonly ended = createPeers(1);
  private readonly fromShards: readonly Ring[];
  private readonly bell: Bell;
  private multicast: Multicast | undefined;
  private readonly touched: Uint8Array;
  private bellsPending = false;
  private turnPending = false;
  private closed = false;
  private readonly answer = new Uint8Array(MESSAGE_ROOM);
  private readonly peers = createPeers(1);
  /** This thread's counts for each shard: the shard's own array has the shard as its only writer. */
  private readonly counts: readonly { droppedRingFull: number; droppedSend: number }[];

  /** @param toProgram accepts answers to messages that the program handed in, with the row of their receiver */
  constructor(parts: SharedParts, streams: ConnectionsOptions, toProgram: (answer: Buffer, peers: Peers) => void) {
    this.toProgram = toProgram;
    this.streams = new Connections(parts, streams, {
      message: (shard, ...message) => this.pushFrom(shard, RING_MESSAGE, ...message),
      ended: (shard, tokens) => this.pushFrom(shard, RING_FLOWS_ENDED, tokens, 0, tokens.length, this.ended, 0),
      notSent: (shard, request, peer) => this.push(shard, request, peer, RING_NOT_SENT),
    });
    this.program = new EmbeddedPeer(this.streams, (bytes, peers) => this.toShard(bytes, peers));
    const { cluster, clusterBell } = parts;
    this.toShards = [...parts.fromMain, ...(cluster ? [cluster.fromMain] : [])].map((memory) => new Ring(memory));
    this.bells = [...parts.bells, ...(clusterBell ? [clusterBell] : [])];
    this.ended.node[0] = streams.node ?? 0;
    this.fromShards = parts.toMain.map((memory) => new Ring(memory));
    this.bell = new Bell(parts.mainBellMemory, () => {});
    this.touched = new Uint8Array(this.toShards.length);
    this.counts = parts.fromMain.map(() => ({ droppedRingFull: 0, droppedSend: 0 }));
    this.bell.beforeSleep();
  }

  /**
   * Binds the listeners on this thread: connections, and UDP where the shards have no sockets. Rejects with the first that cannot be bound.
   */
  async listen(addresses: readonly ListenAddress[], udp: boolean, log: ShardLog): Promise<readonly ListenAddress[]> {
    const bound = udp ? await this.listenUdp(addresses, log) : addresses;
    return this.streams.listen(bound, log);
  }

  /** Joins a multicast group on this thread. Rejects where it cannot. */
  async join(address: MulticastAddress, log: ShardLog): Promise<MulticastAddress> {
    this.multicast = await openMulticast(address, createPeers(1), {
      datagram: (bytes, peers) => this.toShard(bytes, peers),
      error: (_listener, error) => log('warn', 'multicast socket error', { error: error.message }),
    });
    return this.multicast.address;
  }

  private async listenUdp(addresses: readonly ListenAddress[], log: ShardLog): Promise<readonly ListenAddress[]> {
    this.udp = await openDgramUdp(addresses, {
      datagram: (bytes, peers) => this.toShard(bytes, peers),
      sendFailed: (shard) => {
        this.counts[shard].droppedSend++;
      },
      error: (listener, error) => log('warn', 'udp socket error', { listener, error: error.message }),
    });
    return this.udp.listeners;
  }

  /** Answers of a shard are waiting. */
  wake(): void {
    if (this.turnPending) return;
    this.turn();
  }

  /** A shard's counters together with this thread's counts for it. */
  merge(shared: Float64Array, shard: number): Float64Array {
    const merged = shared.slice();
    merged[COUNTER.dropped_ring_full] += this.counts[shard].droppedRingFull;
    merged[COUNTER.dropped_send] += this.counts[shard].droppedSend;
    return merged;
  }

  /** Stops accepting messages. */
  pause(): void {
    this.streams.pause();
    this.udp?.pause();
    this.multicast?.pause();
  }

  /** Sends the answers that the shards left, once they have ended. */
  async close(): Promise<void> {
    while (this.sendSome() === ANSWERS_PER_TURN);
    this.closed = true;
    await Promise.all([this.streams.close(), this.udp?.close(), this.multicast?.close()]);
  }

  /** Hands a message to a shard again; its peer is the one row of `peers`. @param isUntold whether its user could not be looked up */
  again(shard: number, bytes: Uint8Array, peers: Peers, isUntold: boolean): void {
    if (!this.closed) this.push(shard, bytes, peers, isUntold ? RING_UNTOLD : RING_MESSAGE);
  }

  /** The same for a lookup that has waited for devices to wake. */
  hasWaited(shard: number, bytes: Uint8Array, peers: Peers): void {
    if (!this.closed) this.push(shard, bytes, peers, RING_WAITED);
  }

  private toShard(bytes: Uint8Array, peers: Peers): void {
    this.push(sourceHash(peers) % this.fromShards.length, bytes, peers);
  }

  private push(shard: number, bytes: Uint8Array, peers: Peers, kind = RING_MESSAGE): void {
    if (!this.pushFrom(shard, kind, bytes, 0, bytes.length, peers, 0)) this.counts[shard].droppedRingFull++;
  }

  /** Puts bytes[at, end) from the peer in `row` into a shard's ring; false where it is full. */
  private pushFrom(
    shard: number,
    kind: number,
    bytes: Uint8Array,
    at: number,
    end: number,
    peers: Peers,
    row: number,
  ): boolean {
    if (!this.toShards[shard].push(kind, bytes, at, end, peers, row, peers.port[row])) return false;
    this.touched[shard] = 1;
    if (this.bellsPending) return true;
    this.bellsPending = true;
    setImmediate(() => this.ringBells());
    return true;
  }

  /** Runs once per turn of the event loop: libuv delivers all datagrams of the socket before it. */
  private ringBells(): void {
    this.bellsPending = false;
    for (let shard = 0; shard < this.touched.length; shard++) {
      if (this.touched[shard] === 0) continue;
      this.touched[shard] = 0;
      this.bells[shard].ring();
    }
  }

  private turn(): void {
    this.turnPending = false;
    if (this.closed) return;
    this.bell.afterSleep();
    let more = this.sendSome() === ANSWERS_PER_TURN;
    if (!more) {
      this.bell.beforeSleep();
      more = this.fromShards.some((ring) => !ring.empty);
      if (more) this.bell.afterSleep();
    }
    if (!more) return;
    this.turnPending = true;
    setImmediate(() => this.turn());
  }

  private sendSome(): number {
    let sent = 0;
    for (let shard = 0; shard < this.fromShards.length; shard++) {
      while (sent < ANSWERS_PER_TURN) {
        const length = this.fromShards[shard].pop(this.answer, 0, this.peers, 0);
        if (length < 0) break;
        this.dispatch(shard, this.fromShards[shard].kind, length);
        sent++;
      }
    }
    return sent;
  }

  private dispatch(shard: number, kind: number, length: number): void {
    if (kind === RING_ACCEPTED) this.streams.accepted(this.answer, this.peers);
    else if (kind === RING_FLOW_NEWS) this.streams.news(this.answer, length);
    else this.send(shard, length);
  }

  /** Sends the answer just popped: over the connection of its request, or by UDP; or hands it to the program. */
  private send(shard: number, length: number): void {
    const { answer, peers } = this;
    if (peers.listener[0] === LISTENER_ADMIN)
      return this.orders.answered(Buffer.from(answer.subarray(0, length)), peers);
    if (peers.listener[0] === LISTENER_PROGRAM) return this.toProgram(Buffer.from(answer.subarray(0, length)), peers);
    if (peers.listener[0] === LISTENER_MULTICAST)
      return this.multicast?.send(answer, 0, length, peers, 0, peers.port[0]);
    if (peers.transport[0] === TRANSPORT_UDP) this.udp?.send(answer, 0, length, peers, 0, peers.port[0], shard);
    else if (peers.flow[0] === 0) this.streams.dialer.send(shard, answer.subarray(0, length), peers);
    else if (!this.streams.flows.send(peers.flow[0], answer, 0, length)) this.counts[shard].droppedSend++;
  }
}

function sourceHash(peers: Peers): number {
  let hash = peers.port[0];
  for (let i = 0; i < 16; i++) hash = (hash * 31 + peers.ip[i]) | 0;
  return (hash ^ (hash >>> 15)) >>> 0;
}
