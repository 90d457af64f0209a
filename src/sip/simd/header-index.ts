// AssemblyScript. The header section: one pass that finds every header row, unfolds folded ones in place, and chains rows
// of one id (RFC 3261 §7.3.1). Values are not read.

import { HEADERS_MAX } from '../parser/limits.ts';
import {
  FIRST_LINKS,
  HEADER_HASHES,
  HEADER_NAME_BYTES,
  HEADER_NAME_ID,
  HEADER_NAME_LENGTH,
  HEADER_NAME_TAIL,
  HEADER_NAMES,
  LINE_ENDS,
  LINE_ENDS_MAX,
  LINKS,
} from '../parser/memory-map.ts';
import { E_HEADER_LINE, E_REPEATED, E_TOO_MANY_HEADERS, E_UNTERMINATED } from '../parser/parse-error.ts';
import {
  ABSENT,
  H_ALLOW,
  H_CALL_ID,
  H_CONTENT_LENGTH,
  H_CONTENT_TYPE,
  H_CSEQ,
  H_DATE,
  H_EVENT,
  H_EXPIRES,
  H_FEATURE_CAPS,
  H_FROM,
  H_MAX_FORWARDS,
  H_OTHER,
  H_PROXY_AUTHORIZATION,
  H_RECORD_ROUTE,
  H_ROUTE,
  H_TIMESTAMP,
  H_TO,
  H_USER_AGENT,
  ROW_ID,
  ROW_INTS,
  ROW_NAME_AT,
  ROW_NEXT,
  ROW_VALUE_AT,
  T_HEADER_COUNT,
  T_IGNORED_AT,
  T_IGNORED_ROWS,
  T_ROWS,
} from '../parser/span-table.ts';
import { addressOf, entry, fail, setEntry, setField, setSpan } from './memory.ts';
import {
  BACKSLASH,
  BEHIND_SPACE,
  byteAt,
  COLON,
  controlBits,
  CR,
  equalBits,
  isControl,
  isLws,
  LF,
  min,
  ONES,
  QUOTE,
  RETURNS,
  skipLws,
  SP,
  SPACES,
  TAB,
  tokenEnd,
  tokenEndWithin,
  tokenStops,
  trimEnd,
} from './scan.ts';

const CRLF: u32 = 0x0a0d;
const ROW_BYTES: i32 = ROW_INTS << 2;

/** Headers that may occur once, as bits 1 << H_*. */
const SINGLE: i32 =
  (1 << H_TO) |
  (1 << H_FROM) |
  (1 << H_CALL_ID) |
  (1 << H_CSEQ) |
  (1 << H_MAX_FORWARDS) |
  (1 << H_CONTENT_LENGTH) |
  (1 << H_CONTENT_TYPE) |
  (1 << H_EXPIRES) |
  (1 << H_EVENT);

/** Headers that the registrar does not need: their malformed rows are ignored (§8.2.2). */
const IDLE: i32 =
  (1 << H_OTHER) |
  (1 << H_USER_AGENT) |
  (1 << H_ALLOW) |
  (1 << H_TIMESTAMP) |
  (1 << H_DATE) |
  (1 << H_FEATURE_CAPS) |
  (1 << H_ROUTE) |
  (1 << H_RECORD_ROUTE) |
  (1 << H_PROXY_AUTHORIZATION);

/** Offset of the first forbidden control character in the value read last, or -1. */
let controlAt: i32 = -1;
/** Header ids with rows, as bits. */
let seen: i32 = 0;
/** Rows so far. */
let rowCount: i32 = 0;

/** Address of the only candidate row of HEADER_NAMES for a name's length and first two bytes (hashOf in header-names.ts). */
// @ts-ignore: decorator
@inline
function likelyName(two: i32, length: i32): i32 {
  const hash = ((((two | 0x2020) * 41) >> 3) + (length << 3)) & 127;
  return HEADER_NAMES + <i32>load<u8>(HEADER_HASHES + hash) * HEADER_NAME_BYTES;
}

/** The H_* of the name of one to sixteen bytes that starts `bytes`. Known and unknown names come in no order: so without a branch. */
// @ts-ignore: decorator
@inline
function shortHeaderId(two: i32, length: i32, bytes: v128): i32 {
  const name = likelyName(two, length);
  const same = i8x16.bitmask(i8x16.eq(v128.or(bytes, v128.load(SPACES)), v128.load(name)));
  const differs = (~same << (32 - length)) | (<i32>load<u8>(name + HEADER_NAME_LENGTH) ^ length);
  return select<i32>(H_OTHER, <i32>load<u8>(name + HEADER_NAME_ID), differs);
}

/** The H_* of the name [at, end), one byte or more. */
function headerId(at: i32, end: i32): i32 {
  const length = end - at;
  const bytes = v128.load(at);
  const two = length > 1 ? <i32>load<u16>(at) : byteAt(at) | (COLON << 8);
  if (length <= 16) return shortHeaderId(two, length, bytes);
  const name = likelyName(two, length);
  if (<i32>load<u8>(name + HEADER_NAME_LENGTH) != length) return H_OTHER;
  const same = i8x16.bitmask(i8x16.eq(v128.or(bytes, v128.load(SPACES)), v128.load(name)));
  const tail = load<u32>(end - 4) | 0x20202020;
  return same == 0xffff && tail == load<u32>(name + HEADER_NAME_TAIL) ? <i32>load<u8>(name + HEADER_NAME_ID) : H_OTHER;
}

/**
 * Indexes the headers from `at` on; returns the start of the body. A bad line is an error and skipped. A bare CR or LF
 * is an error and ends its line, so that a value copied into an answer never contains one.
 */
export function indexHeaders(at: i32, end: i32): i32 {
  v128.store(LINKS, v128.load(FIRST_LINKS));
  v128.store(LINKS + 16, v128.load(FIRST_LINKS + 16));
  v128.store(LINKS + 32, v128.load(FIRST_LINKS + 32));
  v128.store(LINKS + 48, v128.load(FIRST_LINKS + 48));
  v128.store(LINKS + 64, v128.load(FIRST_LINKS + 64));
  v128.store(LINKS + 80, v128.load(FIRST_LINKS + 80));
  v128.store(LINKS + 96, v128.load(FIRST_LINKS + 96));
  seen = 0;
  rowCount = 0;
  const body = indexPlainLines(at, end);
  setEntry(T_HEADER_COUNT, rowCount);
  return body;
}

/** Joins four times sixteen bits. */
// @ts-ignore: decorator
@inline
function together(a: i32, b: i32, c: i32, d: i32): u64 {
  return <u64><u32>(a | (b << 16)) | (<u64><u32>(c | (d << 16)) << 32);
}

/** Bits of the control characters, HTAB included, among 64 bytes. */
function controls64(p: i32): u64 {
  return together(
    controlBits(v128.load(p)),
    controlBits(v128.load(p, 16)),
    controlBits(v128.load(p, 32)),
    controlBits(v128.load(p, 48)),
  );
}

/** Bits of the control characters and of all bytes from 0x80 on: half the work of exact bits. */
// @ts-ignore: decorator
@inline
function suspects(bytes: v128): i32 {
  return i8x16.bitmask(i8x16.gt_s(v128.load(BEHIND_SPACE), i8x16.add(bytes, v128.load(ONES))));
}

/**
 * Lists the line ends in LINE_ENDS, by their CRs, up to the first control character that is neither a CR nor the byte behind
 * one; returns how many. A header section without folds, tabs and oddities is listed whole. There is no branch on a line's
 * length: unpredictable branches cost more than all else in this function.
 */
// @ts-ignore: decorator
@inline
function listLineEnds(at: i32, end: i32): i32 {
  let out = LINE_ENDS;
  const full = LINE_ENDS + ((LINE_ENDS_MAX - 32) << 2);
  let before: u64 = 0;
  for (let p = at; p < end && out < full; p += 64) {
    const first = v128.load(p);
    const second = v128.load(p, 16);
    const third = v128.load(p, 32);
    const last = v128.load(p, 48);
    let found = together(suspects(first), suspects(second), suspects(third), suspects(last));
    let returns = together(
      equalBits(first, RETURNS),
      equalBits(second, RETURNS),
      equalBits(third, RETURNS),
      equalBits(last, RETURNS),
    );
    let inside: u64 = -1;
    if (end - p < 64) {
      inside = (<u64>1 << <u64>(end - p)) - 1;
      found &= inside;
      returns &= inside;
    }
    const expected = (returns | (returns << 1) | (before >> 63)) & inside;
    if (found != expected && (controls64(p) & inside) != expected) break;
    const blank = returns & ((returns << 2) | (before >> 62));
    before = returns;
    const next = out + (<i32>popcnt(returns) << 2);
    store<i32>(out, p + <i32>ctz(returns));
    returns &= returns - 1;
    store<i32>(out, p + <i32>ctz(returns), 4);
    returns &= returns - 1;
    store<i32>(out, p + <i32>ctz(returns), 8);
    returns &= returns - 1;
    store<i32>(out, p + <i32>ctz(returns), 12);
    returns &= returns - 1;
    out += 16;
    while (out < next) {
      store<i32>(out, p + <i32>ctz(returns));
      returns &= returns - 1;
      out += 4;
    }
    out = next;
    if (blank) break;
  }
  return (out - LINE_ENDS) >> 2;
}

/** Indexes plain lines, and leaves the rest to `indexLines` from the first other line on. */
function indexPlainLines(at: i32, end: i32): i32 {
  const ends = LINE_ENDS + (min(listLineEnds(at, end), HEADERS_MAX) << 2);
  let p = at;
  let row = addressOf(T_ROWS);
  let count = 0;
  let ids = 0;
  // Separate conditions: joined by "||" they become arithmetic, which costs more than branches that are never taken.
  for (let listed = LINE_ENDS; listed < ends; listed += 4) {
    const stop = load<i32>(listed);
    if (<u32>load<u16>(stop) != CRLF) break;
    if (stop == p) {
      if (stop + 1 >= end) break;
      rowCount = count;
      return p + 2;
    }
    if (stop + 2 >= end) break;
    if (byteAt(stop + 2) <= SP) {
      if (byteAt(stop + 2) != CR) break; // a fold, or worse
    }
    const bytes = v128.load(p);
    const length = ctz(tokenStops(bytes));
    let nameEnd = p + length;
    let id = H_OTHER;
    if (<u32>(length - 1) < 15) id = shortHeaderId(<i32>load<u16>(p), length, bytes);
    else {
      nameEnd = tokenEnd(p);
      if (nameEnd == p) break;
      id = headerId(p, nameEnd);
    }
    if (byteAt(nameEnd) != COLON) break;
    if (ids & (1 << id) & SINGLE) fail(E_REPEATED, p, id);
    ids |= 1 << id;
    // There is no tab in a plain line.
    let value = nameEnd + 1;
    value += <i32>(byteAt(value) == SP);
    if (byteAt(value) == SP) value = skipLws(value, stop);
    let valueEnd = stop;
    if (byteAt(stop - 1) == SP) valueEnd = trimEnd(value, stop);
    setSpan(row, ROW_VALUE_AT, value, valueEnd);
    putRow(row, count, id, p, nameEnd);
    row += ROW_BYTES;
    count++;
    p = stop + 2;
  }
  rowCount = count;
  seen = ids;
  return indexLines(p, end);
}

function indexLines(at: i32, end: i32): i32 {
  let p = at;
  while (p < end) {
    const nameEnd = tokenEndWithin(p, end);
    let value = nameEnd + 1;
    let isRow = true;
    if (nameEnd >= end || byteAt(nameEnd) != COLON || nameEnd == p) {
      const first = byteAt(p);
      if (first == CR && p + 1 < end && byteAt(p + 1) == LF) return p + 2;
      if (first == LF) {
        fail(E_HEADER_LINE, p, H_OTHER);
        return p + 1;
      }
      // Behind a row this would be its fold; behind the start line it is an error, since that has no folds.
      if (isLws(first)) fail(E_HEADER_LINE, p, H_OTHER);
      const colon = skipLws(nameEnd, end);
      isRow = nameEnd > p && colon < end && byteAt(colon) == COLON;
      value = isRow ? colon + 1 : p;
    }
    controlAt = -1;
    const stop = valueEnd(value, end);
    if (stop >= end) break;
    if (isRow) storeRow(p, nameEnd, value, stop);
    else ignoreRow(nameEnd - p > 1 ? headerId(p, nameEnd) : H_OTHER, p, p);
    p = behindLineEnd(stop, end);
  }
  fail(E_UNTERMINATED, end, H_OTHER);
  return end;
}

/** Whether the message ends between the CR and the LF of a line end. */
// @ts-ignore: decorator
@inline
function isCut(at: i32, end: i32): bool {
  return byteAt(at) == CR && at + 1 == end;
}

// @ts-ignore: decorator
@inline
function behindLineEnd(stop: i32, end: i32): i32 {
  return <u32>load<u16>(stop) == CRLF && stop + 1 < end ? stop + 2 : stop + 1;
}

function storeRow(name: i32, nameEnd: i32, at: i32, end: i32): void {
  const id = headerId(name, nameEnd);
  if (controlAt < 0) addRow(id, name, nameEnd, at, end);
  else ignoreRow(id, name, controlAt);
}

/** Ignores a malformed row; reports an error at `at` if its name is, or begins like, that of a needed header. */
function ignoreRow(id: i32, row: i32, at: i32): void {
  if ((IDLE & (1 << id)) == 0) {
    fail(E_HEADER_LINE, at, id);
    return;
  }
  const before = entry(T_IGNORED_ROWS);
  if (before == 0) setEntry(T_IGNORED_AT, row);
  setEntry(T_IGNORED_ROWS, before + 1);
}

/** Offset of the line end behind a value, or `end`. Folds in the value become spaces. */
// @ts-ignore: decorator
@inline
function valueEnd(at: i32, end: i32): i32 {
  let p = at;
  while (p < end) {
    const stops = controlBits(v128.load(p));
    if (!stops) {
      p += 16;
      continue;
    }
    p += ctz(stops);
    if (p + 2 < end && <u32>load<u16>(p) == CRLF) {
      if (!isLws(byteAt(p + 2))) return p;
      blankFold(p);
      continue;
    }
    if (p >= end) return end;
    if (byteAt(p) != TAB) return valueEndSlowly(at, p, end);
    p++;
  }
  return end;
}

// @ts-ignore: decorator
@inline
function blankFold(at: i32): void {
  store<u16>(at, 0x2020);
  store<u8>(at + 2, SP);
}

/** `valueEnd` at a control character that is neither HTAB nor a CRLF with more of the message behind it. */
function valueEndSlowly(at: i32, p: i32, end: i32): i32 {
  if (isCut(p, end)) return end;
  if (byteAt(p) != CR && byteAt(p) != LF) return valueEndWithControls(at, end);
  unfold(p, end);
  return p;
}

/** At a CR or LF: true for a fold, which becomes spaces; false at the end of a line. */
function unfold(at: i32, end: i32): bool {
  if (byteAt(at) == LF || at + 1 >= end || byteAt(at + 1) != LF) {
    fail(E_HEADER_LINE, at, H_OTHER);
    return false;
  }
  if (at + 2 >= end || !isLws(byteAt(at + 2))) return false;
  blankFold(at);
  return true;
}

/** `valueEnd` for a value with control characters: they are allowed only behind a backslash in a quoted string. */
function valueEndWithControls(at: i32, end: i32): i32 {
  let quoted = false;
  for (let p = at; p < end; p++) {
    const byte = byteAt(p);
    if (byte == CR || byte == LF) {
      if (isCut(p, end)) return end;
      if (!unfold(p, end)) return p;
    } else if (byte == QUOTE) quoted = !quoted;
    else if (byte == BACKSLASH && quoted) {
      if (p + 1 < end && byteAt(p + 1) != CR && byteAt(p + 1) != LF) p++;
    } else if (isControl(byte) && controlAt < 0) controlAt = p;
  }
  return end;
}

function addRow(id: i32, name: i32, nameEnd: i32, at: i32, end: i32): void {
  const count = rowCount;
  if (count == HEADERS_MAX) {
    fail(E_TOO_MANY_HEADERS, name, id);
    return;
  }
  rowCount = count + 1;
  const bit = 1 << id;
  if (seen & bit & SINGLE) fail(E_REPEATED, name, id);
  seen |= bit;
  const row = addressOf(T_ROWS) + count * ROW_BYTES;
  const value = skipLws(at, end);
  setSpan(row, ROW_VALUE_AT, value, trimEnd(value, end));
  putRow(row, count, id, name, nameEnd);
}

/** Writes all of a row except its value, and chains it to the one before it of the same id. */
// @ts-ignore: decorator
@inline
function putRow(row: i32, count: i32, id: i32, name: i32, nameEnd: i32): void {
  setField(row, ROW_ID, id);
  setSpan(row, ROW_NAME_AT, name, nameEnd);
  setField(row, ROW_NEXT, ABSENT);
  const link = LINKS + (id << 2);
  store<i32>(load<i32>(link), count);
  store<i32>(link, row + (ROW_NEXT << 2));
}
