// RFC 3261 §25.1 as far as a Contact or Path needs it, with the addresses of RFC 5954: what a strict parser takes, written down once
// more, so that what Aorta writes is not held against its own reading. And the grammars of two browser libraries.

import * as jssip from 'jssip/lib/Grammar.js';
import { Grammar } from 'sip.js/lib/grammar/index.js';

const UTF8 = '[\\u0080-\\u{10ffff}]';
const TOKEN = "[A-Za-z0-9\\-.!%*_+`'~]+";
const QUOTED = `"(?:[\\t !#-\\[\\]-~]|${UTF8}|\\\\[\\x00-\\x09\\x0b\\x0c\\x0e-\\x7f])*"`;
const OCTET = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
const IPV4 = `${OCTET}(?:\\.${OCTET}){3}`;
const LABEL = '[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?';
const NAME = `(?:${LABEL}\\.)*[A-Za-z](?:[A-Za-z0-9-]*[A-Za-z0-9])?\\.?`;
const HOST = `(?:${IPV4}|${NAME}|\\[[0-9A-Fa-f:.]+\\])`;
const ESCAPED = '%[0-9A-Fa-f]{2}';
const UNRESERVED = "A-Za-z0-9\\-_.!~*'()";
const USER = `(?:[${UNRESERVED}&=+$,;?/]|${ESCAPED})+(?::(?:[${UNRESERVED}&=+$,]|${ESCAPED})*)?`;
const PARAM = `(?:[${UNRESERVED}\\[\\]/:&+$]|${ESCAPED})+`;
const HEADER = `(?:[${UNRESERVED}\\[\\]/?:+$]|${ESCAPED})`;
const HEADERS = `\\?${HEADER}+=${HEADER}*(?:&${HEADER}+=${HEADER}*)*`;
const SIP = `sips?:(?:${USER}@)?${HOST}(?::\\d+)?(?:;${PARAM}(?:=${PARAM})?)*(?:${HEADERS})?`;
const ABSOLUTE = `[A-Za-z][A-Za-z0-9+.-]*:(?:[${UNRESERVED};/?:@&=+$,]|${ESCAPED})+`;
const PARAMS = `(?:[ \\t]*;[ \\t]*${TOKEN}(?:[ \\t]*=[ \\t]*(?:${TOKEN}|${HOST}|${QUOTED}))?)*`;
const DISPLAY = `(?:(?:${TOKEN}(?:[ \\t]+${TOKEN})*|${QUOTED})?[ \\t]*)`;
const CONTACT = new RegExp(`^${DISPLAY}<(?:${SIP}|${ABSOLUTE})>${PARAMS}$`, 'iu');
const Q = /;[ \t]*q[ \t]*=[ \t]*(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)[ \t]*(?:;|$)/i;
const HAS_Q = /;[ \t]*q[ \t]*=/i;

/** What of one Contact row's value (as bytes) no strict parser would take: null where all do. */
export function contactFault(bytes: Uint8Array): string | null {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return 'no UTF-8';
  }
  if (!CONTACT.test(text)) return `§25.1: ${text}`;
  const params = text.replace(/"(?:\\.|[^"\\])*"/g, '""').replace(/<[^>]*>/, '');
  if (HAS_Q.test(params) && !Q.test(params)) return `q: ${text}`;
  // JsSIP and SIP.js take no other scheme, and no transport that begins like one they know.
  if (!/<sips?:/i.test(text) || /;transport=(?:udp|tcp|sctp|tls)[^;>?]/i.test(text)) return null;
  if (jssip.parse(text, 'Contact') === -1) return `JsSIP: ${text}`;
  return Number(Grammar.parse(text, 'Contact')) === -1 ? `SIP.js: ${text}` : null;
}
