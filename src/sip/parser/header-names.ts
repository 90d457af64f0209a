// The header names that the parser knows, long and compact (RFC 3261 §7.3.1, §7.3.3, §20), and its tables for
// them. The other compact forms (s, u, r, b, j, d, a, x …) belong to headers without an id of their own.

import {
  FIRST_LINKS,
  HEADER_HASHES,
  HEADER_NAME_BYTES,
  HEADER_NAME_ID,
  HEADER_NAME_LENGTH,
  HEADER_NAME_TAIL,
  HEADER_NAMES,
  TABLE_ADDRESS,
} from './memory-map.ts';
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
  HEADER_IDS,
  T_FIRST_ROW,
} from './span-table.ts';

/** Letters and "-" only, in lower case, at most 20 bytes: the parser folds case by 0x20. */
const NAMES: Readonly<Record<string, number>> = {
  via: H_VIA,
  v: H_VIA,
  from: H_FROM,
  f: H_FROM,
  to: H_TO,
  t: H_TO,
  'call-id': H_CALL_ID,
  i: H_CALL_ID,
  cseq: H_CSEQ,
  'max-forwards': H_MAX_FORWARDS,
  contact: H_CONTACT,
  m: H_CONTACT,
  expires: H_EXPIRES,
  'content-length': H_CONTENT_LENGTH,
  l: H_CONTENT_LENGTH,
  'content-type': H_CONTENT_TYPE,
  c: H_CONTENT_TYPE,
  'content-encoding': H_CONTENT_ENCODING,
  e: H_CONTENT_ENCODING,
  'content-disposition': H_CONTENT_DISPOSITION,
  require: H_REQUIRE,
  'proxy-require': H_PROXY_REQUIRE,
  supported: H_SUPPORTED,
  k: H_SUPPORTED,
  path: H_PATH,
  route: H_ROUTE,
  'record-route': H_RECORD_ROUTE,
  authorization: H_AUTHORIZATION,
  'proxy-authorization': H_PROXY_AUTHORIZATION,
  'user-agent': H_USER_AGENT,
  accept: H_ACCEPT,
  event: H_EVENT,
  o: H_EVENT, // RFC 6665 §8.2.1
  allow: H_ALLOW,
  timestamp: H_TIMESTAMP,
  date: H_DATE,
  'feature-caps': H_FEATURE_CAPS,
};

const HASHES = 128;
const NAME_BYTES = 16;

/** The hash that likelyName in simd/header-index.ts computes, of the length and the first two bytes: no two names share one. */
function hashOf(name: string): number {
  const [first, second] = `${name}:`;
  const two = first.charCodeAt(0) | (second.charCodeAt(0) << 8) | 0x2020;
  return (((two * 41) >> 3) + (name.length << 3)) % HASHES;
}

/** Writes the tables into the parser's memory, and the starts of row chains. Throws where two names share a hash: then change the hash. */
export function writeHeaderNames(memory: ArrayBuffer): void {
  const bytes = new Uint8Array(memory);
  const numbers = new DataView(memory);
  for (let id = 0; id < HEADER_IDS; id++)
    numbers.setInt32(FIRST_LINKS + 4 * id, TABLE_ADDRESS + 4 * (T_FIRST_ROW + id), true);
  let row = 0;
  for (const [name, id] of Object.entries(NAMES)) {
    const hash = HEADER_HASHES + hashOf(name);
    if (bytes[hash] !== 0) throw new Error(`header name ${name} shares its hash with another`);
    bytes[hash] = ++row;
    const at = HEADER_NAMES + row * HEADER_NAME_BYTES;
    for (let i = 0; i < Math.min(name.length, NAME_BYTES); i++) bytes[at + i] = name.charCodeAt(i);
    bytes[at + HEADER_NAME_LENGTH] = name.length;
    bytes[at + HEADER_NAME_ID] = id;
    if (name.length <= NAME_BYTES) continue;
    let tail = 0;
    for (let i = 1; i <= 4; i++) tail = (tail << 8) | name.charCodeAt(name.length - i);
    numbers.setInt32(at + HEADER_NAME_TAIL, tail, true);
  }
}
