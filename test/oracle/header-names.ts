// Header names, long and compact, without regard to case (RFC 3261 §7.3.1, §7.3.3, §20), to H_*.
// By length first, then bytes; no strings.

import {
  H_ACCEPT,
  H_ALLOW,
  H_AUTHORIZATION,
  H_CALL_ID,
  H_CONTACT,
  H_CONTENT_DISPOSITION,
  H_CONTENT_ENCODING,
  H_CONTENT_LENGTH,
  H_CONTENT_TYPE,
  H_CSEQ,
  H_DATE,
  H_EVENT,
  H_EXPIRES,
  H_FEATURE_CAPS,
  H_FROM,
  H_MAX_FORWARDS,
  H_OTHER,
  H_PATH,
  H_PROXY_AUTHORIZATION,
  H_PROXY_REQUIRE,
  H_RECORD_ROUTE,
  H_REQUIRE,
  H_ROUTE,
  H_SUPPORTED,
  H_TIMESTAMP,
  H_TO,
  H_USER_AGENT,
  H_VIA,
} from '../../src/sip/parser/span-table.ts';
import { ascii } from '../../src/sip/writer.ts';
import { isText, LOWER as theLowerCase } from './scanner.ts';

// Constants of this module: V8 compiles their addresses in, while it loads an import each time it is used.
const LOWER = theLowerCase;

const TO = ascii('to');
const VIA = ascii('via');
const FROM = ascii('from');
const CSEQ = ascii('cseq');
const PATH = ascii('path');
const DATE = ascii('date');
const ROUTE = ascii('route');
const EVENT = ascii('event');
const ALLOW = ascii('allow');
const ACCEPT = ascii('accept');
const CONTACT = ascii('contact');
const CALL_ID = ascii('call-id');
const EXPIRES = ascii('expires');
const REQUIRE = ascii('require');
const SUPPORTED = ascii('supported');
const TIMESTAMP = ascii('timestamp');
const USER_AGENT = ascii('user-agent');
const MAX_FORWARDS = ascii('max-forwards');
const CONTENT_TYPE = ascii('content-type');
const RECORD_ROUTE = ascii('record-route');
const FEATURE_CAPS = ascii('feature-caps');
const AUTHORIZATION = ascii('authorization');
const PROXY_REQUIRE = ascii('proxy-require');
const CONTENT_LENGTH = ascii('content-length');
const CONTENT_ENCODING = ascii('content-encoding');
const CONTENT_DISPOSITION = ascii('content-disposition');
const PROXY_AUTHORIZATION = ascii('proxy-authorization');

/** Compact forms; the ones not here (s, u, r, b, j, d, a, x …) belong to headers without an id of their own. */
const COMPACT = new Uint8Array(256);
COMPACT[0x76] = H_VIA; // v
COMPACT[0x66] = H_FROM; // f
COMPACT[0x74] = H_TO; // t
COMPACT[0x69] = H_CALL_ID; // i
COMPACT[0x6d] = H_CONTACT; // m
COMPACT[0x6c] = H_CONTENT_LENGTH; // l
COMPACT[0x63] = H_CONTENT_TYPE; // c
COMPACT[0x65] = H_CONTENT_ENCODING; // e
COMPACT[0x6b] = H_SUPPORTED; // k
COMPACT[0x6f] = H_EVENT; // o (RFC 6665 §8.2.1)

/** The H_* of the name bytes[at, end); H_OTHER for any other. */
export function headerId(bytes: Uint8Array, at: number, end: number): number {
  switch (end - at) {
    case 1:
      return COMPACT[LOWER[bytes[at]]];
    case 2:
      return isText(bytes, at, end, TO) ? H_TO : H_OTHER;
    case 3:
      return isText(bytes, at, end, VIA) ? H_VIA : H_OTHER;
    case 4:
      if (isText(bytes, at, end, FROM)) return H_FROM;
      if (isText(bytes, at, end, CSEQ)) return H_CSEQ;
      if (isText(bytes, at, end, PATH)) return H_PATH;
      return isText(bytes, at, end, DATE) ? H_DATE : H_OTHER;
    case 5:
      if (isText(bytes, at, end, ALLOW)) return H_ALLOW;
      if (isText(bytes, at, end, ROUTE)) return H_ROUTE;
      return isText(bytes, at, end, EVENT) ? H_EVENT : H_OTHER;
    case 6:
      return isText(bytes, at, end, ACCEPT) ? H_ACCEPT : H_OTHER;
    case 7:
      if (isText(bytes, at, end, CONTACT)) return H_CONTACT;
      if (isText(bytes, at, end, CALL_ID)) return H_CALL_ID;
      if (isText(bytes, at, end, EXPIRES)) return H_EXPIRES;
      return isText(bytes, at, end, REQUIRE) ? H_REQUIRE : H_OTHER;
    case 9:
      if (isText(bytes, at, end, SUPPORTED)) return H_SUPPORTED;
      return isText(bytes, at, end, TIMESTAMP) ? H_TIMESTAMP : H_OTHER;
    case 10:
      return isText(bytes, at, end, USER_AGENT) ? H_USER_AGENT : H_OTHER;
    default:
      return longId(bytes, at, end);
  }
}

function longId(bytes: Uint8Array, at: number, end: number): number {
  switch (end - at) {
    case 12:
      if (isText(bytes, at, end, MAX_FORWARDS)) return H_MAX_FORWARDS;
      if (isText(bytes, at, end, CONTENT_TYPE)) return H_CONTENT_TYPE;
      if (isText(bytes, at, end, RECORD_ROUTE)) return H_RECORD_ROUTE;
      return isText(bytes, at, end, FEATURE_CAPS) ? H_FEATURE_CAPS : H_OTHER;
    case 13:
      if (isText(bytes, at, end, AUTHORIZATION)) return H_AUTHORIZATION;
      return isText(bytes, at, end, PROXY_REQUIRE) ? H_PROXY_REQUIRE : H_OTHER;
    case 14:
      return isText(bytes, at, end, CONTENT_LENGTH) ? H_CONTENT_LENGTH : H_OTHER;
    case 16:
      return isText(bytes, at, end, CONTENT_ENCODING) ? H_CONTENT_ENCODING : H_OTHER;
    case 19:
      if (isText(bytes, at, end, PROXY_AUTHORIZATION)) return H_PROXY_AUTHORIZATION;
      return isText(bytes, at, end, CONTENT_DISPOSITION) ? H_CONTENT_DISPOSITION : H_OTHER;
    default:
      return H_OTHER;
  }
}
