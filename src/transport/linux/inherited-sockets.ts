// Sockets that were bound before this process began and outlive it (systemd's socket activation, sd_listen_fds(3)): messages
// that arrive during a restart wait in them. This file finds them, and their listeners; the transports read them.

import { formatIp, parseIp } from '../../sip/ip.ts';
import type { ListenAddress } from '../listener.ts';
import * as abi from './linux-abi.ts';

const FIRST_FD = 3;

export interface InheritedSocket {
  readonly fd: number;
  readonly kind: 'udp' | 'stream';
  /** In the form of formatIp. */
  readonly host: string;
  readonly port: number;
}

/**
 * Takes the sockets named by the environment, once: the variables are removed from it. None where they are meant for another
 * process. Throws an Error where one is no IP socket, or they cannot be examined on this machine.
 */
export function claimInheritedSockets(env: NodeJS.ProcessEnv): InheritedSocket[] {
  const count = Number(env.LISTEN_FDS ?? 0);
  const ours = Number(env.LISTEN_PID) === process.pid;
  for (const name of ['LISTEN_FDS', 'LISTEN_PID', 'LISTEN_FDNAMES']) delete env[name];
  if (!ours || !(count > 0)) return [];
  const calls = abi.loadCalls();
  if (typeof calls === 'string') throw new Error(`LISTEN_FDS: ${calls}`);
  return Array.from({ length: count }, (_, i) => describe(calls, FIRST_FD + i));
}

/** The sockets of a listener: several share the load of UDP. */
export function socketsFor(inherited: readonly InheritedSocket[], { transport, host, port }: ListenAddress): number[] {
  const kind = transport === 'udp' ? 'udp' : 'stream';
  const bytes = new Uint8Array(16);
  const family = parseIp(host, bytes, 0);
  const address = family === 0 ? host : formatIp(family, bytes, 0);
  return inherited
    .filter((socket) => socket.kind === kind && socket.host === address && socket.port === port)
    .map(({ fd }) => fd);
}

function describe(calls: abi.Calls, fd: number): InheritedSocket {
  const type = option(calls, fd, abi.SO_TYPE);
  const name = new abi.NativeMemory(abi.SOCKADDR_STRIDE);
  const length = new abi.NativeMemory(8);
  length.view.setUint32(0, abi.SOCKADDR_STRIDE, true);
  const family = calls.getsockname(fd, name.address, length.address) === 0 ? name.view.getUint16(0, true) : -1;
  const isIp = family === abi.AF_INET || family === abi.AF_INET6;
  if (!isIp || (type !== abi.SOCK_DGRAM && type !== abi.SOCK_STREAM))
    throw new Error(`LISTEN_FDS: descriptor ${fd} is no UDP or TCP socket`);
  return {
    fd,
    kind: type === abi.SOCK_DGRAM ? 'udp' : 'stream',
    host:
      family === abi.AF_INET
        ? formatIp(4, name.bytes, abi.SOCKADDR_IN_ADDR)
        : formatIp(6, name.bytes, abi.SOCKADDR_IN6_ADDR),
    port: name.view.getUint16(abi.SOCKADDR_PORT, false),
  };
}

function option(calls: abi.Calls, fd: number, name: number): number {
  const value = new abi.NativeMemory(8);
  const length = new abi.NativeMemory(8);
  length.view.setUint32(0, 4, true);
  return calls.getsockopt(fd, abi.SOL_SOCKET, name, value.address, length.address) === 0
    ? value.view.getInt32(0, true)
    : -1;
}
