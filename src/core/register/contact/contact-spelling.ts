// The spelling of a Contact of the request in the table for other readers (RFC 3261 §25.1, §10.3 step 8). Missing quotes of a name or a
// value are added, those of a number are removed, and a part that is no text is left out. Its URI is uri-spelling.ts's.
// @hot

import { slab, table } from '../../../sip/parser/slab.ts';
import {
  ABSENT,
  CONTACT_DISPLAY_AT,
  CONTACT_DISPLAY_END,
  CONTACT_EXPIRES_AT,
  CONTACT_EXPIRES_END,
  CONTACT_PARAM_COUNT,
  CONTACT_PARAM_FIRST,
  PARAM_INTS,
  PARAM_NAME_AT,
  PARAM_NAME_END,
  PARAM_VALUE_AT,
  PARAM_VALUE_END,
  T_PARAMS,
  URI_AT,
  URI_END,
} from '../../../sip/parser/span-table.ts';
import { BACKSLASH, CLASS, DOT, EQUALS, isText, LWS, QUOTE, SEMICOLON, TOKEN } from '../../../sip/scanner.ts';
import { isHost } from '../../../sip/uri/host-form.ts';
import { AS_SENT, REWRITTEN, UNWRITABLE, uriSpelling, writeUri } from '../../../sip/uri/uri-spelling.ts';
import { isUtf8 } from '../../../sip/utf8.ts';
import { ascii, type Writer } from '../../../sip/writer.ts';
import { contactInstanceAt, hasInstance } from '../../binding/instance-id.ts';

const PUB_GRUU = ascii('pub-gruu');
const TEMP_GRUU = ascii('temp-gruu');
const REG_ID = ascii('reg-id');
const Q_LETTER = 0x71;
const OPEN_BRACKET = 0x5b;
const ZERO = 0x30;
/** Spelling of a parameter that is no text, and is not written. */
const LEFT_OUT = 3;

/** AS_SENT, REWRITTEN or UNWRITABLE (uri-spelling.ts). */
export function contactSpelling(contact: number): number {
  const uri = uriSpelling(slab, table, contact);
  if (uri === UNWRITABLE) return UNWRITABLE;
  let spelling = isDisplayAsSent(contact) ? uri : REWRITTEN;
  const first = firstParam(contact);
  const last = first + table[contact + CONTACT_PARAM_COUNT] * PARAM_INTS;
  for (let row = first; row < last; row += PARAM_INTS) {
    if (isNotKept(contact, row)) continue;
    const param = paramSpelling(row);
    if (param === AS_SENT) continue;
    if (param === LEFT_OUT && holdsInstance(contact, row)) return UNWRITABLE;
    spelling = REWRITTEN;
  }
  return spelling;
}

function firstParam(contact: number): number {
  return T_PARAMS + table[contact + CONTACT_PARAM_FIRST] * PARAM_INTS;
}

/** Parameters that are not kept: `expires`, which has its own field, and GRUUs, which no client may suggest (RFC 5627 §5.1). */
export function isNotKept(contact: number, row: number): boolean {
  const at = table[row + PARAM_NAME_AT];
  const end = table[row + PARAM_NAME_END];
  if (end - at === 7)
    return (
      table[contact + CONTACT_EXPIRES_AT] >= 0 &&
      table[contact + CONTACT_EXPIRES_AT] < at &&
      end <= table[contact + CONTACT_EXPIRES_END]
    );
  if (end - at === 8) return isText(slab, at, end, PUB_GRUU);
  return end - at === 9 && isText(slab, at, end, TEMP_GRUU);
}

/** Absent, a quoted string, or tokens with spaces between them. */
function isDisplayAsSent(contact: number): boolean {
  const at = table[contact + CONTACT_DISPLAY_AT];
  const end = table[contact + CONTACT_DISPLAY_END];
  if (at < 0) return true;
  return slab[at] === QUOTE ? isUtf8(slab, at, end) : isOf(at, end, TOKEN | LWS);
}

function isOf(at: number, end: number, bits: number): boolean {
  for (let p = at; p < end; p++) if ((CLASS[slab[p]] & bits) === 0) return false;
  return true;
}

function paramSpelling(row: number): number {
  const at = table[row + PARAM_VALUE_AT];
  const end = table[row + PARAM_VALUE_END];
  if (at < 0) return AS_SENT;
  if (at === end) return REWRITTEN;
  if (slab[at] === QUOTE) {
    if (!isUtf8(slab, at, end)) return LEFT_OUT;
    return isNumber(row) ? REWRITTEN : AS_SENT;
  }
  if (isOf(at, end, TOKEN)) return slab[at] === DOT && isNumber(row) ? REWRITTEN : AS_SENT;
  if (slab[at] === OPEN_BRACKET && isHost(slab, at, end)) return AS_SENT;
  return isUtf8(slab, at, end) ? REWRITTEN : LEFT_OUT;
}

/** q and reg-id: malformed ones have been refused before. */
function isNumber(row: number): boolean {
  const at = table[row + PARAM_NAME_AT];
  const end = table[row + PARAM_NAME_END];
  return end - at === 1 ? (slab[at] | 0x20) === Q_LETTER : isText(slab, at, end, REG_ID);
}

function holdsInstance(contact: number, row: number): boolean {
  const at = hasInstance(contact) ? contactInstanceAt(contact) : ABSENT;
  return at > table[row + PARAM_VALUE_AT] && at < table[row + PARAM_VALUE_END];
}

/** Writes the display name of a REWRITTEN contact; nothing where it is no text. */
export function writeDisplay(w: Writer, contact: number): void {
  const at = table[contact + CONTACT_DISPLAY_AT];
  const end = table[contact + CONTACT_DISPLAY_END];
  if (at < 0 || !isUtf8(slab, at, end)) return;
  if (isDisplayAsSent(contact)) w.span(slab, at, end);
  else writeQuoted(w, at, end);
}

/** Writes the URI of a REWRITTEN contact. */
export function writeContactUri(w: Writer, contact: number): void {
  if (uriSpelling(slab, table, contact) === REWRITTEN) writeUri(w, slab, table, contact);
  else w.span(slab, table[contact + URI_AT], table[contact + URI_END]);
}

/** Writes the parameters of a REWRITTEN contact; returns the offset of its instance ID behind the first of them, 0 without one. */
export function writeContactParams(w: Writer, contact: number): number {
  const start = w.at;
  const first = firstParam(contact);
  const last = first + table[contact + CONTACT_PARAM_COUNT] * PARAM_INTS;
  let instance = 0;
  for (let row = first; row < last; row += PARAM_INTS) {
    if (isNotKept(contact, row)) continue;
    const spelling = paramSpelling(row);
    if (spelling === LEFT_OUT) continue;
    w.byte(SEMICOLON);
    w.span(slab, table[row + PARAM_NAME_AT], table[row + PARAM_NAME_END]);
    const at = table[row + PARAM_VALUE_AT];
    const end = table[row + PARAM_VALUE_END];
    if (at < 0 || at === end) continue;
    w.byte(EQUALS);
    const quotes = spelling === REWRITTEN && slab[at] !== QUOTE ? 1 : 0;
    if (holdsInstance(contact, row)) instance = w.at - start + contactInstanceAt(contact) - at + quotes;
    if (spelling === AS_SENT) w.span(slab, at, end);
    else if (isNumber(row)) writeNumber(w, at, end);
    else writeQuoted(w, at, end);
  }
  return instance;
}

/** Writes a number without its quotes and with its first zero. */
function writeNumber(w: Writer, at: number, end: number): void {
  const quoted = slab[at] === QUOTE ? 1 : 0;
  if (slab[at + quoted] === DOT) w.byte(ZERO);
  w.span(slab, at + quoted, end - quoted);
}

function writeQuoted(w: Writer, at: number, end: number): void {
  w.byte(QUOTE);
  for (let p = at; p < end; p++) {
    if (slab[p] === QUOTE || slab[p] === BACKSLASH) w.byte(BACKSLASH);
    w.byte(slab[p]);
  }
  w.byte(QUOTE);
}
