// The writer, dates and the hash: what an answer and its tag are made with.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { writeDate } from '../../src/sip/date.ts';
import { SipHash } from '../../src/sip/siphash.ts';
import { ascii, Writer } from '../../src/sip/writer.ts';

const decoder = new TextDecoder();

function written(write: (writer: Writer) => void): string {
  const writer = new Writer();
  const bytes = new Uint8Array(4096);
  writer.start(bytes, 7, 4096);
  write(writer);
  expect(writer.overflow).toBe(false);
  return decoder.decode(bytes.subarray(7, writer.at));
}

describe('Writer', () => {
  it('writes constants, spans, bytes and numbers', () => {
    const source = ascii('..abc..');
    const text = written((writer) => {
      writer.text(ascii('CSeq: '));
      writer.number(4_294_967_295);
      writer.byte(0x20);
      writer.span(source, 2, 5);
      writer.span(source, -1, -1);
    });
    expect(text).toBe('CSeq: 4294967295 abc');
  });

  it('writes any whole number as String does', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (n) => {
        expect(written((writer) => writer.number(n))).toBe(String(n));
      }),
    );
    for (const n of [0, 9, 10, 99, 100, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER])
      expect(written((writer) => writer.number(n))).toBe(String(n));
  });

  it('copies long spans within its own bytes', () => {
    const bytes = new Uint8Array(1000).map((_, i) => i & 255);
    const writer = new Writer();
    writer.start(bytes, 600, 1000);
    writer.span(bytes, 100, 300);
    expect(writer.at).toBe(800);
    expect([...bytes.subarray(600, 800)]).toEqual(Array.from({ length: 200 }, (_, i) => (100 + i) & 255));
  });

  it('never writes at its limit: what does not fit is left out, and so is all that follows', () => {
    for (let room = 0; room < 12; room++) {
      const bytes = new Uint8Array(32).fill(0xaa);
      const writer = new Writer();
      writer.start(bytes, 4, 4 + room);
      for (const part of ['abc', 'defg']) writer.text(ascii(part));
      writer.number(12345);
      writer.byte(0x21);
      writer.span(bytes, 4, 6);
      expect(writer.overflow).toBe(true);
      expect(bytes.subarray(4 + room).every((byte) => byte === 0xaa)).toBe(true);
      expect(decoder.decode(bytes.subarray(4, writer.at))).toBe('abcdefg'.slice(0, room < 3 ? 0 : room < 7 ? 3 : 7));
    }
  });

  it('takes the end of its bytes for its limit', () => {
    const writer = new Writer();
    writer.start(new Uint8Array(3), 0, 100);
    writer.text(ascii('abcd'));
    expect([writer.overflow, writer.at]).toEqual([true, 0]);
  });
});

describe('Date', () => {
  const date = (epochMs: number) => {
    const bytes = new Uint8Array(29);
    writeDate(epochMs, bytes, 0);
    return decoder.decode(bytes);
  };

  it('R3261-20.17-01 R3261-10.3-36 is an RFC 1123 date in GMT', () => {
    expect(date(Date.UTC(2010, 10, 13, 23, 29, 0))).toBe('Sat, 13 Nov 2010 23:29:00 GMT');
    expect(date(Date.UTC(2010, 10, 13, 23, 29, 0) + 999)).toBe('Sat, 13 Nov 2010 23:29:00 GMT');
  });

  it('is right on any second, in any order', () => {
    for (const text of ['1970-01-01', '2000-02-29', '2024-12-31', '2100-02-28', '2100-03-01', '9999-12-31']) {
      const epochMs = Date.parse(`${text}T23:59:59Z`);
      expect(date(epochMs)).toBe(new Date(epochMs).toUTCString());
    }
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 253_402_300_799_999 }), (epochMs) => {
        expect(date(epochMs)).toBe(new Date(epochMs).toUTCString());
      }),
    );
  });
});

const MASK = (1n << 64n) - 1n;
const rotl = (x: bigint, by: bigint) => ((x << by) | (x >> (64n - by))) & MASK;
const word = (bytes: Uint8Array) => bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);

/** SipHash as its paper has it, in big integers. */
function reference(compressions: number, finals: number, key: Uint8Array, data: Uint8Array): [bigint, bigint] {
  const [k0, k1] = [word(key.subarray(0, 8)), word(key.subarray(8, 16))];
  const v = [
    k0 ^ 0x736f6d6570736575n,
    k1 ^ 0x646f72616e646f6dn ^ 0xeen,
    k0 ^ 0x6c7967656e657261n,
    k1 ^ 0x7465646279746573n,
  ];
  const round = () => {
    v[0] = (v[0] + v[1]) & MASK;
    v[1] = rotl(v[1], 13n) ^ v[0];
    v[0] = rotl(v[0], 32n);
    v[2] = (v[2] + v[3]) & MASK;
    v[3] = rotl(v[3], 16n) ^ v[2];
    v[0] = (v[0] + v[3]) & MASK;
    v[3] = rotl(v[3], 21n) ^ v[0];
    v[2] = (v[2] + v[1]) & MASK;
    v[1] = rotl(v[1], 17n) ^ v[2];
    v[2] = rotl(v[2], 32n);
  };
  const absorb = (m: bigint) => {
    v[3] ^= m;
    for (let i = 0; i < compressions; i++) round();
    v[0] ^= m;
  };
  let at = 0;
  for (; at + 8 <= data.length; at += 8) absorb(word(data.subarray(at, at + 8)));
  absorb(word(data.subarray(at)) | (BigInt(data.length & 255) << 56n));
  const finish = (lane: number, mark: bigint): bigint => {
    v[lane] ^= mark;
    for (let i = 0; i < finals; i++) round();
    return v[0] ^ v[1] ^ v[2] ^ v[3];
  };
  return [finish(2, 0xeen), finish(1, 0xddn)];
}

describe('SipHash', () => {
  const key = Uint8Array.from({ length: 16 }, (_, i) => i);

  it('is checked against a reference that gives the published SipHash-2-4-128 vectors', () => {
    const hex = ([low, high]: [bigint, bigint]) =>
      [low, high]
        .map((half) => Buffer.from(half.toString(16).padStart(16, '0'), 'hex').reverse().toString('hex'))
        .join('');
    expect(hex(reference(2, 4, key, new Uint8Array(0)))).toBe('a3817f04ba25a8e66df67214c7550293');
    expect(hex(reference(2, 4, key, Uint8Array.of(0)))).toBe('da87c1d86b99af44347659119b22fc45');
  });

  it('is SipHash-1-3-128, however the input is cut', () => {
    const bytes = fc.uint8Array({ maxLength: 300 });
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 16, maxLength: 16 }),
        fc.array(bytes, { maxLength: 5 }),
        (anyKey, parts) => {
          const hash = new SipHash(anyKey);
          hash.begin();
          for (const part of parts) {
            if (part.length === 1) hash.byte(part[0]);
            else hash.span(part, 0, part.length);
          }
          hash.end();
          const [low, high] = reference(1, 3, anyKey, Uint8Array.from(parts.flatMap((part) => [...part])));
          const whole = (i: number) => (BigInt(hash.out[i + 1]) << 32n) | BigInt(hash.out[i]);
          expect([whole(0), whole(2)]).toEqual([low, high]);
        },
      ),
    );
  });

  it('can be used again and takes no absent span', () => {
    const hash = new SipHash(key);
    const run = () => {
      hash.begin();
      hash.span(key, -1, -1);
      hash.span(key, 3, 12);
      hash.end();
      return [...hash.out];
    };
    expect(run()).toEqual(run());
  });
});
