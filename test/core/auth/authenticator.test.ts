// Who may register (RFC 3261 §22, §10.3 steps 3 and 4; RFC 7616; RFC 8760): sections 6 and 7 of the requirements, as far as
// they concern one request; what the shard makes of it is in the tests of the shard.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULT_AUTH_POLICY } from '../../../src/core/auth/auth-policy.ts';
import { USER_PENDING, USER_UNAVAILABLE } from '../../../src/core/auth/credential-source.ts';
import {
  AUTH_FOREIGN_NONCE,
  AUTH_IMPROPER,
  AUTH_NO_CREDENTIALS,
  AUTH_NOT_ALLOWED,
  AUTH_NOT_OFFERED,
  AUTH_OK,
  AUTH_PENDING,
  AUTH_REPLAYED,
  AUTH_STALE,
  AUTH_UNAVAILABLE,
  AUTH_UNKNOWN_USER,
  AUTH_WAITING,
  AUTH_WRONG_RESPONSE,
} from '../../../src/core/auth/outcome.ts';
import { Authentication, type Verdict } from '../../support/authentication.ts';
import { authorization } from '../../support/digest-client.ts';

const LIFETIME = 3_600_000;
const ALL = ['SHA-512-256', 'SHA-256', 'MD5', 'SHA-512-256-sess', 'SHA-256-sess', 'MD5-sess'] as const;

function expectRefused(verdict: Verdict, status: number, outcome: number, stale = false): void {
  expect([verdict.status, verdict.outcome, verdict.stale]).toEqual([status, outcome, stale]);
}

/** An answer with what differs from challenge to challenge taken out. */
function shape(verdict: Verdict): string {
  return verdict.text.replace(/nonce="[^"]*"/g, 'nonce=""');
}

describe('challenges', () => {
  it('R3261-22.1-01 R3261-22.2-01 R3261-10.3-09 R3261-26.1.1-01 answer a request without credentials with 401', () => {
    const verdict = new Authentication().ask();
    expectRefused(verdict, 401, AUTH_NO_CREDENTIALS);
    expect(verdict.text).toMatch(/^SIP\/2\.0 401 Unauthorized\r\n/);
    expect(verdict.challenges).toHaveLength(1);
  });

  it('R7616-3.3-05 R7616-3.3-06 R8760-2.6-08 quote realm, nonce, opaque and qop, not algorithm and stale', () => {
    const auth = new Authentication();
    expect(auth.ask().challenges[0]).toMatch(
      /^Digest realm="example\.com", nonce="[\w-]{32}", opaque="[0-9a-f]{16}", qop="auth", algorithm=MD5$/,
    );
    const nonce = auth.nonce();
    auth.now += LIFETIME + 1;
    expect(auth.login({ nonce }).challenges[0]).toMatch(/algorithm=MD5, stale=true$/);
  });

  it('R8760-2.3-01 have a row per algorithm in the configured order, and one nonce', () => {
    const auth = new Authentication({
      policy: { algorithms: ['SHA-512-256', 'SHA-256', 'MD5'], qop: 'auth,auth-int' },
    });
    const { challenges } = auth.ask();
    expect(challenges.map((row) => /algorithm=(\S+)/.exec(row)?.[1])).toEqual(['SHA-512-256', 'SHA-256', 'MD5']);
    expect(new Set(challenges.map((row) => /nonce="[^"]+"/.exec(row)?.[0])).size).toBe(1);
    for (const row of challenges) expect(row).toContain('qop="auth,auth-int"');
  });

  it('leave out algorithms that some user has no HA1 for, unless none would be left', () => {
    const auth = new Authentication({ policy: { algorithms: ['SHA-256', 'MD5'] } });
    auth.users.algorithms = 1;
    expect(auth.ask().challenges.map((row) => /algorithm=(\S+)/.exec(row)?.[1])).toEqual(['MD5']);
    auth.users.algorithms = 0;
    expect(auth.ask().challenges).toHaveLength(2);
  });

  it('R3261-22.1-02 R3261-26.3.1-04 name the domain of To as the realm, else of the Request-URI, else the first', () => {
    const auth = new Authentication();
    const realm = (to: string, requestUri: string) =>
      /realm="([^"]*)"/.exec(auth.ask({ to, requestUri }).challenges[0])?.[1];
    expect(realm('sip:alice@EXAMPLE.org', 'sip:example.com')).toBe('example.org');
    expect(realm('sip:alice@elsewhere.net', 'sip:example.org')).toBe('example.org');
    expect(realm('sip:alice@elsewhere.net', 'sip:elsewhere.net')).toBe('example.com');
    const any = new Authentication({ realms: ['*'] });
    expect(any.ask({ to: 'sip:a@Some.Where' }).challenges[0]).toContain('realm="some.where"');
    const tooLong = `sip:a@${'x'.repeat(300)}`;
    expect(any.ask({ to: tooLong, requestUri: 'sip:here.example' }).challenges[0]).toContain('realm="here.example"');
  });

  it('R3261-26.3.2.4-01 leave nothing behind: however many, a nonce of before is good', () => {
    const auth = new Authentication();
    const nonce = auth.nonce();
    for (let i = 0; i < 20_000; i++) auth.ask();
    expect(auth.login({ nonce }).status).toBe(0);
  });

  it.each(['Basic YWxpY2U6c2VjcmV0', 'NoOneKnowsThisScheme opaque-data=here', 'Bearer x'])(
    'R3261-22-01 R3261-22.2-02 answer %s as no credentials, and never offer it',
    (row) => {
      const verdict = new Authentication().ask({ rows: [row] });
      expectRefused(verdict, 401, AUTH_NO_CREDENTIALS);
      for (const challenge of verdict.challenges) expect(challenge).toMatch(/^Digest /);
    },
  );
});

describe('credentials', () => {
  it.each(
    ALL.flatMap((algorithm) => (['auth', 'auth-int', undefined] as const).map((qop) => [algorithm, qop] as const)),
  )('R8760-2.1-01 R8760-2.3-02 R7616-3.4.2-01 R8760-2.6-08b R7616-3.6-01 %s with qop %s', (algorithm, qop) => {
    const auth = new Authentication({ policy: { algorithms: ALL, qop: 'auth,auth-int' } });
    const asking = { body: 'v=0' };
    expect(auth.login({ algorithm, qop }, asking).status).toBe(0);
    expectRefused(auth.login({ algorithm, qop, password: 'wrong' }, asking), 401, AUTH_WRONG_RESPONSE);
  });

  it('say who asks, and with which nonce', () => {
    const auth = new Authentication();
    expect(auth.login({ nc: 3 }).status).toBe(0);
    const { work } = auth.exchange;
    expect(work.authenticated).toBe(true);
    expect(Buffer.from(work.user.subarray(0, work.userLength)).toString()).toBe('alice');
    expect(work.nc).toBe(3);
  });

  it('R7616-3.3-01 without algorithm are MD5', () => {
    expect(new Authentication().login({ algorithm: undefined }).status).toBe(0);
    expect(new Authentication().login({ algorithm: 'MD5' }).status).toBe(0);
  });

  it('R3261-22.2-02 R3261-22.1-02 are looked for in all rows: scheme Digest, and our realm exactly', () => {
    const auth = new Authentication();
    const nonce = auth.nonce();
    const ours = authorization({ nonce, qop: 'auth' });
    const other = authorization({ nonce, qop: 'auth', realm: 'elsewhere.net' });
    expect(auth.ask({ rows: ['Basic x', other, ours] }).status).toBe(0);
    expectRefused(auth.ask({ rows: [other] }), 401, AUTH_NO_CREDENTIALS);
    expectRefused(auth.login({ realm: 'EXAMPLE.com' }), 401, AUTH_NO_CREDENTIALS);
  });

  it('R3261-7.3.1-04 R3261-22.2-02 in several rows of our realm: any that is good counts, and four are looked at', () => {
    const auth = new Authentication({ policy: { algorithms: ['SHA-256', 'MD5'] } });
    const nonce = auth.nonce();
    let nc = 0;
    const good = () => authorization({ nonce, qop: 'auth', nc: ++nc });
    const bad = [
      authorization({ nonce, qop: 'auth', password: 'wrong' }),
      authorization({ nonce: 'old', qop: 'auth' }),
      authorization({ nonce, qop: 'auth', algorithm: 'SHA-512-256' }),
      `Digest realm="example.com", username="alice"`,
      'Digest realm="example.com", username=',
    ];
    for (const row of bad) {
      expect([row, auth.ask({ rows: [row, good()] }).status]).toEqual([row, 0]);
      expect([row, auth.ask({ rows: [good(), row] }).status]).toEqual([row, 0]);
    }
    expect(auth.ask({ rows: [...bad.slice(0, 3), good()] }).status).toBe(0);
    expect(auth.ask({ rows: [bad[0], bad[0], bad[0], bad[0], good()] }).status).toBe(401);
  });

  it('R3261-7.3.1-04 of which none is good draw what the best of them draws, as one attempt at one account', () => {
    const auth = new Authentication();
    const nonce = auth.nonce();
    const wrong = authorization({ nonce, qop: 'auth', password: 'wrong' });
    const stale = authorization({ nonce: 'old', qop: 'auth' });
    const other = authorization({ nonce, qop: 'auth', username: 'bob', password: 'hidden' });
    const unfit = authorization({ nonce, qop: 'auth', algorithm: 'SHA-512-256' });
    for (const rows of [
      [wrong, stale],
      [stale, wrong],
      [unfit, stale, wrong],
    ])
      expectRefused(auth.ask({ rows }), 401, AUTH_FOREIGN_NONCE, true);
    for (const rows of [
      [wrong, unfit],
      [unfit, wrong],
      [wrong, wrong],
    ])
      expectRefused(auth.ask({ rows }), 401, AUTH_WRONG_RESPONSE);
    // What is known of bob hides no guess at alice.
    const { account } = auth.authenticator;
    expectRefused(auth.ask({ rows: [wrong] }), 401, AUTH_WRONG_RESPONSE);
    const guessed = [...account.key];
    expectRefused(auth.ask({ rows: [wrong, other] }), 401, AUTH_WRONG_RESPONSE);
    expect([...account.key]).toEqual(guessed);
    expect(auth.exchange.work.authenticated).toBe(false);
  });

  it('R3261-22.1-03 R7616-3.3-03 wrong ones draw a new challenge without stale, or 403 by configuration', () => {
    expectRefused(new Authentication().login({ password: 'wrong' }), 401, AUTH_WRONG_RESPONSE);
    const strict = new Authentication({ policy: { wrongCredentials: 403 } });
    expectRefused(strict.login({ password: 'wrong' }), 403, AUTH_WRONG_RESPONSE);
    expectRefused(strict.login({ username: 'mallory' }), 403, AUTH_UNKNOWN_USER);
  });

  it('R3261-10.3-13 an unknown user gets what a wrong password gets', () => {
    const auth = new Authentication();
    const unknown = auth.login({ username: 'mallory' });
    const wrong = auth.login({ username: 'alice', password: 'wrong' });
    expectRefused(unknown, 401, AUTH_UNKNOWN_USER);
    expect(shape(unknown)).toBe(shape(wrong));
  });

  it('R3261-22.1-04 anonymous with an empty password is nobody', () => {
    expectRefused(new Authentication().login({ username: 'anonymous', password: '' }), 401, AUTH_UNKNOWN_USER);
  });

  it('R8760-2.6-08b without qop count by policy, once per nonce', () => {
    const auth = new Authentication();
    const nonce = auth.nonce();
    expect(auth.login({ nonce, qop: undefined }).status).toBe(0);
    expectRefused(auth.login({ nonce, qop: undefined }), 401, AUTH_REPLAYED, true);
    const strict = new Authentication({ policy: { legacyWithoutQop: false } });
    expectRefused(strict.login({ qop: undefined }), 401, AUTH_NOT_OFFERED);
  });

  it('R7616-3.4-01 for what was not offered draw a fresh challenge', () => {
    const auth = new Authentication({ policy: { algorithms: ['SHA-256'] } });
    expectRefused(auth.login({ algorithm: 'MD5' }), 401, AUTH_NOT_OFFERED);
    expectRefused(auth.login({ algorithm: 'SHA-256-sess' }), 401, AUTH_NOT_OFFERED);
    expectRefused(auth.login({ algorithm: 'SHA-256', qop: 'auth-int' }), 401, AUTH_NOT_OFFERED);
    expectRefused(auth.login({ algorithm: 'SHA-256', userhash: true }), 401, AUTH_NOT_OFFERED);
  });

  it('R7616-3.3-06 R7616-3.4-01 may leave opaque out or empty; an altered one is refused', () => {
    const auth = new Authentication();
    const opaque = /opaque="([^"]*)"/.exec(auth.ask().challenges[0])?.[1];
    expect(auth.login({ opaque: undefined }).status).toBe(0);
    expect(auth.login({ opaque: '' }).status).toBe(0);
    expect(auth.login({ opaque }).status).toBe(0);
    expectRefused(auth.login({ opaque: `${opaque}0` }), 401, AUTH_FOREIGN_NONCE, true);
    expectRefused(auth.login({ opaque: 'x', password: 'wrong' }), 401, AUTH_WRONG_RESPONSE);
  });

  it('R7616-3.4.4-01 with userhash where it is offered', () => {
    const auth = new Authentication({ policy: { userhash: true, algorithms: ['SHA-256', 'MD5'] } });
    for (const row of auth.ask().challenges) expect(row).toContain(', userhash=true');
    expect(auth.login({ userhash: true, algorithm: 'SHA-256' }).status).toBe(0);
    expect(auth.exchange.work.userIsHash).toBe(true);
    expect(auth.login({ userhash: true, algorithm: 'MD5' }).status).toBe(0);
    expect(auth.login().status).toBe(0);
    expectRefused(auth.login({ userhash: true, username: 'mallory' }), 401, AUTH_UNKNOWN_USER);
  });

  it('R7616-3.4-03 with names that a quoted string cannot hold, and with escapes', () => {
    const auth = new Authentication({ users: { 'a"b\\c': 'p', 'J\xc3\xa4': 'q' } });
    expect(auth.login({ username: 'a"b\\c', password: 'p' }, { to: 'sip:x@example.com' }).outcome).toBe(
      AUTH_NOT_ALLOWED,
    );
    const row = authorization({ nonce: auth.nonce(), qop: 'auth', username: 'J\xc3\xa4', password: 'q' });
    const extended = row.replace(/username="[^"]*"/, "username*=UTF-8''J%C3%A4");
    expect(auth.ask({ rows: [extended] }).outcome).toBe(AUTH_NOT_ALLOWED);
  });
});

describe('improper parameters', () => {
  const improper: readonly (readonly [string, string, (row: string) => string])[] = [
    ['R7616-3.4-03', 'username and username*', (row) => `${row}, username*=UTF-8''alice`],
    ['R7616-3.4-02', 'qop without nc', (row) => row.replace(/, nc=\w+/, '')],
    ['R7616-3.4-02', 'qop without cnonce', (row) => row.replace(/, cnonce="\w+"/, '')],
    ['R7616-3.4-02', 'no username', (row) => row.replace(/username="\w+", /, '')],
    ['R7616-3.4-02', 'no uri', (row) => row.replace(/uri="[^"]+", /, '')],
    ['R7616-3.4-02', 'a parameter twice', (row) => `${row}, nc=00000001`],
    ['R7616-3.4-02', 'an open quote', (row) => `${row}, opaque="`],
    ['R7616-3.4-04', 'nc=1', (row) => row.replace(/nc=\w+/, 'nc=1')],
    ['R7616-3.4-04', 'nc of nine digits', (row) => row.replace(/nc=(\w+)/, 'nc=0$1')],
    ['R8760-2.2-01', 'a short response', (row) => row.replace(/response="\w\w/, 'response="')],
    ['R8760-2.2-01', 'a response of other digits', (row) => row.replace(/response="\w\w/, 'response="zz')],
    ['R8760-2.2-01', 'an algorithm of longer digests', (row) => `${row}, algorithm=SHA-256`],
    ['R8760-2.6-06', 'the uri of another domain', (row) => row.replace(/uri="[^"]+"/, 'uri="sip:evil.org"')],
    ['R8760-2.6-06', 'a uri that is none', (row) => row.replace(/uri="[^"]+"/, 'uri="example.com"')],
    ['R3261-26.1.5-01', 'a name without end', (row) => row.replace('alice', 'a'.repeat(600))],
    ['R3261-26.1.5-01', 'a cnonce without end', (row) => row.replace(/cnonce="/, `cnonce="${'c'.repeat(600)}`)],
  ];

  it.each(improper)('%s %s: 400', (_id, _what, change) => {
    const auth = new Authentication({ policy: { algorithms: ['MD5', 'SHA-256'] } });
    const row = change(authorization({ nonce: auth.nonce(), qop: 'auth' }));
    const verdict = auth.ask({ rows: [row] });
    expectRefused(verdict, 400, AUTH_IMPROPER);
    expect(verdict.challenges).toEqual([]);
  });

  it('R7616-3.4-04 quoted nc, qop and algorithm, and R3261-22.4-01 an unquoted uri, are taken', () => {
    const auth = new Authentication();
    const row = authorization({ nonce: auth.nonce(), qop: 'auth', algorithm: 'MD5' });
    const quoted = row.replace(/(nc|qop|algorithm)=([\w-]+)/g, '$1="$2"').replace(/uri="([^"]+)"/, 'uri=$1');
    expect(auth.ask({ rows: [quoted] }).status).toBe(0);
  });

  it('R8760-2.6-06 the digest uri may differ from the Request-URI within what is served', () => {
    const auth = new Authentication();
    const asking = { requestUri: 'sip:example.com:5060;transport=udp' };
    expect(auth.login({ uri: 'sip:example.com' }, asking).status).toBe(0);
    expect(auth.login({ uri: 'sip:EXAMPLE.ORG' }, asking).status).toBe(0);
    expect(auth.login({ uri: 'sip:192.0.2.1:5060' }, asking).status).toBe(0);
    expectRefused(auth.login({ uri: 'sip:192.0.2.evil' }, asking), 400, AUTH_IMPROPER);
  });

  it('R8760-2.6-06 a reload decides anew of which domains a digest uri may be', () => {
    const auth = new Authentication({ realms: ['example.com', 'old.example'] });
    expect(auth.login({ uri: 'sip:old.example' }).status).toBe(0);
    expectRefused(auth.login({ uri: 'sip:new.example' }), 400, AUTH_IMPROPER);
    auth.authenticator.configure(DEFAULT_AUTH_POLICY, ['example.com', 'new.example'], 0);
    expectRefused(auth.login({ uri: 'sip:old.example' }), 400, AUTH_IMPROPER);
    expect(auth.login({ uri: 'sip:new.example' }).status).toBe(0);
  });

  it('R8760-2.2-01 empty ones, before any challenge, are none yet (RFC 8760 §2.7)', () => {
    const row = 'Digest username="alice", realm="example.com", nonce="", uri="sip:example.com", response=""';
    expectRefused(new Authentication().ask({ rows: [row] }), 401, AUTH_NO_CREDENTIALS);
  });

  it('R7616-3.4-02 whatever stands in Authorization, there is an answer, and no way in', () => {
    const auth = new Authentication({ policy: { userhash: true, qop: 'auth,auth-int', algorithms: ALL } });
    const nonce = auth.nonce();
    const row = authorization({ nonce, qop: 'auth', password: 'wrong', algorithm: 'MD5' });
    const edit = fc.record({
      at: fc.nat(row.length),
      cut: fc.nat(12),
      put: fc.oneof(fc.constantFrom('', ',', '"', '=', '\\', ' ', "''", 'sess', '%'), fc.string({ maxLength: 6 })),
    });
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 6 }), (edits) => {
        let text = row;
        for (const { at, cut, put } of edits) text = text.slice(0, at) + put + text.slice(at + cut);
        expect([400, 401]).toContain(auth.ask({ rows: [text.replace(/[\r\n\0]/g, '')] }).status);
      }),
      { numRuns: 1500 },
    );
  });
});

describe('nonces in use', () => {
  it('R7616-3.3-02 a replay is refused, reordering within the window is not', () => {
    const auth = new Authentication();
    const nonce = auth.nonce();
    expect([1, 2, 5, 3].map((nc) => auth.login({ nonce, nc }).status)).toEqual([0, 0, 0, 0]);
    expectRefused(auth.login({ nonce, nc: 3 }), 401, AUTH_REPLAYED, true);
    expect(auth.login({ nonce, nc: 200 }).status).toBe(0);
    expectRefused(auth.login({ nonce, nc: 4 }), 401, AUTH_REPLAYED, true);
  });

  it('R7616-3.3-02 a wrong response uses nothing up', () => {
    const auth = new Authentication();
    const nonce = auth.nonce();
    auth.login({ nonce, nc: 0xfffffffe, password: 'wrong' });
    expect(auth.login({ nonce, nc: 1 }).status).toBe(0);
  });

  it('R7616-3.3-03 stale=true only where the digest is right', () => {
    const auth = new Authentication();
    const nonce = auth.nonce();
    auth.now += LIFETIME + 1;
    expectRefused(auth.login({ nonce, password: 'wrong' }), 401, AUTH_WRONG_RESPONSE);
    const stale = auth.login({ nonce });
    expectRefused(stale, 401, AUTH_STALE, true);
    expect(auth.login({ nonce: stale.nonce }).status).toBe(0);
  });

  it('R7616-3.3-04 a nonce of another AOR, or edited, is refused', () => {
    const auth = new Authentication({ others: { 'alice@example.com': ['bob@example.com'] } });
    const nonce = auth.nonce();
    const bob = { to: 'sip:bob@example.com' };
    expectRefused(auth.login({ nonce }, bob), 401, AUTH_FOREIGN_NONCE, true);
    expectRefused(auth.login({ nonce: `${nonce.slice(0, -1)}-` }), 401, AUTH_FOREIGN_NONCE, true);
    expect(auth.login({}, bob).status).toBe(0);
  });

  it('R7616-3.3-04 node A challenges, node B takes it; another generation of keys does not', () => {
    const nonce = new Authentication().nonce();
    const named = { highestNc: () => 0 };
    expect(new Authentication({ life: 2, floors: named }).login({ nonce }).status).toBe(0);
    expectRefused(new Authentication({ life: 2 }).login({ nonce }), 401, AUTH_STALE, true);
    expectRefused(new Authentication({ generation: 1 }).login({ nonce }), 401, AUTH_FOREIGN_NONCE, true);
  });

  it('R7616-3.3-02 after a restart a nonce goes on from the nc that the record names, and no other does', () => {
    const before = new Authentication();
    const nonce = before.nonce();
    expect(before.login({ nonce, nc: 4 }).status).toBe(0);
    const { nonceIdHigh, nonceIdLow } = before.exchange.work;
    const floors = { highestNc: (high: number, low: number) => (high === nonceIdHigh && low === nonceIdLow ? 4 : -1) };
    const after = new Authentication({ floors, life: 2 });
    expectRefused(after.login({ nonce, nc: 4 }), 401, AUTH_REPLAYED, true);
    expect(after.login({ nonce, nc: 5 }).status).toBe(0);
    expectRefused(after.login({ nonce: before.nonce(), nc: 1 }), 401, AUTH_STALE, true);
    expect(after.login().status).toBe(0);
  });

  it('R3261-26.1.5-01 nonces that had to be forgotten are stale, not unused', () => {
    const auth = new Authentication({ policy: { usedNoncesMax: 8 } });
    const first = auth.nonce();
    auth.login({ nonce: first });
    for (let i = 0; i < 9; i++) {
      auth.now++;
      expect(auth.login().status).toBe(0);
    }
    expectRefused(auth.login({ nonce: first, nc: 1 }), 401, AUTH_STALE, true);
  });
});

describe('authorisation', () => {
  it('R3261-10.3-11 R3261-10.3-12 R3261-22-02 403 for the AOR of another, unless it was given', () => {
    const bob = { to: 'sip:bob@example.com' };
    expectRefused(new Authentication().login({}, bob), 403, AUTH_NOT_ALLOWED);
    const given = new Authentication({ others: { 'alice@example.com': ['bob@example.com'] } });
    expect(given.login({}, bob).status).toBe(0);
  });

  it('R3261-10.3-12 comes after authentication', () => {
    expectRefused(
      new Authentication().login({ password: 'wrong' }, { to: 'sip:bob@example.com' }),
      401,
      AUTH_WRONG_RESPONSE,
    );
  });

  it('a request that changes nothing needs a user, not the right to register', () => {
    const asking = { method: 'OPTIONS', to: 'sip:bob@example.com', requestUri: 'sip:bob@example.com' };
    expect(new Authentication().login({ uri: 'sip:bob@example.com' }, asking).status).toBe(0);
    expect(new Authentication().ask(asking).status).toBe(401);
  });
});

describe('users that are not at hand', () => {
  it('wait without an answer, and use nothing up', () => {
    const auth = new Authentication();
    const nonce = auth.nonce();
    auth.users.failure = USER_PENDING;
    expectRefused(auth.login({ nonce }), AUTH_PENDING, AUTH_WAITING);
    auth.users.failure = 0;
    expectRefused(auth.login({ nonce }), 0, AUTH_OK);
  });

  it('draw 503 with Retry-After where nobody can be asked', () => {
    const auth = new Authentication();
    auth.users.failure = USER_UNAVAILABLE;
    const verdict = auth.login();
    expectRefused(verdict, 503, AUTH_UNAVAILABLE);
    expect(verdict.text).toContain('\r\nRetry-After: 5\r\n');
  });
});
