// NOTIFYs of registration events: what is told when something changes, when, and what their answers come to (RFC 3680 §4, RFC 6665 §4.2.2,
// RFC 3261 §17.1.2).

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FlowLiveness } from '../../../src/core/binding/live-flow.ts';
import { TRANSPORT_TCP } from '../../../src/sip/sources.ts';
import { bindings } from '../../support/requests.ts';
import { header } from '../../support/sip-client.ts';
import { register } from '../../support/virtual-shard.ts';
import { WatchedShard } from '../../support/watched-shard.ts';
import { type Notified, ReginfoTable, readNotify, responseTo } from '../../support/watcher.ts';

const DESK = '<sip:desk@192.0.2.8>';
const CELL = '<sip:cell@192.0.2.9>';
const INTERVAL_MS = 5000;

const events = ({ reginfo }: Notified) => reginfo.contacts.map(({ uri, event }) => `${uri} ${event}`);

describe('a change', () => {
  it('R3680-4.3-01 R3680-5.1-02 is told as the contacts that changed', () => {
    const s = new WatchedShard();
    s.send(register({ contacts: [DESK] }));
    s.watch();
    s.pass(INTERVAL_MS);
    s.send(register({ cseq: 2, contacts: [CELL] }));
    const [{ reginfo, subscription, cseq }] = s.notified();
    expect(reginfo).toMatchObject({ version: 1, state: 'partial', registration: 'active' });
    expect(reginfo.contacts).toMatchObject([{ uri: 'sip:cell@192.0.2.9', event: 'registered', state: 'active' }]);
    expect([cseq, subscription]).toEqual([2, 'active;expires=3756']);
  });

  it('R3680-4.7.1-03 R3680-5.1-04 has the event of its cause, and its contact its id', () => {
    const s = new WatchedShard({ policy: { contactsPerAorMax: 2 } });
    const { first } = s.watch();
    expect(first.reginfo.contacts).toEqual([]);
    let cseq = 0;
    const told = (contacts: readonly string[], expires = 600) => {
      s.pass(INTERVAL_MS);
      s.send(register({ cseq: ++cseq, contacts, expires }));
      return s.notified().flatMap(events);
    };
    expect(told([DESK])).toEqual(['sip:desk@192.0.2.8 registered']);
    expect(told([DESK])).toEqual(['sip:desk@192.0.2.8 refreshed']);
    expect(told([CELL], 60)).toEqual(['sip:cell@192.0.2.9 registered']);
    expect(told(['<sip:third@192.0.2.7>']).sort()).toEqual([
      'sip:desk@192.0.2.8 rejected',
      'sip:third@192.0.2.7 registered',
    ]);
    expect(told(['<sip:third@192.0.2.7>'], 0)).toEqual(['sip:third@192.0.2.7 unregistered']);
    expect(s.settle(60_000).flatMap(events)).toEqual(['sip:cell@192.0.2.9 expired']);
    const ids = s.requests.flatMap(({ text }) =>
      readNotify(text).reginfo.contacts.map(({ uri, id }) => `${uri} ${id}`),
    );
    expect(new Set(ids).size).toBe(3);
  });

  it.each([
    [
      'a flow that another page takes over',
      '<sip:x@a.invalid>;+sip.instance="<urn:uuid:1>";reg-id=1',
      'sip:x@b.invalid',
    ],
    ['an equal URI, written otherwise', '<sip:x@a.invalid>', 'sip:%78@A.invalid'],
  ])('R3680-5.1-04 of a contact’s URI leaves no row of the old one: %s', (_, contact, uri) => {
    const s = new WatchedShard();
    const extra = ['Supported: path, outbound'];
    s.send(register({ contacts: [contact, `${DESK};expires=0`], extra }));
    s.send(register({ callId: 'desk', contacts: [DESK] }));
    const { first } = s.watch();
    const table = new ReginfoTable();
    table.apply(first.reginfo);
    s.pass(INTERVAL_MS);
    s.send(register({ cseq: 2, contacts: [contact.replace('sip:x@a.invalid', uri)], extra }));
    for (const { reginfo } of s.notified()) table.apply(reginfo);
    expect([...table.contacts.values()].map((row) => row.uri).sort()).toEqual(['sip:desk@192.0.2.8', uri].sort());
  });

  it('R3680-4.7.1-03 R6665-4.2.2-01 of a connection that ends is told as deactivated', () => {
    const ended = new Set<number>();
    const flows: FlowLiveness = { isAlive: (flow) => !ended.has(flow) };
    const s = new WatchedShard({ flows, policy: { connectionBindings: 'flow' } });
    s.watch();
    s.pass(INTERVAL_MS);
    s.send(register({ contacts: [DESK] }), { transport: TRANSPORT_TCP, flow: 5 });
    s.notified();
    s.pass(INTERVAL_MS);
    ended.add(5);
    s.flowsEnded([5]);
    expect(s.settle(2000).map((told) => [...events(told), told.reginfo.registration])).toEqual([
      ['sip:desk@192.0.2.8 deactivated', 'terminated'],
    ]);
  });

  it('R3680-4.7.1-02 to no contact at all is told once, as terminated', () => {
    const s = new WatchedShard();
    s.send(register({ contacts: [DESK] }));
    s.watch();
    s.pass(INTERVAL_MS);
    s.send(register({ cseq: 2, contacts: ['*'], expires: 0 }));
    const told = s.notified();
    s.pass(120_000);
    expect(told.map(({ reginfo }) => [reginfo.state, reginfo.registration])).toEqual([['partial', 'terminated']]);
    expect(s.notified()).toEqual([]);
  });

  it('R3680-4.10-01 is told at most every 5 s, whatever happens meanwhile', () => {
    const s = new WatchedShard();
    s.watch();
    const told: Notified[] = [];
    for (let cseq = 1; cseq <= 40; cseq++) {
      s.send(register({ cseq, contacts: [cseq % 3 === 0 ? CELL : DESK] }));
      told.push(...s.settle(250));
    }
    told.push(...s.settle(10_000));
    expect(s.requests.every(({ at }, i) => i === 0 || at - s.requests[i - 1].at >= INTERVAL_MS)).toBe(true);
    expect(told.map(({ reginfo }) => reginfo.version)).toEqual([1, 2]);
    expect(told[0].reginfo.contacts.length).toBe(2);
  });

  it('is told in time, and the subscription ends in time, where the clock has been set back', () => {
    const s = new WatchedShard();
    s.watch({ expires: 600 });
    s.pass(INTERVAL_MS);
    s.now -= 7_200_000;
    s.send(register({ contacts: [DESK] }));
    expect(s.settle(INTERVAL_MS).map(events)).toEqual([['sip:desk@192.0.2.8 registered']]);
    expect(s.settle(600_000).at(-1)?.subscription).toBe('terminated;reason=timeout');
    expect(s.counter('subscriptions')).toBe(0);
  });

  it('is told of watched AORs alone, and to each of their subscribers', () => {
    const s = new WatchedShard();
    s.watch({ callId: 'one' });
    s.watch({ callId: 'two' });
    s.pass(INTERVAL_MS);
    s.send(register({ to: '<sip:bob@example.com>', contacts: [DESK] }));
    expect(s.notified()).toEqual([]);
    s.send(register({ contacts: [DESK], callId: 'phone' }));
    expect(s.notified().map(({ text }) => header(text, 'Call-ID'))).toEqual(['one', 'two']);
  });

  it('R3680-5.1-02 told in parts adds up to the full state', () => {
    const contact = fc.integer({ min: 1, max: 4 });
    const step = fc.record({
      contact,
      expires: fc.constantFrom(0, 60, 600),
      ms: fc.constantFrom(0, 300, 5000, 61_000),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        const s = new WatchedShard({ policy: { contactsPerAorMax: 3 } });
        const known = new ReginfoTable();
        known.apply(s.watch({ expires: 80_000 }).first.reginfo);
        for (const [i, { contact, expires, ms }] of steps.entries()) {
          s.send(register({ cseq: i + 1, contacts: [`<sip:c${contact}@192.0.2.9>`], expires }));
          for (const { reginfo } of s.settle(ms)) known.apply(reginfo);
        }
        for (const { reginfo } of s.settle(INTERVAL_MS + 1000)) known.apply(reginfo);
        expect([...known.contacts.values()].map(({ uri }) => uri).sort()).toEqual(
          bindings(s)
            .map(({ uri }) => uri)
            .sort(),
        );
      }),
      { numRuns: 60 },
    );
  });
});

describe('a NOTIFY over UDP', () => {
  it('R6665-4.2.2-03 is sent again by timers E and F, and the subscription is given up', () => {
    const s = new WatchedShard();
    const { header: of } = s.subscribe();
    s.pass(40_000);
    const began = s.requests[0].at;
    const times = s.requests.map(({ at }) => Math.round((at - began) / 100) / 10);
    expect(times).toEqual([0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]);
    expect(new Set(s.requests.map(({ text }) => text)).size).toBe(1);
    expect([s.counter('subscriptions'), s.counter('notify_timeouts')]).toEqual([0, 1]);
    expect(s.subscribe({ to: of('To')[0], cseq: 2 }).status).toBe(481);
  });

  it('R6665-4.2.2-03 is sent again, too, where the clock has been set back meanwhile', () => {
    const s = new WatchedShard();
    s.subscribe();
    s.notified(0);
    s.now -= 7_200_000;
    s.pass(60_000);
    expect([s.counter('notify_resent'), s.counter('subscriptions')]).toEqual([10, 0]);
  });

  it('is not sent again once it is answered, and not before: changes wait', () => {
    const s = new WatchedShard();
    s.subscribe();
    s.send(register({ contacts: [DESK] }));
    s.pass(6000);
    expect(s.requests.every(({ text }) => readNotify(text).cseq === 1)).toBe(true);
    s.notified();
    s.pass(100);
    expect(s.notified().map(({ cseq, reginfo }) => [cseq, reginfo.state])).toEqual([[2, 'partial']]);
  });

  it('is superseded by the one that a SUBSCRIBE draws', () => {
    const s = new WatchedShard();
    const to = s.subscribe().header('To')[0];
    s.pass(600);
    s.subscribe({ to, cseq: 2 });
    s.pass(5000);
    const sent = s.requests.map(({ text }) => readNotify(text).cseq);
    expect(sent.slice(0, 3)).toEqual([1, 1, 2]);
    expect(sent.slice(3).every((cseq) => cseq === 2)).toBe(true);
    const late = responseTo(s.requests[0].text, 481);
    s.send(late);
    expect(s.counter('subscriptions')).toBe(1);
  });
});

describe('an answer', () => {
  it.each([404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604])(
    'R6665-4.2.2-03 of %s ends the subscription without another word',
    (status) => {
      const s = new WatchedShard();
      s.subscribe();
      s.notified(status);
      s.send(register({ contacts: [DESK] }));
      s.pass(60_000);
      expect([s.requests.length, s.counter('subscriptions')]).toEqual([1, 0]);
    },
  );

  it.each([302, 401, 403, 500, 503])('of %s is a NOTIFY missed: the next one tells the full state', (status) => {
    const s = new WatchedShard();
    s.watch();
    s.pass(INTERVAL_MS);
    s.send(register({ contacts: [DESK] }));
    s.notified(status);
    s.pass(20_000);
    expect(s.notified()).toEqual([]);
    s.send(register({ cseq: 2, contacts: [CELL] }));
    const [{ reginfo }] = s.notified();
    expect([reginfo.state, reginfo.contacts.length, s.counter('notify_refused')]).toEqual(['full', 2, 1]);
  });

  it('that is provisional, or of a stranger, ends nothing', () => {
    const s = new WatchedShard();
    s.subscribe();
    const { text } = s.requests[0];
    s.send(responseTo(text, 100));
    s.send(responseTo(text.replace(/branch=(z9hG4bKr.{8})[^;]*/, 'branch=$10000000000000000'), 481));
    s.send(responseTo(text.replace('z9hG4bKr', 'z9hG4bKx'), 481));
    expect(s.counter('subscriptions')).toBe(1);
    s.pass(600);
    expect(s.requests.length).toBe(2);
  });

  it('goes to the shard whose NOTIFY it answers', () => {
    const two = [0, 1].map((index) => new WatchedShard({ index, shards: 2 }));
    const owner = two[0].send(register({ contacts: [DESK] })) === undefined ? 1 : 0;
    two[owner].subscribe();
    const answer = responseTo(two[owner].requests[0].text, 481);
    two[1 - owner].send(answer);
    expect(two[1 - owner].forwarded.at(-1)).toEqual({ owner, text: answer });
    two[owner].send(answer);
    expect(two[owner].counter('subscriptions')).toBe(0);
  });
});

describe('a NOTIFY over a connection', () => {
  const source = { transport: TRANSPORT_TCP, flow: 9 };

  it('leaves by that of the SUBSCRIBE, once', () => {
    const s = new WatchedShard();
    s.subscribe({}, source);
    s.pass(20_000);
    expect(s.requests).toMatchObject([{ flow: 9 }]);
    expect(header(s.requests[0].text, 'Via')).toMatch(/^SIP\/2\.0\/TCP /);
    s.pass(15_000);
    expect(s.counter('notify_timeouts')).toBe(1);
  });

  it('waits for a refresh where that has ended', () => {
    const ended = new Set<number>();
    const s = new WatchedShard({ flows: { isAlive: (flow) => !ended.has(flow) } });
    const { to } = s.watch({}, source);
    ended.add(9);
    s.pass(INTERVAL_MS);
    s.send(register({ contacts: [DESK] }));
    s.pass(60_000);
    expect(s.notified()).toEqual([]);
    expect(s.subscribe({ to, cseq: 2 }, { ...source, flow: 10 }).status).toBe(200);
    expect(s.notified().map(({ reginfo }) => [reginfo.version, reginfo.contacts.length])).toEqual([[1, 1]]);
    expect(s.requests.at(-1)?.flow).toBe(10);
  });

  it('is the last to nobody where the connection is gone', () => {
    const ended = new Set<number>();
    const s = new WatchedShard({ flows: { isAlive: (flow) => !ended.has(flow) } });
    s.watch({ expires: 60 }, source);
    ended.add(9);
    s.pass(61_000);
    expect([s.notified().length, s.counter('subscriptions')]).toEqual([0, 0]);
  });
});
