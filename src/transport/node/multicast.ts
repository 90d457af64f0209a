// The registrars' multicast group (RFC 3261 §10.2.6), off unless configured: one socket by node:dgram on the main thread. An answer is sent to
// the group where the request's Via names it as maddr (§18.2.2), with a TTL of 1, and to the source otherwise. It is never sent elsewhere, so
// that the server cannot be misused as a reflector.

import { createSocket } from 'node:dgram';
import { formatIp } from '../../sip/ip.ts';
import { LISTENER_MULTICAST, type Peers } from '../../sip/sources.ts';
import { bindError, formatListener } from '../listener.ts';
import { type DgramEvents, readPeer } from './dgram-udp.ts';

/** sip.mcast.net */
export const REGISTRARS_GROUP = '224.0.1.75';

export interface MulticastAddress {
  readonly group: string;
  readonly port: number;
  /** IPv4 address of the interface on which the group is joined. */
  readonly interface: string;
}

export interface Multicast {
  /** The group with its real port. */
  readonly address: MulticastAddress;
  /** Sends a copy of bytes[at, end) to the group or to the address in `row`, at `port`. */
  send(bytes: Uint8Array, at: number, end: number, peers: Peers, row: number, port: number): void;
  /** Stops accepting messages; answers still leave. */
  pause(): void;
  close(): Promise<void>;
}

/** Joins; rejects where the address or the group cannot. */
export async function openMulticast(
  address: MulticastAddress,
  peers: Peers,
  events: Pick<DgramEvents, 'datagram' | 'error'>,
): Promise<Multicast> {
  const { group, port } = address;
  const socket = createSocket({
    type: 'udp4',
    reuseAddr: true,
    lookup: (host, _options, done) => done(null, host, 4),
  });
  await new Promise<void>((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException) => {
      socket.close();
      reject(bindError(error.code ?? error.message, formatListener('udp', group, port)));
    };
    socket.once('error', failed);
    // A socket bound to the group itself receives nothing that was sent to the machine's own addresses.
    socket.bind(port, group, () => {
      try {
        socket.addMembership(group, address.interface);
        socket.setMulticastInterface(address.interface);
        socket.setMulticastTTL(1);
      } catch (error) {
        return failed(error as NodeJS.ErrnoException);
      }
      socket.off('error', failed);
      resolve();
    });
  });
  socket.on('message', (bytes, from) => {
    if (readPeer(from, LISTENER_MULTICAST, peers)) events.datagram(bytes, peers);
  });
  socket.on('error', (error) => events.error(LISTENER_MULTICAST, error));
  return {
    address: { ...address, port: socket.address().port },
    send: (bytes, at, end, from, row, to) => {
      const answer = Buffer.from(bytes.subarray(at, end));
      const groupPort = portOfMaddr(answer, group);
      if (groupPort !== undefined) socket.send(answer, groupPort, group, () => {});
      else socket.send(answer, to, formatIp(from.family[row], from.ip, row << 4), () => {});
    },
    pause: () => {
      socket.removeAllListeners('message');
    },
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}

/** Port of the answer's top Via, 5060 where it names none, if its maddr is the group. */
function portOfMaddr(answer: Buffer, group: string): number | undefined {
  const via = /^(?:via|v)[ \t]*:[ \t]*SIP\s*\/\s*2\.0\s*\/\s*UDP\s+([^;,\s]+)([^,\r\n]*)/im.exec(
    answer.toString('latin1'),
  );
  if (via === null) return undefined;
  const maddr = /;\s*maddr\s*=\s*([0-9.]+)/i.exec(via[2])?.[1];
  if (maddr !== group) return undefined;
  const port = Number(/:(\d{1,5})$/.exec(via[1])?.[1] ?? 5060);
  return port >= 1 && port <= 65_535 ? port : undefined;
}
