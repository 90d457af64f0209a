// A user in the store: the keys of its records, and their bytes to and from a User. user-store decides which records exist.

import { type Ha1Set, userhashOf } from './ha1.ts';
import { RECORD_BYTES_MAX } from './user-lookup.ts';
import type { UserName } from './user-name.ts';
import {
  aorsOffset,
  HA1_FULL,
  HA1_KINDS,
  HA1_LENGTHS,
  ha1Offset,
  KEY_USERHASH,
  openUser,
  rulesOf,
  sealUser,
  USER_DAMAGED,
  USER_FLAGS,
  USER_FRESH_UNTIL,
  USER_HAVE,
  USER_HEADER_BYTES,
  USER_NONE,
  USER_RULES,
  USER_USABLE_UNTIL,
  USER_VERSION,
} from './user-record.ts';

export interface User extends UserName {
  readonly ha1s: Ha1Set;
  /** Canonical AORs of other users that it may register. */
  readonly aors: readonly string[];
  /** Rules for the user alone, as JSON of a DomainPolicy (core/uas/policy.ts); '' or absent: none. */
  readonly rules?: string;
}

/** A provider's answer about a user; no HA1s: there is no such user. */
export interface LearntUser extends User {
  readonly none: boolean;
  /** Epoch ms up to which it is used without another request. */
  readonly freshUntil: number;
  /** Epoch ms up to which it is used while the provider fails. */
  readonly usableUntil: number;
}

/** User of a record's key. */
export function userNameOf(key: Uint8Array): UserName {
  return splitKey(key, 1);
}

export function recordKey(kind: number, { name, realm }: UserName): Buffer {
  return Buffer.concat([Buffer.from([kind]), Buffer.from(realm), Buffer.from([0]), Buffer.from(name)]);
}

export function userhashKey({ name, realm }: UserName, algorithm: number): Buffer {
  return Buffer.concat([Buffer.from([KEY_USERHASH, algorithm]), userhashOf(name, realm, algorithm)]);
}

export function splitKey(key: Uint8Array, start: number): UserName {
  const text = Buffer.from(key.subarray(start)).toString();
  const zero = text.indexOf('\0');
  return { realm: text.slice(0, zero), name: text.slice(zero + 1) };
}

export function encodeUser(key: Uint8Array, user: User & Partial<LearntUser>): Uint8Array {
  const header = Buffer.alloc(USER_HEADER_BYTES);
  header[0] = USER_VERSION;
  header[USER_FLAGS] = user.none === true ? USER_NONE : 0;
  header.writeDoubleLE(user.freshUntil ?? 0, USER_FRESH_UNTIL);
  header.writeDoubleLE(user.usableUntil ?? 0, USER_USABLE_UNTIL);
  const parts: Uint8Array[] = [header];
  for (let kind = 0; kind < HA1_KINDS; kind++) {
    const ha1 = user.ha1s[kind];
    if (ha1 === undefined) continue;
    if (ha1.length !== HA1_LENGTHS[kind % HA1_FULL]) throw new RangeError('an HA1 of the wrong length');
    header[USER_HAVE] |= 1 << kind;
    parts.push(ha1);
  }
  if (user.rules) header[USER_FLAGS] |= USER_RULES;
  for (const one of [...(user.rules ? [user.rules] : []), ...user.aors]) {
    const text = Buffer.from(one);
    parts.push(Buffer.from([text.length, text.length >>> 8]), text);
  }
  const record = Buffer.concat(parts);
  if (record.length > RECORD_BYTES_MAX) throw new RangeError('a user with too many AORs');
  return sealUser(key, record);
}

/** Undefined: a record of another version, or damaged. */
export function decodeUser(key: Uint8Array, sealed: Buffer): LearntUser | undefined {
  const length = openUser(key, sealed, sealed.length);
  if (length === USER_DAMAGED) return undefined;
  const value = sealed.subarray(0, length);
  const user = splitKey(key, 1);
  const ha1s = Array.from({ length: HA1_KINDS }, (_, kind) => {
    const at = ha1Offset(value, value.length, kind);
    return at < 0 ? undefined : Buffer.from(value.subarray(at, at + HA1_LENGTHS[kind % HA1_FULL]));
  });
  const aors: string[] = [];
  for (let at = aorsOffset(value); at + 2 <= value.length; ) {
    const length = value.readUInt16LE(at);
    aors.push(value.subarray(at + 2, at + 2 + length).toString());
    at += 2 + length;
  }
  return {
    name: user.name,
    realm: user.realm,
    ha1s,
    aors,
    rules: rulesOf(value),
    none: (value[USER_FLAGS] & USER_NONE) !== 0,
    freshUntil: value.readDoubleLE(USER_FRESH_UNTIL),
    usableUntil: value.readDoubleLE(USER_USABLE_UNTIL),
  };
}
