// A list of address prefixes, compiled to numbers, and the question whether a message came from one: for proxies that may assert
// identity, and for sources without limits. The consequences are the callers'.
// @hot

import { type IpPrefix, maskByte, parseIpPrefix } from '../../sip/ip-prefix.ts';
import type { Peers } from '../../sip/sources.ts';

const WORDS_4 = 2; // address, mask
const WORDS_6 = 8; // four words of address, four of mask

export class TrustedSources {
  /** Prefixes in the list. */
  readonly count: number;
  private readonly ipv4: Int32Array;
  private readonly ipv6: Int32Array;

  /**
   * @param prefixes CIDR prefixes or single addresses
   * @throws RangeError for one that is neither
   */
  constructor(prefixes: readonly string[]) {
    const parsed = prefixes.map(parsePrefix);
    this.count = parsed.length;
    this.ipv4 = compile(parsed, 4);
    this.ipv6 = compile(parsed, 6);
  }

  /** Whether the peer's address lies in one of the prefixes. Over UDP an address is a claim, not a proof. */
  trusts(peers: Peers, row: number): boolean {
    if (this.count === 0) return false;
    const { ip } = peers;
    const at = row << 4;
    if (peers.family[row] !== 6) return this.hasIpv4(wordAt(ip, at));
    const w0 = wordAt(ip, at);
    const w1 = wordAt(ip, at + 4);
    const w2 = wordAt(ip, at + 8);
    const w3 = wordAt(ip, at + 12);
    if (w0 === 0 && w1 === 0 && w2 === 0xffff && this.hasIpv4(w3)) return true;
    const list = this.ipv6;
    for (let i = 0; i < list.length; i += WORDS_6) {
      if (
        (w0 & list[i + 4]) === list[i] &&
        (w1 & list[i + 5]) === list[i + 1] &&
        (w2 & list[i + 6]) === list[i + 2] &&
        (w3 & list[i + 7]) === list[i + 3]
      )
        return true;
    }
    return false;
  }

  private hasIpv4(word: number): boolean {
    const list = this.ipv4;
    for (let i = 0; i < list.length; i += WORDS_4) if ((word & list[i + 1]) === list[i]) return true;
    return false;
  }
}

/** @cold */
function parsePrefix(text: string): IpPrefix {
  const prefix = parseIpPrefix(text);
  if (prefix === null) throw new RangeError(`no address and no prefix: ${text}`);
  return prefix;
}

/** Words of address and mask, one prefix after the other. @cold */
function compile(prefixes: readonly IpPrefix[], family: 4 | 6): Int32Array {
  const words: number[] = [];
  for (const { bytes, bits } of prefixes.filter((prefix) => prefix.family === family)) {
    const mask = bytes.map((_, i) => maskByte(bits, i));
    for (const half of [bytes, mask]) for (let i = 0; i < bytes.length; i += 4) words.push(wordAt(half, i));
  }
  return Int32Array.from(words);
}

function wordAt(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
}
