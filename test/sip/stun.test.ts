// STUN on the SIP port: Binding requests and their answers, as bytes.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { answerStun } from '../../src/sip/stun.ts';
import { Writer } from '../../src/sip/writer.ts';

const COOKIE = '2112a442';
const ID = 'b7e7a701bc34d686fa87dfae';

function answer(hex: string, family: 4 | 6 = 4, ip = 'c0000201', port = 32853): string | undefined {
  const request = Buffer.from(hex, 'hex');
  const w = new Writer();
  w.start(new Uint8Array(200), 0, 200);
  const address = Buffer.from(ip.padEnd(32, '0'), 'hex');
  if (!answerStun(w, request, 0, request.length, family, address, 0, port)) return undefined;
  return Buffer.from(w.bytes.subarray(0, w.at)).toString('hex');
}

describe('STUN', () => {
  // The mapped addresses of RFC 5769 §2.2 and §2.3.
  it('R5626-8-01: answers a Binding request with XOR-MAPPED-ADDRESS, IPv4 and IPv6', () => {
    expect(answer(`00010000${COOKIE}${ID}`)).toBe(`0101000c${COOKIE}${ID}00200008` + `0001a147e112a643`);
    expect(answer(`00010000${COOKIE}${ID}`, 6, '20010db8123456780011223344556677')).toBe(
      `01010018${COOKIE}${ID}00200014` + `0002a1470113a9faa5d3f179bc25f4b5bed2b9d9`,
    );
  });

  it('answers clients of RFC 3489, which send no cookie, with MAPPED-ADDRESS', () => {
    expect(answer(`0001000000000001${ID}`)).toBe(`0101000c00000001${ID}00010008` + `00018055c0000201`);
  });

  it('names attributes that must be understood and are not (420), and passes over the others', () => {
    expect(answer(`00010008${COOKIE}${ID}0003000400000000`)).toBe(
      `01110010${COOKIE}${ID}0009000400000414` + `000a000200030000`,
    );
    expect(answer(`0001000c${COOKIE}${ID}8022000574657374` + `73000000`)?.slice(0, 4)).toBe('0101');
  });

  it.each([
    ['an indication', `00110000${COOKIE}${ID}`],
    ['a response', `01010000${COOKIE}${ID}`],
    ['a length that is too long', `00010004${COOKIE}${ID}`],
    ['a length that is too short', `00010000${COOKIE}${ID}00`],
    ['half a header', `00010000${COOKIE}`],
    ['an attribute that runs out', `00010004${COOKIE}${ID}80220008`],
  ])('draws no answer: %s', (_what, hex) => {
    expect(answer(hex)).toBeUndefined();
  });

  it('never answers with more than three times the bytes, whatever comes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.boolean(), (tail, sound) => {
        const bytes = Buffer.concat([
          Buffer.from(`0001${tail.length.toString(16).padStart(4, '0')}${COOKIE}${ID}`, 'hex'),
          tail,
        ]);
        if (!sound) bytes[3] ^= 1;
        expect((answer(bytes.toString('hex'), 6) ?? '').length).toBeLessThanOrEqual(bytes.length * 2 * 3);
      }),
    );
  });
});
