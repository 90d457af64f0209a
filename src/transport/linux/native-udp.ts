// Opening and closing the native UDP path: sockets that share a port, and the eventfds of bells. Descriptors belong to the process: the main
// thread opens them and hands their numbers to the shards.

import { parseIp } from '../../sip/ip.ts';
import { bindError, formatListener, type ListenAddress } from '../listener.ts';
import * as abi from './linux-abi.ts';
import type { UdpSocket } from './linux-udp.ts';

/** Bytes of each socket's buffers; the kernel may grant less to a process without the right to force it. */
export const SOCKET_BUFFER_BYTES = 8 << 20;

/** Where a UDP socket is bound: an IPv4 or IPv6 address without brackets, and a port, 0 for any free one. */
export type HostPort = Pick<ListenAddress, 'host' | 'port'>;

/** The sockets of one listener, one per shard. */
export interface ListenerSockets {
  readonly port: number;
  readonly sockets: readonly UdpSocket[];
}

export interface NativeUdp {
  readonly calls: abi.Calls;
  /**
   * Opens `count` sockets on one address, or distributes the `inherited` ones: then several shards may have the same one. Throws an Error with
   * `code` (`EADDRINUSE`, …) and a message that names the listener; then nothing stays open.
   */
  listen(address: HostPort, listener: number, count: number, inherited?: readonly number[]): ListenerSockets;
  /** Bytes that the kernel queues for a socket: twice the number asked for, or less where the system's limit is lower. */
  receiveBufferBytes(socket: UdpSocket): number;
  /** Opens an eventfd for a bell; throws. */
  openBell(): number;
  /** Opens an epoll descriptor for a shard's connections; throws. */
  openEpoll(): number;
  close(fd: number): void;
}

/**
 * The native path, or the reason why this machine has none.
 * @param segments answers to one address may leave as one message that the kernel cuts, where it can
 */
export function nativeUdp(segments = true): NativeUdp | string {
  const calls = abi.loadCalls();
  if (typeof calls === 'string') return calls;
  return {
    calls,
    listen: (address, listener, count, inherited = []) =>
      listen({ calls, segments }, address, listener, count, inherited),
    receiveBufferBytes: ({ fd }) => {
      const value = new abi.NativeMemory(8);
      const length = new abi.NativeMemory(8);
      length.view.setUint32(0, 4, true);
      calls.getsockopt(fd, abi.SOL_SOCKET, abi.SO_RCVBUF, value.address, length.address);
      return value.view.getInt32(0, true);
    },
    openBell: () => {
      const fd = calls.eventfd(0, abi.EVENTFD_FLAGS);
      if (fd < 0) throw new Error(`cannot open an eventfd: ${abi.errnoName(calls.errno())}`);
      return fd;
    },
    openEpoll: () => {
      const fd = calls.epoll_create1(abi.EPOLL_CLOEXEC);
      if (fd < 0) throw new Error(`cannot open an epoll descriptor: ${abi.errnoName(calls.errno())}`);
      return fd;
    },
    close: (fd) => {
      calls.close(fd);
    },
  };
}

function listen(
  { calls, segments }: { readonly calls: abi.Calls; readonly segments: boolean },
  address: HostPort,
  listener: number,
  count: number,
  inherited: readonly number[],
): ListenerSockets {
  const ip = new Uint8Array(16);
  const family = parseIp(address.host, ip, 0);
  if (family === 0) throw new Error(`not an IP address: ${address.host}`);
  const target: Target = { calls, address, family, ip, wildcard: ip.every((byte) => byte === 0) };
  const socketOf = (fd: number): UdpSocket => {
    return { fd, listener, family, wildcard: target.wildcard, segments: segments && cutsSegments(calls, fd) };
  };
  if (inherited.length > count)
    throw new Error(
      `${inherited.length} inherited sockets for ${formatListener('udp', address.host, address.port)}: no more than ${count}, one per shard, are read`,
    );
  if (inherited.length > 0) {
    for (const fd of inherited) prepare(target, fd);
    const fds = Array.from({ length: count }, (_, i) => inherited[i % inherited.length]);
    return { port: address.port, sockets: fds.map(socketOf) };
  }
  // SO_REUSEPORT would let us in beside another server of the same user. A first socket without it notices that server, and for port 0 finds a
  // port that is really free.
  const probe = openSocket(target, address.port, false);
  const port = boundPort(calls, probe, family);
  calls.close(probe);
  const sockets: UdpSocket[] = [];
  try {
    for (let i = 0; i < count; i++) {
      sockets.push(socketOf(openSocket(target, port, true)));
    }
  } catch (error) {
    for (const { fd } of sockets) calls.close(fd);
    throw error;
  }
  return { port, sockets };
}

interface Target {
  readonly calls: abi.Calls;
  readonly address: HostPort;
  readonly family: 4 | 6;
  readonly ip: Uint8Array;
  readonly wildcard: boolean;
}

function openSocket(target: Target, port: number, shared: boolean): number {
  const { calls, family } = target;
  const listener = formatListener('udp', target.address.host, port);
  const fd = calls.socket(family === 4 ? abi.AF_INET : abi.AF_INET6, abi.SOCK_DGRAM_CLOEXEC, 0);
  if (fd < 0) throw bindError(abi.errnoName(calls.errno()), listener);
  const name = sockaddr(family, target.ip, port);
  if (family === 6) setOption(calls, fd, abi.IPPROTO_IPV6, abi.IPV6_V6ONLY, 1);
  const refused = shared && !setOption(calls, fd, abi.SOL_SOCKET, abi.SO_REUSEPORT, 1);
  if (refused || calls.bind(fd, name.address, nameBytes(family)) < 0) {
    const code = abi.errnoName(calls.errno());
    calls.close(fd);
    throw bindError(code, listener);
  }
  if (shared) prepare(target, fd);
  return fd;
}

function prepare({ calls, family, wildcard }: Target, fd: number): void {
  for (const [plain, forced] of [
    [abi.SO_RCVBUF, abi.SO_RCVBUFFORCE],
    [abi.SO_SNDBUF, abi.SO_SNDBUFFORCE],
  ] as const) {
    if (!setOption(calls, fd, abi.SOL_SOCKET, forced, SOCKET_BUFFER_BYTES)) {
      setOption(calls, fd, abi.SOL_SOCKET, plain, SOCKET_BUFFER_BYTES);
    }
  }
  if (!wildcard) return;
  if (family === 4) setOption(calls, fd, abi.IPPROTO_IP, abi.IP_PKTINFO, 1);
  else setOption(calls, fd, abi.IPPROTO_IPV6, abi.IPV6_RECVPKTINFO, 1);
}

/** Whether the kernel knows UDP_SEGMENT; an older one would send such a message whole. */
function cutsSegments(calls: abi.Calls, fd: number): boolean {
  const memory = new abi.NativeMemory(16);
  memory.view.setUint32(8, 4, true);
  return calls.getsockopt(fd, abi.IPPROTO_UDP, abi.UDP_SEGMENT, memory.address, memory.address + 8) === 0;
}

export function setOption(calls: abi.Calls, fd: number, level: number, name: number, value: number): boolean {
  const memory = new abi.NativeMemory(8);
  memory.view.setInt32(0, value, true);
  return calls.setsockopt(fd, level, name, memory.address, 4) === 0;
}

export function sockaddr(family: 4 | 6, ip: Uint8Array, port: number): abi.NativeMemory {
  const memory = new abi.NativeMemory(abi.SOCKADDR_STRIDE);
  memory.view.setUint16(0, family === 4 ? abi.AF_INET : abi.AF_INET6, true);
  memory.view.setUint16(abi.SOCKADDR_PORT, port, false);
  if (family === 4) memory.bytes.set(ip.subarray(0, 4), abi.SOCKADDR_IN_ADDR);
  else memory.bytes.set(ip, abi.SOCKADDR_IN6_ADDR);
  return memory;
}

export function nameBytes(family: 4 | 6): number {
  return family === 4 ? abi.SOCKADDR_IN_BYTES : abi.SOCKADDR_IN6_BYTES;
}

export function boundPort(calls: abi.Calls, fd: number, family: 4 | 6): number {
  const name = new abi.NativeMemory(abi.SOCKADDR_STRIDE);
  const length = new abi.NativeMemory(8);
  length.view.setUint32(0, nameBytes(family), true);
  calls.getsockname(fd, name.address, length.address);
  return name.view.getUint16(abi.SOCKADDR_PORT, false);
}
