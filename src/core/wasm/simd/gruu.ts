// AssemblyScript. Writes GRUUs as texts; their form is in gruu.ts, which reads them.

import { HASH_OUT, HASH_TEXT } from '../../../sip/parser/memory-map.ts';
import { hashFinish, hashStart } from '../../../sip/simd/siphash.ts';
import {
  AOR_TEXT,
  IN_AOR_KEY,
  IN_AOR_LENGTH,
  IN_BULK,
  IN_CODE_KEY,
  IN_STREAM_KEY,
  PLAIN_IN_USER,
  PLAIN_IN_VALUE,
  TEXT_PUB_GRUU,
  TEXT_TEMP_GRUU,
  TOLD,
} from '../module-memory.ts';
import { at, byte, copy, startAt, text } from './output.ts';
import { told } from './table.ts';

/** Bytes of a token's parts: the code that is its IV, and two sealed ones. */
const PART: i32 = 16;
const TOKEN_WORDS: i32 = 12;

/** Writes pub-gruu and temp-gruu of the instance [instance, instanceEnd); `uri` is the contact's. @param epoch 0: no temporary one */
export function writeGruus(uri: i32, instance: i32, instanceEnd: i32, epoch: i32, cseq: i32, regId: i32): void {
  const isSecure = (load<u8>(uri, 3) | 0x20) == 0x73;
  const aorEnd = AOR_TEXT + told(IN_AOR_LENGTH);
  const host = hostAt(aorEnd);
  text(TEXT_PUB_GRUU);
  if (told(IN_BULK) != 0) return writeBulk(isSecure, host, aorEnd, instance, instanceEnd);
  writePublic(isSecure, host, aorEnd, instance, instanceEnd);
  if (epoch != 0) {
    text(TEXT_TEMP_GRUU);
    writeScheme(isSecure);
    writeToken(host + 1, aorEnd, epoch, cseq, regId);
    copy(host, aorEnd);
    store<u32>(at, 0x72673b); // ;gr
    startAt(at + 3);
  }
  byte(0x22);
}

/** Writes the public GRUU of an instance at `to`, alone; returns its end. */
export function publicGruu(to: i32, isSecure: i32, instance: i32, instanceEnd: i32): i32 {
  const aorEnd = AOR_TEXT + told(IN_AOR_LENGTH);
  startAt(to);
  writePublic(isSecure != 0, hostAt(aorEnd), aorEnd, instance, instanceEnd);
  return at;
}

/** Position of the AOR's "@". */
function hostAt(aorEnd: i32): i32 {
  let p = aorEnd - 1;
  while (load<u8>(p) != 0x40) p--;
  return p;
}

/** The AOR with the instance ID in `gr`, in the phone's spelling: other spellings lead to it as well. */
function writePublic(isSecure: bool, host: i32, aorEnd: i32, instance: i32, instanceEnd: i32): void {
  writeScheme(isSecure);
  writeEscaped(AOR_TEXT, host, PLAIN_IN_USER);
  copy(host, aorEnd);
  store<u32>(at, 0x3d72673b); // ;gr=
  startAt(at + 4);
  writeEscaped(instance, instanceEnd, PLAIN_IN_VALUE);
}

/** The GRUU of a PBX: the domain with `bnc` and the instance ID. The PBX adds user and `sg` for its phones. */
function writeBulk(isSecure: bool, host: i32, aorEnd: i32, instance: i32, instanceEnd: i32): void {
  writeScheme(isSecure);
  copy(host + 1, aorEnd);
  store<u64>(at, 0x3d72673b636e623b); // ;bnc;gr=
  startAt(at + 8);
  writeEscaped(instance, instanceEnd, PLAIN_IN_VALUE);
  byte(0x22);
}

/** sip: or sips: */
// @ts-ignore: decorator
@inline
function writeScheme(isSecure: bool): void {
  store<u32>(at, isSecure ? 0x73706973 : 0x3a706973);
  store<u8>(at, 0x3a, 4);
  startAt(at + (isSecure ? 5 : 4));
}

function writeEscaped(from: i32, end: i32, plain: i32): void {
  let to = at;
  for (let p = from; p < end; p++) {
    const value = <i32>load<u8>(p);
    if (load<u8>(plain + value) != 0) store<u8>(to++, value);
    else {
      store<u8>(to, 0x25);
      store<u8>(to, digit(value >> 4), 1);
      store<u8>(to, digit(value & 15), 2);
      to += 3;
    }
  }
  startAt(to);
}

function digit(value: i32): i32 {
  return value < 10 ? 0x30 + value : 0x37 + value;
}

/** The token for the AOR of domain [host, end), in base64url. */
function writeToken(host: i32, end: i32, epoch: i32, cseq: i32, regId: i32): void {
  v128.store(HASH_TEXT, v128.load(TOLD + (IN_AOR_KEY << 2)));
  store<i32>(HASH_TEXT, epoch, 16);
  store<i32>(HASH_TEXT, cseq, 20);
  store<i32>(HASH_TEXT, regId, 24);
  store<i32>(HASH_TEXT, 0, 28);
  const first = v128.load(HASH_TEXT);
  const second = v128.load(HASH_TEXT, 16);
  for (let p = host; p < end; p += 16) v128.store(HASH_TEXT + 32 + p - host, v128.load(p));
  hash(IN_CODE_KEY, 32 + end - host);
  const iv = v128.load(HASH_OUT);
  v128.store(HASH_TEXT, iv);
  store<i32>(HASH_TEXT, 4, 16);
  hash(IN_STREAM_KEY, 20);
  const sealedFirst = v128.xor(first, v128.load(HASH_OUT));
  store<i32>(HASH_TEXT, 8, 16);
  hash(IN_STREAM_KEY, 20);
  const sealedSecond = v128.xor(second, v128.load(HASH_OUT));
  v128.store(HASH_TEXT, iv);
  v128.store(HASH_TEXT, sealedFirst, PART);
  v128.store(HASH_TEXT, sealedSecond, 2 * PART);
  for (let word = 0; word < TOKEN_WORDS; word += 3) {
    v128.store(at, base64Url(v128.load(HASH_TEXT + (word << 2))));
    startAt(at + 16);
  }
}

function hash(key: i32, length: i32): void {
  hashStart(told(key), told(key + 1), told(key + 2), told(key + 3));
  hashFinish(HASH_TEXT, HASH_TEXT + length, length, 2, 4);
}

/** Three words, the highest six bits first, to sixteen characters (sip/base64url.ts). */
// @ts-ignore: decorator
@inline
function base64Url(words: v128): v128 {
  // Three bytes into each lane, the highest on top: the words' bytes count from their highest.
  const three = v128.swizzle(words, i8x16(1, 2, 3, -1, 6, 7, 0, -1, 11, 4, 5, -1, 8, 9, 10, -1));
  const six = v128.or(
    v128.or(i32x4.shr_u(three, 18), v128.and(i32x4.shr_u(three, 4), i32x4.splat(0x3f00))),
    v128.or(
      v128.and(i32x4.shl(three, 10), i32x4.splat(0x3f0000)),
      v128.and(i32x4.shl(three, 24), i32x4.splat(0x3f000000)),
    ),
  );
  let chars = i8x16.add(six, i8x16.splat(65));
  chars = i8x16.add(chars, v128.and(i8x16.gt_s(six, i8x16.splat(25)), i8x16.splat(6)));
  chars = i8x16.sub(chars, v128.and(i8x16.gt_s(six, i8x16.splat(51)), i8x16.splat(75)));
  chars = i8x16.sub(chars, v128.and(i8x16.gt_s(six, i8x16.splat(61)), i8x16.splat(13)));
  return i8x16.add(chars, v128.and(i8x16.gt_s(six, i8x16.splat(62)), i8x16.splat(49)));
}
