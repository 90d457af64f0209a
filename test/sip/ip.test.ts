// IP addresses as text and as bytes, beside Node's own idea of them.

import { isIP, isIPv4, isIPv6 } from 'node:net';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { formatIp, parseIp } from '../../src/sip/ip.ts';

const into = new Uint8Array(16);

it('reads back every address it writes', () => {
  fc.assert(
    fc.property(fc.constantFrom(4, 6), fc.uint8Array({ minLength: 16, maxLength: 16 }), (family, bytes) => {
      const text = formatIp(family, bytes, 0);
      expect(family === 4 ? isIPv4(text) : isIPv6(text)).toBe(true);
      expect(parseIp(text, into, 0)).toBe(family);
      expect(into.subarray(0, family === 4 ? 4 : 16)).toEqual(bytes.subarray(0, family === 4 ? 4 : 16));
    }),
  );
});

it.each([
  ['::', '00'.repeat(16)],
  ['::1', `${'00'.repeat(15)}01`],
  ['fe80::1:2', `fe80${'00'.repeat(10)}00010002`],
  ['2001:db8::', `20010db8${'00'.repeat(12)}`],
  ['::ffff:192.0.2.1', `${'00'.repeat(10)}ffffc0000201`],
])('reads the short form %s', (text, hex) => {
  expect(parseIp(text, into, 0)).toBe(6);
  expect(Buffer.from(into).toString('hex')).toBe(hex);
});

it('knows what is no address', () => {
  for (const text of ['', 'localhost', '1.2.3', '256.1.1.1', ':::', '[::1]', 'fe80::1%eth0']) {
    expect(parseIp(text, into, 0)).toBe(0);
  }
});

it('writes the longest run of zeros as "::", the first of equals, and no single zero so (RFC 5952)', () => {
  const text = (hex: string): string => formatIp(6, Buffer.from(hex, 'hex'), 0);
  expect(text(`20010db8${'0000'.repeat(5)}0001`)).toBe('2001:db8::1');
  expect(text('20010db8000000010000000000010001')).toBe('2001:db8:0:1::1:1');
  expect(text('00010000000000020003000000000004')).toBe('1::2:3:0:0:4');
  expect(text('00010002000300040005000600000008')).toBe('1:2:3:4:5:6:0:8');
});

it('takes for an address what Node takes for one', () => {
  const piece = fc.constantFrom(
    '0',
    '1',
    '01',
    '255',
    '256',
    'ff',
    'FFFF',
    '10000',
    'g',
    ':',
    '::',
    '.',
    '1.2.3.4',
    '%',
    ' ',
    '-',
  );
  const near = fc.array(piece, { maxLength: 18 }).map((pieces) => pieces.join(''));
  const dotted = fc.array(piece, { minLength: 3, maxLength: 5 }).map((pieces) => pieces.join('.'));
  const coloned = fc.array(piece, { minLength: 2, maxLength: 9 }).map((pieces) => pieces.join(':'));
  fc.assert(
    fc.property(fc.oneof(near, dotted, coloned, fc.ipV4(), fc.ipV6()), (text) => {
      expect([text, parseIp(text, into, 0)]).toEqual([text, text.includes('%') ? 0 : isIP(text)]);
    }),
    { numRuns: 2000 },
  );
});
