// AssemblyScript. The Contact list (RFC 3261 §20.10; RFC 5626 §11.1): values over any rows and commas, "*", and the
// parameters that a registrar uses.

import { CONTACTS_MAX } from '../parser/limits.ts';
import { E_CONTACT, E_TOO_MANY_CONTACTS } from '../parser/parse-error.ts';
import {
  ABSENT,
  CONTACT_AT,
  CONTACT_EXPIRES,
  CONTACT_EXPIRES_AT,
  CONTACT_INSTANCE_AT,
  CONTACT_INTS,
  CONTACT_PARAM_COUNT,
  CONTACT_PARAM_FIRST,
  CONTACT_PARAMS_AT,
  CONTACT_Q,
  CONTACT_REG_ID,
  H_CONTACT,
  MALFORMED,
  PARAM_NAME_AT,
  PARAM_NAME_END,
  PARAM_VALUE_AT,
  PARAM_VALUE_END,
  ROW_INTS,
  ROW_NEXT,
  ROW_VALUE_AT,
  ROW_VALUE_END,
  T_CONTACT_COUNT,
  T_CONTACT_STAR,
  T_CONTACTS,
  T_FIRST_ROW,
  T_PARAM_COUNT,
  T_PARAMS,
  T_ROWS,
} from '../parser/span-table.ts';
import { readNameAddr } from './address.ts';
import { addressOf, entry, fail, field, setEntry, setField, setSpan } from './memory.ts';
import { BAD, isInstance, PARAM_BYTES, paramAt, paramEnd, paramRowsEnd, readParams } from './params.ts';
import {
  behindLws,
  byteAt,
  COMMA,
  DOT,
  foldedWord,
  LESS,
  QUOTE,
  quotedDecimal,
  STAR,
  trimEnd,
  ZERO,
} from './scan.ts';

const SECONDS_MAX: i64 = 2_147_483_647;
const REG_ID_MAX: i64 = 2_147_483_647;
const Q_LOWER: i32 = 0x71;
const REG_ID: u64 = 0x64692d676572;
const EXPIRES: u64 = 0x73657269707865;

/** Fills the contact records. Stops at the first error; the values before it stay. */
export function parseContacts(): void {
  let row = entry(T_FIRST_ROW + H_CONTACT);
  while (row != ABSENT) {
    const record = addressOf(T_ROWS) + row * (ROW_INTS << 2);
    const end = field(record, ROW_VALUE_END);
    let p = field(record, ROW_VALUE_AT);
    while (true) {
      const stop = readContact(p, end);
      if (stop < 0) {
        fail(stop < BAD ? -stop : E_CONTACT, p, H_CONTACT);
        return;
      }
      if (stop == end) break;
      p = behindLws(stop + 1, end);
    }
    row = field(record, ROW_NEXT);
  }
}

/** Reads one value; returns the offset of the comma behind it or `end`; BAD or a negative E_*. */
function readContact(at: i32, end: i32): i32 {
  if (byteAt(at) == STAR) {
    const stop = behindLws(at + 1, end);
    if (stop == end || byteAt(stop) == COMMA) {
      setEntry(T_CONTACT_STAR, entry(T_CONTACT_STAR) + 1);
      return stop;
    }
  }
  const count = entry(T_CONTACT_COUNT);
  if (count == CONTACTS_MAX) return -E_TOO_MANY_CONTACTS;
  const record = addressOf(T_CONTACTS) + count * (CONTACT_INTS << 2);
  const firstParam = entry(T_PARAM_COUNT);
  const params = readNameAddr(at, end, record);
  if (params < 0) return params;
  const stop = readParams(params, end);
  if (stop < 0) return stop;
  if (stop != end && byteAt(stop) != COMMA) return BAD;
  const valueEnd = trimEnd(at, stop);
  const semicolon = behindLws(params, valueEnd);
  const some = semicolon < valueEnd;
  setSpan(record, CONTACT_AT, at, valueEnd);
  setSpan(record, CONTACT_PARAMS_AT, some ? semicolon : ABSENT, some ? valueEnd : ABSENT);
  setField(record, CONTACT_PARAM_FIRST, firstParam);
  setField(record, CONTACT_PARAM_COUNT, entry(T_PARAM_COUNT) - firstParam);
  storeParams(record, addressOf(T_PARAMS) + firstParam * PARAM_BYTES);
  setEntry(T_CONTACT_COUNT, count + 1);
  return stop;
}

// @ts-ignore: decorator
@inline
function storeParams(record: i32, first: i32): void {
  // Seven fields, two times four.
  const absent = i32x4.splat(ABSENT);
  v128.store(record + (CONTACT_EXPIRES << 2), absent);
  v128.store(record + ((CONTACT_REG_ID - 3) << 2), absent);
  const last = paramRowsEnd();
  for (let row = first; row < last; row += PARAM_BYTES) {
    const name = field(row, PARAM_NAME_AT);
    const length = field(row, PARAM_NAME_END) - name;
    const at = field(row, PARAM_VALUE_AT);
    const valueEnd = field(row, PARAM_VALUE_END);
    if (length == 7) {
      if (foldedWord(name, 7) == EXPIRES << 8) storeExpires(record, row, at, valueEnd);
    } else if (length == 13) {
      if (isInstance(name, name + length)) storeInstance(record, at, valueEnd);
    } else if (length == 6) {
      if (foldedWord(name, 6) == REG_ID << 16) setField(record, CONTACT_REG_ID, regId(at, valueEnd));
    } else if (length == 1) {
      if ((byteAt(name) | 0x20) == Q_LOWER) setField(record, CONTACT_Q, qValue(at, valueEnd));
    }
  }
}

/** Delta-seconds; numbers above 31 bits become the largest (§10.2, requirement R3261-10.2-05). Without a value it is ignored. */
function storeExpires(record: i32, row: i32, at: i32, end: i32): void {
  setSpan(record, CONTACT_EXPIRES_AT, paramAt(row), paramEnd(row));
  if (at == end) return;
  const seconds = quotedDecimal(at, end);
  setField(record, CONTACT_EXPIRES, seconds < 0 ? MALFORMED : <i32>(seconds < SECONDS_MAX ? seconds : SECONDS_MAX));
}

/** The instance ID with its brackets, between its quotes (RFC 5626 §4.1), which may be missing; without brackets and quotes there is none. */
function storeInstance(record: i32, at: i32, end: i32): void {
  if (end - at <= 2) return;
  if (byteAt(at) == LESS) setSpan(record, CONTACT_INSTANCE_AT, at, end);
  else if (byteAt(at) == QUOTE) setSpan(record, CONTACT_INSTANCE_AT, at + 1, end - 1);
}

function regId(at: i32, end: i32): i32 {
  const value = at < end ? quotedDecimal(at, end) : -1;
  return value < 1 || value > REG_ID_MAX ? MALFORMED : <i32>value;
}

/** `0[.ddd]` or `1[.000]` in thousandths (§25.1 qvalue); quotes, or a missing first zero, are accepted. */
function qValue(from: i32, to: i32): i32 {
  const quoted = to - from > 2 && byteAt(from) == QUOTE;
  const at = quoted ? from + 1 : from;
  const end = quoted ? to - 1 : to;
  if (end <= at) return MALFORMED;
  let dot = at;
  let value = 0;
  if (byteAt(at) != DOT) {
    dot = at + 1;
    value = (byteAt(at) - ZERO) * 1000;
    if (value != 0 && value != 1000) return MALFORMED;
    if (dot < end && byteAt(dot) != DOT) return MALFORMED;
  } else if (end == at + 1) return MALFORMED;
  if (end - dot > 4) return MALFORMED;
  let unit = 100;
  for (let p = dot + 1; p < end; p++) {
    const digit = byteAt(p) - ZERO;
    if (<u32>digit > 9) return MALFORMED;
    value += digit * unit;
    unit /= 10;
  }
  return value <= 1000 ? value : MALFORMED;
}
