// Authentication-Info in the 200 (RFC 7616 §3.5), in virtual time.

import { describe, expect, it } from 'vitest';
import { type AuthPolicy, DEFAULT_AUTH_POLICY } from '../../../src/core/auth/auth-policy.ts';
import { TestUsers } from '../../support/authentication.ts';
import { authorization, type Login, responseOf } from '../../support/digest-client.ts';
import { type Answer, register, VirtualShard } from '../../support/virtual-shard.ts';

const ALICE = '<sip:alice@192.0.2.9>';
let lives = 0;

function shard(policy: Partial<AuthPolicy>, home = {}): VirtualShard {
  return new VirtualShard({
    policy: { expiresJitterPercent: 0, ...home },
    auth: {
      policy: { ...DEFAULT_AUTH_POLICY, algorithms: ['SHA-256', 'MD5', 'SHA-256-sess'], ...policy },
      realms: ['example.com'],
      users: new TestUsers(['example.com'], { alice: 'secret' }, {}),
      nonceStart: 0,
      life: ++lives,
      wait: () => false,
    },
  });
}

function send(on: VirtualShard, cseq: number, login?: Login, contacts: readonly string[] = [ALICE]): Answer {
  const extra = login === undefined ? [] : [`Authorization: ${authorization(login)}`];
  const answer = on.send(register({ cseq, contacts, expires: 600, extra }));
  if (answer === undefined) throw new Error('no answer');
  return answer;
}

const nonceOf = (answer: Answer) => /nonce="([^"]*)"/.exec(answer.header('WWW-Authenticate')[0])?.[1] ?? '';
const info = (answer: Answer) => answer.header('Authentication-Info');

describe('Authentication-Info', () => {
  it('is not sent by default', () => {
    const s = shard({});
    const nonce = nonceOf(send(s, 1));
    expect(info(send(s, 2, { nonce, qop: 'auth', algorithm: 'MD5' }))).toEqual([]);
    s.advance(3300);
    const late = send(s, 3, { nonce, qop: 'auth', algorithm: 'MD5', nc: 2 });
    expect([late.status, info(late)]).toEqual([200, []]);
  });

  it('R7616-3.5-01 brings the next nonce where the one in use will be too old at the next refresh, and saves a challenge', () => {
    const s = shard({ authenticationInfo: 'nextnonce' });
    const login = { nonce: nonceOf(send(s, 1)), qop: 'auth', algorithm: 'MD5' } as const;
    expect(info(send(s, 2, login))).toEqual([]);
    s.advance(500);
    expect(info(send(s, 3, { ...login, nc: 2 }))).toEqual([]);
    s.advance(2600);
    const [row] = info(send(s, 4, { ...login, nc: 3 }));
    expect(row).toMatch(/^nextnonce="[\w-]{32}"$/);
    const next = /"([^"]*)"/.exec(row)?.[1] ?? '';
    s.advance(550);
    expect(send(s, 5, { ...login, nc: 4 }).status).toBe(401);
    const renewed = send(s, 5, { ...login, nonce: next });
    expect([renewed.status, info(renewed), renewed.contacts.length]).toEqual([200, [], 1]);
    expect(send(s, 6, { ...login, nonce: next }).status).toBe(401); // each nc once, as ever
  });

  it.each([
    ['MD5', 'auth'],
    ['SHA-256', 'auth'],
    ['SHA-256-sess', 'auth'],
    ['SHA-256', 'auth-int'],
  ] as const)('R7616-3.5-01 proves that the server knows the password: %s, %s', (algorithm, qop) => {
    const s = shard({ authenticationInfo: 'mutual', qop: 'auth,auth-int' });
    const login = { nonce: nonceOf(send(s, 1)), qop, algorithm, cnonce: 'f00d', nc: 0x1a };
    const rspauth = responseOf({ ...login, method: '' }); // A2 is ":" uri
    const expected = `qop=${qop}, rspauth="${rspauth}", cnonce="f00d", nc=0000001a`;
    expect(info(send(s, 2, login))).toEqual([expected]);
    // A plain refresh, a fetch, and one with other contacts prove it alike.
    for (const [cseq, contacts] of [
      [3, [ALICE]],
      [4, []],
      [5, [ALICE, '<sip:alice@192.0.2.10>']],
    ] as const) {
      const again = { ...login, nc: 0x1a + cseq };
      const proof = responseOf({ ...again, method: '' });
      const answer = send(s, cseq, again, contacts);
      expect([answer.status, info(answer)[0]]).toEqual([200, expect.stringContaining(`rspauth="${proof}"`)]);
    }
    s.advance(3400);
    expect(info(send(s, 9, { ...login, nc: 0x30 }))[0]).toMatch(/, nc=00000030, nextnonce="[\w-]{32}"$/);
  });

  it('stands beside the rows of the domain, and in no refusal', () => {
    const s = shard({ authenticationInfo: 'mutual' }, { serviceRoutes: { '*': ['<sip:edge.example.com;lr>'] } });
    const login = { nonce: nonceOf(send(s, 1)), qop: 'auth', algorithm: 'MD5' } as const;
    for (const [cseq, nc] of [
      [2, 1],
      [3, 2],
    ]) {
      const answer = send(s, cseq, { ...login, nc });
      expect([answer.header('Service-Route').length, info(answer).length]).toEqual([1, 1]);
    }
    expect(info(send(s, 4, { ...login, nc: 3, password: 'guessed' }))).toEqual([]);
    expect(info(send(s, 1, { ...login, nc: 4 }))).toEqual([]); // an older CSeq: 500
  });

  it('proves nothing to credentials without qop, which have no formula for it', () => {
    const s = shard({ authenticationInfo: 'mutual' });
    const answer = send(s, 2, { nonce: nonceOf(send(s, 1)), algorithm: 'MD5' });
    expect([answer.status, info(answer)]).toEqual([200, []]);
  });
});
