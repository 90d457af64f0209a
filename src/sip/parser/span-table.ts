// The layout of a parsed message: one Int32Array of offsets into the slab and small numbers.
// This file names its indices (plain numbers, since AssemblyScript reads this file too) and has no code; it is the parser's whole
// interface. The table itself is slab.ts's.
//
// Spans are pairs AT, END (END exclusive) of absolute slab offsets; an absent span has AT = ABSENT (and END = ABSENT).
// Missing numbers are ABSENT, invalid ones are MALFORMED.

import { CONTACT_PARAMS_MAX, CONTACTS_MAX, HEADERS_MAX, VIAS_MAX } from './limits.ts';

export const ABSENT = -1;
export const MALFORMED = -2;

// --- kinds of message (T_KIND)
export const KIND_REQUEST = 0;
export const KIND_RESPONSE = 1;

// --- methods (T_METHOD, T_CSEQ_METHOD); 0 is any other token
export const METHOD_UNKNOWN = 0;
export const METHOD_REGISTER = 1;
export const METHOD_OPTIONS = 2;
export const METHOD_INVITE = 3;
export const METHOD_ACK = 4;
export const METHOD_CANCEL = 5;
export const METHOD_BYE = 6;
export const METHOD_SUBSCRIBE = 7;
export const METHOD_NOTIFY = 8;
export const METHOD_MESSAGE = 9;
export const METHOD_INFO = 10;
export const METHOD_UPDATE = 11;
export const METHOD_PRACK = 12;
export const METHOD_REFER = 13;
export const METHOD_PUBLISH = 14;

// --- header ids; 0 is any other name
export const H_OTHER = 0;
export const H_VIA = 1;
export const H_FROM = 2;
export const H_TO = 3;
export const H_CALL_ID = 4;
export const H_CSEQ = 5;
export const H_MAX_FORWARDS = 6;
export const H_CONTACT = 7;
export const H_EXPIRES = 8;
export const H_CONTENT_LENGTH = 9;
export const H_CONTENT_TYPE = 10;
export const H_CONTENT_ENCODING = 11;
export const H_CONTENT_DISPOSITION = 12;
export const H_REQUIRE = 13;
export const H_PROXY_REQUIRE = 14;
export const H_SUPPORTED = 15;
export const H_PATH = 16;
export const H_ROUTE = 17;
export const H_RECORD_ROUTE = 18;
export const H_AUTHORIZATION = 19;
export const H_PROXY_AUTHORIZATION = 20;
export const H_USER_AGENT = 21;
export const H_ACCEPT = 22;
export const H_EVENT = 23;
export const H_ALLOW = 24;
export const H_TIMESTAMP = 25;
export const H_DATE = 26;
export const H_FEATURE_CAPS = 27;
export const HEADER_IDS = 28;

// --- option tags, as bits of T_REQUIRE and T_SUPPORTED; other tags are counted in T_REQUIRE_UNKNOWN
export const OPTION_PATH = 1;
export const OPTION_OUTBOUND = 2;
export const OPTION_GRUU = 4;
export const OPTION_PREF = 8;
export const OPTION_GIN = 16;

// --- URI record (relative indices)
export const URI_SCHEME = 0; // SCHEME_*
export const URI_AT = 1; // the whole URI
export const URI_END = 2;
export const URI_USER_AT = 3; // without the password and "@"; for a scheme other than sip and sips: all behind the colon
export const URI_USER_END = 4;
export const URI_PASSWORD_AT = 5;
export const URI_PASSWORD_END = 6;
export const URI_HOST_AT = 7; // with the brackets of an IPv6 reference, without a final dot of a name
export const URI_HOST_END = 8;
export const URI_PORT = 9;
export const URI_PARAMS_AT = 10; // from the first ";" (included) to "?" or the end
export const URI_PARAMS_END = 11;
export const URI_HEADERS_AT = 12; // from "?" (included) to the end
export const URI_HEADERS_END = 13;
export const URI_INTS = 14;

export const SCHEME_OTHER = 0;
export const SCHEME_SIP = 1;
export const SCHEME_SIPS = 2;
export const SCHEME_TEL = 3;

// --- To / From record: a URI record first, then
export const ADDRESS_AT = URI_INTS; // the whole value, trimmed
export const ADDRESS_END = URI_INTS + 1;
export const ADDRESS_DISPLAY_AT = URI_INTS + 2; // as sent, with its quotes
export const ADDRESS_DISPLAY_END = URI_INTS + 3;
export const ADDRESS_TAG_AT = URI_INTS + 4; // ABSENT also for an empty tag, which counts as none (§25.1)
export const ADDRESS_TAG_END = URI_INTS + 5; // of an empty tag: the end of its parameter
export const ADDRESS_INTS = URI_INTS + 6;

// --- Via record
export const VIA_AT = 0; // the whole value, trimmed
export const VIA_END = 1;
export const VIA_TRANSPORT_AT = 2;
export const VIA_TRANSPORT_END = 3;
export const VIA_HOST_AT = 4; // sent-by host, with the brackets of an IPv6 reference
export const VIA_HOST_END = 5;
export const VIA_PORT = 6; // sent-by port
export const VIA_BRANCH_AT = 7; // value
export const VIA_BRANCH_END = 8;
export const VIA_RPORT_AT = 9; // the whole parameter from its ";" on, "=value" included where there is one
export const VIA_RPORT_END = 10;
export const VIA_RECEIVED_AT = 11; // the whole parameter from its ";" on
export const VIA_RECEIVED_END = 12;
export const VIA_MADDR_AT = 13; // value
export const VIA_MADDR_END = 14;
export const VIA_KEEP_AT = 15; // the whole parameter from its ";" on
export const VIA_KEEP_END = 16;
export const VIA_INTS = 17;

// --- Contact record: a URI record first, then
export const CONTACT_AT = URI_INTS; // the whole value, trimmed
export const CONTACT_END = URI_INTS + 1;
export const CONTACT_DISPLAY_AT = URI_INTS + 2; // as sent, with its quotes
export const CONTACT_DISPLAY_END = URI_INTS + 3;
export const CONTACT_PARAMS_AT = URI_INTS + 4; // from the first ";" (included) to the end of the value
export const CONTACT_PARAMS_END = URI_INTS + 5;
export const CONTACT_EXPIRES = URI_INTS + 6; // seconds, at most 2^31 - 1; ABSENT, MALFORMED
export const CONTACT_EXPIRES_AT = URI_INTS + 7; // the whole parameter from its ";" on
export const CONTACT_EXPIRES_END = URI_INTS + 8;
export const CONTACT_Q = URI_INTS + 9; // 0 to 1000; ABSENT, MALFORMED
export const CONTACT_INSTANCE_AT = URI_INTS + 10; // +sip.instance, between the quotes
export const CONTACT_INSTANCE_END = URI_INTS + 11;
export const CONTACT_REG_ID = URI_INTS + 12; // 1 to 2^31 - 1; ABSENT, MALFORMED
export const CONTACT_PARAM_FIRST = URI_INTS + 13; // row of its first parameter in the parameter area
export const CONTACT_PARAM_COUNT = URI_INTS + 14;
export const CONTACT_INTS = URI_INTS + 15;

// --- header row
export const ROW_ID = 0; // H_*
export const ROW_NAME_AT = 1;
export const ROW_NAME_END = 2;
export const ROW_VALUE_AT = 3; // trimmed at both ends
export const ROW_VALUE_END = 4;
export const ROW_NEXT = 5; // the next row with this id, ABSENT at the last
export const ROW_INTS = 6;

// --- contact parameter
export const PARAM_NAME_AT = 0;
export const PARAM_NAME_END = 1;
export const PARAM_VALUE_AT = 2; // as sent, with quotes; ABSENT without "="
export const PARAM_VALUE_END = 3;
export const PARAM_INTS = 4;

// --- the table
export const T_KIND = 0;
export const T_METHOD = 1;
export const T_METHOD_AT = 2;
export const T_METHOD_END = 3;
export const T_STATUS = 4; // responses
export const T_ERROR = 5; // E_* (parse-error.ts), also the parser's return value
export const T_ERROR_AT = 6; // offset where it was found
export const T_ERROR_HEADER = 7; // H_* it was found in; H_OTHER for the start line
export const T_BODY_AT = 8;
export const T_BODY_END = 9;
export const T_CALL_ID_AT = 10;
export const T_CALL_ID_END = 11;
export const T_CSEQ = 12; // read with ">>> 0"; valid where T_CSEQ_METHOD_AT is not ABSENT
export const T_CSEQ_METHOD = 13;
export const T_CSEQ_METHOD_AT = 14;
export const T_CSEQ_METHOD_END = 15;
export const T_MAX_FORWARDS = 16; // 0 to 255; ABSENT, MALFORMED
export const T_EXPIRES = 17; // seconds, at most 2^31 - 1; ABSENT, MALFORMED
export const T_CONTENT_LENGTH = 18; // ABSENT where there is none
export const T_REQUIRE = 19; // OPTION_* bits
export const T_REQUIRE_UNKNOWN = 20; // number of other tags
export const T_SUPPORTED = 21; // OPTION_* bits
export const T_CONTACT_STAR = 22; // number of "*" values
export const T_CONTACT_COUNT = 23; // values other than "*"
export const T_VIA_COUNT = 24;
export const T_HEADER_COUNT = 25;
export const T_PARAM_COUNT = 26; // rows in use in the parameter area
export const T_IGNORED_ROWS = 27; // header rows ignored (RFC 3261 §8.2.2): no rows by their form, or malformed and not needed
export const T_IGNORED_AT = 28; // the first of them
export const T_REQUEST_URI = 32; // URI record
export const T_TO = T_REQUEST_URI + URI_INTS; // To record; T_TO + ADDRESS_AT is ABSENT without a usable To
export const T_FROM = T_TO + ADDRESS_INTS;
export const T_FIRST_ROW = T_FROM + ADDRESS_INTS; // by header id: the first row with it, or ABSENT
export const T_ROWS = T_FIRST_ROW + HEADER_IDS;
export const T_VIAS = T_ROWS + HEADERS_MAX * ROW_INTS;
export const T_CONTACTS = T_VIAS + VIAS_MAX * VIA_INTS;
export const T_PARAMS = T_CONTACTS + CONTACTS_MAX * CONTACT_INTS;
export const TABLE_INTS = T_PARAMS + CONTACT_PARAMS_MAX * PARAM_INTS;
