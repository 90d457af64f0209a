// What a NATS server says, in pieces and whole, and what is said to it.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  NATS_BAD,
  NATS_ERR,
  NATS_INFO,
  NATS_MORE,
  NATS_MSG,
  NATS_OK,
  NATS_PING,
  NATS_PONG,
  NatsReader,
  NatsWriter,
} from '../../../src/transport/nats/nats-wire.ts';

const bytesOf = (text: string) => new Uint8Array(Buffer.from(text, 'latin1'));

/** Kinds of all messages in a text, and where the rest begins. */
function kinds(text: string): { kinds: number[]; rest: string } {
  const reader = new NatsReader();
  const bytes = bytesOf(text);
  const found: number[] = [];
  let at = 0;
  for (;;) {
    const kind = reader.next(bytes, at, bytes.length);
    if (kind === NATS_MORE) return { kinds: found, rest: text.slice(at) };
    found.push(kind);
    if (kind === NATS_BAD) return { kinds: found, rest: text.slice(at) };
    at = reader.end;
  }
}

describe('what a server says', () => {
  it('is told apart, be there one CR LF or one LF', () => {
    expect(kinds('INFO {"a":1}\r\nPING\r\nPONG\n+OK\r\n-ERR \'Authorization Violation\'\r\n')).toEqual({
      kinds: [NATS_INFO, NATS_PING, NATS_PONG, NATS_OK, NATS_ERR],
      rest: '',
    });
  });

  it('has messages with and without reply and headers', () => {
    const reader = new NatsReader();
    const bytes = bytesOf('MSG a.b 7 3\r\nxyz\r\nHMSG a.b 7 re.ply 27 30\r\nNATS/1.0 100 Idle\r\nA: b\r\n\r\nxyz\r\n');
    expect(reader.next(bytes, 0, bytes.length)).toBe(NATS_MSG);
    expect([reader.subject(bytes), reader.sid, reader.reply(bytes), reader.payload(bytes)]).toEqual([
      'a.b',
      7,
      '',
      'xyz',
    ]);
    expect(reader.status(bytes)).toBe(0);
    expect(reader.next(bytes, reader.end, bytes.length)).toBe(NATS_MSG);
    expect([reader.reply(bytes), reader.status(bytes), reader.header(bytes, 'A')]).toEqual(['re.ply', 100, 'b']);
    expect(reader.payload(bytes)).toBe('xyz');
    expect(reader.header(bytes, 'B')).toBeUndefined();
  });

  it('waits for what is not there yet, wherever it is cut', () => {
    const whole = 'HMSG s 1 r 12 15\r\nNATS/1.0\r\n\r\nabc\r\n';
    for (let cut = 0; cut < whole.length; cut++)
      expect(kinds(whole.slice(0, cut)), `cut at ${cut}`).toEqual({ kinds: [], rest: whole.slice(0, cut) });
    expect(kinds(whole).kinds).toEqual([NATS_MSG]);
  });

  it('is refused where it is no NATS: a line without end, wrong sizes, a payload that does not end', () => {
    for (const text of [
      'GET / HTTP/1.1\r\n',
      '\r\n',
      'MSG a\r\n',
      'MSG a 1 -3\r\n',
      'MSG a 1 99999999999\r\n',
      'HMSG a 1 9 3\r\nabc\r\n',
      'MSG a 1 3\r\nabcde\r\n',
      `INFO ${'x'.repeat(70_000)}`,
    ])
      expect(kinds(text).kinds.at(-1), text.slice(0, 40)).toBe(NATS_BAD);
  });

  it('never breaks the reader, whatever it is', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('MSG ', 'HMSG ', 'a ', '1 ', '3', '\r\n', 'abc', '-', 'PING', '\0') }),
        (text) => {
          const reader = new NatsReader();
          const bytes = bytesOf(text);
          for (let at = 0; ; at = reader.end) {
            const kind = reader.next(bytes, at, bytes.length);
            if (kind === NATS_MORE || kind === NATS_BAD) return;
            expect(reader.end).toBeGreaterThan(at);
            expect(reader.end).toBeLessThanOrEqual(bytes.length);
          }
        },
      ),
    );
  });
});

describe('what is said to a server', () => {
  const said = (writer: NatsWriter) => Buffer.from(writer.bytes.subarray(0, writer.length)).toString('latin1');

  it('has sizes of headers and payload in bytes', () => {
    const writer = new NatsWriter();
    writer.publish('log.1', 'inbox.p.9', 'Nats-Expected-Last-Sequence: 41\r\n', bytesOf('frame!'), 5);
    writer.publish('beat', '', '', bytesOf('xy'));
    writer.subscribe('inbox.>', 1);
    expect(said(writer)).toBe(
      'HPUB log.1 inbox.p.9 45 50\r\nNATS/1.0\r\nNats-Expected-Last-Sequence: 41\r\n\r\nframe\r\nPUB beat 2\r\nxy\r\nSUB inbox.> 1\r\n',
    );
  });

  it('grows as it must, and forgets what was sent', () => {
    const writer = new NatsWriter();
    const large = new Uint8Array(300_000).fill(65);
    writer.publish('s', '', '', large);
    expect(writer.length).toBe('PUB s 300000\r\n'.length + 300_002);
    writer.sent(writer.length - 3);
    expect(said(writer)).toBe('A\r\n');
  });
});
