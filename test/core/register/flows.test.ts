// Bindings made over connections, in virtual time: they live and die with their flow, and no lookup ever gives a dead one.

import { describe, expect, it } from 'vitest';
import { MemoryStore } from '../../../src/location/memory-store.ts';
import { TRANSPORT_TCP } from '../../../src/sip/sources.ts';
import { request } from '../../support/requests.ts';
import { register, type Source, VirtualShard, type VirtualShardOptions } from '../../support/virtual-shard.ts';

/** Connections that a test opens and ends. */
class Connections {
  readonly open = new Set<number>();

  isAlive(flow: number): boolean {
    return this.open.has(flow);
  }
}

function setUp(options: VirtualShardOptions = {}): { shard: VirtualShard; flows: Connections } {
  const flows = new Connections();
  return { shard: new VirtualShard({ flows, ...options }), flows };
}

const over = (flow: number) => ({ transport: TRANSPORT_TCP, flow });

let cseq = 0;
function by(user: string, extra: Parameters<typeof register>[0] = {}): string {
  const aor = `<sip:${user}@example.com>`;
  const contacts = [`<sip:${user}@192.0.2.9:5060;transport=tcp>`]; // the connection's own source
  return register({ to: aor, from: `${aor};tag=1`, callId: `call-${user}`, cseq: ++cseq, contacts, ...extra });
}

function uris(shard: VirtualShard, user: string): string[] {
  return (shard.send(by(user, { contacts: [], callId: 'fetch' })) ?? { contacts: [] }).contacts.map(({ uri }) => uri);
}

describe('a binding made over a connection', () => {
  it('R5626-7-01: is no target from the moment the connection ends, and leaves the store in the next batch', () => {
    const { shard, flows } = setUp({ policy: { lookup: { sip: 'trusted', from: ['192.0.2.0/24'] } } });
    flows.open.add(7);
    expect(shard.send(by('alice'), over(7))?.status).toBe(200);
    expect(uris(shard, 'alice')).toHaveLength(1);
    const ask = (): number | undefined =>
      shard.send(request({ method: 'INVITE', uri: 'sip:alice@example.com' }))?.status;
    expect(ask()).toBe(302);
    flows.open.delete(7);
    expect([uris(shard, 'alice'), ask()]).toEqual([[], 404]);
    expect(shard.counter('bindings')).toBe(1);
    shard.flowsEnded([7]);
    shard.batch([]);
    expect([shard.counter('bindings'), shard.counter('aors'), shard.counter('flow_ended')]).toEqual([0, 0, 1]);
  });

  it('R5626-7-01 R5627-5.3-01: is no target of its GRUUs either', () => {
    const { shard, flows } = setUp({ policy: { lookup: { sip: 'trusted', from: ['192.0.2.0/24'] } } });
    flows.open.add(7);
    const instance = '+sip.instance="<urn:uuid:00000000-0000-1000-8000-000000000001>"';
    const contacts = [`<sip:alice@192.0.2.9:5060;transport=tcp>;${instance}`];
    const { text = '' } = shard.send(by('alice', { contacts, extra: ['Supported: gruu'] }), over(7)) ?? {};
    const ask = (kind: string): number | undefined => {
      const uri = new RegExp(`;${kind}-gruu="([^"]*)"`).exec(text)?.[1] ?? '';
      return shard.send(request({ method: 'INVITE', uri, to: `<${uri}>` }))?.status;
    };
    expect([ask('pub'), ask('temp')]).toEqual([302, 302]);
    flows.open.delete(7);
    expect([ask('pub'), ask('temp')], 'before any sweep').toEqual([480, 404]);
    shard.flowsEnded([7]);
    shard.batch([]);
    expect([ask('pub'), ask('temp')]).toEqual([480, 404]);
  });

  it('R5626-7-01: no longer makes its user one whom OPTIONS finds', () => {
    const { shard, flows } = setUp();
    flows.open.add(7);
    shard.send(by('alice'), over(7));
    const ask = () => shard.send(request({ method: 'OPTIONS', uri: 'sip:alice@example.com' }))?.status;
    expect(ask()).toBe(200);
    flows.open.delete(7);
    expect(ask(), 'before any sweep').toBe(404);
  });

  it('goes whatever the AOR, and only with its own flow', () => {
    const { shard, flows } = setUp();
    flows.open.add(1).add(2);
    for (const user of ['a', 'b', 'c']) shard.send(by(user), over(1));
    shard.send(by('a', { contacts: ['<sip:a@192.0.2.9:5099>'], callId: 'other' }), over(2));
    shard.send(by('d'));
    flows.open.delete(1);
    shard.flowsEnded([1]);
    shard.batch([]);
    expect(['a', 'b', 'c', 'd'].map((user) => uris(shard, user).length)).toEqual([1, 0, 0, 1]);
    expect(uris(shard, 'a')).toEqual(['sip:a@192.0.2.9:5099']);
    expect(shard.counter('flow_ended')).toBe(3);
  });

  it('R5626-6-12: moves to the connection of a later registration, and the end of the old one is no matter', () => {
    const { shard, flows } = setUp();
    flows.open.add(1).add(2);
    shard.send(by('alice'), over(1));
    expect(shard.send(by('alice'), over(2))?.contacts).toHaveLength(1);
    flows.open.delete(1);
    shard.flowsEnded([1]);
    shard.batch([]);
    expect(uris(shard, 'alice')).toHaveLength(1);
    expect(shard.counter('flow_ended')).toBe(0);
  });

  it('goes too where the connection ended before its REGISTER was looked at', () => {
    const { shard } = setUp();
    shard.flowsEnded([5]);
    expect(shard.send(by('alice'), over(5))?.status).toBe(200);
    shard.batch([]);
    expect([shard.counter('bindings'), shard.counter('flow_ended')]).toEqual([0, 1]);
  });

  it('behind a proxy hangs on no connection: its Path or contact leads to the phone', () => {
    const { shard, flows } = setUp();
    flows.open.add(1);
    const extra = ['Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKfar'];
    expect(shard.send(by('alice', { extra }), over(1))?.status).toBe(200);
    flows.open.delete(1);
    shard.flowsEnded([1]);
    shard.batch([]);
    expect(uris(shard, 'alice')).toHaveLength(1);
  });

  it('of an earlier life of the server is dead at the start, and goes', () => {
    const store = new MemoryStore();
    const first = setUp({ store });
    first.flows.open.add(1);
    first.shard.send(by('alice'), over(1));
    first.shard.send(by('bob'));
    const second = setUp({ store, now: first.shard.now + 1000 });
    expect(uris(second.shard, 'alice')).toEqual([]);
    expect(uris(second.shard, 'bob')).toHaveLength(1);
    second.shard.advance(1);
    expect([second.shard.counter('bindings'), second.shard.counter('flow_ended')]).toEqual([1, 1]);
  });

  it('goes in bounded batches, all of them', () => {
    const { shard, flows } = setUp();
    flows.open.add(9);
    for (let i = 0; i < 1000; i += 100)
      shard.batch(
        Array.from({ length: 100 }, (_, j) => by(`user${i + j}`)),
        over(9),
      );
    expect(shard.counter('bindings')).toBe(1000);
    flows.open.delete(9);
    shard.flowsEnded([9]);
    shard.batch([]);
    expect(shard.counter('flow_ended')).toBeLessThanOrEqual(128);
    while (shard.shard.msToNextTick(shard.now) === 0) shard.batch([]);
    expect([shard.counter('bindings'), shard.counter('flow_ended')]).toEqual([0, 1000]);
  });
});

describe('without a grace', () => {
  it('R5626-7-01: what its connection left behind is gone from the record with the next request, before any sweep', () => {
    const { shard, flows } = setUp();
    flows.open.add(7).add(8);
    shard.send(by('alice'), over(7));
    flows.open.delete(7);
    const contacts = ['<sip:alice@192.0.2.9:5061;transport=tcp>'];
    shard.send(by('alice', { contacts, callId: 'other' }), { ...over(8), port: 5061 });
    expect([shard.counter('bindings'), shard.counter('flow_ended')]).toEqual([1, 1]);
  });
});

describe('with a grace', () => {
  const policy = { flowGraceS: 30, contactsPerAorMax: 1 };

  it('a binding is parked, unseen, and taken up again', () => {
    const { shard, flows } = setUp({ policy });
    flows.open.add(1);
    shard.send(by('alice'), over(1));
    flows.open.delete(1);
    shard.flowsEnded([1]);
    shard.advance(20);
    expect(uris(shard, 'alice')).toEqual([]);
    expect(shard.counter('bindings')).toBe(1);
    flows.open.add(2);
    expect(shard.send(by('alice'), over(2))?.contacts).toHaveLength(1);
    shard.advance(20);
    expect(uris(shard, 'alice')).toHaveLength(1);
    expect([shard.counter('refreshed'), shard.counter('flow_ended')]).toEqual([1, 0]);
  });

  it('it goes as the grace is by then, where a reload has changed it', () => {
    const { shard, flows } = setUp({ policy });
    flows.open.add(1);
    shard.send(by('alice'), over(1));
    shard.configure({ ...policy, flowGraceS: 5 });
    flows.open.delete(1);
    shard.flowsEnded([1]);
    shard.advance(4);
    expect(shard.counter('bindings')).toBe(1);
    shard.advance(2);
    expect(shard.counter('bindings')).toBe(0);
  });

  it('makes room first, before a binding that was refreshed longer ago', () => {
    const { shard, flows } = setUp({ policy: { ...policy, contactsPerAorMax: 2 } });
    const at = (port: number) => [`<sip:x@192.0.2.9:${port};transport=tcp>`];
    flows.open.add(1).add(2).add(3);
    const bind = (flow: number, port: number) =>
      shard.send(by('alice', { contacts: at(port), callId: `a${port}` }), { ...over(flow), port });
    bind(1, 5061);
    shard.now += 1000;
    bind(2, 5062);
    flows.open.delete(2);
    bind(3, 5063);
    expect(uris(shard, 'alice')).toEqual(['sip:x@192.0.2.9:5061;transport=tcp', 'sip:x@192.0.2.9:5063;transport=tcp']);
  });

  it('is not taken up by a request that was made before it', () => {
    const { shard, flows } = setUp({ policy });
    flows.open.add(1).add(2);
    shard.send(by('alice', { cseq: 5 }), over(1));
    flows.open.delete(1);
    const from = '<sip:alice@example.com>;tag=late';
    expect(shard.send(by('alice', { cseq: 4, from }), over(2))?.status).toBe(500);
  });

  it('makes no room for another AOR', () => {
    const { shard, flows } = setUp({ policy: { ...policy, contactsOverflow: 'reject', contactsPerAorMax: 3 } });
    const at = (port: number) => [`<sip:x@192.0.2.9:${port};transport=tcp>`];
    flows.open.add(1).add(2);
    for (const port of [5061, 5062, 5063])
      shard.send(by('alice', { contacts: at(port), callId: `a${port}` }), { ...over(1), port });
    shard.send(by('bobby', { contacts: at(5061), callId: 'b1' }), { ...over(2), port: 5061 });
    flows.open.delete(1);
    shard.configure({ ...policy, contactsOverflow: 'reject' });
    expect(uris(shard, 'alice')).toEqual([]);
    expect(shard.send(by('bobby', { contacts: at(5062), callId: 'b2' }), { ...over(2), port: 5062 })?.status).toBe(403);
    expect(uris(shard, 'bobby')).toHaveLength(1);
  });

  it('it goes when the grace is over, and makes room before', () => {
    const { shard, flows } = setUp({ policy });
    flows.open.add(1).add(2);
    shard.send(by('alice'), over(1));
    shard.send(by('bob'), over(1));
    flows.open.delete(1);
    shard.flowsEnded([1]);
    expect(shard.send(by('alice', { contacts: ['<sip:alice@192.0.2.9:5099>'] }), over(2))?.contacts).toHaveLength(1);
    shard.advance(31);
    expect([shard.counter('bindings'), shard.counter('flow_ended'), shard.counter('evicted')]).toEqual([1, 1, 1]);
  });
});

describe('whether a binding lives by its connection', () => {
  const V6 = Uint8Array.from([0x20, 0x01, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9]);
  const flow = ';+sip.instance="<urn:uuid:00000000-0000-1000-8000-000000000001>";reg-id=1';
  type Mode = 'auto' | 'flow' | 'contact';

  /** Whether it is still there when its connection has ended, the sweeper has gone by, and the server started again. */
  function outlives(contact: string, mode: Mode, source: Source = {}): boolean {
    const { shard, flows } = setUp({ policy: { connectionBindings: mode } });
    flows.open.add(3);
    expect(shard.send(by('alice', { contacts: [contact] }), { ...over(3), ...source })?.status).toBe(200);
    expect(uris(shard, 'alice')).toHaveLength(1);
    flows.open.delete(3);
    const seen = uris(shard, 'alice').length;
    shard.flowsEnded([3]);
    shard.batch([]);
    expect([uris(shard, 'alice').length, shard.counter('bindings')]).toEqual([seen, seen]);
    const next = setUp({ store: shard.store, now: shard.now + 1000 });
    next.shard.advance(1);
    expect([uris(next.shard, 'alice').length, next.shard.counter('bindings')]).toEqual([seen, seen]);
    return seen === 1;
  }

  it.each<[string, boolean, Source?]>([
    ['<sip:a@192.0.2.20:5060;transport=tcp>', true],
    ['<sip:a@192.0.2.20>', true],
    ['<sip:a@phone.example.net:5060;transport=tls>', true],
    ['<sip:a@192.0.2.9:5070;transport=tcp>', true],
    ['<sip:a@10.1.2.3:5070;transport=tcp>', true, { ip: '10.1.2.3', port: 40_000 }],
    ['<sip:a@[2001:db8::20]:5060;transport=tcp>', true, { ip: V6 }],
    ['<sip:a@[2001:DB8:0::9]:5070>', true, { ip: V6 }],
    ['<tel:+358501>', true],
    ['<mailto:a@b.example>', true],
    ['<sip:a@invalid.example.net>', true],
    ['<sip:a@192.0.2.20;transport=wsx>', true],
    ['<sip:a@172.15.0.1>', true],
    ['<sip:a@100.128.0.1>', true],
    ['<sip:a@10.0.0.9;maddr=192.0.2.20>', true],
    [`<sip:a@192.0.2.20:5060;transport=tcp>${flow}`, false],
    ['<sip:a@df7jal23ls0d.invalid;transport=ws>', false],
    ['<sip:a@Df7jal23ls0d.INVALID.>', false],
    ['<sip:a@192.0.2.20;transport=WS>', false],
    ['<sips:a@phone.example.net;transport=wss>', false],
    ['<sip:a@192.0.2.9:41000;transport=tcp>', false, { port: 41_000 }],
    ['<sip:a@192.0.2.9>', false, { port: 5060 }],
    ['<sip:a@192.0.2.9;transport=tls>', false, { port: 5061 }],
    ['<sip:a@[2001:db8:0:0::9]:41000>', false, { ip: V6, port: 41_000 }],
    ['<sip:a@[::ffff:192.0.2.9]:41000>', false, { port: 41_000 }],
    ['<sip:a@10.0.0.9:5070;transport=tcp>', false],
    ['<sip:a@172.16.0.1>', false],
    ['<sip:a@192.168.1.5:5070>', false],
    ['<sip:a@100.64.1.1>', false],
    ['<sip:a@169.254.0.1>', false],
    ['<sip:a@127.0.0.1:5070>', false],
    ['<sip:a@0.0.0.0>', false],
    ['<sip:a@[fd00::1]:5070>', false],
    ['<sip:a@[fe80::1]>', false],
    ['<sip:a@[::1]:5070>', false],
    ['<sip:a@localhost:5070>', false],
    ['<sip:a@192.0.2.20;maddr=10.0.0.9>', false],
  ])('R3261-10.3-39 R5626-7-01: by itself %s: it outlives it: %s', (contact, expected, source = {}) => {
    const isFlow = contact.endsWith(flow);
    const isNowhere = /invalid\.?[;>]|localhost|transport=(ws|wss)>/i.test(contact);
    const row = contact.replace('<sips:', '<sip:');
    expect(outlives(row, 'auto', source)).toBe(expected);
    expect(outlives(row, 'flow', source), 'flow').toBe(false);
    expect(outlives(row, 'contact', source), 'contact').toBe(!isFlow && !isNowhere);
  });

  it('R3261-10.3-39: with the name of a host it outlives it, whatever address the contact before had', () => {
    const { shard, flows } = setUp();
    flows.open.add(3);
    shard.send(by('bob', { contacts: ['<sip:b@10.0.0.9:5070;transport=tcp>'] }), over(3));
    shard.send(by('alice', { contacts: ['<sip:a@phone.example.net:5070;transport=tcp>'] }), over(3));
    flows.open.delete(3);
    shard.flowsEnded([3]);
    shard.batch([]);
    expect(['bob', 'alice'].map((user) => uris(shard, user).length)).toEqual([0, 1]);
  });

  it('is settled anew with each refresh: another policy counts from then on', () => {
    const { shard, flows } = setUp();
    flows.open.add(3);
    const contacts = ['<sip:a@192.0.2.20:5060;transport=tcp>'];
    shard.send(by('alice', { contacts }), over(3));
    shard.configure({ connectionBindings: 'flow' });
    shard.send(by('bob', { contacts }), over(3));
    flows.open.delete(3);
    expect(['alice', 'bob'].map((user) => uris(shard, user).length)).toEqual([1, 0]);
    flows.open.add(4);
    for (const user of ['alice', 'bob']) shard.send(by(user, { contacts }), over(4));
    flows.open.delete(4);
    expect(['alice', 'bob'].map((user) => uris(shard, user).length)).toEqual([0, 0]);
  });

  it('R5626-6-12: over a new connection the same contact is the same binding', () => {
    const { shard, flows } = setUp();
    const contacts = ['<sip:a@192.0.2.20:5060;transport=tcp>'];
    for (const number of [3, 4]) {
      flows.open.clear();
      flows.open.add(number);
      expect(shard.send(by('alice', { contacts }), over(number))?.contacts).toHaveLength(1);
    }
    expect([shard.counter('registered'), shard.counter('refreshed')]).toEqual([1, 1]);
  });
});

describe('over a stream', () => {
  it('R3261-17.2.2-02: nothing is kept for retransmissions: Timer J is 0 there', () => {
    const { shard, flows } = setUp();
    flows.open.add(1);
    const request = by('alice');
    expect(shard.send(request, over(1))?.status).toBe(200);
    expect(shard.counter('transactions')).toBe(0);
    expect(shard.send(request, over(1))?.status).toBe(500);
    expect(shard.counter('absorbed')).toBe(0);
  });
});
