// One URI: parsed into a URI record (RFC 3261 §19.1.1, §25.1), and its canonical address-of-record (§10.3 step 5).
// uri-equality.ts compares URIs. The parser of messages reads its URIs itself.
// @hot

import { IPV6_HOST_BYTES, writeIpv6Host } from '../ip.ts';
import { SCRATCH, SCRATCH_BYTES, URI_RECORD } from '../parser/memory-map.ts';
import { E_REQUEST_URI } from '../parser/parse-error.ts';
import { parseUriAt } from '../parser/parser.ts';
import { memory } from '../parser/slab.ts';
import {
  SCHEME_SIP,
  SCHEME_SIPS,
  URI_HOST_AT,
  URI_HOST_END,
  URI_INTS,
  URI_PORT,
  URI_SCHEME,
  URI_USER_AT,
  URI_USER_END,
} from '../parser/span-table.ts';
import { AT_SIGN, PERCENT, HEX as theHexDigits, LOWER as theLowerCase } from '../scanner.ts';

// Constants of this module: V8 compiles their addresses in, while it loads an import each time it is used.
const HEX = theHexDigits;
const LOWER = theLowerCase;

const scratch = new Uint8Array(memory.buffer, SCRATCH, SCRATCH_BYTES);
const ipv6Host = new Uint8Array(IPV6_HOST_BYTES);
const record = new Int32Array(memory.buffer, URI_RECORD, URI_INTS);

/** Fields of a URI record that hold offsets, which must be moved. */
const isOffset = new Uint8Array(URI_INTS).fill(1);
isOffset[URI_SCHEME] = 0;
isOffset[URI_PORT] = 0;

/**
 * Parses the URI bytes[at, end), in any memory, into out[base, base + URI_INTS). Returns E_OK; E_REQUEST_URI for a
 * malformed one or one beyond 64 KB, E_TOO_MANY_PARAMS, E_REPEATED_PARAM. For schemes other than sip and sips only
 * "scheme:rest" is checked. After an error the record has only the whole span.
 */
export function parseUri(bytes: Uint8Array, at: number, end: number, out: Int32Array, base: number): number {
  const length = end - at;
  if (length > SCRATCH_BYTES) return E_REQUEST_URI;
  for (let i = 0; i < length; i++) scratch[i] = bytes[at + i];
  const error = parseUriAt(SCRATCH, SCRATCH + length);
  const by = at - SCRATCH;
  for (let i = 0; i < URI_INTS; i++) {
    const value = record[i];
    out[base + i] = value >= 0 && isOffset[i] !== 0 ? value + by : value;
  }
  return error;
}

/**
 * Writes the address-of-record of a sip or sips URI as "user@host": the user part with every escape undone once, the host
 * in lower case, an IPv6 address in the form of RFC 5952; no scheme (RFC 5630 §5.2: sip and sips are one AOR), password, port or
 * parameters (§10.3 step 5). The last "@" divides: the host has none. Returns the length; -1 without a user part, for another
 * scheme, or where it does not fit.
 */
export function canonicalAor(bytes: Uint8Array, uri: Int32Array, base: number, into: Uint8Array): number {
  const scheme = uri[base + URI_SCHEME];
  if ((scheme !== SCHEME_SIP && scheme !== SCHEME_SIPS) || uri[base + URI_USER_AT] < 0) return -1;
  const limit = into.length;
  let length = 0;
  const userEnd = uri[base + URI_USER_END];
  for (let p = uri[base + URI_USER_AT]; p < userEnd; p++) {
    let byte = bytes[p];
    if (byte === PERCENT) {
      byte = (HEX[bytes[p + 1]] << 4) | HEX[bytes[p + 2]];
      p += 2;
    }
    if (length >= limit) return -1;
    into[length++] = byte;
  }
  const hostAt = uri[base + URI_HOST_AT];
  const addressLength = writeIpv6Host(bytes, hostAt, uri[base + URI_HOST_END], ipv6Host);
  const host = addressLength > 0 ? ipv6Host : bytes;
  const from = addressLength > 0 ? 0 : hostAt;
  const hostLength = addressLength > 0 ? addressLength : uri[base + URI_HOST_END] - hostAt;
  if (length + 1 + hostLength > limit) return -1;
  into[length++] = AT_SIGN;
  for (let i = 0; i < hostLength; i++) into[length++] = LOWER[host[from + i]];
  return length;
}
