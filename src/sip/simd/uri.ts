// AssemblyScript. One URI into a URI record (RFC 3261 §19.1.1, §25.1). address.ts reads angle brackets, lists and header
// parameters.

import { PARAMS_PER_VALUE_MAX } from '../parser/limits.ts';
import { URI_NAMES } from '../parser/memory-map.ts';
import { E_OK, E_REPEATED_PARAM, E_REQUEST_URI, E_TOO_MANY_PARAMS } from '../parser/parse-error.ts';
import {
  ABSENT,
  SCHEME_OTHER,
  SCHEME_SIP,
  SCHEME_SIPS,
  SCHEME_TEL,
  URI_AT,
  URI_HEADERS_AT,
  URI_HOST_AT,
  URI_INTS,
  URI_PARAMS_AT,
  URI_PARAMS_END,
  URI_PASSWORD_AT,
  URI_PORT,
  URI_SCHEME,
  URI_USER_AT,
} from '../parser/span-table.ts';
import { field, setField, setSpan } from './memory.ts';
import {
  AT_SIGNS,
  byteAt,
  COLON,
  COLONS,
  decimal,
  digitsEnd,
  DOT,
  equalBits,
  EQUALS,
  EQUALS_SIGNS,
  hostEnd,
  lower,
  notUriBits,
  PERCENT,
  PERCENTS,
  QUESTION,
  QUESTION_MARKS,
  sameText,
  SEMICOLON,
  SEMICOLONS,
  tokenEnd,
} from './scan.ts';

const AMPERSAND: i32 = 0x26;
const PORT_MAX: i64 = 65_535;
const SIP_COLON: u32 = 0x3a706973;
const SIPS: u32 = 0x73706973;
const LOWER4: u32 = 0x20202020;

/** Findings of `scanUri`: the first "@" or -1, and bits of "%". */
let atSign: i32 = -1;
let percents: u32 = 0;

/** The first byte at or behind `at` that cannot be in a URI: at the end of a row's value at the latest. */
export function scanUri(at: i32): i32 {
  let p = at;
  let found = -1;
  let escapes: u32 = 0;
  while (true) {
    const low = v128.load(p);
    const high = v128.load(p, 16);
    const stops = <u32>notUriBits(low) | (<u32>notUriBits(high) << 16);
    const below = (stops & (0 - stops)) - 1;
    const ats = (<u32>equalBits(low, AT_SIGNS) | (<u32>equalBits(high, AT_SIGNS) << 16)) & below;
    if (ats && found < 0) found = p + <i32>ctz(ats);
    escapes |= (<u32>equalBits(low, PERCENTS) | (<u32>equalBits(high, PERCENTS) << 16)) & below;
    if (stops) {
      atSign = found;
      percents = escapes;
      return p + <i32>ctz(stops);
    }
    p += 32;
  }
}

// @ts-ignore: decorator
@inline
function clear(record: i32, at: i32, end: i32): void {
  const absent = i32x4.splat(ABSENT);
  // URI_INTS is 14: three times four and two.
  v128.store(record, absent);
  v128.store(record + 16, absent);
  v128.store(record + 32, absent);
  store<i64>(record + 48, -1);
  setField(record, URI_SCHEME, SCHEME_OTHER);
  setSpan(record, URI_AT, at, end);
}

/**
 * Parses the URI [at, end) into the record; a byte that ends URIs must be at `end`. Returns E_OK; E_REQUEST_URI for a malformed
 * one, E_TOO_MANY_PARAMS, E_REPEATED_PARAM. For schemes other than sip and sips only "scheme:rest" is checked. After an error the
 * record has only the whole span.
 */
export function parseUri(at: i32, end: i32, record: i32): i32 {
  if (scanUri(at) < end) {
    clear(record, at, end);
    return E_REQUEST_URI;
  }
  if (atSign >= end) atSign = -1;
  return parseScanned(at, end, record);
}

/** `parseUri` for a span that `scanUri` has just read. */
export function parseScanned(at: i32, end: i32, record: i32): i32 {
  clear(record, at, end);
  const userEnd = atSign < 0 ? end : atSign;
  const head = load<u32>(at) | LOWER4;
  let start = at + 4;
  if (head == SIP_COLON && start <= end) setField(record, URI_SCHEME, SCHEME_SIP);
  else if (head == SIPS && start < end && byteAt(start) == COLON) {
    start++;
    setField(record, URI_SCHEME, SCHEME_SIPS);
  } else return parseOther(at, end, record);
  const error = percents != 0 && !escapesHold(start, end) ? E_REQUEST_URI : parseSip(start, userEnd, end, record);
  if (error != E_OK) clear(record, at, end);
  return error;
}

/** A scheme that is neither sip nor sips. */
function parseOther(at: i32, end: i32, record: i32): i32 {
  if (at >= end || <u32>(lower(byteAt(at)) - 0x61) > 25) return E_REQUEST_URI;
  const colon = tokenEnd(at);
  if (colon >= end || byteAt(colon) != COLON || colon + 1 == end) return E_REQUEST_URI;
  const isTel = colon - at == 3 && ((load<u32>(at) | LOWER4) & 0xffffff) == 0x6c6574;
  setField(record, URI_SCHEME, isTel ? SCHEME_TEL : SCHEME_OTHER);
  setSpan(record, URI_USER_AT, colon + 1, end);
  return E_OK;
}

function isHex(byte: i32): bool {
  return <u32>(byte - 0x30) <= 9 || <u32>((byte | 0x20) - 0x61) <= 5;
}

/** Whether two hexadecimal digits follow every "%". */
function escapesHold(at: i32, end: i32): bool {
  for (let p = at; p < end; p++) {
    if (byteAt(p) != PERCENT) continue;
    if (p + 2 >= end || !isHex(byteAt(p + 1)) || !isHex(byteAt(p + 2))) return false;
  }
  return true;
}

/** Parses all behind "sip:"; `userEnd` is the offset of the "@" or `end`. */
function parseSip(at: i32, userEnd: i32, end: i32, record: i32): i32 {
  let host = at;
  if (userEnd < end) {
    host = userEnd + 1;
    if (!parseUserinfo(at, userEnd, record)) return E_REQUEST_URI;
  }
  let p = hostEnd(host, end);
  if (p < 0) return E_REQUEST_URI;
  // The final dot, of the root, is no part of a name (RFC 1034 §3.1).
  setSpan(record, URI_HOST_AT, host, p - <i32>(byteAt(p - 1) == DOT && p - 1 > host));
  if (p == end) return E_OK;
  if (byteAt(p) == COLON) {
    const stop = digitsEnd(p + 1);
    const port = decimal(p + 1, stop);
    if (port < 0 || port > PORT_MAX) return E_REQUEST_URI;
    setField(record, URI_PORT, <i32>port);
    p = stop;
    if (p == end) return E_OK;
  }
  if (byteAt(p) == SEMICOLON) return parseParams(p, end, record);
  if (byteAt(p) == QUESTION) return parseHeaders(p, end, record);
  return E_REQUEST_URI;
}

/** The user part must not be empty; the password may be. */
// @ts-ignore: decorator
@inline
function parseUserinfo(at: i32, end: i32, record: i32): bool {
  let colon = at;
  while (true) {
    const found = equalBits(v128.load(colon), COLONS);
    if (found) {
      colon += ctz(found);
      break;
    }
    colon += 16;
    if (colon >= end) break;
  }
  if (colon > end) colon = end;
  if (colon == at) return false;
  setSpan(record, URI_USER_AT, at, colon);
  if (colon < end) setSpan(record, URI_PASSWORD_AT, colon + 1, end);
  return true;
}

/** From the first ";" on: `*( ";" name [ "=" value ] ) [ headers ]`. */
function parseParams(at: i32, end: i32, record: i32): i32 {
  setField(record, URI_PARAMS_AT, at);
  let count = 0;
  let p = at;
  while (p < end && byteAt(p) == SEMICOLON) {
    const name = p + 1;
    p = name;
    let nameEnd = -1;
    while (p < end) {
      const bytes = v128.load(p);
      const stops = equalBits(bytes, SEMICOLONS) | equalBits(bytes, QUESTION_MARKS);
      const equals = equalBits(bytes, EQUALS_SIGNS);
      const below = stops ? (stops & -stops) - 1 : 0xffff;
      if (nameEnd < 0 && equals & below) nameEnd = p + ctz(equals);
      if (stops) {
        p += ctz(stops);
        break;
      }
      p += 16;
    }
    if (p > end) p = end;
    if (nameEnd < 0 || nameEnd > p) nameEnd = p;
    if (nameEnd == name) return E_REQUEST_URI;
    if (count == PARAMS_PER_VALUE_MAX) return E_TOO_MANY_PARAMS;
    const length = nameEnd - name;
    for (let i = 0; i < count; i++) {
      const other = URI_NAMES + (i << 3);
      const otherAt = field(other, 0);
      if (field(other, 1) - otherAt == length && sameText(otherAt, name, length)) return E_REPEATED_PARAM;
    }
    setSpan(URI_NAMES + (count << 3), 0, name, nameEnd);
    count++;
  }
  setField(record, URI_PARAMS_END, p);
  return p < end ? parseHeaders(p, end, record) : E_OK;
}

/** From the "?" on: `name "=" value *( "&" name "=" value )`; the value may be empty, the name may not. */
function parseHeaders(at: i32, end: i32, record: i32): i32 {
  let count = 0;
  let p = at;
  while (p < end) {
    const name = p + 1;
    p = name;
    let equals = -1;
    while (p < end && byteAt(p) != AMPERSAND) {
      if (equals < 0 && byteAt(p) == EQUALS) equals = p;
      p++;
    }
    if (equals <= name) return E_REQUEST_URI;
    if (++count > PARAMS_PER_VALUE_MAX) return E_TOO_MANY_PARAMS;
  }
  setSpan(record, URI_HEADERS_AT, at, end);
  return E_OK;
}
