// Digest arithmetic against the RFCs' printed examples and against an implementation of its own (test/support/digest-client).

import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestBytes, verifyResponse } from '../../../src/core/auth/digest.ts';
import { digestText, md5 } from '../../../src/core/auth/md5.ts';
import { credentials, parseCredentials } from '../../../src/sip/credentials.ts';
import { C_ALGORITHM } from '../../../src/sip/parser/credential-spans.ts';
import { E_OK } from '../../../src/sip/parser/parse-error.ts';
import { slab, table } from '../../../src/sip/parser/slab.ts';
import { T_BODY_AT, T_BODY_END, T_METHOD_AT, T_METHOD_END } from '../../../src/sip/parser/span-table.ts';
import { authorization, digestOf, ha1Of, type Login } from '../../support/digest-client.ts';

const ALGORITHMS = ['MD5', 'SHA-256', 'SHA-512-256', 'MD5-sess', 'SHA-256-sess', 'SHA-512-256-sess'];

/** Whether the value answers to this HA1 (hex), for a request with this method and body. */
function verifies(value: string, ha1: string, method: string, body = ''): boolean {
  const put = (at: number, text: string) => slab.set(Buffer.from(text, 'latin1'), at);
  const valueEnd = 1000 + value.length;
  put(1000, value);
  put(100, method);
  put(valueEnd + 10, body);
  table[T_METHOD_AT] = 100;
  table[T_METHOD_END] = 100 + method.length;
  table[T_BODY_AT] = valueEnd + 10;
  table[T_BODY_END] = valueEnd + 10 + body.length;
  expect(parseCredentials(1000, valueEnd)).toBe(E_OK);
  return verifyResponse(Buffer.from(ha1, 'hex'), 0);
}

describe('MD5', () => {
  it.each([
    ['', 'd41d8cd98f00b204e9800998ecf8427e'],
    ['message digest', 'f96b697d7cb7938d525a2f31aaf161d0'],
    [
      '12345678901234567890123456789012345678901234567890123456789012345678901234567890',
      '57edf4a22be3c955ac49da2e2107b67a',
    ],
  ])('of %j is as RFC 1321 §A.5 says', (text, digest) => expect(digestMd5(Buffer.from(text))).toBe(digest));

  it('is the same as OpenSSL', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        expect(digestMd5(bytes)).toBe(createHash('md5').update(bytes).digest('hex'));
      }),
      { numRuns: 500 },
    );
  });
});

function digestMd5(bytes: Uint8Array): string {
  digestText.fill(0xff, 0, bytes.length + 200);
  digestText.set(bytes);
  const digest = new Uint8Array(16);
  md5(bytes.length, digest);
  return Buffer.from(digest).toString('hex');
}

describe('vectors', () => {
  it('RFC 2617 §3.5, with qop and (RFC 2069) without', () => {
    const ha1 = ha1Of('MD5', 'Mufasa', 'testrealm@host.com', 'Circle Of Life');
    const head =
      'Digest username="Mufasa", realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", uri="/dir/index.html"';
    const auth = ', qop=auth, nc=00000001, cnonce="0a4f113b"';
    expect(verifies(`${head}${auth}, response="6629fae49393a05397450978507c4ef1"`, ha1, 'GET')).toBe(true);
    expect(verifies(`${head}, response="670fd8c2df070c60b045671b8b24ff02"`, ha1, 'GET')).toBe(true);
    expect(verifies(`${head}${auth}, response="670fd8c2df070c60b045671b8b24ff02"`, ha1, 'GET')).toBe(false);
  });

  const EXAMPLE =
    'Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html",' +
    ' nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001,' +
    ' cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth,' +
    ' opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS", ';

  it.each([
    ['MD5', '8ca523f5e9506fed4657c9700eebdbec'],
    ['SHA-256', '753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1'],
  ])('R8760-2.1-01 RFC 7616 §3.9.1, %s', (algorithm, response) => {
    const ha1 = ha1Of(algorithm, 'Mufasa', 'http-auth@example.org', 'Circle of Life');
    expect(verifies(`${EXAMPLE}algorithm=${algorithm}, response="${response}"`, ha1, 'GET')).toBe(true);
    expect(verifies(`${EXAMPLE}algorithm=${algorithm}, response="${response}"`, ha1, 'PUT')).toBe(false);
  });

  it('R8760-2.1-01 RFC 7616 §3.9.2, SHA-512-256, as FIPS 180-4 and not as printed', () => {
    const name = Buffer.from('Jäsøn Doe').toString('latin1');
    const ha1 = ha1Of('SHA-512-256', name, 'api@example.org', 'Secret, or not?');
    expect(digestOf('SHA-512-256', `${name}:api@example.org`)).toBe(
      '793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b',
    );
    const value = (response: string) =>
      `Digest username="793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b", realm="api@example.org",` +
      ` uri="/doe.json", algorithm=SHA-512-256, nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", nc=00000001,` +
      ` cnonce="NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v", qop=auth, response="${response}", userhash=true`;
    const right = '3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5';
    const printed = 'ae66e67d6b427bd3f120414a82e4acff38e8ecd9101d6c861229025f607a79dd';
    expect(verifies(value(right), ha1, 'GET')).toBe(true);
    expect(verifies(value(printed), ha1, 'GET')).toBe(false);
  });

  it('R8760-2.6-07 auth-int without a body hashes nothing: RFC 8760 §2.6 (7)', () => {
    const empty = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
    const h = (text: string) => createHash('sha256').update(text).digest('hex');
    const ha1 = h('alice:example.com:secret');
    const response = h(`${ha1}:n:00000001:c:auth-int:${h(`REGISTER:sip:example.com:${empty}`)}`);
    const value = `Digest username="alice", realm="example.com", nonce="n", uri="sip:example.com", qop=auth-int, nc=00000001, cnonce="c", algorithm=SHA-256, response="${response}"`;
    expect(verifies(value, ha1, 'REGISTER')).toBe(true);
    expect(verifies(value, ha1, 'REGISTER', 'x')).toBe(false);
  });

  it('R8760-2.2-01 upper-case digits count too', () => {
    const ha1 = ha1Of('MD5', 'alice', 'example.com', 'secret');
    const value = authorization({ nonce: 'n', qop: 'auth' });
    expect(
      verifies(
        value.replace(/response="\w+"/, (text) => text.toUpperCase()),
        ha1,
        'REGISTER',
      ),
    ).toBe(true);
  });
});

describe('any credentials', () => {
  const text = fc
    .string({ unit: fc.integer({ min: 0x20, max: 0xff }).map((c) => String.fromCharCode(c)), maxLength: 90 })
    .map((s) => s.replace(/["\\\x7f]/g, '_'));
  const login: fc.Arbitrary<Login> = fc.record({
    username: text,
    password: text,
    nonce: text,
    uri: text,
    cnonce: text,
    algorithm: fc.constantFrom(...ALGORITHMS),
    qop: fc.constantFrom('auth' as const, 'auth-int' as const, undefined),
    nc: fc.nat(0xffffffff),
    body: fc.string({ maxLength: 300 }).map((s) => s.replace(/[^\x20-\x7e]/g, '.')),
  });

  it('R7616-3.4.2-01 R8760-2.6-08b computed right verify, and with one digit changed do not', () => {
    fc.assert(
      fc.property(login, fc.nat(63), (it, place) => {
        const algorithm = it.algorithm ?? 'MD5';
        const ha1 = ha1Of(algorithm, it.username ?? '', 'example.com', it.password ?? '');
        const value = authorization(it);
        expect(verifies(value, ha1, 'REGISTER', it.body)).toBe(true);
        const size = 2 * digestBytes(credentials[C_ALGORITHM]);
        const at = value.indexOf('response="') + 10 + (place % size);
        const other = value[at] === '0' ? '1' : '0';
        expect(verifies(value.slice(0, at) + other + value.slice(at + 1), ha1, 'REGISTER', it.body)).toBe(false);
      }),
      { numRuns: 400 },
    );
  });
});
