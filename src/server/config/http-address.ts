// Addresses of HTTP listeners: `http:HOST:PORT`, `https:HOST:PORT`, or as URLs. http-server.ts listens on them.

import { isIP } from 'node:net';

export interface HttpAddress {
  readonly scheme: 'http' | 'https';
  /** An IP address, IPv6 without brackets. */
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
}

const SHAPE = /^(https?):(?:\/\/)?(\[[^\]]*\]|[^:[\]/]*):([0-9]{1,5})\/?$/i;

/** Throws a RangeError whose message names the fault. */
export function parseHttpAddress(text: string): HttpAddress {
  const parts = SHAPE.exec(text);
  if (parts === null) {
    throw new RangeError(`expected http:HOST:PORT or https:HOST:PORT such as http:127.0.0.1:8060, got "${text}"`);
  }
  const [, scheme, hostPart, portPart] = parts;
  const bracketed = hostPart.startsWith('[');
  const host = hostPart === 'localhost' ? '127.0.0.1' : bracketed ? hostPart.slice(1, -1) : hostPart;
  if (isIP(host) !== (bracketed ? 6 : 4) || host.includes('%')) {
    throw new RangeError(`"${hostPart}" is not an IP address (IPv6 in brackets) (got "${text}")`);
  }
  const port = Number(portPart);
  if (port > 65_535) throw new RangeError(`port ${port} is above 65535 (got "${text}")`);
  return { scheme: scheme.toLowerCase() === 'https' ? 'https' : 'http', host, port };
}

/** As a URL without a path: `http://127.0.0.1:8060`. */
export function httpUrl({ scheme, host, port }: HttpAddress): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
