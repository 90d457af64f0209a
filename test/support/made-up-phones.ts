// Phones that a generator makes up, with all that may stand oddly in a REGISTER: for tests that compare two ways of answering one.

import fc from 'fast-check';
import type { Source } from './virtual-shard.ts';

export interface Phone {
  readonly user: string;
  readonly via: readonly string[];
  readonly to: string;
  readonly callId: string;
  readonly contact: string;
  readonly rows: readonly string[];
  readonly source: Source;
}

export const some = <T>(...values: readonly T[]) => fc.constantFrom(...values);
export const maybe = (...values: readonly string[]) => some('', ...values);

const user = some(
  'alice',
  'al',
  'a%6Cice',
  '%40b',
  'x-y_z.!~*',
  "o'k(1)&=+$,;?/",
  'caf%C3%A9',
  'u'.repeat(70),
  '%5B%5D',
);
const via = fc
  .tuple(
    some('192.0.2.9:5060', '192.0.2.9', 'phone.invalid', '[2001:db8::1]:5070', 'a.example'),
    fc.shuffledSubarray([';rport', ';received=203.0.113.1', ';x="a;b"', ';ttl=1', ';branch=z9hG4bKBRANCH']),
    maybe(' ', ';', '; ;', ', SIP/2.0/TCP proxy.example;branch=z9hG4bK2;received=10.0.0.1', ' ,  SIP/2.0/UDP b'),
  )
  .map(([sentBy, params, end]) => `SIP/2.0/UDP ${sentBy}${params.join('')}${end}`);
const vias = fc
  .tuple(via, some([], [], ['SIP/2.0/TLS edge.example;branch=z9hG4bKe'], ['SIP/2.0/UDP a', 'SIP/2.0/UDP b']))
  .map(([top, rest]) => [top, ...rest]);
const instance = some(
  '<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>',
  '<urn:uuid:F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6>',
  '<URN:UUID:0>',
  '<urn:x-Other:A%20b/é>',
  '<urn:none>',
  'nothing',
  '<>',
  `<urn:uuid:${'a'.repeat(520)}>`,
);
const contactParams = fc
  .tuple(
    fc.shuffledSubarray([
      ';expires=600',
      ';q=0.5',
      ';methods="INVITE, ACK"',
      ';x',
      ';pub-gruu="sip:p"',
      ';Temp-Gruu="sip:t"',
      ';ob',
      ';reg-id=1',
    ]),
    fc.option(instance, { nil: undefined }),
    fc.nat({ max: 4 }),
    maybe(';', ' ;'),
  )
  .map(([params, id, place, end]) => {
    const all = id === undefined ? params : params.toSpliced(place, 0, `;+sip.instance="${id}"`);
    return all.join('') + end;
  });
const contact = fc
  .tuple(
    maybe('"Al \\" ice" ', 'Bob', '""'),
    some(
      'sip:al@192.0.2.1:5060',
      'sip:al@192.0.2.1;transport=tcp;ob',
      'sip:al@192.0.2.9:5060;transport=tcp',
      'sip:al@203.0.113.255;transport=ws',
      'SIP:x@y.example',
      'tel:+358501',
      'sip:192.0.2.4',
      'http://a/b?c',
    ),
    contactParams,
  )
  .map(([display, uri, params]) => `${display}<${uri}>${params}`);
const rows = fc.shuffledSubarray([
  'Supported: path, outbound, gruu',
  'Supported: gruu',
  'Require: path',
  'Path: <sip:edge.example.com;lr;ob>',
  'Path: <sip:p1.example.com;lr>, "P" <sip:p2.example.com;lr>;x=1',
  'User-Agent: short',
  `User-Agent: ${'long '.repeat(40)}`,
  'Expires: 7200',
  'Subject: folded',
  'Allow: INVITE',
]);
const source: fc.Arbitrary<Source> = fc.record({
  ip: some<string | Uint8Array>(
    '192.0.2.9',
    '203.0.113.255',
    '1.2.3.4',
    Uint8Array.from({ length: 16 }, (_, i) => i * 17),
    new Uint8Array(16),
  ),
  port: some(5060, 1, 65535, 0),
  transport: some(0, 0, 0, 1, 4),
  flow: some(0, 7),
});
export const phone: fc.Arbitrary<Phone> = fc.record({
  user,
  via: vias,
  to: maybe('', ';tag=t1', ';', ' ; ', ';x=1', ';tag=', ';x=1;tag;y', ' ;tag="" ;'),
  callId: some('a@b', 'Call"ID<>', 'c'.repeat(90)),
  contact,
  rows,
  source,
});

/** The phone's REGISTER; users and Call-IDs differ by `id`. */
export function request(phone: Phone, cseq: number, id: string): string {
  const aor = `sip:${phone.user}${phone.user === 'al' ? '' : id}@Example.com`;
  const lines = [
    'REGISTER sip:example.com SIP/2.0',
    ...phone.via.map((value) => `Via: ${value.replace('BRANCH', `${id}x${cseq}`)}`),
    `From: <${aor}>;tag=f${id}`,
    `To: <${aor}>${phone.to}`,
    `Call-ID: ${phone.callId}`,
    `CSeq: ${cseq} REGISTER`,
    `Contact: ${phone.contact}`,
    ...phone.rows,
    'Content-Length: 0',
  ];
  return `${lines.join('\r\n')}\r\n\r\n`;
}
