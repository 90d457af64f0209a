// Listeners for lookups by HTTP: `http:HOST:PORT`, without TLS.

import { isIP } from 'node:net';

export interface HttpAddress {
  /** An IP address, IPv6 without brackets. */
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
}

const SHAPE = /^http:(?:\/\/)?(\[[^\]]*\]|[^:[\]/]*):([0-9]{1,5})\/?$/i;

/** Reads `http:HOST:PORT`. Throws a RangeError whose message names the fault. */
export function parseHttpAddress(text: string): HttpAddress {
  const parts = SHAPE.exec(text);
  const host = parts?.[1].replace(/^\[|\]$/g, '') ?? '';
  const address = host === 'localhost' ? '127.0.0.1' : host;
  if (parts === null || isIP(address) === 0 || Number(parts[2]) > 65_535)
    throw new RangeError(`expected http:HOST:PORT with an IP address, such as http:127.0.0.1:8061, got "${text}"`);
  return { host: address, port: Number(parts[2]) };
}

export function formatHttpAddress({ host, port }: HttpAddress): string {
  return `http:${host.includes(':') ? `[${host}]` : host}:${port}`;
}
