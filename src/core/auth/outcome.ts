// Outcomes of authentication (Authenticator.outcome): for answers, counters and logs.
// @hot

/** Result of authenticate() while the user is being fetched: no answer was written; it is called again when the user is known. */
export const AUTH_PENDING = -1;

export const AUTH_OK = 0;
/** No credentials for our realm, or none yet: the first step of every authentication. */
export const AUTH_NO_CREDENTIALS = 1;
/** An algorithm, a qop, a userhash that no challenge offered. */
export const AUTH_NOT_OFFERED = 2;
/** Malformed, incomplete, or for another URI: 400. */
export const AUTH_IMPROPER = 3;
/** Unknown user. Answered like AUTH_WRONG_RESPONSE. */
export const AUTH_UNKNOWN_USER = 4;
export const AUTH_WRONG_RESPONSE = 5;
/** Right, but the nonce is too old: 401 with stale=true. */
export const AUTH_STALE = 6;
/** Right, but nonce and nc were used before: 401 with stale=true. */
export const AUTH_REPLAYED = 7;
/** Right, but this user may not register this AOR: 403. */
export const AUTH_NOT_ALLOWED = 8;
/** Users cannot be looked up: 503. */
export const AUTH_UNAVAILABLE = 9;
export const AUTH_WAITING = 10;
/** Right, but the nonce is another AOR's or realm's, or not of this server: 401 with stale=true. */
export const AUTH_FOREIGN_NONCE = 11;

/** Rank of a failure among those of one request; the highest is answered: a right password, a wrong one, none. */
export function rankOf(outcome: number): number {
  if (outcome === AUTH_WRONG_RESPONSE || outcome === AUTH_UNKNOWN_USER) return 1;
  return outcome === AUTH_NO_CREDENTIALS || outcome === AUTH_NOT_OFFERED || outcome === AUTH_IMPROPER ? 0 : 2;
}
