// The part `hep` of the configuration: the destination of message copies, and the share of AORs.

import { isIP } from 'node:net';
import { expected } from '../rows/kinds.ts';

export interface HepConfig {
  readonly to: Collector;
  /** Percent of all AORs whose messages are sent, 0 to 100; traced ones are sent anyway. */
  readonly samplePercent: number;
  readonly captureId: number;
  readonly authKey?: string;
}

/** IP address and UDP port of the collector. */
export interface Collector {
  readonly host: string;
  readonly port: number;
}

/** Defaults of the section. */
export const DEFAULT_HEP: Omit<HepConfig, 'to'> = { samplePercent: 100, captureId: 2001 };

const PORT = 9060;

/** Reads `HOST`, `HOST:PORT` or `udp:HOST:PORT`. Throws a RangeError. */
export function parseCollector(text: string): Collector {
  const parts = /^(?:udp:)?(\[[^\]]*\]|[^:]*)(?::([0-9]{1,5}))?$/.exec(text);
  const host = parts?.[1].replace(/^\[|\]$/g, '') ?? '';
  const port = Number(parts?.[2] ?? PORT);
  if (isIP(host) === 0 || port < 1 || port > 65_535)
    throw new RangeError(expected('an address such as 192.0.2.9:9060', text));
  return { host, port };
}

export function formatCollector({ host, port }: Collector): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
