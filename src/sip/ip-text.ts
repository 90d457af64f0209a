// Addresses as text: dotted decimal, and RFC 5952's form for IPv6, without brackets. Numbers to bytes, nothing else.
// @hot

import type { Peers } from './sources.ts';

const HEX = Uint8Array.from('0123456789abcdef', (c) => c.charCodeAt(0));

/** Writes the address of a peer's row at the start of `into` (at least 46 bytes); returns its length. */
export function writeIp(peers: Pick<Peers, 'family' | 'ip'>, row: number, into: Uint8Array): number {
  const at = row * 16;
  if (peers.family[row] === 6) return writeIpv6(peers.ip, at, into);
  let w = writeOctet(peers.ip[at], into, 0);
  for (let i = 1; i < 4; i++) {
    into[w++] = 0x2e;
    w = writeOctet(peers.ip[at + i], into, w);
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
      into[w++] = 0x3a;
      into[w++] = 0x3a;
      i += gapLength - 1;
      continue;
    }
    if (w > 0 && into[w - 1] !== 0x3a) into[w++] = 0x3a;
    w = writeGroup(group(ip, at, i), into, w);
  }
  return w;
}

function writeGroup(value: number, into: Uint8Array, at: number): number {
  let w = at;
  for (let shift = 12; shift >= 0; shift -= 4) {
    if (w > at || shift === 0 || value >>> shift !== 0) into[w++] = HEX[(value >>> shift) & 15];
  }
  return w;
}

/** @cold */
export function ipText(peers: Peers, row: number): string {
  const bytes = new Uint8Array(46);
  return String.fromCharCode(...bytes.subarray(0, writeIp(peers, row, bytes)));
}
