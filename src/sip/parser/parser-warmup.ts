// Runs the parser before the first message: WebAssembly reaches its full speed only after some thousand calls, and
// the first messages after a start come in a crowd.

import { ascii } from '../writer.ts';
import { parse } from './parser.ts';
import { slab, slotStart } from './slab.ts';

const ROUNDS = 3000;

const MESSAGES: readonly Uint8Array[] = [
  [
    'REGISTER sip:example.com SIP/2.0',
    'Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK776asdhds;rport',
    'Max-Forwards: 70',
    'From: "Alice" <sip:alice@example.com>;tag=456248',
    'To: <sip:alice@example.com>',
    'Call-ID: 843817637684230@998sdasdh09',
    'CSeq: 1826 REGISTER',
    'Contact: <sip:alice@192.0.2.1:5060;transport=udp>;expires=3600;+sip.instance="<urn:uuid:0>";reg-id=1',
    'Supported: path, outbound, gruu',
    'User-Agent: warm-up',
    'X-Other: 1',
    'Content-Length: 0',
    '',
    '',
  ],
  [
    'OPTIONS sips:bob@[2001:db8::1]:5061;lr SIP/2.0',
    'v: SIP/2.0/TCP proxy.example.com, SIP/2.0/UDP 192.0.2.2;received=192.0.2.3',
    'f: Bob <sip:bob@example.com?a=b>;tag=1',
    't: tel:+358-555-1234567;phone-context=x',
    'i: a',
    'CSeq: 4294967295 OPTIONS',
    'm: *',
    'Require: path, nothing',
    'Subject: folded',
    '\tand on',
    '',
    'a body',
  ],
].map((lines) => ascii(lines.join('\r\n')));

/** Takes some ten milliseconds. Overwrites the first slot. */
export function warmUp(): void {
  const at = slotStart(0);
  for (let round = 0; round < ROUNDS; round++) {
    for (const message of MESSAGES) {
      slab.set(message, at);
      parse(at, at + message.length);
    }
  }
}
