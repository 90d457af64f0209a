// AssemblyScript. name-addr and addr-spec (RFC 3261 §20, §20.10, §25.1), and the To and From records read from them.

import { E_OK, E_REQUEST_URI } from '../parser/parse-error.ts';
import {
  ABSENT,
  ADDRESS_AT,
  ADDRESS_DISPLAY_AT,
  ADDRESS_INTS,
  ADDRESS_TAG_AT,
  PARAM_NAME_AT,
  PARAM_NAME_END,
  PARAM_VALUE_AT,
  PARAM_VALUE_END,
  T_PARAM_COUNT,
  T_PARAMS,
} from '../parser/span-table.ts';
import { addressOf, fail, field, setEntry, setField, setSpan } from './memory.ts';
import { BAD, PARAM_BYTES, paramEnd, paramRowsEnd, readParams } from './params.ts';
import {
  behindLws,
  byteAt,
  COMMA,
  GREATER,
  isControl,
  isLws,
  LESS,
  min,
  QUESTION,
  QUOTE,
  quotedEnd,
  SEMICOLON,
  SPACES,
  TABS,
  tokenStops,
  trimEnd,
} from './scan.ts';
import { parseScanned, parseUri, scanUri } from './uri.ts';

const TAG: u32 = 0x676174;

/** Position behind the characters of an unquoted display name: token characters, spaces, tabs and bytes from 0x80 on. */
function displayEnd(at: i32, end: i32): i32 {
  let p = at;
  do {
    const bytes = v128.load(p);
    const blanks = i8x16.bitmask(
      v128.or(i8x16.eq(bytes, v128.load(SPACES)), i8x16.eq(bytes, v128.load(TABS))),
    );
    const stops = tokenStops(bytes) & ~blanks & ~i8x16.bitmask(bytes);
    if (stops) return min(p + ctz(stops), end);
    p += 16;
  } while (p < end);
  return end;
}

/**
 * Reads a display name and a URI from `at` on into the record: the URI, and the display name in the two fields behind the
 * record's own span (the same in To, From and Contact records). Returns the offset behind the URI or its ">"; BAD, or the
 * negative E_* of the URI.
 */
export function readNameAddr(at: i32, end: i32, record: i32): i32 {
  let p = at;
  if (byteAt(at) == LESS) setSpan(record, ADDRESS_DISPLAY_AT, ABSENT, ABSENT);
  else if (byteAt(at) == QUOTE) {
    const stop = quotedEnd(at, end);
    if (stop < 0) return BAD;
    p = behindLws(stop, end);
    if (byteAt(p) != LESS) return BAD;
    setSpan(record, ADDRESS_DISPLAY_AT, at, stop);
  } else {
    p = displayEnd(at, end);
    let stop = at;
    if (byteAt(p) == LESS) stop = trimEnd(at, p);
    else {
      p = bracketBehind(p, end);
      if (p < 0) return readAddrSpec(at, end, record);
    }
    setSpan(record, ADDRESS_DISPLAY_AT, stop > at ? at : ABSENT, stop > at ? stop : ABSENT);
  }
  const uri = p + 1;
  const close = scanUri(uri);
  if (byteAt(close) != GREATER) return BAD;
  return behindUri(parseScanned(uri, close, record), close + 1);
}

/**
 * The "<" behind an unquoted display name that needs quotes ("Desk: 5 (left)"), or -1. Characters that end or open
 * something else (`"`, ",", ";", "?") cannot be in it. Such a name counts as absent: it is neither kept nor shown.
 */
function bracketBehind(at: i32, end: i32): i32 {
  for (let p = at; p < end; p++) {
    const byte = byteAt(p);
    if (byte == LESS) return p;
    const no = byte == QUOTE || byte == COMMA || byte == SEMICOLON || byte == QUESTION || byte == GREATER;
    if (no || isControl(byte)) return -1;
  }
  return -1;
}

/** A URI without brackets ends at the first ";", "," or LWS, and cannot have a "?" (§20). */
function readAddrSpec(at: i32, end: i32, record: i32): i32 {
  setSpan(record, ADDRESS_DISPLAY_AT, ABSENT, ABSENT);
  let p = at;
  for (; p < end; p++) {
    const byte = byteAt(p);
    if (byte == SEMICOLON || byte == COMMA || isLws(byte)) break;
    if (byte == QUESTION) return BAD;
  }
  return behindUri(parseUri(at, p, record), p);
}

// @ts-ignore: decorator
@inline
function behindUri(error: i32, next: i32): i32 {
  if (error == E_OK) return next;
  return error == E_REQUEST_URI ? BAD : -error;
}

/** Fills the To or From record from a value; for a malformed value it reports `error` and leaves the record absent. */
export function parseAddress(at: i32, end: i32, record: i32, header: i32, error: i32): void {
  let p = readNameAddr(at, end, record);
  if (p >= 0 && p < end) p = readParams(p, end);
  if (p == end) {
    setSpan(record, ADDRESS_AT, at, end);
    storeTag(record);
  } else {
    for (let i = 0; i < ADDRESS_INTS; i++) setField(record, i, ABSENT);
    fail(p < BAD ? -p : error, at, header);
  }
  setEntry(T_PARAM_COUNT, 0);
}

// @ts-ignore: decorator
@inline
function storeTag(record: i32): void {
  const last = paramRowsEnd();
  for (let row = addressOf(T_PARAMS); row < last; row += PARAM_BYTES) {
    const name = field(row, PARAM_NAME_AT);
    if (field(row, PARAM_NAME_END) - name != 3 || ((load<u32>(name) | 0x202020) & 0xffffff) != TAG) continue;
    const at = field(row, PARAM_VALUE_AT);
    const end = field(row, PARAM_VALUE_END);
    const isEmpty = at == end || (end - at == 2 && byteAt(at) == QUOTE);
    setSpan(record, ADDRESS_TAG_AT, isEmpty ? ABSENT : at, paramEnd(row));
  }
}
