// Pings of contacts, in virtual time: which contacts get them and when, and what comes of answers and of their want.

import { describe, expect, it } from 'vitest';
import type { Changes } from '../../../src/core/binding/changes.ts';
import { createAorKey } from '../../../src/core/lookup/aor-key.ts';
import { createHistoryMemory } from '../../../src/shard/observe/history.ts';
import { changeAt, entriesIn, HistoryCursor } from '../../../src/shard/observe/history-reader.ts';
import { createTapMemory } from '../../../src/shard/observe/tap.ts';
import { TapReader } from '../../../src/shard/observe/tap-reader.ts';
import { createRingMemory, Ring } from '../../../src/shard/rings/ring.ts';
import { TRANSPORT_TCP, TRANSPORT_WSS } from '../../../src/sip/sources.ts';
import { FlakyStore } from '../../support/flaky-store.ts';
import { LONG_BATCH, longContacts } from '../../support/long-records.ts';
import { NATTED, pass, silent, world } from '../../support/pinged-shard.ts';
import { answered, request, uris } from '../../support/requests.ts';
import { type SentRequest, VIRTUAL_SECRET } from '../../support/virtual-shard.ts';
import { responseTo } from '../../support/watcher.ts';

describe('a contact that is pinged', () => {
  it('gets an OPTIONS for its URI where its REGISTER came from, once an interval', () => {
    const w = world();
    w.register({ contacts: ['<sip:alice@192.168.0.2:5060;ob?x=y>;q=0.5'] });
    w.shard.advance(60);
    const [ping, ...others] = w.pings();
    expect(others).toEqual([]);
    expect([ping.ip, ping.port]).toEqual(['203.0.113.7', 40_001]);
    const lines = ping.text.split('\r\n');
    expect(lines[0]).toBe('OPTIONS sip:alice@192.168.0.2:5060;ob SIP/2.0');
    expect(lines[1]).toMatch(/^Via: SIP\/2\.0\/UDP 192\.0\.2\.1:5060;branch=z9hG4bKp[0-9a-f]{40};rport$/);
    expect(lines.slice(2)).toEqual([
      'Max-Forwards: 70',
      expect.stringMatching(/^From: <sip:example\.com>;tag=[0-9a-f]{8}$/),
      'To: <sip:alice@192.168.0.2:5060;ob>',
      expect.stringMatching(/^Call-ID: [0-9a-f]{40}$/),
      'CSeq: 1 OPTIONS',
      'Content-Length: 0',
      '',
      '',
    ]);
    expect(pass(w, 600)).toBe(10);
  });

  it('tells its round-trip time and last answer in lookups', () => {
    const w = world();
    w.register();
    expect(w.lookup().contacts[0].ping).toBeUndefined();
    pass(w, 60, undefined, 37);
    const { ping } = w.lookup().contacts[0];
    expect(ping).toMatchObject({ losses: 0, rttMs: 37 });
    expect(w.shard.now - (ping?.answeredAt ?? 0)).toBeLessThan(120_000);
    expect([w.shard.counter('pings_sent'), w.shard.counter('pings_answered')]).toEqual([1, 1]);
    expect(w.shard.counter('pinged_contacts')).toBe(1);
  });

  it('is each one once in the interval, spread over it', () => {
    const w = world();
    for (let i = 0; i < 240; i++)
      w.register({ to: `<sip:u${i}@example.com>`, callId: `c${i}` }, { ...NATTED, port: 10_000 + i });
    const bySecond = Array.from({ length: 60 }, () => pass(w, 1));
    expect(bySecond.reduce((sum, count) => sum + count, 0)).toBe(240);
    expect(Math.max(...bySecond)).toBeLessThan(16);
    expect(bySecond.filter((count) => count === 0).length).toBeLessThan(12);
  });

  it('is pinged as often where the clock is set back', () => {
    const w = world();
    w.register();
    pass(w, 90);
    w.shard.now -= 86_400_000;
    expect(pass(w, 120)).toBe(2);
  });

  it('shares pings with other bindings of the AOR from the same source, and has its own for another', () => {
    const w = world();
    w.register({ contacts: ['<sip:a@192.168.0.2>', '<sip:b@192.168.0.2>'] });
    expect(pass(w, 60)).toBe(1);
    w.register({ contacts: ['<sip:c@192.168.0.3>'], callId: 'c' }, { ...NATTED, port: 40_002 });
    expect(pass(w, 120)).toBeGreaterThanOrEqual(3);
    expect(w.shard.counter('pinged_contacts')).toBe(2);
  });

  it('is pinged no more once it has moved, run out or gone', () => {
    const w = world();
    w.register();
    pass(w, 60);
    w.register({ cseq: 2 }, { ...NATTED, port: 40_002 });
    pass(w, 60);
    expect(pass(w, 60)).toBe(1);
    expect(w.shard.counter('pinged_contacts')).toBe(1);
    w.register({ cseq: 3, contacts: ['*'], expires: 0 });
    expect(pass(w, 120)).toBe(0);
    expect(w.shard.counter('pinged_contacts')).toBe(0);
    expect(w.lookup().contacts).toEqual([]);
  });

  it('leaves by its connection, while that stands', () => {
    const alive = new Set([7, 8]);
    const flows = { isAlive: (flow: number) => alive.has(flow) };
    const w = world({ ping: 'nat' }, { flows });
    w.register({ contacts: ['<sip:x@abc.invalid;transport=ws>'] }, { ...NATTED, transport: TRANSPORT_WSS, flow: 7 });
    w.shard.advance(60);
    const [ping] = w.pings();
    expect([ping.text.split('\r\n')[1].slice(0, 20), ping.flow]).toEqual(['Via: SIP/2.0/WSS 192', 7]);
    w.shard.batch([responseTo(ping.text, 501)]);
    expect(w.shard.counter('pings_answered')).toBe(1);
    alive.delete(7);
    expect(pass(w, 120)).toBe(0);
  });

  it('is one that was there before the start', () => {
    const before = world();
    before.register();
    const after = world({}, { store: before.shard.store, now: before.shard.now });
    expect(pass(after, 61)).toBe(1);
  });

  it('is watched like any other, and so is its answer', () => {
    const control = createTapMemory();
    const ring = createRingMemory(1 << 18);
    const tap = new TapReader(control, [ring]);
    const w = world({}, { tap: { memory: control, ring: new Ring(ring) } });
    w.register();
    const key = createAorKey(VIRTUAL_SECRET)('alice@example.com') ?? new Uint32Array(4);
    tap.watch({ samplePercent: 1, aors: [key], sources: [] });
    expect(pass(w, 60)).toBe(1);
    const seen: string[] = [];
    tap.drain(({ bytes, aor, isReceived }) => {
      seen.push(`${isReceived ? 'received' : 'sent'} ${Buffer.from(bytes).toString('latin1', 0, 7)} ${aor}`);
    }, 10);
    expect(seen).toEqual(['sent OPTIONS 0', 'received SIP/2.0 0']);
  });

  it('costs a server no memory before its first ping', () => {
    const w = world();
    const bytes = () => [w.results.byteLength, w.shard.shard.outgoing.bytes.length];
    w.shard.configure({ ...w.policy, ping: 'off' });
    w.register();
    pass(w, 61);
    expect(bytes()).toEqual([0, 0]);
    expect(w.lookup().contacts[0].ping).toBeUndefined();
    w.shard.configure(w.policy);
    pass(w, 62);
    expect(bytes()).toEqual([16 << 20, 1 << 20]);
    expect(w.lookup().contacts[0].ping).toMatchObject({ losses: 0 });
  });

  it('gets empty lines where the policy says so, and then is never missed', () => {
    const w = world({ pings: { method: 'crlf', dead: 'remove', lossesMax: 1 } });
    w.register();
    w.shard.advance(300);
    const texts = w.pings().map(({ text }) => text);
    expect(new Set(texts)).toEqual(new Set(['\r\n\r\n']));
    expect(texts.length).toBeGreaterThanOrEqual(4);
    expect([uris(w.shard).length, w.shard.counter('pings_lost')]).toEqual([1, 0]);
  });
});

describe('which contacts are pinged', () => {
  const behindNat = '<sip:a@192.168.0.2:5060>';
  const open = `<sip:a@203.0.113.7:40001>`;

  it.each([
    ['off', behindNat, {}, NATTED, 0],
    ['nat', behindNat, {}, NATTED, 1],
    ['nat', open, {}, NATTED, 0],
    ['all', open, {}, NATTED, 1],
    ['nat', '<sip:a@203.0.113.7>', {}, NATTED, 1],
    ['nat', '<sip:a@203.0.113.7>', {}, { ip: '203.0.113.7', port: 5060 }, 0],
    ['nat', '<sip:a@phone.example.org>', {}, NATTED, 0],
    ['nat', behindNat, {}, { ...NATTED, transport: TRANSPORT_TCP, flow: 3 }, 1],
    ['all', behindNat, { extra: ['Path: <sip:edge.example.com;lr>'] }, NATTED, 0],
  ] as const)('%s: %s with %j from %j', (ping, contact, fields, source, expected) => {
    const w = world({ ping });
    w.register({ contacts: [contact], ...fields }, source);
    expect(pass(w, 61)).toBe(expected);
  });

  it('are none that a push wakes', () => {
    const services = [{ name: 'apns', needsParam: false, vapid: '' }];
    const w = world({ push: { services, refreshS: 180, dormantS: 86_400, refusesOthers: false } });
    w.register({ contacts: ['<sip:a@192.168.0.2;pn-provider=apns;pn-prid=1>'], expires: 3600 });
    expect([pass(w, 120), w.shard.counter('pinged_contacts')]).toEqual([0, 0]);
    w.register({ contacts: ['<sip:b@192.168.0.2;pn-provider=other;pn-prid=1>'], expires: 3600, callId: 'b' });
    expect(pass(w, 60)).toBe(1);
  });

  it('is a matter of the domain', () => {
    const w = world({
      domains: ['example.com', 'example.org'],
      ping: 'off',
      byDomain: { 'example.org': { ping: 'all' } },
    });
    w.register();
    w.register({ requestUri: 'sip:example.org', to: '<sip:bob@example.org>', callId: 'b' });
    expect(pass(w, 60)).toBe(1);
  });

  it('changes with a reload, for contacts that there are', () => {
    const w = world({ ping: 'off' });
    w.register();
    expect([pass(w, 60), w.shard.counter('pinged_contacts')]).toEqual([0, 0]);
    w.shard.configure({ ...w.policy, ping: 'all' });
    expect(pass(w, 62)).toBe(1);
    w.shard.configure({ ...w.policy, ping: 'off' });
    expect(pass(w, 120)).toBe(0);
  });
});

describe('a contact that does not answer', () => {
  const pings = { lossesMax: 3 };

  it('is kept, and its losses are told', () => {
    const w = world({ pings });
    w.register();
    pass(w, 300, silent);
    expect(w.lookup().contacts[0].ping).toMatchObject({ losses: 4 });
    expect(w.shard.counter('pings_lost')).toBe(4);
  });

  it('is parked: no lookup names it until it answers again', () => {
    const w = world({ pings: { ...pings, dead: 'park' } });
    w.register();
    const redirect = () => answered(w.shard, request({ method: 'INVITE', uri: 'sip:alice@example.com' })).status;
    pass(w, 180, silent);
    expect([w.lookup().contacts.length, redirect()]).toEqual([1, 302]);
    pass(w, 60, silent);
    expect([w.lookup().contacts.length, redirect()]).toEqual([0, 404]);
    expect(uris(w.shard)).toHaveLength(1);
    pass(w, 61);
    expect([w.lookup().contacts.length, redirect()]).toEqual([1, 302]);
  });

  it('is removed, the others of its AOR stay, and it begins anew with its next REGISTER', () => {
    const told: string[] = [];
    const history = createHistoryMemory(1 << 16);
    const past = new HistoryCursor(history);
    const publish = ({ bytes, end }: Changes) => told.push(Buffer.from(bytes.subarray(0, end)).toString('latin1'));
    const w = world({ pings: { ...pings, dead: 'remove' } }, { history, events: { listening: true, publish } });
    w.register();
    w.register({ callId: 'other', contacts: ['<sip:b@192.168.0.9>'] }, { ip: '203.0.113.9', port: 9 });
    const others = (ping: SentRequest) => ping.ip === '203.0.113.9';
    told.length = 0;
    pass(w, 239, others);
    expect(uris(w.shard)).toEqual(
      ['sip:alice@192.168.0.2:5060', 'sip:b@192.168.0.9'].slice(uris(w.shard).length === 1 ? 1 : 0),
    );
    pass(w, 3, others);
    expect(uris(w.shard)).toEqual(['sip:b@192.168.0.9']);
    expect([w.shard.counter('pings_removed'), w.shard.counter('flow_ended')]).toEqual([1, 1]);
    expect(told).toEqual([expect.stringContaining('sip:alice@192.168.0.2:5060')]);
    const { bytes } = past.take();
    const types = Array.from(entriesIn(bytes), (at) => changeAt(bytes, at).type);
    expect(types).toEqual(['registered', 'registered', 'flow-ended']);
    w.register({ cseq: 9 });
    pass(w, 170, others);
    expect(uris(w.shard)).toHaveLength(2);
    pass(w, 120, others);
    expect(uris(w.shard)).toHaveLength(1);
  });

  it('is removed in batches that a store takes, however long the records are', () => {
    const store = new FlakyStore((writes) => writes !== undefined && writes.length > LONG_BATCH);
    const w = world({ pings: { lossesMax: 1, dead: 'remove' } }, { store });
    for (let i = 0; i < 40; i++) {
      const to = `<sip:u${i}@example.com>`;
      w.register({ to, callId: `c${i}`, contacts: longContacts(`u${i}`) }, { ip: '203.0.113.8', port: 9 });
      w.register({ to, callId: `d${i}` });
    }
    for (let i = 0; i < 3; i++) {
      w.shard.now += 60_000;
      pass(w, 2, ({ port }) => port === 9);
    }
    expect([w.shard.counter('pings_removed'), store.failures]).toEqual([40, 0]);
  });

  it('is removed once the store takes that, and not before', () => {
    let fails = false;
    const store = new FlakyStore(() => fails);
    const w = world({ pings: { lossesMax: 1, dead: 'remove' } }, { store });
    w.register();
    pass(w, 60, silent);
    fails = true;
    pass(w, 60, silent);
    fails = false;
    expect(uris(w.shard)).toHaveLength(1);
    pass(w, 180, silent);
    expect(uris(w.shard)).toHaveLength(0);
  });
});

describe('contacts with the same q', () => {
  it('come in the order of their round-trip times, those that never answered last', () => {
    const w = world({ pings: { order: 'rtt' } });
    const ports = [1001, 1002, 1003, 1004];
    for (const port of ports) {
      w.shard.now += 1000;
      w.register(
        { callId: `c${port}`, contacts: [`<sip:p${port}@192.168.0.2>;q=${port === 1004 ? 0.2 : 0.5}`] },
        { ...NATTED, port },
      );
    }
    for (let i = 0; i < 62 * 20; i++) {
      w.shard.now += 50;
      w.shard.batch([]);
      for (const ping of w.pings()) {
        if (ping.port === 1003) continue;
        w.shard.now += { 1001: 20, 1002: 80, 1004: 5 }[ping.port] ?? 0;
        w.shard.batch([responseTo(ping.text)]);
      }
    }
    const ordered = ['p1001', 'p1002', 'p1003', 'p1004'];
    expect(w.lookup().contacts.map(({ uri }) => uri.slice(4, 9))).toEqual(ordered);
    const redirect = answered(w.shard, request({ method: 'INVITE', uri: 'sip:alice@example.com' }));
    expect(redirect.contacts.map(({ uri }) => uri.slice(4, 9))).toEqual(ordered);
  });
});
