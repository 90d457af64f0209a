// What every request meets (RFC 3261 §8.2, §11.2, §21): section 1 of the requirements, a test a row.
// Answers' own fields (§8.2.6) are in answers.test.ts, CANCEL and merged requests in transactions.test.ts.

import { describe, expect, it } from 'vitest';
import { answered, bindings, request, uris, without } from '../../support/requests.ts';
import { type Answer, register, VirtualShard } from '../../support/virtual-shard.ts';

const ALLOWED = ['ACK', 'CANCEL', 'OPTIONS', 'REGISTER'];
const CONTACT = '<sip:alice@192.0.2.9>';

function listed(answer: Answer, name: string): string[] {
  return answer.header(name).flatMap((row) => row.split(',').map((item) => item.trim()));
}

describe('form', () => {
  it('R3261-8.2-01 leaves every binding as it was when it refuses', () => {
    const shard = new VirtualShard();
    shard.send(register({ contacts: [CONTACT] }));
    const before = bindings(shard);
    const refused = [
      register({ cseq: 2, contacts: ['<sip:x@192.0.2.1>'], extra: ['Require: foo'] }),
      register({ cseq: 3, contacts: ['<sip:x@192.0.2.1>;expires=1'] }),
      register({ cseq: 4, contacts: ['<sip:x@192.0.2.1>;q=7'] }),
      register({ cseq: 1, callId: 'call-1', from: '<sip:a@b>;tag=2', contacts: ['<sip:x@192.0.2.1>', CONTACT] }),
      register({ cseq: 5, contacts: ['*'], expires: 5 }),
      register({ cseq: 6, contacts: ['<sip:x@192.0.2.1>'], requestUri: 'sip:example.org' }),
      register({ cseq: 7, contacts: ['<sip:x@192.0.2.1>', '<sip:'] }),
    ];
    for (const text of refused) {
      expect(answered(shard, text).status).toBeGreaterThanOrEqual(400);
      expect(bindings(shard)).toEqual(before);
    }
  });

  it.each(['To', 'From', 'CSeq', 'Call-ID'])('R3261-8.1.1-01 answers 400 without %s, and says so', (name) => {
    const shard = new VirtualShard();
    const answer = answered(shard, without(register({ contacts: [CONTACT] }), name));
    expect(answer.status).toBe(400);
    expect(answer.phrase).toContain(name);
    expect(uris(shard)).toEqual([]);
  });

  it('R3261-8.1.1-01 does not answer without a Via, for want of an address', () => {
    const shard = new VirtualShard();
    expect(shard.send(without(register({ contacts: [CONTACT] }), 'Via'))).toBeUndefined();
    expect(shard.counter('dropped_no_via')).toBe(1);
    expect(uris(shard)).toEqual([]);
  });

  it('R3261-8.1.1-01 R3261-20.22-01 serves a request without Max-Forwards, or with 0', () => {
    const shard = new VirtualShard();
    expect(answered(shard, without(register({ contacts: [CONTACT] }), 'Max-Forwards')).status).toBe(200);
    const zero = register({ cseq: 2, contacts: [CONTACT] }).replace('Max-Forwards: 70', 'Max-Forwards: 0');
    expect(answered(shard, zero).status).toBe(200);
  });

  it('R3261-8.1.1-01 serves a From without a tag', () => {
    const shard = new VirtualShard();
    expect(answered(shard, register({ from: '<sip:alice@example.com>', contacts: [CONTACT] })).status).toBe(200);
  });

  it('R3261-8.1.1.5-01 refuses a CSeq method other than that of the request line', () => {
    const shard = new VirtualShard();
    const answer = answered(shard, request({ method: 'OPTIONS', cseq: '8 INVITE' }));
    expect(answer.status).toBe(400);
    expect(answer.phrase).toContain('CSeq');
  });

  it('R3261-21.4.1-01 says in the phrase of a 400 what was wrong', () => {
    const shard = new VirtualShard();
    const phrase = (text: string): string => answered(shard, text).phrase;
    expect(phrase(without(register(), 'Call-ID'))).toBe('Missing Call-ID Header Field');
    expect(phrase(register({ extra: ['To: <sip:b@example.com>'] }))).toBe('Repeated To Header Field');
    expect(phrase(register({ contacts: ['*'] }))).toContain('Contact *');
    expect(phrase(register({ cseq: 2, contacts: ['<sip:a@b>;q=2'] }))).toContain('q Parameter');
    expect(phrase(register().replace('CSeq: 1', 'CSeq: one'))).toContain('CSeq');
  });

  it('R3261-21.5.6-01 answers 505 to another version, in SIP/2.0 itself', () => {
    const shard = new VirtualShard();
    const answer = answered(shard, request({ method: 'OPTIONS', version: 'SIP/7.0' }));
    expect(answer.status).toBe(505);
    expect(answer.text.startsWith('SIP/2.0 505 ')).toBe(true);
  });

  it('R3261-21.5.6-01 takes the version without regard to case', () => {
    const shard = new VirtualShard();
    const answer = answered(shard, request({ method: 'OPTIONS', version: 'sip/2.0' }));
    expect(answer.text.startsWith('SIP/2.0 200 ')).toBe(true);
  });

  it('R3261-21.4.11-01 answers 513 to a message above its limit, 400 and 404 to values above theirs', () => {
    const shard = new VirtualShard({ policy: { messageBytesMax: 4000 } });
    const long = 'x'.repeat(2100);
    expect(answered(shard, register({ extra: [`Subject: ${'x'.repeat(4000)}`] })).status).toBe(513);
    expect(answered(shard, register({ cseq: 2, contacts: [`<sip:${long}@192.0.2.1>`] })).status).toBe(400);
    expect(answered(shard, register({ callId: 'c'.repeat(257) })).status).toBe(400);
    expect(answered(shard, register({ cseq: 3, to: `<sip:${'a'.repeat(300)}@example.com>` })).status).toBe(404);
    expect(uris(shard)).toEqual([]);
  });
});

describe('method', () => {
  it.each(['BYE', 'UPDATE', 'MESSAGE', 'INVITE', 'SUBSCRIBE', 'PUBLISH', 'INFO', 'NOTIFY', 'REFER', 'PRACK'])(
    'R3261-8.2.1-01 answers %s with 405 and Allow',
    (method) => {
      const answer = answered(new VirtualShard(), request({ method }));
      expect(answer.status).toBe(405);
      expect(listed(answer, 'Allow').sort()).toEqual(ALLOWED);
    },
  );

  it('R3261-8.2.1-02 lists the same methods in Allow of 405, 501 and 200', () => {
    const shard = new VirtualShard();
    for (const method of ['BYE', 'NEWMETHOD', 'OPTIONS'])
      expect(listed(answered(shard, request({ method })), 'Allow').sort()).toEqual(ALLOWED);
  });

  it('R3261-21.5.2-01 answers 501 to a method it does not know', () => {
    const shard = new VirtualShard();
    expect(answered(shard, request({ method: 'NEWMETHOD' })).status).toBe(501);
    expect(answered(shard, request({ method: 'register' })).status).toBe(501); // methods are case-sensitive
    expect(answered(shard, request({ method: 'NEWMETHOD', cseq: '1 INVITE' })).status).toBe(501);
  });

  it('R3261-8.2-02 R3261-8.2.1-01 keeps one order of checks: form, Request-URI, Require, content, method', () => {
    const shard = new VirtualShard();
    const wrong = ['Require: foo', 'Content-Type: application/x-foo'];
    const message = (uri: string, extra: string[], body: string) =>
      answered(shard, request({ method: 'MESSAGE', uri, extra, body })).status;
    expect(message('tel:+1', wrong, 'x')).toBe(416);
    expect(message('sip:example.org', wrong, 'x')).toBe(404);
    expect(message('sip:example.com', wrong, 'x')).toBe(420);
    expect(message('sip:example.com', wrong.slice(1), 'x')).toBe(415);
    expect(message('sip:example.com', [], '')).toBe(405);
  });
});

describe('header fields', () => {
  it('R3261-8.2.2-01 ignores header fields it does not know', () => {
    const shard = new VirtualShard();
    const answer = answered(shard, register({ contacts: [CONTACT], extra: ['X-Anything: ;;,,', 'P-Odd:'] }));
    expect(answer.status).toBe(200);
    expect(answer.text).not.toContain('X-Anything');
  });

  it('R3261-8.2.2-02 ignores malformed header fields that it does not need', () => {
    const shard = new VirtualShard();
    const extra = ['Date: yesterday', 'Subject: \x80\xff"', 'Timestamp: soon', 'Accept: ;;', 'Organization: "'];
    expect(answered(shard, register({ contacts: [CONTACT], extra })).status).toBe(200);
  });

  it('R3261-8.2.2-02 ignores rows that are none, and says how many; a strict server refuses them', () => {
    const extra = ['X My Header: 1', 'X-Nothing', ': x', 'User-Agent: Phone\x01 1.0', 'Größe: 5'];
    const shard = new VirtualShard();
    expect(answered(shard, register({ contacts: [CONTACT], extra })).status).toBe(200);
    expect(shard.counter('ignored_rows')).toBe(extra.length);
    const strict = new VirtualShard({ policy: { strict: ['malformed-rows'] } });
    const refused = answered(strict, register({ contacts: [CONTACT], extra: extra.slice(0, 1) }));
    expect([refused.status, refused.phrase]).toEqual([400, 'Malformed Header Line']);
  });

  it('R3261-8.2.2-02 refuses what would hide a header, or make one of a value', () => {
    for (const row of ['X-A: 1\nContact: <sip:x@y>', 'X-A\rContact: <sip:x@y>', 'Contact <sip:x@y>', 'Require\0: x'])
      expect([row, answered(new VirtualShard(), register({ contacts: [CONTACT], extra: [row] })).status]).toEqual([
        row,
        400,
      ]);
  });

  it('R3261-7.3.2-01 ignores header fields that do not belong into a REGISTER', () => {
    const shard = new VirtualShard();
    const extra = [
      'WWW-Authenticate: Digest realm="x", nonce="y"',
      'Min-Expires: 9000',
      'Unsupported: foo',
      'Retry-After: 5',
    ];
    const answer = answered(shard, register({ contacts: [CONTACT], extra }));
    expect(answer.status).toBe(200);
    expect(answer.contacts[0].expires).toBe(3600);
    expect(answer.text).not.toMatch(/WWW-Authenticate|Min-Expires|Unsupported|Retry-After/);
  });

  it('R5393-5-01 ignores Max-Breadth', () => {
    const answer = answered(new VirtualShard(), register({ contacts: [CONTACT], extra: ['Max-Breadth: 60'] }));
    expect(answer.status).toBe(200);
  });
});

describe('Request-URI', () => {
  it('R3261-8.2.2.1-01 answers 416 to a scheme it does not serve', () => {
    const shard = new VirtualShard();
    expect(answered(shard, request({ method: 'OPTIONS', uri: 'nobodyKnowsThisScheme:x' })).status).toBe(416);
    expect(answered(shard, register({ requestUri: 'tel:+15551234' })).status).toBe(416);
  });

  it('R3261-8.2.2.1-02 answers 404 for a domain it does not serve', () => {
    const shard = new VirtualShard();
    expect(answered(shard, request({ method: 'OPTIONS', uri: 'sip:example.org' })).status).toBe(404);
    expect(answered(shard, request({ method: 'OPTIONS', uri: 'sip:example.com.evil.org' })).status).toBe(404);
    const to = '<sip:alice@example.org>';
    expect(answered(shard, register({ requestUri: 'sip:example.org', to })).status).toBe(404);
  });

  it('R3261-10.3-16 R3261-10.3-13 an IPv6 domain is one in every spelling, and so is its AOR', () => {
    for (const domain of ['[2001:db8::1]', '[2001:DB8:0::0:1]']) {
      const shard = new VirtualShard({ policy: { domains: [domain] } });
      const sent = (host: string, callId: string, contacts: string[]) =>
        answered(shard, register({ requestUri: 'sip:[2001:db8:0:0::1]', to: `<sip:alice@${host}>`, callId, contacts }));
      expect(sent('[2001:DB8:0:0:0:0:0:1]', 'a', ['<sip:alice@192.0.2.7>']).status).toBe(200);
      expect(sent('[2001:db8::0.0.0.1]', 'b', ['<sip:alice@192.0.2.8>']).contacts).toHaveLength(2);
      expect(sent('[2001:db8::2]', 'c', ['<sip:alice@192.0.2.9>']).status).toBe(404);
    }
  });

  it('R3261-8.2.2.1-02 R3261-10.3-13 that names the server itself leaves the domain to To', () => {
    const policy = {
      domains: ['example.com', '192.0.2.5'],
      serverNames: ['192.0.2.1', '[2001:db8::1]', 'sip.example.net', '192.0.2.5'],
    };
    for (const host of [
      '192.0.2.1',
      '192.0.2.1:5070',
      '[2001:DB8::1]',
      '[2001:db8:0:0:0:0:0:1]:5070',
      'SIP.example.net',
      'sip.example.net.',
      '192.0.2.5',
    ]) {
      const shard = new VirtualShard({ policy });
      const to = (domain: string) => ({ to: `<sip:alice@${domain}>`, requestUri: `sip:${host}`, contacts: [CONTACT] });
      expect([host, answered(shard, register(to('example.com'))).status]).toEqual([host, 200]);
      expect(uris(shard)).toEqual(['sip:alice@192.0.2.9']);
      for (const domain of ['192.0.2.1', 'example.org', 'sip.example.net'])
        expect([host, answered(shard, register({ ...to(domain), callId: domain })).status]).toEqual([host, 404]);
      expect([host, answered(shard, request({ method: 'OPTIONS', uri: `sip:${host}` })).status]).toEqual([host, 200]);
    }
    for (const host of ['192.0.2.2', '[2001:db8::2]', '[2001:db8:1::]', '[::ffff:192.0.2.1]']) {
      const other = register({ requestUri: `sip:${host}`, contacts: [CONTACT] });
      expect([host, answered(new VirtualShard({ policy }), other).status]).toEqual([host, 404]);
    }
  });

  it('R3261-10.3-16 R3261-8.2.2.1-02 takes example.com. for example.com, in To, Request-URI and domains', () => {
    const shard = new VirtualShard({ policy: { domains: ['Example.com.'] } });
    const dotted = { requestUri: 'sip:example.com.', to: '<sip:alice@example.com.:5060;x=1>' };
    expect(answered(shard, register({ ...dotted, contacts: [CONTACT] })).status).toBe(200);
    expect(uris(shard)).toEqual(['sip:alice@192.0.2.9']);
    expect(answered(shard, register({ cseq: 2, contacts: ['<sip:alice@192.0.2.9.>;expires=0'] })).contacts).toEqual([]);
    expect(answered(shard, register({ requestUri: 'sip:example.com..', cseq: 3 })).status).toBe(404);
    expect(answered(shard, request({ method: 'OPTIONS', uri: 'sip:example.com.' })).status).toBe(200);
  });

  it('R3261-8.2.2.1-02 serves every domain where the policy says so', () => {
    const shard = new VirtualShard({ policy: { domains: ['*'] } });
    const text = register({ requestUri: 'sip:any.example.net', to: '<sip:a@any.example.net>', contacts: [CONTACT] });
    expect(answered(shard, text).status).toBe(200);
  });
});

describe('Require', () => {
  it('R3261-8.2.2.3-01 answers 420 naming exactly the tags it does not understand', () => {
    const shard = new VirtualShard();
    const extra = ['Require: foo, bar', 'Require: baz'];
    const answer = answered(shard, register({ contacts: [CONTACT], extra }));
    expect(answer.status).toBe(420);
    expect(listed(answer, 'Unsupported').sort()).toEqual(['bar', 'baz', 'foo']);
    expect(uris(shard)).toEqual([]);
  });

  it('R3261-8.2.2.3-01 R6140-5.2-04 names the extensions it knows of and does not serve', () => {
    const extra = ['Require: gruu, gin, foo, outbound, path, pref'];
    const shards = [new VirtualShard(), new VirtualShard({ policy: { gruu: 'off', outbound: 'off' } })];
    const unsupported = shards.map((shard) => {
      const answer = answered(shard, register({ contacts: [CONTACT], extra }));
      expect(answer.status).toBe(420);
      return listed(answer, 'Unsupported').sort();
    });
    expect(unsupported).toEqual([
      ['foo', 'gin'],
      ['foo', 'gin', 'gruu', 'outbound'],
    ]);
  });

  it('R5627-5.1-01 R3840-6-03 takes a request that requires what is served', () => {
    const extra = ['Require: gruu, pref, path, outbound'];
    expect(answered(new VirtualShard(), register({ contacts: [CONTACT], extra })).status).toBe(200);
  });

  it('R3261-8.2.2.3-02 ignores Require and Proxy-Require in CANCEL and ACK', () => {
    const shard = new VirtualShard();
    const extra = ['Require: foo', 'Proxy-Require: bar'];
    expect(answered(shard, request({ method: 'CANCEL', extra })).status).toBe(481);
    expect(shard.send(request({ method: 'ACK', extra }))).toBeUndefined();
  });

  it('R3261-8.2.2.3-03 does not act on Proxy-Require', () => {
    const answer = answered(new VirtualShard(), register({ contacts: [CONTACT], extra: ['Proxy-Require: foo'] }));
    expect(answer.status).toBe(200);
  });

  it('R3261-8.2.4-01 applies no extension that the request did not name', () => {
    const contact = `${CONTACT};+sip.instance="<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>";reg-id=1`;
    const answer = answered(new VirtualShard(), register({ contacts: [contact] }));
    expect(answer.status).toBe(200);
    expect(answer.header('Require')).toEqual([]);
    expect(answer.text).not.toMatch(/pub-gruu|temp-gruu|Path|Service-Route/);
  });
});

describe('content', () => {
  const body = 'hello';
  const typed = (...extra: string[]): string =>
    register({ contacts: [CONTACT], extra }).replace('Content-Length: 0\r\n\r\n', `Content-Length: 5\r\n\r\n${body}`);

  const statusOf = (extra: readonly string[], content: string): number =>
    answered(
      new VirtualShard(),
      register({ contacts: [CONTACT], extra }).replace(
        'Content-Length: 0\r\n\r\n',
        `Content-Length: ${content.length}\r\n\r\n${content}`,
      ),
    ).status;

  it('R3261-8.2.3-01 answers 415 with Accept to a type it does not understand', () => {
    const shard = new VirtualShard();
    const answer = answered(shard, typed('Content-Type: application/x-foo'));
    expect(answer.status).toBe(415);
    expect(answer.header('Accept')).not.toEqual([]);
    expect(uris(shard)).toEqual([]);
  });

  it('R3261-8.2.3-01 answers 415 with Accept-Encoding to an encoding it does not understand', () => {
    const answer = answered(new VirtualShard(), typed('Content-Type: application/sdp', 'Content-Encoding: x'));
    expect(answer.status).toBe(415);
    expect(answer.header('Accept-Encoding')).not.toEqual([]);
  });

  it('R3261-8.2.3-01 skips a body that is optional', () => {
    const text = typed('Content-Type: application/x-foo', 'Content-Disposition: session; handling=Optional');
    expect(answered(new VirtualShard(), text).status).toBe(200);
  });

  it.each(['application/sdp', 'Application / SDP', 'application/\r\n sdp ; charset="a;b"'])(
    'R3261-8.2.3-01 skips a session description, whatever the white space around the slash: %s',
    (type) => expect(statusOf([`Content-Type: ${type}`], 'v=0')).toBe(200),
  );

  const part = (content: string, ...headers: string[]) =>
    `--b1\r\n${headers.map((row) => `${row}\r\n`).join('')}\r\n${content}\r\n`;
  const xml = 'Content-Type: application/x-cisco-remotecc-request+xml';
  const optional = 'Content-Disposition: session;handling=optional';
  const end = '--b1--\r\n';
  const inner = (rows: string) => `--b2\r\nContent-Type: text/plain\r\n${rows}\r\nx\r\n--b2--\r\n`;
  const nested = 'Content-Type: multipart/mixed;boundary=b2';

  it.each([
    ['one optional part', `${part('<x/>', xml, optional)}${end}`],
    [
      'two of them, a preamble and an epilogue',
      `hello\r\n${part('1', xml, optional)}${part('2', optional, xml)}${end}bye\r\n`,
    ],
    [
      'white space, case and quotes',
      part('1', xml, 'content-disposition : Session ; x="a;b" ;\r\n HANDLING = Optional') + end,
    ],
    ['no line behind the last part', part('1', xml, optional) + '--b1--'],
    ['no closing delimiter', part('1', xml, optional)],
    [
      'a session description beside it',
      `${part('v=0', 'Content-Type: application/sdp')}${part('1', xml, optional)}${end}`,
    ],
    ['a multipart of optional parts', `${part(inner(`${optional}\r\n`), nested)}${end}`],
    ['an optional multipart of others', `${part(inner(''), nested, optional)}${end}`],
  ])('R3261-8.2.3-01 skips a multipart whose every part is optional: %s', (_, body) => {
    for (const type of ['multipart/mixed;boundary=b1', 'Multipart / Mixed ; x="boundary=z" ; Boundary = "b1"'])
      expect(statusOf([`Content-Type: ${type}`], body)).toBe(200);
  });

  it.each([
    ['a part that is required', part('1', xml, 'Content-Disposition: session;handling=required') + end],
    ['a part that does not say', `${part('1', xml, optional)}${part('2', xml)}${end}`],
    ['a part without headers', `${part('1')}${end}`],
    [
      'a substring',
      part('1', xml, 'Content-Disposition: session;xhandling=optional;handling=optionally;a="handling=optional"') + end,
    ],
    ['what an optional part says', `${part(`1\r\n\r\n${optional}\r\n`, xml)}${end}`],
    ['a multipart of other parts', `${part(inner(''), nested)}${end}`],
    ['no part', end],
    ['another boundary', part('1', xml, optional).replace('b1', 'b3')],
  ])('R3261-8.2.3-01 answers 415 to a multipart with %s', (_, body) => {
    expect(statusOf(['Content-Type: multipart/mixed;boundary=b1'], body)).toBe(415);
  });

  it('R3261-8.2.3-01 is content with one alternative, and with no deeper nesting than four', () => {
    const two = `${part('1', xml)}${part('2', xml, optional)}${end}`;
    expect(statusOf(['Content-Type: multipart/alternative;boundary=b1'], two)).toBe(200);
    expect(statusOf(['Content-Type: multipart/alternative;boundary=b1'], `${part('1', xml)}${end}`)).toBe(415);
    const deep = (depth: number): string => {
      const content =
        depth === 1
          ? `${xml}\r\n${optional}\r\n\r\nx`
          : `Content-Type: multipart/mixed;boundary=c${depth - 1}\r\n\r\n${deep(depth - 1)}`;
      return `--c${depth}\r\n${content}\r\n--c${depth}--\r\n`;
    };
    expect(statusOf(['Content-Type: multipart/mixed;boundary=c4'], deep(4))).toBe(200);
    expect(statusOf(['Content-Type: multipart/mixed;boundary=c5'], deep(5))).toBe(415);
  });

  it.each([
    'session;handling=optionally',
    'session;xhandling=optional',
    'x;a="handling=optional"',
    'x-handling=optional',
  ])('R3261-8.2.3-01 takes no substring for handling=optional: %s', (disposition) => {
    expect(statusOf(['Content-Type: text/plain', `Content-Disposition: ${disposition}`], 'x')).toBe(415);
  });

  it('R3261-8.2.3-01 asks nothing of the type where there is no body', () => {
    const text = register({ contacts: [CONTACT], extra: ['Content-Type: application/x-foo'] });
    expect(answered(new VirtualShard(), text).status).toBe(200);
  });
});

describe('OPTIONS', () => {
  it('R3261-11.2-01 answers with the code that fits its Request-URI', () => {
    const shard = new VirtualShard();
    const options = (uri: string): number => answered(shard, request({ method: 'OPTIONS', uri })).status;
    expect(options('sip:example.com')).toBe(200);
    expect(options('sip:alice@example.com')).toBe(404);
    shard.send(register({ contacts: [`${CONTACT};expires=60`] }));
    expect(options('sip:alice@example.com')).toBe(200);
    expect(options('sip:%61lice@EXAMPLE.com;user=phone')).toBe(200);
    shard.advance(60);
    expect(options('sip:alice@example.com')).toBe(404);
  });

  it('R3261-11.2-02 says in a 200 to OPTIONS what it accepts and supports', () => {
    const answer = answered(new VirtualShard(), request({ method: 'OPTIONS' }));
    expect(answer.status).toBe(200);
    for (const name of ['Allow', 'Accept', 'Accept-Encoding', 'Accept-Language', 'Supported'])
      expect(answer.text).toMatch(new RegExp(`^${name}:`, 'm'));
    expect(answer.header('Supported')).toEqual(['path, outbound, gruu, pref']);
    const plain = new VirtualShard({ policy: { gruu: 'off', outbound: 'off' } });
    expect(answered(plain, request({ method: 'OPTIONS' })).header('Supported')).toEqual(['path, pref']);
  });
});
