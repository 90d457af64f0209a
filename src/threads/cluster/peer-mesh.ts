// A node's connections to all others: of each pair the node with the lower number calls, again and again; the other one listens. The
// set of nodes and their addresses comes from outside.

import type { PeerCounts } from '../../cluster/peers/peer-counts.ts';
import type { FrameReader } from '../../cluster/peers/peer-frame.ts';
import { STRANGERS_MAX, UNSENT_BYTES_MAX } from '../../cluster/peers/peer-limits.ts';
import type { Hello } from '../../cluster/peers/peer-proof.ts';
import type * as abi from '../../transport/linux/linux-abi.ts';
import { PeerNetwork, type PeerPlace, type PeerSocket } from '../../transport/linux/linux-peers.ts';
import { PeerConnection, type PeerUser } from './peer-connection.ts';

/** Interval between two calls of one node. */
const CALL_MS = 250;
const ACCEPTS_MAX = 16;

export interface MeshUser {
  /** A connection to a node is open. @param isSame whether the node's life is the same as before */
  up(peer: PeerConnection, isSame: boolean): void;
  /** The connection is closed. */
  down(node: number, why: string): void;
  frame(peer: PeerConnection, reader: FrameReader, bytes: Uint8Array): boolean;
}

export interface MeshParts {
  readonly calls: abi.Calls;
  readonly own: Omit<Hello, 'challenge'>;
  readonly key: Uint8Array;
  readonly listen: PeerPlace;
  readonly counts: PeerCounts;
  readonly user: MeshUser;
}

export class PeerMesh implements PeerUser {
  readonly listener: number;
  /** Whether a node may wait at the listener. */
  hasCaller = true;
  private readonly parts: MeshParts;
  private readonly network: PeerNetwork;
  /** All connections, open or opening. */
  private connections: PeerConnection[] = [];
  /** By node, the proved ones. */
  private readonly peers = new Map<number, PeerConnection>();
  private readonly lives = new Map<number, number>();
  private readonly places = new Map<number, PeerPlace>();
  private readonly calledAt = new Map<number, number>();

  /** Throws where the address cannot be bound. */
  constructor(parts: MeshParts) {
    this.parts = parts;
    this.network = new PeerNetwork(parts.calls, UNSENT_BYTES_MAX);
    this.listener = this.network.listen(parts.listen);
  }

  /** The connection to a node, where one is open. */
  of(node: number): PeerConnection | undefined {
    return this.peers.get(node);
  }

  get all(): readonly PeerConnection[] {
    return this.connections;
  }

  /** Open connections of nodes. */
  nodes(): IterableIterator<PeerConnection> {
    return this.peers.values();
  }

  /** Sets the address where a node listens. */
  place(node: number, place: PeerPlace): void {
    this.places.set(node, place);
  }

  work(now: number): void {
    if (this.hasCaller) this.accept(now);
    for (const [node, place] of this.places) this.call(node, place, now);
    for (const connection of this.connections) connection.work(now);
    this.bury();
  }

  flush(): void {
    for (const { socket } of this.connections) socket.flush();
    this.bury();
  }

  close(): void {
    for (const { socket } of this.connections) socket.close();
    this.parts.calls.close(this.listener);
    this.connections = [];
  }

  proved(peer: PeerConnection): boolean {
    // The called address is another node's by now, which has a connection of its own.
    if (peer.called && peer.wanted !== peer.node) return false;
    const before = this.lives.get(peer.node);
    if (before !== undefined && peer.life < before) return false;
    const old = this.peers.get(peer.node);
    if (old !== undefined) old.socket.failure = 'it has called anew';
    this.lives.set(peer.node, peer.life);
    this.peers.set(peer.node, peer);
    this.parts.counts.setUp(peer.node, true);
    this.parts.user.up(peer, before === peer.life);
    return true;
  }

  frame(peer: PeerConnection, reader: FrameReader, bytes: Uint8Array): boolean {
    return this.parts.user.frame(peer, reader, bytes);
  }

  private accept(now: number): void {
    this.hasCaller = false;
    for (let accepts = 0; accepts < ACCEPTS_MAX; accepts++) {
      const socket = this.network.accept(this.listener);
      if (socket === null) break;
      if (this.strangers >= STRANGERS_MAX) this.refuse(socket);
      else this.connections.push(new PeerConnection(socket, { ...this.parts, user: this }, false, now));
    }
  }

  private get strangers(): number {
    return this.connections.filter(({ isProved, called }) => !isProved && !called).length;
  }

  private refuse(socket: PeerSocket): void {
    this.parts.counts.add('strangers');
    socket.close();
  }

  private call(node: number, place: PeerPlace, now: number): void {
    const { own } = this.parts;
    if (node <= own.node || this.peers.has(node) || now - (this.calledAt.get(node) ?? 0) < CALL_MS) return;
    if (this.connections.some(({ called, isProved, wanted }) => called && !isProved && wanted === node)) return;
    this.calledAt.set(node, now);
    const socket = this.network.connect(place);
    if (socket === null) return;
    const connection = new PeerConnection(socket, { ...this.parts, user: this }, true, now);
    connection.wanted = node;
    this.connections.push(connection);
  }

  private bury(): void {
    if (this.connections.every(({ failure }) => failure === '')) return;
    const { counts, user } = this.parts;
    const dead = this.connections.filter(({ failure }) => failure !== '');
    this.connections = this.connections.filter(({ failure }) => failure === '');
    for (const connection of dead) {
      connection.socket.close();
      if (connection.isMalformed) counts.add(connection.isProved ? 'bad_frames' : 'strangers');
      if (this.peers.get(connection.node) !== connection) continue;
      this.peers.delete(connection.node);
      counts.setUp(connection.node, false);
      user.down(connection.node, connection.failure);
    }
  }
}
