// The served domains: does a host name of a message stand among them? Compared without regard to case (RFC 3261 §19.1.4).
// Byte tables only; what a foreign domain means is decided elsewhere.
// @hot

import { OPENING_BRACKET, readIpHost } from '../../sip/ip.ts';
import { LOWER, sameBytes, sameText } from '../../sip/scanner.ts';

const EMPTY: readonly Uint8Array[] = [];
const IP_BYTES = 16;

export class Domains {
  /** Every domain is served. */
  readonly all: boolean;
  private readonly byHash = new Map<number, Uint8Array[]>();
  /** Bit by length (its low five bits) of the names there are: most others need no hash. */
  private lengths = 0;
  /** Those of the names that are IPv6 references. */
  private readonly addresses: Uint8Array[] = [];
  private readonly ip = new Uint8Array(IP_BYTES);

  /** @param names as in Policy.domains: lower case, IPv6 references with brackets, "*" for every domain */
  constructor(names: readonly string[]) {
    this.all = names.includes('*');
    for (const name of names) {
      const bytes = Uint8Array.from(withoutRootDot(name.toLowerCase()), (c) => c.charCodeAt(0));
      this.lengths |= 1 << (bytes.length & 31);
      const hash = hashOf(bytes, 0, bytes.length);
      this.byHash.set(hash, [...(this.byHash.get(hash) ?? EMPTY), bytes]);
      if (readIpv6(bytes, 0, bytes.length, this.ip)) this.addresses.push(this.ip.slice());
    }
  }

  serves(bytes: Uint8Array, at: number, end: number): boolean {
    if (this.all) return true;
    if ((this.lengths & (1 << ((end - at) & 31))) === 0) return false;
    const found = this.byHash.get(hashOf(bytes, at, end));
    if (found === undefined) return false;
    for (let i = 0; i < found.length; i++) if (sameText(bytes, at, end, found[i], 0, found[i].length)) return true;
    return false;
  }

  /** Whether an IPv6 reference is one of the names, however either is spelled (RFC 5954 §4.2). */
  haveAddress(bytes: Uint8Array, at: number, end: number): boolean {
    const { addresses, ip } = this;
    if (addresses.length === 0 || !readIpv6(bytes, at, end, ip)) return false;
    for (let i = 0; i < addresses.length; i++) if (sameBytes(addresses[i], 0, IP_BYTES, ip, 0, IP_BYTES)) return true;
    return false;
  }
}

function readIpv6(bytes: Uint8Array, at: number, end: number, into: Uint8Array): boolean {
  return bytes[at] === OPENING_BRACKET && readIpHost(bytes, at, end, into) === 6;
}

/** `example.com.` is `example.com`, as the parser reads hosts. */
export function withoutRootDot(name: string): string {
  return name.length > 1 && name.endsWith('.') ? name.slice(0, -1) : name;
}

function hashOf(bytes: Uint8Array, at: number, end: number): number {
  let hash = end - at;
  for (let i = at; i < end; i++) hash = (Math.imul(hash, 31) + LOWER[bytes[i]]) | 0;
  return hash;
}
