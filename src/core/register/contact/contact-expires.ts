// The requested and the granted interval of a Contact (RFC 3261 §10.3 step 7). The granted one is never longer, and lies within the
// policy's bounds. It is shortened at random so that phones do not refresh in step.
// @hot

import { table } from '../../../sip/parser/slab.ts';
import { CONTACT_EXPIRES, MALFORMED, T_EXPIRES } from '../../../sip/parser/span-table.ts';
import { LISTENER_ADMIN } from '../../../sip/sources.ts';
import { expiresAtOf, hasCallIdOfRequest, imageLength, refreshedAtOf } from '../../binding/binding.ts';
import type { Exchange, ExchangeRequest } from '../../uas/exchange.ts';
import type { Policy } from '../../uas/policy.ts';

/** Seconds for a malformed expires parameter (§10.2). */
const MALFORMED_EXPIRES_S = 3600;

/** The contact's expires parameter, else the Expires header, else the default, in seconds. */
export function requestedExpiresS(contact: number, policy: Policy): number {
  const param = table[contact + CONTACT_EXPIRES];
  if (param >= 0) return param;
  if (param === MALFORMED) return MALFORMED_EXPIRES_S;
  return table[T_EXPIRES] >= 0 ? table[T_EXPIRES] : policy.defaultExpiresS;
}

/**
 * The seconds granted for the requested ones. A phone that requests its last granted interval gets that interval again: otherwise each
 * refresh would shorten it, down to the minimum.
 * @param lastS the interval last granted to the phone (lastGrantedS); 0: none
 */
export function grantedS({ request, work }: Exchange, policy: Policy, requestedS: number, lastS: number): number {
  const { grantMaxS, grantMinS } = work;
  const { maxExpiresS, minExpiresS, expiresJitterPercent } = policy;
  const most = grantMaxS < maxExpiresS ? grantMaxS : maxExpiresS;
  const least = grantMinS > minExpiresS ? grantMinS : minExpiresS;
  const seconds = requestedS > most ? most : requestedS;
  if (expiresJitterPercent === 0 || seconds <= least || seconds === lastS) return seconds;
  if (request.peers.listener[request.peer] === LISTENER_ADMIN) return seconds; // an operator gets the requested interval
  const range = Math.floor((seconds * expiresJitterPercent) / 100);
  if (range === 0) return seconds;
  // By a second at least: otherwise a phone that always requests the same would keep the whole interval once drawn, and in time all would.
  const shortened = seconds - 1 - Math.floor(((request.tagLow >>> 0) / 4294967296) * range);
  return shortened < least ? least : shortened;
}

/**
 * The interval last granted to the phone of the request, in seconds, for the binding at `image` (negative: it is new). A phone that has
 * moved keeps its interval: any binding of this Call-ID with the requested seconds counts.
 */
export function lastGrantedS(request: Readonly<ExchangeRequest>, image: number, requestedS: number): number {
  const { state, stateEnd } = request;
  for (let at = request.stateAt; at < stateEnd; at += imageLength(state, at))
    if (grantedOf(state, at) === requestedS && hasCallIdOfRequest(state, at)) return requestedS;
  return image >= 0 ? grantedOf(state, image) : 0;
}

/** Seconds that the image at `at` was granted. */
export function grantedOf(bytes: Uint8Array, at: number): number {
  return (expiresAtOf(bytes, at) - refreshedAtOf(bytes, at)) / 1000;
}
