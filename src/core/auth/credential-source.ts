// The interface through which authentication finds users: the contract of a lookup. No storage and no digest arithmetic;
// the shard's user table implements it.

import { ALG_MD5, ALG_SHA_256, ALG_SHA_512_256 } from '../../sip/credentials.ts';

/** No such user. Answered like a wrong password. */
export const USER_UNKNOWN = -1;
/** Not known yet; the provider has been asked. */
export const USER_PENDING = -2;
/** The provider had to be asked, and cannot be. */
export const USER_UNAVAILABLE = -3;

/** In place of an algorithm: find() looks for an access token (bearer.ts). A token has HA1_BYTES, too: first its end, a float64. */
export const ALG_TOKEN = 3;

/** Bytes of each HA1 in `ha1`, the length of the longest: an MD5 one is filled up with zeros. */
export const HA1_BYTES = 32;

/** Credentials by user and realm. No function throws or waits. */
export interface CredentialSource {
  /** Index of the realm for a host, in any case; -1 where it is not served. Valid for find() until the next call. */
  realmOf(bytes: Uint8Array, at: number, end: number): number;
  /** Base algorithms, bit 1 << ALG_*, that every user has an HA1 for: challenges offer no others. */
  readonly algorithms: number;
  /**
   * HA1 of a user in a realm for one algorithm.
   * @param bytes the name in [at, end), raw and unescaped: a username, or 64 or 32 hex digits of its userhash
   *   (RFC 7616 §3.4.4), which is H(username ":" realm) of the algorithm without "-sess"
   * @param realm index in the configured realms
   * @param algorithm ALG_* (a -sess form finds the HA1 of its base form), or ALG_TOKEN for the name of a token
   * @returns offset into `ha1`, valid until the next call; or USER_*
   */
  find(bytes: Uint8Array, at: number, end: number, isUserhash: boolean, realm: number, algorithm: number): number;
  /** The bytes at those offsets: HA1_BYTES raw bytes each, of which an MD5 HA1 has 16. */
  readonly ha1: Uint8Array;
  /** Rules for one user, by the result of find(); '': none. Distinct texts are few: equal rules have the same text. */
  rules(user: number): string;
  /** Whether the user found last may register this AOR (canonical "user@host"): its own, or one assigned to it. */
  mayRegister(aor: Uint8Array, aorLength: number): boolean;
}

/** Whether a user of that name exists or may exist, for any algorithm. */
export function mayBeUser(users: CredentialSource, bytes: Uint8Array, at: number, end: number, realm: number): boolean {
  for (const algorithm of ALGORITHMS)
    if (users.find(bytes, at, end, false, realm, algorithm) !== USER_UNKNOWN) return true;
  return false;
}

const ALGORITHMS = [ALG_MD5, ALG_SHA_256, ALG_SHA_512_256];
