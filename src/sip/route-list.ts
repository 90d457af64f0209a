// Comma lists of name-addr with parameters, as in Path and Route (RFC 3261 §20.34, RFC 3327 §4): one value after the
// other, in the slab.
// @hot

import { URI_RECORD } from './parser/memory-map.ts';
import { E_OK } from './parser/parse-error.ts';
import { parseUriAt } from './parser/parser.ts';
import { memory, slab } from './parser/slab.ts';
import { SCHEME_SIP, SCHEME_SIPS, URI_INTS, URI_SCHEME } from './parser/span-table.ts';
import { COMMA, EQUALS, GREATER, LESS, LWS, QUOTE, quotedEnd, SEMICOLON, skip, TOKEN } from './scanner.ts';
import { isHost } from './uri/host-form.ts';
import { AS_SENT, uriSpelling } from './uri/uri-spelling.ts';
import { isUtf8 } from './utf8.ts';

const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/** Result of `nextRoute` where the text is not a value that may be shown to others. */
export const ROUTE_MALFORMED = -1;

/** The URI record of the value read last. */
export const routeUri = new Int32Array(memory.buffer, URI_RECORD, URI_INTS);

/**
 * Reads the value at `at` of slab[at, end) into `routeUri`: a sip or sips URI in brackets, with an optional display name before and
 * parameters behind it, all by the grammar (RFC 3261 §25.1). Returns the offset of the comma behind it or `end`; ROUTE_MALFORMED
 * for any other text.
 */
export function nextRoute(at: number, end: number): number {
  const p = at < end && slab[at] === QUOTE ? textEnd(at, end) : skip(slab, at, end, TOKEN | LWS);
  if (p < 0) return ROUTE_MALFORMED;
  const less = skip(slab, p, end, LWS);
  if (less >= end || slab[less] !== LESS) return ROUTE_MALFORMED;
  const greater = bracketEnd(less + 1, end);
  if (greater < 0 || parseUriAt(less + 1, greater) !== E_OK) return ROUTE_MALFORMED;
  const scheme = routeUri[URI_SCHEME];
  if (scheme !== SCHEME_SIP && scheme !== SCHEME_SIPS) return ROUTE_MALFORMED;
  if (uriSpelling(slab, routeUri, 0) !== AS_SENT) return ROUTE_MALFORMED;
  return behindParams(greater + 1, end);
}

function bracketEnd(at: number, end: number): number {
  for (let p = at; p < end; p++) if (slab[p] === GREATER) return p;
  return -1;
}

/** Position behind `*( ";" name [ "=" value ] )`; the value is a token, a host or a quoted string. */
function behindParams(at: number, end: number): number {
  let p = skip(slab, at, end, LWS);
  while (p < end && slab[p] === SEMICOLON) {
    const name = skip(slab, p + 1, end, LWS);
    p = skip(slab, name, end, TOKEN);
    if (p === name) return ROUTE_MALFORMED;
    p = skip(slab, p, end, LWS);
    if (p < end && slab[p] === EQUALS) {
      p = valueEnd(skip(slab, p + 1, end, LWS), end);
      if (p < 0) return ROUTE_MALFORMED;
      p = skip(slab, p, end, LWS);
    }
  }
  return p >= end || slab[p] === COMMA ? p : ROUTE_MALFORMED;
}

function valueEnd(at: number, end: number): number {
  if (at < end && slab[at] === QUOTE) return textEnd(at, end);
  const p = skip(slab, at, end, TOKEN);
  if (p > at) return p;
  const bracket = at < end && slab[at] === OPEN_BRACKET ? slab.indexOf(CLOSE_BRACKET, at) + 1 : 0;
  return bracket > at && bracket <= end && isHost(slab, at, bracket) ? bracket : -1;
}

/** Position behind the quoted string at `at`, -1 for any other text, or one that is not UTF-8. */
function textEnd(at: number, end: number): number {
  const stop = quotedEnd(slab, at, end);
  return stop < 0 || !isUtf8(slab, at, stop) ? -1 : stop;
}
