// Header parameters, `*( ; name [ = value ] )` (RFC 3261 §7.3.1, §25.1): appended as rows to the table's parameter area.
// Via, To and From read theirs there too and give the rows back.

import { CONTACT_PARAMS_MAX, PARAMS_PER_VALUE_MAX } from '../../src/sip/parser/limits.ts';
import { E_REPEATED_PARAM, E_TOO_MANY_PARAMS } from '../../src/sip/parser/parse-error.ts';
import {
  ABSENT,
  PARAM_INTS,
  PARAM_NAME_AT,
  PARAM_NAME_END,
  PARAM_VALUE_AT,
  PARAM_VALUE_END,
  T_PARAM_COUNT,
  T_PARAMS,
} from '../../src/sip/parser/span-table.ts';
import { ascii } from '../../src/sip/writer.ts';
import { slab as theSlab, table as theTable } from './memory.ts';
import {
  BACKSLASH,
  EQUALS,
  GREATER,
  isText,
  LESS,
  LWS,
  QUOTE,
  quotedEnd,
  SEMICOLON,
  SP,
  sameText,
  skip,
  TOKEN,
  VALUE,
} from './scanner.ts';

// Constants of this module: V8 compiles their addresses in, while it loads an import each time it is used.
const slab = theSlab;
const table = theTable;

export const INSTANCE = ascii('+sip.instance');

/** What the readers of values return where something is malformed and no E_* of its own says what. */
export const BAD = -1;

/**
 * Reads parameters from `at` on. Returns where it stopped (LWS behind them passed over), or BAD, -E_TOO_MANY_PARAMS,
 * -E_REPEATED_PARAM. The rows read so far stay. One ";" may close the value.
 */
export function readParams(at: number, end: number): number {
  const first = table[T_PARAM_COUNT];
  let count = first;
  let p = skip(slab, at, end, LWS);
  while (p < end && slab[p] === SEMICOLON) {
    const name = skip(slab, p + 1, end, LWS);
    const nameEnd = skip(slab, name, end, TOKEN);
    if (nameEnd === name) return name === end ? end : BAD;
    if (count - first === PARAMS_PER_VALUE_MAX || count === CONTACT_PARAMS_MAX) return -E_TOO_MANY_PARAMS;
    if (isRepeated(first, count, name, nameEnd)) return -E_REPEATED_PARAM;
    const row = T_PARAMS + count * PARAM_INTS;
    p = readValue(name, nameEnd, end, row);
    if (p < 0) return BAD;
    table[row + PARAM_NAME_AT] = name;
    table[row + PARAM_NAME_END] = nameEnd;
    table[T_PARAM_COUNT] = ++count;
  }
  return p;
}

/** The optional `= value` behind a name: a quoted string or visible characters, which may be none. */
function readValue(name: number, nameEnd: number, end: number, row: number): number {
  table[row + PARAM_VALUE_AT] = ABSENT;
  table[row + PARAM_VALUE_END] = ABSENT;
  const equals = skip(slab, nameEnd, end, LWS);
  if (equals >= end || slab[equals] !== EQUALS) return equals;
  const value = skip(slab, equals + 1, end, LWS);
  const quoted = value < end && slab[value] === QUOTE;
  const bracketed = value < end && slab[value] === LESS && isText(slab, name, nameEnd, INSTANCE);
  const valueEnd = quoted
    ? quotedEnd(slab, value, end)
    : bracketed
      ? bracketsEnd(value, end)
      : skip(slab, value, end, VALUE);
  if (valueEnd < 0) return BAD;
  table[row + PARAM_VALUE_AT] = value;
  table[row + PARAM_VALUE_END] = valueEnd;
  return skip(slab, valueEnd, end, LWS);
}

/** Behind the ">" of an instance ID that lacks its quotes (RFC 5626 §4.1), or BAD: visible ASCII, and nothing that quotes would change. */
function bracketsEnd(at: number, end: number): number {
  for (let p = at + 1; p < end; p++) {
    const byte = slab[p];
    if (byte === GREATER) return p + 1;
    if (byte <= SP || byte >= 0x7f || byte === QUOTE || byte === BACKSLASH || byte === LESS) return BAD;
  }
  return BAD;
}

function isRepeated(first: number, count: number, at: number, end: number): boolean {
  for (let i = first; i < count; i++) {
    const row = T_PARAMS + i * PARAM_INTS;
    if (sameText(slab, table[row + PARAM_NAME_AT], table[row + PARAM_NAME_END], slab, at, end)) return true;
  }
  return false;
}

/** Offset of the ";" that leads the parameter in table[row …]. */
export function paramAt(row: number): number {
  let p = table[row + PARAM_NAME_AT] - 1;
  while (slab[p] !== SEMICOLON) p--;
  return p;
}

/** Offset behind the parameter in table[row …], its value included. */
export function paramEnd(row: number): number {
  return table[row + PARAM_VALUE_AT] === ABSENT ? table[row + PARAM_NAME_END] : table[row + PARAM_VALUE_END];
}
