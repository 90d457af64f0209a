// A shard that authenticates, in virtual time: the order of its checks, answers without state, nonces across restarts.

import { describe, expect, it } from 'vitest';
import { DEFAULT_ABUSE_POLICY } from '../../../src/core/abuse/abuse-policy.ts';
import { DEFAULT_AUTH_POLICY } from '../../../src/core/auth/auth-policy.ts';
import { USER_PENDING } from '../../../src/core/auth/credential-source.ts';
import { DEFAULT_POLICY } from '../../../src/core/uas/policy.ts';
import { MemoryStore } from '../../../src/location/memory-store.ts';
import { TestUsers } from '../../support/authentication.ts';
import { authorization, type Login } from '../../support/digest-client.ts';
import { request } from '../../support/requests.ts';
import { type Answer, type RegisterOptions, register, VirtualShard } from '../../support/virtual-shard.ts';

const START = Date.UTC(2026, 0, 1);
const ALICE = '<sip:alice@192.0.2.9>';

/** Each shard is another life. */
let lives = 0;

function shard({
  store = new MemoryStore(),
  now = START,
  generation = 0,
  policy = {},
  users = new TestUsers(['example.com'], { alice: 'secret', bob: 'hidden' }, {}),
  wait = (): boolean => false,
  limited = false,
  proxies = [] as string[],
} = {}): VirtualShard {
  return new VirtualShard({
    ...((limited || proxies.length > 0) && { gate: { policy: DEFAULT_ABUSE_POLICY, trustedProxies: proxies } }),
    policy,
    store,
    now,
    auth: {
      policy: DEFAULT_AUTH_POLICY,
      realms: ['example.com'],
      users,
      nonceStart: 0,
      generation,
      life: ++lives,
      wait,
    },
  });
}

function ask(on: VirtualShard, options: RegisterOptions): Answer {
  const answer = on.send(register(options));
  if (answer === undefined) throw new Error('no answer');
  return answer;
}

function nonceOf(answer: Answer): string {
  return /nonce="([^"]*)"/.exec(answer.header('WWW-Authenticate')[0])?.[1] ?? '';
}

function credentials(login: Login): string {
  return `Authorization: ${authorization({ qop: 'auth', ...login })}`;
}

describe('a shard that authenticates', () => {
  it('R3261-17.2.1-01 R3261-8.2.6.1-02 tells an INVITE that has to wait for its user so, with its Timestamp; a REGISTER waits in silence', () => {
    const users = new TestUsers(['example.com'], { alice: 'secret' }, {});
    const s = shard({ users, wait: () => true, policy: { lookup: { sip: 'authenticated', from: [] } } });
    const uri = 'sip:bob@example.com';
    const invite = (extra: string[]) =>
      request({ method: 'INVITE', uri, to: `<${uri}>`, extra: ['Timestamp: 54.3', ...extra] });
    const challenge = s.send(invite([]));
    const nonce = /nonce="([^"]*)"/.exec(challenge?.text ?? '')?.[1] ?? '';
    expect(challenge?.status).toBe(401);
    users.failure = USER_PENDING;
    const login = { nonce, uri, method: 'INVITE' };
    const answer = s.send(invite([credentials(login)]));
    expect([answer?.status, answer?.phrase, answer?.header('Timestamp')]).toEqual([100, 'Trying', ['54.3']]);
    expect(s.send(register({ contacts: [ALICE], extra: [credentials({ nonce })] }))).toBeUndefined();
    expect(s.counter('waiting')).toBe(2);
  });

  it('R3261-21.5.4-01 draws 503 where its user is not here yet and no more can wait for one', () => {
    const users = new TestUsers(['example.com'], { alice: 'secret' }, {});
    const s = shard({ users, wait: () => false });
    const nonce = nonceOf(ask(s, { contacts: [ALICE] }));
    users.failure = USER_PENDING;
    const answer = ask(s, { contacts: [ALICE], extra: [credentials({ nonce })] });
    expect([answer.status, answer.header('Retry-After')]).toEqual([503, [expect.stringMatching(/^\d+$/)]]);
    users.failure = 0;
    expect(ask(s, { cseq: 2, contacts: [ALICE], extra: [credentials({ nonce })] }).status).toBe(200);
  });

  it('R3261-8.2.7-02 R3261-26.3.2.4-01 challenges without state: the same request, the same To tag, no transaction', () => {
    const s = shard();
    const text = register({ contacts: [ALICE] });
    const [first, second] = [s.send(text), s.send(text)];
    expect(first?.status).toBe(401);
    expect(second?.header('To')).toEqual(first?.header('To'));
    expect(first?.header('To')[0]).toMatch(/;tag=[0-9a-f]{16}$/);
    expect([s.counter('transactions'), s.counter('absorbed')]).toEqual([0, 0]);
  });

  it('R3261-10.3-09 registers with credentials, and absorbs the retransmission', () => {
    const s = shard();
    const nonce = nonceOf(ask(s, { contacts: [ALICE] }));
    const text = register({ cseq: 2, contacts: [ALICE], extra: [credentials({ nonce })] });
    const [first, second] = [s.send(text), s.send(text)];
    expect([first?.status, second?.text === first?.text]).toEqual([200, true]);
    expect(first?.contacts).toHaveLength(1);
  });

  it('R3261-17.2.2-02 R7616-3.3-02 asks for no password again where only its answer is forgotten', () => {
    const s = shard();
    const nonce = nonceOf(ask(s, { contacts: [ALICE] }));
    const text = register({ cseq: 2, contacts: [ALICE], extra: [credentials({ nonce })] });
    const first = s.send(text);
    const long = (i: number) => `SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKlong${i};rport;x=${'y'.repeat(60_000)}`;
    for (let i = 0; i < 40; i++) expect(s.send(request({ method: 'OPTIONS', via: long(i) }))?.status).toBe(200);
    const again = s.send(text);
    expect([again?.status, again?.contacts, s.counter('absorbed')]).toEqual([200, first?.contacts, 0]);
  });

  it('R3261-8.2-02 authenticates before it looks at Require', () => {
    const s = shard();
    const extra = ['Require: foo'];
    const nonce = nonceOf(ask(s, { extra }));
    expect(ask(s, { cseq: 2, extra: [...extra, credentials({ nonce })] }).status).toBe(420);
  });

  it('R3261-10.3-11 R3261-10.3-12 answers 403 to another user and leaves the bindings alone', () => {
    const s = shard();
    const nonce = nonceOf(ask(s, {}));
    expect(ask(s, { cseq: 2, contacts: [ALICE], extra: [credentials({ nonce })] }).status).toBe(200);
    const mine = { username: 'bob', password: 'hidden' };
    const stolen = { callId: 'c2', cseq: 3, contacts: ['<sip:bob@192.0.2.1>'] };
    const other = nonceOf(ask(s, { callId: 'c2' }));
    expect(ask(s, { ...stolen, extra: [credentials({ ...mine, nonce: other })] }).status).toBe(403);
    const after = ask(s, { cseq: 9, extra: [credentials({ nonce, nc: 2 })] });
    expect(after.contacts.map(({ uri }) => uri)).toEqual(['sip:alice@192.0.2.9']);
  });

  it('R7616-3.3-02 refuses a replay in a new transaction', () => {
    const s = shard();
    const nonce = nonceOf(ask(s, {}));
    const extra = [credentials({ nonce })];
    expect(ask(s, { cseq: 2, contacts: [ALICE], extra }).status).toBe(200);
    const replay = ask(s, { cseq: 3, contacts: ['<sip:mallory@192.0.2.66>'], extra });
    expect(replay.status).toBe(401);
    expect(replay.text).toContain('stale=true');
  });

  it('R7616-3.3-02 R7616-3.3-04 takes a nonce from before a restart, from the next nc on', () => {
    const store = new MemoryStore();
    const before = shard({ store });
    const nonce = nonceOf(ask(before, {}));
    const refresh = (on: VirtualShard, cseq: number, nc: number) =>
      ask(on, { cseq, contacts: [ALICE], extra: [credentials({ nonce, nc })] }).status;
    expect([refresh(before, 2, 1), refresh(before, 3, 2)]).toEqual([200, 200]);
    const after = shard({ store, now: START + 60_000 });
    expect([refresh(after, 4, 2), refresh(after, 5, 3), refresh(after, 6, 3)]).toEqual([401, 200, 401]);
  });

  it('R7616-3.3-03 R7616-3.3-04 takes no nonce of another generation, and says stale to those with the right password', () => {
    const store = new MemoryStore();
    const nonce = nonceOf(ask(shard({ store }), {}));
    const after = shard({ store, now: START + 1000, generation: 1 });
    const refused = ask(after, { cseq: 2, contacts: [ALICE], extra: [credentials({ nonce, nc: 1 })] });
    expect([refused.status, refused.header('WWW-Authenticate')[0]]).toEqual([
      401,
      expect.stringContaining('stale=true'),
    ]);
    const again = ask(after, { cseq: 3, contacts: [ALICE], extra: [credentials({ nonce: nonceOf(refused), nc: 1 })] });
    expect(again.status).toBe(200);
  });

  it('R7616-3.3-02 forgets no use of a nonce in a restart, where a refresh has overtaken another', () => {
    const store = new MemoryStore();
    const before = shard({ store });
    const nonce = nonceOf(ask(before, {}));
    let cseq = 1;
    const use = (on: VirtualShard, nc: number, contact: string): number =>
      ask(on, { cseq: ++cseq, contacts: [contact], extra: [credentials({ nonce, nc })] }).status;
    expect([1, 3, 2].map((nc) => use(before, nc, ALICE))).toEqual([200, 200, 200]);
    const after = shard({ store, now: START + 1000 });
    expect([2, 3].map((nc) => use(after, nc, ALICE))).toEqual([401, 401]);
    expect(use(after, 4, ALICE)).toBe(200);
  });

  it('R7616-3.3-02 forgets no use of a nonce in a restart, whichever of its bindings is gone', () => {
    const store = new MemoryStore();
    const before = shard({ store });
    const [nonce, other] = [nonceOf(ask(before, {})), nonceOf(ask(before, {}))];
    let cseq = 1;
    const use = (on: VirtualShard, nc: number, contact: string, of = nonce): number =>
      ask(on, { cseq: ++cseq, contacts: [contact], extra: [credentials({ nonce: of, nc })] }).status;
    expect(use(before, 1, '<sip:a@192.0.2.9>')).toBe(200);
    expect(use(before, 3, '<sip:b@192.0.2.9>')).toBe(200);
    expect(use(before, 2, '<sip:c@192.0.2.9>')).toBe(200); // overtaken
    expect(use(before, 4, '<sip:c@192.0.2.9>;expires=0')).toBe(200);
    expect(use(before, 1, '<sip:b@192.0.2.9>;expires=0', other)).toBe(200);

    const after = shard({ store, now: START + 1000 });
    // First those that ask for no more than there is: they are refused for their nc alone.
    expect([1, 2, 3, 4].map((nc) => use(after, nc, '<sip:a@192.0.2.9>'))).toEqual([401, 401, 401, 401]);
    const thief = '<sip:thief@192.0.2.66>';
    expect([1, 2, 3, 4].map((nc) => use(after, nc, thief))).toEqual([401, 401, 401, 401]);
    expect(use(after, 5, '<sip:a@192.0.2.9>')).toBe(200);
    expect(use(after, 1, thief, other), 'no binding names it').toBe(401);
  });

  it('R7616-3.3-04 takes what it issues, and nothing twice, wherever its clock is set', () => {
    const s = shard();
    const login = (nonce: string, cseq: number, nc = 1) =>
      ask(s, { cseq, contacts: [ALICE], extra: [credentials({ nonce, nc })] });
    const first = nonceOf(ask(s, {}));
    expect(login(first, 2).status).toBe(200);
    let cseq = 2;
    for (const hours of [-2, 3, -100, 99, -1]) {
      s.now += hours * 3_600_000;
      expect(login(first, ++cseq).status, 'used before').toBe(401);
      const nonce = nonceOf(ask(s, {}));
      s.now -= 10_000;
      expect([login(nonce, ++cseq).status, login(nonce, ++cseq).status]).toEqual([200, 401]);
    }
  });

  it('R7616-3.3-02 takes no credentials of before a restart with another contact, wherever its clock was', () => {
    const thief = '<sip:thief@192.0.2.66>';
    for (const minutes of [-90, -30, 0, 30, 90]) {
      const store = new MemoryStore();
      const before = shard({ store });
      const nonce = nonceOf(ask(before, {}));
      const bind = { cseq: 2, contacts: [ALICE], extra: [credentials({ nonce, nc: 1 })] };
      const fetch = { cseq: 3, extra: [credentials({ nonce, nc: 2 })] };
      const refused = { cseq: 4, extra: ['Require: foo', credentials({ nonce, nc: 3 })] };
      const unused = nonceOf(ask(before, {}));
      expect([bind, fetch, refused].map((options) => ask(before, options).status)).toEqual([200, 200, 420]);

      const after = shard({ store, now: START + minutes * 60_000 });
      after.send(register({ callId: 'first' }));
      after.now = START + 1000;
      let cseq = 9;
      const stolen = (extra: string[], contacts: string[]) => ask(after, { cseq: ++cseq, extra, contacts }).status;
      for (const { extra } of [bind, fetch, refused, { extra: [credentials({ nonce: unused })] }]) {
        const login = extra.filter((row) => row.startsWith('Authorization'));
        expect(stolen(login, [thief]), `${minutes} min`).toBe(401);
        expect(stolen(login, [`${ALICE};expires=0`])).toBe(401);
      }
    }
  });

  it('R7616-3.3-03 goes on with a nonce from before a restart where the phone asks for no more than it has, else says stale', () => {
    const store = new MemoryStore();
    const nonce = nonceOf(ask(shard({ store }), {}));
    const before = shard({ store });
    const own = nonceOf(ask(before, {}));
    expect(ask(before, { cseq: 2, contacts: [ALICE], extra: [credentials({ nonce: own })] }).status).toBe(200);
    const after = shard({ store, now: START + 60_000 });
    const go = (nc: number, contacts: string[], of = own) =>
      ask(after, { cseq: 2 + nc, contacts, extra: [credentials({ nonce: of, nc })] });
    expect([go(2, [ALICE]).status, go(3, []).status]).toEqual([200, 200]);
    const moved = go(4, ['<sip:alice@192.0.2.77>']);
    expect([moved.status, moved.text.includes('stale=true')]).toEqual([401, true]);
    expect(go(5, ['<sip:alice@192.0.2.77>'], nonceOf(moved)).status).toBe(200);
    expect(go(6, [ALICE], nonce).status).toBe(401);
  });

  it('R3261-10.3-13 says nothing about who is there to those who have no password', () => {
    const s = shard();
    const shapes = ['alice', 'nobody'].map((user) => {
      const to = `<sip:${user}@example.com>`;
      const from = `${to};tag=f`;
      const nonce = nonceOf(ask(s, { to, from, callId: user }));
      const answer = ask(s, {
        to,
        from,
        callId: user,
        cseq: 2,
        extra: [credentials({ nonce, username: user, password: 'x' })],
      });
      return answer.text.replaceAll(user, 'user').replace(/nonce="[^"]*"|tag=\w+|branch=\w+/g, '');
    });
    expect(shapes[0]).toBe(shapes[1]);
  });
});

describe('a trusted proxy', () => {
  const PROXY = { ip: '203.0.113.5' };
  let cseq = 0;
  /** Its REGISTER for alice, with this From. */
  const statusOf = (s: VirtualShard, from: string) =>
    s.send(register({ from: `<${from}>;tag=p`, cseq: ++cseq, contacts: [ALICE] }), PROXY)?.status;

  it('R3261-10.3-10 R3261-10.3-12 registers nobody but the user in From, however long the names are', () => {
    const s = shard({ proxies: [PROXY.ip] });
    const others = ['sip:alicf@', 'sip:alic@', 'sip:alices@', 'sip:bob@', 'sip:'].map((user) => `${user}example.com`);
    for (const from of [...others, 'sip:alice@example.co', 'tel:+15551234'])
      expect([from, statusOf(s, from)]).toEqual([from, 403]);
    expect(s.counter('bindings')).toBe(0);
    expect(statusOf(s, 'sip:alice@example.com')).toBe(200);
  });

  it('R3261-10.3-10 is one from a reload on, and no longer than until another', () => {
    const s = shard({ proxies: ['203.0.113.99'] });
    const trust = (trustedProxies: string[]) =>
      s.shard.configure({
        policy: { ...DEFAULT_POLICY, domains: ['example.com'] },
        auth: { policy: DEFAULT_AUTH_POLICY, generation: 0, realms: ['example.com'] },
        gate: { policy: DEFAULT_ABUSE_POLICY, trustedProxies },
      });
    expect(statusOf(s, 'sip:alice@example.com')).toBe(401);
    trust([PROXY.ip]);
    expect(statusOf(s, 'sip:alice@example.com')).toBe(200);
    trust([]);
    expect(statusOf(s, 'sip:alice@example.com')).toBe(401);
  });
});

describe('guesses at a password', () => {
  const ALICES = 'alice@example.com';
  /** Guesses at alice's password from as many addresses, in requests about other AORs; how many were checked. */
  const guesses = (s: VirtualShard, count: number, username: string, kind: (to: string) => string, ip?: string) => {
    let checked = 0;
    for (let i = 0; i < count; i++) {
      const source = { ip: ip ?? `198.51.${100 + (i >> 8)}.${i & 255}` };
      const to = `<sip:any${i}@example.com>`;
      const nonce = nonceOf(s.send(kind(to), source) as Answer);
      const login = { nonce, username, password: `guess ${i}`, uri: 'sip:example.com' };
      const answer = s.send(kind(`${to}\r\n${credentials(login)}`), source);
      if (answer?.status !== 503) checked++;
    }
    return checked;
  };
  const asRegister = (to: string) => register({ to, callId: to, cseq: to.length });

  it.each(['alice', ALICES, 'alice@EXAMPLE.com'])(
    'are few, whichever AOR the request is about and however the user is written: %s',
    (name) => {
      const s = shard({ limited: true });
      expect(guesses(s, 60, name, asRegister)).toBe(20);
      expect(guesses(s, 10, 'alice', asRegister), 'written otherwise').toBe(0);
      s.now += 5000;
      expect(guesses(s, 10, name, asRegister)).toBe(1);
      expect(s.counter('put_off_guesses')).toBe(40 + 10 + 9);
    },
  );

  it('end for a source that has failed often, whichever accounts and ports it tries', () => {
    const names = Array.from({ length: 300 }, (_, i) => `user${i}`);
    const users = new TestUsers(['example.com'], Object.fromEntries(names.map((name) => [name, 'secret'])), {});
    const s = shard({ limited: true, users });
    const nonce = nonceOf(s.send(register({ callId: 'c' }), { ip: '203.0.113.99' }) as Answer);
    const answered = names.filter((name, i) => {
      const aor = `<sip:${name}@example.com>`;
      const extra = [credentials({ nonce, username: name, password: 'x' })];
      const text = register({ to: aor, from: `${aor};tag=1`, callId: `g${i}`, extra });
      return s.send(text, { ip: '203.0.113.7', port: 1024 + i }) !== undefined;
    });
    expect(answered.length).toBe(DEFAULT_ABUSE_POLICY.failuresMax / DEFAULT_ABUSE_POLICY.failedCredentialsCost);
    expect(s.send(register({ callId: 'd' }), { ip: '203.0.113.8' })?.status, 'another source').toBe(401);
  });

  it('are few for one who has an account, and cannot make another’s account known with it', () => {
    const users = new TestUsers(['example.com'], { alice: 'secret', bob: 'hidden' }, {});
    const s = shard({ limited: true, users });
    const source = { ip: '203.0.113.9' };
    const asks = (extra: string[], callId: string) =>
      request({ method: 'OPTIONS', uri: `sip:${ALICES}`, to: `<sip:${ALICES}>`, callId, extra });
    const nonce = nonceOf(s.send(asks([], 'o1'), source) as Answer);
    const login = { nonce, username: 'bob', password: 'hidden', method: 'OPTIONS', uri: `sip:${ALICES}` };
    expect(s.send(asks([credentials(login)], 'o2'), source)?.status).toBe(404);
    expect(guesses(s, 20, 'alice', asRegister)).toBe(20);
    const own = s.send(register({ callId: 'x1' }), source) as Answer;
    const guess = credentials({ nonce: nonceOf(own), username: 'alice', password: 'x' });
    expect(s.send(register({ callId: 'x2', extra: [guess] }), source)?.status).toBe(503);
  });
});

describe('a program that names itself as scanners do', () => {
  it('draws nothing, until a phone of the same source has logged in', () => {
    const s = shard({ limited: true });
    const scan = () => s.send(request({ method: 'OPTIONS', extra: ['User-Agent: friendly-scanner'] }))?.status;
    expect([scan(), s.counter('dropped_scanner')]).toEqual([undefined, 1]);
    const nonce = nonceOf(ask(s, { contacts: [ALICE] }));
    expect(ask(s, { cseq: 2, contacts: [ALICE], extra: [credentials({ nonce })] }).status).toBe(200);
    expect([scan(), s.counter('dropped_scanner')]).toEqual([200, 1]);
  });
});

describe('a Warning with the reason', () => {
  const warning = (answer: Answer): string[] => answer.header('Warning');

  it('is in no answer unless the policy wants it', () => {
    expect(warning(ask(shard(), { contacts: [ALICE] }))).toEqual([]);
  });

  it('R3261-10.3-13 names the code that the log has, and the same for an unknown user and a wrong password', () => {
    const s = shard({ policy: { warning: true } });
    const first = ask(s, { contacts: [ALICE] });
    expect(warning(first)).toEqual(['399 aorta "no_credentials"']);
    const nonce = nonceOf(first);
    const wrong = ask(s, { cseq: 2, contacts: [ALICE], extra: [credentials({ nonce, password: 'guess' })] });
    const unknown = ask(s, { cseq: 3, contacts: [ALICE], extra: [credentials({ nonce, username: 'mallory' })] });
    expect([wrong.status, unknown.status]).toEqual([401, 401]);
    expect([warning(wrong), warning(unknown)]).toEqual([
      ['399 aorta "wrong_credentials"'],
      ['399 aorta "wrong_credentials"'],
    ]);
    const open = new VirtualShard({ policy: { warning: true } });
    expect(warning(ask(open, { contacts: [ALICE], expires: 5 }))).toEqual(['399 aorta "interval_too_brief"']);
    expect(warning(ask(open, { callId: 'x', contacts: [ALICE] }))).toEqual([]);
  });
});
