// Texts of more than one section: addresses, prefixes, domains.

import { canonicalDomain } from '../../../core/uas/domains.ts';
import { parseIpPrefix } from '../../../sip/ip-prefix.ts';
import { anyOf, type Kind, parsed } from './kinds.ts';

export const prefix: Kind<string, string> = parsed('address or prefix (CIDR)', parsePrefix);
export const prefixes = anyOf(prefix);

/** Reads an address or a prefix. Throws a RangeError. */
function parsePrefix(text: string): string {
  if (parseIpPrefix(text) === null)
    throw new RangeError(`expected an address or a prefix such as 192.0.2.0/24, got "${text}"`);
  return text;
}

/** A served domain in the form of Policy.domains. Throws a RangeError. */
export function parseDomain(text: string): string {
  const domain = canonicalDomain(text);
  if (domain === '*') return domain;
  if (domain === 'fill-in') throw new RangeError(`"${text}" stands for a domain that you serve: write its name`);
  if (/^sips?:/.test(domain) || domain.includes('@'))
    throw new RangeError(`expected a domain such as example.com, got "${text}"`);
  if (/^[0-9a-f:.]+$/.test(domain) && domain.split(':').length > 2) return canonicalDomain(`[${domain}]`);
  if (
    /^\[[0-9a-f:.]+\]$/.test(domain) ||
    /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/.test(domain)
  )
    return domain;
  const hint = /:[0-9]+$/.test(domain) ? ' (without a port)' : '';
  throw new RangeError(`expected a domain such as example.com${hint}, an IP address or *, got "${text}"`);
}
