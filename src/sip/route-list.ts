// Comma lists of name-addr with parameters, as Path and Route hold them (RFC 3261 §20.34, RFC 3327 §4): one value after the
// other, in the slab.
// @hot

import { URI_RECORD } from './memory-map.ts';
import { E_OK } from './parse-error.ts';
import { parseUriAt } from './parser.ts';
import { COMMA, EQUALS, GREATER, LESS, LWS, QUOTE, quotedEnd, SEMICOLON, skip, TOKEN } from './scanner.ts';
import { memory, slab } from './slab.ts';
import { SCHEME_SIP, SCHEME_SIPS, URI_INTS, URI_SCHEME } from './span-table.ts';

/** What `nextRoute` gives behind the last value, and where something else than a value and a comma stands. */
const LIST_END = -1;
export const ROUTE_MALFORMED = -2;

/** The URI record of the value read last. */
export const routeUri = new Int32Array(memory.buffer, URI_RECORD, URI_INTS);

/**
 * Reads the next value of slab[at, end) into `routeUri`: a sip or sips URI in brackets, perhaps a display name before and
 * parameters behind it. Returns where to go on; LIST_END or ROUTE_MALFORMED where there is no value. Empty elements are
 * passed over.
 */
export function nextRoute(at: number, end: number): number {
  let p = at;
  while (p < end && slab[p] === COMMA) p = skip(slab, p + 1, end, LWS);
  if (p >= end) return LIST_END;
  p = slab[p] === QUOTE ? quotedEnd(slab, p, end) : skip(slab, p, end, TOKEN | LWS);
  if (p < 0) return ROUTE_MALFORMED;
  const less = skip(slab, p, end, LWS);
  if (less >= end || slab[less] !== LESS) return ROUTE_MALFORMED;
  const greater = bracketEnd(less + 1, end);
  if (greater < 0 || parseUriAt(less + 1, greater) !== E_OK) return ROUTE_MALFORMED;
  const scheme = routeUri[URI_SCHEME];
  if (scheme !== SCHEME_SIP && scheme !== SCHEME_SIPS) return ROUTE_MALFORMED;
  return behindParams(greater + 1, end);
}

function bracketEnd(at: number, end: number): number {
  for (let p = at; p < end; p++) if (slab[p] === GREATER) return p;
  return -1;
}

/** Passes `*( ";" name [ "=" value ] )`; the value is a token, a host or a quoted string. */
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
  if (at < end && slab[at] === QUOTE) return quotedEnd(slab, at, end);
  let p = at;
  while (p < end && slab[p] > 0x20 && slab[p] !== SEMICOLON && slab[p] !== COMMA && slab[p] !== QUOTE) p++;
  return p === at ? -1 : p;
}
