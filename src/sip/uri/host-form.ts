// Whether a host follows the grammar (RFC 3261 §25.1 `host`, with the addresses of RFC 5954 §4.1). Strict parsers drop
// messages with any other.
// @hot

import { COLON, DOT, HEX as theHexDigits } from '../scanner.ts';

// A constant of this module: V8 compiles its address in, while it loads an import each time it is used.
const HEX = theHexDigits;

const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const HYPHEN = 0x2d;
const ZERO = 0x30;
const GROUPS = 8;

/** A host name without a final dot, an IPv4 address or an IPv6 reference. */
export function isHost(bytes: Uint8Array, at: number, end: number): boolean {
  if (at < end && bytes[at] === OPEN_BRACKET) return bytes[end - 1] === CLOSE_BRACKET && isIpv6(bytes, at + 1, end - 1);
  if (at < end && isDigit(bytes[at]) && isIpv4(bytes, at, end)) return true; // the usual one
  let label = at;
  for (let p = at; p < end; p++) {
    const byte = bytes[p];
    if (byte === DOT) {
      if (p === label || bytes[p - 1] === HYPHEN) return false;
      label = p + 1;
    } else if (!isAlphanumeric(byte) && (byte !== HYPHEN || p === label)) return false;
  }
  if (label === end || bytes[end - 1] === HYPHEN) return false;
  return !isDigit(bytes[label]);
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= 0x39;
}

function isAlphanumeric(byte: number): boolean {
  const letter = byte | 0x20;
  return isDigit(byte) || (letter >= 0x61 && letter <= 0x7a);
}

/** Four numbers of 0 to 255 without leading zeros. */
function isIpv4(bytes: Uint8Array, at: number, end: number): boolean {
  let octets = 0;
  for (let p = at; ; p++) {
    const first = p;
    let value = 0;
    for (; p < end && isDigit(bytes[p]) && p < first + 3; p++) value = value * 10 + bytes[p] - ZERO;
    if (p === first || value > 255 || (bytes[first] === ZERO && p > first + 1)) return false;
    octets++;
    if (p === end) return octets === 4;
    if (bytes[p] !== DOT || octets === 4) return false;
  }
}

/** Eight groups, or fewer with one "::"; the last two may be an IPv4 address. */
function isIpv6(bytes: Uint8Array, at: number, end: number): boolean {
  let groups = 0;
  let gap = false;
  let p = at;
  if (end - at >= 2 && bytes[at] === COLON) {
    if (bytes[at + 1] !== COLON) return false;
    gap = true;
    p += 2;
  }
  while (p < end) {
    const first = p;
    while (p < end && HEX[bytes[p]] < 16) p++;
    if (p < end && bytes[p] === DOT) {
      groups += 2;
      return isIpv4(bytes, first, end) && fills(groups, gap);
    }
    if (p === first || p - first > 4) return false;
    groups++;
    if (p === end) break;
    if (bytes[p] !== COLON || ++p === end) return false;
    if (bytes[p] !== COLON) continue;
    if (gap) return false;
    gap = true;
    p++;
  }
  return fills(groups, gap);
}

function fills(groups: number, gap: boolean): boolean {
  return gap ? groups < GROUPS : groups === GROUPS;
}
