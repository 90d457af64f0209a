import { isIPv4, isIPv6 } from 'node:net';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { formatIp, formatListener, parseIp } from '../../src/transport/ip-address.ts';

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

it('writes a listener as it is configured', () => {
  expect(formatListener('udp', '127.0.0.1', 5060)).toBe('udp:127.0.0.1:5060');
  expect(formatListener('udp', '::1', 5060)).toBe('udp:[::1]:5060');
});
