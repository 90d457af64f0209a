// The addresses a server listens on: their text form (`tcp:HOST:PORT`) and their properties that need no socket.

import { isIP } from 'node:net';
import { parseIp } from '../../sip/ip.ts';
import { formatListener, LISTEN_TRANSPORTS, type ListenAddress } from '../../transport/listener.ts';
import { nearest } from './nearest.ts';

const SHAPE = /^([a-z]+):(\[[^\]]*\]|[^:[\]]*):([0-9]{1,5})$/i;

/** Text of the reference. */
export const LISTEN_FORMS = LISTEN_TRANSPORTS.map((name, i) => `\`${name}:${i === 0 ? 'HOST:PORT' : '…'}\``).join(', ');

/** Reads `udp:127.0.0.1:5060` or `tcp:[::1]:5060`. Throws a RangeError whose message names the fault. */
export function parseListenAddress(text: string): ListenAddress {
  const parts = SHAPE.exec(text);
  if (parts === null) {
    throw new RangeError(`expected udp:HOST:PORT such as udp:127.0.0.1:5060 or udp:[::1]:5060, got "${text}"`);
  }
  const [, transport, hostPart, portPart] = parts;
  const scheme = LISTEN_TRANSPORTS.find((name) => name === transport.toLowerCase());
  if (scheme === undefined) {
    const near = nearest(transport, LISTEN_TRANSPORTS);
    const meant = near === undefined ? '' : `, did you mean "${near}"?`;
    throw new RangeError(
      `unknown transport "${transport}", expected ${LISTEN_TRANSPORTS.join(', ')} (got "${text}")${meant}`,
    );
  }
  const bracketed = hostPart.startsWith('[');
  const host = bracketed ? hostPart.slice(1, -1) : hostPart;
  if (isIP(host) !== (bracketed ? 6 : 4) || host.includes('%')) {
    const hint = host === '*' || host === '' ? '; every IPv4 address of the machine is 0.0.0.0, of IPv6 [::]' : '';
    throw new RangeError(`"${hostPart}" is not an IP address (IPv6 in brackets)${hint} (got "${text}")`);
  }
  const port = Number(portPart);
  if (port > 65_535) throw new RangeError(`port ${port} is above 65535 (got "${text}")`);
  return { transport: scheme, host, port };
}

/** `udp:127.0.0.1:5060`, `udp:[::1]:5060`. */
export function formatListenAddress(address: ListenAddress): string {
  return formatListener(address.transport, address.host, address.port);
}

/** `127.0.0.1:5060`, `[::1]:5060`. */
export function hostPort(address: ListenAddress): string {
  return formatListenAddress(address).slice(address.transport.length + 1);
}

/** Whether it stands for every address of the machine. */
export function isAnywhere(host: string): boolean {
  const bytes = new Uint8Array(16);
  return parseIp(host, bytes, 0) !== 0 && bytes.every((byte) => byte === 0);
}

/** Whether only this machine can reach the address. */
export function isLoopback(host: string): boolean {
  const bytes = new Uint8Array(16);
  if (parseIp(host, bytes, 0) === 4) return bytes[0] === 127;
  const words = new Uint16Array(bytes.buffer);
  if (words.subarray(0, 5).some((word) => word !== 0)) return false;
  const mapped = words[5] === 0xffff && bytes[12] === 127;
  return mapped || (words[5] === 0 && words[6] === 0 && bytes[14] === 0 && bytes[15] === 1);
}
