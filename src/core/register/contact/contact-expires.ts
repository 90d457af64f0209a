// How long a Contact asks to be bound, and is (RFC 3261 §10.3 step 7): no longer than it asks, within the policy's bounds, and
// shortened at random so that phones do not refresh in step.
// @hot

import { table } from '../../../sip/parser/slab.ts';
import { CONTACT_EXPIRES, MALFORMED, T_EXPIRES } from '../../../sip/parser/span-table.ts';
import { LISTENER_ADMIN } from '../../../sip/sources.ts';
import { expiresAtOf, hasCallIdOfRequest, imageLength, refreshedAtOf } from '../../binding/binding.ts';
import type { Exchange, ExchangeRequest } from '../../uas/exchange.ts';
import type { Policy } from '../../uas/policy.ts';

/** What a malformed expires parameter is taken for (§10.2). */
const MALFORMED_EXPIRES_S = 3600;

/** The contact's expires parameter, else the Expires header, else the default, in seconds. */
export function requestedExpiresS(contact: number, policy: Policy): number {
  const param = table[contact + CONTACT_EXPIRES];
  if (param >= 0) return param;
  if (param === MALFORMED) return MALFORMED_EXPIRES_S;
  return table[T_EXPIRES] >= 0 ? table[T_EXPIRES] : policy.defaultExpiresS;
}

/**
 * The seconds granted for those requested. A phone that asks for what it was granted gets that again: shortened at each refresh,
 * an interval would walk down to the minimum.
 * @param lastS what the phone was granted last (lastGrantedS); 0: nothing
 */
export function grantedS({ request, work }: Exchange, policy: Policy, requestedS: number, lastS: number): number {
  const { grantMaxS } = work;
  const { maxExpiresS, minExpiresS, expiresJitterPercent } = policy;
  const most = grantMaxS < maxExpiresS ? grantMaxS : maxExpiresS;
  const seconds = requestedS > most ? most : requestedS;
  if (expiresJitterPercent === 0 || seconds <= minExpiresS || seconds === lastS) return seconds;
  if (request.peers.listener[request.peer] === LISTENER_ADMIN) return seconds; // an operator gets what is asked for
  const range = Math.floor((seconds * expiresJitterPercent) / 100);
  if (range === 0) return seconds;
  // Never by nothing: then who always asks for the same would keep the whole interval from that draw on, and all be in step one day.
  const shortened = seconds - 1 - Math.floor(((request.tagLow >>> 0) / 4294967296) * range);
  return shortened < minExpiresS ? minExpiresS : shortened;
}

/**
 * The seconds that the phone of the request was granted last, for the binding at `image` (negative: it is new). A phone that has moved keeps
 * its interval: any binding of this Call-ID that was granted the requested seconds counts.
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
