// Each contact of a REGISTER and the list in its 200 (RFC 3261 §10.2.1, §10.3 steps 7 and 8): section 2 of the
// requirements, a test a row.

import { describe, expect, it } from 'vitest';
import { createHistoryMemory } from '../../../src/shard/observe/history.ts';
import { answered, bindings, statusOf, uris } from '../../support/requests.ts';
import { type RegisterOptions, register, VirtualShard } from '../../support/virtual-shard.ts';

const A = '<sip:alice@192.0.2.1>';
const B = '<sip:alice@192.0.2.2>';
const [URI_A, URI_B] = ['sip:alice@192.0.2.1', 'sip:alice@192.0.2.2'];

/** Seconds granted to one contact registered by itself. */
function granted(options: RegisterOptions, shard = new VirtualShard()): number {
  const answer = answered(shard, register(options));
  expect(answer.status).toBe(200);
  return answer.contacts[0].expires;
}

describe('step 7: the interval', () => {
  it('R3261-10.3-20 is the contact’s own where it has one', () => {
    expect(granted({ contacts: [`${A};expires=500`], expires: 100 })).toBe(500);
  });

  it('R3261-10.3-21 else that of Expires', () => {
    expect(granted({ contacts: [A], expires: 100 })).toBe(100);
    expect(granted({ contacts: [A], expires: '0000100' })).toBe(100);
  });

  it('R3261-10.3-22 else the configured default', () => {
    expect(granted({ contacts: [A] })).toBe(3600);
    expect(granted({ contacts: [A] }, new VirtualShard({ policy: { defaultExpiresS: 1800 } }))).toBe(1800);
  });

  it('R3261-20.19-01 else the default, too, where Expires makes no sense; never 0', () => {
    expect(granted({ contacts: [A], expires: 'tomorrow' })).toBe(3600);
    expect(granted({ contacts: [A], expires: '99999999999999999999' })).toBe(3600);
    expect(granted({ contacts: [A], expires: '4294967295' })).toBe(7200);
  });

  it('R3261-10.2-04 is 3600 where the parameter is malformed', () => {
    const shard = new VirtualShard({ policy: { defaultExpiresS: 1800 } });
    expect(granted({ contacts: [`${A};expires=abc`] }, shard)).toBe(3600);
    expect(granted({ cseq: 2, contacts: [`${A};expires=-1`] }, shard)).toBe(3600);
    expect(granted({ cseq: 3, contacts: [`${A};expires="x"`] }, shard)).toBe(3600);
  });

  it.each([undefined, 0])('R3261-10.3-17 refuses "*" with a parameter, with Expires: %s, too', (expires) => {
    const shard = new VirtualShard();
    granted({ contacts: [A] }, shard);
    const request = register({ cseq: 2, contacts: ['*;expires=0'], ...(expires !== undefined && { expires }) });
    expect(answered(shard, request).status).toBe(400);
    expect(uris(shard)).toEqual(['sip:alice@192.0.2.1']);
  });

  it.each(['expires', 'expires='])('R3261-10.3-21 is that of Expires where the parameter has no value: %s', (param) => {
    const shard = new VirtualShard({ policy: { defaultExpiresS: 1800 } });
    expect(granted({ contacts: [`${A};${param}`], expires: 600 }, shard)).toBe(600);
    expect(granted({ cseq: 2, contacts: [`${A};${param}`] }, shard)).toBe(1800);
    expect(answered(shard, register({ cseq: 3, contacts: [`${A};${param}`], expires: 0 })).contacts).toEqual([]);
  });

  it.each([
    [`${A};expires="0"`, undefined],
    [`${A};EXPIRES="0"`, 600],
    [A, '"0"'],
  ])('R3261-10.2.2-01 of zero removes the binding, in quotes, too: %s, Expires: %s', (contact, expires) => {
    const shard = new VirtualShard();
    expect(granted({ contacts: [`${A};expires="90"`] }, shard)).toBe(90);
    const request = register({ cseq: 2, contacts: [contact], ...(expires !== undefined && { expires }) });
    expect(answered(shard, request).contacts).toEqual([]);
    expect(uris(shard)).toEqual([]);
  });

  it.each(['4294967295', '4294967296', '99999999999', '18446744073709551616', '4294967297', '2147483648'])(
    'R3261-10.2-05 is the maximum where it is too large: %s',
    (expires) => {
      expect(granted({ contacts: [`${A};expires=${expires}`] })).toBe(7200);
    },
  );

  it('R3261-10.3-23 may be cut to the maximum, and is never more than asked', () => {
    expect(granted({ contacts: [`${A};expires=86400`] })).toBe(7200);
    for (const expires of [60, 61, 600, 3599, 3600, 7200]) expect(granted({ contacts: [A], expires })).toBe(expires);
  });

  it('R3261-10.3-23 may be shortened at random, so that phones do not refresh in step; never below the minimum', () => {
    const shard = new VirtualShard({ policy: { expiresJitterPercent: 20 } });
    const seconds = (asked: number): number[] =>
      Array.from({ length: 200 }, (_, i) =>
        granted({ callId: `j${asked}-${i}`, to: `<sip:j${i}@example.com>`, contacts: [A], expires: asked }, shard),
      );
    const hour = seconds(3600);
    expect(Math.max(...hour)).toBeLessThanOrEqual(3600);
    expect(Math.min(...hour)).toBeGreaterThanOrEqual(2880);
    expect(new Set(hour).size).toBeGreaterThan(100);
    expect(Math.min(...seconds(62))).toBeGreaterThanOrEqual(60);
  });

  it('R3261-10.3-23 is kept whole where the share to shorten it by is less than a second', () => {
    const shard = new VirtualShard({ policy: { expiresJitterPercent: 1 } });
    expect(granted({ contacts: [A], expires: 99 }, shard)).toBe(99);
    expect(granted({ callId: 'other', contacts: [B], expires: 100 }, shard)).toBe(99);
  });

  it.each([
    ['one contact', [A], {}],
    ['one contact, refreshed with its record', [A], { historyRefreshes: true }],
    ['two contacts', [A, B], {}],
    ['two contacts, one of them a flow', [`${A};+sip.instance="<urn:uuid:1>"`, B], {}],
  ])('R3261-10.3-23 is what was granted before, where that is asked for again: %s', (_, contacts, policy) => {
    for (const asked of [3600, 300, 9000]) {
      const history = createHistoryMemory(1 << 16);
      const shard = new VirtualShard({ policy: { expiresJitterPercent: 10, ...policy }, history });
      let cseq = 0;
      const refresh = (expires: number): number =>
        answered(shard, register({ callId: `ask-${asked}`, cseq: ++cseq, contacts, expires })).contacts[0].expires;
      const first = refresh(asked);
      const all = Array.from({ length: 50 }, () => {
        shard.now += (first * 1000) / 2;
        return refresh(first);
      });
      expect(new Set(all)).toEqual(new Set([first]));
      const fresh = Array.from({ length: 200 }, () => refresh(asked));
      expect(new Set(fresh).size, 'another interval is shortened anew').toBeGreaterThan(10);
      expect(Math.max(...fresh), 'each time, for ever').toBeLessThan(Math.min(asked, 7200));
    }
  });

  it.each([
    ['a new contact', [A], [B]],
    [
      'another one of its flow',
      ['<sip:a@h:1>;+sip.instance="<urn:x:1>";reg-id=1'],
      ['<sip:a@h:2>;+sip.instance="<urn:x:1>";reg-id=1'],
    ],
    ['one instead of the old one', [A], [B, `${A};expires=0`]],
    ['both, which were granted differently', [A], [A, B]],
  ])('R3261-10.3-23 a phone that moves keeps what it was granted: %s', (_, before, after) => {
    for (let i = 0; i < 20; i++) {
      const shard = new VirtualShard({ policy: { expiresJitterPercent: 50 } });
      const [{ expires }] = answered(shard, register({ callId: `m${i}`, contacts: before })).contacts;
      const moved = answered(shard, register({ callId: `m${i}`, cseq: 2, contacts: after, expires })).contacts;
      expect(moved.at(-1)?.expires).toBe(expires);
    }
  });

  it('R3261-10.3-24 is too brief only below the minimum and below an hour', () => {
    const shard = new VirtualShard();
    expect(statusOf(shard, { contacts: [A], expires: 30 })).toBe(423);
    expect(statusOf(shard, { cseq: 2, contacts: [A], expires: 59 })).toBe(423);
    expect(statusOf(shard, { cseq: 3, contacts: [A], expires: 60 })).toBe(200);
    expect(statusOf(shard, { cseq: 4, contacts: [A], expires: 0 })).toBe(200);
    expect(uris(shard)).toEqual([]);
    const strict = new VirtualShard({ policy: { minExpiresS: 7200 } });
    expect(granted({ contacts: [A], expires: 3600 }, strict)).toBe(3600);
    expect(statusOf(strict, { cseq: 2, contacts: [A], expires: 3599 })).toBe(423);
  });

  it('R3261-10.3-25 a 423 names the minimum, and nothing of the request is stored', () => {
    const shard = new VirtualShard();
    const answer = answered(shard, register({ contacts: [`${A};expires=3600`, `${B};expires=30`] }));
    expect([answer.status, answer.header('Min-Expires')]).toEqual([423, ['60']]);
    expect(uris(shard)).toEqual([]);
  });

  it('R3261-10.2.2-01 of zero removes the binding', () => {
    const shard = new VirtualShard();
    shard.send(register({ contacts: [A, B] }));
    const answer = answered(shard, register({ cseq: 2, contacts: [`${A};expires=0`] }));
    expect(answer.contacts.map(({ uri }) => uri)).toEqual([URI_B]);
    expect(answered(shard, register({ cseq: 3, contacts: [B], expires: 0 })).contacts).toEqual([]);
    expect(statusOf(shard, { cseq: 4, contacts: [B], expires: 0 })).toBe(200); // one that is not there
    expect(shard.counter('bindings')).toBe(0);
  });
});

describe('step 7: the binding', () => {
  it('R3261-10.3-26 is found by comparing URIs, not their text', () => {
    const shard = new VirtualShard();
    shard.send(register({ contacts: ['<sip:alice@Phone.example.org;transport=udp>'] }));
    const variant = 'SIP:%61lice@phone.EXAMPLE.org;Transport=UDP';
    const answer = answered(shard, register({ cseq: 2, contacts: [`<${variant}>`] }));
    expect(answer.contacts.map(({ uri }) => uri)).toEqual([variant]);
    expect(shard.counter('refreshed')).toBe(1);
  });

  it('R3261-10.3-27 is added where none matches', () => {
    const shard = new VirtualShard();
    expect(answered(shard, register({ contacts: [A] })).contacts.map(({ uri }) => uri)).toEqual([URI_A]);
    expect(answered(shard, register({ cseq: 2, contacts: [B] })).contacts.map(({ uri }) => uri)).toEqual([
      URI_A,
      URI_B,
    ]);
  });

  it('R3261-10.3-28 of another Call-ID is updated or removed whatever the CSeq', () => {
    const shard = new VirtualShard();
    shard.send(register({ callId: 'X', cseq: 900, contacts: [A, B] }));
    expect(statusOf(shard, { callId: 'Y', cseq: 1, contacts: [`${A};expires=99`, `${B};expires=0`] })).toBe(200);
    expect(bindings(shard)).toEqual([{ uri: URI_A, expires: 99 }]);
  });

  it('R3261-10.3-29 of the same Call-ID is updated or removed by a higher CSeq', () => {
    const shard = new VirtualShard();
    shard.send(register({ callId: 'X', cseq: 5, contacts: [A, B] }));
    expect(statusOf(shard, { callId: 'X', cseq: 6, contacts: [`${A};expires=99`] })).toBe(200);
    expect(statusOf(shard, { callId: 'X', cseq: 7, contacts: [`${B};expires=0`] })).toBe(200);
    expect(bindings(shard)).toEqual([{ uri: URI_A, expires: 99 }]);
  });

  it('R3261-10.3-29 R3261-20.16-01 compares CSeq as unsigned', () => {
    const shard = new VirtualShard();
    for (const cseq of [2147483647, 2147483648, 4294967295])
      expect(statusOf(shard, { callId: 'X', cseq, contacts: [A] })).toBe(200);
    expect(statusOf(shard, { callId: 'X', cseq: 1, contacts: [A] })).toBe(500);
  });

  it('R3261-20.8-01 compares Call-IDs byte by byte', () => {
    const shard = new VirtualShard();
    shard.send(register({ callId: 'ABC', cseq: 5, contacts: [A] }));
    expect(statusOf(shard, { callId: 'abc', cseq: 1, contacts: [A] })).toBe(200);
  });

  it.each([5, 4])('R3261-10.3-30 of the same Call-ID aborts the whole request where CSeq %i is not higher', (cseq) => {
    const shard = new VirtualShard();
    shard.send(register({ callId: 'X', cseq: 5, contacts: [`${A};expires=700`] }));
    const late = register({ callId: 'X', cseq, from: '<sip:a@b>;tag=late', contacts: [`${B};expires=800`, A] });
    const answer = answered(shard, late);
    expect([answer.status, answer.phrase]).toEqual([500, 'Stale Sequence Number']);
    expect(bindings(shard)).toEqual([{ uri: URI_A, expires: 700 }]);
  });

  it.each([5, 4])(
    'R3261-10.3-30 of the same Call-ID is not removed where CSeq %i is not higher, nor another bound',
    (cseq) => {
      const shard = new VirtualShard();
      shard.send(register({ callId: 'X', cseq: 5, contacts: [`${A};expires=700`] }));
      for (const contacts of [[`${A};expires=0`], [B, `${A};expires=0`]]) {
        const late = register({ callId: 'X', cseq, from: `<sip:a@b>;tag=late${contacts.length}`, contacts });
        expect(answered(shard, late).phrase).toBe('Stale Sequence Number');
        expect(bindings(shard)).toEqual([{ uri: URI_A, expires: 700 }]);
      }
    },
  );

  it('R3261-10.3-31 keeps the Call-ID and CSeq of the request that touched it last', () => {
    const shard = new VirtualShard();
    shard.send(register({ callId: 'X', cseq: 5, contacts: [A] }));
    shard.send(register({ callId: 'Y', cseq: 1, contacts: [A] }));
    expect(statusOf(shard, { callId: 'Y', cseq: 1, from: '<sip:a@b>;tag=late', contacts: [A] })).toBe(500);
    expect(statusOf(shard, { callId: 'X', cseq: 4, contacts: [A] })).toBe(200);
    expect(statusOf(shard, { callId: 'X', cseq: 4, from: '<sip:a@b>;tag=late', contacts: [A] })).toBe(500);
  });

  it('R3261-10.3-40 several at once: added, refreshed and removed in one request', () => {
    const shard = new VirtualShard();
    shard.send(register({ contacts: [A, '<sip:c@192.0.2.3>'] }));
    const contacts = [`${A};expires=0`, `${B};expires=60`, '<sip:c@192.0.2.3>;expires=90'];
    const answer = answered(shard, register({ cseq: 2, contacts }));
    expect(answer.contacts.map(({ uri, expires }) => [uri, expires])).toEqual([
      ['sip:c@192.0.2.3', 90],
      [URI_B, 60],
    ]);
  });

  it('R3261-10.3-40 the same twice in one request: settled in order, and counted for what it was', () => {
    const shard = new VirtualShard();
    shard.send(register({ cseq: 1, contacts: [`${A};expires=60`, `${A};expires=70`] }));
    expect(bindings(shard)).toEqual([{ uri: URI_A, expires: 70 }]);
    expect(shard.counter('registered')).toBe(1);
    shard.send(register({ cseq: 2, contacts: [`${A};expires=0`, `${A};expires=80`] }));
    expect(bindings(shard)).toEqual([{ uri: URI_A, expires: 80 }]);
    shard.send(register({ cseq: 3, contacts: [A, B], expires: 0 }));
    expect(bindings(shard)).toEqual([]);
    expect(shard.counter('registered') - shard.counter('unregistered')).toBe(0);
    expect([shard.counter('bindings'), shard.counter('aors')]).toEqual([0, 0]);
  });

  it.each([
    ['new', [`${A};expires=80`, `${A};expires=0`]],
    ['new, named twice', [`${A};expires=0`, `${A};expires=80`, `${A};expires=0`]],
  ])('R3261-10.3-40 a zero never names a contact that the request makes: %s', (_, contacts) => {
    const shard = new VirtualShard();
    shard.send(register({ cseq: 1, contacts }));
    expect(bindings(shard)).toEqual([{ uri: URI_A, expires: 80 }]);
    shard.send(register({ cseq: 2, contacts }));
    expect(bindings(shard)).toEqual([{ uri: URI_A, expires: 80 }]);
    expect(['registered', 'refreshed', 'unregistered'].map((name) => shard.counter(name as 'refreshed'))).toEqual([
      1, 1, 0,
    ]);
  });

  it('R3261-10.3-41 contacts come as rows, as a list or mixed', () => {
    const third = '"C, D" <sip:c@192.0.2.3;x=1>;q=0.5';
    const states = [[A, B, third], [`${A}, ${B},${third}`], [`${A} ,\t${B}`, third]].map((contacts) => {
      const shard = new VirtualShard();
      return answered(shard, register({ contacts })).contacts;
    });
    expect(states[0]).toHaveLength(3);
    expect(states[1]).toEqual(states[0]);
    expect(states[2]).toEqual(states[0]);
  });

  it('R3261-10.3-39 goes when its interval runs out', () => {
    const shard = new VirtualShard();
    shard.send(register({ contacts: [`${A};expires=60`, `${B};expires=90`] }));
    shard.now += 59_999;
    expect(uris(shard)).toEqual([URI_A, URI_B]);
    shard.now += 1;
    expect(uris(shard)).toEqual([URI_B]); // at once, before the wheel has turned
    shard.advance(2);
    expect([shard.counter('bindings'), shard.counter('expired')]).toEqual([1, 1]);
    shard.advance(30);
    expect([shard.counter('bindings'), shard.counter('expired'), shard.counter('aors')]).toEqual([0, 2, 0]);
    expect(shard.shard.msToNextTick(shard.now)).toBe(-1);
  });

  it('R3261-10.3-39 that has run out no longer binds by Call-ID and CSeq', () => {
    const shard = new VirtualShard();
    shard.send(register({ callId: 'X', cseq: 50, contacts: [`${A};expires=60`] }));
    shard.now += 60_000;
    expect(statusOf(shard, { callId: 'X', cseq: 1, contacts: [A] })).toBe(200);
  });

  it('R3261-10.3-39 outlives a restart with what it had left; what ran out meanwhile is gone', () => {
    const before = new VirtualShard();
    before.send(register({ contacts: [`${A};expires=60`, `${B};expires=300`] }));
    const after = new VirtualShard({ store: before.store, now: before.now + 100_000 });
    expect(after.counter('bindings')).toBe(2);
    expect(bindings(after)).toEqual([{ uri: URI_B, expires: 200 }]);
    after.advance(2);
    expect(after.counter('bindings')).toBe(1);
    after.advance(200);
    expect([after.counter('bindings'), after.counter('aors')]).toEqual([0, 0]);
  });

  it.each(['mailto:a@b.example.org', 'tel:+15551234', 'urn:uuid:1', 'x-custom:opaque;p?h'])(
    'R3261-10.2.1-01 may have any scheme: %s is stored and returned',
    (uri) => {
      const shard = new VirtualShard();
      expect(statusOf(shard, { contacts: [`<${uri}>`] })).toBe(200);
      expect(uris(shard)).toEqual([uri]);
      expect(statusOf(shard, { cseq: 2, contacts: [`<${uri}>;expires=0`] })).toBe(200);
      expect(uris(shard)).toEqual([]);
    },
  );
});

describe('step 8: the list', () => {
  it('R3261-10.3-34 names the bindings of every device', () => {
    const shard = new VirtualShard();
    shard.send(register({ callId: 'X', contacts: [A] }));
    const answer = answered(shard, register({ callId: 'Y', contacts: [B] }), { ip: '192.0.2.77' });
    expect(answer.contacts.map(({ uri }) => uri)).toEqual([URI_A, URI_B]);
  });

  it('R3261-10.3-34 has no Contact at all where there are no bindings', () => {
    expect(answered(new VirtualShard(), register()).text).not.toMatch(/^(Contact|m):/im);
  });

  it('R3261-10.3-35 gives each contact the seconds it has left, rounded down, at least 1', () => {
    const shard = new VirtualShard();
    shard.send(register({ callId: 'X', contacts: [`${A};expires=100`] }));
    shard.now += 30_500;
    const answer = answered(shard, register({ callId: 'Y', contacts: [`${B};expires=200`] }));
    expect(answer.contacts.map(({ expires }) => expires)).toEqual([69, 200]);
    shard.now += 69_400;
    expect(bindings(shard)[0].expires).toBe(1);
  });

  it('R3261-10.3-36 comes with the date', () => {
    const shard = new VirtualShard({ now: Date.UTC(2010, 10, 13, 23, 29, 0, 250) });
    expect(answered(shard, register()).header('Date')).toEqual(['Sat, 13 Nov 2010 23:29:00 GMT']);
    shard.now = Date.UTC(2028, 1, 29, 1, 2, 3);
    expect(answered(shard, register({ cseq: 2 })).header('Date')).toEqual(['Tue, 29 Feb 2028 01:02:03 GMT']);
  });

  it.each(['0', '1', '0.7', '0.123', '1.000', '0.', '1.0'])('R3261-10.3-37 returns q=%s', (q) => {
    const shard = new VirtualShard();
    expect(answered(shard, register({ contacts: [`${A};q=${q}`] })).contacts[0].row).toBe(`${A};q=${q};expires=3600`);
  });

  it.each(['1.5', 'abc', '-1', '2', '0.1234', '1.001', '', '0,5', '.', '.1234', '"2"', '""'])(
    'R3261-10.3-37 answers 400 to q=%s',
    (q) => {
      const shard = new VirtualShard();
      expect(statusOf(shard, { contacts: [`${A};q=${q}`] })).toBe(400);
      expect(uris(shard)).toEqual([]);
    },
  );

  it.each([
    ['sip:+19725552222@gw1.example.net;unknownparam', '<sip:+19725552222@gw1.example.net>;unknownparam;expires=3600'],
    ['<sip:+19725552222@gw1.example.net;unknownparam>', '<sip:+19725552222@gw1.example.net;unknownparam>;expires=3600'],
    [
      '<sip:user@example.com?Route=%3Csip:sip.example.com%3E>',
      '<sip:user@example.com?Route=%3Csip:sip.example.com%3E>;expires=3600',
    ],
    [
      '"Alice \\"x\\" , y" <sip:a%20b@h.example.org;lr?a=b>;+sip.instance="<urn:uuid:1,2;3>";expires=100;video;x="a;b"',
      '"Alice \\"x\\" , y" <sip:a%20b@h.example.org;lr?a=b>;+sip.instance="<urn:uuid:1,2;3>";video;x="a;b";expires=100',
    ],
    ['Alice<sip:a@h.example.org>;expires=100', 'Alice <sip:a@h.example.org>;expires=100'],
  ])('R3261-10.3-38 R3261-19.1.2-01 keeps apart and gives back what belongs to URI and contact: %s', (sent, row) => {
    const shard = new VirtualShard();
    expect(answered(shard, register({ contacts: [sent] })).contacts.map((contact) => contact.row)).toEqual([row]);
  });
});
