// aorta/messages: what a proxy does to messages, byte for byte, and what it is kept from doing.

import { describe, expect, it } from 'vitest';
import { createRequest, headerName, MessageError, parseMessage, parseUri, splitValues } from '../../../src/messages.ts';

const bytes = (lines: readonly string[], body = '') => Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body}`, 'latin1');
const text = (message: { toBytes(): Uint8Array }) => Buffer.from(message.toBytes()).toString('latin1');

const INVITE = [
  'INVITE sip:bob@example.com SIP/2.0',
  'v: SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bKa;rport, SIP/2.0/TCP [2001:db8::1];branch="z9,b"',
  'VIA:  SIP/2.0/WSS x.invalid;branch=z9hG4bKc',
  'Max-Forwards: 70',
  'f: "A, \\"B\\" <c>" <sip:alice@example.com;x=1>;tag=1',
  'To: <sip:bob@example.com>',
  'i: call-1',
  'CSeq: 1 INVITE',
  'X-Odd: caf\xe9,  \xff',
  'Route: <sip:p1.example.com;lr>, <sip:p2.example.com;lr>',
  'c: text/plain',
];

describe('a message that is passed on', () => {
  it('leaves as it came, rows of odd bytes among them', () => {
    const out = text(parseMessage(bytes([...INVITE, 'Content-Length: 2'], 'hi')));
    expect(out).toContain('X-Odd: caf\xe9,  \xff\r\n');
    expect(out).toContain('f: "A, \\"B\\" <c>" <sip:alice@example.com;x=1>;tag=1\r\n');
    expect(out.endsWith('Content-Length: 2\r\n\r\nhi')).toBe(true);
  });

  it('may have rows that are named as what every object has', () => {
    const names = ['constructor', '__proto__', 'toString', 'hasOwnProperty'];
    const message = parseMessage(bytes([...INVITE, ...names.map((name) => `${name}: ${name.length}`)]));
    for (const name of names) {
      expect(message.get(name)).toBe(String(name.length));
      message.set(name, 'other');
      expect(message.getAll(name)).toEqual(['other']);
      message.remove(name);
      expect(message.get(name)).toBeUndefined();
    }
    expect(headerName('constructor')).toBe('Constructor');
    expect(text(message)).not.toMatch(/constructor|proto/i);
  });

  it('gets and loses Vias, from whatever rows they stand in', () => {
    const message = parseMessage(bytes(INVITE));
    expect(message.vias.map(({ transport, host, port }) => [transport, host, port])).toEqual([
      ['UDP', '192.0.2.1', 5062],
      ['TCP', '[2001:db8::1]', null],
      ['WSS', 'x.invalid', null],
    ]);
    message.changeVia({ received: '198.51.100.7', rport: '4711' });
    expect(message.vias[0]).toMatchObject({ address: '198.51.100.7', answerPort: 4711, branch: 'z9hG4bKa' });
    message.pushVia({
      transport: 'udp',
      host: '192.0.2.9',
      port: 5060,
      params: { branch: 'z9hG4bKours', rport: null },
    });
    expect(text(message).split('\r\n')[1]).toBe('Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKours;rport');
    expect(message.popVia()?.branch).toBe('z9hG4bKours');
    expect([message.popVia()?.host, message.popVia()?.host, message.popVia()?.host, message.popVia()]).toEqual([
      '192.0.2.1',
      '[2001:db8::1]',
      'x.invalid',
      undefined,
    ]);
    expect(message.has('via')).toBe(false);
  });

  it('has its rows set, added and removed by either form of their names', () => {
    const message = parseMessage(bytes(INVITE));
    message.uri = 'sip:bob@192.0.2.77:5071;transport=tcp';
    message.set('max-forwards', '69').append('Record-Route', '<sip:us;lr>').prepend('Record-Route', '<sip:first;lr>');
    expect(message.popValue('Route')).toBe('<sip:p1.example.com;lr>');
    expect(message.getAll('Route')).toEqual(['<sip:p2.example.com;lr>']);
    expect(message.getAll('record-route')).toEqual(['<sip:first;lr>', '<sip:us;lr>']);
    expect(message.get('From')).toBe(message.get('f'));
    expect(message.remove('Call-ID')).toBe(1);
    const out = text(message);
    expect(out.startsWith('INVITE sip:bob@192.0.2.77:5071;transport=tcp SIP/2.0\r\n')).toBe(true);
    expect(out).not.toMatch(/^i:/m);
    expect(out.match(/^Max-Forwards: 69\r$/gm)).toHaveLength(1);
  });

  it('is answered with the rows of its request', () => {
    const answer = parseMessage(bytes(INVITE)).respond(480, undefined, 'ours');
    const parsed = parseMessage(answer.toBytes());
    expect([parsed.kind, parsed.status]).toEqual(['response', 480]);
    expect(parsed.vias).toHaveLength(3);
    expect(parsed.get('To')).toBe('<sip:bob@example.com>;tag=ours');
    expect(parsed.get('Max-Forwards')).toBeUndefined();
    expect(text(parsed)).toMatch(/^SIP\/2\.0 480 Temporarily Unavailable\r\n/);
    expect(parseMessage(bytes(INVITE)).respond(100).get('To')).toBe('<sip:bob@example.com>');
  });

  it('a copy changes by itself, and a body brings its length', () => {
    const message = parseMessage(bytes(INVITE));
    const copy = message.clone().setBody('né', 'text/plain;charset=utf-8');
    expect(text(copy)).toContain('Content-Length: 3\r\n\r\n');
    expect(message.body).toHaveLength(0);
    expect(copy.getAll('Content-Type')).toEqual(['text/plain;charset=utf-8']);
  });
});

describe('what would break a message', () => {
  it('is refused, and the message stays as it was', () => {
    const message = parseMessage(bytes(INVITE));
    const before = text(message);
    for (const act of [
      () => message.set('Subject', 'a\r\nVia: SIP/2.0/UDP evil'),
      () => message.append('Sub ject', 'x'),
      () => message.append('', 'x'),
      () => message.pushVia({ transport: 'UDP', host: 'a;b' }),
      () => message.pushVia({ transport: 'UDP', host: 'a', port: 70_000 }),
      () => message.pushVia({ transport: 'UDP', host: 'a', params: { branch: 'x;received=1.2.3.4' } }),
      () => message.pushVia({ transport: 'UDP', host: 'a', params: { branch: 'x, SIP/2.0/UDP b' } }),
      () => message.changeVia({ received: 'x\r\nY: z' }),
      () => {
        message.uri = 'sip:x SIP/2.0\r\nA: b';
      },
      () => message.respond(99),
      () => message.respond(200, 'OK\r\nA: b'),
    ])
      expect(act).toThrow(RangeError);
    expect(text(message)).toBe(before);
  });

  it('is told by the place in bytes that are no message', () => {
    expect(() => parseMessage(bytes(['OPTIONS sip:a SIP/2.0', 'CSeq: x OPTIONS']))).toThrow(MessageError);
    expect(() => parseMessage(Buffer.alloc(65_536))).toThrow(RangeError);
    expect(() => createRequest({ method: 'OP TIONS', uri: 'sip:a' })).toThrow(RangeError);
  });
});

describe('a request that is built', () => {
  it('is parsed to what it was built from', () => {
    const request = createRequest({
      method: 'MESSAGE',
      uri: 'sips:bob@[2001:db8::2]:5061',
      headers: {
        Via: 'SIP/2.0/TLS client.example.com;branch=z9hG4bK1',
        From: '<sips:alice@example.com>;tag=1',
        To: '<sips:bob@example.com>',
        'Call-ID': 'x',
        CSeq: '7 MESSAGE',
        Contact: ['<sips:a@b>', '<sips:c@d>'],
      },
      body: 'hello',
    });
    const parsed = parseMessage(request.toBytes());
    expect(parsed.headers).toEqual([...request.headers, ['Content-Length', '5']]);
    expect([parsed.method, parsed.uri]).toEqual(['MESSAGE', 'sips:bob@[2001:db8::2]:5061']);
    expect(parsed.get('Max-Forwards')).toBe('70');
  });

  it('lists and URIs come apart', () => {
    expect(splitValues('<sip:a,b@c>;x="1,2" , <sip:d>')).toEqual(['<sip:a,b@c>;x="1,2"', '<sip:d>']);
    expect(parseUri('sip:bob@[2001:db8::2]:5061;lr')).toMatchObject({ user: 'bob', host: '[2001:db8::2]', port: 5061 });
    expect([parseUri('tel:+1'), parseUri('sip:a b'), parseUri('')]).toEqual([undefined, undefined, undefined]);
  });
});
