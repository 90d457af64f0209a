// Authorization values read in place (RFC 3261 §20.7, §25.1; RFC 7616 §3.4).

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ALG_MD5,
  ALG_SESS,
  ALG_SHA_256,
  ALG_SHA_512_256,
  ALG_UNKNOWN,
  credentials,
  decodeExtended,
  parseCredentials,
  QOP_AUTH,
  QOP_AUTH_INT,
  QOP_NONE,
  QOP_UNKNOWN,
  SCHEME_DIGEST,
  SCHEME_NOT_DIGEST,
  unescapeQuoted,
} from '../../src/sip/credentials.ts';
import {
  C_ALGORITHM,
  C_CNONCE_AT,
  C_NC,
  C_NC_AT,
  C_NC_VALID,
  C_NONCE_AT,
  C_OPAQUE_AT,
  C_QOP,
  C_QOP_AT,
  C_REALM_AT,
  C_RESPONSE_AT,
  C_SCHEME,
  C_URI_AT,
  C_USERHASH,
  C_USERNAME_AT,
  C_USERNAME_STAR_AT,
} from '../../src/sip/parser/credential-spans.ts';
import { E_CREDENTIALS, E_OK, E_REPEATED_PARAM } from '../../src/sip/parser/parse-error.ts';
import { slab } from '../../src/sip/parser/slab.ts';
import { ABSENT, MALFORMED } from '../../src/sip/parser/span-table.ts';
import { digestParams } from '../oracle/credentials.ts';

const AT = 100;
const FIELDS = [C_USERNAME_AT, C_USERNAME_STAR_AT, C_REALM_AT, C_NONCE_AT, C_URI_AT, C_RESPONSE_AT, C_CNONCE_AT];
const into = new Uint8Array(64);

/** Parses a value; quotes are put behind it, so that reading on would show. */
function read(value: string): number {
  const bytes = Buffer.from(value, 'latin1');
  slab.set(bytes, AT);
  slab.fill(0x22, AT + bytes.length, AT + bytes.length + 16);
  return parseCredentials(AT, AT + bytes.length);
}

function value(field: number): string | undefined {
  if (credentials[field] === ABSENT) return undefined;
  return Buffer.from(slab.subarray(credentials[field], credentials[field + 1])).toString('latin1');
}

describe('credentials', () => {
  it('are read from the example of RFC 2617 §3.5', () => {
    const text =
      'Digest username="Mufasa", realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093",' +
      ' uri="/dir/index.html", qop=auth, nc=00000001, cnonce="0a4f113b",' +
      ' response="6629fae49393a05397450978507c4ef1", opaque="5ccc069c403ebaf9f0171e9517f40e41"';
    expect(read(text)).toBe(E_OK);
    expect(FIELDS.map(value)).toEqual([
      'Mufasa',
      undefined,
      'testrealm@host.com',
      'dcd98b7102dd2f0e8b11d0f600bfb0c093',
      '/dir/index.html',
      '6629fae49393a05397450978507c4ef1',
      '0a4f113b',
    ]);
    expect(value(C_OPAQUE_AT)).toBe('5ccc069c403ebaf9f0171e9517f40e41');
    expect([credentials[C_SCHEME], credentials[C_QOP], credentials[C_NC]]).toEqual([SCHEME_DIGEST, QOP_AUTH, 1]);
    expect(credentials[C_NC_VALID]).toBe(1);
  });

  it.each(['Basic QWxhZGRpbjpvcGVu', 'NoOneKnowsThisScheme opaque-data=here', 'Digestive a="b"', '', '"', ',,'])(
    'R3261-22-01 R3261-22.2-02 of another scheme (%s) are none',
    (text) => {
      expect(read(text)).toBe(E_OK);
      expect(credentials[C_SCHEME]).toBe(SCHEME_NOT_DIGEST);
      expect(value(C_USERNAME_AT)).toBeUndefined();
    },
  );

  it.each([
    ['Digest', ALG_MD5],
    ['Digest algorithm=md5', ALG_MD5],
    ['digest algorithm="MD5"', ALG_MD5],
    ['DIGEST algorithm=SHA-256', ALG_SHA_256],
    ['Digest ALGORITHM=sha-512-256', ALG_SHA_512_256],
    ['Digest algorithm=Md5-Sess', ALG_MD5 | ALG_SESS],
    ['Digest algorithm=SHA-256-sess', ALG_SHA_256 | ALG_SESS],
    ['Digest algorithm=SHA-512-256-SESS', ALG_SHA_512_256 | ALG_SESS],
    ['Digest algorithm=AKAv1-MD5', ALG_UNKNOWN],
    ['Digest algorithm=""', ALG_UNKNOWN],
  ])('R7616-3.3-01 %s: algorithm %i', (text, algorithm) => {
    expect(read(text)).toBe(E_OK);
    expect(credentials[C_ALGORITHM]).toBe(algorithm);
  });

  it.each([
    ['Digest', QOP_NONE],
    ['Digest qop=auth', QOP_AUTH],
    ['Digest qop="auth"', QOP_AUTH],
    ['Digest qop = AUTH-INT', QOP_AUTH_INT],
    ['Digest qop="auth,auth-int"', QOP_UNKNOWN],
    ['Digest qop=', QOP_UNKNOWN],
  ])('R7616-3.4-04 %s: qop %i', (text, qop) => {
    expect(read(text)).toBe(E_OK);
    expect(credentials[C_QOP]).toBe(qop);
  });

  it.each([
    ['Digest nc=00000001', 1, 1],
    ['Digest nc="0000000a"', 1, 10],
    ['Digest nc=FFFFFFFF', 1, 0xffffffff],
    ['Digest nc=1', 0, 0],
    ['Digest nc=000000001', 0, 0],
    ['Digest nc=0000000g', 0, 0],
    ['Digest', 0, 0],
  ])('R7616-3.4-04 %s: good %i, %i', (text, good, nc) => {
    expect(read(text)).toBe(E_OK);
    expect([credentials[C_NC_VALID], credentials[C_NC] >>> 0]).toEqual([good, nc]);
  });

  it('R7616-3.4.4-01 userhash is true, false or malformed', () => {
    const all = ['true', '"TRUE"', 'false', 'maybe'].map((text) => {
      read(`Digest userhash=${text}`);
      return credentials[C_USERHASH];
    });
    expect(all).toEqual([1, 1, 0, MALFORMED]);
  });

  it('take white space, empty list elements, unquoted values and unknown parameters', () => {
    expect(read('Digest\t username = "a" ,,x=1, y="q,\\"z", uri=sip:b@c;d=e , nonce="" ,')).toBe(E_OK);
    expect([C_USERNAME_AT, C_URI_AT, C_NONCE_AT].map(value)).toEqual(['a', 'sip:b@c;d=e', '']);
  });

  it.each([
    'Digest username',
    'Digest "a"',
    'Digest username="a',
    'Digest a=b c=d',
    'Digest =b',
    'Digest a="b"c',
    'Digest"a"',
  ])('R7616-3.4-02 %s is malformed', (text) => expect(read(text)).toBe(E_CREDENTIALS));

  it('R7616-3.4-02 a parameter that stands twice is an error', () => {
    expect(read('Digest nonce="a", Nonce="b"')).toBe(E_REPEATED_PARAM);
    expect(read('Digest x=1, x=2')).toBe(E_OK);
  });

  it('escapes of a quoted string are undone on request', () => {
    read('Digest username="a\\"b\\\\c"');
    const length = unescapeQuoted(credentials[C_USERNAME_AT], credentials[C_USERNAME_AT + 1], into);
    expect(Buffer.from(into.subarray(0, length)).toString()).toBe('a"b\\c');
    expect(unescapeQuoted(credentials[C_USERNAME_AT], credentials[C_USERNAME_AT + 1], into.subarray(0, 3))).toBe(-1);
  });

  it("R7616-3.4-03 username* is UTF-8''percent-encoded (RFC 7616 §3.9.2)", () => {
    const decode = (text: string) => {
      read(`Digest username*=${text}`);
      const length = decodeExtended(credentials[C_USERNAME_STAR_AT], credentials[C_USERNAME_STAR_AT + 1], into);
      return length < 0 ? undefined : Buffer.from(into.subarray(0, length)).toString('utf8');
    };
    expect(decode("UTF-8''J%C3%A4s%C3%B8n%20Doe")).toBe('Jäsøn Doe');
    expect(decode("utf-8'en'x")).toBe('x');
    expect(
      ["ISO-8859-1''x", "UTF-8'x", "UTF-8''%4", "UTF-8''%zz", 'UTF-8', `UTF-8''${'x'.repeat(65)}`].map(decode),
    ).toEqual(Array(6).fill(undefined));
  });

  it('R7616-3.4-02 whatever stands there, nothing is thrown and nothing behind the value is read', () => {
    const piece = fc.constantFrom(
      'Digest ',
      'username',
      'nc',
      'qop',
      '=',
      '"',
      ',',
      ' ',
      '\\',
      'auth',
      '00000001',
      "*'%4",
      '\xff',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 24 }), (pieces) => {
        const text = pieces.join('');
        const error = read(text);
        expect([E_OK, E_CREDENTIALS, E_REPEATED_PARAM]).toContain(error);
        const end = AT + text.length;
        for (const field of [...FIELDS, C_OPAQUE_AT, C_QOP_AT, C_NC_AT]) {
          const [from, to] = [credentials[field], credentials[field + 1]];
          expect(from === ABSENT || (from >= AT && from <= to && to <= end)).toBe(true);
        }
      }),
      { numRuns: 1500 },
    );
  });

  it('R7616-3.4-02 are those that a reader finds byte by byte', () => {
    const names = [
      'username',
      'username*',
      'realm',
      'nonce',
      'uri',
      'response',
      'algorithm',
      'cnonce',
      'opaque',
      'qop',
      'nc',
      'userhash',
    ];
    const name = fc.constantFrom(...names, 'NONCE', 'Qop', 'nonces', 'algorithn', 'username+', 'un', 'x', '');
    const text = fc.string({ unit: fc.nat(255).map((code) => String.fromCharCode(code)), maxLength: 40 });
    const usual = fc.stringMatching(/^[!-~]{0,40}$/).map((plain) => plain.replace(/["\\,]/g, ''));
    const quoted = fc
      .oneof(
        usual,
        text,
        usual.map((plain) => `${plain}\\"\t`),
      )
      .map((inner) => `"${inner}"`);
    const sign = fc.constantFrom('=', '=', '=', ' = ', '\t=', '');
    const param = fc.tuple(name, sign, fc.oneof(quoted, usual, text)).map((parts) => parts.join(''));
    const separator = fc.constantFrom(',', ', ', ' ,\t', ',,', ' ', ';');
    const list = fc.array(fc.tuple(param, separator), { maxLength: 14 }).map((parts) => parts.flat().join(''));
    let good = 0;
    fc.assert(
      fc.property(list, (params) => {
        const error = read(`Digest ${params}`);
        const at = AT + 'Digest '.length;
        const [expected, spans] = digestParams(slab, at + params.search(/[^ \t]|$/), at + params.length);
        if (expected === E_OK) good++;
        expect([error, ...credentials.subarray(0, C_SCHEME)]).toEqual([expected, ...spans]);
      }),
      { numRuns: 4000 },
    );
    expect(good).toBeGreaterThan(400);
  });
});
