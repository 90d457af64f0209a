// A REGISTER whose answer was lost in a restart comes again, byte by byte, in another life of the shard: it draws what its first copy
// drew, nothing is done twice, and whoever changes it draws nothing by it.

import { describe, expect, it } from 'vitest';
import { DEFAULT_AUTH_POLICY } from '../../../src/core/auth/auth-policy.ts';
import type { Policy } from '../../../src/core/uas/policy.ts';
import { MemoryStore } from '../../../src/location/memory-store.ts';
import { TRANSPORT_TCP } from '../../../src/sip/sources.ts';
import { TestUsers } from '../../support/authentication.ts';
import { authorization } from '../../support/digest-client.ts';
import { answered, uris } from '../../support/requests.ts';
import { type RegisterOptions, register, type Source, VirtualShard } from '../../support/virtual-shard.ts';

const A = '<sip:alice@192.0.2.20:5060>';
const B = '<sip:alice@192.0.2.21:5060>';
const FLOW = '+sip.instance="<urn:uuid:00000000-0000-1000-8000-aabbccddeeff>";reg-id=1';
const START = Date.UTC(2026, 0, 1);
const over = (flow: number): Source => ({ transport: TRANSPORT_TCP, flow, port: 40_000 + flow });

let lives = 0;

class Lives {
  readonly open = new Set<number>();
  now = START;
  private readonly store = new MemoryStore();
  private readonly policy: Partial<Policy>;
  private readonly digest: boolean;

  constructor({ policy = {}, digest = false }: { policy?: Partial<Policy>; digest?: boolean } = {}) {
    this.policy = policy;
    this.digest = digest;
  }

  /** Another life, so many milliseconds after the one before. */
  next(ms = 3000): VirtualShard {
    this.now += ms;
    const { store, now, policy, open } = this;
    const users = new TestUsers(['example.com'], { alice: 'secret' }, {});
    const auth = {
      ...{ policy: DEFAULT_AUTH_POLICY, realms: ['example.com'], users, nonceStart: 0, generation: 0 },
      ...{ life: ++lives, wait: () => false },
    };
    const flows = { isAlive: (flow: number) => open.has(flow) };
    const shard = new VirtualShard({ store, now, policy, flows, ...(this.digest && { auth }) });
    shard.batch([]);
    return shard;
  }
}

/** A From of its own, so that none counts as the same request by another way (§8.2.2.2). */
const another = (): string => `<sip:a@b.example>;tag=${++lives}`;

/** Without what time changes. */
const lasting = (text: string): string => text.replace(/^Date: .*$/m, '').replace(/;expires=\d+/g, '');

describe('a REGISTER repeated after a restart', () => {
  it.each<[string, RegisterOptions[]]>([
    ['one contact', [{ contacts: [A] }]],
    ['a plain refresh', [{ contacts: [A] }, { cseq: 2, contacts: [A] }]],
    ['two contacts', [{ contacts: [A, B] }]],
    ['one of two', [{ callId: 'b', contacts: [B] }, { contacts: [A] }]],
    ['contacts changed', [{ contacts: [A] }, { cseq: 2, contacts: [B, `${A};expires=0`] }]],
    ['a flow', [{ contacts: [`${A};${FLOW}`] }]],
    [
      'a flow that moves',
      [{ contacts: [`${A};${FLOW}`] }, { cseq: 2, contacts: [`${A};${FLOW};expires=0`, `${B};${FLOW}`] }],
    ],
    ['the same contact, kept and taken back', [{ contacts: [A, `${A};expires=0`] }]],
    ['q, a name and parameters', [{ contacts: [`"Al" ${A};q=0.5;x="y";expires=77`] }]],
    ['a contact that is kept in another spelling', [{ contacts: ['<sip:a@phone.example.com.:5060>'] }]],
    ['contacts taken back', [{ contacts: [A, B] }, { cseq: 2, contacts: [`${A};expires=0`] }]],
    ['all taken back', [{ contacts: [A, B] }, { cseq: 2, contacts: ['*'], expires: 0 }]],
    ['a fetch', [{ contacts: [A] }, { cseq: 2 }]],
  ])('R3261-17.2.2-02 R3261-10.3-05 draws 200, as its first copy: %s', (_, requests) => {
    for (const jitter of [0, 50]) {
      const lives = new Lives({ policy: { expiresJitterPercent: jitter } });
      const before = lives.next();
      const extra = ['Supported: outbound, gruu', 'User-Agent: phone'];
      const texts = requests.map((options) => register({ extra, ...options }));
      const first = texts.map((text) => answered(before, text)).at(-1);
      const after = lives.next(20_000);
      const last = texts.at(-1) ?? '';
      const again = answered(after, last);
      expect([first?.status, again.status]).toEqual([200, 200]);
      expect(lasting(again.text)).toBe(lasting(first?.text ?? ''));
      for (const [i, { expires }] of again.contacts.entries())
        expect((first?.contacts[i].expires ?? 0) - expires).toBe(20);
      expect(answered(after, last).text, 'from then on it is known').toBe(again.text);
      expect([after.counter('refreshed'), after.counter('registered'), after.counter('absorbed')]).toEqual([0, 0, 1]);
    }
  });

  it('R3261-10.3-30 draws 500 where what it took back has been bound again', () => {
    const lives = new Lives();
    const before = lives.next();
    answered(before, register({ contacts: [A, B] }));
    const text = register({ cseq: 2, contacts: [A, `${B};expires=0`] });
    expect(answered(before, text).contacts).toHaveLength(1);
    answered(before, register({ callId: 'b', contacts: [B] }));
    const after = lives.next();
    expect(answered(after, text).status).toBe(500);
    expect(answered(after, register({ callId: 'fetch' })).contacts).toHaveLength(2);
  });

  it('R3261-10.3-30 draws 500 in the life that made the binding, 32 s later, and with any other content', () => {
    const lives = new Lives();
    const before = lives.next();
    const options = { callId: 'x', cseq: 5, contacts: [A] };
    answered(before, register(options));
    // Over a stream nothing is kept of it, and its branch is another one.
    expect(answered(before, register(options), over(1)).status).toBe(500);
    const after = lives.next();
    for (const other of [
      { contacts: [B, A] },
      { contacts: [`${A};q=0.3`] },
      { contacts: [`${A};x=y`] },
      { contacts: [A], expires: 60 },
      { contacts: [A, `${A.replace('20', '22')}`] },
      { contacts: [`"Other" ${A}`] },
      { contacts: [A], extra: ['User-Agent: other'] },
      { cseq: 4, contacts: [A] },
      { contacts: [`${A};expires=0`] },
      { contacts: ['*'], expires: 0 },
    ])
      expect([other, answered(after, register({ ...options, from: another(), ...other })).status]).toEqual([
        other,
        500,
      ]);
    expect(uris(after)).toEqual(['sip:alice@192.0.2.20:5060']);
    expect(answered(lives.next(29_000), register(options)).status, '32 s after the refresh').toBe(200);
    expect(answered(lives.next(1000), register(options)).status).toBe(500);
  });

  it('R3261-10.3-30 counts from the refresh, not from the start', () => {
    const lives = new Lives();
    const before = lives.next();
    const text = register({ contacts: [A] });
    answered(before, text);
    const after = lives.next(2000);
    after.now += 31_000;
    expect(answered(after, text).status).toBe(500);
  });

  it.each([0, 60])(
    'R3261-17.2.2-02 over a stream takes up what lived by the old connection (grace %i)',
    (flowGraceS) => {
      for (const contact of [`${A};${FLOW}`, '<sip:alice@10.0.0.9>', A]) {
        const lives = new Lives({ policy: { flowGraceS } });
        lives.open.add(1);
        const text = register({ contacts: [contact] });
        expect(answered(lives.next(), text, over(1)).status).toBe(200);
        lives.open.clear();
        lives.open.add(2);
        const after = lives.next();
        const again = answered(after, text, over(2));
        expect([again.status, again.contacts.length]).toEqual([200, 1]);
        expect(uris(after)).toHaveLength(1);
      }
    },
  );
});

describe('with digest', () => {
  function logIn(lives: Lives, options: RegisterOptions = {}): { text: string; answer: string; login: string } {
    const shard = lives.next();
    const challenge = answered(shard, register({ contacts: [A] })).text;
    const nonce = /nonce="([^"]*)"/.exec(challenge)?.[1] ?? '';
    const login = `Authorization: ${authorization({ qop: 'auth', nonce })}`;
    const text = register({ cseq: 2, contacts: [A], ...options, extra: [login, ...(options.extra ?? [])] });
    const answer = answered(shard, text);
    expect(answer.status).toBe(200);
    return { text, answer: answer.text, login };
  }

  it.each<[string, RegisterOptions]>([
    ['one contact', {}],
    ['several, and one taken back', { contacts: [A, B, '<sip:c@h>;expires=0'] }],
    ['a flow over UDP', { contacts: [`${A};${FLOW}`] }],
  ])('R3261-17.2.2-02 R7616-3.3-02 the same credentials draw the same once more: %s', (_, options) => {
    const lives = new Lives({ digest: true });
    const { text, answer } = logIn(lives, options);
    const after = lives.next();
    const again = answered(after, text);
    expect([again.status, lasting(again.text)]).toEqual([200, lasting(answer)]);
    expect(answered(after, text).text).toBe(again.text);
    expect([after.counter('refreshed'), after.counter('registered')]).toEqual([0, 0]);
    expect(answered(lives.next(), text).status, 'and after the next restart').toBe(200);
  });

  it('R7616-3.3-02 with anything else they draw 401, and nothing is changed', () => {
    const lives = new Lives({ digest: true });
    const { login, text } = logIn(lives);
    const after = lives.next();
    const extra = [login];
    for (const options of [
      { contacts: ['<sip:mallory@192.0.2.66>'] },
      { contacts: [A, '<sip:mallory@192.0.2.66>'] },
      { contacts: [`${A};expires=0`] },
      { cseq: 3, contacts: [A] },
      { cseq: 1, contacts: [A] },
      { callId: 'other', contacts: [A] },
      { contacts: ['*'], expires: 0 },
      { contacts: [] },
      { contacts: [A], extra: [login, 'User-Agent: mallory'] },
    ]) {
      const answer = answered(after, register({ cseq: 2, from: another(), extra, ...options }));
      expect([options, answer.status, /stale=true/.test(answer.text)]).toEqual([options, 401, true]);
    }
    expect([after.counter('refreshed'), after.counter('registered'), after.counter('unregistered')]).toEqual([0, 0, 0]);
    expect(answered(after, text).contacts.map(({ uri }) => uri)).toEqual(['sip:alice@192.0.2.20:5060']);
    expect(answered(lives.next(33_000), text).status, 'later').toBe(401);
  });

  it('R7616-3.3-02 in the life that counted them a copy by another transaction is a replay', () => {
    const lives = new Lives({ digest: true });
    const shard = lives.next();
    const nonce = /nonce="([^"]*)"/.exec(answered(shard, register({ contacts: [A] })).text)?.[1] ?? '';
    const extra = [`Authorization: ${authorization({ qop: 'auth', nonce })}`];
    const options = { cseq: 2, contacts: [A], extra };
    expect(answered(shard, register(options), over(1)).status).toBe(200);
    expect(answered(shard, register(options), over(1)).status).toBe(401);
  });

  it('R7616-3.3-02 over a new connection they do not take up what lived by the old one', () => {
    for (const flowGraceS of [0, 60]) {
      const lives = new Lives({ digest: true, policy: { flowGraceS } });
      lives.open.add(1);
      const shard = lives.next();
      const contacts = [`${A};${FLOW}`];
      const nonce = /nonce="([^"]*)"/.exec(answered(shard, register({ contacts }), over(1)).text)?.[1] ?? '';
      const extra = [`Authorization: ${authorization({ qop: 'auth', nonce })}`];
      const text = register({ cseq: 2, contacts, extra });
      expect(answered(shard, text, over(1)).status).toBe(200);
      lives.open.clear();
      lives.open.add(2);
      expect(answered(lives.next(), text, over(2)).status).toBe(401);
    }
  });

  it('R7616-3.3-02 what only removes has left nothing to know it by: 401 with a fresh nonce', () => {
    const lives = new Lives({ digest: true });
    const { login } = logIn(lives);
    const shard = lives.next();
    const text = register({ cseq: 3, contacts: [`${A};expires=0`], extra: [login] });
    expect(answered(shard, text).text).toMatch(/^SIP\/2\.0 401 [\s\S]*stale=true/);
  });
});
