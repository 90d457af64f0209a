// The parser: one message in the slab to the span table (RFC 3261 §7, §20, §25). It never throws, never looks outside
// the message, and goes on behind an error as far as an answer needs. Structured values live in via, address, contact.

import {
  E_CALL_ID,
  E_CONTENT_LENGTH,
  E_CSEQ,
  E_CSEQ_METHOD,
  E_FROM,
  E_MISSING,
  E_OK,
  E_OPTION_TAGS,
  E_TO,
  E_TRUNCATED,
} from '../../src/sip/parser/parse-error.ts';
import {
  ABSENT,
  H_CALL_ID,
  H_CONTENT_LENGTH,
  H_CSEQ,
  H_EXPIRES,
  H_FROM,
  H_MAX_FORWARDS,
  H_OTHER,
  H_REQUIRE,
  H_SUPPORTED,
  H_TO,
  H_VIA,
  KIND_REQUEST,
  MALFORMED,
  METHOD_REGISTER,
  METHOD_SUBSCRIBE,
  METHOD_UNKNOWN,
  ROW_INTS,
  ROW_NEXT,
  ROW_VALUE_AT,
  ROW_VALUE_END,
  T_BODY_AT,
  T_BODY_END,
  T_CALL_ID_AT,
  T_CALL_ID_END,
  T_CONTACT_COUNT,
  T_CONTACT_STAR,
  T_CONTENT_LENGTH,
  T_CSEQ,
  T_CSEQ_METHOD,
  T_CSEQ_METHOD_AT,
  T_CSEQ_METHOD_END,
  T_ERROR,
  T_ERROR_AT,
  T_ERROR_HEADER,
  T_EXPIRES,
  T_FIRST_ROW,
  T_FROM,
  T_HEADER_COUNT,
  T_IGNORED_ROWS,
  T_KIND,
  T_MAX_FORWARDS,
  T_METHOD,
  T_METHOD_AT,
  T_METHOD_END,
  T_PARAM_COUNT,
  T_REQUIRE,
  T_REQUIRE_UNKNOWN,
  T_ROWS,
  T_STATUS,
  T_SUPPORTED,
  T_TO,
  T_VIA_COUNT,
} from '../../src/sip/parser/span-table.ts';
import { parseAddress } from './address.ts';
import { parseContacts } from './contact.ts';
import { fail } from './failure.ts';
import { indexHeaders } from './header-index.ts';
import { slab as theSlab, table as theTable } from './memory.ts';
import { methodId } from './methods.ts';
import { LIST_MALFORMED, nextToken, optionBit, tokenAt, tokenEnd } from './option-tags.ts';
import {
  CONTROL,
  DIGIT,
  decimal,
  LWS,
  quotedDecimal,
  sameBytes,
  skip,
  TOKEN,
  TOO_LARGE,
  CLASS as theClasses,
} from './scanner.ts';
import { parseStartLine } from './start-line.ts';
import { parseVias } from './via.ts';

// Constants of this module: V8 compiles their addresses in, while it loads an import each time it is used.
const CLASS = theClasses;
const slab = theSlab;
const table = theTable;

const SECONDS_MAX = 2 ** 31 - 1;
const MAX_FORWARDS_MAX = 255;

/**
 * Parses slab[at, end), one datagram, into `table`. Folded header lines are unfolded in place. Returns the first error by
 * the order of the steps below, E_OK for none; also in T_ERROR, with T_ERROR_AT and T_ERROR_HEADER.
 */
export function parse(at: number, end: number): number {
  reset(at, end);
  const headers = parseStartLine(at, end);
  if (headers < 0) return table[T_ERROR];
  const body = indexHeaders(headers, end);
  parseVias();
  takeAddress(H_FROM, T_FROM, E_FROM);
  takeAddress(H_TO, T_TO, E_TO);
  takeCallId();
  takeCSeq();
  takeMaxForwards();
  takeExpires();
  takeBody(body, end);
  takeRequire();
  takeSupported();
  takeContacts();
  if (table[T_KIND] === KIND_REQUEST) checkRequest(end);
  return table[T_ERROR];
}

function reset(at: number, end: number): void {
  table.fill(ABSENT, 0, T_ROWS);
  table[T_KIND] = KIND_REQUEST;
  table[T_METHOD] = METHOD_UNKNOWN;
  table[T_CSEQ_METHOD] = METHOD_UNKNOWN;
  table[T_STATUS] = 0;
  table[T_ERROR] = E_OK;
  table[T_ERROR_AT] = at;
  table[T_ERROR_HEADER] = H_OTHER;
  table[T_BODY_AT] = end;
  table[T_BODY_END] = end;
  table[T_CSEQ] = 0;
  table[T_REQUIRE] = 0;
  table[T_REQUIRE_UNKNOWN] = 0;
  table[T_SUPPORTED] = 0;
  table[T_CONTACT_STAR] = 0;
  table[T_CONTACT_COUNT] = 0;
  table[T_VIA_COUNT] = 0;
  table[T_HEADER_COUNT] = 0;
  table[T_IGNORED_ROWS] = 0;
  table[T_PARAM_COUNT] = 0;
}

/** Index in the table of the first row with an id, or ABSENT. */
function firstRow(id: number): number {
  const row = table[T_FIRST_ROW + id];
  return row === ABSENT ? ABSENT : T_ROWS + row * ROW_INTS;
}

function nextRow(row: number): number {
  const next = table[row + ROW_NEXT];
  return next === ABSENT ? ABSENT : T_ROWS + next * ROW_INTS;
}

function takeAddress(header: number, base: number, error: number): void {
  const row = firstRow(header);
  if (row !== ABSENT) parseAddress(table[row + ROW_VALUE_AT], table[row + ROW_VALUE_END], base, header, error);
}

/** Any visible bytes without a space between them (§20.8); the words of the grammar are not told apart. */
function takeCallId(): void {
  const row = firstRow(H_CALL_ID);
  if (row === ABSENT) return;
  const at = table[row + ROW_VALUE_AT];
  const end = table[row + ROW_VALUE_END];
  let p = at;
  while (p < end && (CLASS[slab[p]] & (LWS | CONTROL)) === 0) p++;
  if (at === end || p < end) {
    fail(E_CALL_ID, p, H_CALL_ID);
    return;
  }
  table[T_CALL_ID_AT] = at;
  table[T_CALL_ID_END] = end;
}

/** `1*DIGIT LWS Method`, the number below 2^32 (§20.16). */
function takeCSeq(): void {
  const row = firstRow(H_CSEQ);
  if (row === ABSENT) return;
  const at = table[row + ROW_VALUE_AT];
  const end = table[row + ROW_VALUE_END];
  const digits = skip(slab, at, end, DIGIT);
  const method = skip(slab, digits, end, LWS);
  const number = decimal(slab, at, digits);
  if (number < 0 || number === TOO_LARGE || method === digits || method === end) {
    fail(E_CSEQ, at, H_CSEQ);
    return;
  }
  if (skip(slab, method, end, TOKEN) !== end) {
    fail(E_CSEQ, method, H_CSEQ);
    return;
  }
  table[T_CSEQ] = number;
  table[T_CSEQ_METHOD] = methodId(slab, method, end);
  table[T_CSEQ_METHOD_AT] = method;
  table[T_CSEQ_METHOD_END] = end;
}

function takeMaxForwards(): void {
  const row = firstRow(H_MAX_FORWARDS);
  if (row === ABSENT) return;
  const value = decimal(slab, table[row + ROW_VALUE_AT], table[row + ROW_VALUE_END]);
  table[T_MAX_FORWARDS] = value < 0 || value > MAX_FORWARDS_MAX ? MALFORMED : value;
}

function takeExpires(): void {
  const row = firstRow(H_EXPIRES);
  if (row === ABSENT) return;
  const value = quotedDecimal(slab, table[row + ROW_VALUE_AT], table[row + ROW_VALUE_END]);
  table[T_EXPIRES] = value < 0 || value === TOO_LARGE ? MALFORMED : Math.min(value, SECONDS_MAX);
}

/** The body: Content-Length bytes, or without one all that is left of the datagram (§18.3). */
function takeBody(at: number, end: number): void {
  table[T_BODY_AT] = at;
  const row = firstRow(H_CONTENT_LENGTH);
  if (row === ABSENT) return;
  const value = table[row + ROW_VALUE_AT];
  const length = decimal(slab, value, table[row + ROW_VALUE_END]);
  if (length < 0) {
    table[T_CONTENT_LENGTH] = MALFORMED;
    fail(E_CONTENT_LENGTH, value, H_CONTENT_LENGTH);
    return;
  }
  table[T_CONTENT_LENGTH] = Math.min(length, SECONDS_MAX);
  if (length > end - at) {
    fail(E_TRUNCATED, end, H_CONTENT_LENGTH);
    return;
  }
  table[T_BODY_END] = at + length;
}

function takeRequire(): void {
  for (let row = firstRow(H_REQUIRE); row !== ABSENT; row = nextRow(row)) {
    const end = table[row + ROW_VALUE_END];
    let p = table[row + ROW_VALUE_AT];
    while ((p = nextToken(slab, p, end)) >= 0) {
      const bit = optionBit(slab, tokenAt(), tokenEnd());
      table[T_REQUIRE] |= bit;
      if (bit === 0) table[T_REQUIRE_UNKNOWN]++;
    }
    if (p === LIST_MALFORMED) fail(E_OPTION_TAGS, table[row + ROW_VALUE_AT], H_REQUIRE);
  }
}

/** A row that is no list of tokens says nothing. */
function takeSupported(): void {
  for (let row = firstRow(H_SUPPORTED); row !== ABSENT; row = nextRow(row)) {
    const end = table[row + ROW_VALUE_END];
    let p = table[row + ROW_VALUE_AT];
    let bits = 0;
    while ((p = nextToken(slab, p, end)) >= 0) bits |= optionBit(slab, tokenAt(), tokenEnd());
    if (p !== LIST_MALFORMED) table[T_SUPPORTED] |= bits;
  }
}

/** A malformed Contact is an error only where it is needed (§8.2.2): in REGISTER, and in SUBSCRIBE, which makes a dialog. */
function takeContacts(): void {
  const needed = table[T_METHOD] === METHOD_REGISTER || table[T_METHOD] === METHOD_SUBSCRIBE;
  const error = table[T_ERROR];
  const errorAt = table[T_ERROR_AT];
  const errorHeader = table[T_ERROR_HEADER];
  parseContacts();
  if (needed) return;
  table[T_ERROR] = error;
  table[T_ERROR_AT] = errorAt;
  table[T_ERROR_HEADER] = errorHeader;
}

/** What every request must have (§8.1.1; a missing Max-Forwards is the core's matter), and last the CSeq's method. */
function checkRequest(end: number): void {
  checkPresent(H_VIA, end);
  checkPresent(H_FROM, end);
  checkPresent(H_TO, end);
  checkPresent(H_CALL_ID, end);
  checkPresent(H_CSEQ, end);
  const at = table[T_CSEQ_METHOD_AT];
  if (at === ABSENT || table[T_METHOD_AT] === ABSENT) return;
  const same = sameBytes(slab, table[T_METHOD_AT], table[T_METHOD_END], slab, at, table[T_CSEQ_METHOD_END]);
  if (!same) fail(E_CSEQ_METHOD, at, H_CSEQ);
}

function checkPresent(id: number, end: number): void {
  if (table[T_FIRST_ROW + id] === ABSENT) fail(E_MISSING, end, id);
}
