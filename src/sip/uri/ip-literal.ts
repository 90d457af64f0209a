// Addresses in the hosts of URIs as bytes: IPv4, and IPv6 in its brackets (RFC 3261 §25.1), and which of them nobody far away
// can reach.
// @hot

import { COLON, DOT, HEX } from '../scanner.ts';

const OPENING_BRACKET = 0x5b;

/** The address that `readAddress` has found, in network order; IPv4 fills the first four. */
export const address = new Uint8Array(16);

/** Reads the host in bytes[at, end): 4 or 6, or 0 where it is no address. An IPv4-mapped one is its IPv4 address. */
export function readAddress(bytes: Uint8Array, at: number, end: number): number {
  if (bytes[at] !== OPENING_BRACKET) return readIpv4(bytes, at, end, 0) ? 4 : 0;
  if (!readIpv6(bytes, at + 1, end - 1)) return 0;
  if (!isMapped()) return 6;
  address.copyWithin(0, 12);
  return 4;
}

/** Into address[into, into + 4). */
function readIpv4(bytes: Uint8Array, at: number, end: number, into: number): boolean {
  let octets = 0;
  for (let p = at; p <= end; p++) {
    let value = 0;
    const start = p;
    for (; p < end && bytes[p] !== DOT; p++) {
      const digit = HEX[bytes[p]];
      if (digit > 9 || p - start === 3) return false;
      value = value * 10 + digit;
    }
    if (p === start || value > 255 || octets === 4) return false;
    address[into + octets++] = value;
  }
  return octets === 4;
}

function readIpv6(bytes: Uint8Array, at: number, end: number): boolean {
  let count = 0;
  let gap = -1;
  let p = at;
  if (bytes[p] === COLON && bytes[p + 1] === COLON) {
    gap = 0;
    p += 2;
  }
  while (p < end) {
    if (count === 16) return false;
    let value = 0;
    const start = p;
    while (p < end && HEX[bytes[p]] < 16 && p - start < 4) value = (value << 4) | HEX[bytes[p++]];
    if (p < end && bytes[p] === DOT) {
      if (count > 12 || !readIpv4(bytes, start, end, count)) return false;
      count += 4;
      break;
    }
    if (p === start) return false;
    address[count++] = value >> 8;
    address[count++] = value;
    if (p === end) break;
    if (bytes[p++] !== COLON || p === end) return false;
    if (bytes[p] !== COLON) continue;
    if (gap >= 0) return false;
    gap = count;
    p++;
  }
  if (gap < 0) return count === 16;
  if (count > 14) return false;
  address.copyWithin(16 - count + gap, gap, count);
  address.fill(0, gap, 16 - count + gap);
  return true;
}

function isMapped(): boolean {
  for (let i = 0; i < 10; i++) if (address[i] !== 0) return false;
  return address[10] === 255 && address[11] === 255;
}

/** Whether the address found is of one network or one machine alone, or none that anything can be sent to. */
export function isLocalAddress(family: number): boolean {
  const a = address[0];
  const b = address[1];
  if (family === 6) return (a & 0xfe) === 0xfc || (a === 0xfe && (b & 0xc0) === 0x80) || a === 0xff || isLoopback();
  if (a === 0 || a === 10 || a === 127 || a >= 224) return true;
  if (a === 172) return (b & 0xf0) === 16;
  if (a === 100) return (b & 0xc0) === 64; // a carrier's NAT (RFC 6598)
  return (a === 192 && b === 168) || (a === 169 && b === 254);
}

/** ::1, and :: itself. */
function isLoopback(): boolean {
  for (let i = 0; i < 15; i++) if (address[i] !== 0) return false;
  return address[15] <= 1;
}
