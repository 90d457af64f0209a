// Messages of a connection that wait for a response, and responses: told by their first bytes, before parsing.
// @hot

import { ascii } from './writer.ts';

const ACK = ascii('ACK ');
const UPPER_S = 0x53;
const CASE = 0x20;
const SLASH = 0x2f;
const TWO = 0x32;
/** Position of the slash in "SIP/": no method has a slash. */
const SLASH_AT = 3;
/** Position of the status in "SIP/2.0 200". */
const STATUS_AT = 8;

/** Whether the message at `at` is a request that draws a response: neither a response nor an ACK (RFC 3261 §17). */
export function awaitsResponse(bytes: Uint8Array, at: number): boolean {
  if ((bytes[at] & ~CASE) === UPPER_S) return bytes[at + SLASH_AT] !== SLASH;
  for (let i = 0; i < ACK.length; i++) if (bytes[at + i] !== ACK[i]) return true;
  return false;
}

/** Whether the message at `at` is a final response (RFC 3261 §7.2): neither a provisional one nor a request. */
export function isFinalResponse(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === UPPER_S && bytes[at + SLASH_AT] === SLASH && bytes[at + STATUS_AT] >= TWO;
}
