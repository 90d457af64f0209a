// The push services that wake devices (RFC 8599), for REGISTER and lookups. server/push sends pushes.

import { KEPT_NEVER } from '../binding/sleep.ts';

/** Seconds between the push for a refresh and the end of the shortest accepted interval. */
const REFRESH_MARGIN_S = 60;

export interface PushService {
  /** Value of pn-provider, in lower case. */
  readonly name: string;
  /** Its devices need a pn-param (§10, §11). */
  readonly needsParam: boolean;
  /** Public key of Aorta for the service (RFC 8292); '' without one. */
  readonly vapid: string;
}

export interface PushPolicy {
  readonly services: readonly PushService[];
  /** Seconds before its binding's end at which a device is woken (§5.5); 0: never. */
  readonly refreshS: number;
  /** Seconds that a binding is kept after its expiry, for lookups to wake its device. */
  readonly dormantS: number;
  /** Contacts of other services draw 555: no server behind Aorta serves them. */
  readonly refusesOthers: boolean;
}

/** Shorter intervals would end before a push for a refresh (§5.6.1.1); 0: every interval is accepted. */
export function shortestPushS({ refreshS }: PushPolicy): number {
  return refreshS === 0 ? 0 : refreshS + REFRESH_MARGIN_S;
}

/** Time that a sleeping binding is kept after its expiry, ms. */
export function dormantMsOf(push: PushPolicy | null): number {
  return push === null ? KEPT_NEVER : push.dormantS * 1000;
}
