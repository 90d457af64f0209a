// UDP by node:dgram on the main thread: where the native path is missing, and with `--udp dgram`. It moves bytes
// between sockets and peers' rows and does not choose their shard. Answers leave from the listener's own socket, but on
// a wildcard listener the system picks the source address.

import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { formatIp, parseIp } from '../../sip/ip.ts';
import { createPeers, type Peers, TRANSPORT_UDP } from '../../sip/sources.ts';
import { SOCKET_BUFFER_BYTES } from '../linux/native-udp.ts';
import { bindError, formatListener, type ListenAddress } from '../listener.ts';

export interface DgramEvents {
  /** A datagram and its peer in row 0 of `peers`; both are only valid during the call. */
  datagram(bytes: Uint8Array, peers: Peers): void;
  /** The datagram sent with this tag did not leave. */
  sendFailed(tag: number): void;
  /** A socket reported an error outside of a call. */
  error(listener: number, error: Error): void;
}

export interface DgramUdp {
  /** All addresses given; UDP ports given as 0 are real ones here. */
  readonly listeners: readonly ListenAddress[];
  /** Sends a copy of bytes[at, end) to the address in `row`, at `port`, from its listener's socket. */
  send(bytes: Uint8Array, at: number, end: number, peers: Peers, row: number, port: number, tag: number): void;
  /** Stops accepting messages; answers still leave. */
  pause(): void;
  /** Waits for the work in progress. */
  close(): Promise<void>;
}

/** Binds the UDP listeners among the addresses; rejects with the first that cannot be bound, and leaves none open. */
export async function openDgramUdp(addresses: readonly ListenAddress[], events: DgramEvents): Promise<DgramUdp> {
  const sockets = new Map<number, Socket>();
  try {
    for (const [listener, address] of addresses.entries())
      if (address.transport === 'udp') sockets.set(listener, await bind(address));
  } catch (error) {
    for (const socket of sockets.values()) socket.close();
    throw error;
  }
  const peers = createPeers(1);
  const idle = new Sending();
  for (const [listener, socket] of sockets) {
    socket.on('message', (bytes: Buffer, from: RemoteInfo) => {
      if (readPeer(from, listener, peers)) events.datagram(bytes, peers);
    });
    socket.on('error', (error) => events.error(listener, error));
  }
  return {
    listeners: addresses.map((address, i) => ({ ...address, port: sockets.get(i)?.address().port ?? address.port })),
    send: (bytes, at, end, from, row, port, tag) => {
      const address = formatIp(from.family[row], from.ip, row << 4);
      const scope = from.flow[row] > 0 ? `%${from.flow[row]}` : '';
      idle.start();
      // A copy: the socket may queue it, and the ring's bytes will be overwritten.
      sockets.get(from.listener[row])?.send(Buffer.from(bytes.subarray(at, end)), port, address + scope, (error) => {
        if (error !== null) events.sendFailed(tag);
        idle.end();
      });
    },
    pause: () => {
      for (const socket of sockets.values()) socket.removeAllListeners('message');
    },
    close: async () => {
      await idle.done();
      await Promise.all(
        [...sockets.values()].map((socket) => new Promise<void>((resolve) => socket.close(() => resolve()))),
      );
    },
  };
}

function bind(address: ListenAddress): Promise<Socket> {
  const ipv6 = address.host.includes(':');
  const socket = createSocket({
    type: ipv6 ? 'udp6' : 'udp4',
    ipv6Only: ipv6,
    // Hosts are always addresses: this spares every send the resolver.
    lookup: (host, _options, done) => done(null, host, ipv6 ? 6 : 4),
  });
  return new Promise((resolve, reject) => {
    socket.once('error', (error: NodeJS.ErrnoException) => {
      socket.close();
      reject(bindError(error.code ?? error.message, formatListener('udp', address.host, address.port)));
    });
    socket.bind(address.port, address.host, () => {
      socket.removeAllListeners('error');
      try {
        socket.setRecvBufferSize(SOCKET_BUFFER_BYTES);
        socket.setSendBufferSize(SOCKET_BUFFER_BYTES);
      } catch {
        // The system's limit is lower than the size asked for, and it fails instead of granting its most.
      }
      resolve(socket);
    });
  });
}

/** Fills row 0; false where no answer can be sent to the address. */
export function readPeer(from: RemoteInfo, listener: number, peers: Peers): boolean {
  const [address, scope] = from.address.split('%', 2) as [string, string | undefined];
  const family = parseIp(address, peers.ip, 0);
  if (family === 0) return false;
  peers.family[0] = family;
  peers.port[0] = from.port;
  peers.transport[0] = TRANSPORT_UDP;
  peers.listener[0] = listener;
  peers.flow[0] = scope === undefined ? 0 : Number(scope) || 0;
  peers.answeredByMain[0] = 1;
  return true;
}

/** Counts sends in progress. */
class Sending {
  private count = 0;
  private idle: (() => void) | null = null;

  start(): void {
    this.count++;
  }

  end(): void {
    if (--this.count === 0) this.idle?.();
  }

  async done(): Promise<void> {
    if (this.count > 0) await new Promise<void>((resolve) => (this.idle = resolve));
  }
}
