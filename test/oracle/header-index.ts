// The header section: one pass that finds every header row, unfolds folded ones in place, and chains rows of one id
// (RFC 3261 §7.3.1). What the values hold is not looked at here.

import { HEADERS_MAX } from '../../src/sip/parser/limits.ts';
import { E_HEADER_LINE, E_REPEATED, E_TOO_MANY_HEADERS, E_UNTERMINATED } from '../../src/sip/parser/parse-error.ts';
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
  T_IGNORED_AT,
  T_IGNORED_ROWS,
  T_ROWS,
} from '../../src/sip/parser/span-table.ts';
import { fail } from './failure.ts';
import { headerId } from './header-names.ts';
import { slab as theSlab, table as theTable } from './memory.ts';
import {
  BACKSLASH,
  COLON,
  CONTROL,
  CR,
  LF,
  LWS,
  QUOTE,
  SP,
  skip,
  TAB,
  TOKEN,
  CLASS as theClasses,
  trimEnd,
} from './scanner.ts';

// Constants of this module: V8 compiles their addresses in, while it loads an import each time it is used.
const CLASS = theClasses;
const slab = theSlab;
const table = theTable;

const DEL = 0x7f;

/** Headers that may stand once, as bits 1 << H_*. */
const SINGLE =
  (1 << H_TO) |
  (1 << H_FROM) |
  (1 << H_CALL_ID) |
  (1 << H_CSEQ) |
  (1 << H_MAX_FORWARDS) |
  (1 << H_CONTENT_LENGTH) |
  (1 << H_CONTENT_TYPE) |
  (1 << H_EXPIRES) |
  (1 << H_EVENT);

/** Headers that nothing here depends on: a malformed row of theirs is passed over (§8.2.2). */
const IDLE =
  (1 << H_OTHER) |
  (1 << H_USER_AGENT) |
  (1 << H_ALLOW) |
  (1 << H_TIMESTAMP) |
  (1 << H_DATE) |
  (1 << H_FEATURE_CAPS) |
  (1 << H_ROUTE) |
  (1 << H_RECORD_ROUTE) |
  (1 << H_PROXY_AUTHORIZATION);

/** Offset of the first control character that has no place in the value looked at last, or -1. */
let controlAt = -1;

/** The latest row of each id; valid where T_FIRST_ROW says there is one. */
const lastRow = new Int32Array(HEADER_IDS);

/**
 * Indexes the headers from `at` on; returns where the body starts. A row that is malformed and nobody's need is passed
 * over and counted. A bare CR or LF is an error and ends its line, so that no value copied into an answer ever holds one.
 */
export function indexHeaders(at: number, end: number): number {
  let p = at;
  while (p < end) {
    const first = slab[p];
    if (first === CR && p + 1 < end && slab[p + 1] === LF) return p + 2;
    if (first === LF) {
      fail(E_HEADER_LINE, p, H_OTHER);
      return p + 1;
    }
    // Behind a row this would be its fold; here it is the start line's, and there are none.
    if ((CLASS[first] & LWS) !== 0) fail(E_HEADER_LINE, p, H_OTHER);
    const nameEnd = skip(slab, p, end, TOKEN);
    const colon = skip(slab, nameEnd, end, LWS);
    const isRow = nameEnd > p && colon < end && slab[colon] === COLON;
    const value = isRow ? colon + 1 : p;
    controlAt = -1;
    const stop = valueEnd(value, end);
    if (stop >= end) break;
    const id = isRow || nameEnd - p > 1 ? headerId(slab, p, nameEnd) : H_OTHER;
    if (isRow && controlAt < 0) addRow(id, p, nameEnd, value, stop);
    else ignoreRow(id, p, isRow ? controlAt : p);
    p = behindLineEnd(stop, end);
  }
  fail(E_UNTERMINATED, end, H_OTHER);
  return end;
}

/** Whether the message ends between the CR and the LF of a line end. */
function isCut(at: number, end: number): boolean {
  return slab[at] === CR && at + 1 === end;
}

function behindLineEnd(stop: number, end: number): number {
  return slab[stop] === CR && stop + 1 < end && slab[stop + 1] === LF ? stop + 2 : stop + 1;
}

/** Passes over a malformed row; an error at `at` where it is, or begins like, one of a header that is needed. */
function ignoreRow(id: number, row: number, at: number): void {
  if ((IDLE & (1 << id)) === 0) {
    fail(E_HEADER_LINE, at, id);
    return;
  }
  if (table[T_IGNORED_ROWS]++ === 0) table[T_IGNORED_AT] = row;
}

/** Offset of the line end behind a value, or `end`. Folds in the value become spaces. */
function valueEnd(at: number, end: number): number {
  let p = at;
  for (;;) {
    p = visibleEnd(p, end);
    if (p >= end || isCut(p, end)) return end;
    if (slab[p] !== CR && slab[p] !== LF) return valueEndWithControls(at, end);
    if (!unfold(p, end)) return p;
  }
}

/** The first control character but HTAB at or behind `at`, or `end`. The longest loop of the parser: no table look-up. */
function visibleEnd(at: number, end: number): number {
  for (let p = at; p < end; p++) {
    const byte = slab[p];
    if ((byte < SP && byte !== TAB) || byte === DEL) return p;
  }
  return end;
}

/** At a CR or LF: true where it was a fold and now is spaces; false at the end of a line. */
function unfold(at: number, end: number): boolean {
  if (slab[at] === LF || at + 1 >= end || slab[at + 1] !== LF) {
    fail(E_HEADER_LINE, at, H_OTHER);
    return false;
  }
  if (at + 2 >= end || (CLASS[slab[at + 2]] & LWS) === 0) return false;
  slab[at] = SP;
  slab[at + 1] = SP;
  slab[at + 2] = SP;
  return true;
}

/** `valueEnd` for a value with control characters: they may stand behind a backslash in a quoted string, nowhere else. */
function valueEndWithControls(at: number, end: number): number {
  let quoted = false;
  for (let p = at; p < end; p++) {
    const byte = slab[p];
    if (byte === CR || byte === LF) {
      if (isCut(p, end)) return end;
      if (!unfold(p, end)) return p;
    } else if (byte === QUOTE) quoted = !quoted;
    else if (byte === BACKSLASH && quoted) {
      if (p + 1 < end && slab[p + 1] !== CR && slab[p + 1] !== LF) p++;
    } else if ((CLASS[byte] & CONTROL) !== 0 && controlAt < 0) controlAt = p;
  }
  return end;
}

function addRow(id: number, name: number, nameEnd: number, at: number, end: number): void {
  const row = table[T_HEADER_COUNT];
  if (row === HEADERS_MAX) {
    fail(E_TOO_MANY_HEADERS, name, id);
    return;
  }
  table[T_HEADER_COUNT] = row + 1;
  const value = skip(slab, at, end, LWS);
  const base = T_ROWS + row * ROW_INTS;
  table[base + ROW_ID] = id;
  table[base + ROW_NAME_AT] = name;
  table[base + ROW_NAME_END] = nameEnd;
  table[base + ROW_VALUE_AT] = value;
  table[base + ROW_VALUE_END] = trimEnd(slab, value, end);
  table[base + ROW_NEXT] = ABSENT;
  if (table[T_FIRST_ROW + id] === ABSENT) table[T_FIRST_ROW + id] = row;
  else {
    table[T_ROWS + lastRow[id] * ROW_INTS + ROW_NEXT] = row;
    if ((SINGLE & (1 << id)) !== 0) fail(E_REPEATED, name, id);
  }
  lastRow[id] = row;
}
