// Where the registrar's authentication finds users: what a lookup promises. No storage here, no digest arithmetic;
// the shard's user table implements it.

import { ALG_MD5, ALG_SHA_256, ALG_SHA_512_256 } from '../../sip/credentials.ts';

/** No such user. Answered like a wrong password. */
export const USER_UNKNOWN = -1;
/** Not known here yet; a provider has been asked and will say. */
export const USER_PENDING = -2;
/** A provider would have to be asked and cannot be. */
export const USER_UNAVAILABLE = -3;

/** In place of an algorithm: find() looks for an access token (bearer.ts), of which HA1_BYTES are kept, too: first its end, a float64. */
export const ALG_TOKEN = 3;

/** Bytes of the longest HA1: every one in `ha1` is this long, an MD5 one filled up with zeros. */
export const HA1_BYTES = 32;

/** Credentials by user and realm. Nothing here throws or waits. */
export interface CredentialSource {
  /** Index of the realm for a host, whatever its case; -1 where it is not served. Good for find() until the next call. */
  realmOf(bytes: Uint8Array, at: number, end: number): number;
  /** Base algorithms, bit 1 << ALG_*, that every user has an HA1 for: others are not worth a challenge. */
  readonly algorithms: number;
  /**
   * HA1 of a user in a realm for one algorithm.
   * @param bytes the name in [at, end), raw and unescaped: a username, or 64 or 32 hex digits of its userhash
   *   (RFC 7616 §3.4.4), which is H(username ":" realm) of the algorithm without "-sess"
   * @param realm index in the configured realms
   * @param algorithm ALG_* (a -sess form finds what its base form finds), or ALG_TOKEN for the name of a token
   * @returns offset into `ha1`, good until the next call; or USER_*
   */
  find(bytes: Uint8Array, at: number, end: number, isUserhash: boolean, realm: number, algorithm: number): number;
  /** What offsets index: HA1_BYTES raw bytes each, of which an MD5 HA1 has 16. */
  readonly ha1: Uint8Array;
  /** Rules for a user alone, by what find() gave; '': none. Few different ones, the same text for the same rules. */
  rules(user: number): string;
  /** May the user found last register this AOR (canonical "user@host")? Its own, or one it has been given. */
  mayRegister(aor: Uint8Array, aorLength: number): boolean;
}

/** Whether there is, or may be, a user of that name, whichever of its HA1s are known. */
export function mayBeUser(users: CredentialSource, bytes: Uint8Array, at: number, end: number, realm: number): boolean {
  for (const algorithm of ALGORITHMS)
    if (users.find(bytes, at, end, false, realm, algorithm) !== USER_UNKNOWN) return true;
  return false;
}

const ALGORITHMS = [ALG_MD5, ALG_SHA_256, ALG_SHA_512_256];
