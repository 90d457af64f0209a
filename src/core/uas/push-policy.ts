// Which push services wake devices (RFC 8599), as far as it concerns REGISTER and lookups. Who sends pushes is server/push.

import { KEPT_NEVER } from '../binding/sleep.ts';

/** Between an interval that is too short and the time of the push behind its registration. */
const REFRESH_MARGIN_S = 60;

export interface PushService {
  /** Value of pn-provider, in lower case. */
  readonly name: string;
  /** Its devices need a pn-param (§10, §11). */
  readonly needsParam: boolean;
  /** Public key that Aorta names itself to the service with (RFC 8292); '' where it does not. */
  readonly vapid: string;
}

export interface PushPolicy {
  readonly services: readonly PushService[];
  /** Devices are woken so many seconds before their binding ends (§5.5); 0: they are not. */
  readonly refreshS: number;
  /** A binding is kept for so many seconds behind its expiry, for lookups to wake its device. */
  readonly dormantS: number;
  /** Contacts of other services draw 555: nobody behind Aorta serves them. */
  readonly refusesOthers: boolean;
}

/** Shorter intervals would end before a push for a refresh (§5.6.1.1); 0: none is too short. */
export function shortestPushS({ refreshS }: PushPolicy): number {
  return refreshS === 0 ? 0 : refreshS + REFRESH_MARGIN_S;
}

/** How long a binding that sleeps is kept behind its expiry, ms. */
export function dormantMsOf(push: PushPolicy | null): number {
  return push === null ? KEPT_NEVER : push.dormantS * 1000;
}
