// Whether contacts are pinged at all, and the use of the results in lookups.

import type { Policy } from '../uas/policy.ts';
import { DEFAULT_PING_POLICY } from './ping-policy.ts';

/** Whether contacts of any domain are pinged. */
export function pingsAny({ ping, byDomain }: Pick<Policy, 'ping' | 'byDomain'>): boolean {
  return ping !== 'off' || Object.values(byDomain).some((own) => own.ping !== undefined && own.ping !== 'off');
}

/** Use of ping results in lookups; null where no contact is pinged. */
export interface PingRules {
  /** Contacts with this many losses are left out; 0: none is. */
  readonly parksAt: number;
  readonly ordersByRtt: boolean;
}

/** @cold */
export function pingRules(policy: Partial<Pick<Policy, 'ping' | 'byDomain' | 'pings'>>): PingRules | null {
  const { ping = 'off', byDomain = {}, pings = DEFAULT_PING_POLICY } = policy;
  if (!pingsAny({ ping, byDomain })) return null;
  return { parksAt: pings.dead === 'park' ? pings.lossesMax : 0, ordersByRtt: pings.order === 'rtt' };
}
