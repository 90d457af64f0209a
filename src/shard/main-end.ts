// The main thread's end of the rings: hands datagrams of its sockets to the shards and sends the answers they hand back.
// Which shard gets a datagram matters little: the shard sends it on to the one that owns the AOR.

import { createPeers, type Peers } from '../registrar/peers.ts';
import { type DgramUdp, openDgramUdp } from '../transport/dgram-udp.ts';
import type { ListenAddress } from '../transport/native-udp.ts';
import { Bell } from './bell.ts';
import { COUNTER } from './counters.ts';
import { RING_MESSAGE, Ring } from './ring.ts';
import type { ShardLog } from './shard.ts';
import type { SharedParts } from './shared-parts.ts';

const MESSAGE_ROOM = 65_536;
/** Answers sent before the event loop gets its turn. */
const ANSWERS_PER_TURN = 1024;

export class MainEnd {
  private udp: DgramUdp | null = null;
  private readonly parts: SharedParts;
  private readonly toShards: readonly Ring[];
  private readonly fromShards: readonly Ring[];
  private readonly bell: Bell;
  private readonly touched: Uint8Array;
  private bellsPending = false;
  private turnPending = false;
  private closed = false;
  private readonly answer = new Uint8Array(MESSAGE_ROOM);
  private readonly peers = createPeers(1);
  /** What this thread counts for each shard, whose own array has the shard as its only writer. */
  private readonly counts: readonly { droppedRingFull: number; droppedSend: number }[];

  constructor(parts: SharedParts) {
    this.parts = parts;
    this.toShards = parts.fromMain.map((memory) => new Ring(memory));
    this.fromShards = parts.toMain.map((memory) => new Ring(memory));
    this.bell = new Bell(parts.mainBellMemory, () => {});
    this.touched = new Uint8Array(parts.fromMain.length);
    this.counts = parts.fromMain.map(() => ({ droppedRingFull: 0, droppedSend: 0 }));
    this.bell.beforeSleep();
  }

  /** Binds the listeners on this thread. Rejects with the first that cannot be had. */
  async listen(addresses: readonly ListenAddress[], log: ShardLog): Promise<readonly ListenAddress[]> {
    this.udp = await openDgramUdp(addresses, {
      datagram: (bytes, peers) => this.toShard(bytes, peers),
      sendFailed: (shard) => {
        this.counts[shard].droppedSend++;
      },
      error: (listener, error) => log('warn', 'udp socket error', { listener, error: error.message }),
    });
    return this.udp.listeners;
  }

  /** A shard says that answers wait. */
  wake(): void {
    if (this.turnPending) return;
    this.turn();
  }

  /** A shard's counters with what this thread counted for it. */
  merge(shared: Float64Array, shard: number): Float64Array {
    const merged = shared.slice();
    merged[COUNTER.dropped_ring_full] += this.counts[shard].droppedRingFull;
    merged[COUNTER.dropped_send] += this.counts[shard].droppedSend;
    return merged;
  }

  /** Takes nothing in any more. */
  pause(): void {
    this.udp?.pause();
  }

  /** Sends what the shards left, once they have ended. */
  async close(): Promise<void> {
    while (this.sendSome() === ANSWERS_PER_TURN);
    this.closed = true;
    await this.udp?.close();
  }

  /** Hands a message to a shard once more, its peer the one row of `peers`. */
  again(shard: number, bytes: Uint8Array, peers: Peers): void {
    if (!this.closed) this.push(shard, bytes, peers);
  }

  private toShard(bytes: Uint8Array, peers: Peers): void {
    this.push(sourceHash(peers) % this.toShards.length, bytes, peers);
  }

  private push(shard: number, bytes: Uint8Array, peers: Peers): void {
    if (!this.toShards[shard].push(RING_MESSAGE, bytes, 0, bytes.length, peers, 0, peers.port[0])) {
      this.counts[shard].droppedRingFull++;
      return;
    }
    this.touched[shard] = 1;
    if (this.bellsPending) return;
    this.bellsPending = true;
    setImmediate(() => this.ringBells());
  }

  /** Once per turn of the event loop: libuv hands over what the socket holds before it. */
  private ringBells(): void {
    this.bellsPending = false;
    for (let shard = 0; shard < this.touched.length; shard++) {
      if (this.touched[shard] === 0) continue;
      this.touched[shard] = 0;
      this.parts.bells[shard].ring();
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
        this.udp?.send(this.answer, 0, length, this.peers, 0, this.peers.port[0], shard);
        sent++;
      }
    }
    return sent;
  }
}

function sourceHash(peers: Peers): number {
  let hash = peers.port[0];
  for (let i = 0; i < 16; i++) hash = (hash * 31 + peers.ip[i]) | 0;
  return (hash ^ (hash >>> 15)) >>> 0;
}
