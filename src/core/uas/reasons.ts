// Reasons of refusals: stable codes, the same in counters, metrics and logs. The phrase of an answer may change
// and has less detail (it must not tell an unknown user from a wrong password); these are for the operator.

import { E_CREDENTIALS } from '../../sip/parser/parse-error.ts';

/** No reason was given. */
export const REASON_UNSPECIFIED = 0;
// 1 to E_CREDENTIALS: the parser's codes (sip/parser/parse-error.ts), unchanged.
/** Plus the authenticator's AUTH_*, of 1 to 11. */
export const REASON_AUTH = 32;
export const REASON_METHOD_UNKNOWN = 44;
export const REASON_METHOD_NOT_ALLOWED = 45;
export const REASON_MESSAGE_TOO_LARGE = 46;
export const REASON_URI_SCHEME = 47;
export const REASON_DOMAIN_NOT_SERVED = 48;
export const REASON_EXTENSION_UNSUPPORTED = 49;
export const REASON_CONTENT_ENCODING = 50;
export const REASON_CONTENT_TYPE = 51;
export const REASON_NOT_ACCEPTABLE = 52;
export const REASON_NO_BINDINGS = 53;
export const REASON_NO_TRANSACTION = 54;
export const REASON_MERGED = 55;
export const REASON_AOR_NOT_SIP = 56;
export const REASON_AOR_NOT_SERVED = 57;
export const REASON_WILDCARD = 58;
export const REASON_CALL_ID_TOO_LONG = 59;
export const REASON_CONTACT_TOO_LONG = 60;
export const REASON_BAD_Q = 61;
export const REASON_BAD_REG_ID = 62;
export const REASON_INTERVAL_TOO_BRIEF = 63;
export const REASON_CSEQ_OUT_OF_ORDER = 64;
export const REASON_TOO_MANY_BINDINGS = 65;
export const REASON_IDENTITY_NOT_AOR = 66;
export const REASON_STORE_FAILED = 67;
export const REASON_REFUSED_BEFORE = 68;
export const REASON_OVERLOAD = 69;
export const REASON_PATH_NOT_SUPPORTED = 70;
export const REASON_BAD_PATH = 71;
export const REASON_PATH_TOO_LONG = 72;
export const REASON_FIRST_HOP_LACKS_OUTBOUND = 73;
export const REASON_MANY_CONTACTS_IN_FLOW = 74;
export const REASON_FLOW_REQUIRED = 75;
export const REASON_CONTACT_IS_AOR = 76;
export const REASON_CONTACT_NOT_SIP = 77;
export const REASON_SIPS_NOT_EVERYWHERE = 78;
export const REASON_PUSH_WITHOUT_VALUE = 79;
export const REASON_TRANSPORT_NOT_ALLOWED = 80;
export const REASON_NETWORK_NOT_ALLOWED = 81;
export const REASON_DOMAIN_FULL = 82;
export const REASON_TOKEN_INVALID = 83;
export const REASON_EVENT_NOT_SERVED = 84;
export const REASON_NO_SUBSCRIPTION = 85;
export const REASON_TOO_MANY_SUBSCRIPTIONS = 86;
export const REASON_GIN_REQUIRED = 87;
export const REASON_BAD_BULK_CONTACT = 88;
export const REASON_NO_NUMBERS = 89;
export const REASON_NUMBER_OF_PBX = 90;
export const REASON_PUSH_NOT_SUPPORTED = 91;

/** Classes of refusals. */
export type RefusalOutcome = 'challenged' | 'rejected' | 'failed';

const PARSE_NAMES = [
  'not_sip',
  'start_line',
  'sip_version',
  'request_uri',
  'header_line',
  'unterminated',
  'too_many_headers',
  'repeated_header',
  'via',
  'too_many_vias',
  'from',
  'to',
  'call_id',
  'cseq',
  'cseq_method',
  'contact',
  'too_many_contacts',
  'too_many_parameters',
  'repeated_parameter',
  'content_length',
  'truncated',
  'missing_header',
  'option_tags',
  'status_line',
  'credentials',
].map((name) => `malformed_${name}`);

const AUTH_NAMES = [
  'no_credentials',
  'credentials_not_offered',
  'credentials_improper',
  'unknown_user',
  'wrong_response',
  'nonce_stale',
  'nonce_replayed',
  'user_not_allowed',
  'users_unavailable',
  'users_pending',
  'nonce_foreign',
];

const OTHER_NAMES = [
  'method_unknown',
  'method_not_allowed',
  'message_too_large',
  'uri_scheme',
  'domain_not_served',
  'extension_unsupported',
  'content_encoding',
  'content_type',
  'not_acceptable',
  'no_bindings',
  'no_transaction',
  'merged',
  'aor_not_sip',
  'aor_not_served',
  'wildcard',
  'call_id_too_long',
  'contact_too_long',
  'bad_q',
  'bad_reg_id',
  'interval_too_brief',
  'cseq_out_of_order',
  'too_many_bindings',
  'identity_not_aor',
  'store_failed',
  'refused_before',
  'overload',
  'path_not_supported',
  'bad_path',
  'path_too_long',
  'first_hop_lacks_outbound',
  'many_contacts_in_flow',
  'flow_required',
  'contact_is_aor',
  'contact_not_sip',
  'sips_not_everywhere',
  'push_without_value',
  'transport_not_allowed',
  'network_not_allowed',
  'domain_full',
  'token_invalid',
  'event_not_served',
  'no_subscription',
  'too_many_subscriptions',
  'gin_required',
  'bad_bulk_contact',
  'no_numbers',
  'number_of_pbx',
  'push_not_supported',
];

/** Names by code, 'unspecified' for unused codes. */
export const REASON_NAMES: readonly string[] = (() => {
  const names = Array.from({ length: REASON_METHOD_UNKNOWN + OTHER_NAMES.length }, () => 'unspecified');
  const fill = (from: number, texts: readonly string[]) => texts.forEach((text, i) => void (names[from + i] = text));
  fill(1, PARSE_NAMES.slice(0, E_CREDENTIALS));
  fill(REASON_AUTH + 1, AUTH_NAMES);
  fill(REASON_METHOD_UNKNOWN, OTHER_NAMES);
  return names;
})();

export const CHALLENGES: readonly string[] = [
  'no_credentials',
  'credentials_not_offered',
  'nonce_stale',
  'nonce_replayed',
  'nonce_foreign',
];
const FAILURES = ['users_unavailable', 'users_pending', 'store_failed', 'overload'];

/** A challenge is no refusal, a failure is the server's; all others are the client's. */
export function outcomeOfReason(name: string): RefusalOutcome {
  if (CHALLENGES.includes(name)) return 'challenged';
  return FAILURES.includes(name) ? 'failed' : 'rejected';
}
