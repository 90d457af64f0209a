// IP addresses between text and the bytes that peers hold. No sockets, no names, no DNS.

import { isIP } from 'node:net';

/** 4 or 6, and the address in network order (four bytes or sixteen) written to `into` at `at`; 0 where it is neither. */
export function parseIp(text: string, into: Uint8Array, at: number): 0 | 4 | 6 {
  const family = isIP(text);
  if (family === 0 || text.includes('%')) return 0;
  into.fill(0, at, at + 16);
  if (family === 4) {
    parseQuad(text, into, at);
    return 4;
  }
  parseIpv6(text, into, at);
  return 6;
}

function parseQuad(text: string, into: Uint8Array, at: number): void {
  let part = 0;
  let value = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 46) {
      into[at + part++] = value;
      value = 0;
    } else value = value * 10 + code - 48;
  }
  into[at + part] = value;
}

function parseIpv6(text: string, into: Uint8Array, at: number): void {
  const [head, tail] = text.split('::') as [string, string | undefined];
  const front = groups(head);
  const back = tail === undefined ? [] : groups(tail);
  into.set(front, at);
  into.set(back, at + 16 - back.length);
}

function groups(text: string): number[] {
  const out: number[] = [];
  if (text === '') return out;
  for (const group of text.split(':')) {
    if (group.includes('.')) {
      for (const part of group.split('.')) out.push(Number(part));
    } else {
      const value = Number.parseInt(group, 16);
      out.push(value >> 8, value & 255);
    }
  }
  return out;
}

/** The text of an address; IPv6 as eight groups without zero compression, which every resolver takes. */
export function formatIp(family: number, bytes: Uint8Array, at: number): string {
  if (family === 4) return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`;
  let text = '';
  for (let i = 0; i < 16; i += 2) {
    text += (i === 0 ? '' : ':') + ((bytes[at + i] << 8) | bytes[at + i + 1]).toString(16);
  }
  return text;
}

/** `udp:127.0.0.1:5060`, `udp:[::1]:5060`. */
export function formatListener(transport: string, host: string, port: number): string {
  return host.includes(':') ? `${transport}:[${host}]:${port}` : `${transport}:${host}:${port}`;
}

/** What to say when a listener cannot be bound; `code` is Node's errno name. */
export function bindError(code: string, listener: string): Error {
  const error: NodeJS.ErrnoException = new Error(`${BIND_REASONS[code] ?? `cannot listen (${code})`}: ${listener}`);
  error.code = code;
  return error;
}

const BIND_REASONS: { readonly [code: string]: string } = {
  EADDRINUSE: 'address in use',
  EADDRNOTAVAIL: 'address not of this machine',
  EACCES: 'not allowed to bind',
  EAFNOSUPPORT: 'address family not supported',
  EINVAL: 'not an address to listen on',
};
