// What phones chose, as it is shown: nothing that a terminal or a page obeys, and an AOR that is read again as the same one.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createAorReader } from '../../src/core/lookup/aor-key.ts';
import { aorText, escapeUnseen, shownText, uriText } from '../../src/sip/shown-text.ts';

const SECRET = Uint8Array.from({ length: 32 }, (_, i) => i);
const OBEYED = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/u;
const bytesOf = (text: string, encoding: BufferEncoding = 'utf8') => Buffer.from(text, encoding);
const whole = (show: typeof aorText, bytes: Uint8Array) => show(bytes, 0, bytes.length);

const odd = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 12 }),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 8 }).map((text) => bytesOf(text)),
  fc
    .constantFrom('\u001b[2J', '\u009b31m', 'a\u202eb', '%', 'a%41', 'a:b', 'a@b', 'ü', '😀', ' ', '"<>', '\ufeff')
    .map((text) => bytesOf(text)),
);

describe('an AOR', () => {
  it('is shown as text that nothing obeys, and read as the same AOR', () => {
    const read = createAorReader(SECRET);
    fc.assert(
      fc.property(odd, (user) => {
        const canonical = Buffer.concat([user, bytesOf('@example.com')]);
        const text = whole(aorText, canonical);
        expect(text).not.toMatch(OBEYED);
        const again = read(text);
        expect(Buffer.from(again?.canonical.subarray(0, again.length) ?? []).toString('hex')).toBe(
          canonical.toString('hex'),
        );
        expect(again?.text).toBe(text);
        expect(read(`sip:${text}`)?.text).toBe(text);
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ['alice@example.com', 'alice@example.com'],
    ['müller@example.com', 'müller@example.com'],
    ['*72#@example.com', '*72#@example.com'],
    ['50%@example.com', '50%25@example.com'],
    ['\u001b[2Jx@example.com', '%1B[2Jx@example.com'],
    ['a\u009bm@example.com', 'a%C2%9Bm@example.com'],
    ['a\u202eb@example.com', 'a%E2%80%AEb@example.com'],
  ])('%j is shown as %s', (canonical, shown) => {
    expect(whole(aorText, bytesOf(canonical))).toBe(shown);
  });

  it('that is no UTF-8 keeps its bytes', () => {
    expect(whole(aorText, bytesOf('m\xfcller@example.com', 'latin1'))).toBe('m%FCller@example.com');
  });
});

describe('other text', () => {
  it('is shown as text that nothing obeys', () => {
    fc.assert(
      fc.property(odd, (bytes) => {
        for (const show of [shownText, uriText]) expect(whole(show, bytes)).not.toMatch(OBEYED);
      }),
      { numRuns: 2000 },
    );
  });

  it('stays as it is where it harms nobody, and says what was there elsewhere', () => {
    for (const text of ['Zoiper rv2.10', 'Müller 電話 😀', 'a\\b"c'])
      expect(whole(shownText, bytesOf(text))).toBe(text);
    expect(whole(shownText, bytesOf('\u009b31m\u202e\u001b'))).toBe('\\u009b31m\\u202e\\u001b');
    expect(whole(shownText, bytesOf('M\xfcller', 'latin1'))).toBe('M\\xfcller');
    expect(whole(uriText, bytesOf('sip:a\u202eb@h;x=\xff'))).toBe('sip:a%E2%80%AEb@h;x=ÿ');
  });

  it('that is JSON stays the same JSON', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const json = escapeUnseen(JSON.stringify(text));
        expect(json).not.toMatch(/[\u007f-\u009f\u202a-\u202e]/u);
        expect(JSON.parse(json)).toBe(text);
      }),
    );
  });
});
