// name-addr and addr-spec (RFC 3261 §20, §20.10, §25.1), and the To and From records made of them.

import { E_OK, E_REQUEST_URI } from '../../src/sip/parser/parse-error.ts';
import {
  ABSENT,
  ADDRESS_AT,
  ADDRESS_DISPLAY_AT,
  ADDRESS_DISPLAY_END,
  ADDRESS_END,
  ADDRESS_INTS,
  ADDRESS_TAG_AT,
  ADDRESS_TAG_END,
  PARAM_INTS,
  PARAM_NAME_AT,
  PARAM_NAME_END,
  PARAM_VALUE_AT,
  PARAM_VALUE_END,
  T_PARAM_COUNT,
  T_PARAMS,
} from '../../src/sip/parser/span-table.ts';
import { ascii } from '../../src/sip/writer.ts';
import { fail } from './failure.ts';
import { slab as theSlab, table as theTable } from './memory.ts';
import { BAD, paramEnd, readParams } from './params.ts';
import {
  COMMA,
  GREATER,
  isText,
  LESS,
  LWS,
  QUESTION,
  QUOTE,
  quotedEnd,
  SEMICOLON,
  skip,
  TOKEN,
  CLASS as theClasses,
  trimEnd,
  VALUE,
} from './scanner.ts';
import { parseUri } from './uri.ts';

// Constants of this module: V8 compiles their addresses in, while it loads an import each time it is used.
const CLASS = theClasses;
const slab = theSlab;
const table = theTable;

const TAG = ascii('tag');

/**
 * Reads a display name and a URI from `at` on into the record at `base`: the URI, and the display name in the two places
 * behind the record's own span (To, From and Contact records agree so far). Returns the offset behind the URI or its ">";
 * BAD, or the negative E_* of the URI.
 */
export function readNameAddr(at: number, end: number, base: number): number {
  let p = at;
  let displayEnd = at;
  if (at < end && slab[at] === QUOTE) {
    displayEnd = quotedEnd(slab, at, end);
    if (displayEnd < 0) return BAD;
    p = skip(slab, displayEnd, end, LWS);
    if (p >= end || slab[p] !== LESS) return BAD;
  } else {
    while (p < end && ((CLASS[slab[p]] & (TOKEN | LWS)) !== 0 || slab[p] > 0x7f)) p++;
    if (p < end && slab[p] === LESS) displayEnd = trimEnd(slab, at, p);
    else if ((p = bracketBehind(p, end)) < 0) return readAddrSpec(at, end, base);
  }
  table[base + ADDRESS_DISPLAY_AT] = displayEnd > at ? at : ABSENT;
  table[base + ADDRESS_DISPLAY_END] = displayEnd > at ? displayEnd : ABSENT;
  const uri = p + 1;
  let close = uri;
  while (close < end && slab[close] !== GREATER) close++;
  return close < end ? readUri(uri, close, close + 1, base) : BAD;
}

/**
 * The "<" behind an unquoted display name that should have been quoted ("Room: 5 (left)"), or -1. What ends or opens
 * something else (`"`, ",", ";", "?") is none of it. Such a name counts as absent: it is kept nowhere and shown to nobody.
 */
function bracketBehind(at: number, end: number): number {
  let p = at;
  while (p < end && (CLASS[slab[p]] & (VALUE | LWS)) !== 0 && slab[p] !== QUESTION) p++;
  return p < end && slab[p] === LESS ? p : -1;
}

/** A URI without brackets ends at the first ";", "," or LWS, and holds no "?" (§20). */
function readAddrSpec(at: number, end: number, base: number): number {
  table[base + ADDRESS_DISPLAY_AT] = ABSENT;
  table[base + ADDRESS_DISPLAY_END] = ABSENT;
  let p = at;
  for (; p < end; p++) {
    const byte = slab[p];
    if (byte === SEMICOLON || byte === COMMA || (CLASS[byte] & LWS) !== 0) break;
    if (byte === QUESTION) return BAD;
  }
  return readUri(at, p, p, base);
}

function readUri(at: number, end: number, next: number, base: number): number {
  const error = parseUri(slab, at, end, table, base);
  if (error === E_OK) return next;
  return error === E_REQUEST_URI ? BAD : -error;
}

/** Fills the To or From record at `base` from a value; a malformed one is `error` and leaves the record absent. */
export function parseAddress(at: number, end: number, base: number, header: number, error: number): void {
  let p = readNameAddr(at, end, base);
  if (p >= 0) p = readParams(p, end);
  if (p === end) {
    table[base + ADDRESS_AT] = at;
    table[base + ADDRESS_END] = end;
    takeTag(base);
  } else {
    for (let i = base; i < base + ADDRESS_INTS; i++) table[i] = ABSENT;
    fail(p < BAD ? -p : error, at, header);
  }
  table[T_PARAM_COUNT] = 0;
}

function takeTag(base: number): void {
  const end = T_PARAMS + table[T_PARAM_COUNT] * PARAM_INTS;
  for (let row = T_PARAMS; row < end; row += PARAM_INTS) {
    if (!isText(slab, table[row + PARAM_NAME_AT], table[row + PARAM_NAME_END], TAG)) continue;
    const at = table[row + PARAM_VALUE_AT];
    const length = table[row + PARAM_VALUE_END] - at;
    const isEmpty = length === 0 || (length === 2 && slab[at] === QUOTE);
    table[base + ADDRESS_TAG_AT] = isEmpty ? ABSENT : at;
    table[base + ADDRESS_TAG_END] = paramEnd(row);
  }
}
