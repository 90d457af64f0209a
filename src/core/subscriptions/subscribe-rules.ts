// Rules for a SUBSCRIBE to registration events (RFC 6665 §4.2.1.1, RFC 3680 §4), and its answers. Pure: the request in the span
// table, answers into the exchange's result. The sender has been authorized before.

import { E_MISSING } from '../../sip/parser/parse-error.ts';
import { slab, table } from '../../sip/parser/slab.ts';
import {
  ABSENT,
  H_ACCEPT,
  H_EVENT,
  H_RECORD_ROUTE,
  ROW_INTS,
  ROW_NEXT,
  ROW_VALUE_AT,
  ROW_VALUE_END,
  SCHEME_SIP,
  SCHEME_SIPS,
  T_CONTACT_COUNT,
  T_CONTACT_STAR,
  T_CONTACTS,
  T_EXPIRES,
  T_FIRST_ROW,
  T_REQUEST_URI,
  T_ROWS,
  URI_SCHEME,
  URI_USER_AT,
} from '../../sip/parser/span-table.ts';
import { ascii } from '../../sip/writer.ts';
import type { Exchange } from '../uas/exchange.ts';
import { CONTACT_NEEDED, CSEQ_OUT_OF_ORDER, DIALOG_TOO_LONG, PHRASE, TOO_MANY_SUBSCRIPTIONS } from '../uas/phrases.ts';
import {
  REASON_AOR_NOT_SERVED,
  REASON_CSEQ_OUT_OF_ORDER,
  REASON_EVENT_NOT_SERVED,
  REASON_INTERVAL_TOO_BRIEF,
  REASON_MESSAGE_TOO_LARGE,
  REASON_NO_SUBSCRIPTION,
  REASON_NOT_ACCEPTABLE,
  REASON_TOO_MANY_SUBSCRIPTIONS,
  REASON_URI_SCHEME,
} from '../uas/reasons.ts';
import { endResponse, refuse, startResponse } from '../uas/response.ts';
import { acceptsReginfo } from './contact-elements.ts';
import { dialogBytes, rowsText } from './dialog.ts';
import type { SubscriptionPolicy } from './subscription-policy.ts';

const ALLOW_EVENTS = ascii('Allow-Events: reg\r\n');
const RECORD_ROUTE = ascii('Record-Route: ');
const CONTACT = ascii('Contact: ');
const EXPIRES = ascii('Expires: ');
const CRLF = ascii('\r\n');
/** Limit of the bytes that a subscription keeps of its SUBSCRIBE. */
const DIALOG_BYTES_MAX = 4096;
/** Only shorter intervals may be refused (RFC 6665 §4.2.1.1). */
const BRIEF_S = 3600;

/** Whether the request in the table is for this event package, whose name is compared byte by byte (RFC 6665 §8.2.1). */
export function isRegEvent(): boolean {
  return table[T_FIRST_ROW + H_EVENT] >= 0 && /^reg[ \t]*(;|$)/.test(rowsText(H_EVENT) ?? '');
}

/** 0, or the status of the refusal written. */
export function checkSubscribe(exchange: Exchange, { minExpiresS }: SubscriptionPolicy): number {
  if (!isRegEvent()) return refuse(exchange, 489, PHRASE[489], REASON_EVENT_NOT_SERVED, ALLOW_EVENTS);
  if (table[T_REQUEST_URI + URI_USER_AT] < 0) return refuseUnknownAor(exchange);
  const accept = rowsText(H_ACCEPT);
  if (accept !== undefined && !acceptsReginfo(accept)) return refuse(exchange, 406, PHRASE[406], REASON_NOT_ACCEPTABLE);
  if (table[T_CONTACT_COUNT] !== 1 || table[T_CONTACT_STAR] > 0)
    return refuse(exchange, 400, CONTACT_NEEDED, E_MISSING);
  const scheme = table[T_CONTACTS + URI_SCHEME];
  if (scheme !== SCHEME_SIP && scheme !== SCHEME_SIPS) return refuse(exchange, 400, CONTACT_NEEDED, REASON_URI_SCHEME);
  const asked = table[T_EXPIRES];
  if (asked > 0 && asked < BRIEF_S && asked < minExpiresS) return refuseBrief(exchange, minExpiresS);
  return 0;
}

/** Bounds the bytes that a subscription keeps. @param aorLength of the canonical AOR; negative: the request names none */
export function checkLengths(exchange: Exchange, aorLength: number, aorBytesMax: number): number {
  if (aorLength < 0 || aorLength > aorBytesMax) return refuseUnknownAor(exchange);
  return dialogBytes() > DIALOG_BYTES_MAX ? refuse(exchange, 400, DIALOG_TOO_LONG, REASON_MESSAGE_TOO_LARGE) : 0;
}

/** Seconds granted to the request; 0: it fetches, or unsubscribes. */
export function grantedS({ defaultExpiresS, maxExpiresS }: SubscriptionPolicy): number {
  const asked = table[T_EXPIRES];
  return Math.min(asked < 0 ? defaultExpiresS : asked, maxExpiresS);
}

export function acceptSubscribe(exchange: Exchange, expiresS: number, contact: string): number {
  startResponse(exchange, 200, PHRASE[200]);
  const w = exchange.result.answer;
  for (let row = table[T_FIRST_ROW + H_RECORD_ROUTE]; row !== ABSENT; row = table[T_ROWS + row * ROW_INTS + ROW_NEXT]) {
    const at = T_ROWS + row * ROW_INTS;
    w.text(RECORD_ROUTE);
    w.span(slab, table[at + ROW_VALUE_AT], table[at + ROW_VALUE_END]);
    w.text(CRLF);
  }
  w.text(CONTACT);
  w.text(ascii(contact));
  w.text(CRLF);
  w.text(EXPIRES);
  w.number(expiresS);
  w.text(CRLF);
  exchange.work.answerInfo?.write(exchange);
  endResponse(exchange);
  return 200;
}

/** Refuses: the AOR is unknown. */
function refuseUnknownAor(exchange: Exchange): number {
  return refuse(exchange, 404, PHRASE[404], REASON_AOR_NOT_SERVED);
}

/** RFC 6665 §4.2.1.4. */
export function refuseUnknown(exchange: Exchange): number {
  return refuse(exchange, 481, PHRASE[481], REASON_NO_SUBSCRIPTION);
}

/** RFC 3261 §12.2.2. */
export function refuseStale(exchange: Exchange): number {
  return refuse(exchange, 500, CSEQ_OUT_OF_ORDER, REASON_CSEQ_OUT_OF_ORDER);
}

/** Refuses: the AOR has its maximum of subscriptions. */
export function refuseTooMany(exchange: Exchange): number {
  return refuse(exchange, 403, TOO_MANY_SUBSCRIPTIONS, REASON_TOO_MANY_SUBSCRIPTIONS);
}

function refuseBrief(exchange: Exchange, minExpiresS: number): number {
  return refuse(exchange, 423, PHRASE[423], REASON_INTERVAL_TOO_BRIEF, ascii(`Min-Expires: ${minExpiresS}\r\n`));
}
