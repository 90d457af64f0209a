// Status codes of the registrar's answers and their phrases (RFC 3261 §21). No logic.

import { PARSE_ERROR_TEXT } from '../../sip/parser/parse-error-text.ts';
import {
  H_CALL_ID,
  H_CONTENT_LENGTH,
  H_CSEQ,
  H_EXPIRES,
  H_FROM,
  H_MAX_FORWARDS,
  H_TO,
  H_VIA,
  HEADER_IDS,
} from '../../sip/parser/span-table.ts';
import { ascii } from '../../sip/writer.ts';

const PHRASES: readonly (readonly [status: number, phrase: string])[] = [
  [100, 'Trying'],
  [200, 'OK'],
  [302, 'Moved Temporarily'],
  [400, 'Bad Request'],
  [401, 'Unauthorized'],
  [403, 'Forbidden'],
  [404, 'Not Found'],
  [405, 'Method Not Allowed'],
  [406, 'Not Acceptable'],
  [415, 'Unsupported Media Type'],
  [416, 'Unsupported URI Scheme'],
  [420, 'Bad Extension'],
  [421, 'Extension Required'],
  [423, 'Interval Too Brief'],
  [439, 'First Hop Lacks Outbound Support'],
  [480, 'Temporarily Unavailable'],
  [481, 'Call/Transaction Does Not Exist'],
  [482, 'Loop Detected'],
  [489, 'Bad Event'],
  [500, 'Server Internal Error'],
  [501, 'Not Implemented'],
  [503, 'Service Unavailable'],
  [504, 'Server Time-out'],
  [505, 'Version Not Supported'],
  [513, 'Message Too Large'],
  [555, 'Push Notification Service Not Supported'],
];

/** Usual phrase by status. */
export const PHRASE: readonly Uint8Array[] = (() => {
  const byStatus: Uint8Array[] = [];
  for (const [status, phrase] of PHRASES) byStatus[status] = ascii(phrase);
  return byStatus;
})();

const NAMES: readonly (readonly [id: number, name: string])[] = [
  [H_VIA, 'Via'],
  [H_FROM, 'From'],
  [H_TO, 'To'],
  [H_CALL_ID, 'Call-ID'],
  [H_CSEQ, 'CSeq'],
  [H_MAX_FORWARDS, 'Max-Forwards'],
  [H_EXPIRES, 'Expires'],
  [H_CONTENT_LENGTH, 'Content-Length'],
];

function withNames(text: string): readonly Uint8Array[] {
  const phrases: Uint8Array[] = Array.from({ length: HEADER_IDS }, () => ascii(`${text} Header Field`));
  for (const [id, name] of NAMES) phrases[id] = ascii(`${text} ${name} Header Field`);
  return phrases;
}

/** Phrases of a 400 by parse error, E_MISSING and E_REPEATED excepted. */
export const PARSE_PHRASE: readonly Uint8Array[] = PARSE_ERROR_TEXT.map((text) => ascii(text));
/** By header id. */
export const MISSING_PHRASE = withNames('Missing');
/** By header id. */
export const REPEATED_PHRASE = withNames('Repeated');

export const BAD_WILDCARD = ascii('Contact * Needs Expires 0 And No Other Contact');
export const CREDENTIALS_INCOMPLETE = ascii('Incomplete Authorization');
export const CREDENTIALS_IMPROPER = ascii('Improper Authorization Parameter');
export const CREDENTIALS_URI = ascii('Authorization For Another URI');
export const BAD_Q = ascii('Malformed q Parameter');
export const BAD_REG_ID = ascii('Malformed reg-id Parameter');
export const MALFORMED_PATH = ascii('Malformed Path Header Field');
export const PATH_TOO_LONG = ascii('Path Too Long');
export const MANY_CONTACTS_IN_FLOW = ascii('One Contact Per Flow');
export const FLOW_REQUIRED = ascii('Contact Without Instance And reg-id');
export const PUSH_WITHOUT_VALUE = ascii('Push Parameter Needs A Value');
export const SIPS_NOT_EVERYWHERE = ascii('SIPS Contact Needs SIPS Everywhere');
export const CONTACT_IS_AOR = ascii('Contact Is The Address-Of-Record');
export const CONTACT_IS_NO_SIP_URI = ascii('Contact With Instance Is No SIP URI');
export const BULK_CONTACT_WITH_USER = ascii('Bulk Number Contact With User');
export const GIN_WITHOUT_BULK_CONTACT = ascii('No Bulk Number Contact');
export const NO_NUMBERS = ascii('No Numbers For This Address');
export const NUMBER_OF_PBX = ascii('Number Of A PBX');
export const CONTACT_TOO_LONG = ascii('Contact Too Long');
export const CALL_ID_TOO_LONG = ascii('Call-ID Too Long');
export const NOT_A_SIP_AOR = ascii('To Is Not A SIP URI');
export const CSEQ_OUT_OF_ORDER = ascii('Stale Sequence Number');
export const TOO_MANY_BINDINGS = ascii('Too Many Contacts For This Address');
export const DOMAIN_FULL = ascii('Too Many Contacts For This Domain');
export const DIALOG_TOO_LONG = ascii('Dialog Header Fields Too Long');
export const CONTACT_NEEDED = ascii('One SIP Contact Needed');
export const TOO_MANY_SUBSCRIPTIONS = ascii('Too Many Subscriptions To This Address');
