// Framing of streams: however bytes are cut, the same messages come out; and what can't be framed ends it.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  FILLER_BYTES_MAX,
  FRAME_MESSAGE,
  FRAME_MORE,
  FRAME_NO_LENGTH,
  FRAME_PING,
  FRAME_TOO_LARGE,
  Framer,
} from '../../src/sip/framing.ts';

const MAX = 65_535;
const REASONS = new Map([
  [FRAME_NO_LENGTH, 'no length'],
  [FRAME_TOO_LARGE, 'too large'],
]);

/** Feeds chunks as a connection does, and says what came out. */
function feed(chunks: readonly string[], max = MAX, headMax = max): string[] {
  const framer = new Framer();
  const out: string[] = [];
  let pending = Buffer.alloc(0);
  for (const chunk of chunks) {
    pending = Buffer.concat([pending, Buffer.from(chunk, 'latin1')]);
    let at = 0;
    while (at < pending.length) {
      const outcome = framer.next(pending, at, pending.length, max, headMax);
      const found = pending.toString('latin1', framer.at, framer.end);
      if (outcome === FRAME_MORE) {
        at = framer.at;
        break;
      }
      at = framer.end;
      if (outcome === FRAME_PING) out.push('ping');
      else if (outcome === FRAME_MESSAGE) out.push(found);
      else return [...out, `${REASONS.get(outcome) ?? 'not SIP'}: ${found}`];
    }
    pending = pending.subarray(at);
  }
  return out;
}

/** Of what is no SIP, or has no usable head, more or less may have come when that is seen. */
function comparable(outcomes: readonly string[]): string[] {
  return outcomes.map((text) => text.replace(/^(not SIP|too large): [\s\S]*/, '$1'));
}

const register = (n: number, body = '', length = `Content-Length: ${body.length}`) =>
  `REGISTER sip:example.com SIP/2.0\r\nCall-ID: ${n}\r\n${length}\r\n\r\n${body}`;

describe('framing', () => {
  it('R3261-18.3-04: cuts a stream into its messages at every byte', () => {
    const stream = `\r\n\r\n${register(1, 'a body\r\n\r\nINVITE')}${register(2)}\r\n${register(3, 'x', 'l : 1')}\r\n\r\n\r\n\r\n`;
    const whole = feed([stream]);
    expect(whole).toEqual([
      'ping',
      register(1, 'a body\r\n\r\nINVITE'),
      register(2),
      register(3, 'x', 'l : 1'),
      'ping',
      'ping',
    ]);
    expect(feed([...stream])).toEqual(whole);
    for (let at = 1; at < stream.length; at++) expect(feed([stream.slice(0, at), stream.slice(at)])).toEqual(whole);
  });

  it('gives the same messages however the stream is cut', () => {
    const piece = fc.oneof(
      fc
        .record({ n: fc.nat(), body: fc.string({ unit: 'binary-ascii', maxLength: 40 }) })
        .map(({ n, body }) => register(n, body)),
      fc.constantFrom(
        '\r\n',
        '\r\n\r\n',
        'SIP/2.0 200 OK\r\nl:0\r\n\r\n',
        'junk',
        'A b SIP/2.0\r\n\r\n',
        '\u0016\u0003\u0001',
      ),
    );
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1 }),
        (pieces, sizes) => {
          const stream = pieces.join('');
          const chunks: string[] = [];
          for (let at = 0, i = 0; at < stream.length; i++) {
            chunks.push(stream.slice(at, at + sizes[i % sizes.length]));
            at += sizes[i % sizes.length];
          }
          const cut = feed(chunks);
          const whole = feed([stream]);
          // Of what is no SIP, or has no usable head, more or less may have come when that is seen.
          const comparable = (list: string[]) =>
            list.map((text) => text.replace(/^(not SIP|too large): [\s\S]*/, '$1'));
          expect(comparable(cut)).toEqual(comparable(whole));
        },
      ),
      { numRuns: 500 },
    );
  });

  it('R5626-5.4-01: skips what else phones send between messages, in any mixture, and still sees a ping in it', () => {
    for (const filler of ['\0', '\n', '\r', ' ', '\t', '\r\n\0', '\0\r\n \n\n\0', '\n\r\n\0\r\n'])
      for (const chunks of [
        [`${filler}${register(1)}${filler}${register(2)}${filler}`],
        [...`${filler}${register(1)}`],
      ])
        expect(feed(chunks).slice(0, 1), JSON.stringify(filler)).toEqual([register(1)]);
    expect(feed([...'\0\r\n\r\n\0', register(1)])).toEqual(['ping', register(1)]);
  });

  it('skips so much of it and no more, from one message or ping to the next', () => {
    const most = '\0'.repeat(FILLER_BYTES_MAX);
    expect(feed([`${most}${register(1)}${most}\r\n\r\n${most}`, register(2)])).toEqual([
      register(1),
      'ping',
      register(2),
    ]);
    for (const chunks of [[`${most}\n${register(1)}`], [...`${most} `]]) expect(feed(chunks)[0]).toMatch(/^not SIP/);
    expect(feed([register(1), ...most, '\0'])).toEqual([register(1), expect.stringMatching(/^not SIP/)]);
  });

  it('has a limit of its own for what comes up to the empty line', () => {
    const long = `REGISTER sip:example.com SIP/2.0\r\nX: ${'x'.repeat(500)}`;
    for (const chunks of [[long], [...long]])
      expect(feed(chunks, MAX, 200)).toEqual([`too large: ${long.slice(0, 200)}`]);
    expect(feed([register(1, 'x'.repeat(500))], MAX, 200)).toEqual([register(1, 'x'.repeat(500))]);
  });

  it('finds Content-Length wherever the parser would: compact, spaced, folded, in any case', () => {
    for (const line of [
      'content-LENGTH:3',
      'l:3',
      'L \t:  3  ',
      'Content-Length:\r\n 3',
      'Content-Length: 3\r\n ',
      'Content-Length: 003',
    ])
      expect(feed([`${register(1, '', line)}abc${register(2)}`])).toEqual([`${register(1, '', line)}abc`, register(2)]);
  });

  it.each([
    ['none', 'X: 1'],
    ['two', 'Content-Length: 1\r\nl: 1'],
    ['no number', 'Content-Length: three'],
    ['a negative one', 'Content-Length: -1'],
    ['empty', 'Content-Length:'],
    ['a list', 'Content-Length: 1, 2'],
    ['only a folded line that looks like one', 'X: 1\r\n Content-Length: 1'],
  ])('cannot go on without a Content-Length it can use: %s', (_what, line) => {
    expect(feed([register(1, '', line) + register(2)])).toEqual([`no length: ${register(1, '', line)}`]);
  });

  it('is bounded: by the head alone, by the whole message, and for lengths beyond reason', () => {
    const long = `REGISTER sip:example.com SIP/2.0\r\nX: ${'x'.repeat(500)}`;
    expect(feed([long], 200)).toEqual([`too large: ${long.slice(0, 200)}`]);
    expect(feed([...long], 200)).toEqual([`too large: ${long.slice(0, 200)}`]);
    expect(feed([register(1, 'x'.repeat(200))], 200)[0]).toMatch(/^too large: REGISTER[\s\S]*\r\n\r\n$/);
    expect(feed([register(1, '', `Content-Length: ${'9'.repeat(40)}`)])[0]).toMatch(/^too large/);
  });

  it.each([
    ['TLS', '\u0016\u0003\u0001\u0002\u0000\u0001'],
    ['HTTP', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['another control character', `\u0001${register(1)}`],
    ['a byte that begins no token', `\u00e9${register(1)}`],
    ['an empty version', 'REGISTER sip:a \r\n\r\n'],
  ])('sees at once what is no SIP: %s', (_what, stream) => {
    expect(feed([stream])[0]).toMatch(/^not SIP/);
  });

  it('frames every message of the torture tests, joined with another, the same split at every byte', () => {
    const folder = join(import.meta.dirname, '../vectors/rfc4475');
    for (const name of readdirSync(folder).filter((file) => file.endsWith('.dat'))) {
      const text = readFileSync(join(folder, name), 'latin1');
      const whole = comparable(feed([text + register(9)]));
      for (let at = 1; at < text.length; at += 1 + (at >> 8))
        expect(comparable(feed([text.slice(0, at), text.slice(at) + register(9)])), name).toEqual(whole);
    }
  });
});
