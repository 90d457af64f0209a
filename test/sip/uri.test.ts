// URIs: parsing (RFC 3261 §19.1.1, §25.1), canonical AORs (§10.3 step 5), comparison (§19.1.4).

import { describe, expect, it } from 'vitest';
import * as E from '../../src/sip/parser/parse-error.ts';
import * as T from '../../src/sip/parser/span-table.ts';
import { canonicalAor, parseUri } from '../../src/sip/uri/uri.ts';
import { uriEquals } from '../../src/sip/uri/uri-equality.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function code(text: string): number {
  const bytes = encoder.encode(`>${text}<`);
  return parseUri(bytes, 1, bytes.length - 1, new Int32Array(T.URI_INTS), 0);
}

function parts(text: string) {
  const bytes = encoder.encode(`>${text}<`);
  const out = new Int32Array(T.URI_INTS + 3);
  const error = parseUri(bytes, 1, bytes.length - 1, out, 3);
  if (error !== E.E_OK) throw new Error(`code ${error} for ${text}`);
  const span = (at: number) =>
    out[3 + at] === T.ABSENT ? null : decoder.decode(bytes.subarray(out[3 + at], out[4 + at]));
  return {
    scheme: out[3 + T.URI_SCHEME],
    user: span(T.URI_USER_AT),
    password: span(T.URI_PASSWORD_AT),
    host: span(T.URI_HOST_AT),
    port: out[3 + T.URI_PORT],
    params: span(T.URI_PARAMS_AT),
    headers: span(T.URI_HEADERS_AT),
  };
}

function equal(a: string, b: string): boolean {
  const aBytes = encoder.encode(a);
  const bBytes = encoder.encode(b);
  const out = new Int32Array(2 * T.URI_INTS);
  if (parseUri(aBytes, 0, aBytes.length, out, 0) !== E.E_OK) throw new Error(a);
  if (parseUri(bBytes, 0, bBytes.length, out, T.URI_INTS) !== E.E_OK) throw new Error(b);
  const result = uriEquals(aBytes, out, 0, bBytes, out, T.URI_INTS);
  expect(uriEquals(bBytes, out, T.URI_INTS, aBytes, out, 0), 'the other way round').toBe(result);
  return result;
}

function aor(text: string, room = 100): string | null {
  const bytes = encoder.encode(text);
  const out = new Int32Array(T.URI_INTS);
  if (parseUri(bytes, 0, bytes.length, out, 0) !== E.E_OK) throw new Error(text);
  const into = new Uint8Array(room);
  const length = canonicalAor(bytes, out, 0, into);
  return length < 0 ? null : decoder.decode(into.subarray(0, length));
}

describe('parts', () => {
  const none = { user: null, password: null, port: T.ABSENT, params: null, headers: null };
  it.each([
    ['sip:h', { ...none, scheme: T.SCHEME_SIP, host: 'h' }],
    ['SIPS:h', { ...none, scheme: T.SCHEME_SIPS, host: 'h' }],
    ['sip:u@h', { ...none, scheme: T.SCHEME_SIP, user: 'u', host: 'h' }],
    ['sip:u:p@h:1', { ...none, scheme: T.SCHEME_SIP, user: 'u', password: 'p', host: 'h', port: 1 }],
    ['sip:u:@h', { ...none, scheme: T.SCHEME_SIP, user: 'u', password: '', host: 'h' }],
    ['sip:a:b:c@h', { ...none, scheme: T.SCHEME_SIP, user: 'a', password: 'b:c', host: 'h' }],
    ['sip:h:0', { ...none, scheme: T.SCHEME_SIP, host: 'h', port: 0 }],
    ['sip:h:065535', { ...none, scheme: T.SCHEME_SIP, host: 'h', port: 65535 }],
    ['sip:a_b.example.', { ...none, scheme: T.SCHEME_SIP, host: 'a_b.example' }],
    ['sip:u;x=1?y=2@h', { ...none, scheme: T.SCHEME_SIP, user: 'u;x=1?y=2', host: 'h' }],
    ['sip:&=+$,;?/@h', { ...none, scheme: T.SCHEME_SIP, user: '&=+$,;?/', host: 'h' }],
    ['sip:Łukasz@h', { ...none, scheme: T.SCHEME_SIP, user: 'Łukasz', host: 'h' }],
    [
      'sip:[::1]:5060;a;b=c?d=e&f=',
      { ...none, scheme: T.SCHEME_SIP, host: '[::1]', port: 5060, params: ';a;b=c', headers: '?d=e&f=' },
    ],
    ['sip:h?a=b', { ...none, scheme: T.SCHEME_SIP, host: 'h', headers: '?a=b' }],
    ['tel:+1-201', { ...none, scheme: T.SCHEME_TEL, user: '+1-201', host: null }],
    ['soap.beep://192.0.2.103:3002', { ...none, scheme: T.SCHEME_OTHER, user: '//192.0.2.103:3002', host: null }],
  ])('of %s', (text, expected) => {
    expect(parts(text)).toEqual(expected);
  });

  it.each([
    '',
    'sip',
    'sip:',
    ':h',
    '1sip:h',
    'sip:@h',
    'sip::p@h',
    'sip:u@',
    'sip:u@:5060',
    'sip:h:',
    'sip:h:65536',
    'sip:h:99999999999999999999',
    'sip:h:5o60',
    'sip:h/x',
    'sip:u@h@i',
    'sip:h;',
    'sip:h;;a',
    'sip:h;=1',
    'sip:h?',
    'sip:h?a',
    'sip:h?=a',
    'sip:h?a=b&',
    'sip:[::1',
    'sip:[]',
    'sip:[::g]',
    'sip:[::1]x',
    'sip:höst',
    'tel:',
    'x:a b',
    'x:<a>',
  ])('none of %j', (text) => {
    expect(code(text)).toBe(E.E_REQUEST_URI);
  });

  it('R3261-19.1.2-01 spaces, controls, delimiters and broken escapes are refused wherever they stand', () => {
    for (const bad of [' ', '\t', '\r', '\n', '\0', '\u007f', '<', '>', '"', '%', '%4', '%4g', '%g4']) {
      for (const text of [
        `sip:a${bad}z@h`,
        `sip:a:p${bad}q@h`,
        `sip:a@h;x=${bad}`,
        `sip:a@h;x${bad}`,
        `sip:a@h?x=${bad}`,
      ]) {
        expect(code(text), JSON.stringify(text)).toBe(E.E_REQUEST_URI);
      }
    }
  });

  it('R5118-4-01 an IPv6 address without brackets is no host', () => {
    expect(code('sip:2001:db8::10')).toBe(E.E_REQUEST_URI);
    expect(code('sip:a@2001:db8::10')).toBe(E.E_REQUEST_URI);
  });

  it('R5118-4.10-01 three colons pass', () => {
    expect(parts('sip:a@[2001:db8:::192.0.2.1]').host).toBe('[2001:db8:::192.0.2.1]');
  });

  it('R3261-7.3.1-06 a parameter stands once', () => {
    expect(code('sip:h;a=1;b;A=2')).toBe(E.E_REPEATED_PARAM);
  });

  it('more parameters or headers than the limit', () => {
    const names = (count: number, separator: string) =>
      Array.from({ length: count }, (_, i) => `p${i}=1`).join(separator);
    expect(code(`sip:h;${names(32, ';')}`)).toBe(E.E_OK);
    expect(code(`sip:h;${names(33, ';')}`)).toBe(E.E_TOO_MANY_PARAMS);
    expect(code(`sip:h?${names(32, '&')}`)).toBe(E.E_OK);
    expect(code(`sip:h?${names(33, '&')}`)).toBe(E.E_TOO_MANY_PARAMS);
  });

  it('after an error the record holds no part', () => {
    const bytes = encoder.encode('sip:u@h:5060;;');
    const out = new Int32Array(T.URI_INTS);
    expect(parseUri(bytes, 0, bytes.length, out, 0)).toBe(E.E_REQUEST_URI);
    expect([...out]).toEqual([T.SCHEME_OTHER, 0, bytes.length, ...Array(T.URI_INTS - 3).fill(T.ABSENT)]);
  });
});

describe('canonical AOR', () => {
  it.each([
    ['R3261-10.3-14 drops parameters', 'sip:bob@b.com;user=phone;x=1', 'bob@b.com'],
    ['R3261-10.3-14 drops password, port and headers', 'sip:bob:pw@b.com:5070?a=b', 'bob@b.com'],
    ['R3261-10.3-15 undoes escapes', 'sip:%62ob@b.com', 'bob@b.com'],
    ['R3261-10.3-15 undoes them once', 'sip:a%2541@b.com', 'a%41@b.com'],
    ['R3261-10.3-15 keeps NUL', 'sip:%00%00@b.com', '\0\0@b.com'],
    ['R3261-10.3-15 reserved ones too', 'sip:a%40b%3b@b.com', 'a@b;@b.com'],
    ['R3261-10.3-16 user as sent, host in lower case', 'sip:Bob@ExAmple.COM', 'Bob@example.com'],
    ['R3261-10.3-16 sips is the same AOR', 'sips:bob@b.com', 'bob@b.com'],
    ['R3261-10.3-16 an IPv6 reference', 'sip:bob@[2001:DB8::A]:5060', 'bob@[2001:db8::a]'],
  ])('%s', (_, text, expected) => {
    expect(aor(text)).toBe(expected);
  });

  it('is none without a user, for another scheme, or where it does not fit', () => {
    expect(aor('sip:b.com')).toBeNull();
    expect(aor('tel:+1')).toBeNull();
    expect(aor('sip:bob@b.com', 9)).toBe('bob@b.com');
    for (let room = 0; room < 9; room++) expect(aor('sip:bob@b.com', room)).toBeNull();
  });
});

describe('comparison', () => {
  it.each([
    ['the RFC’s', 'sip:%61lice@atlanta.com;transport=TCP', 'sip:alice@AtLanTa.CoM;Transport=tcp'],
    ['R3261-19.1.4-10', 'sip:carol@chicago.com', 'sip:carol@chicago.com;newparam=5'],
    ['R3261-19.1.4-10', 'sip:carol@chicago.com', 'sip:carol@chicago.com;security=on'],
    [
      'R3261-19.1.4-03',
      'sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com',
      'sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com',
    ],
    [
      'R3261-19.1.4-03',
      'sip:alice@atlanta.com?subject=project%20x&priority=urgent',
      'sip:alice@atlanta.com?priority=urgent&subject=project%20x',
    ],
    ['R3261-19.1.4-02', 'SIP:a@H;X=Y?S=T', 'sip:a@h;x=y?s=t'],
    ['R3261-19.1.4-04', 'sip:a%7eb@h', 'sip:a~b@h'],
    ['R3261-19.1.4-04', 'sip:a%3b@h', 'sip:a%3B@h'],
    ['R3261-19.1.4-04', 'sip:a@h;%6C%72', 'sip:a@h;lr'],
    ['R3261-19.1.4-04', 'sip:a@h;tr%61nsport=%75dp', 'sip:a@h;transport=UDP'],
    ['ports are numbers', 'sip:h:05060', 'sip:h:5060'],
    ['IPv6', 'sip:a@[2001:DB8::1]', 'sip:a@[2001:db8::1]'],
    ['other schemes', 'TEL:+1-2', 'tel:+1-2'],
    ['repeated headers', 'sip:h?a=1&a=2', 'sip:h?a=2&a=1'],
  ])('%s: %s equals %s', (_, a, b) => {
    expect(equal(a, b)).toBe(true);
  });

  it.each([
    ['the RFC’s', 'SIP:ALICE@AtLanTa.CoM;Transport=udp', 'sip:alice@AtLanTa.CoM;Transport=UDP'],
    ['R3261-19.1.4-06', 'sip:bob@biloxi.com', 'sip:bob@biloxi.com:5060'],
    ['R3261-19.1.4-09', 'sip:bob@biloxi.com', 'sip:bob@biloxi.com;transport=udp'],
    ['the RFC’s', 'sip:bob@biloxi.com', 'sip:bob@biloxi.com:6000;transport=tcp'],
    ['R3261-19.1.4-11', 'sip:carol@chicago.com', 'sip:carol@chicago.com?Subject=next%20meeting'],
    ['R3261-19.1.4-05', 'sip:bob@phone21.boxesbybob.com', 'sip:bob@192.0.2.4'],
    ['R3261-19.1.4-07', 'sip:carol@chicago.com;security=on', 'sip:carol@chicago.com;security=off'],
    ['R3261-19.1.4-01', 'sip:a@h', 'sips:a@h'],
    ['R3261-19.1.4-02', 'sip:a:P@h', 'sip:a:p@h'],
    ['R3261-19.1.4-04', 'sip:a%3Bb@h', 'sip:a;b@h'],
    ['R3261-19.1.4-04', 'sip:a%2Bb@h', 'sip:a+b@h'],
    ['R3261-19.1.4-04', 'sip:h;x=a%3Ab', 'sip:h;x=a:b'],
    ['R3261-19.1.4-06', 'sip:u@h', 'sip:h'],
    ['R3261-19.1.4-06', 'sip:u:p@h', 'sip:u@h'],
    ['R3261-19.1.4-06', 'sip:u:@h', 'sip:u@h'],
    ['R3261-19.1.4-08', 'sip:u@h;user=phone', 'sip:u@h'],
    ['R3261-19.1.4-08', 'sip:u@h;ttl=1', 'sip:u@h;x'],
    ['R3261-19.1.4-08', 'sip:u@h;METHOD=INVITE', 'sip:u@h'],
    ['R3261-19.1.4-08', 'sip:u@h;maddr=1.2.3.4', 'sip:u@h'],
    ['R3261-19.1.4-08', 'sip:u@h;us%65r=phone', 'sip:u@h'],
    ['R3261-19.1.4-07', 'sip:u@h;x', 'sip:u@h;x=1'],
    ['R3261-19.1.4-11', 'sip:h?a=1&b=2', 'sip:h?a=1'],
    ['R3261-19.1.4-11', 'sip:h?a=1&a=1', 'sip:h?a=1&a=2'],
    ['a prefix', 'sip:alice@h', 'sip:alic@h'],
    ['other schemes', 'tel:+1A', 'tel:+1a'],
    ['other schemes', 'foo:a', 'bar:a'],
    ['other schemes', 'http://a', 'https://a'],
  ])('%s: %s differs from %s', (_, a, b) => {
    expect(equal(a, b)).toBe(false);
  });
});
