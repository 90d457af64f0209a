// AssemblyScript. Headers of one number or one list of tokens: Call-ID, CSeq, Max-Forwards, Expires, Content-Length,
// Require, Supported.

import { E_CALL_ID, E_CONTENT_LENGTH, E_CSEQ, E_OPTION_TAGS, E_TRUNCATED } from '../parser/parse-error.ts';
import {
  ABSENT,
  H_CALL_ID,
  H_CONTENT_LENGTH,
  H_CSEQ,
  H_EXPIRES,
  H_MAX_FORWARDS,
  H_REQUIRE,
  H_SUPPORTED,
  MALFORMED,
  OPTION_GIN,
  OPTION_GRUU,
  OPTION_OUTBOUND,
  OPTION_PATH,
  OPTION_PREF,
  ROW_INTS,
  ROW_NEXT,
  ROW_VALUE_AT,
  ROW_VALUE_END,
  T_BODY_AT,
  T_BODY_END,
  T_CALL_ID_AT,
  T_CONTENT_LENGTH,
  T_CSEQ,
  T_CSEQ_METHOD,
  T_CSEQ_METHOD_AT,
  T_EXPIRES,
  T_FIRST_ROW,
  T_MAX_FORWARDS,
  T_REQUIRE,
  T_REQUIRE_UNKNOWN,
  T_ROWS,
  T_SUPPORTED,
} from '../parser/span-table.ts';
import { addressOf, entry, fail, field, setEntry, setSpan } from './memory.ts';
import {
  behindLws,
  byteAt,
  COMMA,
  decimal,
  digitsEnd,
  foldedWord,
  isLws,
  min,
  quotedDecimal,
  tokenEnd,
  TOO_LARGE,
  visibleEnd,
} from './scan.ts';
import { methodId } from './start-line.ts';

const SECONDS_MAX: i64 = 2_147_483_647;
const MAX_FORWARDS_MAX: i64 = 255;
const GIN: u64 = 0x6e6967;
const PATH: u64 = 0x68746170;
const GRUU: u64 = 0x75757267;
const PREF: u64 = 0x66657270;
const OUTBOUND: u64 = 0x646e756f6274756f;

/** Result of `nextToken` behind the last token. */
const LIST_END: i32 = -1;
/** Result of `nextToken` where the text is neither a token nor a comma. */
const LIST_MALFORMED: i32 = -2;

/** Address of a row by its number in the table, 0 for none. */
// @ts-ignore: decorator
@inline
function rowAddress(row: i32): i32 {
  return row == ABSENT ? 0 : addressOf(T_ROWS) + row * (ROW_INTS << 2);
}

// @ts-ignore: decorator
@inline
export function firstRow(id: i32): i32 {
  return rowAddress(entry(T_FIRST_ROW + id));
}

/** One word without spaces and control characters (§25.1 callid is narrower; phones are not). */
export function storeCallId(): void {
  const row = firstRow(H_CALL_ID);
  if (!row) return;
  const at = field(row, ROW_VALUE_AT);
  const end = field(row, ROW_VALUE_END);
  const stop = visibleEnd(at, end);
  if (at == end || stop < end) fail(E_CALL_ID, stop, H_CALL_ID);
  else setSpan(addressOf(T_CALL_ID_AT), 0, at, end);
}

/** `1*DIGIT LWS Method`, the number below 2^32 (§20.16). */
export function storeCSeq(): void {
  const row = firstRow(H_CSEQ);
  if (!row) return;
  const at = field(row, ROW_VALUE_AT);
  const end = field(row, ROW_VALUE_END);
  const digits = digitsEnd(at);
  const method = behindLws(digits, end);
  const number = decimal(at, digits);
  if (number < 0 || number == TOO_LARGE || method == digits || method == end) {
    fail(E_CSEQ, at, H_CSEQ);
    return;
  }
  if (tokenEnd(method) != end) {
    fail(E_CSEQ, method, H_CSEQ);
    return;
  }
  setEntry(T_CSEQ, <i32>number);
  setEntry(T_CSEQ_METHOD, methodId(method, end));
  setSpan(addressOf(T_CSEQ_METHOD_AT), 0, method, end);
}

export function storeMaxForwards(): void {
  const row = firstRow(H_MAX_FORWARDS);
  if (!row) return;
  const value = decimal(field(row, ROW_VALUE_AT), field(row, ROW_VALUE_END));
  setEntry(T_MAX_FORWARDS, value < 0 || value > MAX_FORWARDS_MAX ? MALFORMED : <i32>value);
}

export function storeExpires(): void {
  const row = firstRow(H_EXPIRES);
  if (!row) return;
  const value = quotedDecimal(field(row, ROW_VALUE_AT), field(row, ROW_VALUE_END));
  setEntry(T_EXPIRES, value < 0 || value == TOO_LARGE ? MALFORMED : <i32>(value < SECONDS_MAX ? value : SECONDS_MAX));
}

/** The body: Content-Length bytes, or without one the rest of the datagram (§18.3). */
export function storeBody(at: i32, end: i32): void {
  setEntry(T_BODY_AT, at);
  const row = firstRow(H_CONTENT_LENGTH);
  if (!row) return;
  const value = field(row, ROW_VALUE_AT);
  const length = decimal(value, field(row, ROW_VALUE_END));
  if (length < 0) {
    setEntry(T_CONTENT_LENGTH, MALFORMED);
    fail(E_CONTENT_LENGTH, value, H_CONTENT_LENGTH);
    return;
  }
  setEntry(T_CONTENT_LENGTH, <i32>(length < SECONDS_MAX ? length : SECONDS_MAX));
  if (length > <i64>(end - at)) {
    fail(E_TRUNCATED, end, H_CONTENT_LENGTH);
    return;
  }
  setEntry(T_BODY_END, at + <i32>length);
}

let tokenAt: i32 = 0;
let tokenStop: i32 = 0;

/** Reads the next token of a list into tokenAt and tokenStop; returns the position to continue at. Empty elements are skipped. */
// @ts-ignore: decorator
@inline
function nextToken(at: i32, end: i32): i32 {
  let p = at;
  while (byteAt(p) <= COMMA) {
    if (p >= end) return LIST_END;
    if (byteAt(p) != COMMA) {
      if (!isLws(byteAt(p))) break;
    }
    p++;
  }
  if (p >= end) return LIST_END;
  const stop = tokenEnd(p);
  if (stop == p) return LIST_MALFORMED;
  tokenAt = p;
  tokenStop = stop;
  p = behindLws(stop, end);
  if (byteAt(p) == COMMA) return p;
  return p == end ? p : LIST_MALFORMED;
}

/** The OPTION_* bit of the current token, 0 for an unknown one. */
// @ts-ignore: decorator
@inline
function optionBit(): i32 {
  const length = tokenStop - tokenAt;
  if (length < 3 || length > 8) return 0;
  const word = foldedWord(tokenAt, length);
  if (word == PATH << 32) return length == 4 ? OPTION_PATH : 0;
  if (word == OUTBOUND) return OPTION_OUTBOUND;
  if (word == GRUU << 32) return length == 4 ? OPTION_GRUU : 0;
  if (word == PREF << 32) return length == 4 ? OPTION_PREF : 0;
  return word == GIN << 40 && length == 3 ? OPTION_GIN : 0;
}

export function storeRequire(): void {
  for (let row = firstRow(H_REQUIRE); row; row = rowAddress(field(row, ROW_NEXT))) {
    const at = field(row, ROW_VALUE_AT);
    const end = field(row, ROW_VALUE_END);
    let p = at;
    while ((p = nextToken(p, end)) >= 0) {
      const bit = optionBit();
      setEntry(T_REQUIRE, entry(T_REQUIRE) | bit);
      if (bit == 0) setEntry(T_REQUIRE_UNKNOWN, entry(T_REQUIRE_UNKNOWN) + 1);
    }
    if (p == LIST_MALFORMED) fail(E_OPTION_TAGS, at, H_REQUIRE);
  }
}

/** A row that is no list of tokens is ignored. */
export function storeSupported(): void {
  for (let row = firstRow(H_SUPPORTED); row; row = rowAddress(field(row, ROW_NEXT))) {
    const end = field(row, ROW_VALUE_END);
    let p = field(row, ROW_VALUE_AT);
    let bits = 0;
    while ((p = nextToken(p, end)) >= 0) bits |= optionBit();
    if (p != LIST_MALFORMED) setEntry(T_SUPPORTED, entry(T_SUPPORTED) | bits);
  }
}
