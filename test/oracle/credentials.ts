// The oracle of simd/credentials.ts: the parameters of Digest credentials, byte by byte.

import {
  C_ALGORITHM_AT,
  C_CNONCE_AT,
  C_NC_AT,
  C_NONCE_AT,
  C_OPAQUE_AT,
  C_QOP_AT,
  C_REALM_AT,
  C_RESPONSE_AT,
  C_SCHEME,
  C_URI_AT,
  C_USERHASH_AT,
  C_USERNAME_AT,
  C_USERNAME_STAR_AT,
} from '../../src/sip/parser/credential-spans.ts';
import { E_CREDENTIALS, E_OK, E_REPEATED_PARAM } from '../../src/sip/parser/parse-error.ts';
import { ABSENT } from '../../src/sip/parser/span-table.ts';
import { CLASS, COMMA, CONTROL, EQUALS, LWS, QUOTE, quotedEnd, skip, TOKEN } from './scanner.ts';

const SPANS: Readonly<Record<string, number>> = {
  username: C_USERNAME_AT,
  'username*': C_USERNAME_STAR_AT,
  realm: C_REALM_AT,
  nonce: C_NONCE_AT,
  uri: C_URI_AT,
  response: C_RESPONSE_AT,
  algorithm: C_ALGORITHM_AT,
  cnonce: C_CNONCE_AT,
  opaque: C_OPAQUE_AT,
  qop: C_QOP_AT,
  nc: C_NC_AT,
  userhash: C_USERHASH_AT,
};

/** E_OK or an error, and the spans read so far. */
export function digestParams(bytes: Uint8Array, at: number, end: number): readonly [number, readonly number[]] {
  const spans: number[] = Array(C_SCHEME).fill(ABSENT);
  let p = at;
  while (p < end) {
    if (bytes[p] !== COMMA) {
      const nameEnd = skip(bytes, p, end, TOKEN);
      const equals = skip(bytes, nameEnd, end, LWS);
      if (nameEnd === p || equals >= end || bytes[equals] !== EQUALS) return [E_CREDENTIALS, spans];
      const value = skip(bytes, equals + 1, end, LWS);
      const isQuoted = value < end && bytes[value] === QUOTE;
      const behind = isQuoted ? quotedEnd(bytes, value, end) : bareEnd(bytes, value, end);
      if (behind < 0) return [E_CREDENTIALS, spans];
      const span = SPANS[Buffer.from(bytes.subarray(p, nameEnd)).toString('latin1').toLowerCase()];
      if (span !== undefined && spans[span] !== ABSENT) return [E_REPEATED_PARAM, spans];
      if (span !== undefined) spans.splice(span, 2, isQuoted ? value + 1 : value, isQuoted ? behind - 1 : behind);
      p = skip(bytes, behind, end, LWS);
      if (p < end && bytes[p] !== COMMA) return [E_CREDENTIALS, spans];
    }
    if (p < end) p = skip(bytes, p + 1, end, LWS);
  }
  return [E_OK, spans];
}

/** Anything visible may be in an unquoted value, except a comma and a quote. */
function bareEnd(bytes: Uint8Array, at: number, end: number): number {
  let p = at;
  while (p < end && bytes[p] !== COMMA && bytes[p] !== QUOTE && (CLASS[bytes[p]] & (LWS | CONTROL)) === 0) p++;
  return p;
}
