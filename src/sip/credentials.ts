// One Authorization value: scheme and Digest parameters (RFC 3261 §20.7, §25.1; RFC 7616 §3.4), or an access token (RFC 6750 §2.1), as
// spans and numbers in `credentials`. Only the form: core/auth/authenticator.ts checks the proof.
// @hot

import { E_CREDENTIALS, E_OK, E_REPEATED_PARAM } from './parser/parse-error.ts';
import { slab } from './parser/slab.ts';
import { ABSENT, MALFORMED } from './parser/span-table.ts';
import {
  BACKSLASH,
  CLASS,
  COMMA,
  CONTROL,
  EQUALS,
  HEX,
  isText,
  LOWER,
  LWS,
  PERCENT,
  QUOTE,
  quotedEnd,
  skip,
  TOKEN,
} from './scanner.ts';
import { ascii } from './writer.ts';

// --- schemes (C_SCHEME)
export const SCHEME_NOT_DIGEST = 0;
export const SCHEME_DIGEST = 1;
/** C_RESPONSE_AT and C_RESPONSE_END are the token's; all other spans are absent. */
export const SCHEME_BEARER = 2;

// --- algorithms (C_ALGORITHM): the base form in the low two bits, ALG_SESS for its -sess form
export const ALG_MD5 = 0;
export const ALG_SHA_256 = 1;
export const ALG_SHA_512_256 = 2;
export const ALG_SESS = 4;
export const ALG_BASE_MASK = 3;
export const ALG_UNKNOWN = -1;

// --- qop (C_QOP)
export const QOP_NONE = 0;
export const QOP_AUTH = 1;
export const QOP_AUTH_INT = 2;
export const QOP_UNKNOWN = -1;

// --- `credentials`: AT, END pairs of values, without their quotes; ABSENT for missing ones
export const C_USERNAME_AT = 0;
export const C_USERNAME_END = 1;
export const C_USERNAME_STAR_AT = 2; // as sent: charset'language'percent-encoded (RFC 5987)
export const C_REALM_AT = 4;
export const C_REALM_END = 5;
export const C_NONCE_AT = 6;
export const C_NONCE_END = 7;
export const C_URI_AT = 8;
export const C_URI_END = 9;
export const C_RESPONSE_AT = 10;
export const C_RESPONSE_END = 11;
const C_ALGORITHM_AT = 12;
export const C_CNONCE_AT = 14;
export const C_CNONCE_END = 15;
export const C_OPAQUE_AT = 16;
export const C_OPAQUE_END = 17;
export const C_QOP_AT = 18;
export const C_QOP_END = 19;
export const C_NC_AT = 20;
export const C_NC_END = 21;
const C_USERHASH_AT = 22;
const SPANS_END = 24;
// --- and their meanings
export const C_SCHEME = 24;
export const C_ALGORITHM = 25; // ALG_*; ALG_MD5 where there is none (RFC 7616 §3.3)
export const C_QOP = 26; // QOP_*
export const C_NC = 27; // read with ">>> 0"; valid where C_NC_VALID
export const C_NC_VALID = 28; // 1: exactly eight hexadecimal digits
export const C_USERHASH = 29; // 0, 1; MALFORMED
const CREDENTIALS_INTS = 30;

/** Result of the last parseCredentials. */
export const credentials = new Int32Array(CREDENTIALS_INTS);

const DIGEST = ascii('digest');
const BEARER = ascii('bearer');
const APOSTROPHE = 0x27;
const NC_DIGITS = 8;

/** Index of the value's AT by the parameter's name. */
const NAMES: readonly Uint8Array[] = [
  'username',
  'username*',
  'realm',
  'nonce',
  'uri',
  'response',
  'algorithm',
  'cnonce',
  'opaque',
  'qop',
  'nc',
  'userhash',
].map((name) => ascii(name));

const ALGORITHM_NAMES: readonly Uint8Array[] = [
  'md5',
  'sha-256',
  'sha-512-256',
  '',
  'md5-sess',
  'sha-256-sess',
  'sha-512-256-sess',
].map((name) => ascii(name));
const AUTH = ascii('auth');
const AUTH_INT = ascii('auth-int');
const TRUE = ascii('true');
const FALSE = ascii('false');
const UTF_8 = ascii("utf-8'");

/**
 * Reads the value slab[at, end) (trimmed) into `credentials`. Returns E_OK, also for another scheme (then only C_SCHEME is
 * set); E_CREDENTIALS for a malformed Digest value, E_REPEATED_PARAM for a repeated known parameter.
 * Lenient to old clients: any value may be quoted or not (an unquoted one ends at a comma or white
 * space), list elements may be empty; unknown parameters are ignored.
 */
export function parseCredentials(at: number, end: number): number {
  const c = credentials;
  for (let i = 0; i < SPANS_END; i++) c[i] = ABSENT;
  c[C_SCHEME] = SCHEME_NOT_DIGEST;
  const schemeEnd = skip(slab, at, end, TOKEN);
  if (!isText(slab, at, schemeEnd, DIGEST)) return readToken(at, schemeEnd, end);
  c[C_SCHEME] = SCHEME_DIGEST;
  let p = skip(slab, schemeEnd, end, LWS);
  if (p === schemeEnd && p < end) return E_CREDENTIALS;
  while (p < end) {
    if (slab[p] !== COMMA) {
      const error = readParam(p, end);
      if (error !== E_OK) return error;
      p = skip(slab, valueBehind, end, LWS);
      if (p < end && slab[p] !== COMMA) return E_CREDENTIALS;
    }
    if (p < end) p = skip(slab, p + 1, end, LWS);
  }
  readMeanings();
  return E_OK;
}

/** The token is all text behind the scheme; its issuer judges it. @cold */
function readToken(at: number, schemeEnd: number, end: number): number {
  if (!isText(slab, at, schemeEnd, BEARER)) return E_OK;
  credentials[C_SCHEME] = SCHEME_BEARER;
  credentials[C_RESPONSE_AT] = skip(slab, schemeEnd, end, LWS);
  credentials[C_RESPONSE_END] = end;
  return E_OK;
}

/** Offset behind the value that readParam read last. */
let valueBehind = 0;

function readParam(at: number, end: number): number {
  const nameEnd = skip(slab, at, end, TOKEN);
  let p = skip(slab, nameEnd, end, LWS);
  if (nameEnd === at || p >= end || slab[p] !== EQUALS) return E_CREDENTIALS;
  p = skip(slab, p + 1, end, LWS);
  let valueAt = p;
  let valueEnd = p;
  if (p < end && slab[p] === QUOTE) {
    valueBehind = closing(p, end);
    if (valueBehind < 0) return E_CREDENTIALS;
    valueAt = p + 1;
    valueEnd = valueBehind - 1;
  } else {
    while (valueEnd < end && isBare(slab[valueEnd])) valueEnd++;
    valueBehind = valueEnd;
  }
  const field = fieldOf(at, nameEnd);
  if (field < 0) return E_OK;
  if (credentials[field] !== ABSENT) return E_REPEATED_PARAM;
  credentials[field] = valueAt;
  credentials[field + 1] = valueEnd;
  return E_OK;
}

/** `quotedEnd`, quick for text without escapes and uncommon characters. */
function closing(at: number, end: number): number {
  for (let p = at + 1; p < end; p++) {
    const byte = slab[p];
    if (byte === QUOTE) return p + 1;
    if (byte === BACKSLASH || byte < 0x20 || byte === 0x7f) break;
  }
  return quotedEnd(slab, at, end);
}

/** Whether a byte may be in an unquoted value: anything visible except a comma and a quote. */
function isBare(byte: number): boolean {
  return byte !== COMMA && byte !== QUOTE && (CLASS[byte] & (LWS | CONTROL)) === 0;
}

/** A hash of its first and last letter and its length, different for each known name. */
function mix(first: number, last: number, length: number): number {
  return (LOWER[first] + 3 * LOWER[last] + length) & 63;
}

/** By `mix`: index of the only candidate among the names. */
const CANDIDATE: Int8Array = candidates();

function candidates(): Int8Array {
  const table = new Int8Array(64).fill(-1);
  for (let i = 0; i < NAMES.length; i++) {
    const name = NAMES[i];
    table[mix(name[0], name[name.length - 1], name.length)] = i;
  }
  return table;
}

function fieldOf(at: number, end: number): number {
  const i = CANDIDATE[mix(slab[at], slab[end - 1], end - at)];
  return i >= 0 && isText(slab, at, end, NAMES[i]) ? 2 * i : -1;
}

/** Sets the numbers of values with a meaning of their own. */
function readMeanings(): void {
  const c = credentials;
  c[C_ALGORITHM] = c[C_ALGORITHM_AT] < 0 ? ALG_MD5 : algorithmAt(c[C_ALGORITHM_AT], c[C_ALGORITHM_AT + 1]);
  c[C_QOP] = c[C_QOP_AT] < 0 ? QOP_NONE : qopAt(c[C_QOP_AT], c[C_QOP_END]);
  readNc(c[C_NC_AT], c[C_NC_END]);
  c[C_USERHASH] = 0;
  const userhash = c[C_USERHASH_AT];
  if (userhash < 0 || isText(slab, userhash, c[C_USERHASH_AT + 1], FALSE)) return;
  c[C_USERHASH] = isText(slab, userhash, c[C_USERHASH_AT + 1], TRUE) ? 1 : MALFORMED;
}

function algorithmAt(at: number, end: number): number {
  for (let i = 0; i < ALGORITHM_NAMES.length; i++) if (end > at && isText(slab, at, end, ALGORITHM_NAMES[i])) return i;
  return ALG_UNKNOWN;
}

function qopAt(at: number, end: number): number {
  if (isText(slab, at, end, AUTH)) return QOP_AUTH;
  return isText(slab, at, end, AUTH_INT) ? QOP_AUTH_INT : QOP_UNKNOWN;
}

function readNc(at: number, end: number): void {
  credentials[C_NC] = 0;
  credentials[C_NC_VALID] = 0;
  if (at < 0 || end - at !== NC_DIGITS) return;
  let value = 0;
  for (let p = at; p < end; p++) {
    const digit = HEX[slab[p]];
    if (digit > 15) return;
    value = (value << 4) | digit;
  }
  credentials[C_NC] = value;
  credentials[C_NC_VALID] = 1;
}

/**
 * Writes a quoted value slab[at, end) with its backslash escapes undone (RFC 3261 §25.1 quoted-pair).
 * Returns the length, or -1 where it does not fit.
 */
export function unescapeQuoted(at: number, end: number, into: Uint8Array): number {
  let length = 0;
  for (let p = at; p < end; p++) {
    if (slab[p] === BACKSLASH && p + 1 < end) p++;
    if (length >= into.length) return -1;
    into[length++] = slab[p];
  }
  return length;
}

/**
 * Decodes the name in an extended value UTF-8'language'percent-encoded (RFC 5987 §3.2.1).
 * Returns the length; -1 where it is malformed, of another charset, or does not fit.
 */
export function decodeExtended(at: number, end: number, into: Uint8Array): number {
  if (end - at < UTF_8.length || !isText(slab, at, at + UTF_8.length, UTF_8)) return -1;
  let p = at + UTF_8.length;
  while (p < end && slab[p] !== APOSTROPHE) p++;
  let length = 0;
  for (p++; p < end; p++) {
    let byte = slab[p];
    if (byte === PERCENT) {
      if (p + 2 >= end || (HEX[slab[p + 1]] | HEX[slab[p + 2]]) > 15) return -1;
      byte = (HEX[slab[p + 1]] << 4) | HEX[slab[p + 2]];
      p += 2;
    }
    if (length >= into.length) return -1;
    into[length++] = byte;
  }
  return p > end ? -1 : length;
}
