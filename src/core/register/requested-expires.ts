// How long a Contact asks to be bound (RFC 3261 §10.3 step 7). What is granted is registrar.ts's.
// @hot

import { table } from '../../sip/parser/slab.ts';
import { CONTACT_EXPIRES, MALFORMED, T_EXPIRES } from '../../sip/parser/span-table.ts';
import type { Policy } from '../uas/policy.ts';

/** What a malformed expires parameter is taken for (§10.2). */
const MALFORMED_EXPIRES_S = 3600;

/** The contact's expires parameter, else the Expires header, else the default, in seconds. */
export function requestedExpiresS(contact: number, policy: Policy): number {
  const param = table[contact + CONTACT_EXPIRES];
  if (param >= 0) return param;
  if (param === MALFORMED) return MALFORMED_EXPIRES_S;
  return table[T_EXPIRES] >= 0 ? table[T_EXPIRES] : policy.defaultExpiresS;
}
