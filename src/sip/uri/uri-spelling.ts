// The spelling of a leniently parsed URI for other readers: by the grammar (RFC 3261 §25.1), and equal to the URI as sent
// (§19.1.4). A character may be escaped if its escape equals it; a parameter that comparison ignores may be left out; with any
// other deviation from the grammar the URI has no such spelling.
// @hot

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
  URI_SCHEME,
  URI_USER_AT,
  URI_USER_END,
} from '../parser/span-table.ts';
import {
  AT_SIGN,
  COLON,
  DOT,
  EQUALS,
  isText,
  PERCENT,
  SEMICOLON,
  skip,
  TOKEN,
  HEX as theHexDigits,
} from '../scanner.ts';
import { isUtf8 } from '../utf8.ts';
import { ascii, type Writer } from '../writer.ts';
import { isHost } from './host-form.ts';
import { isComparedAlone } from './uri-equality.ts';

// A constant of this module: V8 compiles its address in, while it loads an import each time it is used.
const HEX = theHexDigits;

/** The URI is well formed. */
export const AS_SENT = 0;
/** The URI has a well-formed spelling that equals it. */
export const REWRITTEN = 1;
/** The URI has none. */
export const UNWRITABLE = 2;
/** Of a parameter: it has none, and can be left out. */
const LEFT_OUT = 3;

const USER = 1;
const PASSWORD = 2;
const PARAM = 4;
const HEADER = 8;
const URIC = 16;
/** RFC 2396 §2.2: not equal to its escape. */
const RESERVED = 32;
/** Characters between "?" and the end: names and values of headers, and their separators. */
const HEADERS = 64;
/** Separator of a parameter's name and value. */
const PARAM_EQUALS = 128;
const ALPHANUMERIC = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';
const KIND: Uint8Array = kinds();
const AMPERSAND = 0x26;
const unescaped = new Uint8Array(4096);
const HEX_DIGITS = ascii('0123456789ABCDEF');
/** RFC 8599: the push service needs these parameters unchanged. */
const PUSH = ascii('pn-');

/** @cold */
function kinds(): Uint8Array {
  const table = new Uint8Array(256);
  // An escape belongs to all of them; the parser has checked its digits.
  const unreserved = `${ALPHANUMERIC}-_.!~*'()%`;
  const mark = (characters: string, bit: number) => {
    for (let i = 0; i < characters.length; i++) table[characters.charCodeAt(i)] |= bit;
  };
  mark(unreserved, USER | PASSWORD | PARAM | HEADER | URIC | HEADERS);
  mark('&=+$,;?/', USER);
  mark('&=+$,', PASSWORD);
  mark('[]/:&+$', PARAM);
  mark('[]/?:+$', HEADER | HEADERS);
  mark('&=', HEADERS);
  mark('=', PARAM_EQUALS);
  mark(';/?:@&=+$,', URIC | RESERVED);
  return table;
}

/** Spelling of the URI record uri[base …] over `bytes`, parsed with E_OK: AS_SENT, REWRITTEN or UNWRITABLE. */
export function uriSpelling(bytes: Uint8Array, uri: Int32Array, base: number): number {
  const scheme = uri[base + URI_SCHEME];
  if (scheme !== SCHEME_SIP && scheme !== SCHEME_SIPS)
    return isAbsoluteUri(bytes, uri[base + URI_AT], uri[base + URI_END]) ? AS_SENT : UNWRITABLE;
  if (!isHost(bytes, uri[base + URI_HOST_AT], uri[base + URI_HOST_END])) return UNWRITABLE;
  const host = dotsBehind(bytes, uri, base) > 0 ? REWRITTEN : AS_SENT;
  const user = userSpelling(bytes, uri[base + URI_USER_AT], uri[base + URI_USER_END], USER);
  const password = userSpelling(bytes, uri[base + URI_PASSWORD_AT], uri[base + URI_PASSWORD_END], PASSWORD);
  const params = paramsSpelling(bytes, uri[base + URI_PARAMS_AT], uri[base + URI_PARAMS_END]);
  const headers = headersSpelling(bytes, uri[base + URI_HEADERS_AT], uri[base + URI_HEADERS_END]);
  return Math.max(host, user, password, params, headers);
}

/** Number of final dots of a host name, 0 or 1. Some parsers do not accept one. */
function dotsBehind(bytes: Uint8Array, uri: Int32Array, base: number): number {
  const end = uri[base + URI_HOST_END];
  return end < uri[base + URI_END] && bytes[end] === DOT ? 1 : 0;
}

/** Escapes that are not UTF-8 are well formed, but make browsers' parsers fail. */
function userSpelling(bytes: Uint8Array, at: number, end: number, kind: number): number {
  const spelling = partSpelling(bytes, at, end, kind);
  let plain = spelling === AS_SENT;
  for (let p = at; plain && p < end; p++) plain = bytes[p] !== PERCENT;
  return plain || isEscapedUtf8(bytes, at, end) ? spelling : UNWRITABLE;
}

function isEscapedUtf8(bytes: Uint8Array, at: number, end: number): boolean {
  if (end - at > unescaped.length) return false;
  let length = 0;
  for (let p = at; p < end; p++) {
    const isEscape = bytes[p] === PERCENT;
    unescaped[length++] = isEscape ? (HEX[bytes[p + 1]] << 4) | HEX[bytes[p + 2]] : bytes[p];
    if (isEscape) p += 2;
  }
  return isUtf8(unescaped, 0, length);
}

/** Compared byte by byte, so that no character can be changed. */
function isAbsoluteUri(bytes: Uint8Array, at: number, end: number): boolean {
  let p = at;
  for (; bytes[p] !== COLON; p++) {
    const letter = bytes[p] | 0x20;
    const isLetter = letter >= 0x61 && letter <= 0x7a;
    if (!isLetter && (p === at || !isSchemeSign(bytes[p]))) return false;
  }
  for (; p < end; p++) {
    if ((KIND[bytes[p]] & URIC) === 0) return false;
    if (bytes[p] === PERCENT && (p + 2 >= end || (HEX[bytes[p + 1]] | HEX[bytes[p + 2]]) > 15)) return false;
  }
  return true;
}

/** Digits, "+", "-" and ".". */
function isSchemeSign(byte: number): boolean {
  return (byte >= 0x30 && byte <= 0x39) || byte === 0x2b || byte === 0x2d || byte === DOT;
}

/** Spelling of a part, absent or of characters of a kind: other characters are escaped, unless the escape does not equal them. */
function partSpelling(bytes: Uint8Array, at: number, end: number, kind: number): number {
  let spelling = AS_SENT;
  for (let p = at; p < end; p++) {
    const is = KIND[bytes[p]];
    if ((is & kind) !== 0) continue;
    if ((is & RESERVED) !== 0) return UNWRITABLE;
    spelling = REWRITTEN;
  }
  return spelling;
}

function paramsSpelling(bytes: Uint8Array, at: number, end: number): number {
  let spelling = AS_SENT;
  for (let p = at; p < end; ) {
    const name = p + 1;
    p = paramEnd(bytes, name, end);
    const param = paramSpelling(bytes, name, p);
    if (param === UNWRITABLE) return UNWRITABLE;
    if (param !== AS_SENT) spelling = REWRITTEN;
  }
  return spelling;
}

function paramEnd(bytes: Uint8Array, at: number, end: number): number {
  let p = at;
  while (p < end && bytes[p] !== SEMICOLON) p++;
  return p;
}

/** Spelling of `name [ "=" value ]`. */
function paramSpelling(bytes: Uint8Array, at: number, end: number): number {
  let nameEnd = at;
  while (nameEnd < end && bytes[nameEnd] !== EQUALS) nameEnd++;
  const name = partSpelling(bytes, at, nameEnd, PARAM);
  const value = nameEnd < end ? partSpelling(bytes, nameEnd + 1, end, PARAM) : AS_SENT;
  const isNamed = isComparedAlone(bytes, at, nameEnd);
  if (name !== UNWRITABLE && value !== UNWRITABLE && nameEnd + 1 !== end)
    return isNamed && !hasOwnForm(bytes, nameEnd + 1, end) ? UNWRITABLE : Math.max(name, value);
  const isPush = nameEnd - at > PUSH.length && isText(bytes, at, at + PUSH.length, PUSH);
  return isPush || isNamed ? UNWRITABLE : LEFT_OUT;
}

/** transport, user and method are a token, ttl is a number and maddr a host: each value must be a token or a host. */
function hasOwnForm(bytes: Uint8Array, at: number, end: number): boolean {
  return at > end || skip(bytes, at, end, TOKEN) === end || isHost(bytes, at, end);
}

function headersSpelling(bytes: Uint8Array, at: number, end: number): number {
  const spelling = partSpelling(bytes, at, end, HEADERS);
  if (at < 0) return spelling;
  let equals = 0;
  for (let p = at; p < end; p++) {
    if (bytes[p] === EQUALS && ++equals > 1) return UNWRITABLE;
    if (bytes[p] === AMPERSAND) equals = 0;
  }
  return spelling;
}

/** Writes a REWRITTEN sip or sips URI. */
export function writeUri(w: Writer, bytes: Uint8Array, uri: Int32Array, base: number): void {
  const user = uri[base + URI_USER_AT];
  const host = uri[base + URI_HOST_AT];
  w.span(bytes, uri[base + URI_AT], user >= 0 ? user : host);
  if (user >= 0) {
    writeEscaped(w, bytes, user, uri[base + URI_USER_END], USER);
    if (uri[base + URI_PASSWORD_AT] >= 0) w.byte(COLON);
    writeEscaped(w, bytes, uri[base + URI_PASSWORD_AT], uri[base + URI_PASSWORD_END], PASSWORD);
    w.byte(AT_SIGN);
  }
  const params = uri[base + URI_PARAMS_AT];
  const headers = uri[base + URI_HEADERS_AT];
  const hostEnd = uri[base + URI_HOST_END];
  w.span(bytes, host, hostEnd);
  const port = hostEnd + dotsBehind(bytes, uri, base);
  w.span(bytes, port, params >= 0 ? params : headers >= 0 ? headers : uri[base + URI_END]);
  const paramsEnd = uri[base + URI_PARAMS_END];
  for (let p = params; p >= 0 && p < paramsEnd; ) {
    const at = p;
    p = paramEnd(bytes, at + 1, paramsEnd);
    if (paramSpelling(bytes, at + 1, p) === LEFT_OUT) continue;
    w.byte(SEMICOLON);
    writeEscaped(w, bytes, at + 1, p, PARAM | PARAM_EQUALS);
  }
  writeEscaped(w, bytes, headers, uri[base + URI_HEADERS_END], HEADERS);
}

function writeEscaped(w: Writer, bytes: Uint8Array, at: number, end: number, kind: number): void {
  for (let p = at; p >= 0 && p < end; p++) {
    const byte = bytes[p];
    if ((KIND[byte] & kind) !== 0) w.byte(byte);
    else {
      w.byte(PERCENT);
      w.byte(HEX_DIGITS[byte >> 4]);
      w.byte(HEX_DIGITS[byte & 15]);
    }
  }
}
