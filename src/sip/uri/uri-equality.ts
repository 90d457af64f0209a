// Whether two parsed URIs are one contact: RFC 3261 §19.1.4 to the letter, with IPv6 addresses by RFC 5954 §4.2. Not
// transitive, by the RFC's own rules.
// uri.ts parses; AORs are compared by their canonical form, not by this.
// @hot

import { OPENING_BRACKET, readIpHost } from '../ip.ts';
import { PARAMS_PER_VALUE_MAX } from '../parser/limits.ts';
import {
  SCHEME_SIP,
  SCHEME_SIPS,
  URI_AT,
  URI_END,
  URI_HEADERS_AT,
  URI_HEADERS_END,
  URI_HOST_AT,
  URI_HOST_END,
  URI_PARAMS_AT,
  URI_PARAMS_END,
  URI_PASSWORD_AT,
  URI_PASSWORD_END,
  URI_PORT,
  URI_SCHEME,
  URI_USER_AT,
  URI_USER_END,
} from '../parser/span-table.ts';
import {
  COLON,
  EQUALS,
  PERCENT,
  SEMICOLON,
  sameBytes,
  sameText,
  HEX as theHexDigits,
  LOWER as theLowerCase,
} from '../scanner.ts';
import { ascii } from '../writer.ts';

// Constants of this module: V8 compiles their addresses in, while it loads an import each time it is used.
const HEX = theHexDigits;
const LOWER = theLowerCase;

const AMPERSAND = 0x26;
/** Added to an escaped reserved character: it differs from the bare one. */
const ESCAPED = 256;

/** Parameters whose absence in one URI is a difference (§19.1.4: user, ttl, method, maddr; transport by its example). */
const TRANSPORT = ascii('transport');
const USER = ascii('user');
const TTL = ascii('ttl');
const METHOD = ascii('method');
const MADDR = ascii('maddr');

/** RFC 2396 §2.2 "reserved": the characters that an escape does not equal. */
const RESERVED: Uint8Array = reservedSet(ascii(';/?:@&=+$,'));

function reservedSet(characters: Uint8Array): Uint8Array {
  const set = new Uint8Array(256);
  for (const character of characters) set[character] = 1;
  return set;
}

/** A component of a list: NAME_AT, NAME_END, VALUE_AT (-1 without "="), VALUE_END. */
const PART_INTS = 4;
const aParts = new Int32Array(PART_INTS * PARAMS_PER_VALUE_MAX);
const bParts = new Int32Array(PART_INTS * PARAMS_PER_VALUE_MAX);

const aIp = new Uint8Array(16);
const bIp = new Uint8Array(16);

/**
 * Compares the URI record aTable[aBase …] over `a` with bTable[bBase …] over `b`; both parsed with E_OK. For schemes other than
 * sip and sips: the scheme without regard to case, the rest byte by byte.
 */
export function uriEquals(
  a: Uint8Array,
  aTable: Int32Array,
  aBase: number,
  b: Uint8Array,
  bTable: Int32Array,
  bBase: number,
): boolean {
  const scheme = aTable[aBase + URI_SCHEME];
  if (scheme !== bTable[bBase + URI_SCHEME]) return false;
  const aAt = aTable[aBase + URI_AT];
  const aEnd = aTable[aBase + URI_END];
  const bAt = bTable[bBase + URI_AT];
  const bEnd = bTable[bBase + URI_END];
  if (sameBytes(a, aAt, aEnd, b, bAt, bEnd)) return true;
  if (scheme !== SCHEME_SIP && scheme !== SCHEME_SIPS) {
    const aRest = behindColon(a, aAt, aEnd);
    const bRest = behindColon(b, bAt, bEnd);
    return sameText(a, aAt, aRest, b, bAt, bRest) && sameBytes(a, aRest, aEnd, b, bRest, bEnd);
  }
  return (
    aTable[aBase + URI_PORT] === bTable[bBase + URI_PORT] &&
    sameHost(a, aTable, aBase, b, bTable, bBase) &&
    sameUserinfo(a, aTable, aBase, b, bTable, bBase, URI_USER_AT, URI_USER_END) &&
    sameUserinfo(a, aTable, aBase, b, bTable, bBase, URI_PASSWORD_AT, URI_PASSWORD_END) &&
    sameParams(a, aTable, aBase, b, bTable, bBase) &&
    sameHeaders(a, aTable, aBase, b, bTable, bBase)
  );
}

function behindColon(bytes: Uint8Array, at: number, end: number): number {
  while (at < end && bytes[at] !== COLON) at++;
  return at;
}

/** Whether the hosts of two URI records are equal, by the rules of uriEquals. */
export function sameHost(
  a: Uint8Array,
  aTable: Int32Array,
  aBase: number,
  b: Uint8Array,
  bTable: Int32Array,
  bBase: number,
): boolean {
  const aAt = aTable[aBase + URI_HOST_AT];
  const aEnd = aTable[aBase + URI_HOST_END];
  const bAt = bTable[bBase + URI_HOST_AT];
  const bEnd = bTable[bBase + URI_HOST_END];
  if (sameText(a, aAt, aEnd, b, bAt, bEnd)) return true;
  if (a[aAt] !== OPENING_BRACKET || b[bAt] !== OPENING_BRACKET) return false;
  const family = readIpHost(a, aAt, aEnd, aIp);
  if (family === 0 || readIpHost(b, bAt, bEnd, bIp) !== family) return false;
  const length = family === 4 ? 4 : 16; // an IPv4-mapped address is read as four bytes
  return sameBytes(aIp, 0, length, bIp, 0, length);
}

/** The user or the password: absent in both, or present in both and equal with regard to case. */
function sameUserinfo(
  a: Uint8Array,
  aTable: Int32Array,
  aBase: number,
  b: Uint8Array,
  bTable: Int32Array,
  bBase: number,
  at: number,
  end: number,
): boolean {
  const aAt = aTable[aBase + at];
  const bAt = bTable[bBase + at];
  if (aAt < 0 || bAt < 0) return aAt < 0 && bAt < 0;
  return sameUnescaped(a, aAt, aTable[aBase + end], b, bAt, bTable[bBase + end], false);
}

/** Byte by byte with escapes undone, except that an escaped reserved character only equals an escaped one. */
function sameUnescaped(
  a: Uint8Array,
  aAt: number,
  aEnd: number,
  b: Uint8Array,
  bAt: number,
  bEnd: number,
  folded: boolean,
): boolean {
  while (aAt < aEnd && bAt < bEnd) {
    let x = a[aAt];
    let y = b[bAt];
    if (x === PERCENT) x = unescaped(a, aAt, aEnd);
    if (y === PERCENT) y = unescaped(b, bAt, bEnd);
    if (x !== y && !(folded && x < ESCAPED && y < ESCAPED && LOWER[x] === LOWER[y])) return false;
    aAt += a[aAt] === PERCENT ? 3 : 1;
    bAt += b[bAt] === PERCENT ? 3 : 1;
  }
  return aAt === aEnd && bAt === bEnd;
}

/** The character of the escape at `at`, ESCAPED added to a reserved one. parseUri has checked its two digits. */
function unescaped(bytes: Uint8Array, at: number, end: number): number {
  if (at + 2 >= end) return PERCENT;
  const byte = (HEX[bytes[at + 1]] << 4) | HEX[bytes[at + 2]];
  return RESERVED[byte] === 1 ? byte + ESCAPED : byte;
}

/** Fills `parts` from a list whose elements each begin with one separator byte; returns their count, or -1 for too many. */
function split(bytes: Uint8Array, at: number, end: number, separator: number, parts: Int32Array): number {
  let count = 0;
  for (let p = at; at >= 0 && p < end; ) {
    if (count === PARAMS_PER_VALUE_MAX) return -1;
    const base = count++ * PART_INTS;
    const name = ++p;
    let equals = -1;
    for (; p < end && bytes[p] !== separator; p++) if (equals < 0 && bytes[p] === EQUALS) equals = p;
    parts[base] = name;
    parts[base + 1] = equals < 0 ? p : equals;
    parts[base + 2] = equals < 0 ? -1 : equals + 1;
    parts[base + 3] = p;
  }
  return count;
}

function sameNames(a: Uint8Array, aPart: number, b: Uint8Array, bPart: number): boolean {
  const i = aPart * PART_INTS;
  const j = bPart * PART_INTS;
  return sameUnescaped(a, aParts[i], aParts[i + 1], b, bParts[j], bParts[j + 1], true);
}

function sameValues(a: Uint8Array, aPart: number, b: Uint8Array, bPart: number): boolean {
  const i = aPart * PART_INTS + 2;
  const j = bPart * PART_INTS + 2;
  if (aParts[i] < 0 || bParts[j] < 0) return aParts[i] < 0 && bParts[j] < 0;
  return sameUnescaped(a, aParts[i], aParts[i + 1], b, bParts[j], bParts[j + 1], true);
}

/** Whether a parameter in only one URI makes the URIs differ. */
function countsAlone(bytes: Uint8Array, parts: Int32Array, part: number): boolean {
  return isComparedAlone(bytes, parts[part * PART_INTS], parts[part * PART_INTS + 1]);
}

/** Whether a parameter of the name bytes[at, end) counts in a comparison if only one URI has it (§19.1.4). */
export function isComparedAlone(bytes: Uint8Array, at: number, end: number): boolean {
  return (
    isName(bytes, at, end, TRANSPORT) ||
    isName(bytes, at, end, USER) ||
    isName(bytes, at, end, METHOD) ||
    isName(bytes, at, end, MADDR) ||
    isName(bytes, at, end, TTL)
  );
}

function isName(bytes: Uint8Array, at: number, end: number, name: Uint8Array): boolean {
  return sameUnescaped(bytes, at, end, name, 0, name.length, true);
}

/** Parameters in both must match; one that is in one only is ignored, except the five of `countsAlone`. */
function sameParams(
  a: Uint8Array,
  aTable: Int32Array,
  aBase: number,
  b: Uint8Array,
  bTable: Int32Array,
  bBase: number,
): boolean {
  const aCount = split(a, aTable[aBase + URI_PARAMS_AT], aTable[aBase + URI_PARAMS_END], SEMICOLON, aParts);
  const bCount = split(b, bTable[bBase + URI_PARAMS_AT], bTable[bBase + URI_PARAMS_END], SEMICOLON, bParts);
  if (aCount < 0 || bCount < 0) return false;
  let bSeen = 0; // bit per parameter of b that a has too
  for (let i = 0; i < aCount; i++) {
    let isNamed = false;
    let isEqual = false; // to one of them: escapes may hide that a URI has a name twice
    for (let j = 0; j < bCount; j++) {
      if (!sameNames(a, i, b, j)) continue;
      isNamed = true;
      if (!sameValues(a, i, b, j)) continue;
      isEqual = true;
      bSeen |= 1 << j;
    }
    if (isNamed ? !isEqual : countsAlone(a, aParts, i)) return false;
  }
  for (let j = 0; j < bCount; j++) {
    if ((bSeen & (1 << j)) === 0 && (hasName(a, aCount, b, j) || countsAlone(b, bParts, j))) return false;
  }
  return true;
}

function hasName(a: Uint8Array, aCount: number, b: Uint8Array, bPart: number): boolean {
  for (let i = 0; i < aCount; i++) if (sameNames(a, i, b, bPart)) return true;
  return false;
}

/** Whether every header of one URI has its own equal in the other, in any order. */
function sameHeaders(
  a: Uint8Array,
  aTable: Int32Array,
  aBase: number,
  b: Uint8Array,
  bTable: Int32Array,
  bBase: number,
): boolean {
  const aCount = split(a, aTable[aBase + URI_HEADERS_AT], aTable[aBase + URI_HEADERS_END], AMPERSAND, aParts);
  const bCount = split(b, bTable[bBase + URI_HEADERS_AT], bTable[bBase + URI_HEADERS_END], AMPERSAND, bParts);
  if (aCount < 0 || aCount !== bCount) return false;
  let taken = 0; // bit per header of b that has its equal
  for (let i = 0; i < aCount; i++) {
    let j = 0;
    while (j < bCount && ((taken & (1 << j)) !== 0 || !sameNames(a, i, b, j) || !sameValues(a, i, b, j))) j++;
    if (j === bCount) return false;
    taken |= 1 << j;
  }
  return true;
}
