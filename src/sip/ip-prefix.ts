// Address prefixes in text ("192.0.2.0/24", "2001:db8::/32", or a single address) to numbers, for lists in the
// configuration. Rare work, plain code; matching is trusted-sources.ts.

import { isMappedIp, parseIp } from './ip.ts';

export interface IpPrefix {
  readonly family: 4 | 6;
  /** 4 or 16 bytes in network order, zero behind the prefix. */
  readonly bytes: Uint8Array;
  readonly bits: number;
}

/** The prefix, or null for any other text. An IPv4-mapped one (::ffff:0:0/96 and longer) is its IPv4 prefix. */
export function parseIpPrefix(text: string): IpPrefix | null {
  const [address, length, ...rest] = text.split('/');
  const ip = new Uint8Array(16);
  const family = parseIp(address, ip, 0);
  if (family === 0 || rest.length > 0) return null;
  const bytes = family === 4 ? ip.slice(0, 4) : ip;
  const bits = length === undefined ? bytes.length * 8 : decimalTo(length, bytes.length * 8);
  if (bits < 0) return null;
  if (family === 6 && isMappedIp(bytes, 0) && bits >= 96) return prefixOf(bytes.slice(12), bits - 96);
  return prefixOf(bytes, bits);
}

function prefixOf(bytes: Uint8Array, bits: number): IpPrefix {
  for (let i = 0; i < bytes.length; i++) bytes[i] &= maskByte(bits, i);
  return { family: bytes.length === 4 ? 4 : 6, bytes, bits };
}

/** Byte `i` of the mask of a prefix. */
export function maskByte(bits: number, i: number): number {
  const left = bits - 8 * i;
  return left >= 8 ? 255 : left <= 0 ? 0 : (0xff00 >> left) & 255;
}

/** A decimal number without leading zeros up to `max`, or -1. */
function decimalTo(text: string, max: number): number {
  return /^(0|[1-9]\d{0,2})$/.test(text) && Number(text) <= max ? Number(text) : -1;
}
