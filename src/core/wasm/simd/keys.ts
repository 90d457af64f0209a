// AssemblyScript. Identities of a request: its canonical AOR (sip/uri/uri.ts) with its keyed hash, and the
// keys of its transaction, described in request-keys.ts.

import { HASH_OUT } from '../../../sip/parser/memory-map.ts';
import { hashFinish, hashStart } from '../../../sip/simd/siphash.ts';
import {
  ADDRESS_TAG_AT,
  ADDRESS_TAG_END,
  SCHEME_SIP,
  SCHEME_SIPS,
  T_CALL_ID_AT,
  T_CALL_ID_END,
  T_CSEQ,
  T_FROM,
  T_METHOD_AT,
  T_METHOD_END,
  T_REQUEST_URI,
  T_TO,
  T_VIAS,
  URI_AT,
  URI_END,
  URI_HOST_AT,
  URI_HOST_END,
  URI_SCHEME,
  URI_USER_AT,
  URI_USER_END,
  VIA_AT,
  VIA_BRANCH_AT,
  VIA_BRANCH_END,
  VIA_END,
  VIA_HOST_AT,
  VIA_HOST_END,
  VIA_PORT,
} from '../../../sip/parser/span-table.ts';
import { ANSWER, AOR_TEXT, AOR_TEXT_BYTES, KEYS_OUT } from '../module-memory.ts';
import { at, byte, copy, startAt } from './output.ts';
import { entry, lower } from './table.ts';

/**
 * Writes the AOR of the URI record at `uri` of the table at AOR_TEXT, and its hash at HASH_OUT. Returns its length, -1 where the URI is
 * no AOR or the AOR does not fit.
 */
export function hashAor(uri: i32, k0: i32, k1: i32, k2: i32, k3: i32): i32 {
  const scheme = entry(uri + URI_SCHEME);
  const user = entry(uri + URI_USER_AT);
  if ((scheme != SCHEME_SIP && scheme != SCHEME_SIPS) || user < 0) return -1;
  const userEnd = entry(uri + URI_USER_END);
  const limit = AOR_TEXT + AOR_TEXT_BYTES;
  let to = AOR_TEXT;
  for (let p = user; p < userEnd; p++) {
    let value = <i32>load<u8>(p);
    if (value == 0x25) {
      value = (hexDigit(load<u8>(p, 1)) << 4) | hexDigit(load<u8>(p, 2));
      p += 2;
    }
    if (to >= limit) return -1;
    store<u8>(to++, value);
  }
  const host = entry(uri + URI_HOST_AT);
  const hostEnd = entry(uri + URI_HOST_END);
  if (to + 1 + hostEnd - host > limit) return -1;
  store<u8>(to++, 0x40);
  for (let p = host; p < hostEnd; p += 16) v128.store(to + p - host, lowerCase(v128.load(p)));
  if (hostEnd > host) to += hostEnd - host;
  const length = to - AOR_TEXT;
  hashStart(k0, k1, k2, k3);
  hashFinish(AOR_TEXT, to, length, 1, 3);
  return length;
}

/** Value of a hex digit; 255 for other characters. */
function hexDigit(value: i32): i32 {
  if (<u32>(value - 0x30) < 10) return value - 0x30;
  const letter = lower(value) - 0x61;
  return <u32>letter < 6 ? letter + 10 : 255;
}

// @ts-ignore: decorator
@inline
function lowerCase(bytes: v128): v128 {
  const isUpper = i8x16.lt_u(i8x16.sub(bytes, i8x16.splat(0x41)), i8x16.splat(26));
  return v128.or(bytes, v128.and(isUpper, i8x16.splat(0x20)));
}

/** Leaves the keys of the request in the table at KEYS_OUT: request, branch, tag, two words each. */
export function hashRequest(k0: i32, k1: i32, k2: i32, k3: i32): void {
  hashRequestAs(entry(T_METHOD_AT), entry(T_METHOD_END), k0, k1, k2, k3);
}

/** The same, with the bytes [methodAt, methodEnd) as the method. */
export function hashRequestAs(methodAt: i32, methodEnd: i32, k0: i32, k1: i32, k2: i32, k3: i32): void {
  startAt(KEY_TEXT);
  byte(OF_REQUEST);
  span(T_FROM + ADDRESS_TAG_AT, T_FROM + ADDRESS_TAG_END);
  span(T_CALL_ID_AT, T_CALL_ID_END);
  word(entry(T_CSEQ));
  copy(methodAt, methodEnd);
  hash(k0, k1, k2, k3);
  const request = load<u64>(HASH_OUT);
  startAt(KEY_TEXT);
  if (hasCookie()) {
    byte(OF_BRANCH);
    span(T_VIAS + VIA_BRANCH_AT, T_VIAS + VIA_BRANCH_END);
    span(T_VIAS + VIA_HOST_AT, T_VIAS + VIA_HOST_END);
    word(entry(T_VIAS + VIA_PORT));
  } else {
    byte(OF_OLD_BRANCH);
    span(T_REQUEST_URI + URI_AT, T_REQUEST_URI + URI_END);
    span(T_TO + ADDRESS_TAG_AT, T_TO + ADDRESS_TAG_END);
    span(T_VIAS + VIA_AT, T_VIAS + VIA_END);
  }
  hash(k0, k1, k2, k3);
  const branch = load<u64>(HASH_OUT);
  startAt(KEY_TEXT);
  byte(OF_TAG);
  store<u64>(KEY_TEXT, request, 1);
  store<u64>(KEY_TEXT, branch, 9);
  startAt(KEY_TEXT + 17);
  hash(k0, k1, k2, k3);
  store<u64>(KEYS_OUT, request);
  store<u64>(KEYS_OUT, branch, 8);
  store<u64>(KEYS_OUT, load<u64>(HASH_OUT), 16);
}

/** Space for the longest message; the answer's memory is free while keys are computed. */
const KEY_TEXT: i32 = ANSWER;

// Each hashed text begins with a byte of its own kind, so that one hash can never stand for another.
const OF_REQUEST: i32 = 1;
const OF_BRANCH: i32 = 2;
const OF_OLD_BRANCH: i32 = 3;
const OF_TAG: i32 = 4;

function span(from: i32, end: i32): void {
  const start = entry(from);
  if (start >= 0) copy(start, entry(end));
  byte(0);
}

// @ts-ignore: decorator
@inline
function word(value: i32): void {
  store<i32>(at, value);
  startAt(at + 4);
}

function hash(k0: i32, k1: i32, k2: i32, k3: i32): void {
  hashStart(k0, k1, k2, k3);
  hashFinish(KEY_TEXT, at, at - KEY_TEXT, 1, 3);
}

/** Whether the branch is z9hG4bK, in any case, with a text behind it. */
function hasCookie(): bool {
  const branch = entry(T_VIAS + VIA_BRANCH_AT);
  if (branch < 0 || entry(T_VIAS + VIA_BRANCH_END) - branch <= 7) return false;
  return ((load<u64>(branch) | LETTERS) & SEVEN_BYTES) == COOKIE;
}

const COOKIE: u64 = 0x006b62346768397a;
/** Bits that make its letters lower-case. */
const LETTERS: u64 = 0x0020200020200020;
const SEVEN_BYTES: u64 = 0x00ffffffffffffff;
