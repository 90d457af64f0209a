// NOTIFYs that are too large for UDP (RFC 3261 §18.1.1), in virtual time: who is sent them by TCP, and what comes of those that find no answer there.

import { describe, expect, it } from 'vitest';
import { TRANSPORT_TCP, TRANSPORT_UDP } from '../../../src/sip/sources.ts';
import { register } from '../../support/virtual-shard.ts';
import { WatchedShard } from '../../support/watched-shard.ts';
import { readNotify, subscribe } from '../../support/watcher.ts';

const HOUR_MS = 3_600_000;
const CONTACTS = Array.from({ length: 5 }, (_, i) => `<sip:phone-${i}@192.0.2.8>`);

function shard(opensTcp = true): WatchedShard {
  const s = new WatchedShard({ opensTcp });
  s.send(register({ contacts: CONTACTS, expires: 80_000 }));
  return s;
}

const via = (text: string) => /\r\nVia: SIP\/2\.0\/(\w+) /.exec(text)?.[1];

describe('R3261-18.1.1-02 a large NOTIFY', () => {
  it('is for TCP, names it, and is not repeated', () => {
    const s = shard();
    s.subscribe({ expires: 80_000 });
    s.pass(20_000);
    const [{ text, transport, flow, ip, port }, ...others] = s.requests;
    expect([via(text), transport, flow, ip, port]).toEqual(['TCP', TRANSPORT_TCP, 0, '192.0.2.9', 5060]);
    expect(others).toEqual([]);
    s.notified();
    s.pass(20_000);
    expect([s.requests.length, s.counter('subscriptions'), s.counter('notify_timeouts')]).toEqual([1, 1, 0]);
  });

  it('that found no connection is the same by UDP at once, with the copies of timer E', () => {
    const s = shard();
    s.subscribe({ expires: 80_000 });
    s.notSent(s.requests[0]);
    s.batch([]);
    s.pass(1600);
    const [large, ...copies] = s.requests;
    expect(copies.map(({ transport, at }) => [transport, at - large.at])).toEqual([
      [TRANSPORT_UDP, 0],
      [TRANSPORT_UDP, 500],
      [TRANSPORT_UDP, 1500],
    ]);
    for (const { text } of copies) expect(text).toBe(large.text.replace('Via: SIP/2.0/TCP', 'Via: SIP/2.0/UDP'));
  });

  it('that no connection has an answer to goes by UDP behind timer F, and the subscription ends with that one’s', () => {
    const s = shard();
    s.subscribe({ expires: 80_000 });
    s.pass(32_000);
    expect(s.requests.map(({ transport, at }) => [transport, at - s.requests[0].at]).slice(0, 2)).toEqual([
      [TRANSPORT_TCP, 0],
      [TRANSPORT_UDP, 32_000],
    ]);
    expect(s.counter('subscriptions')).toBe(1);
    s.pass(32_000);
    expect([s.counter('subscriptions'), s.counter('notify_timeouts')]).toEqual([0, 1]);
  });

  it('goes by UDP to a peer that has refused TCP, for an hour', () => {
    const s = shard();
    const { to } = s.watch({ expires: 80_000 });
    s.notSent(s.requests[0]);
    const told = (cseq: number) => {
      s.subscribe({ to, cseq, expires: 80_000 });
      s.notified();
      return s.requests.at(-1)?.transport;
    };
    s.pass(HOUR_MS - 1000);
    expect(told(2)).toBe(TRANSPORT_UDP);
    s.pass(2000);
    expect(told(3)).toBe(TRANSPORT_TCP);
  });

  it('that a SUBSCRIBE has replaced meanwhile is not sent any more', () => {
    const s = shard();
    const { status, text } = s.subscribe({ expires: 80_000 });
    const [, to] = /\r\nTo: (.*)\r\n/.exec(text) ?? [];
    s.subscribe({ to, cseq: 2, expires: 80_000 });
    s.notSent(s.requests[0]);
    s.pass(100);
    expect([status, ...s.requests.map(({ text }) => readNotify(text).cseq)]).toEqual([200, 1, 2]);
  });

  it('goes by UDP where nobody opens connections, and by its own connection to whom came by one', () => {
    const closed = shard(false);
    closed.subscribe();
    const byConnection = shard();
    byConnection.send(subscribe(), { transport: TRANSPORT_TCP, flow: 7 });
    expect([closed, byConnection].map(({ requests: [{ transport, flow }] }) => [transport, flow])).toEqual([
      [TRANSPORT_UDP, 0],
      [TRANSPORT_TCP, 7],
    ]);
  });

  it('is one of more than 1,300 bytes', () => {
    const first = (name: number) => {
      const s = new WatchedShard({ opensTcp: true });
      s.send(register({ contacts: [`<sip:${'x'.repeat(name)}@192.0.2.8>`] }));
      s.subscribe();
      const [{ text, transport }] = s.requests;
      return [text.length, transport];
    };
    const more = 1300 - first(200)[0];
    expect([first(200 + more), first(201 + more)]).toEqual([
      [1300, TRANSPORT_UDP],
      [1301, TRANSPORT_TCP],
    ]);
  });
});
