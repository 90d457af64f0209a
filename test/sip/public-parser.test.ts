// The sub-path export aorta/parser: what programs without a server see.

import { describe, expect, it } from 'vitest';
import { parseMessage } from '../../src/messages.ts';
import { parse } from '../../src/parser.ts';
import { LENIENCIES, type Leniency } from '../../src/sip/parser/strictness.ts';
import { type Parts, message as text } from './parsed-message.ts';

const encoder = new TextEncoder();
const message = (parts: Parts = {}) => encoder.encode(text(parts));

const CONTACT =
  'Contact: "A, B" <sip:a%40b:pw@[2001:db8::1]:5062;ob?x=y>;q=0.25;expires=60;+sip.instance="<urn:x>";reg-id=2;é=1'.replace(
    ';é=1',
    ';flag',
  );

describe('aorta/parser', () => {
  it('reads a request', () => {
    const parsed = parse(
      message({
        via: 'SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bK1;rport, SIP/2.0/TCP h;received=192.0.2.9;rport=5',
        from: '"Ä" <sip:alice@example.com>;tag=1',
        extra: [CONTACT, 'Expires: 4294967301', 'Content-Length: 2'],
        body: 'hi and more',
      }),
    );
    expect(parsed.ok).toBe(true);
    expect(parsed.error).toBeNull();
    expect(parsed.kind).toBe('request');
    expect(parsed.method).toBe('REGISTER');
    expect(parsed.requestUri).toMatchObject({ scheme: 'sip', host: 'example.com', user: null, port: null });
    expect(parsed.from).toMatchObject({ display: '"Ä"', tag: '1', uri: { user: 'alice' } });
    expect([parsed.cseqNumber, parsed.cseqMethod, parsed.callId]).toEqual([1, 'REGISTER', 'a@b']);
    expect(parsed.expires).toBeNaN();
    expect(new TextDecoder().decode(parsed.body)).toBe('hi');
    expect(parsed.viaCount).toBe(2);
    expect(parsed.via(0)).toMatchObject({
      transport: 'UDP',
      port: 5070,
      branch: 'z9hG4bK1',
      rport: '',
      received: null,
    });
    expect(parsed.via(1)).toMatchObject({ host: 'h', rport: '5', received: '192.0.2.9' });
    expect(parsed.contactCount).toBe(1);
    expect(parsed.contact(0)).toMatchObject({
      display: '"A, B"',
      uri: { user: 'a%40b', password: 'pw', host: '[2001:db8::1]', port: 5062, params: ';ob', headers: '?x=y' },
      q: 0.25,
      expires: 60,
      instance: '<urn:x>',
      regId: 2,
      params: { q: '0.25', expires: '60', '+sip.instance': '"<urn:x>"', 'reg-id': '2', flag: null },
    });
    expect(parsed.values('EXPIRES')).toEqual(['4294967301']);
  });

  it('reads a response', () => {
    const parsed = parse(encoder.encode(text({ line: 'SIP/2.0 486 Busy Here' })));
    expect([parsed.kind, parsed.status, parsed.method, parsed.requestUri]).toEqual(['response', 486, null, null]);
  });

  it('copies a message out that outlives the next one', () => {
    const kept = parse(message({ callId: 'one', extra: ['m: *', 'X-A: \u00fc'] })).toObject();
    parse(message({ callId: 'two' }));
    expect(kept).toMatchObject({ callId: 'one', stars: 1, contacts: [], cseq: { number: 1, method: 'REGISTER' } });
    expect(kept.headers.at(-1)).toEqual({ name: 'X-A', value: 'ü' });
    expect(structuredClone(kept)).toEqual(kept);
  });

  it('takes parameter names for what they are', () => {
    const kept = parse(message({ extra: ['Contact: <sip:a@b>;__proto__=1;constructor'] })).toObject();
    expect(Object.keys(kept.contacts[0].params)).toEqual(['__proto__', 'constructor']);
  });

  it.each([
    [{ cseq: '4294967296 REGISTER' }, { code: 14, reason: 'Malformed CSeq', header: 'cseq' }],
    [{ to: null }, { code: 22, reason: 'Missing Header Field', header: 'to' }],
    [{ extra: ['Contact: <sip:a@b'] }, { code: 16, reason: 'Malformed Contact', header: 'contact' }],
    [{ line: 'REGISTER sip:h SIP/3.0' }, { code: 3, reason: 'Version Not Supported', header: null, offset: 15 }],
  ])('says what is wrong with %j', (parts, error) => {
    const parsed = parse(message(parts));
    expect(parsed.ok).toBe(false);
    expect(parsed.error).toMatchObject(error);
  });

  it('takes no more than a datagram, and nothing at all', () => {
    expect(() => parse(new Uint8Array(65_536))).toThrow(RangeError);
    expect(parse(new Uint8Array(0)).error?.reason).toBe('Not SIP');
    expect(parse(Buffer.from(text({}))).ok).toBe(true);
  });
});

describe('leniencies, each with its switch', () => {
  const USES: Readonly<Record<string, string>> = {
    'host-underscore': text({ to: '<sip:a@my_pbx>' }),
    'parameter-values': text({ extra: ['Contact: <sip:a@b>;x=a@b/c'] }),
    'display-names': text({ from: 'Jörg <sip:a@b>;tag=1' }),
    'call-id': text({ callId: 'a@b@c' }),
    'uri-characters': text({ to: '<sip:a|b@c>' }),
    'lower-vias': text({ via: 'SIP/2.0/UDP h;branch=z9hG4bK1, nonsense' }),
    'option-lists': text({ extra: ['Supported: path,,gruu'] }),
    'idle-contacts': text({ line: 'OPTIONS sip:h SIP/2.0', cseq: '1 OPTIONS', extra: ['Contact: <sip:a'] }),
    'status-line': text({ line: 'SIP/2.0 200' }),
    'closing-semicolon': text({ extra: ['Contact: <sip:a@b>;expires=60;'] }),
    'unquoted-names': text({ from: 'Room: 5 (left) <sip:a@b>;tag=1' }),
    'malformed-rows': text({ extra: ['X My Header: 1'] }),
    'number-spellings': text({ extra: ['Contact: <sip:a@b>;q=.5'] }),
  };

  it('are all here', () => {
    expect(Object.keys(USES)).toEqual(LENIENCIES);
  });

  it.each(LENIENCIES)('%s', (name) => {
    const bytes = encoder.encode(USES[name]);
    expect(parse(bytes).error).toBeNull();
    expect(parse(bytes, { strict: [name] }).ok).toBe(false);
    const others = LENIENCIES.filter((other) => other !== name);
    expect(parse(bytes, { strict: others }).error).toBeNull();
    expect(parse(bytes, { strict: true }).ok).toBe(false);
  });

  it.each([
    ['callid', 'a name that is none'],
    ['toString', 'what every object has'],
  ])('refuse %s: %s', (name) => {
    // As a program without types would: the name is checked whatever the message is.
    const strict: readonly string[] = ['call-id', name];
    for (const bytes of [message(), encoder.encode('no SIP')])
      expect(() => parse(bytes, { strict: strict as Leniency[] })).toThrow(
        new RangeError(`"${name}" is no leniency: ${LENIENCIES.join(', ')}`),
      );
  });

  it('are a list: one name alone is a TypeError', () => {
    const strict = 'call-id' as unknown as Leniency[];
    expect(() => parse(message(), { strict })).toThrow(new TypeError('strict is a list of leniencies, true or false'));
  });

  it('leave a strict message alone', () => {
    expect(
      parse(message({ extra: [CONTACT, 'Supported: path, gruu', 'Supported:'] }), { strict: true }).error,
    ).toBeNull();
    expect(parse(message({ line: 'SIP/2.0 200 ' }), { strict: true }).error).toBeNull();
  });
});

describe('What a program asks for that is not there', () => {
  it.each(['contact', 'via', 'header'] as const)('%s', (what) => {
    parse(message({ extra: ['X-Long: of the message before', CONTACT] }));
    const one = parse(message());
    const count = { contact: one.contactCount, via: one.viaCount, header: one.headerCount }[what];
    for (const i of [count, count + 1, -1, 0.5, Number.NaN])
      expect(() => one[what](i), String(i)).toThrow(
        new RangeError(`there is no ${what === 'via' ? 'Via' : what} ${i}, but ${count}`),
      );
  });

  it.each([['a text'], [[1, 2]], [new ArrayBuffer(4)], [new Uint16Array(4)], [undefined], [null]])(
    '%j is no message',
    (bytes) => {
      expect(() => parse(bytes as unknown as Uint8Array)).toThrow(TypeError);
      expect(() => parseMessage(bytes as unknown as Uint8Array)).toThrow(TypeError);
    },
  );

  it('takes bytes of shared memory, and those in the middle of others', () => {
    const bytes = message({ extra: [CONTACT] });
    const shared = new Uint8Array(new SharedArrayBuffer(bytes.length + 20)).fill(0x41);
    shared.set(bytes, 10);
    expect(parse(shared.subarray(10, 10 + bytes.length)).contactCount).toBe(1);
  });
});
