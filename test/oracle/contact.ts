// The Contact list (RFC 3261 §20.10; RFC 5626 §11.1): values in any number of rows and commas, "*", and the parameters a
// registrar acts on.

import { CONTACTS_MAX } from '../../src/sip/parser/limits.ts';
import { E_CONTACT, E_TOO_MANY_CONTACTS } from '../../src/sip/parser/parse-error.ts';
import {
  ABSENT,
  CONTACT_AT,
  CONTACT_END,
  CONTACT_EXPIRES,
  CONTACT_EXPIRES_AT,
  CONTACT_EXPIRES_END,
  CONTACT_INSTANCE_AT,
  CONTACT_INSTANCE_END,
  CONTACT_INTS,
  CONTACT_PARAM_COUNT,
  CONTACT_PARAM_FIRST,
  CONTACT_PARAMS_AT,
  CONTACT_PARAMS_END,
  CONTACT_Q,
  CONTACT_REG_ID,
  H_CONTACT,
  MALFORMED,
  PARAM_INTS,
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
} from '../../src/sip/parser/span-table.ts';
import { ascii } from '../../src/sip/writer.ts';
import { readNameAddr } from './address.ts';
import { fail } from './failure.ts';
import { slab as theSlab, table as theTable } from './memory.ts';
import { BAD, INSTANCE, paramAt, paramEnd, readParams } from './params.ts';
import { COMMA, DOT, isText, LESS, LWS, QUOTE, quotedDecimal, STAR, skip, trimEnd, ZERO } from './scanner.ts';

// Constants of this module: V8 compiles their addresses in, while it loads an import each time it is used.
const slab = theSlab;
const table = theTable;

const EXPIRES = ascii('expires');
const REG_ID = ascii('reg-id');
const Q_LOWER = 0x71;
const SECONDS_MAX = 2 ** 31 - 1;
const REG_ID_MAX = 2 ** 31 - 1;

/** Fills the contact records. The first error ends it; the values before it stay. */
export function parseContacts(): void {
  for (let row = table[T_FIRST_ROW + H_CONTACT]; row !== ABSENT; ) {
    const base = T_ROWS + row * ROW_INTS;
    const end = table[base + ROW_VALUE_END];
    let p = table[base + ROW_VALUE_AT];
    for (;;) {
      const stop = readContact(p, end);
      if (stop < 0) {
        fail(stop < BAD ? -stop : E_CONTACT, p, H_CONTACT);
        return;
      }
      if (stop === end) break;
      p = skip(slab, stop + 1, end, LWS);
    }
    row = table[base + ROW_NEXT];
  }
}

/** Reads one value; returns the offset of the comma behind it or `end`; BAD or a negative E_*. */
function readContact(at: number, end: number): number {
  if (at < end && slab[at] === STAR) {
    const stop = skip(slab, at + 1, end, LWS);
    if (stop === end || slab[stop] === COMMA) {
      table[T_CONTACT_STAR]++;
      return stop;
    }
  }
  const count = table[T_CONTACT_COUNT];
  if (count === CONTACTS_MAX) return -E_TOO_MANY_CONTACTS;
  const base = T_CONTACTS + count * CONTACT_INTS;
  const firstParam = table[T_PARAM_COUNT];
  const params = readNameAddr(at, end, base);
  if (params < 0) return params;
  const stop = readParams(params, end);
  if (stop < 0) return stop;
  if (stop !== end && slab[stop] !== COMMA) return BAD;
  const valueEnd = trimEnd(slab, at, stop);
  const semicolon = skip(slab, params, valueEnd, LWS);
  table[base + CONTACT_AT] = at;
  table[base + CONTACT_END] = valueEnd;
  table[base + CONTACT_PARAMS_AT] = semicolon < valueEnd ? semicolon : ABSENT;
  table[base + CONTACT_PARAMS_END] = semicolon < valueEnd ? valueEnd : ABSENT;
  table[base + CONTACT_PARAM_FIRST] = firstParam;
  table[base + CONTACT_PARAM_COUNT] = table[T_PARAM_COUNT] - firstParam;
  takeParams(base, firstParam);
  table[T_CONTACT_COUNT] = count + 1;
  return stop;
}

function takeParams(base: number, firstParam: number): void {
  for (let i = CONTACT_EXPIRES; i <= CONTACT_REG_ID; i++) table[base + i] = ABSENT;
  const end = T_PARAMS + table[T_PARAM_COUNT] * PARAM_INTS;
  for (let row = T_PARAMS + firstParam * PARAM_INTS; row < end; row += PARAM_INTS) {
    const name = table[row + PARAM_NAME_AT];
    const nameEnd = table[row + PARAM_NAME_END];
    const at = table[row + PARAM_VALUE_AT];
    const valueEnd = table[row + PARAM_VALUE_END];
    switch (nameEnd - name) {
      case 1:
        if ((slab[name] | 0x20) === Q_LOWER) table[base + CONTACT_Q] = qValue(at, valueEnd);
        break;
      case 6:
        if (isText(slab, name, nameEnd, REG_ID)) table[base + CONTACT_REG_ID] = regId(at, valueEnd);
        break;
      case 7:
        if (isText(slab, name, nameEnd, EXPIRES)) takeExpires(base, row);
        break;
      case 13:
        if (isText(slab, name, nameEnd, INSTANCE)) takeInstance(base, at, valueEnd);
        break;
    }
  }
}

/** Without a value it says nothing. */
function takeExpires(base: number, row: number): void {
  table[base + CONTACT_EXPIRES_AT] = paramAt(row);
  table[base + CONTACT_EXPIRES_END] = paramEnd(row);
  const at = table[row + PARAM_VALUE_AT];
  const end = table[row + PARAM_VALUE_END];
  if (at < end) table[base + CONTACT_EXPIRES] = contactSeconds(at, end);
}

/** Delta-seconds; a number too large for 32 bits is the largest (§10.2, requirement R3261-10.2-05). */
function contactSeconds(at: number, end: number): number {
  const seconds = quotedDecimal(slab, at, end);
  return seconds < 0 ? MALFORMED : Math.min(seconds, SECONDS_MAX);
}

/** The instance ID with its brackets, between its quotes (RFC 5626 §4.1), which may be missing; without either it is none. */
function takeInstance(base: number, at: number, end: number): void {
  if (end - at <= 2 || (slab[at] !== QUOTE && slab[at] !== LESS)) return;
  const quote = slab[at] === QUOTE ? 1 : 0;
  table[base + CONTACT_INSTANCE_AT] = at + quote;
  table[base + CONTACT_INSTANCE_END] = end - quote;
}

function regId(at: number, end: number): number {
  const value = quotedDecimal(slab, at, end);
  return value < 1 || value > REG_ID_MAX ? MALFORMED : value;
}

/** `0[.ddd]` or `1[.000]` in thousandths (§25.1 qvalue); in quotes or without its first zero all the same. */
function qValue(from: number, to: number): number {
  const quoted = to - from > 2 && slab[from] === QUOTE;
  const at = quoted ? from + 1 : from;
  const end = quoted ? to - 1 : to;
  if (end <= at || (end === at + 1 && slab[at] === DOT)) return MALFORMED;
  const dot = slab[at] === DOT ? at : at + 1;
  let value = dot === at ? 0 : (slab[at] - ZERO) * 1000;
  if (value !== 0 && value !== 1000) return MALFORMED;
  if (end - dot > 4 || (dot < end && slab[dot] !== DOT)) return MALFORMED;
  let unit = 100;
  for (let p = dot + 1; p < end; p++) {
    const digit = slab[p] - ZERO;
    if (digit < 0 || digit > 9) return MALFORMED;
    value += digit * unit;
    unit /= 10;
  }
  return value <= 1000 ? value : MALFORMED;
}
