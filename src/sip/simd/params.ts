// AssemblyScript. Header parameters, `*( ; name [ = value ] )` (RFC 3261 §7.3.1, §25.1): appended as rows to the table's
// parameter area. Via, To and From use rows there and free them.

import { CONTACT_PARAMS_MAX, PARAMS_PER_VALUE_MAX } from '../parser/limits.ts';
import { E_REPEATED_PARAM, E_TOO_MANY_PARAMS } from '../parser/parse-error.ts';
import {
  ABSENT,
  PARAM_INTS,
  PARAM_NAME_AT,
  PARAM_NAME_END,
  PARAM_VALUE_AT,
  PARAM_VALUE_END,
  T_PARAM_COUNT,
  T_PARAMS,
} from '../parser/span-table.ts';
import { addressOf, entry, field, setEntry, setSpan } from './memory.ts';
import {
  BACKSLASH,
  behindLws,
  byteAt,
  DEL,
  EQUALS,
  foldedWord,
  GREATER,
  LESS,
  min,
  plainValueEnd,
  QUOTE,
  quotedEnd,
  sameToken,
  SEMICOLON,
  SP,
  tokenEnd,
} from './scan.ts';

/** Result of value readers for malformed text without an E_* of its own. */
export const BAD: i32 = -1;

/** "+sip.instance" in two halves. */
const PLUS_SIP_INS: u64 = 0x736e692e7069732b;
const TANCE: u64 = 0x65636e6174;

/** Distance of parameter rows in bytes. */
export const PARAM_BYTES: i32 = PARAM_INTS << 2;

/** Address of the row behind the last one in use. */
// @ts-ignore: decorator
@inline
export function paramRowsEnd(): i32 {
  return addressOf(T_PARAMS) + entry(T_PARAM_COUNT) * PARAM_BYTES;
}

/**
 * Reads parameters from `at` on. `end` is the end of a header row's value: the line end or LWS behind it ends every
 * token and value, so that only LWS must be bounded. Returns the offset where it stopped (after LWS), or BAD,
 * -E_TOO_MANY_PARAMS, -E_REPEATED_PARAM. The rows read so far stay. One ";" may close the value.
 */
export function readParams(at: i32, end: i32): i32 {
  let p = behindLws(at, end);
  if (byteAt(p) != SEMICOLON) return p;
  const first = paramRowsEnd();
  const count = entry(T_PARAM_COUNT);
  const most = first + min(PARAMS_PER_VALUE_MAX, CONTACT_PARAMS_MAX - count) * PARAM_BYTES;
  let row = first;
  let names: u64 = 0;
  do {
    const name = behindLws(p + 1, end);
    const nameEnd = tokenEnd(name);
    if (nameEnd == name) {
      p = name == end ? end : BAD;
      break;
    }
    if (row == most) {
      p = -E_TOO_MANY_PARAMS;
      break;
    }
    // One bit by length and first letter: a name that shares it with no other needs no comparison.
    const bit = <u64>1 << <u64>(nameEnd - name + ((byteAt(name) | 0x20) << 2));
    if (names & bit) {
      if (isRepeated(first, row, name, nameEnd)) {
        p = -E_REPEATED_PARAM;
        break;
      }
    }
    names |= bit;
    p = readValue(name, nameEnd, end, row);
    if (p < 0) break;
    setSpan(row, PARAM_NAME_AT, name, nameEnd);
    row += PARAM_BYTES;
  } while (byteAt(p) == SEMICOLON);
  setEntry(T_PARAM_COUNT, count + (row - first) / PARAM_BYTES);
  return p;
}

/** The optional `= value` behind a name: a quoted string or visible characters, perhaps none. BAD for any other text. */
// @ts-ignore: decorator
@inline
function readValue(name: i32, nameEnd: i32, end: i32, row: i32): i32 {
  const equals = behindLws(nameEnd, end);
  if (byteAt(equals) != EQUALS) {
    setSpan(row, PARAM_VALUE_AT, ABSENT, ABSENT);
    return equals;
  }
  const value = behindLws(equals + 1, end);
  let valueEnd = 0;
  if (byteAt(value) == QUOTE) {
    valueEnd = quotedEnd(value, end);
    if (valueEnd < 0) return BAD;
  } else {
    valueEnd = plainValueEnd(value);
    if (byteAt(valueEnd) == LESS && valueEnd == value && isInstance(name, nameEnd)) {
      valueEnd = bracketsEnd(value);
      if (valueEnd < 0) return BAD;
    }
  }
  setSpan(row, PARAM_VALUE_AT, value, valueEnd);
  return behindLws(valueEnd, end);
}

/** Whether a parameter's name is +sip.instance. */
export function isInstance(name: i32, nameEnd: i32): bool {
  if (nameEnd - name != 13) return false;
  return (load<u64>(name) | 0x2020202020202020) == PLUS_SIP_INS && foldedWord(name + 8, 5) == TANCE << 24;
}

/** Position behind the ">" of an instance ID without quotes (RFC 5626 §4.1), or BAD: visible ASCII that means the same in quotes. */
function bracketsEnd(at: i32): i32 {
  let p = at + 1;
  while (byteAt(p) > SP && byteAt(p) < DEL && byteAt(p) != QUOTE && byteAt(p) != BACKSLASH && byteAt(p) != LESS) {
    if (byteAt(p) == GREATER) return p + 1;
    p++;
  }
  return BAD;
}

function isRepeated(first: i32, last: i32, at: i32, end: i32): bool {
  const length = end - at;
  for (let row = first; row < last; row += PARAM_BYTES) {
    const name = field(row, PARAM_NAME_AT);
    if (field(row, PARAM_NAME_END) - name == length && sameToken(name, at, length)) return true;
  }
  return false;
}

/** Offset of the ";" before the parameter of a row. */
// @ts-ignore: decorator
@inline
export function paramAt(row: i32): i32 {
  let p = field(row, PARAM_NAME_AT) - 1;
  while (byteAt(p) != SEMICOLON) p--;
  return p;
}

/** Offset behind the parameter of a row, including its value. */
// @ts-ignore: decorator
@inline
export function paramEnd(row: i32): i32 {
  const valueEnd = field(row, PARAM_VALUE_END);
  return valueEnd == ABSENT ? field(row, PARAM_NAME_END) : valueEnd;
}
