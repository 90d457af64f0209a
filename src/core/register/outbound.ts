// Flows (RFC 5626 §6, registrar): whether the request came straight from the user agent, whether its reg-ids are used, and
// the parts of the answer that show it. registrar.ts changes the bindings.
// @hot

import { slab, table } from '../../sip/parser/slab.ts';
import {
  ABSENT,
  CONTACT_INTS,
  CONTACT_REG_ID,
  H_VIA,
  OPTION_OUTBOUND,
  ROW_INTS,
  ROW_NEXT,
  ROW_VALUE_END,
  T_CONTACT_COUNT,
  T_CONTACTS,
  T_FIRST_ROW,
  T_ROWS,
  T_VIA_COUNT,
  T_VIAS,
  VIA_END,
} from '../../sip/parser/span-table.ts';
import { COMMA } from '../../sip/scanner.ts';
import { ascii } from '../../sip/writer.ts';
import { hasInstance } from '../binding/instance-id.ts';
import type { Exchange, ExchangeWork } from '../uas/exchange.ts';
import { FLOW_REQUIRED, MANY_CONTACTS_IN_FLOW, PHRASE } from '../uas/phrases.ts';
import type { Policy } from '../uas/policy.ts';
import { REASON_FIRST_HOP_LACKS_OUTBOUND, REASON_FLOW_REQUIRED, REASON_MANY_CONTACTS_IN_FLOW } from '../uas/reasons.ts';
import { refuse } from '../uas/response.ts';
import { requestedExpiresS } from './contact/contact-expires.ts';
import { supports } from './path.ts';

const REQUIRE_OUTBOUND = ascii('Require: outbound\r\n');

/** Whether the request in the table has one Via value: no proxy before us (§6). */
function isFirstHop(): boolean {
  if (table[T_VIA_COUNT] !== 1) return false;
  const row = T_ROWS + table[T_FIRST_ROW + H_VIA] * ROW_INTS;
  if (table[row + ROW_NEXT] !== ABSENT) return false;
  // Vias does not count a second value that could not be read.
  for (let p = table[T_VIAS + VIA_END]; p < table[row + ROW_VALUE_END]; p++) if (slab[p] === COMMA) return false;
  return true;
}

/** reg-id of a Contact if it makes its binding a flow, else 0: without an instance ID it is ignored (§6). */
export function flowRegId(contact: number, work: ExchangeWork): number {
  return work.flows && table[contact + CONTACT_REG_ID] > 0 && hasInstance(contact)
    ? table[contact + CONTACT_REG_ID]
    : 0;
}

/** Sets `direct` and `flows` of the exchange's work; returns 0 if the contacts are allowed, else the status answered. After checkPath. */
export function checkFlows(exchange: Exchange, policy: Policy): number {
  const { work } = exchange;
  work.direct = isFirstHop();
  work.connectionBindings = policy.connectionBindings;
  if (policy.outbound === 'off') return 0;
  work.flows = work.direct || work.edgeOb;
  if (policy.outbound !== 'required' && !hasRegId()) return 0;
  let regIds = 0;
  let flows = 0;
  let live = 0;
  for (let i = 0, contact = T_CONTACTS; i < table[T_CONTACT_COUNT]; i++, contact += CONTACT_INTS) {
    if (table[contact + CONTACT_REG_ID] > 0) regIds++;
    if (requestedExpiresS(contact, policy) === 0) continue;
    live++;
    if (flowRegId(contact, work) > 0) flows++;
  }
  if (!work.flows && regIds > 0 && supports(OPTION_OUTBOUND))
    return refuse(exchange, 439, PHRASE[439], REASON_FIRST_HOP_LACKS_OUTBOUND);
  if (flows > 0 && live > 1) return refuse(exchange, 400, MANY_CONTACTS_IN_FLOW, REASON_MANY_CONTACTS_IN_FLOW);
  if (policy.outbound === 'required' && flows < live)
    return supports(OPTION_OUTBOUND)
      ? refuse(exchange, 400, FLOW_REQUIRED, REASON_FLOW_REQUIRED)
      : refuse(exchange, 421, PHRASE[421], REASON_FLOW_REQUIRED, REQUIRE_OUTBOUND);
  return 0;
}

function hasRegId(): boolean {
  for (let i = 0, contact = T_CONTACTS; i < table[T_CONTACT_COUNT]; i++, contact += CONTACT_INTS)
    if (table[contact + CONTACT_REG_ID] > 0) return true;
  return false;
}

/** Whether the 200 shows that a reg-id was used: to a client that supports outbound. */
export function showsFlow(work: ExchangeWork): boolean {
  return work.flows && supports(OPTION_OUTBOUND) && hasFlow(work);
}

function hasFlow(work: ExchangeWork): boolean {
  for (let i = 0, contact = T_CONTACTS; i < table[T_CONTACT_COUNT]; i++, contact += CONTACT_INTS)
    if (flowRegId(contact, work) > 0) return true;
  return false;
}
