// SUBSCRIBE for registration events (RFC 6665 §4.2, RFC 3680 §4): who is served, for how long, and what the first NOTIFY is.

import { describe, expect, it } from 'vitest';
import { TRANSPORT_TCP } from '../../../src/sip/sources.ts';
import { overwriteAnswers, request } from '../../support/requests.ts';
import { headers } from '../../support/sip-client.ts';
import { register, VirtualShard } from '../../support/virtual-shard.ts';
import { WatchedShard } from '../../support/watched-shard.ts';
import { subscribe } from '../../support/watcher.ts';

const CONTACT = '<sip:alice@192.0.2.9>';
const state = (text: string) => Number(/expires=(\d+)/.exec(text)?.[1]);

describe('a subscription', () => {
  it('R6665-4.2.1.2-01 R6665-4.2.2-01 R6665-3.2.1-01 R3680-4.3-01 is told the full state at once, in its dialog', () => {
    const s = new WatchedShard();
    s.send(register({ contacts: [`${CONTACT};q=0.5;+sip.instance="<urn:uuid:1>"`], expires: 600 }));
    const answer = s.subscribe({ expires: 600, event: 'reg;id=5', accept: 'application/*, text/plain;q=0.1' });
    const [{ text, requestUri, cseq, subscription, reginfo }] = s.notified();
    expect(answer.status).toBe(200);
    expect(requestUri).toBe('sip:watcher@192.0.2.9:5070');
    expect(s.requests[0]).toMatchObject({ ip: '192.0.2.9', port: 5060 });
    expect(headers(text, 'From')).toEqual(answer.header('To'));
    expect(headers(text, 'To', 'Call-ID', 'Event')).toEqual(['<sip:alice@example.com>;tag=w1', 'watch-1', 'reg;id=5']);
    expect(headers(text, 'Via')[0]).toMatch(/^SIP\/2\.0\/UDP 192\.0\.2\.1:5060;branch=z9hG4bK/);
    expect([cseq, subscription]).toEqual([1, 'active;expires=600']);
    expect(reginfo).toMatchObject({ version: 0, state: 'full', aor: 'sip:alice@example.com', registration: 'active' });
    expect(reginfo.contacts).toMatchObject([
      {
        ...{ uri: 'sip:alice@192.0.2.9', state: 'active', event: 'registered' },
        params: { '+sip.instance': '"<urn:uuid:1>"' },
        attributes: { expires: '600', q: '0.5', callid: 'call-1', cseq: '1', 'duration-registered': '0' },
      },
    ]);
  });

  it('R3680-4.7.1-01 R3680-4.4-01 may be to an AOR without contacts, and lasts 3761 s where it does not say', () => {
    const s = new WatchedShard();
    expect(s.subscribe().header('Expires')).toEqual(['3761']);
    const [{ subscription, reginfo }] = s.notified();
    expect(state(subscription)).toBe(3761);
    expect(reginfo).toMatchObject({ state: 'full', registration: 'init', contacts: [] });
  });

  it('R6665-3.1.1-01 is granted no more than it asks for', () => {
    const s = new WatchedShard({ subscriptionPolicy: { maxExpiresS: 900 } });
    expect(s.subscribe({ expires: 600 }).header('Expires')).toEqual(['600']);
    expect(s.subscribe({ expires: 4000, callId: 'other' }).header('Expires')).toEqual(['900']);
    expect(s.notified().map(({ subscription }) => state(subscription))).toEqual([600, 900]);
  });

  it('R6665-4.5.1-01 R5628-5-01 R5627-5.5-01 has a GRUU as its Contact, and tells public GRUUs', () => {
    const s = new WatchedShard();
    const extra = ['Supported: gruu'];
    const [row] =
      s.send(register({ contacts: [`${CONTACT};+sip.instance="<urn:uuid:a1>"`], extra }))?.header('Contact') ?? [];
    const answer = s.subscribe();
    const [{ text, reginfo }] = s.notified();
    expect(answer.header('Contact')[0]).toMatch(/^<sip:alice@example\.com;gr=urn:uuid:[0-9a-f-]{36}>$/);
    expect(headers(text, 'Contact')).toEqual(answer.header('Contact'));
    expect(reginfo.contacts[0].gruu).toBe(/pub-gruu="([^"]*)"/.exec(row)?.[1]);
    const off = new WatchedShard({ policy: { gruu: 'off' } });
    off.send(register({ contacts: [`${CONTACT};+sip.instance="<urn:uuid:a1>"`] }));
    off.subscribe();
    expect(off.notified()[0].reginfo.contacts[0].gruu).toBeUndefined();
  });

  it('R6665-4.2.1.2-01 R6665-4.2.1.4-01 R3680-5.1-02 R3680-5.1-03 R3680-5.1-04 is refreshed, shortened and told all anew, with the same ids', () => {
    const s = new WatchedShard();
    s.send(register({ contacts: [CONTACT, '<sip:desk@192.0.2.8>'] }));
    const { to, first } = s.watch({ expires: 600 });
    s.pass(10_000);
    const answer = s.subscribe({ to, cseq: 2, expires: 300 });
    expect([answer.status, answer.header('Expires')[0]]).toEqual([200, '300']);
    const [again] = s.notified();
    expect([again.cseq, again.reginfo.version, again.reginfo.state]).toEqual([2, 1, 'full']);
    expect(again.subscription).toBe('active;expires=300');
    const ids = ({ reginfo }: typeof first) => [reginfo.id, ...reginfo.contacts.map(({ id }) => id)];
    expect(ids(again)).toEqual(ids(first));
    expect(new Set(ids(first)).size).toBe(3);
    expect(s.counter('subscriptions')).toBe(1);
  });

  it('R6665-4.2.1.2-01 R6665-4.2.2-02 ends with Expires 0, and with a last NOTIFY', () => {
    const s = new WatchedShard();
    const { to } = s.watch();
    expect(s.subscribe({ to, cseq: 2, expires: 0 }).header('Expires')).toEqual(['0']);
    const [last] = s.notified();
    expect([last.subscription, last.reginfo.state]).toEqual(['terminated;reason=timeout', 'full']);
    expect(s.subscribe({ to, cseq: 3 }).status).toBe(481);
    expect(s.counter('subscriptions')).toBe(0);
  });

  it('R6665-4.2.1.2-01 R3680-4.3-01 may be a fetch: one NOTIFY with the full state', () => {
    const s = new WatchedShard();
    s.send(register({ contacts: [CONTACT] }));
    expect(s.subscribe({ expires: 0 }).status).toBe(200);
    const [only, ...others] = s.notified();
    expect(only.subscription).toBe('terminated;reason=timeout');
    expect(only.reginfo).toMatchObject({ version: 0, state: 'full', contacts: [{ uri: 'sip:alice@192.0.2.9' }] });
    s.send(register({ cseq: 2, contacts: [CONTACT] }));
    s.pass(60_000);
    expect([...others, ...s.notified()]).toEqual([]);
    expect(s.counter('subscriptions')).toBe(0);
  });

  it('R6665-4.2.1.4-02 R6665-4.2.2-02 ends where it is not refreshed, and says so', () => {
    const s = new WatchedShard();
    const { to } = s.watch({ expires: 60 });
    s.pass(59_000);
    expect(s.notified()).toEqual([]);
    expect(s.settle(2000).map(({ subscription }) => subscription)).toEqual(['terminated;reason=timeout']);
    expect(s.subscribe({ to, cseq: 2 }).status).toBe(481);
    expect(s.counter('subscriptions')).toBe(0);
  });

  it('is made once, however often its SUBSCRIBE comes', () => {
    const s = new WatchedShard();
    const text = subscribe();
    const tcp = { transport: TRANSPORT_TCP, flow: 7 };
    const [first, copy] = [s.send(text), s.send(text)];
    expect(copy?.text).toBe(first?.text);
    expect(s.send(text, tcp)?.header('To')).toEqual(first?.header('To'));
    expect([s.notified().length, s.counter('subscriptions')]).toEqual([1, 1]);
  });
});

describe('a copy of a SUBSCRIBE whose answer is forgotten', () => {
  const policy = { answerBytesMax: 1 };

  it('draws the same answer, and makes nothing anew', () => {
    const s = new WatchedShard({ policy });
    const [lives, ends] = [subscribe({ callId: 'lives' }), subscribe({ callId: 'ends', expires: 0 })];
    const [first] = [lives, ends].map((text) => s.send(text));
    s.notified();
    overwriteAnswers(s);
    expect([lives, ends].map((text) => s.send(text)?.status)).toEqual([200, 481]);
    expect(s.send(lives)?.header('To')).toEqual(first?.header('To'));
    expect([s.notified().length, s.counter('subscriptions')]).toEqual([0, 1]);
  });

  it('stays refused where it was', () => {
    const s = new WatchedShard({ policy, subscriptionPolicy: { perAorMax: 1 } });
    const { to } = s.watch({ callId: 'first' });
    const second = subscribe({ callId: 'second' });
    expect(s.send(second)?.status).toBe(403);
    s.subscribe({ callId: 'first', to, cseq: 2, expires: 0 });
    s.notified();
    overwriteAnswers(s);
    expect([s.send(second)?.status, s.counter('subscriptions')]).toEqual([403, 0]);
  });
});

describe('a SUBSCRIBE', () => {
  it('R6665-4.2.1.1-01 for another event package, or none, draws 489 with those served', () => {
    const s = new WatchedShard();
    for (const event of ['presence', 'REG', 'reg.winfo', 'reg, presence', null]) {
      const answer = s.subscribe({ event, callId: `call-${event?.length}` });
      expect([answer.status, answer.header('Allow-Events')]).toEqual([489, ['reg']]);
    }
    expect(s.requests).toEqual([]);
  });

  it('R3680-4.5-01 R3261-20.1-01 that takes no registration information draws 406', () => {
    const s = new WatchedShard();
    expect(s.subscribe({ accept: 'text/plain, application/xml' }).status).toBe(406);
    expect(s.subscribe({ accept: '', callId: 'nothing' }).status).toBe(406);
    expect(s.subscribe({ accept: '*/*, application/reginfo+xml; q=0.0', callId: 'refused' }).status).toBe(406);
    expect(s.subscribe({ accept: 'application/*;Q=0, */*', callId: 'refused-all' }).status).toBe(406);
    for (const [i, accept] of [
      'application/reginfo+xml',
      'text/plain, */*',
      'APPLICATION / REGINFO+XML ;q=1',
      '*/*;q=0, application/*;q=0.1',
    ].entries())
      expect(s.subscribe({ accept, callId: `call-${i}` }).status, accept).toBe(200);
  });

  it('R6665-4.2.1.1-02 for a time below the least draws 423, but for 0', () => {
    const s = new WatchedShard({ subscriptionPolicy: { minExpiresS: 90 } });
    const answer = s.subscribe({ expires: 89 });
    expect([answer.status, answer.header('Min-Expires')]).toEqual([423, ['90']]);
    expect(s.subscribe({ expires: 90, callId: 'long' }).status).toBe(200);
    expect(s.subscribe({ expires: 0, callId: 'fetch' }).status).toBe(200);
  });

  it('R6665-4.2.1.4-01 in a dialog that there is not draws 481, with a CSeq of the past 500', () => {
    const s = new WatchedShard();
    const { to } = s.watch({ cseq: 5 });
    expect(s.subscribe({ to: '<sip:alice@example.com>;tag=none', cseq: 6 }).status).toBe(481);
    expect(s.subscribe({ to, cseq: 6, callId: 'another' }).status).toBe(481);
    expect(s.subscribe({ to, cseq: 6, event: 'reg;id=2' }).status).toBe(481);
    expect(s.subscribe({ to, cseq: 6, uri: 'sip:bob@example.com' }).status).toBe(481);
    expect(s.subscribe({ to, cseq: 4 }).status).toBe(500);
    expect(s.subscribe({ to, cseq: 6 }).status).toBe(200);
  });

  it('R6665-4.2.1-01 R3261-8.2-01 that is refused makes nothing', () => {
    const s = new WatchedShard();
    const refused = [
      { contact: null },
      { contact: '<sip:a@192.0.2.9>, <sip:b@192.0.2.9>' },
      { contact: '<tel:+1>' },
      { uri: 'sip:example.com' },
      { uri: 'sip:alice@example.org' },
      { headers: ['Require: eventlist'] },
      { headers: [`Record-Route: <sip:${'p'.repeat(5000)}.example.com;lr>`] },
    ].map((fields, i) => s.subscribe({ callId: `call-${i}`, ...fields }).status);
    expect(refused).toEqual([400, 400, 400, 404, 404, 420, 400]);
    expect([s.requests.length, s.counter('subscriptions')]).toEqual([0, 0]);
  });

  it('finds an AOR and a shard of bounded size', () => {
    const s = new WatchedShard({ subscriptionPolicy: { perAorMax: 2, perShardMax: 3 } });
    const statuses = ['1', '2', '3'].map((callId) => s.subscribe({ callId }).status);
    expect(statuses).toEqual([200, 200, 403]);
    const bob = { uri: 'sip:bob@example.com', to: '<sip:bob@example.com>' };
    expect(s.subscribe({ ...bob, callId: '4' }).status).toBe(200);
    const full = s.subscribe({ ...bob, callId: '5' });
    expect([full.status, full.header('Retry-After')]).toEqual([503, ['60']]);
  });

  it('R6665-4.4.4-01 R3261-8.2.1-01 R3261-8.2.1-02 is announced where it is served, and draws 405 elsewhere', () => {
    const options = request({ method: 'OPTIONS' });
    const served = new WatchedShard().send(options);
    expect(served?.header('Allow-Events')).toEqual(['reg']);
    expect(served?.header('Allow')[0]).toContain('SUBSCRIBE');
    const off = new VirtualShard({ policy: { lookup: { sip: 'off', from: [] } } });
    expect(off.send(options)?.text).not.toMatch(/Allow-Events|SUBSCRIBE/);
    expect(off.send(subscribe())?.status).toBe(405);
  });

  it('for another package is still redirected where lookups are', () => {
    const s = new WatchedShard({ policy: { lookup: { sip: 'anyone', from: [] } } });
    s.send(register({ contacts: [CONTACT] }));
    expect(s.subscribe({ event: 'presence' }).status).toBe(302);
    expect(s.subscribe().status).toBe(200);
  });

  it('makes the dialog that its Record-Route asks for, and is answered with it', () => {
    const routes = ['<sip:192.0.2.66:5080;lr>, <sip:p2.example.com;lr>', '<sip:p3.example.com;lr>'];
    const via = 'SIP/2.0/UDP 192.0.2.66:5081;branch=z9hG4bKp1\r\nVia: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKp2';
    const s = new WatchedShard();
    const answer = s.subscribe(
      { via, headers: routes.map((route) => `Record-Route: ${route}`) },
      { ip: '198.51.100.1' },
    );
    expect(answer.header('Record-Route')).toEqual(routes);
    const [{ text, requestUri }] = s.notified();
    expect(headers(text, 'Route')).toEqual(routes.join(', ').split(', '));
    expect(requestUri).toBe('sip:watcher@192.0.2.9:5070');
    expect(s.requests[0]).toMatchObject({ ip: '198.51.100.1', port: 5081 });
  });

  it('R6665-4.5.1-01 that came by sips, or from a sips Contact, has a sips Contact (RFC 3261 §12.1.1)', () => {
    const s = new WatchedShard();
    const secure = '<sips:watcher@192.0.2.9:5070>';
    const route = (scheme: string) => [`Record-Route: "a, b" <${scheme}:p1.example.com;lr>, <sips:p2.example.com;lr>`];
    const schemeOf = (of: Parameters<typeof subscribe>[0]) => {
      const [row] = s.subscribe(of).header('Contact');
      expect(headers(s.notified().at(-1)?.text ?? '', 'Contact')).toEqual([row]);
      return /^<(sips?):/.exec(row)?.[1];
    };
    expect(schemeOf({ callId: 'plain' })).toBe('sip');
    expect(schemeOf({ callId: 'uri', uri: 'sips:alice@example.com' })).toBe('sips');
    expect(schemeOf({ callId: 'contact', contact: secure })).toBe('sips');
    expect(schemeOf({ callId: 'route', headers: route('SIPS') })).toBe('sips');
    expect(schemeOf({ callId: 'by-sip', contact: secure, headers: route('sip') })).toBe('sip');
  });

  it('may have come through a strict router, which finds itself in the Request-URI', () => {
    const via = 'SIP/2.0/UDP p.example.com;branch=z9hG4bKp1;rport\r\nVia: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKp2';
    const s = new WatchedShard();
    s.subscribe({ via, headers: ['Record-Route: <sip:p.example.com>'] }, { ip: '198.51.100.1', port: 5099 });
    const [{ text, requestUri }] = s.notified();
    expect([requestUri, ...headers(text, 'Route')]).toEqual(['sip:p.example.com', '<sip:watcher@192.0.2.9:5070>']);
    expect(s.requests[0]).toMatchObject({ ip: '198.51.100.1', port: 5099 });
  });
});
