// One parameter of a URI, found by its name (RFC 3261 §19.1.1). uri-equality.ts compares whole lists.
// @hot

import { URI_PARAMS_AT, URI_PARAMS_END } from '../parser/span-table.ts';
import { EQUALS, isText, SEMICOLON } from '../scanner.ts';

/** The value found last: valueAt is -1 where the parameter has none. */
let valueAt = -1;
let valueEnd = -1;

/** Whether the URI of a record over `bytes` has a parameter of this name (in lower case); then uriParamAt and uriParamEnd have its value. */
export function hasUriParam(bytes: Uint8Array, uri: Int32Array, base: number, name: Uint8Array): boolean {
  const end = uri[base + URI_PARAMS_END];
  let p = uri[base + URI_PARAMS_AT];
  if (p < 0) return false;
  while (p < end) {
    const at = ++p;
    let equals = -1;
    for (; p < end && bytes[p] !== SEMICOLON; p++) if (equals < 0 && bytes[p] === EQUALS) equals = p;
    if (!isText(bytes, at, equals < 0 ? p : equals, name)) continue;
    valueAt = equals < 0 ? -1 : equals + 1;
    valueEnd = equals < 0 ? -1 : p;
    return true;
  }
  return false;
}

/** Span of the value found by `hasUriParam`; -1 for a parameter without "=". */
export function uriParamAt(): number {
  return valueAt;
}

export function uriParamEnd(): number {
  return valueEnd;
}
