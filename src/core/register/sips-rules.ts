// Contacts with sips URIs (RFC 5630 §5.2): bound only where the whole way to them is sips, else a secure resource would be
// reached by insecure hops.
// @hot

import { table } from '../../sip/parser/slab.ts';
import {
  CONTACT_INTS,
  SCHEME_SIPS,
  T_CONTACT_COUNT,
  T_CONTACTS,
  T_REQUEST_URI,
  URI_SCHEME,
} from '../../sip/parser/span-table.ts';
import type { Exchange } from '../uas/exchange.ts';
import { SIPS_NOT_EVERYWHERE } from '../uas/phrases.ts';
import type { Policy } from '../uas/policy.ts';
import { REASON_SIPS_NOT_EVERYWHERE } from '../uas/reasons.ts';
import { refuse } from '../uas/response.ts';
import { requestedExpiresS } from './contact/contact-expires.ts';

/**
 * 0, or 400: a sips contact that stays needs a sips Request-URI, a sips Path and only sips contacts beside it; one that goes counts, too.
 * After checkPath.
 */
export function checkSips(exchange: Exchange, policy: Policy): number {
  let secure = 0;
  let others = 0;
  for (let i = 0, contact = T_CONTACTS; i < table[T_CONTACT_COUNT]; i++, contact += CONTACT_INTS) {
    if (table[contact + URI_SCHEME] !== SCHEME_SIPS) others++;
    else if (requestedExpiresS(contact, policy) > 0) secure++;
  }
  if (secure === 0) return 0;
  if (others === 0 && exchange.work.pathIsSecure && table[T_REQUEST_URI + URI_SCHEME] === SCHEME_SIPS) return 0;
  return refuse(exchange, 400, SIPS_NOT_EVERYWHERE, REASON_SIPS_NOT_EVERYWHERE);
}
