// The registrar's steps 1 to 6 and the whole of a REGISTER (RFC 3261 §10.2, §10.3): section 2 of the requirements, a test
// a row. Step 7 and 8 (each contact, the list in the 200) are in contacts.test.ts.

import { describe, expect, it } from 'vitest';
import { answered, bindings, request, statusOf, uris } from '../../support/requests.ts';
import { register, VirtualShard } from '../../support/virtual-shard.ts';

const A = '<sip:alice@192.0.2.1>';
const B = '<sip:alice@192.0.2.2>';
const BOTH = ['sip:alice@192.0.2.1', 'sip:alice@192.0.2.2'];

function registered(to: string): VirtualShard {
  const shard = new VirtualShard();
  expect(statusOf(shard, { to, contacts: [A] })).toBe(200);
  return shard;
}

describe('REGISTER as a whole', () => {
  it('R3261-10.2-01 makes no dialog: what builds on one is refused', () => {
    const shard = registered('<sip:alice@example.com>');
    const to = '<sip:alice@example.com>;tag=0123456789abcdef';
    for (const method of ['BYE', 'NOTIFY', 'UPDATE', 'INFO'])
      expect(answered(shard, request({ method, to, callId: 'call-1' })).status).toBe(405);
  });

  it('R3261-10.2.3-01 without Contact changes nothing and lists everything', () => {
    const shard = new VirtualShard();
    shard.send(register({ contacts: [`${A};expires=100`, `${B};expires=200`] }));
    shard.advance(40);
    const answer = answered(shard, register({ cseq: 2, expires: 7000 }));
    expect(answer.contacts.map(({ uri, expires }) => [uri, expires])).toEqual([
      [BOTH[0], 60],
      [BOTH[1], 160],
    ]);
    shard.advance(60);
    expect(bindings(shard)).toEqual([{ uri: BOTH[1], expires: 100 }]);
    // Nor is its CSeq remembered: nothing was touched.
    expect(statusOf(shard, { cseq: 2, from: '<sip:a@b>;tag=again', contacts: [B] })).toBe(200);
  });

  it('R3261-10.3-01 draws no 6xx, whatever it says', () => {
    const shard = new VirtualShard();
    const texts = [
      register({ contacts: ['*'] }),
      register({ contacts: [`${A};expires=1`] }),
      register({ to: 'isbn:1' }),
      register({ requestUri: 'sip:nowhere.example.net' }),
      register({ extra: ['Require: x'] }),
      register({ contacts: Array.from({ length: 11 }, (_, i) => `<sip:${i}@192.0.2.1>`) }),
      register({ contacts: [A], cseq: 2 }),
      register({ contacts: [A], cseq: 1, from: '<sip:a@b>;tag=late' }),
      register().replace('CSeq: 1', 'CSeq: -1'),
      ...['INVITE', 'BYE', 'SUBSCRIBE', 'FOO'].map((method) => request({ method })),
    ];
    for (const text of texts) expect(answered(shard, text).status).toBeLessThan(600);
  });

  it('R3261-10.3-04 those for one AOR take effect in the order in which they came', () => {
    const shard = new VirtualShard();
    const answers = shard.batch([
      register({ cseq: 5, contacts: [A] }),
      register({ cseq: 6, contacts: [`${A};expires=0`, B] }),
      register({ cseq: 7, contacts: [`${B};expires=77`] }),
    ]);
    expect(answers.map(({ contacts }) => contacts.map(({ uri }) => uri))).toEqual([[BOTH[0]], [BOTH[1]], [BOTH[1]]]);
    expect(bindings(shard)).toEqual([{ uri: BOTH[1], expires: 77 }]);
  });

  it.each(['<sip:alice@192.0.2.3>;q=9', '<sip:alice@192.0.2.3>;expires=10', '<sip:>', '<sip:alice@192.0.2.1>'])(
    'R3261-10.3-05 R3261-10.3-32 happens wholly or not at all: third contact %s',
    (third) => {
      const shard = new VirtualShard();
      shard.send(register({ callId: 'x', cseq: 9, contacts: [`${A};expires=500`] }));
      const contacts = [B, '<sip:alice@192.0.2.4>', third];
      expect(statusOf(shard, { callId: 'x', cseq: 9, from: '<sip:a@b>;tag=2', contacts })).toBeGreaterThanOrEqual(400);
      expect(bindings(shard)).toEqual([{ uri: BOTH[0], expires: 500 }]);
    },
  );

  it('R3261-10.3-06 R3261-10.3-32 those of one batch each see all of what went before, and nothing else', () => {
    const shard = new VirtualShard();
    const answers = shard.batch([
      register({ callId: 'x', contacts: [A, B] }),
      register({ callId: 'y', contacts: [`${A};expires=0`, '<sip:'] }),
      register({ callId: 'z', contacts: [`${A};expires=0`] }),
      register({ callId: 'f' }),
    ]);
    expect(answers.map(({ status, contacts }) => [status, contacts.length])).toEqual([
      [200, 2],
      [400, 0],
      [200, 1],
      [200, 1],
    ]);
  });

  it('R5393-sec-01 is refused whole by policy where it would leave too many bindings', () => {
    const shard = new VirtualShard({ policy: { contactsPerAorMax: 2, contactsOverflow: 'reject' } });
    expect(statusOf(shard, { cseq: 1, contacts: [A, B] })).toBe(200);
    expect(statusOf(shard, { cseq: 2, contacts: [`${A};expires=600`, '<sip:c@192.0.2.3>'] })).toBe(403);
    expect(bindings(shard).map(({ expires }) => expires)).toEqual([3600, 3600]);
    // Counted on what is left at the end: contacts may be exchanged for others.
    expect(statusOf(shard, { cseq: 3, contacts: ['<sip:c@192.0.2.3>', `${A};expires=0`] })).toBe(200);
    expect(uris(shard)).toEqual([BOTH[1], 'sip:c@192.0.2.3']);
  });

  it('R5393-sec-01 may still refresh what there is where the limit has been lowered', () => {
    const before = new VirtualShard();
    before.send(register({ cseq: 1, contacts: [A, B, '<sip:c@192.0.2.3>'] }));
    const policy = { contactsPerAorMax: 1, contactsOverflow: 'reject' } as const;
    const after = new VirtualShard({ store: before.store, now: before.now, policy });
    expect(statusOf(after, { cseq: 2, contacts: [A] })).toBe(200);
    expect(statusOf(after, { cseq: 3, contacts: [`${A};expires=0`] })).toBe(200);
    expect(statusOf(after, { cseq: 4, contacts: ['<sip:d@192.0.2.4>'] })).toBe(403);
    expect(uris(after)).toEqual([BOTH[1], 'sip:c@192.0.2.3']);
  });

  it('R5393-sec-01 makes room: the binding refreshed longest ago goes', () => {
    const shard = new VirtualShard({ policy: { contactsPerAorMax: 2 } });
    shard.send(register({ cseq: 1, contacts: [A] }));
    shard.advance(1);
    shard.send(register({ cseq: 2, contacts: [B] }));
    shard.advance(1);
    shard.send(register({ cseq: 3, contacts: [A] }));
    shard.advance(1);
    expect(statusOf(shard, { cseq: 4, contacts: ['<sip:c@192.0.2.3>'] })).toBe(200);
    expect(uris(shard)).toEqual([BOTH[0], 'sip:c@192.0.2.3']);
    expect(shard.counter('evicted')).toBe(1);
  });

  it('R5393-sec-01 makes room for several at once, never at the cost of a contact that it names itself', () => {
    const shard = new VirtualShard({ policy: { contactsPerAorMax: 3 } });
    const contact = (i: number): string => `<sip:${i}@192.0.2.1>`;
    for (const i of [1, 2, 3]) {
      shard.send(register({ callId: `${i}`, contacts: [contact(i)] }));
      shard.now += 1000;
    }
    // 1 is the oldest, and refreshed by the request.
    expect(statusOf(shard, { callId: '1', cseq: 2, contacts: [contact(4), contact(1)] })).toBe(200);
    expect(uris(shard)).toEqual(['sip:1@192.0.2.1', 'sip:3@192.0.2.1', 'sip:4@192.0.2.1']);
    shard.now += 1000;
    expect(statusOf(shard, { callId: '2', cseq: 2, contacts: [5, 6, 7].map(contact) })).toBe(200);
    expect(uris(shard)).toEqual([5, 6, 7].map((i) => `sip:${i}@192.0.2.1`));
    expect(shard.counter('evicted')).toBe(4);
    // More than there may be, all its own: refused whole.
    expect(statusOf(shard, { callId: '8', contacts: [8, 9, 10, 11].map(contact) })).toBe(403);
    expect(uris(shard)).toEqual([5, 6, 7].map((i) => `sip:${i}@192.0.2.1`));
    expect(shard.counter('evicted')).toBe(4);
  });

  it('R5393-sec-01 lets a phone in whose port changes, however often', () => {
    const shard = new VirtualShard();
    for (let port = 5061; port < 5111; port++) {
      const contacts = [`<sip:alice@192.0.2.1:${port}>`];
      expect(statusOf(shard, { cseq: port, contacts })).toBe(200);
      shard.now += 1000;
    }
    expect(uris(shard)).toHaveLength(10);
    expect(uris(shard).at(-1)).toBe('sip:alice@192.0.2.1:5110');
  });

  it('R5393-sec-01 may name only so many contacts', () => {
    const shard = new VirtualShard({ policy: { contactsPerAorMax: 64 } });
    const contacts = Array.from({ length: 33 }, (_, i) => `<sip:${i}@192.0.2.1>`);
    const answer = answered(shard, register({ contacts }));
    expect([answer.status, answer.phrase]).toEqual([400, 'Too Many Contacts']);
    expect(statusOf(shard, { cseq: 2, contacts: contacts.slice(1) })).toBe(200);
    expect(uris(shard)).toHaveLength(32);
  });
});

describe('steps 1 to 5: domain, extensions, address-of-record', () => {
  it('R3261-10.3-07 refuses another domain with 404', () => {
    const shard = new VirtualShard();
    const text = register({ requestUri: 'sip:other.example', to: '<sip:a@other.example>', contacts: [A] });
    expect(answered(shard, text).status).toBe(404);
  });

  it('R3261-10.3-08 refuses an unknown extension before it touches a binding', () => {
    const shard = registered('<sip:alice@example.com>');
    const answer = answered(shard, register({ cseq: 2, contacts: ['*'], expires: 0, extra: ['Require: unknown'] }));
    expect([answer.status, answer.header('Unsupported')]).toEqual([420, ['unknown']]);
    expect(uris(shard)).toEqual([BOTH[0]]);
  });

  it.each(['isbn:2983792873', '<tel:+15551234>', '<mailto:alice@example.com>'])(
    'R3261-10.2-02 answers 400 to a To that is no SIP URI: %s',
    (to) => {
      expect(statusOf(new VirtualShard(), { to, contacts: [A] })).toBe(400);
    },
  );

  it('R3261-10.2-03 takes a user part in the Request-URI for the domain alone', () => {
    const shard = new VirtualShard();
    expect(statusOf(shard, { requestUri: 'sip:bob@example.com', contacts: [A] })).toBe(200);
    expect(uris(shard)).toEqual([BOTH[0]]);
    expect(uris(shard, '<sip:bob@example.com>')).toEqual([]);
  });

  it('R3261-10.3-13 answers 404 where To is of another domain than the Request-URI, or names no user', () => {
    const shard = new VirtualShard({ policy: { domains: ['biloxi.com', 'atlanta.com'] } });
    const toAtlanta = { to: '<sip:a@atlanta.com>', contacts: [A] };
    expect(statusOf(shard, { requestUri: 'sip:biloxi.com', ...toAtlanta })).toBe(404);
    expect(statusOf(shard, { requestUri: 'sip:atlanta.com', cseq: 2, ...toAtlanta })).toBe(200);
    expect(statusOf(shard, { requestUri: 'sip:biloxi.com', cseq: 3, to: '<sip:biloxi.com>', contacts: [A] })).toBe(404);
  });

  it('R3261-10.3-13 takes the AOR from To, not from From', () => {
    const shard = new VirtualShard();
    expect(statusOf(shard, { to: '<sip:boss@example.com>', contacts: [A] })).toBe(200);
    expect(uris(shard, '<sip:boss@example.com>')).toEqual([BOTH[0]]);
    expect(uris(shard)).toEqual([]);
  });

  it.each([
    '<sip:bob@example.com;user=phone;x=1>',
    'sip:bob@example.com',
    'sip:bob@example.com;x=1',
    '"Bob" <sip:bob@example.com:5060>',
    '<sip:bob:secret@example.com>',
  ])('R3261-10.3-14 the AOR of %s is that of <sip:bob@example.com>', (to) => {
    expect(uris(registered('<sip:bob@example.com>'), to)).toEqual([BOTH[0]]);
    expect(uris(registered(to), '<sip:bob@example.com>')).toEqual([BOTH[0]]);
  });

  it('R3261-10.3-15 undoes escapes in the AOR once', () => {
    expect(uris(registered('<sip:%62ob@example.com>'), '<sip:bob@example.com>')).toEqual([BOTH[0]]);
    expect(uris(registered('<sip:b%6Fb@example.com>'), '<sip:b%6fb@example.com>')).toEqual([BOTH[0]]);
    const twice = registered('<sip:a%2541@example.com>');
    expect(uris(twice, '<sip:aA@example.com>')).toEqual([]);
    expect(uris(twice, '<sip:a%41@example.com>')).toEqual([]);
    expect(uris(twice, '<sip:a%25%34%31@example.com>')).toEqual([BOTH[0]]);
  });

  it('R3261-10.3-15 keeps NUL as a character like any other', () => {
    const shard = registered('<sip:bob%00evil@example.com>');
    expect(uris(shard, '<sip:bob@example.com>')).toEqual([]);
    expect(uris(shard, '<sip:bob%00@example.com>')).toEqual([]);
    expect(uris(shard, '<sip:bob%00evil@example.com>')).toEqual([BOTH[0]]);
  });

  it('R3261-10.3-15 does not let an escaped "@" move the domain', () => {
    const shard = registered('<sip:bob%40evil.org@example.com>');
    expect(uris(shard, '<sip:bob@example.com>')).toEqual([]);
    expect(uris(shard, '<sip:bob%40evil.org@example.com>')).toEqual([BOTH[0]]);
  });

  it('R3261-10.3-16 minds the case of the user and not of the host', () => {
    const shard = registered('<sip:alice@ExAmple.com>');
    expect(uris(shard, '<sip:alice@example.COM>', 'sip:EXAMPLE.com')).toEqual([BOTH[0]]);
    expect(uris(shard, '<sip:ALICE@example.com>')).toEqual([]);
  });

  it('R3261-10.3-16 takes sip: and sips: as one AOR', () => {
    expect(uris(registered('<sip:alice@example.com>'), '<sips:alice@example.com>', 'sips:example.com')).toEqual([
      BOTH[0],
    ]);
  });
});

describe('step 6: the wildcard', () => {
  /** A by X/5, B by Y/9. */
  function twoPhones(): VirtualShard {
    const shard = new VirtualShard();
    expect(statusOf(shard, { callId: 'X', cseq: 5, contacts: [A] })).toBe(200);
    expect(statusOf(shard, { callId: 'Y', cseq: 9, contacts: [B] })).toBe(200);
    return shard;
  }

  it.each([
    ['with another Contact', { contacts: ['*', '<sip:a@b>'], expires: 0 }],
    ['with another Contact in the same row', { contacts: ['<sip:a@b>, *'], expires: 0 }],
    ['twice', { contacts: ['*', '*'], expires: 0 }],
    ['with an expiration other than zero', { contacts: ['*'], expires: 3600 }],
    ['with a malformed expiration', { contacts: ['*'], expires: 'never' }],
    ['without Expires', { contacts: ['*'] }],
    ['with a parameter in place of Expires', { contacts: ['*;expires=0'] }],
  ])('R3261-10.3-17 answers 400 to * %s', (_, options) => {
    const shard = twoPhones();
    expect(statusOf(shard, { callId: 'Z', ...options })).toBe(400);
    expect(uris(shard)).toEqual(BOTH);
  });

  it('R3261-10.3-18 removes what other Call-IDs and earlier requests of its own have made', () => {
    const shard = twoPhones();
    const answer = answered(shard, register({ callId: 'X', cseq: 6, contacts: ['*'], expires: 0 }));
    expect([answer.status, answer.contacts]).toEqual([200, []]);
    expect(uris(shard)).toEqual([]);
    expect(shard.counter('unregistered')).toBe(2);
  });

  it.each([5, 4])('R3261-10.3-19 fails whole where its CSeq %i is not higher', (cseq) => {
    const shard = twoPhones();
    const from = '<sip:a@b>;tag=other';
    expect(statusOf(shard, { callId: 'X', cseq, from, contacts: ['*'], expires: 0 })).toBe(500);
    expect(uris(shard)).toEqual(BOTH);
    // Also where the binding it may remove comes first.
    expect(statusOf(shard, { callId: 'Y', cseq, from, contacts: ['*'], expires: 0 })).toBe(500);
    expect(uris(shard)).toEqual(BOTH);
  });

  it('R3261-10.3-18 is fine where there is nothing to remove', () => {
    expect(statusOf(new VirtualShard(), { contacts: ['*'], expires: 0 })).toBe(200);
  });
});
