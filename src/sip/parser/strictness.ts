// The parser's deliberate leniencies, and a second check of a parsed message for users who want them off: each
// leniency has a name (docs/parser.md gives its reason). Runs only where it is on; messages cost no more elsewhere.

import {
  E_CALL_ID,
  E_CONTACT,
  E_FROM,
  E_HEADER_LINE,
  E_OK,
  E_OPTION_TAGS,
  E_REQUEST_URI,
  E_STATUS_LINE,
  E_TO,
  E_VIA,
} from './parse-error.ts';
import { slab, table } from './slab.ts';
import * as T from './span-table.ts';

/** A finding of the second check: E_*, H_* and the offset in the slab. */
export interface Finding {
  readonly code: number;
  readonly header: number;
  readonly at: number;
}

type Check = () => Finding | null;

const finding = (code: number, header: number, at: number): Finding => ({ code, header, at });

function text(at: number, end: number): string {
  let result = '';
  for (let p = at; p < end; p++) result += String.fromCharCode(slab[p]);
  return result;
}

interface Place {
  readonly base: number;
  readonly code: number;
  readonly header: number;
}

/** All URIs: of the request line, To, From and the contacts. */
function* uris(): Generator<Place> {
  if (table[T.T_REQUEST_URI + T.URI_AT] >= 0) yield { base: T.T_REQUEST_URI, code: E_REQUEST_URI, header: T.H_OTHER };
  if (table[T.T_TO + T.ADDRESS_AT] >= 0) yield { base: T.T_TO, code: E_TO, header: T.H_TO };
  if (table[T.T_FROM + T.ADDRESS_AT] >= 0) yield { base: T.T_FROM, code: E_FROM, header: T.H_FROM };
  for (let i = 0; i < table[T.T_CONTACT_COUNT]; i++)
    yield { base: T.T_CONTACTS + i * T.CONTACT_INTS, code: E_CONTACT, header: T.H_CONTACT };
}

/** The first URI whose span (AT index in its record) does not match. */
function firstBadSpan(index: number, pattern: RegExp): Finding | null {
  for (const { base, code, header } of uris()) {
    const at = table[base + index];
    if (at >= 0 && !pattern.test(text(at, table[base + index + 1]))) return finding(code, header, at);
  }
  return null;
}

function rows(id: number): number[] {
  const found: number[] = [];
  for (let row = table[T.T_FIRST_ROW + id]; row >= 0; row = table[T.T_ROWS + row * T.ROW_INTS + T.ROW_NEXT])
    found.push(T.T_ROWS + row * T.ROW_INTS);
  return found;
}

/** Length of a status line without the space and the reason, its CRLF included. */
const BARE_STATUS_LINE = 13;
const TOKEN = "[A-Za-z0-9\\-.!%*_+`'~]+";
const HOST = /^(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])$/;
const URI_PART = /^[A-Za-z0-9\-_.!~*'()%&=+$,;?/:@[\]]*$/;
const PLAIN_VALUE = new RegExp(`^(?:${TOKEN}|[A-Za-z0-9.-]+|\\[[0-9A-Fa-f:.]+\\]|".*")$`, 's');
const CALL_ID_WORD = '[A-Za-z0-9\\-.!%*_+`\'~()<>:\\\\"/[\\]?{}]+';
const CALL_ID = new RegExp(`^${CALL_ID_WORD}(?:@${CALL_ID_WORD})?$`);
const TOKENS = new RegExp(`^${TOKEN}(?:[ \\t]*,[ \\t]*${TOKEN})*$`);

function hosts(): Finding | null {
  for (let i = 0; i < table[T.T_VIA_COUNT]; i++) {
    const at = table[T.T_VIAS + i * T.VIA_INTS + T.VIA_HOST_AT];
    if (!HOST.test(text(at, table[T.T_VIAS + i * T.VIA_INTS + T.VIA_HOST_END]))) return finding(E_VIA, T.H_VIA, at);
  }
  return firstBadSpan(T.URI_HOST_AT, HOST);
}

function parameterValues(): Finding | null {
  for (let i = 0; i < table[T.T_PARAM_COUNT]; i++) {
    const row = T.T_PARAMS + i * T.PARAM_INTS;
    const at = table[row + T.PARAM_VALUE_AT];
    if (at >= 0 && !PLAIN_VALUE.test(text(at, table[row + T.PARAM_VALUE_END])))
      return finding(E_CONTACT, T.H_CONTACT, at);
  }
  return null;
}

/** A number in quotes, a q without its zero, an expires parameter without a value. */
function numberSpellings(): Finding | null {
  for (const row of rows(T.H_EXPIRES)) {
    const at = table[row + T.ROW_VALUE_AT];
    if (text(at, at + 1) === '"' && table[T.T_EXPIRES] >= 0) return finding(E_HEADER_LINE, T.H_EXPIRES, at);
  }
  for (let i = 0; i < table[T.T_PARAM_COUNT]; i++) {
    const row = T.T_PARAMS + i * T.PARAM_INTS;
    const [nameAt, nameEnd, at, end] = table.subarray(row, row + T.PARAM_INTS);
    const name = text(nameAt, nameEnd).toLowerCase();
    const first = at < end ? text(at, at + 1) : '';
    const odd =
      (name === 'q' && /[".]/.test(first)) ||
      (name === 'reg-id' && first === '"') ||
      (name === 'expires' && (first === '' || first === '"'));
    if (odd) return finding(E_CONTACT, T.H_CONTACT, nameAt);
  }
  return null;
}

function displayNames(): Finding | null {
  const words = new RegExp(`^(?:"|${TOKEN}(?:[ \\t]+${TOKEN})*$)`);
  for (const { base, code, header } of uris()) {
    if (base === T.T_REQUEST_URI) continue;
    const at = table[base + T.ADDRESS_DISPLAY_AT];
    if (at >= 0 && !words.test(text(at, table[base + T.ADDRESS_DISPLAY_END]))) return finding(code, header, at);
  }
  return null;
}

function callId(): Finding | null {
  const at = table[T.T_CALL_ID_AT];
  return at < 0 || CALL_ID.test(text(at, table[T.T_CALL_ID_END])) ? null : finding(E_CALL_ID, T.H_CALL_ID, at);
}

/** Compares the number of values in the Via list, by its commas outside quotes, with the number read. */
function lowerVias(): Finding | null {
  let values = 0;
  let last = 0;
  for (const row of rows(T.H_VIA)) {
    last = table[row + T.ROW_VALUE_AT];
    const list = text(last, table[row + T.ROW_VALUE_END]).replace(/"(?:\\.|[^"\\])*"/gs, '""');
    values += list.split(',').length;
  }
  return values > table[T.T_VIA_COUNT] ? finding(E_VIA, T.H_VIA, last) : null;
}

function supported(): Finding | null {
  for (const row of [...rows(T.H_SUPPORTED), ...rows(T.H_REQUIRE)]) {
    const at = table[row + T.ROW_VALUE_AT];
    const value = text(at, table[row + T.ROW_VALUE_END]);
    const empty = value === '' && table[row + T.ROW_ID] === T.H_SUPPORTED;
    if (!empty && !TOKENS.test(value)) return finding(E_OPTION_TAGS, table[row + T.ROW_ID], at);
  }
  return null;
}

/** Finds a Contact that was left out; requests that need their contacts have been refused for it before. */
function idleContacts(): Finding | null {
  let values = 0;
  let last = 0;
  for (const row of rows(T.H_CONTACT)) {
    last = table[row + T.ROW_VALUE_AT];
    const list = text(last, table[row + T.ROW_VALUE_END]).replace(/"(?:\\.|[^"\\])*"|<[^>]*>/gs, '""');
    values += list.split(',').length;
  }
  const read = table[T.T_CONTACT_COUNT] + table[T.T_CONTACT_STAR];
  return values > read ? finding(E_CONTACT, T.H_CONTACT, last) : null;
}

function statusLine(): Finding | null {
  if (table[T.T_KIND] !== T.KIND_RESPONSE) return null;
  if (table[T.T_HEADER_COUNT] === 0) return null;
  const headers = table[T.T_ROWS + T.ROW_NAME_AT];
  const bare = /^SIP\/2\.0 \d{3}\r\n$/i.test(text(headers - BARE_STATUS_LINE, headers));
  return bare ? finding(E_STATUS_LINE, T.H_OTHER, headers - 2) : null;
}

/** The values of the Vias, From, To and the contacts. */
function* values(): Generator<Place & { readonly at: number; readonly end: number }> {
  for (let i = 0; i < table[T.T_VIA_COUNT]; i++) {
    const base = T.T_VIAS + i * T.VIA_INTS;
    yield { base, code: E_VIA, header: T.H_VIA, at: table[base + T.VIA_AT], end: table[base + T.VIA_END] };
  }
  for (const place of uris()) {
    const { base } = place;
    if (base === T.T_REQUEST_URI) continue;
    yield { ...place, at: table[base + T.ADDRESS_AT], end: table[base + T.ADDRESS_END] };
  }
}

function closingSemicolons(): Finding | null {
  for (const { code, header, at, end } of values())
    if (text(at, end).endsWith(';')) return finding(code, header, end - 1);
  return null;
}

/** A "<" that is not the first character of its value, without a display name that could be read before it. */
function unquotedNames(): Finding | null {
  for (const { base, code, header, at } of values()) {
    if (header === T.H_VIA || table[base + T.ADDRESS_DISPLAY_AT] >= 0) continue;
    const bracket = table[base + T.URI_AT] - 1;
    if (bracket > at && text(bracket, bracket + 1) === '<') return finding(code, header, at);
  }
  return null;
}

function uriCharacters(): Finding | null {
  for (const index of [T.URI_USER_AT, T.URI_PASSWORD_AT, T.URI_PARAMS_AT, T.URI_HEADERS_AT]) {
    const found = firstBadSpan(index, URI_PART);
    if (found !== null) return found;
  }
  return null;
}

function malformedRows(): Finding | null {
  return table[T.T_IGNORED_ROWS] > 0 ? finding(E_HEADER_LINE, T.H_OTHER, table[T.T_IGNORED_AT]) : null;
}

/** By name: the check for messages where that leniency is off. */
const CHECKS = {
  'host-underscore': hosts,
  'parameter-values': parameterValues,
  'display-names': displayNames,
  'call-id': callId,
  'uri-characters': uriCharacters,
  'lower-vias': lowerVias,
  'option-lists': supported,
  'idle-contacts': idleContacts,
  'status-line': statusLine,
  'closing-semicolon': closingSemicolons,
  'unquoted-names': unquotedNames,
  'malformed-rows': malformedRows,
  'number-spellings': numberSpellings,
} satisfies Readonly<Record<string, Check>>;

/** Names of leniencies that may be switched off. */
export type Leniency = keyof typeof CHECKS;

export const LENIENCIES = Object.keys(CHECKS) as readonly Leniency[];

/**
 * Throws a RangeError that names an unknown leniency, and the known ones: programs without types may misspell one, or forget the list.
 */
export function needLeniencies(names: readonly string[]): void {
  if (!Array.isArray(names)) throw new TypeError('strict is a list of leniencies, true or false');
  for (const name of names)
    if (!Object.hasOwn(CHECKS, name)) throw new RangeError(`"${name}" is no leniency: ${LENIENCIES.join(', ')}`);
}

/** The first use of a leniency by the message in the table, which was parsed with E_OK; null for none. */
export function findLeniency(off: readonly Leniency[]): Finding | null {
  if (table[T.T_ERROR] !== E_OK) return null;
  for (const name of off) {
    const found = CHECKS[name]();
    if (found !== null) return found;
  }
  return null;
}

/** Makes the first use of a leniency an error, as if the parser had found it. Returns the E_* of the table. */
export function applyStrictness(off: readonly Leniency[]): number {
  const found = findLeniency(off);
  if (found !== null) {
    table[T.T_ERROR] = found.code;
    table[T.T_ERROR_AT] = found.at;
    table[T.T_ERROR_HEADER] = found.header;
  }
  return table[T.T_ERROR];
}
