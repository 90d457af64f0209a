// AssemblyScript. The header section: one pass that finds every header row, unfolds folded ones in place, and chains rows
// of one id (RFC 3261 §7.3.1). What the values hold is not looked at here.

import { HEADERS_MAX } from '../limits.ts';
import {
  HEADER_HASHES,
  HEADER_NAME_BYTES,
  HEADER_NAME_ID,
  HEADER_NAME_LENGTH,
  HEADER_NAME_TAIL,
  HEADER_NAMES,
  LINKS,
} from '../memory-map.ts';
import { E_HEADER_LINE, E_REPEATED, E_TOO_MANY_HEADERS, E_UNTERMINATED } from '../parse-error.ts';
import {
  ABSENT,
  H_CALL_ID,
  H_CONTENT_LENGTH,
  H_CONTENT_TYPE,
  H_CSEQ,
  H_EVENT,
  H_EXPIRES,
  H_FROM,
  H_MAX_FORWARDS,
  H_OTHER,
  H_TO,
  HEADER_IDS,
  ROW_ID,
  ROW_INTS,
  ROW_NAME_AT,
  ROW_NAME_END,
  ROW_NEXT,
  ROW_VALUE_AT,
  ROW_VALUE_END,
  T_FIRST_ROW,
  T_HEADER_COUNT,
  T_ROWS,
} from '../span-table.ts';
import { addressOf, fail, setEntry, setField } from './memory.ts';
import {
  BACKSLASH,
  byteAt,
  COLON,
  CR,
  controlBits,
  isControl,
  isLws,
  LF,
  QUOTE,
  SP,
  skipLws,
  TAB,
  tokenEnd,
  trimEnd,
} from './scan.ts';

const CRLF: u32 = 0x0a0d;
const ROW_BYTES: i32 = ROW_INTS << 2;

/** Headers that may stand once, as bits 1 << H_*. */
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

/** Header ids there are rows of, as bits. */
let seen: i32 = 0;
/** The address where the next row goes. */
let nextRow: i32 = 0;

/** The H_* of the name [at, end), one byte or more. */
// @ts-ignore: decorator
@inline
export function headerId(at: i32, end: i32): i32 {
  const length = end - at;
  const first = byteAt(at) | 0x20;
  const last = byteAt(end - 1) | 0x20;
  // The sums of the known names' lengths, first and last letters differ modulo 128 (header-names.ts fills the tables).
  const hash = (length + (first << 1) - last + (last << 6)) & 127;
  const name = HEADER_NAMES + <i32>load<u8>(HEADER_HASHES + hash) * HEADER_NAME_BYTES;
  if (<i32>load<u8>(name + HEADER_NAME_LENGTH) != length) return H_OTHER;
  const same = i8x16.bitmask(i8x16.eq(v128.or(v128.load(at), i8x16.splat(0x20)), v128.load(name)));
  if (length > 16) {
    const tail = load<u32>(end - 4) | 0x20202020;
    return same == 0xffff && tail == load<u32>(name + HEADER_NAME_TAIL) ? <i32>load<u8>(name + HEADER_NAME_ID) : H_OTHER;
  }
  return ~same << (32 - length) ? H_OTHER : <i32>load<u8>(name + HEADER_NAME_ID);
}

/**
 * Indexes the headers from `at` on; returns where the body starts. A bad line is an error and passed over. A bare CR or LF
 * is an error and ends its line, so that no value copied into an answer ever holds one.
 */
export function indexHeaders(at: i32, end: i32): i32 {
  for (let id = 0; id < HEADER_IDS; id++) store<i32>(LINKS + (id << 2), addressOf(T_FIRST_ROW + id));
  seen = 0;
  nextRow = addressOf(T_ROWS);
  const body = indexLines(at, end);
  setEntry(T_HEADER_COUNT, (nextRow - addressOf(T_ROWS)) / ROW_BYTES);
  return body;
}

// @ts-ignore: decorator
@inline
function indexLines(at: i32, end: i32): i32 {
  let p = at;
  while (p < end) {
    const nameEnd = tokenEnd(p, end);
    let colon = nameEnd;
    if (colon >= end || byteAt(colon) != COLON || nameEnd == p) {
      const first = byteAt(p);
      if (first == CR && p + 1 < end && byteAt(p + 1) == LF) return p + 2;
      if (first == LF) {
        fail(E_HEADER_LINE, p, H_OTHER);
        return p + 1;
      }
      colon = skipLws(nameEnd, end);
      if (colon >= end || isCut(colon, end)) break;
      if (nameEnd == p || byteAt(colon) != COLON) {
        fail(E_HEADER_LINE, p, H_OTHER);
        p = behindBadLine(p, end);
        continue;
      }
    }
    const stop = valueEnd(colon + 1, end);
    if (stop >= end) break;
    addRow(p, nameEnd, colon + 1, stop);
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

function behindBadLine(at: i32, end: i32): i32 {
  let p = at;
  while (p < end && byteAt(p) != CR && byteAt(p) != LF) p++;
  return p < end ? behindLineEnd(p, end) : end;
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

/** At a CR or LF: true where it was a fold and now is spaces; false at the end of a line. */
function unfold(at: i32, end: i32): bool {
  if (byteAt(at) == LF || at + 1 >= end || byteAt(at + 1) != LF) {
    fail(E_HEADER_LINE, at, H_OTHER);
    return false;
  }
  if (at + 2 >= end || !isLws(byteAt(at + 2))) return false;
  blankFold(at);
  return true;
}

/** `valueEnd` for a value with control characters: they may stand behind a backslash in a quoted string, nowhere else. */
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
    } else if (isControl(byte)) fail(E_HEADER_LINE, p, H_OTHER);
  }
  return end;
}

// @ts-ignore: decorator
@inline
function addRow(name: i32, nameEnd: i32, at: i32, end: i32): void {
  const id = headerId(name, nameEnd);
  const row = nextRow;
  if (row == addressOf(T_ROWS) + HEADERS_MAX * ROW_BYTES) {
    fail(E_TOO_MANY_HEADERS, name, id);
    return;
  }
  nextRow = row + ROW_BYTES;
  const value = skipLws(at, end);
  setField(row, ROW_ID, id);
  setField(row, ROW_NAME_AT, name);
  setField(row, ROW_NAME_END, nameEnd);
  setField(row, ROW_VALUE_AT, value);
  setField(row, ROW_VALUE_END, trimEnd(value, end));
  setField(row, ROW_NEXT, ABSENT);
  const link = LINKS + (id << 2);
  store<i32>(load<i32>(link), (row - addressOf(T_ROWS)) / ROW_BYTES);
  store<i32>(link, row + (ROW_NEXT << 2));
  const bit = 1 << id;
  if (seen & bit & SINGLE) fail(E_REPEATED, name, id);
  seen |= bit;
}
