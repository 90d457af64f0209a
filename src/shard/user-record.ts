// One user as bytes: keys and values in the user store, versioned. What they are used for is user-table's and
// server/user-store's; nothing is read or written to a disk here.
// @hot

import { USER_UNKNOWN } from '../registrar/credential-source.ts';

/** Base algorithms in the order of ALG_*: MD5, SHA-256, SHA-512-256. */
export const HA1_LENGTHS = [16, 32, 32] as const;
/** HA1s of one user: of the plain name by algorithm, then of "name@realm" used as a username (Kamailio's ha1b). */
export const HA1_KINDS = 6;
/** First of those of "name@realm". */
export const HA1_FULL = 3;

/** Longest name and longest realm, in bytes. */
export const USER_NAME_BYTES_MAX = 256;
export const REALM_BYTES_MAX = 255;
/** AORs of other users that one user may register. */
export const USER_AORS_MAX = 1000;

// First byte of a key. A record's key is this, the realm, a zero, the name.
export const KEY_USER = 0x75;
/** What a provider told, with an expiry. */
export const KEY_LEARNT = 0x70;
/** This, the base algorithm, the hash of "name:realm" → realm, zero, name. */
export const KEY_USERHASH = 0x68;
/** This and an AOR → how many users may register it besides their own, u32 little-endian. This alone: that is kept. */
export const KEY_AOR = 0x61;
/** A user that was removed and whose bindings are still to go. */
export const KEY_REMOVED = 0x72;
/** This alone → the counts below. */
export const KEY_COUNTS = 0x67;

/** Counts, u32 each, little-endian. */
export const COUNTS_BYTES = 24;
/** Raised by every change of a user. */
export const COUNT_GENERATION = 0;
/** Raised by every word of a provider. */
export const COUNT_LEARNT_GENERATION = 4;
export const COUNT_USERS = 8;
/** Users without an HA1 of each base algorithm. */
export const COUNT_LACKING = 12;

/** Raised when the layout changes; older versions are then read by code of their own. */
export const USER_VERSION = 1;
/** The provider knows no such user. */
export const USER_NONE = 1;

// The value: 0 version, 1 flags, 2 which HA1s (a bit each), 3 zero, 4 fresh until, 12 usable until (f64, epoch ms; zero in
// records that do not expire), 20 HA1s back to back, then AORs: u16 length and bytes each.
export const USER_FLAGS = 1;
export const USER_HAVE = 2;
export const USER_FRESH_UNTIL = 4;
export const USER_USABLE_UNTIL = 12;
export const USER_HEADER_BYTES = 20;

/** Where an HA1 stands in the record bytes[0, length), or USER_UNKNOWN. */
export function ha1Offset(bytes: Uint8Array, length: number, kind: number): number {
  if (length < USER_HEADER_BYTES || bytes[0] !== USER_VERSION) return USER_UNKNOWN;
  const have = bytes[USER_HAVE];
  if ((have & (1 << kind)) === 0) return USER_UNKNOWN;
  let at = USER_HEADER_BYTES;
  for (let k = 0; k < kind; k++) if ((have & (1 << k)) !== 0) at += HA1_LENGTHS[k % HA1_FULL];
  return at + HA1_LENGTHS[kind % HA1_FULL] <= length ? at : USER_UNKNOWN;
}

/** Where the AORs start. */
export function aorsOffset(bytes: Uint8Array): number {
  let at = USER_HEADER_BYTES;
  for (let k = 0; k < HA1_KINDS; k++) if ((bytes[USER_HAVE] & (1 << k)) !== 0) at += HA1_LENGTHS[k % HA1_FULL];
  return at;
}

/** Whether the record's AORs hold aor[0, aorLength). */
export function holdsAor(bytes: Uint8Array, length: number, aor: Uint8Array, aorLength: number): boolean {
  if (length < USER_HEADER_BYTES || bytes[0] !== USER_VERSION) return false;
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
