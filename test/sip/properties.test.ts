// Properties of the parser over generated input: what is written is read back; nothing throws, hangs, reads or writes outside;
// what lies around a message does not matter.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as E from '../../src/sip/parser/parse-error.ts';
import * as T from '../../src/sip/parser/span-table.ts';
import { canonicalAor, parseUri } from '../../src/sip/uri/uri.ts';
import { uriEquals } from '../../src/sip/uri/uri-equality.ts';
import { ascii, Writer } from '../../src/sip/writer.ts';
import { message, parsed, parsedAmong } from './parsed-message.ts';

const encoder = new TextEncoder();

const pick = (characters: string) => fc.constantFrom(...characters);
const ALPHANUM = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';
const token = fc.string({ unit: pick(`${ALPHANUM}-.!%*_+\`'~`), minLength: 1, maxLength: 12 });
const name = fc.string({ unit: pick(ALPHANUM), minLength: 1, maxLength: 8 });
const quoted = fc
  .string({ unit: fc.constantFrom(...ALPHANUM, ' ', ',', ';', '<', '>', 'ж', '\\"', '\\\\', '\\\0'), maxLength: 12 })
  .map((text) => `"${text}"`);
const user = fc.string({ unit: fc.constantFrom(...`${ALPHANUM}-_.!~*'()&=+$,;?/`, '%40', '%00', '%c3'), minLength: 1 });
const host = fc.oneof(
  fc.string({ unit: pick(`${ALPHANUM}-.`), minLength: 1, maxLength: 20 }),
  fc.constantFrom('192.0.2.1', '[2001:db8::1]', '[::ffff:192.0.2.1]'),
);
const port = fc.option(fc.integer({ min: 0, max: 65_535 }));
/** OWS: nothing, spaces, or a fold. */
const space = fc.constantFrom('', '', ' ', '\t', '\r\n ', ' \r\n\t ');

const uniqueNames = (except: readonly string[] = []) =>
  fc.uniqueArray(name, { maxLength: 4, selector: (text) => text.toLowerCase() }).map((names) => {
    return names.filter((text) => !except.includes(text.toLowerCase()));
  });
const params = (value: fc.Arbitrary<string>, except: readonly string[] = []) =>
  uniqueNames(except).chain((names) =>
    fc.tuple(...names.map((text) => fc.tuple(fc.constant(text), fc.option(value)))),
  ) as fc.Arbitrary<[string, string | null][]>;
const paramText = ([text, value]: readonly [string, string | null]) => (value === null ? text : `${text}=${value}`);

const uri = fc
  .record({ scheme: fc.constantFrom('sip', 'sips', 'SIP'), user: fc.option(user), host, port, params: params(name) })
  .map((parts) => {
    const { scheme, user, host, port, params } = parts;
    const text = `${scheme}:${user === null ? '' : `${user}@`}${host}${port === null ? '' : `:${port}`}`;
    const list = params.map((param) => `;${paramText(param)}`).join('');
    return { ...parts, text: text + list, paramText: list };
  });
type Uri = typeof uri extends fc.Arbitrary<infer U> ? U : never;

const expectedUri = (part: Uri) => ({
  text: part.text,
  user: part.user,
  host: part.host.replace(/(.)\.$/, '$1'), // the root's dot is not part of it
  port: part.port ?? T.ABSENT,
  params: part.paramText === '' ? null : part.paramText,
});

const contact = fc.record({
  display: fc.option(quoted),
  uri,
  params: params(fc.oneof(token, quoted), ['expires', 'q']),
  expires: fc.option(fc.nat(2 ** 31 - 1)),
  q: fc.option(fc.nat(1000)),
  space,
});
const via = fc.record({ transport: token, host, port, branch: fc.option(token), space });

const request = fc.record({
  requestUri: uri,
  method: token,
  from: fc.record({ display: fc.option(quoted), uri, tag: fc.option(token) }),
  to: fc.record({ display: fc.option(quoted), uri, tag: fc.option(token) }),
  callId: token,
  cseq: fc.nat(2 ** 32 - 1),
  maxForwards: fc.nat(255),
  expires: fc.option(fc.nat(2 ** 31 - 1)),
  vias: fc.array(via, { minLength: 1, maxLength: 5 }),
  contacts: fc.array(contact, { maxLength: 5 }),
  rows: fc.boolean(),
  compact: fc.boolean(),
  space,
  body: fc.string({ maxLength: 30 }),
  junk: fc.string({ maxLength: 10 }),
});
type Request = typeof request extends fc.Arbitrary<infer R> ? R : never;

const viaText = (part: Request['vias'][number]) =>
  `SIP/2.0/${part.transport} ${part.host}${part.port === null ? '' : `${part.space}:${part.space}${part.port}`}` +
  (part.branch === null ? '' : `${part.space};${part.space}branch${part.space}=${part.space}${part.branch}`);

const contactText = (part: Request['contacts'][number]) =>
  [
    `${part.display === null ? '' : part.display + part.space}<${part.uri.text}>`,
    ...part.params.map(paramText),
    ...(part.expires === null ? [] : [`expires=${part.expires}`]),
    ...(part.q === null ? [] : [`q=${(part.q / 1000).toFixed(3)}`]),
  ].join(`${part.space};${part.space}`);

/** The message, through the Writer. */
function write(part: Request): Uint8Array {
  const bytes = new Uint8Array(20_000);
  const writer = new Writer();
  writer.start(bytes, 0, bytes.length);
  const text = (value: string) => writer.text(encoder.encode(value));
  const header = (long: string, compact: string, value: string) =>
    text(`${part.compact ? compact : long}${part.space.includes('\n') ? ' ' : part.space}:${part.space}${value}\r\n`);
  const list = (long: string, compact: string, values: string[]) => {
    if (part.rows) for (const value of values) header(long, compact, value);
    else if (values.length > 0) header(long, compact, values.join(`${part.space},${part.space}`));
  };
  const address = ({ display, uri, tag }: Request['to']) =>
    `${display ?? ''}${part.space}<${uri.text}>${tag === null ? '' : `${part.space};tag=${tag}`}`;
  const body = encoder.encode(part.body);
  text(`${part.method} ${part.requestUri.text} SIP/2.0\r\n`);
  list('Via', 'v', part.vias.map(viaText));
  header('From', 'f', address(part.from));
  header('To', 't', address(part.to));
  header('Call-ID', 'i', part.callId);
  text('CSeq: ');
  writer.number(part.cseq);
  text(` ${part.method}\r\nMax-Forwards: `);
  writer.number(part.maxForwards);
  writer.text(ascii('\r\n'));
  if (part.expires !== null) header('Expires', 'Expires', `${part.expires}`);
  list('Contact', 'm', part.contacts.map(contactText));
  header('Content-Length', 'l', `${body.length}`);
  text('\r\n');
  writer.span(body, 0, body.length);
  text(part.junk);
  expect(writer.overflow).toBe(false);
  return bytes.slice(0, writer.at);
}

const vectors = ['rfc4475', 'rfc5118'].flatMap((set) => {
  const folder = join(import.meta.dirname, '../vectors', set);
  return readdirSync(folder)
    .filter((file) => file.endsWith('.dat'))
    .map((file) => new Uint8Array(readFileSync(join(folder, file))));
});
const rich = encoder.encode(
  message({
    via: 'SIP/2.0/UDP [::1]:5;rport;branch=z9hG4bKx;received=1.2.3.4, SIP/2.0/TCP b',
    from: '"A \\" B" <sip:a%40:pw@b:5060;x=y?h=v>;tag=t',
    extra: [
      'Contact: "x, y" <sip:a@[::1]:1;transport=udp>;q=0.5;expires=60;+sip.instance="<urn:uuid:1>";reg-id=1',
      'm: sip:c@d;expires=1,\r\n <tel:+1>',
      'Require: path, x',
      'k: gruu, outbound',
      'Content-Length: 2',
    ],
    body: 'hello',
  }),
);

/** Bytes that mean something to the parser are more likely than others. */
const telling = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom(...'\r\n \t:;,<>"\\%@?=/[]*&.0129aZ\0\x7f', 'é').map((c) => encoder.encode(c)),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('\r\n', '\r\n ', '\r\n\r\n', 'SIP/2.0', '4294967296').map((c) => encoder.encode(c)),
  },
  { weight: 1, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 4 }) },
);
const edit = fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), remove: fc.nat(4), insert: telling });
const mutated = fc
  .tuple(fc.constantFrom(rich, rich, ...vectors), fc.array(edit, { minLength: 1, maxLength: 6 }))
  .map(([bytes, edits]) => {
    let result = bytes;
    for (const { at, remove, insert } of edits) {
      const place = Math.floor(at * result.length);
      result = Uint8Array.from([...result.subarray(0, place), ...insert, ...result.subarray(place + remove)]);
    }
    return result;
  });

/** `parsed` checks every span; this also checks that the surroundings do not matter and are left alone. */
function holds(bytes: Uint8Array): void {
  const first = parsedAmong(0x41, bytes);
  for (const guard of [0x0a, 0x20, 0x22, 0x3b]) expect(parsedAmong(guard, bytes)).toEqual(first);
  expect(first.errorAt).toBeGreaterThanOrEqual(0);
  expect(first.errorAt).toBeLessThanOrEqual(bytes.length);
  for (const { value } of first.rows) expect(value).not.toMatch(/[\r\n]/);
}

describe('the parser', () => {
  it('reads back what was written', () => {
    fc.assert(
      fc.property(request, (part) => {
        const result = parsed(write(part));
        expect(result.error).toBe(E.E_OK);
        expect(result.requestUri).toMatchObject(expectedUri(part.requestUri));
        for (const side of ['from', 'to'] as const)
          expect(result[side]).toMatchObject({ ...part[side], uri: expectedUri(part[side].uri) });
        expect(result).toMatchObject({
          method: part.method,
          cseqMethod: part.method,
          callId: part.callId,
          cseq: part.cseq,
          maxForwards: part.maxForwards,
          expires: part.expires ?? T.ABSENT,
          body: part.body,
        });
        expect(result.vias).toMatchObject(
          part.vias.map(({ transport, host, port, branch }) => ({ transport, host, port: port ?? T.ABSENT, branch })),
        );
        expect(result.contacts.map(({ display, expires, q, uri }) => ({ display, expires, q, uri }))).toMatchObject(
          part.contacts.map(({ display, expires, q, uri }) => ({
            display,
            expires: expires ?? T.ABSENT,
            q: q ?? T.ABSENT,
            uri: expectedUri(uri),
          })),
        );
        result.contacts.forEach((contact, i) => {
          expect(contact.params.slice(0, part.contacts[i].params.length)).toEqual(part.contacts[i].params);
        });
      }),
      { numRuns: 300 },
    );
  });

  it('takes any bytes: no throw, no span outside, the surroundings neither read nor written', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), holds), { numRuns: 300 });
    fc.assert(
      fc.property(fc.array(telling, { maxLength: 60 }), (parts) => {
        const bytes = Uint8Array.from(parts.flatMap((part) => [...part]));
        holds(bytes);
        holds(Uint8Array.from([...encoder.encode('REGISTER sip:h SIP/2.0\r\nContact: '), ...bytes]));
        holds(Uint8Array.from([...encoder.encode('REGISTER sip:h SIP/2.0\r\nVia: SIP/2.0/UDP '), ...bytes]));
      }),
      { numRuns: 200 },
    );
  });

  it('takes any mutated message', () => {
    fc.assert(fc.property(mutated, holds), { numRuns: 1000 });
  });

  it('takes a message cut anywhere', () => {
    for (let end = 0; end <= rich.length; end++) holds(rich.slice(0, end));
  });

  it('says the same about a message it has unfolded', () => {
    fc.assert(
      fc.property(request, (part) => {
        const bytes = write(part);
        const first = parsedAmong(0x41, bytes);
        expect(first.error).toBe(E.E_OK);
        expect(parsed(bytes)).toEqual(first);
      }),
      { numRuns: 50 },
    );
  });
});

describe('URIs', () => {
  const table = new Int32Array(2 * T.URI_INTS);
  const anyUri = fc.oneof(
    uri.map(({ text }) => text),
    fc
      .tuple(
        fc.constantFrom('sip:', 'sips:', 'tel:', 'x:', ''),
        fc.string({ unit: fc.constantFrom(...'ab@:;?&=%41[].', '%3b', 'é', ' '), maxLength: 20 }),
      )
      .map(([scheme, rest]) => scheme + rest),
  );

  it('parse alike among any bytes, and never outside', () => {
    fc.assert(
      fc.property(anyUri, fc.constantFrom(...'0a;@>% '), (text, guard) => {
        const bytes = encoder.encode(text);
        const among = encoder.encode(`${guard.repeat(5)}${text}${guard.repeat(5)}`);
        const first = parseUri(bytes, 0, bytes.length, table, 0);
        expect(parseUri(among, 5, 5 + bytes.length, table, T.URI_INTS)).toBe(first);
        for (let i = 1; i < T.URI_INTS; i++) {
          const [a, b] = [table[i], table[T.URI_INTS + i]];
          expect(b).toBe(a === T.ABSENT || i === T.URI_PORT ? a : a + 5);
          if (i !== T.URI_PORT) expect(a).toBeLessThanOrEqual(bytes.length);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('R3261-19.1.4-02 R3261-19.1.4-03 R3261-19.1.4-04 equal themselves, reordered and differently spelt', () => {
    const upper = (text: string) => text.toUpperCase().replaceAll(/%[0-9A-F]{2}/g, (hex) => hex.toLowerCase());
    const escaped = (text: string) =>
      text.replaceAll(/%..|[A-Za-z0-9]/g, (c) =>
        c.length > 1 ? c : `%${c.charCodeAt(0).toString(16).padStart(2, '0')}`,
      );
    fc.assert(
      fc.property(uri, ({ scheme, user, host, port, params }) => {
        const spell = (userPart: string | null, hostPart: string, list: typeof params, change: (s: string) => string) =>
          encoder.encode(
            `${scheme}:${userPart === null ? '' : `${userPart}@`}${hostPart}${port === null ? '' : `:${port}`}` +
              list.map((param) => `;${change(paramText(param))}`).join(''),
          );
        const a = spell(user, host, params, (text) => text);
        const b = spell(user && escaped(user), host.toUpperCase(), params.toReversed(), upper);
        expect(parseUri(a, 0, a.length, table, 0)).toBe(E.E_OK);
        expect(parseUri(b, 0, b.length, table, T.URI_INTS)).toBe(E.E_OK);
        expect(uriEquals(a, table, 0, a, table, 0)).toBe(true);
        expect(uriEquals(a, table, 0, b, table, T.URI_INTS)).toBe(true);
        expect(uriEquals(b, table, T.URI_INTS, a, table, 0)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('R3261-10.3-15 R3261-10.3-16 have the AOR that unescaping and lower case give', () => {
    fc.assert(
      fc.property(uri, ({ text, user, host }) => {
        const bytes = encoder.encode(text);
        parseUri(bytes, 0, bytes.length, table, 0);
        const into = new Uint8Array(200);
        const length = canonicalAor(bytes, table, 0, into);
        if (user === null) expect(length).toBe(-1);
        else {
          const plain = Buffer.from(
            user.replaceAll(/%(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
            'latin1',
          );
          expect(Buffer.from(into.subarray(0, length))).toEqual(
            // The root dot names nothing; an IPv6 address is written as URLs have it (RFC 5952).
            Buffer.concat([
              plain,
              Buffer.from(
                `@${host.startsWith('[') ? new URL(`http://${host}`).hostname : host.toLowerCase().replace(/(.)\.$/, '$1')}`,
              ),
            ]),
          );
        }
      }),
    );
  });
});
