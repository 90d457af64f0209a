// IP addresses: text to bytes, bytes to text, and which addresses are local to a network. Bytes are in network order, sixteen of
// them, of which IPv4 fills the first four. No sockets, no names, no DNS.
// @hot

import { COLON, DOT, HEX } from './scanner.ts';
import type { Peers } from './sources.ts';
import { ascii } from './writer.ts';

/** Maximum bytes of a written address. */
const IP_TEXT_BYTES = 46;

/** Space for an IPv6 reference, with its brackets. */
export const IPV6_HOST_BYTES = IP_TEXT_BYTES + 2;
export const OPENING_BRACKET = 0x5b;
const CLOSING_BRACKET = 0x5d;
const DIGITS = ascii('0123456789abcdef');
const address = new Uint8Array(16);
const text = new Uint8Array(IP_TEXT_BYTES);

/** Reads the text in bytes[at, end) into into[to, to + 16): 4 or 6, or 0 for another text; then `into` is undefined. */
function readIp(bytes: Uint8Array, at: number, end: number, into: Uint8Array, to: number): 0 | 4 | 6 {
  if (readIpv4(bytes, at, end, into, to)) {
    into.fill(0, to + 4, to + 16);
    return 4;
  }
  return readIpv6(bytes, at, end, into, to) ? 6 : 0;
}

/** Reads the host of a URI (RFC 3261 §25.1), IPv6 in its brackets. An IPv4-mapped one is its IPv4 address. */
export function readIpHost(bytes: Uint8Array, at: number, end: number, into: Uint8Array): 0 | 4 | 6 {
  if (bytes[at] !== OPENING_BRACKET) return readIpv4(bytes, at, end, into, 0) ? 4 : 0;
  if (!readIpv6(bytes, at + 1, end - 1, into, 0)) return 0;
  if (!isMappedIp(into, 0)) return 6;
  into.copyWithin(0, 12);
  return 4;
}

/**
 * Writes an IPv6 reference of a URI in the form of RFC 5952, with its brackets, at into[0, IPV6_HOST_BYTES): all spellings are one address
 * (RFC 5954 §4.2). Returns the length; 0 for another host.
 */
export function writeIpv6Host(bytes: Uint8Array, at: number, end: number, into: Uint8Array): number {
  if (bytes[at] !== OPENING_BRACKET || bytes[end - 1] !== CLOSING_BRACKET) return 0;
  if (!readIpv6(bytes, at + 1, end - 1, address, 0)) return 0;
  const length = writeIpv6(address, 0, text);
  into[0] = OPENING_BRACKET;
  for (let i = 0; i < length; i++) into[1 + i] = text[i];
  into[1 + length] = CLOSING_BRACKET;
  return length + 2;
}

function readIpv4(bytes: Uint8Array, at: number, end: number, into: Uint8Array, to: number): boolean {
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
    into[to + octets++] = value;
  }
  return octets === 4;
}

function readIpv6(bytes: Uint8Array, at: number, end: number, into: Uint8Array, to: number): boolean {
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
      if (count > 12 || !readIpv4(bytes, start, end, into, to + count)) return false;
      count += 4;
      break;
    }
    if (p === start) return false;
    into[to + count++] = value >> 8;
    into[to + count++] = value;
    if (p === end) break;
    if (bytes[p++] !== COLON || p === end) return false;
    if (bytes[p] !== COLON) continue;
    if (gap >= 0) return false;
    gap = count;
    p++;
  }
  if (gap < 0) return count === 16;
  if (count > 14) return false;
  into.copyWithin(to + 16 - count + gap, to + gap, to + count);
  into.fill(0, to + gap, to + 16 - count + gap);
  return true;
}

/** Whether sixteen bytes are in ::ffff:0:0/96. */
export function isMappedIp(ip: Uint8Array, at: number): boolean {
  for (let i = 0; i < 10; i++) if (ip[at + i] !== 0) return false;
  return ip[at + 10] === 255 && ip[at + 11] === 255;
}

/** Whether an address is local to one network or machine, or no unicast target. */
export function isLocalIp(family: number, ip: Uint8Array): boolean {
  const a = ip[0];
  const b = ip[1];
  if (family === 6) return (a & 0xfe) === 0xfc || (a === 0xfe && (b & 0xc0) === 0x80) || a === 0xff || isLoopback(ip);
  if (a === 0 || a === 10 || a === 127 || a >= 224) return true;
  if (a === 172) return (b & 0xf0) === 16;
  if (a === 100) return (b & 0xc0) === 64; // a carrier's NAT (RFC 6598)
  return (a === 192 && b === 168) || (a === 169 && b === 254);
}

/** ::1, and :: itself. */
function isLoopback(ip: Uint8Array): boolean {
  for (let i = 0; i < 15; i++) if (ip[i] !== 0) return false;
  return ip[15] <= 1;
}

/** Writes the address of a source's row at the start of `into`, at least 46 bytes; returns its length. */
export function writeIp(peers: Pick<Peers, 'family' | 'ip'>, row: number, into: Uint8Array): number {
  return writeAddress(peers.family[row], peers.ip, row << 4, into);
}

/** Writes dotted decimal, or RFC 5952's form for IPv6, without brackets. */
function writeAddress(family: number, ip: Uint8Array, at: number, into: Uint8Array): number {
  if (family === 6) return writeIpv6(ip, at, into);
  let w = writeOctet(ip[at], into, 0);
  for (let i = 1; i < 4; i++) {
    into[w++] = DOT;
    w = writeOctet(ip[at + i], into, w);
  }
  return w;
}

function writeOctet(value: number, into: Uint8Array, at: number): number {
  let w = at;
  if (value >= 100) into[w++] = 0x30 + ((value / 100) | 0);
  if (value >= 10) into[w++] = 0x30 + (((value / 10) | 0) % 10);
  into[w++] = 0x30 + (value % 10);
  return w;
}

function group(ip: Uint8Array, at: number, i: number): number {
  return (ip[at + 2 * i] << 8) | ip[at + 2 * i + 1];
}

function writeIpv6(ip: Uint8Array, at: number, into: Uint8Array): number {
  // The longest run of at least two zero groups becomes "::"; the first of equals.
  let gapAt = 8;
  let gapLength = 1;
  for (let i = 0; i < 8; i++) {
    let n = 0;
    while (i + n < 8 && group(ip, at, i + n) === 0) n++;
    if (n > gapLength) {
      gapAt = i;
      gapLength = n;
    }
    i += n;
  }
  let w = 0;
  for (let i = 0; i < 8; i++) {
    if (i === gapAt) {
      into[w++] = COLON;
      into[w++] = COLON;
      i += gapLength - 1;
      continue;
    }
    if (w > 0 && into[w - 1] !== COLON) into[w++] = COLON;
    w = writeGroup(group(ip, at, i), into, w);
  }
  return w;
}

function writeGroup(value: number, into: Uint8Array, at: number): number {
  let w = at;
  for (let shift = 12; shift >= 0; shift -= 4) {
    if (w > at || shift === 0 || value >>> shift !== 0) into[w++] = DIGITS[(value >>> shift) & 15];
  }
  return w;
}

/** Reads the address in a text: 4 or 6, and its bytes in into[at, at + 16); 0 for another text. An octet has no leading zero. @cold */
export function parseIp(text: string, into: Uint8Array, at: number): 0 | 4 | 6 {
  if (text.length > IP_TEXT_BYTES || !/^[\da-f:.]+$/i.test(text) || /(?:^|[.:])0\d+\.|\.0\d/.test(text)) return 0;
  return readIp(ascii(text), 0, text.length, into, at);
}

/** The text of the address in bytes[at, at + 16). @cold */
export function formatIp(family: number, bytes: Uint8Array, at: number): string {
  const text = new Uint8Array(IP_TEXT_BYTES);
  return String.fromCharCode(...text.subarray(0, writeAddress(family, bytes, at, text)));
}

/** The text of the address in a source's row. @cold */
export function ipText(peers: Pick<Peers, 'family' | 'ip'>, row: number): string {
  return formatIp(peers.family[row], peers.ip, row << 4);
}
