// The served domains, and whether a message's host name is one of them. Compared without regard to case (RFC 3261
// §19.1.4), IPv6 references as addresses (RFC 5954 §4.2).
// Byte tables only; callers decide about foreign domains.
// @hot

import { IPV6_HOST_BYTES, OPENING_BRACKET, writeIpv6Host } from '../../sip/ip.ts';
import { LOWER, sameText } from '../../sip/scanner.ts';
import { ascii } from '../../sip/writer.ts';

const EMPTY: readonly Uint8Array[] = [];

export class Domains {
  /** Every domain is served. */
  readonly all: boolean;
  private readonly byHash = new Map<number, Uint8Array[]>();
  /** Bit by length (its low five bits) of the served names: most foreign names need no hash. */
  private lengths = 0;
  private hasIpv6 = false;
  private readonly ipv6 = new Uint8Array(IPV6_HOST_BYTES);

  /** @param names as in Policy.domains: lower case, IPv6 references with brackets, "*" for every domain */
  constructor(names: readonly string[]) {
    this.all = names.includes('*');
    for (const name of names) {
      const bytes = ascii(canonicalDomain(name));
      this.lengths |= 1 << (bytes.length & 31);
      const hash = hashOf(bytes, 0, bytes.length);
      this.byHash.set(hash, [...(this.byHash.get(hash) ?? EMPTY), bytes]);
      this.hasIpv6 ||= bytes[0] === OPENING_BRACKET;
    }
  }

  serves(bytes: Uint8Array, at: number, end: number): boolean {
    if (this.all) return true;
    if (this.has(bytes, at, end)) return true;
    const { ipv6 } = this;
    const length = this.hasIpv6 ? writeIpv6Host(bytes, at, end, ipv6) : 0; // in any spelling
    return length > 0 && this.has(ipv6, 0, length);
  }

  private has(bytes: Uint8Array, at: number, end: number): boolean {
    if ((this.lengths & (1 << ((end - at) & 31))) === 0) return false;
    const found = this.byHash.get(hashOf(bytes, at, end));
    if (found === undefined) return false;
    for (let i = 0; i < found.length; i++) if (sameText(bytes, at, end, found[i], 0, found[i].length)) return true;
    return false;
  }
}

/**
 * A domain in the form of AORs: in lower case, without a final dot (`example.com.` is `example.com`, as the parser reads hosts), an
 * IPv6 reference in the form of RFC 5952. @cold
 */
export function canonicalDomain(domain: string): string {
  const lower = domain.toLowerCase();
  const name = lower.length > 1 && lower.endsWith('.') ? lower.slice(0, -1) : lower;
  const into = new Uint8Array(IPV6_HOST_BYTES);
  const length = writeIpv6Host(ascii(name), 0, name.length, into);
  return length > 0 ? String.fromCharCode(...into.subarray(0, length)) : name;
}

function hashOf(bytes: Uint8Array, at: number, end: number): number {
  let hash = end - at;
  for (let i = at; i < end; i++) hash = (Math.imul(hash, 31) + LOWER[bytes[i]]) | 0;
  return hash;
}
