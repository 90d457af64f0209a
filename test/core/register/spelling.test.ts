// Contacts outside the grammar (RFC 3261 §25.1) that the parser takes: what the other devices of the address are shown is well formed,
// and still the contact that the phone sent; where that cannot be, the phone is refused. Over 200s, 302s and the quick way.

import { describe, expect, it } from 'vitest';
import { seeded } from '../../../src/commands/bench/sample-messages.ts';
import { E_OK } from '../../../src/sip/parser/parse-error.ts';
import { URI_INTS } from '../../../src/sip/parser/span-table.ts';
import { isHost } from '../../../src/sip/uri/host-form.ts';
import { parseUri } from '../../../src/sip/uri/uri.ts';
import { uriEquals } from '../../../src/sip/uri/uri-equality.ts';
import { isUtf8 } from '../../../src/sip/utf8.ts';
import { contactFault } from '../../support/contact-grammar.ts';
import { answered, request, uris } from '../../support/requests.ts';
import { type Answer, register, VirtualShard } from '../../support/virtual-shard.ts';

const OTHER = '<sip:alice@192.0.2.200>';
const latin1 = (text: string) => Buffer.from(text, 'latin1');
const raw = (text: string) => Buffer.from(text).toString('latin1');
const withoutExpires = (row: string) => row.replace(/;expires=\d+$/, '');

function send(shard: VirtualShard, contact: string, cseq = 1, expires = 600): Answer {
  const answer = shard.send(latin1(register({ contacts: [contact], callId: 'odd', cseq, expires })));
  if (answer === undefined) throw new Error(`no answer to ${contact}`);
  return answer;
}

/** What another phone of the address is shown of the contact. */
function shown(contact: string): string {
  const shard = new VirtualShard();
  expect(send(shard, contact).status).toBe(200);
  const rows = answered(shard, register({ contacts: [OTHER], callId: 'other' })).header('Contact');
  for (const row of rows) expect(contactFault(latin1(row))).toBeNull();
  return withoutExpires(Buffer.from(rows[0], 'latin1').toString());
}

function isSameUri(a: string, b: string): boolean {
  const records = [a, b].map((text) => {
    const bytes = latin1(text);
    const record = new Int32Array(URI_INTS);
    expect(parseUri(bytes, 0, bytes.length, record, 0)).toBe(E_OK);
    return { bytes, record };
  });
  return uriEquals(records[0].bytes, records[0].record, 0, records[1].bytes, records[1].record, 0);
}

describe('a contact outside the grammar', () => {
  it.each([
    ['<sip:a@192.0.2.4;app-imei=;transport=tls>', '<sip:a@192.0.2.4;transport=tls>'],
    [raw('<sip:bü@192.0.2.4>'), '<sip:b%C3%BC@192.0.2.4>'],
    ['<sip:a@h.example.com.:5060;x=1>', '<sip:a@h.example.com:5060;x=1>'],
    ['<sip:#31#49@192.0.2.4>', '<sip:%2331%2349@192.0.2.4>'],
    ['<sip:a[1]{x}|^`\\@192.0.2.4>', '<sip:a%5B1%5D%7Bx%7D%7C%5E%60%5C@192.0.2.4>'],
    ['<sip:a:p#w@192.0.2.4>', '<sip:a:p%23w@192.0.2.4>'],
    ['<sip:a@192.0.2.4;x{=1#2>', '<sip:a@192.0.2.4;x%7B=1%232>'],
    ['<sip:a@192.0.2.4;x=a@b;y=1>', '<sip:a@192.0.2.4;y=1>'],
    ['<sip:a@192.0.2.4;x=a=b>', '<sip:a@192.0.2.4>'],
    ['<sip:a@192.0.2.4;line=7?X={}>', '<sip:a@192.0.2.4;line=7?X=%7B%7D>'],
    [raw('Büro 3 <sip:a@192.0.2.4>'), '"Büro 3" <sip:a@192.0.2.4>'],
    ['B\xfcro <sip:a@192.0.2.4>', '<sip:a@192.0.2.4>'],
    ['"B\xfcro" <sip:a@192.0.2.4>', '<sip:a@192.0.2.4>'],
    ['Room: 5 (left) <sip:a@192.0.2.4>', '<sip:a@192.0.2.4>'],
    ['<sip:a@192.0.2.4>;x=a@b/c\\d', '<sip:a@192.0.2.4>;x="a@b/c\\\\d"'],
    [raw('<sip:a@192.0.2.4>;x=ü;y=[1]'), '<sip:a@192.0.2.4>;x="ü";y="[1]"'],
    ['<sip:a@192.0.2.4>;x=\xfc;y="\xfc";z=[::1]', '<sip:a@192.0.2.4>;z=[::1]'],
    ['<sip:a@192.0.2.4> ; x = ; Y ; z = 1', '<sip:a@192.0.2.4>;x;Y;z=1'],
    ['<sip:a@192.0.2.4>;+sip.instance=urn:uuid:1', '<sip:a@192.0.2.4>;+sip.instance="urn:uuid:1"'],
    ['<sip:a@192.0.2.4>;q=.5', '<sip:a@192.0.2.4>;q=0.5'],
    ['<sip:a@192.0.2.4>;q=".25";a=1', '<sip:a@192.0.2.4>;q=0.25;a=1'],
    ['<sip:a@192.0.2.4>;Q="1"', '<sip:a@192.0.2.4>;Q=1'],
    ['sip:a#1@192.0.2.4;expires=5000;x=', '<sip:a%231@192.0.2.4>;x'],
  ])('R3261-10.3-34 R3261-25.1-01 is shown in another spelling: %j', (contact, expected) => {
    expect(shown(contact)).toBe(expected);
  });

  // One function decides about what is copied as it came (core/wasm/simd/image.ts), another about what is written anew.
  it.each([
    ...['expires=300', 'EXPIRES=300', 'pub-gruu="sip:a@b;gr=x"', 'Temp-Gruu="x"', 'TEMP-GRUU', 'PUB-gruu=x'],
    ...['expiry=3', 'expiresx=1', 'xexpires=1', 'pub-gruus=1', 'temp-gru=1', 'temp-gruux', 'tmp-gruu=1', 'video'],
  ])('R3261-10.3-34 keeps or drops the same parameters as one that is written as it came: %s', (param) => {
    const params = (contact: string) => shown(`${contact};${param};last`).replace(/^.*>/, '');
    const isDropped = /^(expires|pub-gruu|temp-gruu)(=|$)/i.test(param);
    expect(params('<sip:a@192.0.2.4>')).toBe(isDropped ? ';last' : `;${param};last`);
    expect(params('<sip:a#1@192.0.2.4>')).toBe(params('<sip:a@192.0.2.4>'));
  });

  it.each([
    '<sip:a@b..host>',
    '<sip:a@.host>',
    '<sip:a@1234567890>',
    '<sip:a@192.0.2>',
    '<sip:a@192.0.2.256>',
    '<sip:a@host-.example>',
    '<sip:a@my_pc>',
    '<sip:a@[1::2::3]>',
    '<sip:a@[fe80::1.2.3]>',
    '<sip:a@192.0.2.4;transport=>',
    '<sip:a@192.0.2.4;user=a@b>',
    '<sip:a@192.0.2.4;pn-provider=a;pn-prid=a@b;pn-param=c>',
    '<sip:a:b:c@192.0.2.4>',
    '<sip:a@192.0.2.4?X=a;b>',
    '<sip:b\xfc@192.0.2.4>',
    '<sip:b%FC@192.0.2.4>',
    '<tel:+49{1}>',
    '<x%y:opaque>',
    '<sip:a@192.0.2.4>;+sip.instance="<urn:\xfc>"',
  ])('R3261-10.3-34 is refused where no spelling equals it: %j', (contact) => {
    const shard = new VirtualShard();
    const answer = send(shard, contact);
    expect([answer.status, answer.phrase]).toEqual([400, 'Malformed Contact']);
    expect(uris(shard)).toEqual([]);
    expect(send(shard, contact, 2, 0).status).toBe(200); // it names no binding
  });

  it('R3261-10.3-34 is refused once, not again with the next request', () => {
    const shard = new VirtualShard();
    const long = `<sip:${'a'.repeat(300)}@192.0.2.4>`;
    expect(send(shard, `${long}, <sip:a@192.0.2.4?X=a;b>`).status).toBe(400);
    expect(send(shard, OTHER, 2).status).toBe(200);
    expect(uris(shard)).toHaveLength(1);
  });

  it('R3261-10.3-26 stays the one binding of its phone, which refreshes and removes it in its own spelling', () => {
    const shard = new VirtualShard();
    const contact = raw('Büro <sip:#1@192.0.2.4;x=;y={1}>;z=a/b');
    for (const cseq of [1, 2, 3]) expect(send(shard, contact, cseq).contacts).toHaveLength(1);
    expect(send(shard, contact, 4, 0).contacts).toEqual([]);
  });

  it('R5626-6-01 is found by an instance ID that lacks its quotes', () => {
    const shard = new VirtualShard();
    const flow = (port: number, instance: string) => `<sip:a@192.0.2.4:${port}>;+sip.instance=${instance};reg-id="1"`;
    const options = { callId: 'flow', extra: ['Supported: outbound'], expires: 600 };
    answered(shard, register({ ...options, contacts: [flow(1, '<urn:uuid:1>')] }));
    const answer = answered(shard, register({ ...options, cseq: 2, contacts: [flow(2, '"<urn:uuid:1>"')] }));
    expect(answer.contacts.map(({ row }) => withoutExpires(row))).toEqual([
      '<sip:a@192.0.2.4:2>;+sip.instance="<urn:uuid:1>";reg-id=1',
    ]);
  });

  it('R3261-8.3-01 is named so by a redirection, too', () => {
    const shard = new VirtualShard({ policy: { lookup: { sip: 'anyone', from: [] } } });
    send(shard, raw('Büro <sip:#1@192.0.2.4;x=>;z=a/b'));
    const answer = answered(shard, request({ method: 'INVITE', uri: 'sip:alice@example.com' }));
    expect(answer.status).toBe(302);
    expect(withoutExpires(answer.header('Contact')[0])).toBe(raw('"Büro" <sip:%231@192.0.2.4>;z="a/b"'));
  });

  it('R3261-21.4.11-01 may be as long as the limit, and no byte longer', () => {
    const shard = new VirtualShard({ policy: { contactBytesMax: 60 } });
    const contact = (bytes: number): string => `<sip:${'a'.repeat(bytes - '<sip:@192.0.2.4>'.length)}@192.0.2.4>`;
    expect(send(shard, contact(60)).status).toBe(200);
    const answer = send(shard, contact(61), 2);
    expect([answer.status, answer.phrase]).toEqual([400, 'Contact Too Long']);
  });

  it('R3261-21.4.11-01 has a limit in its new spelling', () => {
    const shard = new VirtualShard({ policy: { contactBytesMax: 100 } });
    expect(send(shard, `<sip:${'#'.repeat(20)}@192.0.2.4>`).status).toBe(200);
    const answer = send(shard, `<sip:${'#'.repeat(40)}@192.0.2.4>`, 2);
    expect([answer.status, answer.phrase]).toEqual([400, 'Contact Too Long']);
  });
});

describe('any contact', () => {
  const PIECES = [
    ...[
      'a',
      'B9',
      '1',
      '-',
      '.',
      '../..',
      '_',
      '~',
      '%41',
      '%c3%bc',
      '#',
      '{',
      '}',
      '|',
      '\\',
      '^',
      '`',
      '[',
      ']',
      '/',
      '&',
      '+',
      '$',
    ],
    ...[
      ',',
      ';',
      '?',
      '=',
      ':',
      '@',
      '!',
      "'",
      '(',
      ')',
      '*',
      '\xc3\xbc',
      '\xfc',
      ';x=',
      ';y',
      ';transport=tcp',
      '=1',
      '?H=v',
    ],
  ];
  const VALUES = [
    '',
    '=',
    '=1',
    '=a/b',
    '="q"',
    '="\\""',
    '=\xfc',
    '="\xfc"',
    '=[::1]',
    '=[x]',
    '=<x>',
    '=.5',
    '="0.5"',
  ];
  const NAMES = ['a', 'q', 'reg-id', '+sip.instance', 'expires', 'video', 'pub-gruu'];
  const HOSTS = [
    '192.0.2.7',
    'h.example.com',
    'h.example.com.',
    '[2001:db8::7]',
    '1234567890',
    'a..b',
    'x_y',
    '[::1:]',
    '256.1.1.1',
  ];
  const DISPLAYS = ['', '', 'Alice ', '"A \\" b" ', 'B\xc3\xbc ', 'B\xfc ', '"\xfc" ', '(x) '];

  it('R3261-25.1-01 R3261-10.3-34 R3261-10.3-26 is shown well formed and equals what was sent, or is refused', () => {
    const random = seeded(20_261);
    const pick = (list: readonly string[]) => list[Math.floor(random() * list.length)];
    const some = (list: readonly string[], most: number) =>
      Array.from({ length: Math.floor(random() * (most + 1)) }, () => pick(list)).join('');
    const shard = new VirtualShard();
    const faults: string[] = [];
    let bound = 0;
    for (let i = 0; i < 6000; i++) {
      const user = random() < 0.8 ? `${some(PIECES, 4)}@` : '';
      const uri = `sip:${user}${pick(HOSTS)}${random() < 0.5 ? some(PIECES, 4) : ''}`;
      const params = Array.from({ length: Math.floor(random() * 3) }, () => `;${pick(NAMES)}${pick(VALUES)}`).join('');
      const contact = `${pick(DISPLAYS)}<${uri}>${params}`;
      const odd = { to: `<sip:u${i}@example.com>`, callId: `odd${i}`, contacts: [contact], expires: 600 };
      const own = shard.send(latin1(register(odd)));
      if (own?.status !== 200 && own?.status !== 400 && own?.status !== 423) faults.push(`${contact}: ${own?.status}`);
      if (own?.status !== 200 || own.contacts.length === 0) continue;
      bound++;
      const answer = shard.send(register({ ...odd, callId: `other${i}`, contacts: [OTHER] }));
      const rows = answer?.header('Contact') ?? [];
      for (const row of rows) faults.push(...[contactFault(latin1(row))].flatMap((fault) => fault ?? []));
      const shownUri = /<([^>]*)>/.exec(rows[0].replace(/"(?:\\.|[^"\\])*"/, ''))?.[1] ?? '';
      if (rows.length !== 2 || !isSameUri(uri, shownUri)) faults.push(`${contact} is no longer ${rows[0]}`);
      if (shard.send(latin1(register({ ...odd, cseq: 2 })))?.contacts.length !== 2)
        faults.push(`${contact} is not found`);
    }
    expect(faults).toEqual([]);
    expect(bound).toBeGreaterThan(500);
  });
});

describe('hosts and text', () => {
  const host = (text: string) => isHost(latin1(text), 0, text.length);

  it('R3261-25.1-01 tells hosts of the grammar from others', () => {
    const good =
      'a h.example.com a-b.c1 1a.b 192.0.2.1 0.0.0.0 255.255.255.255 [::] [::1] [1::] [1:2:3:4:5:6:7:8] [1::8]';
    for (const text of [...good.split(' '), '[::ffff:192.0.2.1]', '[1:2:3:4:5:6:192.0.2.1]'])
      expect([text, host(text)]).toEqual([text, true]);
    const bad =
      '. .. a. a..b -a a- a-.b a.-b a_b 1 1.2.3 1.2.3.4.5 1.2.3.4. 256.1.1.1 01.2.3.4 1.2.3.1a2b.1 [] [:] [:::] [1] [1::2::3]';
    const others = [
      '',
      '[1:2:3:4:5:6:7]',
      '[1:2:3:4:5:6:7:8:9]',
      '[12345::]',
      '[::1',
      '[::1.2.3]',
      '[1.2.3.4]',
      '[::g]',
      '[1:]',
      'ü',
    ];
    for (const text of [...bad.split(' '), ...others]) expect([text, host(text)]).toEqual([text, false]);
  });

  it('R3261-25.1-02 tells UTF-8 from other bytes', () => {
    const reader = new TextDecoder('utf-8', { fatal: true });
    const random = seeded(3629);
    for (let i = 0; i < 20_000; i++) {
      const bytes = Uint8Array.from(
        { length: 1 + Math.floor(random() * 5) },
        () => (random() < 0.5 ? 0x80 : 0xc0) + random() * 0x40,
      );
      let expected = true;
      try {
        reader.decode(bytes);
      } catch {
        expected = false;
      }
      expect([bytes, isUtf8(bytes, 0, bytes.length)]).toEqual([bytes, expected]);
    }
  });
});
