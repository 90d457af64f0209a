// One Authorization value: scheme and Digest parameters (RFC 3261 §20.7, §25.1; RFC 7616 §3.4), or an access token (RFC 6750 §2.1), as
// spans and numbers in `credentials`. Only the form: core/auth/authenticator.ts checks the proof.
// @hot

import { core } from './parser/core.ts';
import {
  C_ALGORITHM,
  C_ALGORITHM_AT,
  C_NC,
  C_NC_AT,
  C_NC_END,
  C_NC_VALID,
  C_QOP,
  C_QOP_AT,
  C_QOP_END,
  C_RESPONSE_AT,
  C_RESPONSE_END,
  C_SCHEME,
  C_USERHASH,
  C_USERHASH_AT,
  CREDENTIALS_INTS,
} from './parser/credential-spans.ts';
import { CREDENTIALS } from './parser/memory-map.ts';
import { E_CREDENTIALS, E_OK } from './parser/parse-error.ts';
import { memory, slab } from './parser/slab.ts';
import { ABSENT, MALFORMED } from './parser/span-table.ts';
import { BACKSLASH, HEX, isText, LWS, PERCENT, skip, TOKEN } from './scanner.ts';
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

/** Result of the last parseCredentials. */
export const credentials = new Int32Array(memory.buffer, CREDENTIALS, CREDENTIALS_INTS);

const DIGEST = ascii('digest');
const BEARER = ascii('bearer');
const APOSTROPHE = 0x27;
const NC_DIGITS = 8;

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
  c[C_SCHEME] = SCHEME_NOT_DIGEST;
  const schemeEnd = skip(slab, at, end, TOKEN);
  if (!isText(slab, at, schemeEnd, DIGEST)) return readToken(at, schemeEnd, end);
  c[C_SCHEME] = SCHEME_DIGEST;
  const first = skip(slab, schemeEnd, end, LWS);
  if (first === schemeEnd && first < end) return withoutSpans(E_CREDENTIALS);
  const error = core.digestParams(first, end);
  if (error === E_OK) readMeanings();
  return error;
}

/** The token is all text behind the scheme; its issuer judges it. @cold */
function readToken(at: number, schemeEnd: number, end: number): number {
  withoutSpans(E_OK);
  if (!isText(slab, at, schemeEnd, BEARER)) return E_OK;
  credentials[C_SCHEME] = SCHEME_BEARER;
  credentials[C_RESPONSE_AT] = skip(slab, schemeEnd, end, LWS);
  credentials[C_RESPONSE_END] = end;
  return E_OK;
}

/** @cold */
function withoutSpans(error: number): number {
  credentials.fill(ABSENT, 0, C_SCHEME);
  return error;
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
