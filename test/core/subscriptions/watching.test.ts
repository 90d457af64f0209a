// Who may watch a registration (RFC 3680 §4.6, RFC 6665 §4.2.1.3), where clients must authenticate.

import { describe, expect, it } from 'vitest';
import { DEFAULT_ABUSE_POLICY } from '../../../src/core/abuse/abuse-policy.ts';
import { DEFAULT_AUTH_POLICY } from '../../../src/core/auth/auth-policy.ts';
import type { SubscriptionPolicy } from '../../../src/core/subscriptions/subscription-policy.ts';
import { MemoryStore } from '../../../src/location/memory-store.ts';
import { TestUsers } from '../../support/authentication.ts';
import { authorization } from '../../support/digest-client.ts';
import { type Answer, register, type Source } from '../../support/virtual-shard.ts';
import { WatchedShard } from '../../support/watched-shard.ts';
import type { SubscribeFields } from '../../support/watcher.ts';

const PASSWORDS = { alice: 'secret', bob: 'hidden', app: 'service', boss: 'mighty' };
const PROXY = { ip: '198.51.100.7' };
const LISTED = { ip: '198.51.100.30' };

let lives = 0;

function shard(subscriptionPolicy: Partial<SubscriptionPolicy> = {}, store = new MemoryStore()): WatchedShard {
  const users = new TestUsers(['example.com'], PASSWORDS, { 'boss@example.com': ['alice@example.com'] });
  return new WatchedShard({
    store,
    subscriptionPolicy: { from: ['198.51.100.30'], watchers: ['app@example.com'], ...subscriptionPolicy },
    gate: { policy: DEFAULT_ABUSE_POLICY, trustedProxies: [PROXY.ip] },
    auth: {
      ...{ policy: DEFAULT_AUTH_POLICY, realms: ['example.com'], users, nonceStart: 0, generation: 0 },
      ...{ life: ++lives, wait: () => false },
    },
  });
}

let calls = 0;

const row = (
  user: keyof typeof PASSWORDS,
  nonce: string,
  method = 'SUBSCRIBE',
  uri = 'sip:alice@example.com',
  nc = 1,
): string =>
  `Authorization: ${authorization({
    ...{ username: user, password: PASSWORDS[user], realm: 'example.com', nonce, qop: 'auth', algorithm: 'MD5' },
    ...{ method, uri, nc },
  })}`;

const nonceOf = (answer: Answer) => /nonce="([^"]*)"/.exec(answer.header('WWW-Authenticate')[0])?.[1] ?? '';

/** Subscribes to alice with a user's password. */
function watch(
  s: WatchedShard,
  user: keyof typeof PASSWORDS,
  fields: SubscribeFields = {},
  source: Source = {},
): number {
  const own = { callId: `call-${++calls}`, ...fields };
  const challenge = s.subscribe(own, source);
  expect(challenge.status).toBe(401);
  return s.subscribe({ ...own, cseq: 2, headers: [row(user, nonceOf(challenge))] }, source).status;
}

describe('a watcher', () => {
  it('R6665-4.2.1.3-01 R3680-4.6-01 is a user who may register the AOR, or one who is listed', () => {
    const s = shard();
    const statuses = (['alice', 'boss', 'app', 'bob'] as const).map((user) => watch(s, user));
    expect(statuses).toEqual([200, 200, 200, 403]);
    expect(watch(shard({ watchers: [] }), 'app')).toBe(403);
    expect(s.counter('subscriptions')).toBe(3);
  });

  it('R6665-4.2.1.3-01 is not who merely says so', () => {
    const s = shard();
    const from = '<sip:app@example.com>;tag=x';
    expect(s.subscribe({ from }).status).toBe(401);
    expect(watch(s, 'bob', { from })).toBe(403);
    expect(watch(s, 'bob', { from: '<sip:alice@example.com>;tag=x', to: '<sip:bob@example.com>' })).toBe(403);
    expect(s.requests).toEqual([]);
  });

  it('R6665-4.2.1.3-01 may be at an address that is listed, which a proxy is not by itself', () => {
    const s = shard();
    const from = (user: string) => `<sip:${user}@example.com>;tag=x`;
    const at = (source: Source, user: string) =>
      s.subscribe({ callId: `call-${++calls}`, from: from(user) }, source).status;
    expect(['alice', 'bob', 'app'].map((user) => at(LISTED, user))).toEqual([200, 200, 200]);
    expect(['alice', 'bob', 'app'].map((user) => at(PROXY, user))).toEqual([200, 403, 200]);
    s.configure({ subscriptions: { ...s.subscriptionPolicy, from: [], watchers: [] } });
    expect(at(LISTED, 'alice')).toBe(401);
    expect(at(PROXY, 'app')).toBe(403);
  });

  it('asks again with credentials of this life: what was sent to another may be replayed from anywhere', () => {
    const store = new MemoryStore();
    const before = shard({}, store);
    const nonce = nonceOf(before.subscribe());
    const bound = { contacts: ['<sip:alice@192.0.2.9>'], extra: [row('alice', nonce, 'REGISTER', 'sip:example.com')] };
    expect(before.send(register(bound))?.status).toBe(200);
    const replayed = { cseq: 2, headers: [row('alice', nonce, 'SUBSCRIBE', 'sip:alice@example.com', 2)] };
    expect(before.subscribe(replayed).status).toBe(200);
    const after = shard({}, store);
    const answer = after.subscribe(replayed, { ip: '203.0.113.6' });
    expect([answer.status, /stale=true/.test(answer.text)]).toEqual([401, true]);
    expect(after.requests).toEqual([]);
  });

  it('R6665-4.2.1.3-01 logs in for a refresh, too', () => {
    const s = shard();
    expect(watch(s, 'alice', { callId: 'mine' })).toBe(200);
    const [{ text }] = s.notified();
    const to = /^From: (.*)\r$/m.exec(text)?.[1] ?? '';
    expect(s.subscribe({ callId: 'mine', to, cseq: 3, expires: 0 }, { port: 9999 }).status).toBe(401);
    expect(watch(s, 'bob', { callId: 'mine', to })).toBe(403);
    expect(s.counter('subscriptions')).toBe(1);
  });

  it('draws one short answer where it is a stranger over UDP', () => {
    const s = shard();
    const text = s.subscribe({ headers: [`X-Long: ${'x'.repeat(900)}`] }).text;
    expect([text.startsWith('SIP/2.0 401'), s.requests.length]).toEqual([true, 0]);
  });
});

describe('what names a device at its push service', () => {
  const SECRET = 'sip:alice@192.0.2.9;pn-provider=apns;transport=tcp;%50n-Param=team;pn-prid=cafe;PN-PURR=p7';
  const PLAIN = 'sip:alice@192.0.2.9;transport=tcp';

  /** A shard at which alice's phone is registered. */
  function registered(s = shard()): WatchedShard {
    const contacts = [`<${SECRET}>;pn-prid=cafe;q=0.5;+sip.pnsreg="121"`];
    expect(s.send(register({ contacts }), PROXY)?.status).toBe(200);
    return s;
  }

  const told = (s: WatchedShard) => s.notified().flatMap(({ reginfo }) => reginfo.contacts);

  it('R8599-4.1-01 is told to the AOR’s own users and to listed addresses alone', () => {
    const uri = (user: keyof typeof PASSWORDS) => {
      const s = registered();
      expect(watch(s, user)).toBe(200);
      return told(s).map((contact) => contact.uri);
    };
    expect((['alice', 'boss', 'app'] as const).map(uri)).toEqual([[SECRET], [SECRET], [PLAIN]]);
    const from = (source: Source, user: string, s = registered()) => {
      s.watch({ from: `<sip:${user}@example.com>;tag=x` }, source);
      return /pn-|cafe/i.test(s.requests.at(-1)?.text ?? '');
    };
    expect([from(LISTED, 'bob'), from(PROXY, 'alice'), from(PROXY, 'app')]).toEqual([true, true, false]);
    const open = new WatchedShard();
    open.send(register({ contacts: [`<${SECRET}>`] }));
    expect(from({}, 'alice', open)).toBe(false);
  });

  it('R8599-4.1-01 is left out of changes, too, and of parameters behind the URI; the id is one for all', () => {
    const s = shard();
    expect([watch(s, 'alice'), watch(s, 'app')]).toEqual([200, 200]);
    s.notified();
    s.pass(5000);
    const [own, other] = told(registered(s));
    expect([own.uri, other.uri, other.id]).toEqual([SECRET, PLAIN, own.id]);
    expect([own.params, other.params].map(Object.keys)).toEqual([['pn-prid', '+sip.pnsreg'], ['+sip.pnsreg']]);
  });

  it('R8599-4.1-01 follows who refreshes the subscription', () => {
    const s = registered();
    expect(watch(s, 'alice', { callId: 'mine' })).toBe(200);
    const [{ text }] = s.notified();
    const to = /^From: (.*)\r$/m.exec(text)?.[1] ?? '';
    s.subscribe({ callId: 'mine', to, cseq: 7, from: '<sip:app@example.com>;tag=w1' }, PROXY);
    expect(told(s).map(({ uri }) => uri)).toEqual([PLAIN]);
  });

  it('has a look-alike in the user part, which stays', () => {
    const s = shard();
    s.send(register({ contacts: ['<sip:a;pn-prid=b@192.0.2.9;pn-prid=c?x=pn-prid>'] }), PROXY);
    expect(watch(s, 'app')).toBe(200);
    expect(told(s).map(({ uri }) => uri)).toEqual(['sip:a;pn-prid=b@192.0.2.9?x=pn-prid']);
  });
});
