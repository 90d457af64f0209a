// Connections for our own requests that are too large for UDP (RFC 3261 §18.1.1), by node:net. One per peer, used by all requests that
// follow; once open it is TcpListener's, like accepted connections.

import { connect, type Socket } from 'node:net';
import { formatIp, ipText } from '../../sip/ip.ts';
import { copyPeer, createPeers, type Peers } from '../../sip/sources.ts';
import type { StreamConnection } from '../flow/stream-connection.ts';
import type { StreamListenerOptions } from '../flow/stream-listener.ts';
import { TcpListener } from './tcp-listener.ts';

/** Time for a peer to accept: a SYN and its repetition. */
const CONNECT_MS = 2000;

export interface DialerOptions {
  /** Options of the listener by which the peer is known: connections to it count as the listener's. Undefined: there is none. */
  listener(index: number): StreamListenerOptions | undefined;
  /** No connection leads to the peer: the request has not left. */
  refused(shard: number, request: Uint8Array, peer: Peers): void;
}

/** A request of a shard's, and the row of its peer. */
interface Dialled {
  readonly shard: number;
  readonly bytes: Buffer;
  readonly peer: Peers;
}

/** The connection to a peer, and the requests that wait until it is open. */
interface Way {
  readonly socket: Socket;
  connection: StreamConnection | null;
  readonly waiting: Dialled[];
}

export class TcpDialer {
  private readonly options: DialerOptions;
  /** By listener. */
  private readonly holders = new Map<number, TcpListener>();
  /** By listener and peer. */
  private readonly ways = new Map<string, Way>();
  /** Connections that are not open yet. */
  private connecting = 0;
  private isClosed = false;

  constructor(options: DialerOptions) {
    this.options = options;
  }

  /** Sends a copy of a shard's request to the peer in the first row. */
  send(shard: number, request: Uint8Array, peers: Peers): void {
    const peer = createPeers(1);
    copyPeer(peers, 0, peer, 0);
    const dialled = { shard, bytes: Buffer.from(request), peer };
    const name = `${peer.listener[0]} ${ipText(peer, 0)} ${peer.port[0]}`;
    const found = this.ways.get(name);
    const way = found !== undefined && isOpen(found) ? found : this.dial(name, peer);
    if (way === undefined) this.refuse(dialled);
    else if (way.connection !== null) this.write(way.connection, dialled);
    else way.waiting.push(dialled);
  }

  /** Opens no connections any more, and reads nothing from the open ones. */
  pause(): void {
    this.isClosed = true;
    for (const holder of this.holders.values()) holder.pause();
  }

  async close(): Promise<void> {
    this.pause();
    for (const { socket, connection } of this.ways.values()) if (connection === null) socket.destroy();
    await Promise.all([...this.holders.values()].map((holder) => holder.close()));
  }

  /** Opens a connection; undefined where the limits allow none. */
  private dial(name: string, peer: Peers): Way | undefined {
    const holder = this.holderOf(peer.listener[0]);
    const host = ipText(peer, 0);
    if (this.isClosed || !holder?.hasCapacity(host, this.connecting)) return undefined;
    const ends = { host, port: peer.port[0], ...localOf(holder.address.host, peer) };
    const socket = connect({ ...ends, noDelay: true, allowHalfOpen: true });
    const way: Way = { socket, connection: null, waiting: [] };
    this.ways.set(name, way);
    this.connecting++;
    let isConnecting = true;
    const late = setTimeout(() => socket.destroy(), CONNECT_MS);
    const settled = () => {
      clearTimeout(late);
      if (isConnecting) this.connecting--;
      isConnecting = false;
    };
    socket.on('error', () => {}); // `close` follows
    socket.once('connect', () => {
      settled();
      way.connection = holder.take(socket);
      for (const dialled of way.waiting.splice(0)) this.write(way.connection, dialled);
    });
    socket.once('close', () => {
      settled();
      if (this.ways.get(name) === way) this.ways.delete(name);
      for (const dialled of way.waiting.splice(0)) this.refuse(dialled);
    });
    return way;
  }

  private write(connection: StreamConnection | null, dialled: Dialled): void {
    if (connection?.send(dialled.bytes, 0, dialled.bytes.length) !== true) this.refuse(dialled);
  }

  private refuse({ shard, bytes, peer }: Dialled): void {
    if (!this.isClosed) this.options.refused(shard, bytes, peer);
  }

  private holderOf(index: number): TcpListener | undefined {
    const found = this.holders.get(index);
    const options = found === undefined ? this.options.listener(index) : undefined;
    if (options === undefined) return found;
    const holder = new TcpListener(options, (socket, connection) => connection.start(socket));
    this.holders.set(index, holder);
    return holder;
  }
}

function isOpen({ socket, connection }: Way): boolean {
  return connection === null || socket.writable;
}

/** The local address that the peer's datagrams arrived at: firewalls know it. */
function localOf(listener: string, { family, local }: Peers): { readonly localAddress?: string } {
  if (listener !== '0.0.0.0' && listener !== '::') return { localAddress: listener };
  return local.some((byte) => byte !== 0) ? { localAddress: formatIp(family[0], local, 0) } : {};
}
