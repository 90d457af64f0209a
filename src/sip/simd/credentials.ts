// AssemblyScript. The parameters of Digest credentials (RFC 3261 §20.7, §25.1; RFC 7616 §3.4) as spans of their values. credentials.ts reads
// the scheme before, and the meanings after.

import {
  C_ALGORITHM_AT,
  C_CNONCE_AT,
  C_NC_AT,
  C_NONCE_AT,
  C_OPAQUE_AT,
  C_QOP_AT,
  C_REALM_AT,
  C_RESPONSE_AT,
  C_URI_AT,
  C_USERHASH_AT,
  C_USERNAME_AT,
  C_USERNAME_STAR_AT,
} from '../parser/credential-spans.ts';
import { CREDENTIALS } from '../parser/memory-map.ts';
import { E_CREDENTIALS, E_OK, E_REPEATED_PARAM } from '../parser/parse-error.ts';
import { ABSENT } from '../parser/span-table.ts';
import { field, setSpan } from './memory.ts';
import { byteAt, COMMA, EQUALS, foldedWord, QUOTE, quotedEnd, skipLws, STAR, tokenEndWithin, unquotedEnd } from './scan.ts';

/** Names of up to eight bytes, as `foldedWord` makes them, or the first eight of a longer one. */
const NC: u64 = 0x636e000000000000;
const URI: u64 = 0x6972750000000000;
const QOP: u64 = 0x706f710000000000;
const REALM: u64 = 0x6d6c616572000000;
const NONCE: u64 = 0x65636e6f6e000000;
const CNONCE: u64 = 0x65636e6f6e630000;
const OPAQUE: u64 = 0x65757161706f0000;
const USERNAME: u64 = 0x656d616e72657375;
const RESPONSE: u64 = 0x65736e6f70736572;
const USERHASH: u64 = 0x6873616872657375;
const ALGORITH: u64 = 0x687469726f676c61;
const LOWER_M: i32 = 0x6d;

const UNKNOWN: i32 = -1;

/**
 * Reads the parameters in [at, end) into the spans of `credentials`; all others become ABSENT. Returns E_OK, E_CREDENTIALS or
 * E_REPEATED_PARAM, as parseCredentials documents them.
 */
export function digestParams(at: i32, end: i32): i32 {
  const none = i32x4.splat(ABSENT);
  for (let span = C_USERNAME_AT; span <= C_USERHASH_AT; span += 4) v128.store(CREDENTIALS + (span << 2), none);
  let p = at;
  while (p < end) {
    if (byteAt(p) != COMMA) {
      p = readParam(p, end);
      if (p < 0) return -p;
      p = skipLws(p, end);
      if (p < end && byteAt(p) != COMMA) return E_CREDENTIALS;
    }
    if (p < end) p = skipLws(p + 1, end);
  }
  return E_OK;
}

/** One parameter; returns the offset behind its value, or an error as a negative number. */
// @ts-ignore: decorator
@inline
function readParam(at: i32, end: i32): i32 {
  const nameEnd = tokenEndWithin(at, end);
  const equals = skipLws(nameEnd, end);
  if (nameEnd == at || equals >= end || byteAt(equals) != EQUALS) return -E_CREDENTIALS;
  let value = skipLws(equals + 1, end);
  let behind = 0;
  let valueEnd = 0;
  if (value < end && byteAt(value) == QUOTE) {
    behind = quotedEnd(value, end);
    if (behind < 0) return -E_CREDENTIALS;
    value++;
    valueEnd = behind - 1;
  } else {
    behind = unquotedEnd(value, end);
    valueEnd = behind;
  }
  const span = spanOf(at, nameEnd - at);
  if (span == UNKNOWN) return behind;
  if (field(CREDENTIALS, span) != ABSENT) return -E_REPEATED_PARAM;
  setSpan(CREDENTIALS, span, value, valueEnd);
  return behind;
}

/** The index of a value's span by the parameter's name, or UNKNOWN. */
// @ts-ignore: decorator
@inline
function spanOf(at: i32, length: i32): i32 {
  if (length > 9) return UNKNOWN;
  const word = foldedWord(at, length < 8 ? length : 8);
  if (length == 9) {
    const last = byteAt(at + 8);
    if (word == USERNAME && last == STAR) return C_USERNAME_STAR_AT;
    return word == ALGORITH && (last | 0x20) == LOWER_M ? C_ALGORITHM_AT : UNKNOWN;
  }
  if (word == USERNAME) return C_USERNAME_AT;
  if (word == REALM) return C_REALM_AT;
  if (word == NONCE) return C_NONCE_AT;
  if (word == URI) return C_URI_AT;
  if (word == RESPONSE) return C_RESPONSE_AT;
  if (word == CNONCE) return C_CNONCE_AT;
  if (word == QOP) return C_QOP_AT;
  if (word == NC) return C_NC_AT;
  if (word == OPAQUE) return C_OPAQUE_AT;
  return word == USERHASH ? C_USERHASH_AT : UNKNOWN;
}
