// What strangers draw over UDP, where a source address may be another's: one answer, of at most three times the request's bytes, and
// nothing is kept of it.

import { describe, expect, it } from 'vitest';
import { DEFAULT_ABUSE_POLICY } from '../../../src/core/abuse/abuse-policy.ts';
import { type AuthPolicy, DEFAULT_AUTH_POLICY } from '../../../src/core/auth/auth-policy.ts';
import type { LookupPolicy } from '../../../src/core/uas/lookup-policy.ts';
import { MemoryStore } from '../../../src/location/memory-store.ts';
import { TRANSPORT_TCP } from '../../../src/sip/sources.ts';
import { TestUsers } from '../../support/authentication.ts';
import { authorization } from '../../support/digest-client.ts';
import { type Answer, register, type Source, VirtualShard } from '../../support/virtual-shard.ts';

const METHODS = [
  'REGISTER',
  'OPTIONS',
  'INVITE',
  'SUBSCRIBE',
  'MESSAGE',
  'PUBLISH',
  'NOTIFY',
  'BYE',
  'CANCEL',
  'ACK',
  'FOO',
];
const URIS = [
  'sip:example.com',
  'sip:alice@example.com',
  'sip:nobody@example.com',
  'sips:alice@example.com',
  'sip:h',
  'sip:a@b',
  'tel:1',
  'sip:x',
];
const EXTRA = [
  '',
  'Require:x\r\n',
  'Max-Forwards:0\r\n',
  'm:<sip:a@b>\r\nExpires:1\r\n',
  'c:a/b\r\n',
  'Accept-Contact:*;audio\r\n',
  'Authorization:Digest\r\n',
  'Authorization:Digest realm="example.com"\r\n',
  'Timestamp:1\r\n',
];

interface Rules {
  readonly lookup?: LookupPolicy['sip'];
  readonly auth?: Partial<AuthPolicy>;
  readonly warning?: boolean;
}

function shard({ lookup = 'trusted', auth = {}, warning = false }: Rules = {}): VirtualShard {
  const rules = { lookup: { sip: lookup, from: ['192.0.2.0/24'] }, warning, expiresJitterPercent: 0 };
  const store = new MemoryStore();
  const contacts = Array.from({ length: 10 }, (_, i) => `<sip:alice-${i}@phone-${i}.example.net:5070;ob>;+sip.ice`);
  new VirtualShard({ policy: { ...rules, domains: ['example.com'] }, store }).send(register({ contacts }));
  const s = new VirtualShard({
    policy: rules,
    store,
    auth: {
      policy: { ...DEFAULT_AUTH_POLICY, ...auth },
      realms: ['example.com'],
      users: new TestUsers(['example.com'], { alice: 'secret' }, {}),
      nonceStart: 0,
      life: 1,
      wait: () => false,
    },
    gate: { policy: { ...DEFAULT_ABUSE_POLICY, enabled: false }, trustedProxies: ['192.0.2.0/24'] },
  });
  return s;
}

let count = 0;

/** The shortest there is of its kind. */
function short(method: string, uri: string, extra = '', to = uri): string {
  count++;
  const via = `v:SIP/2.0/UDP h;rport;branch=z9hG4bK${count}`;
  return `${method} ${uri} SIP/2.0\r\n${via}\r\nf:<sip:a@b>;tag=1\r\nt:<${to}>\r\ni:${count}\r\nCSeq:1 ${method}\r\n${extra}\r\n`;
}

/** Shorter still: without what RFC 3261 wants in a Via. */
function shortest(method: string, uri: string, extra: string, to: string): string {
  const id = (++count).toString(36);
  return `${method} ${uri} SIP/2.0\r\nv:SIP/2.0/UDP h\r\nf:sip:b;tag=1\r\nt:${to}\r\ni:${id}\r\nCSeq:1 ${method}\r\n${extra}\r\n`;
}

const STRANGER: Source = { ip: '203.0.113.9' };
const STRANGER_6: Source = {
  ip: Uint8Array.from([0x20, 1, 0xd, 0xb8, ...Array.from({ length: 12 }, (_, i) => 17 * i + 15)]),
};
const PROXY: Source = { ip: '192.0.2.9' };

/** Bytes of all that a message draws in 40 s, also when it is sent anew. */
function drawn(s: VirtualShard, message: string | Uint8Array, source: Source): { bytes: number; statuses: number[] } {
  const answers = [...s.batch([message], source)];
  for (let second = 0; second < 4; second++) {
    s.now += 10_000;
    answers.push(...s.batch([]));
  }
  return {
    bytes: answers.reduce((sum, { text }) => sum + text.length, 0),
    statuses: answers.map(({ status }) => status),
  };
}

const RULES: readonly (readonly [string, Rules])[] = [
  ['the defaults', {}],
  [
    'every algorithm, qop and userhash, and warnings',
    {
      auth: { algorithms: ['SHA-512-256', 'SHA-256', 'MD5', 'MD5-sess'], qop: 'auth,auth-int', userhash: true },
      warning: true,
    },
  ],
  ['lookups by anyone', { lookup: 'anyone' }],
  ['lookups by users', { lookup: 'authenticated' }],
  ['no lookups', { lookup: 'off' }],
];

describe('a stranger over UDP', () => {
  it.each(RULES)(
    'R3261-8.2.7-02 R3261-26.3.2.4-01 draws one answer of three times the bytes at most, by any method in any state: %s',
    (_, rules) => {
      const s = shard(rules);
      const seen = new Set<number>();
      for (const source of [STRANGER, STRANGER_6])
        for (const method of METHODS)
          for (const uri of URIS)
            for (const extra of EXTRA)
              for (const [to, make] of [
                [uri, short],
                [uri, shortest],
                ['sip:alice@example.com', short],
                ['sip:b', shortest],
              ] as const) {
                const message = make(method, uri, extra, to);
                const { bytes, statuses } = drawn(s, message, source);
                expect(statuses.length, message).toBeLessThanOrEqual(1);
                expect(bytes, message).toBeLessThanOrEqual(3 * message.length);
                for (const status of statuses) seen.add(status);
              }
      expect(s.counter('transactions')).toBe(0);
      expect([...seen]).toEqual(expect.arrayContaining([200, 401, 404, 405, 416, 420, 481, 501]));
    },
  );

  it.each([
    ['no CSeq', short('INVITE', 'sip:example.com').replace(/CSeq.*\r\n/, '')],
    ['Via alone', 'INVITE sip:h SIP/2.0\r\nv:SIP/2.0/UDP h;rport\r\n\r\n'],
    ['another version', short('OPTIONS', 'sip:example.com').replace('SIP/2.0\r\n', 'SIP/9.0\r\n')],
    ['CRLFs', '\r\n\r\n'],
    ['STUN', Buffer.from(`000100002112a442${'78'.repeat(12)}`, 'hex')],
    ['STUN of before the cookie', Buffer.from(`00010000${'78'.repeat(16)}`, 'hex')],
    ['STUN, one unknown attribute', Buffer.from(`000100042112a442${'78'.repeat(12)}00020000`, 'hex')],
    ['STUN, unknown attributes', Buffer.from(`000100502112a442${'78'.repeat(12)}${'00020000'.repeat(20)}`, 'hex')],
  ])('draws no more than that by %s', (_, message) => {
    for (const source of [STRANGER, STRANGER_6]) {
      const s = shard();
      const { length } = Buffer.from(message);
      const bytes = s.draw(message, source).reduce((sum, answer) => sum + answer.length, 0);
      expect(bytes).toBeLessThanOrEqual(3 * length);
      s.now += 10_000;
      expect(s.batch([])).toEqual([]);
    }
  });

  it('is challenged by all algorithms where the request is as long as a phone’s', () => {
    const s = shard(RULES[1][1]);
    const rows = (message: string) => s.send(message, STRANGER)?.header('WWW-Authenticate').length ?? 0;
    expect(
      rows(short('REGISTER', 'sip:example.com', `User-Agent:${'x'.repeat(300)}\r\n`, 'sip:alice@example.com')),
    ).toBe(4);
    const few = rows(short('REGISTER', 'sip:example.com', '', 'sip:alice@example.com'));
    expect(few).toBe(1);
  });

  it('is told of as many contacts as fit, the best first, where anyone may ask', () => {
    const s = shard({ lookup: 'anyone' });
    const listed = (extra: string, source: Source) => s.send(short('INVITE', 'sip:alice@example.com', extra), source);
    const few = listed(`User-Agent:${'x'.repeat(100)}\r\n`, STRANGER);
    expect(few?.status).toBe(302);
    expect(few?.contacts).toHaveLength(7);
    expect(listed(`User-Agent:${'x'.repeat(900)}\r\n`, STRANGER)?.contacts).toHaveLength(10);
    expect(listed('', { ...STRANGER, transport: TRANSPORT_TCP, flow: 1 })?.status).not.toBe(480);
    expect(s.counter('transactions')).toBe(0);
  });
});

describe('who is known', () => {
  it('R3261-17.2.1-01 a proxy is told everything, and again until its ACK', () => {
    const s = shard();
    const { statuses } = drawn(s, short('INVITE', 'sip:alice@example.com'), PROXY);
    expect(statuses.length).toBeGreaterThan(1);
    expect(new Set(statuses)).toEqual(new Set([302]));
  });

  it('R3261-17.2.2-02 a phone that has logged in draws the same answer again, be it a refusal', () => {
    const s = shard();
    const nonce = /nonce="([^"]*)"/.exec(s.send(register({}), STRANGER)?.text ?? '')?.[1] ?? '';
    const row = `Authorization: ${authorization({ nonce, qop: 'auth' })}`;
    const message = register({ cseq: 2, extra: ['Require: foo', row] });
    const [first, second] = [s.send(message, STRANGER), s.send(message, STRANGER)] as Answer[];
    expect([first.status, second.text === first.text, s.counter('absorbed')]).toEqual([420, true, 1]);
  });
});
