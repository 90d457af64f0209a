// The request line and the status line (RFC 3261 §7.1, §7.2). Fills T_KIND, T_METHOD…, T_STATUS and T_REQUEST_URI.

import {
  E_NOT_SIP,
  E_OK,
  E_REQUEST_URI,
  E_START_LINE,
  E_STATUS_LINE,
  E_UNTERMINATED,
  E_VERSION,
} from '../../src/sip/parser/parse-error.ts';
import {
  ABSENT,
  H_OTHER,
  KIND_RESPONSE,
  T_KIND,
  T_METHOD,
  T_METHOD_AT,
  T_METHOD_END,
  T_REQUEST_URI,
  T_STATUS,
  URI_HEADERS_AT,
} from '../../src/sip/parser/span-table.ts';
import { ascii } from '../../src/sip/writer.ts';
import { fail } from './failure.ts';
import { slab as theSlab, table as theTable } from './memory.ts';
import { methodId } from './methods.ts';
import {
  CONTROL,
  CR,
  DIGIT,
  DOT,
  decimal,
  isText,
  LESS,
  LF,
  LWS,
  SP,
  skip,
  TOKEN,
  CLASS as theClasses,
  trimEnd,
} from './scanner.ts';
import { parseUri } from './uri.ts';

// Constants of this module: V8 compiles their addresses in, while it loads an import each time it is used.
const CLASS = theClasses;
const slab = theSlab;
const table = theTable;

const SIP_SLASH = ascii('sip/');
const SIP_2_0 = ascii('sip/2.0');
const SIP_SLASH_LENGTH = 4;
const STATUS_MIN = 100;
const STATUS_MAX = 699;

/** Returns where the headers start, or -1 where there is no request or status line (E_NOT_SIP). */
export function parseStartLine(at: number, end: number): number {
  let p = at;
  while (p + 1 < end && slab[p] === CR && slab[p + 1] === LF) p += 2; // §7.5
  let stop = p;
  while (stop < end && (CLASS[slab[stop]] & CONTROL) === 0) stop++;
  if (startsWithSip(p, stop)) statusLine(p, stop);
  else if (!requestLine(p, stop)) {
    fail(E_NOT_SIP, p, H_OTHER);
    return -1;
  }
  return behindLine(stop, end);
}

/** Behind the CRLF at `stop`; anything else there is an error, and the next line is looked for. */
function behindLine(stop: number, end: number): number {
  if (stop + 1 < end && slab[stop] === CR && slab[stop + 1] === LF) return stop + 2;
  if (stop >= end || (slab[stop] === CR && stop + 1 === end)) {
    fail(E_UNTERMINATED, stop, H_OTHER);
    return end;
  }
  fail(E_START_LINE, stop, H_OTHER);
  while (stop < end && slab[stop] !== CR && slab[stop] !== LF) stop++;
  return stop + 1 < end && slab[stop] === CR && slab[stop + 1] === LF ? stop + 2 : Math.min(stop + 1, end);
}

function startsWithSip(at: number, end: number): boolean {
  return end - at > SIP_SLASH_LENGTH && isText(slab, at, at + SIP_SLASH_LENGTH, SIP_SLASH);
}

/** `SIP/2.0 SP 3DIGIT SP reason`; the space before an empty reason may be missing. */
function statusLine(at: number, end: number): void {
  table[T_KIND] = KIND_RESPONSE;
  const code = at + SIP_2_0.length + 1;
  const codeEnd = skip(slab, code, end, DIGIT);
  const status = decimal(slab, code, codeEnd);
  const whole = code < end && isText(slab, at, code - 1, SIP_2_0) && slab[code - 1] === SP;
  if (!whole || codeEnd - code !== 3 || status < STATUS_MIN || status > STATUS_MAX) fail(E_STATUS_LINE, at, H_OTHER);
  else if (codeEnd < end && slab[codeEnd] !== SP) fail(E_STATUS_LINE, codeEnd, H_OTHER);
  else table[T_STATUS] = status;
}

/** `METHOD SP Request-URI SP SIP/2.0`. False where the last word is no version, so that nobody meant a request. */
function requestLine(at: number, end: number): boolean {
  const versionEnd = trimEnd(slab, at, end);
  let version = versionEnd;
  while (version > at && (CLASS[slab[version - 1]] & LWS) === 0) version--;
  if (version === at || !startsWithSip(version, versionEnd)) return false;
  const methodEnd = skip(slab, at, version, TOKEN);
  if (methodEnd > at) {
    table[T_METHOD] = methodId(slab, at, methodEnd);
    table[T_METHOD_AT] = at;
    table[T_METHOD_END] = methodEnd;
  }
  checkVersion(version, versionEnd);
  const uri = methodEnd + 1;
  const uriEnd = version - 1;
  if (methodEnd === at || slab[methodEnd] !== SP || slab[uriEnd] !== SP || uriEnd <= uri || versionEnd !== end) {
    fail(E_START_LINE, at, H_OTHER);
  } else requestUri(uri, uriEnd);
  return true;
}

function checkVersion(at: number, end: number): void {
  if (isText(slab, at, end, SIP_2_0)) return;
  const major = at + SIP_SLASH_LENGTH;
  const dot = skip(slab, major, end, DIGIT);
  const other = dot > major && dot + 1 < end && slab[dot] === DOT && skip(slab, dot + 1, end, DIGIT) === end;
  fail(other ? E_VERSION : E_START_LINE, at, H_OTHER);
}

/** Headers in it are malformed here (§19.1.1, Table 1). */
function requestUri(at: number, end: number): void {
  let p = at;
  while (p < end && (CLASS[slab[p]] & LWS) === 0) p++;
  if (p < end || slab[at] === LESS) {
    fail(E_START_LINE, p, H_OTHER);
    return;
  }
  const error = parseUri(slab, at, end, table, T_REQUEST_URI);
  if (error !== E_OK || table[T_REQUEST_URI + URI_HEADERS_AT] !== ABSENT) fail(E_REQUEST_URI, at, H_OTHER);
}
