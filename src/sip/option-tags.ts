// Comma lists of option tags (Require, Supported, Proxy-Require; RFC 3261 §19.2, §20.32): one token after the other, and
// the bits of the known ones.
// @hot

import { OPTION_GIN, OPTION_GRUU, OPTION_OUTBOUND, OPTION_PATH, OPTION_PREF } from './parser/span-table.ts';
import { COMMA, isText, LWS, skip, TOKEN, CLASS as theClasses } from './scanner.ts';
import { ascii } from './writer.ts';

// Constants of this module: V8 compiles their addresses in, while it loads an import each time it is used.
const CLASS = theClasses;

/** Result of `nextToken` behind the last token. */
const LIST_END = -1;
/** Result of `nextToken` where the text is neither a token nor a comma. */
export const LIST_MALFORMED = -2;

const PATH = ascii('path');
const OUTBOUND = ascii('outbound');
const GRUU = ascii('gruu');
const PREF = ascii('pref');
const GIN = ascii('gin');

let from = 0;
let to = 0;

/**
 * Reads the next token of a list: then tokenAt() and tokenEnd() are its span and the result is the position to continue at.
 * Negative: no token, LIST_MALFORMED or the end. Empty elements are skipped.
 */
export function nextToken(bytes: Uint8Array, at: number, end: number): number {
  let p = at;
  while (p < end && (bytes[p] === COMMA || (CLASS[bytes[p]] & LWS) !== 0)) p++;
  if (p >= end) return LIST_END;
  from = p;
  to = skip(bytes, p, end, TOKEN);
  if (to === from) return LIST_MALFORMED;
  p = skip(bytes, to, end, LWS);
  return p === end || bytes[p] === COMMA ? p : LIST_MALFORMED;
}

export function tokenAt(): number {
  return from;
}

export function tokenEnd(): number {
  return to;
}

/** The OPTION_* bit of an option tag, 0 for an unknown one. */
export function optionBit(bytes: Uint8Array, at: number, end: number): number {
  switch (end - at) {
    case 3:
      return isText(bytes, at, end, GIN) ? OPTION_GIN : 0;
    case 4:
      if (isText(bytes, at, end, PATH)) return OPTION_PATH;
      if (isText(bytes, at, end, GRUU)) return OPTION_GRUU;
      return isText(bytes, at, end, PREF) ? OPTION_PREF : 0;
    case 8:
      return isText(bytes, at, end, OUTBOUND) ? OPTION_OUTBOUND : 0;
    default:
      return 0;
  }
}
