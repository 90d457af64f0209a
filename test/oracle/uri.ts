// The oracle's reading of one URI into a URI record (RFC 3261 §19.1.1, §25.1). Lists, angle brackets and header parameters live in address.ts.

import { PARAMS_PER_VALUE_MAX } from '../../src/sip/parser/limits.ts';
import { E_OK, E_REPEATED_PARAM, E_REQUEST_URI, E_TOO_MANY_PARAMS } from '../../src/sip/parser/parse-error.ts';
import {
  ABSENT,
  SCHEME_OTHER,
  SCHEME_SIP,
  SCHEME_SIPS,
  SCHEME_TEL,
  URI_AT,
  URI_END,
  URI_HEADERS_AT,
  URI_HEADERS_END,
  URI_HOST_AT,
  URI_HOST_END,
  URI_INTS,
  URI_PARAMS_AT,
  URI_PARAMS_END,
  URI_PASSWORD_AT,
  URI_PASSWORD_END,
  URI_PORT,
  URI_SCHEME,
  URI_USER_AT,
  URI_USER_END,
} from '../../src/sip/parser/span-table.ts';
import {
  AT_SIGN,
  COLON,
  DIGIT,
  DOT,
  decimal,
  EQUALS,
  hostEnd,
  NOT_URI,
  PERCENT,
  QUESTION,
  SEMICOLON,
  sameText,
  skip,
  TOKEN,
  CLASS as theClasses,
  HEX as theHexDigits,
  LOWER as theLowerCase,
} from './scanner.ts';

// Constants of this module: V8 compiles their addresses in, while it loads an import each time it is used.
const CLASS = theClasses;
const HEX = theHexDigits;
const LOWER = theLowerCase;

const AMPERSAND = 0x26;
const PORT_MAX = 65_535;

/** Names of the URI's parameters so far: AT, END pairs, to find a repeated one. */
const names = new Int32Array(2 * PARAMS_PER_VALUE_MAX);

/**
 * Parses the URI bytes[at, end) into out[base, base + URI_INTS). Returns E_OK; E_REQUEST_URI for a malformed one,
 * E_TOO_MANY_PARAMS, E_REPEATED_PARAM. Of a scheme that is not sip or sips only "scheme:rest" is looked at.
 * After an error the record holds no more than the whole span.
 */
export function parseUri(bytes: Uint8Array, at: number, end: number, out: Int32Array, base: number): number {
  clear(out, base, at, end);
  const colon = schemeEnd(bytes, at, end);
  if (colon < 0) return E_REQUEST_URI;
  const scheme = schemeOf(bytes, at, colon);
  const start = colon + 1;
  const atSign =
    scheme === SCHEME_SIP || scheme === SCHEME_SIPS ? findAt(bytes, start, end) : visible(bytes, start, end);
  if (atSign < 0) return E_REQUEST_URI;
  out[base + URI_SCHEME] = scheme;
  if (scheme !== SCHEME_SIP && scheme !== SCHEME_SIPS) {
    out[base + URI_USER_AT] = start;
    out[base + URI_USER_END] = end;
    return E_OK;
  }
  const error = parseSip(bytes, start, atSign, end, out, base);
  if (error !== E_OK) clear(out, base, at, end);
  return error;
}

function clear(out: Int32Array, base: number, at: number, end: number): void {
  for (let i = base; i < base + URI_INTS; i++) out[i] = ABSENT;
  out[base + URI_SCHEME] = SCHEME_OTHER;
  out[base + URI_AT] = at;
  out[base + URI_END] = end;
}

/** Offset of the ":" behind a scheme name, or -1. */
function schemeEnd(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end) return -1;
  const first = LOWER[bytes[at]];
  if (first < 0x61 || first > 0x7a) return -1;
  const colon = skip(bytes, at, end, TOKEN);
  return colon < end && bytes[colon] === COLON ? colon : -1;
}

function schemeOf(bytes: Uint8Array, at: number, end: number): number {
  const length = end - at;
  if (length !== 3 && length !== 4) return SCHEME_OTHER;
  const a = LOWER[bytes[at]];
  const b = LOWER[bytes[at + 1]];
  const c = LOWER[bytes[at + 2]];
  if (length === 3 && a === 0x74 && b === 0x65 && c === 0x6c) return SCHEME_TEL;
  if (a !== 0x73 || b !== 0x69 || c !== 0x70) return SCHEME_OTHER;
  if (length === 3) return SCHEME_SIP;
  return LOWER[bytes[at + 3]] === 0x73 ? SCHEME_SIPS : SCHEME_OTHER;
}

/** `at` where [at, end) is one or more characters that may stand in a URI, else -1. */
function visible(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end) return -1;
  for (let p = at; p < end; p++) if ((CLASS[bytes[p]] & NOT_URI) !== 0) return -1;
  return at;
}

/** Offset of the "@" behind the userinfo, `end` without one, -1 where a character may not stand in a URI. */
function findAt(bytes: Uint8Array, at: number, end: number): number {
  let found = end;
  for (let p = at; p < end; p++) {
    const byte = bytes[p];
    if ((CLASS[byte] & NOT_URI) !== 0) return -1;
    if (byte === AT_SIGN && found === end) found = p;
    if (byte === PERCENT && (p + 2 >= end || (HEX[bytes[p + 1]] | HEX[bytes[p + 2]]) > 15)) return -1;
  }
  return found;
}

/** Everything behind "sip:"; `atSign` is the offset of the "@" or `end`. */
function parseSip(bytes: Uint8Array, at: number, atSign: number, end: number, out: Int32Array, base: number): number {
  let host = at;
  if (atSign < end) {
    host = atSign + 1;
    if (!parseUserinfo(bytes, at, atSign, out, base)) return E_REQUEST_URI;
  }
  let p = hostEnd(bytes, host, end);
  if (p < 0) return E_REQUEST_URI;
  out[base + URI_HOST_AT] = host;
  // The dot of the root names nothing (RFC 1034 §3.1).
  out[base + URI_HOST_END] = bytes[p - 1] === DOT && p - 1 > host ? p - 1 : p;
  if (p < end && bytes[p] === COLON) {
    const stop = skip(bytes, p + 1, end, DIGIT);
    const port = decimal(bytes, p + 1, stop);
    if (port < 0 || port > PORT_MAX) return E_REQUEST_URI;
    out[base + URI_PORT] = port;
    p = stop;
  }
  if (p === end) return E_OK;
  if (bytes[p] === SEMICOLON) return parseParams(bytes, p, end, out, base);
  if (bytes[p] === QUESTION) return parseHeaders(bytes, p, end, out, base);
  return E_REQUEST_URI;
}

/** The user part must not be empty; the password may be. */
function parseUserinfo(bytes: Uint8Array, at: number, end: number, out: Int32Array, base: number): boolean {
  let colon = at;
  while (colon < end && bytes[colon] !== COLON) colon++;
  if (colon === at) return false;
  out[base + URI_USER_AT] = at;
  out[base + URI_USER_END] = colon;
  if (colon < end) {
    out[base + URI_PASSWORD_AT] = colon + 1;
    out[base + URI_PASSWORD_END] = end;
  }
  return true;
}

/** From the first ";" on: `*( ";" name [ "=" value ] ) [ headers ]`. */
function parseParams(bytes: Uint8Array, at: number, end: number, out: Int32Array, base: number): number {
  out[base + URI_PARAMS_AT] = at;
  let count = 0;
  let p = at;
  while (p < end && bytes[p] === SEMICOLON) {
    const name = p + 1;
    p = name;
    let nameEnd = -1;
    for (; p < end && bytes[p] !== SEMICOLON && bytes[p] !== QUESTION; p++) {
      if (nameEnd < 0 && bytes[p] === EQUALS) nameEnd = p;
    }
    if (nameEnd < 0) nameEnd = p;
    if (nameEnd === name) return E_REQUEST_URI;
    if (count === PARAMS_PER_VALUE_MAX) return E_TOO_MANY_PARAMS;
    for (let i = 0; i < count; i++) {
      if (sameText(bytes, names[2 * i], names[2 * i + 1], bytes, name, nameEnd)) return E_REPEATED_PARAM;
    }
    names[2 * count] = name;
    names[2 * count + 1] = nameEnd;
    count++;
  }
  out[base + URI_PARAMS_END] = p;
  return p < end ? parseHeaders(bytes, p, end, out, base) : E_OK;
}

/** From the "?" on: `name "=" value *( "&" name "=" value )`; the value may be empty, the name not. */
function parseHeaders(bytes: Uint8Array, at: number, end: number, out: Int32Array, base: number): number {
  let count = 0;
  for (let p = at; p < end; ) {
    const name = p + 1;
    p = name;
    let equals = -1;
    for (; p < end && bytes[p] !== AMPERSAND; p++) if (equals < 0 && bytes[p] === EQUALS) equals = p;
    if (equals <= name) return E_REQUEST_URI;
    if (++count > PARAMS_PER_VALUE_MAX) return E_TOO_MANY_PARAMS;
  }
  out[base + URI_HEADERS_AT] = at;
  out[base + URI_HEADERS_END] = end;
  return E_OK;
}
