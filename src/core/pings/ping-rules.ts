// Whether contacts are pinged at all, and what lookups make of it.

import type { Policy } from '../uas/policy.ts';
import { DEFAULT_PING_POLICY } from './ping-policy.ts';

/** Whether contacts of any domain are pinged. */
export function pingsAny({ ping, byDomain }: Pick<Policy, 'ping' | 'byDomain'>): boolean {
  return ping !== 'off' || Object.values(byDomain).some((own) => own.ping !== undefined && own.ping !== 'off');
}

/** What lookups make of pings; null where they are to make nothing of them. */
export interface PingRules {
  /** Contacts with so many losses are left out; 0: none is. */
  readonly parksAt: number;
  readonly ordersByRtt: boolean;
}

/** @cold */
export function pingRules(policy: Partial<Pick<Policy, 'ping' | 'byDomain' | 'pings'>>): PingRules | null {
  const { ping = 'off', byDomain = {}, pings = DEFAULT_PING_POLICY } = policy;
  if (!pingsAny({ ping, byDomain })) return null;
  return { parksAt: pings.dead === 'park' ? pings.lossesMax : 0, ordersByRtt: pings.order === 'rtt' };
}
