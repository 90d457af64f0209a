// A listening TCP socket: a new one, or one handed to the process.

import { parseIp } from '../../sip/ip.ts';
import type { StreamListenerOptions } from '../flow/stream-listener.ts';
import { bindError, formatListener, type ListenAddress } from '../listener.ts';
import * as abi from './linux-abi.ts';
import { boundPort, nameBytes, setOption, sockaddr } from './native-udp.ts';

const BACKLOG = 4096;

/** Uses an inherited socket: its maker has not made it non-blocking. */
export function adoptListener(
  calls: abi.Calls,
  { address, inherited = -1 }: StreamListenerOptions,
): { fd: number; port: number } {
  calls.fcntl(inherited, abi.F_SETFL, abi.O_NONBLOCK);
  calls.listen(inherited, BACKLOG);
  return { fd: inherited, port: address.port };
}

export function bindListener(calls: abi.Calls, address: ListenAddress): { fd: number; port: number } {
  const ip = new Uint8Array(16);
  const family = parseIp(address.host, ip, 0);
  const listener = formatListener(address.transport, address.host, address.port);
  if (family === 0) throw bindError('EINVAL', listener);
  const fd = calls.socket(family === 4 ? abi.AF_INET : abi.AF_INET6, abi.SOCK_STREAM_FLAGS, 0);
  if (fd < 0) throw bindError(abi.errnoName(calls.errno()), listener);
  if (family === 6) setOption(calls, fd, abi.IPPROTO_IPV6, abi.IPV6_V6ONLY, 1);
  setOption(calls, fd, abi.SOL_SOCKET, abi.SO_REUSEADDR, 1);
  const name = sockaddr(family, ip, address.port);
  if (calls.bind(fd, name.address, nameBytes(family)) < 0 || calls.listen(fd, BACKLOG) < 0) {
    const code = abi.errnoName(calls.errno());
    calls.close(fd);
    throw bindError(code, listener);
  }
  return { fd, port: boundPort(calls, fd, family) };
}
