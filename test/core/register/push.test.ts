// What a REGISTER with push parameters comes to where Aorta wakes devices itself (RFC 8599 §5.6.1).

import { describe, expect, it } from 'vitest';
import type { LookupPolicy } from '../../../src/core/uas/lookup-policy.ts';
import type { PushPolicy } from '../../../src/core/uas/push-policy.ts';
import { TRANSPORT_TCP } from '../../../src/sip/sources.ts';
import { answered } from '../../support/requests.ts';
import { type Answer, type RegisterOptions, register, VirtualShard } from '../../support/virtual-shard.ts';

const PUSH: PushPolicy = {
  services: [
    { name: 'apns', needsParam: true, vapid: '' },
    { name: 'webpush', needsParam: false, vapid: 'BKey' },
  ],
  refreshS: 180,
  dormantS: 86_400,
  refusesOthers: false,
};

const PHONE = 'sip:alice@192.0.2.1;pn-provider=apns;pn-param=DEF123GHIJ.com.example.app.voip;pn-prid=00fc13adff78512';

function shard(
  push: Partial<PushPolicy> = {},
  policy: { maxExpiresS?: number; expiresJitterPercent?: number } = {},
): VirtualShard {
  return new VirtualShard({ policy: { push: { ...PUSH, ...push }, ...policy } });
}

function send(options: RegisterOptions, to = shard()): Answer {
  return answered(to, register(options));
}

const caps = (answer: Answer) => [answer.status, ...answer.header('Feature-Caps')];

describe('a contact with push parameters', () => {
  it('R8599-5.6.1-01 without pn-provider is bound as any other', () => {
    expect(caps(send({ contacts: ['<sip:alice@192.0.2.1;pn-prid=1;pn-param=2>'], expires: 60 }))).toEqual([200]);
  });

  it('R8599-5.6.1.1-02 of a service that is served draws its Feature-Caps, in a first 200 and in those of refreshes', () => {
    const to = shard();
    for (let cseq = 1; cseq <= 3; cseq++)
      expect(caps(send({ cseq, contacts: [`<${PHONE}>`], expires: 600 }, to))).toEqual([200, '*;+sip.pns="apns"']);
    expect(caps(send({ callId: 'fetch' }, to))).toEqual([200]);
    expect(caps(send({ cseq: 4, contacts: [`<${PHONE}>`], expires: 0 }, to))).toEqual([200]);
    expect(to.counter('bindings')).toBe(0);
  });

  it('R8599-5.6.1.1-02 has sip.vapid and sip.pnsreg in the same row', () => {
    const contact = '<sip:alice@192.0.2.1;pn-provider=WebPush;pn-prid=https%3A%2F%2Fpush.example%2F1>;+sip.pnsreg';
    expect(caps(send({ contacts: [contact], expires: 600 }))).toEqual([
      200,
      '*;+sip.pns="webpush";+sip.pnsreg="180";+sip.vapid="BKey"',
    ]);
    expect(caps(send({ contacts: [contact], expires: 60 }, shard({ refreshS: 0 })))).toEqual([
      200,
      '*;+sip.pns="webpush";+sip.vapid="BKey"',
    ]);
  });

  it('R8599-5.6.1.1-01 is left to a hop that has said it wakes the device', () => {
    const extra = ['Feature-Caps: *;+sip.pns="apns"'];
    expect(caps(send({ contacts: [`<${PHONE}>`], expires: 600, extra }))).toEqual([200]);
    const other = ['Feature-Caps: *;+g.3gpp.mid-call', 'X-Feature-Caps: *;+sip.pns="apns"'];
    expect(caps(send({ contacts: [`<${PHONE}>`], expires: 600, extra: other }))).toHaveLength(2);
  });

  it('R8599-5.6.1.1-03 of another service is bound without push, or refused with 555', () => {
    const options = { contacts: ['<sip:alice@192.0.2.1;pn-provider=foo;pn-prid=1>'], expires: 600 };
    expect(caps(send(options))).toEqual([200]);
    const refused = send(options, shard({ refusesOthers: true }));
    expect([refused.status, refused.phrase]).toEqual([555, 'Push Notification Service Not Supported']);
    const gone = { ...options, expires: 0 };
    expect(send(gone, shard({ refusesOthers: true })).status).toBe(200);
  });

  it('R8599-5.6.1.1-03 that lacks what its service needs is bound without push', () => {
    expect(caps(send({ contacts: ['<sip:alice@192.0.2.1;pn-provider=apns;pn-prid=1>'], expires: 600 }))).toEqual([200]);
  });

  it('R8599-5.6.1.1-04 draws 423 where it would end before a push for its refresh', () => {
    const brief = send({ contacts: [`<${PHONE}>`], expires: 239 });
    expect([brief.status, ...brief.header('Min-Expires')]).toEqual([423, '240']);
    expect(caps(send({ contacts: [`<${PHONE}>`], expires: 240 }))).toHaveLength(2);
    expect(caps(send({ contacts: [`<${PHONE}>`], expires: 239 }, shard({ refreshS: 0 })))).toHaveLength(2);
    expect(caps(send({ contacts: [`<${PHONE}>`], expires: 600 }, shard({}, { maxExpiresS: 200 })))).toEqual([200]);
  });

  it('R8599-5.6.1.1-04 is not shortened at random to less than a push for its refresh needs', () => {
    const to = shard({}, { expiresJitterPercent: 90 });
    const granted = (user: string, contact: string, expires: number) =>
      send({ to: `<sip:${user}@example.com>`, callId: user, contacts: [`<${contact}>`], expires }, to).contacts[0]
        .expires;
    const seconds = Array.from({ length: 100 }, (_, i) => granted(`p${i}`, PHONE, 300));
    expect(Math.min(...seconds)).toBe(240);
    expect(Math.max(...seconds)).toBeGreaterThan(250);
    const others = Array.from({ length: 100 }, (_, i) => granted(`o${i}`, 'sip:o@192.0.2.1', 300));
    expect(Math.min(...others)).toBeLessThan(120);
  });

  it('R8599-5.6.1.2-01 asks with pn-provider alone, and is told of its service or of all', () => {
    const ask = (params: string) => caps(send({ contacts: [`<sip:alice@192.0.2.1;${params}>`], expires: 60 }));
    expect(ask('pn-provider=apns')).toEqual([200, '*;+sip.pns="apns"']);
    expect(ask('pn-provider')).toEqual([200, '*;+sip.pns="apns"', '*;+sip.pns="webpush";+sip.vapid="BKey"']);
    expect(ask('pn-provider=foo')).toEqual([200]);
  });
});

describe('a binding whose device can be woken', () => {
  const over = (flow: number) => ({ transport: TRANSPORT_TCP, flow });

  function setUp(push: Partial<PushPolicy> = {}, lookup: LookupPolicy = { sip: 'trusted', from: ['192.0.2.0/24'] }) {
    const open = new Set([7, 8]);
    const asked: string[][] = [];
    const told = new VirtualShard({
      policy: { push: { ...PUSH, ...push }, lookup },
      flows: { isAlive: (flow) => open.has(flow) },
      wake: (_slot, _length, _key, devices) => {
        asked.push(devices.map(({ prid }) => prid));
        return true;
      },
    });
    const end = (flow: number) => {
      open.delete(flow);
      told.flowsEnded([flow]);
      told.batch([]);
    };
    return { shard: told, asked, end };
  }

  const invite = (n: number) =>
    `INVITE sip:alice@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKi${n}\r\nMax-Forwards: 70\r\nFrom: <sip:b@example.com>;tag=${n}\r\nTo: <sip:alice@example.com>\r\nCall-ID: i${n}\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n`;

  it('R8599-5.3-01 sleeps when its connection ends: no target, kept, woken by a lookup, taken up by the device', () => {
    const { shard: to, asked, end } = setUp();
    expect(to.send(register({ contacts: [`<${PHONE}>`], expires: 600 }), over(7))?.status).toBe(200);
    expect(to.send(invite(1))?.status).toBe(302);
    end(7);
    expect([to.counter('bindings'), to.counter('flow_ended')]).toEqual([1, 1]);
    expect(to.send(register({ callId: 'fetch' }))?.contacts).toEqual([]);
    expect(to.send(invite(2))?.status).toBe(100);
    expect(asked).toEqual([['00fc13adff78512']]);
    to.shard.hasWaited(to.shard.firstSlot);
    expect(to.send(invite(2))?.status).toBe(480);
    // Who asks next has asked nobody yet.
    expect(to.send(invite(4), { ip: '198.51.100.7' })?.status).toBe(403);
    // The device comes back from another address: one binding, not two.
    const moved = PHONE.replace('192.0.2.1', '192.0.2.77');
    expect(
      to.send(register({ contacts: [`<${moved}>`], expires: 600, callId: 'new' }), over(8))?.contacts,
    ).toHaveLength(1);
    expect(to.counter('bindings')).toBe(1);
    expect(to.send(invite(3))?.contacts.map(({ uri }) => uri)).toEqual([moved]);
    expect(asked).toHaveLength(1);
  });

  it('lives beside another one of its device, which takes its place only when it sleeps', () => {
    const { shard: to, end } = setUp();
    const moved = PHONE.replace('192.0.2.1', '192.0.2.2');
    const bind = (uri: string, cseq: number, flow: number) =>
      to
        .send(register({ contacts: [`<${uri}>`], expires: 600, callId: `over-${flow}`, cseq }), over(flow))
        ?.contacts.map((contact) => contact.uri);
    expect(bind(PHONE, 1, 7)).toEqual([PHONE]);
    expect(bind(moved, 1, 8)).toEqual([PHONE, moved]);
    end(7);
    expect(to.counter('bindings')).toBe(2);
    expect(bind(moved, 2, 8)).toEqual([moved]);
    expect(to.counter('bindings')).toBe(1);
  });

  it('is looked up by those who might when they asked, though a reload has taken that away meanwhile', () => {
    const { shard: to, end } = setUp();
    to.send(register({ contacts: [`<${PHONE}>`], expires: 600 }), over(7));
    end(7);
    expect(to.send(invite(1))?.status).toBe(100);
    to.configure({ lookup: { sip: 'trusted', from: [] } });
    expect(to.send(invite(2))?.status).toBe(403);
    to.shard.hasWaited(to.shard.firstSlot);
    expect(to.send(invite(1))?.status).toBe(480);
  });

  it('is not woken by strangers, whose address may be another’s', () => {
    const { shard: to, asked, end } = setUp({}, { sip: 'anyone', from: ['192.0.2.0/24'] });
    to.send(register({ contacts: [`<${PHONE}>`], expires: 600 }), over(7));
    end(7);
    expect(to.send(invite(1), { ip: '198.51.100.7' })?.status).toBe(480);
    expect(asked).toEqual([]);
    expect(to.send(invite(2))?.status).toBe(100);
  });

  it('sleeps behind its expiry, for as long as the policy says, and then leaves', () => {
    const { shard: to, asked } = setUp({ dormantS: 3600 });
    to.send(register({ contacts: [`<${PHONE}>`], expires: 600 }), over(7));
    to.advance(610);
    expect([to.counter('bindings'), to.counter('expired')]).toEqual([1, 1]);
    const restMs = to.shard.msToNextTick(to.now);
    expect(restMs === -1 || restMs > 60_000, `nobody looks at it until it leaves: ${restMs} ms`).toBe(true);
    expect(to.send(register({ callId: 'fetch' }))?.contacts).toEqual([]);
    expect(to.send(invite(1))?.status).toBe(100);
    // Another phone of the user registers: the sleeping one stays.
    to.send(register({ contacts: ['<sip:desk@192.0.2.5>'], callId: 'desk', expires: 7200 }));
    expect(to.send(invite(2))?.status).toBe(100);
    expect(asked).toHaveLength(2);
    to.now += 3_590_000;
    to.advance(3);
    expect([to.counter('bindings'), to.counter('expired')]).toEqual([1, 1]);
    expect(to.send(invite(3))?.status).toBe(302);
  });

  it('wakes by its own next REGISTER, which is late and the same as ever', () => {
    const { shard: to, asked } = setUp();
    const refresh = (cseq: number) =>
      to.send(register({ contacts: [`<${PHONE}>`], expires: 600, callId: 'own', cseq }));
    refresh(1);
    to.advance(601);
    expect(to.send(register({ callId: 'fetch' }))?.contacts).toEqual([]);
    expect(refresh(2)?.contacts.map(({ uri }) => uri)).toEqual([PHONE]);
    expect(to.send(invite(1))?.status).toBe(302);
    to.advance(300);
    expect(refresh(3)?.contacts.map(({ uri }) => uri)).toEqual([PHONE]);
    to.advance(599);
    expect(to.send(invite(2))?.status).toBe(302);
    to.advance(2);
    expect(to.send(invite(3))?.status).toBe(100);
    expect([asked.length, to.counter('bindings')]).toEqual([1, 1]);
  });

  it('makes place for another phone, and is taken up by the same request, from that moment on', () => {
    const max = { contactsPerAorMax: 1 };
    const to = new VirtualShard({ policy: { push: PUSH, ...max }, wake: () => true });
    const bind = (contact: string, callId: string) =>
      to.send(register({ contacts: [`<${contact}>`], expires: 600, callId }));
    expect(bind(PHONE, 'own')?.status).toBe(200);
    to.now += 600_001;
    expect(bind(PHONE, 'own')?.contacts.map(({ uri }) => uri)).toEqual([PHONE]);
    to.now += 600_001;
    const desk = 'sip:desk@192.0.2.5';
    expect(bind(desk, 'desk')?.contacts.map(({ uri }) => uri)).toEqual([desk]);
    expect(to.counter('bindings')).toBe(1);
  });

  it('sleeps from the moment its time is over, before any sweep, also where another phone registers first', () => {
    const { shard: to, asked } = setUp();
    to.send(register({ contacts: [`<${PHONE}>`], expires: 600 }), over(7));
    to.now += 600_001;
    const answer = to.send(register({ contacts: ['<sip:desk@192.0.2.5>'], callId: 'desk', expires: 7200 }));
    expect(answer?.contacts.map(({ uri }) => uri)).toEqual(['sip:desk@192.0.2.5']);
    expect(to.counter('expired')).toBe(1);
    expect(to.send(invite(1))?.status).toBe(100);
    expect(asked).toEqual([['00fc13adff78512']]);
    to.advance(5);
    expect([to.counter('bindings'), to.counter('expired')]).toEqual([2, 1]);
  });

  it('R3261-10.3-31 obeys Call-ID and CSeq where the device names it behind a new contact', () => {
    const { shard: to } = setUp();
    const moved = `<${PHONE.replace('192.0.2.1', '192.0.2.2')}>`;
    const bind = (cseq: number, ...contacts: string[]) =>
      to.send(register({ contacts, expires: 600, callId: 'own', cseq }));
    expect(bind(5, `<${PHONE}>`)?.status).toBe(200);
    to.advance(601);
    let cseq = 0;
    for (const old of [`<${PHONE}>`, `<${PHONE}>;expires=0`]) {
      expect(bind(++cseq, moved, old)?.status).toBe(500);
      expect(bind(++cseq, old, moved)?.status).toBe(500);
    }
    expect(bind(6, moved, `<${PHONE}>;expires=0`)?.contacts).toHaveLength(1);
    expect(to.counter('bindings')).toBe(1);
  });

  it('is forgotten when it is unregistered, and makes way where the AOR has too many', () => {
    const { shard: to, end } = setUp();
    to.send(register({ contacts: [`<${PHONE}>`], expires: 600 }), over(7));
    end(7);
    to.send(register({ contacts: [`<${PHONE}>`], expires: 0, callId: 'new' }));
    expect(to.counter('bindings')).toBe(0);
    to.send(register({ contacts: [`<${PHONE}>`], expires: 600, callId: 'next' }), over(8));
    end(8);
    for (let i = 0; i < 10; i++)
      to.send(register({ contacts: [`<sip:d${i}@192.0.2.5>`], callId: `d${i}`, expires: 600 }));
    expect([to.counter('bindings'), to.counter('evicted')]).toEqual([10, 1]);
  });

  it('needs a service that is served: any other leaves with its connection', () => {
    const { shard: to, end } = setUp();
    const contacts = ['<sip:alice@192.0.2.9:5060;transport=tcp;pn-provider=foo;pn-prid=1>'];
    to.send(register({ contacts, expires: 600 }), over(7));
    end(7);
    expect(to.counter('bindings')).toBe(0);
  });
});
