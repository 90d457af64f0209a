// Prefix lists against node:net's BlockList, which has the same job.

import { BlockList, isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TrustedSources } from '../../../src/core/abuse/trusted-sources.ts';
import { parseIp } from '../../../src/sip/ip.ts';
import { parseIpPrefix } from '../../../src/sip/ip-prefix.ts';
import { createPeers } from '../../../src/sip/sources.ts';

const peers = createPeers(2);

function trusts(list: TrustedSources, address: string): boolean {
  peers.family[1] = parseIp(address, peers.ip, 16);
  return list.trusts(peers, 1);
}

describe('a list of prefixes', () => {
  it('holds what BlockList holds, for any prefixes and addresses', () => {
    // Few different bytes, so that addresses fall into prefixes.
    const byte = fc.constantFrom(0, 1, 10, 127, 128, 192, 255);
    const ipv4 = fc.tuple(byte, byte, byte, byte).map((bytes) => bytes.join('.'));
    const group = fc.constantFrom('0', '1', '2001', 'db8', 'ffff', '8000');
    const ipv6 = fc.oneof(
      fc.array(group, { minLength: 8, maxLength: 8 }).map((groups) => groups.join(':')),
      fc
        .tuple(fc.array(group, { maxLength: 3 }), fc.array(group, { maxLength: 3 }))
        .map(([a, b]) => `${a.join(':')}::${b.join(':')}`),
      ipv4.map((address) => `::ffff:${address}`),
    );
    const prefix = fc.oneof(
      fc.tuple(ipv4, fc.integer({ min: 0, max: 32 })),
      fc.tuple(ipv6, fc.integer({ min: 0, max: 128 })),
    );
    const address = fc.oneof(ipv4, ipv6);
    fc.assert(
      fc.property(
        fc.array(prefix, { maxLength: 6 }),
        fc.array(address, { minLength: 1, maxLength: 20 }),
        (list, some) => {
          // Left to the next test: BlockList has mapped prefixes of its own kind.
          const plain = list.filter(([text]) => !isMapped(text));
          const built = new TrustedSources(plain.map(([text, bits]) => `${text}/${bits}`));
          for (const text of [...some, ...plain.map(([base]) => base)]) {
            // BlockList finds an IPv4 address in ::/0 too; here IPv6 prefixes hold no IPv4 addresses.
            const rules = isIP(text) === 6 ? plain : plain.filter(([base]) => isIP(base) === 4);
            expect(trusts(built, text), text).toBe(inBlockList(rules, text));
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it('takes single addresses, and mapped ones for what they map', () => {
    const list = new TrustedSources(['192.0.2.1', '2001:db8::1', '::ffff:198.51.100.0/120']);
    expect(list.count).toBe(3);
    expect(trusts(list, '192.0.2.1')).toBe(true);
    expect(trusts(list, '::ffff:192.0.2.1')).toBe(true);
    expect(trusts(list, '192.0.2.2')).toBe(false);
    expect(trusts(list, '2001:db8::1')).toBe(true);
    expect(trusts(list, '2001:db8::2')).toBe(false);
    expect(trusts(list, '198.51.100.77')).toBe(true);
  });

  it('trusts nobody when empty', () => {
    expect(trusts(new TrustedSources([]), '127.0.0.1')).toBe(false);
  });

  it.each([
    ' ',
    'localhost',
    '10.0.0.0/33',
    '10.0.0/8',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    '01.2.3.4',
    '::/129',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3',
    '::1.2.3.4:5',
    'fe80::1%eth0',
    '1.2.3.4::',
    '::12345',
    '256.1.1.1',
    '10.0.0.0/-1',
    '1:2:3:4:5:6:7:8::',
  ])('refuses %j and names it', (text) => {
    expect(parseIpPrefix(text)).toBeNull();
    expect(() => new TrustedSources(['10.0.0.0/8', text])).toThrow(text);
  });

  it('reads addresses as Node does', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.ipV4(), fc.ipV6(), fc.string({ unit: fc.constantFrom(...'0123456789abcdef:.') })),
        (text) => {
          expect(parseIpPrefix(text) !== null).toBe(isIP(text) !== 0);
          if (isIP(text) !== 0) expect(trusts(new TrustedSources([text]), text)).toBe(true);
        },
      ),
      { numRuns: 2000 },
    );
  });
});

function inBlockList(rules: readonly (readonly [string, number])[], address: string): boolean {
  const list = new BlockList();
  for (const [text, bits] of rules) list.addSubnet(text, bits, isIP(text) === 6 ? 'ipv6' : 'ipv4');
  return list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

function isMapped(text: string): boolean {
  const bytes = new Uint8Array(16);
  return (
    parseIp(text, bytes, 0) === 6 &&
    bytes.subarray(0, 10).every((b) => b === 0) &&
    bytes[10] === 255 &&
    bytes[11] === 255
  );
}
