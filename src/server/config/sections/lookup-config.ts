// The section `lookup` of the configuration: who may ask where a user is, and where besides SIP.

import { isIP } from 'node:net';
import { z } from 'zod';
import { DEFAULT_LOOKUP_POLICY, type LookupPolicy } from '../../../core/uas/lookup-policy.ts';
import { parseIpPrefix } from '../../../sip/ip-prefix.ts';
import { anyOf, choice, section } from '../config-values.ts';

export interface HttpAddress {
  /** An IP address, IPv6 without brackets. */
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
}

const keys = z.strictObject(
  {
    sip: choice('off', 'trusted', 'authenticated', 'anyone').optional(),
    from: anyOf(parsePrefix).optional(),
    http: anyOf(parseHttpAddress).optional(),
  },
  section,
);

export const lookupSchema = keys;

/** This machine may ask whatever else is configured. */
export function fillLookup(raw: z.output<typeof keys>): LookupPolicy {
  return {
    sip: raw.sip ?? DEFAULT_LOOKUP_POLICY.sip,
    from: [...DEFAULT_LOOKUP_POLICY.from, ...(raw.from ?? [])],
  };
}

/** Listeners for lookups by HTTP. */
export function fillLookupHttp(raw: z.output<typeof keys>): readonly HttpAddress[] {
  return raw.http ?? [];
}

const SHAPE = /^http:(?:\/\/)?(\[[^\]]*\]|[^:[\]/]*):([0-9]{1,5})\/?$/i;

/** Reads `http:HOST:PORT`. Throws a RangeError whose message says what is wrong. */
function parseHttpAddress(text: string): HttpAddress {
  const parts = SHAPE.exec(text);
  const host = parts?.[1].replace(/^\[|\]$/g, '') ?? '';
  const address = host === 'localhost' ? '127.0.0.1' : host;
  if (parts === null || isIP(address) === 0 || Number(parts[2]) > 65_535)
    throw new RangeError(`expected http:HOST:PORT with an IP address, such as http:127.0.0.1:8061, got "${text}"`);
  return { host: address, port: Number(parts[2]) };
}

function parsePrefix(prefix: string): string {
  if (parseIpPrefix(prefix) === null)
    throw new RangeError(`expected an address or a prefix such as 192.0.2.0/24, got "${prefix}"`);
  return prefix;
}
