// The section `lookup` of the configuration: who may ask where a user is, and where besides SIP.

import { z } from 'zod';
import { parseIpPrefix } from '../registrar/ip-prefix.ts';
import { DEFAULT_LOOKUP_POLICY, type LookupPolicy } from '../registrar/lookup-policy.ts';
import { choice, listOf, section } from './config-values.ts';

const keys = z.strictObject(
  {
    sip: choice('off', 'trusted', 'authenticated', 'anyone').optional(),
    from: listOf(parsePrefix).optional(),
  },
  section,
);

export const lookupSchema = keys;
/** Names of the section's keys, for "did you mean". */
export const lookupKeys = keys.shape;

/** This machine may ask whatever else is configured. */
export function fillLookup(raw: z.output<typeof keys>): LookupPolicy {
  return {
    sip: raw.sip ?? DEFAULT_LOOKUP_POLICY.sip,
    from: [...DEFAULT_LOOKUP_POLICY.from, ...(raw.from ?? [])],
  };
}

function parsePrefix(prefix: string): string {
  if (parseIpPrefix(prefix) === null)
    throw new RangeError(`expected an address or a prefix such as 192.0.2.0/24, got "${prefix}"`);
  return prefix;
}
