// What of the credentials read last can be told by their form alone (RFC 7616 §3.4, RFC 8760 §2).
// @hot

import { C_NONCE_AT, C_NONCE_END, C_RESPONSE_AT, C_RESPONSE_END, credentials } from '../../sip/credentials.ts';
import { slab } from '../../sip/parser/slab.ts';
import { CLASS, DIGIT, DOT, HEX } from '../../sip/scanner.ts';

/** RFC 8760 §2.7: nonce and response are empty where a client has not been challenged yet. */
export function hasResponse(): boolean {
  const c = credentials;
  return c[C_NONCE_END] > c[C_NONCE_AT] && c[C_RESPONSE_END] > c[C_RESPONSE_AT];
}

/** RFC 8760 §2.2: two hex digits a byte of the algorithm's digest. */
export function responseFits(bytes: number): boolean {
  const at = credentials[C_RESPONSE_AT];
  const end = credentials[C_RESPONSE_END];
  if (end - at !== 2 * bytes) return false;
  for (let p = at; p < end; p++) if (HEX[slab[p]] > 15) return false;
  return true;
}

/** Whether a host is an IP address: an IPv6 reference, or digits and dots. */
export function isAddress(at: number, end: number): boolean {
  if (slab[at] === 0x5b) return true;
  for (let p = at; p < end; p++) if (slab[p] !== DOT && (CLASS[slab[p]] & DIGIT) === 0) return false;
  return true;
}
