// Push parameters of contacts (RFC 8599): the parameters that need a value (§8.7), and, where Aorta serves push services, the contacts
// that it wakes (§5.6.1), noted in the exchange's work.
// @hot

import { slab, table } from '../../sip/parser/slab.ts';
import {
  CONTACT_INTS,
  CONTACT_PARAM_COUNT,
  CONTACT_PARAM_FIRST,
  H_FEATURE_CAPS,
  PARAM_INTS,
  PARAM_NAME_AT,
  PARAM_NAME_END,
  ROW_INTS,
  ROW_NEXT,
  ROW_VALUE_AT,
  ROW_VALUE_END,
  T_CONTACT_COUNT,
  T_CONTACTS,
  T_FIRST_ROW,
  T_PARAMS,
  T_ROWS,
  URI_PARAMS_AT,
  URI_PARAMS_END,
} from '../../sip/parser/span-table.ts';
import { EQUALS, isText, SEMICOLON } from '../../sip/scanner.ts';
import { hasUriParam, uriParamAt, uriParamEnd } from '../../sip/uri/uri-param.ts';
import { ascii } from '../../sip/writer.ts';
import type { Exchange } from '../uas/exchange.ts';
import { PHRASE, PUSH_WITHOUT_VALUE } from '../uas/phrases.ts';
import type { Policy } from '../uas/policy.ts';
import { REASON_PUSH_NOT_SUPPORTED, REASON_PUSH_WITHOUT_VALUE } from '../uas/reasons.ts';
import { refuse } from '../uas/response.ts';
import { requestedExpiresS } from './contact/contact-expires.ts';
import type { PushServices } from './push-services.ts';
import { BRIEF_BELOW_S, refuseTooBrief } from './too-brief.ts';

const PROVIDER = ascii('pn-provider');
const PARAM = ascii('pn-param');
const PRID = ascii('pn-prid');
const NEED_A_VALUE = [PRID, PARAM, ascii('pn-purr')];
const PNS = ascii('+sip.pns');
const PNSREG = ascii('+sip.pnsreg');

/**
 * 0; 400: a contact has pn-prid, pn-param or pn-purr without a value; 423: its interval is too short to be woken; 555: its push
 * service is not served.
 * @param services null: none is served here
 */
export function checkPush(exchange: Exchange, policy: Policy, services: PushServices | null): number {
  let refused = 0;
  for (let i = 0, contact = T_CONTACTS; i < table[T_CONTACT_COUNT] && refused === 0; i++, contact += CONTACT_INTS) {
    const at = table[contact + URI_PARAMS_AT];
    if (at < 0) continue;
    if (lacksValue(at, table[contact + URI_PARAMS_END]))
      return refuse(exchange, 400, PUSH_WITHOUT_VALUE, REASON_PUSH_WITHOUT_VALUE);
    if (services !== null) refused = takeOn(exchange, policy, services, contact);
  }
  return refused;
}

/** Whether the contact names a device that can be woken. */
export function hasDevice(contact: number): boolean {
  return hasUriParam(slab, table, contact, PRID) && hasUriParam(slab, table, contact, PROVIDER);
}

/** §5.6.1.1; without pn-prid the contact is a query, which changes nothing (§5.6.1.2). */
function takeOn(exchange: Exchange, policy: Policy, services: PushServices, contact: number): number {
  const seconds = requestedExpiresS(contact, policy);
  if (seconds === 0 || !hasUriParam(slab, table, contact, PROVIDER)) return 0;
  const { work } = exchange;
  const isNamed = uriParamAt() >= 0 && uriParamAt() < uriParamEnd();
  const service = isNamed ? services.find(slab, uriParamAt(), uriParamEnd()) : services.all;
  const isQuery = !isNamed || !hasUriParam(slab, table, contact, PRID);
  if (!isQuery && isLeftToOthers()) return 0;
  if (service === 0) return services.refusesOthers ? refuse(exchange, 555, PHRASE[555], REASON_PUSH_NOT_SUPPORTED) : 0;
  if (!isQuery) {
    if (services.needsParam(service) && !hasUriParam(slab, table, contact, PARAM)) return 0;
    const { shortestS } = services;
    const most = work.grantMaxS < policy.maxExpiresS ? work.grantMaxS : policy.maxExpiresS;
    if (most < shortestS) return 0; // for any requested interval: it is not woken
    if (seconds < shortestS) return shortestS <= BRIEF_BELOW_S ? refuseTooBrief(exchange, shortestS) : 0;
    work.wakes = true;
    work.grantMinS = shortestS;
  }
  work.pushServices |= service;
  if (hasTag(contact, PNSREG)) work.wakesByItself = true;
  return 0;
}

/** Whether a hop before Aorta has announced that it wakes the device. */
function isLeftToOthers(): boolean {
  for (let row = table[T_FIRST_ROW + H_FEATURE_CAPS]; row >= 0; row = table[T_ROWS + row * ROW_INTS + ROW_NEXT]) {
    const at = T_ROWS + row * ROW_INTS;
    const end = table[at + ROW_VALUE_END];
    for (let p = table[at + ROW_VALUE_AT]; p + PNS.length < end; p++)
      if (slab[p + PNS.length] === EQUALS && isText(slab, p, p + PNS.length, PNS)) return true;
  }
  return false;
}

/** Whether the Contact has a parameter of this name. */
function hasTag(contact: number, name: Uint8Array): boolean {
  let param = T_PARAMS + table[contact + CONTACT_PARAM_FIRST] * PARAM_INTS;
  for (let i = 0; i < table[contact + CONTACT_PARAM_COUNT]; i++, param += PARAM_INTS)
    if (isText(slab, table[param + PARAM_NAME_AT], table[param + PARAM_NAME_END], name)) return true;
  return false;
}

function lacksValue(at: number, end: number): boolean {
  for (let p = at; p < end; p++) {
    if (slab[p] !== SEMICOLON) continue;
    for (let i = 0; i < NEED_A_VALUE.length; i++) {
      const name = NEED_A_VALUE[i];
      const after = p + 1 + name.length;
      if (after > end || !isText(slab, p + 1, after, name)) continue;
      if (after === end || slab[after] === SEMICOLON) return true;
      if (slab[after] === EQUALS && (after + 1 === end || slab[after + 1] === SEMICOLON)) return true;
    }
  }
  return false;
}
