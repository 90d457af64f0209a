// The served domains: does a host name of a message stand among them? Compared without regard to case (RFC 3261 §19.1.4).
// Byte tables only; what a foreign domain means is decided elsewhere.
// @hot

import { LOWER, sameText } from '../../sip/scanner.ts';

const EMPTY: readonly Uint8Array[] = [];

export class Domains {
  /** Every domain is served. */
  readonly all: boolean;
  private readonly byHash = new Map<number, Uint8Array[]>();
  /** Bit by length (its low five bits) of the names there are: most others need no hash. */
  private lengths = 0;

  /** @param names as in Policy.domains: lower case, IPv6 references with brackets, "*" for every domain */
  constructor(names: readonly string[]) {
    this.all = names.includes('*');
    for (const name of names) {
      const bytes = Uint8Array.from(withoutRootDot(name.toLowerCase()), (c) => c.charCodeAt(0));
      this.lengths |= 1 << (bytes.length & 31);
      const hash = hashOf(bytes, 0, bytes.length);
      this.byHash.set(hash, [...(this.byHash.get(hash) ?? EMPTY), bytes]);
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
