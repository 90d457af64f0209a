// One user as bytes: keys and values in the user store, versioned. user-table and user-store use them; this file reads
// and writes no disk. @hot

import { crc32 } from 'node:zlib';
import { USER_UNKNOWN } from '../core/auth/credential-source.ts';

/** Base algorithms in the order of ALG_*: MD5, SHA-256, SHA-512-256. */
export const HA1_LENGTHS = [16, 32, 32] as const;
/** HA1s of one user: of the plain name by algorithm, then of "name@realm" used as a username (Kamailio's ha1b). */
export const HA1_KINDS = 6;
/** First of those of "name@realm". */
export const HA1_FULL = 3;
/** Kind of the 32 bytes in the record of an access token: one of those without a userhash. */
export const TOKEN_KIND = HA1_FULL + 1;

/** Longest name and longest realm, in bytes. */
export const USER_NAME_BYTES_MAX = 256;
export const REALM_BYTES_MAX = 255;
/** AORs of other users that one user may register. */
export const USER_AORS_MAX = 1000;

// First byte of a key. A record's key is this, the realm, a zero, the name.
export const KEY_USER = 0x75;
/** A provider's answer, with an expiry. */
export const KEY_LEARNT = 0x70;
/** This, the base algorithm, the hash of "name:realm" → realm, zero, name. */
export const KEY_USERHASH = 0x68;
/** This and an AOR → number of users that may register it besides their own, u32 little-endian. This alone: the store has such numbers. */
export const KEY_AOR = 0x61;
/** A removed user whose bindings must still be removed. */
export const KEY_REMOVED = 0x72;
/** This alone → the counts below. */
export const KEY_COUNTS = 0x67;

/** Counts, u32 each, little-endian. */
export const COUNTS_BYTES = 24;
/** Raised by every change of a user. */
export const COUNT_GENERATION = 0;
/** Raised by every answer of a provider. */
export const COUNT_LEARNT_GENERATION = 4;
export const COUNT_USERS = 8;
/** Users without an HA1 of each base algorithm. */
export const COUNT_LACKING = 12;

/** Raised when the layout changes; older versions are then read by code of their own. */
export const USER_VERSION = 2;
/** The same without the checksum at its end. */
export const USER_VERSION_UNSEALED = 1;
/** The provider knows no such user. */
export const USER_NONE = 1;
/** There are rules for the user alone. */
export const USER_RULES = 2;

// The value: 0 version, 1 flags, 2 existing HA1s (a bit each), 3 zero, 4 fresh until, 12 usable until (f64, epoch ms;
// zero in records that do not expire), 20 HA1s back to back, then with USER_RULES the rules and then AORs: u16 length
// and bytes each; at the end a checksum, u32.
export const USER_FLAGS = 1;
export const USER_HAVE = 2;
export const USER_FRESH_UNTIL = 4;
export const USER_USABLE_UNTIL = 12;
export const USER_HEADER_BYTES = 20;
const CHECKSUM_BYTES = 4;

/** Result for a value of another user or version, or a damaged one. */
export const USER_DAMAGED = -1;

/** Length of a record without its checksum, or USER_DAMAGED. @cold */
export function openUser(key: Uint8Array, value: Uint8Array, length: number): number {
  if (length < USER_HEADER_BYTES) return USER_DAMAGED;
  if (value[0] === USER_VERSION_UNSEALED) return length;
  const end = length - CHECKSUM_BYTES;
  if (value[0] !== USER_VERSION || end < USER_HEADER_BYTES) return USER_DAMAGED;
  return readU32(value, end) === checksumOf(key, value.subarray(0, end)) ? end : USER_DAMAGED;
}

/** The record with its checksum after it. The checksum is also over the key, so another user's record is invalid. @cold */
export function sealUser(key: Uint8Array, record: Uint8Array): Uint8Array {
  const sealed = new Uint8Array(record.length + CHECKSUM_BYTES);
  sealed.set(record);
  const sum = checksumOf(key, record);
  for (let i = 0; i < CHECKSUM_BYTES; i++) sealed[record.length + i] = sum >>> (8 * i);
  return sealed;
}

function checksumOf(key: Uint8Array, record: Uint8Array): number {
  return crc32(record, crc32(key));
}

/** Offset of an HA1 in the record bytes[0, length), without its checksum, or USER_UNKNOWN. */
export function ha1Offset(bytes: Uint8Array, length: number, kind: number): number {
  if (length < USER_HEADER_BYTES) return USER_UNKNOWN;
  const have = bytes[USER_HAVE];
  if ((have & (1 << kind)) === 0) return USER_UNKNOWN;
  let at = USER_HEADER_BYTES;
  for (let k = 0; k < kind; k++) if ((have & (1 << k)) !== 0) at += HA1_LENGTHS[k % HA1_FULL];
  return at + HA1_LENGTHS[kind % HA1_FULL] <= length ? at : USER_UNKNOWN;
}

/** Offset of the AORs. */
export function aorsOffset(bytes: Uint8Array): number {
  const at = rulesOffset(bytes);
  return (bytes[USER_FLAGS] & USER_RULES) === 0 ? at : at + 2 + (bytes[at] | (bytes[at + 1] << 8));
}

/** Text of the rules for the user alone; '': there are none. @cold */
export function rulesOf(bytes: Uint8Array): string {
  if ((bytes[USER_FLAGS] & USER_RULES) === 0) return '';
  return Buffer.from(bytes.subarray(rulesOffset(bytes) + 2, aorsOffset(bytes))).toString();
}

function rulesOffset(bytes: Uint8Array): number {
  let at = USER_HEADER_BYTES;
  for (let k = 0; k < HA1_KINDS; k++) if ((bytes[USER_HAVE] & (1 << k)) !== 0) at += HA1_LENGTHS[k % HA1_FULL];
  return at;
}

/** Whether the record's AORs hold aor[0, aorLength). */
export function holdsAor(bytes: Uint8Array, length: number, aor: Uint8Array, aorLength: number): boolean {
  if (length < USER_HEADER_BYTES) return false;
  for (let at = aorsOffset(bytes); at + 2 <= length; ) {
    const size = bytes[at] | (bytes[at + 1] << 8);
    at += 2;
    if (size === aorLength && at + size <= length) {
      let i = 0;
      while (i < size && bytes[at + i] === aor[i]) i++;
      if (i === size) return true;
    }
    at += size;
  }
  return false;
}

export function readU32(bytes: Uint8Array, at: number): number {
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
}
