// RFC 3261 §22, RFC 7616 and RFC 8760 over a real socket: who gets in, who does not, and what the answers give away.

import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Aorta, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { killAll, poll, within } from '../support/child-process.ts';
import {
  aortaUser,
  bound,
  challenge,
  challenges,
  configFile,
  credentials,
  importUsers,
  logIn,
  signed,
} from '../support/login-client.ts';
import {
  type Answer,
  bindings,
  header,
  headers,
  newBranch,
  newToken,
  SipClient,
  tagOf,
} from '../support/sip-client.ts';

const DESK = '<sip:desk@127.0.0.1:1>';
const THIEF = '<sip:thief@127.0.0.1:2>';
const BOB = { aor: 'bob@example.com' };
const IPV6_USER = 'six@[2001:DB8:0::0:1]';

let aorta: Aorta;
let client: SipClient;
let users = 0;
const made = Array.from({ length: 40 }, (_, n) => `user${n}@example.com`);

beforeAll(async () => {
  const data = temporaryDirectory();
  await importUsers(data, [...made, BOB.aor, 'pbx@example.com', 'user0@example.org', 'only@example.org', IPV6_USER]);
  aorta = await Aorta.start({
    data,
    domains: ['example.com', 'example.org', '[2001:db8::1]'],
    flags: ['--auth', 'digest', '--lookup-sip', 'off'],
    under: ['env', 'AORTA_WARM_UP=on'],
  });
  client = await SipClient.open(aorta);
});

afterAll(async () => {
  client?.close();
  await killAll();
  removeDirectories();
});

/** A user that no other test uses. */
const newUser = (): string => made[++users];

/** A 401 that says whether the credentials were right. */
function expectChallenge(answer: Answer, stale: boolean): void {
  expect(answer.status, answer.text).toBe(401);
  expect(challenges(answer)[0].stale, answer.text).toBe(stale);
}

it('shards rehearse logins with users of their own, and leave none behind', async () => {
  expect(aorta.stderr).not.toContain('no rehearsal');
  const files = readdirSync(aorta.data, { recursive: true, encoding: 'utf8' });
  expect(files.filter((name) => name.includes('rehearsal'))).toEqual([]);
  const answer = await client.request(client.register({ aor: 'user000000@rehearsal.invalid' }));
  expect(answer.status, 'its domain is none').toBe(404);
});

it('a policy that refuses what is rehearsed is nothing to warn of', async () => {
  const flags = ['--auth', 'digest', '--config', configFile('limits: { aor-bytes: 16 }')];
  const under = ['env', 'AORTA_WARM_UP=on'];
  const other = await Aorta.start({ data: temporaryDirectory(), domains: ['example.com'], shards: 1, flags, under });
  expect(other.stderr).not.toContain('no rehearsal');
  await other.stop();
});

it('R3261-22.1-02 R3261-10.3-16 an IPv6 domain is one realm, however message, user and configuration spell it', async () => {
  for (const aor of ['six@[2001:db8:0:0:0:0:0:1]', 'six@[2001:DB8::0.0.0.1]', 'six@[2001:db8::1]']) {
    const { realm, nonce } = await challenge(client, { aor });
    expect(realm).toBe('[2001:db8::1]');
    const login = { nonce, realm };
    expect((await client.request(signed(client, { aor, contacts: [DESK] }, { ...login, password: 'no' }))).status).toBe(
      401,
    );
    const answer = await client.request(signed(client, { aor, contacts: [DESK] }, { ...login, nc: 2 }));
    expect([...bindings(answer).keys()], answer.text).toEqual(['sip:desk@127.0.0.1:1']);
  }
});

describe('replays', () => {
  it('R7616-3.3-02 a recorded request is worth nothing in another transaction', async () => {
    const aor = newUser();
    const { nonce } = await challenge(client, { aor });
    const recorded = signed(client, { aor, contacts: [DESK], cseq: 2 }, { nonce });
    const first = await client.request(recorded);
    expect(first.status).toBe(200);
    expect((await client.request(recorded)).text, 'a retransmission gets its answer').toBe(first.text);
    const headers = [`Authorization: ${header(recorded, 'Authorization')}`];
    const stolen = client.register({
      aor,
      contacts: [THIEF],
      headers,
      callId: header(recorded, 'Call-ID') ?? '',
      cseq: 3,
    });
    expectChallenge(await client.request(stolen), true);
    expectChallenge(await client.request(client.register({ aor, contacts: ['*'], expires: 0, headers })), true);
    expect([...(await bound(client, aor)).keys()]).toEqual(['sip:desk@127.0.0.1:1']);
  });

  it('R7616-3.3-02 requests may overtake each other within the window, and count once', async () => {
    const aor = newUser();
    const { nonce } = await challenge(client, { aor });
    const use = async (nc: number): Promise<number> =>
      (await client.request(signed(client, { aor }, { nonce, nc }))).status;
    const seen: [number, number][] = [];
    for (const nc of [1, 5, 3, 4, 2, 3, 5, 70, 7, 6, 71, 8]) seen.push([nc, await use(nc)]);
    const refused = seen.filter(([, status]) => status !== 200);
    expect(refused, 'used before, or 64 and more below the highest').toEqual([
      [3, 401],
      [5, 401],
      [6, 401],
    ]);
  });

  it('R7616-3.3-04 a nonce that another AOR was given is worth nothing', async () => {
    const aor = newUser();
    const { nonce } = await challenge(client, BOB);
    expectChallenge(await client.request(signed(client, { aor, contacts: [DESK] }, { nonce })), true);
    expectChallenge(await client.request(signed(client, { aor }, { nonce, password: 'wrong' })), false);
    expect((await client.request(signed(client, BOB, { nonce }))).status, 'it was not used up').toBe(200);
    const edited = `${nonce.slice(0, -1)}${nonce.endsWith('A') ? 'B' : 'A'}`;
    expectChallenge(await client.request(signed(client, BOB, { nonce: edited })), true);
  });

  it('R8760-2.6-08b a client that sends no qop registers and refreshes, with a nonce for each', async () => {
    const aor = newUser();
    const fields = { aor, contacts: [DESK], callId: newToken() };
    const old = { qop: undefined, algorithm: undefined };
    const { nonce } = await challenge(client, fields);
    expect((await client.request(signed(client, { ...fields, cseq: 2 }, { ...old, nonce }))).status).toBe(200);
    const refresh = await client.request(signed(client, { ...fields, cseq: 3 }, { ...old, nonce }));
    expectChallenge(refresh, true);
    const next = challenges(refresh)[0].nonce;
    expect((await client.request(signed(client, { ...fields, cseq: 4 }, { ...old, nonce: next }))).status).toBe(200);
  });
});

describe('a restart', () => {
  it('R7616-3.3-02 R7616-3.3-04 ends no nonce whose binding is on disk, and revives none that was used', async () => {
    const data = temporaryDirectory();
    await importUsers(data, ['alice@example.com']);
    let server = await Aorta.start({ data, flags: ['--auth', 'digest'] });
    const phone = await SipClient.open(server);
    const fields = { contacts: [DESK], callId: newToken() };
    const { nonce } = await challenge(phone);
    const idle = (await challenge(phone)).nonce;
    const use = (nc: number, contacts = [DESK]): Promise<Answer> =>
      phone.request(signed(phone, { ...fields, contacts, cseq: nc + 1 }, { nonce, nc }));
    expect((await use(1)).status).toBe(200);
    expect((await use(2)).status).toBe(200);

    await server.stop();
    server = await server.restart();
    expectChallenge(await use(2, [THIEF]), true);
    expectChallenge(await use(1, [THIEF]), true);
    expect((await use(3)).status, 'after SIGTERM').toBe(200);

    await server.kill9();
    server = await server.restart();
    expectChallenge(await use(3, [THIEF]), true);
    expect((await use(4)).status, 'after SIGKILL').toBe(200);
    expect((await use(5, [])).status, 'a fetch, which leaves no trace').toBe(200);

    await server.kill9();
    server = await server.restart();
    expectChallenge(await use(5, [THIEF]), true);
    expectChallenge(await use(6, [THIEF]), true);
    expectChallenge(await phone.request(signed(phone, {}, { nonce: idle })), true);
    expect([...(await bound(phone, 'alice@example.com')).keys()]).toEqual(['sip:desk@127.0.0.1:1']);
    phone.close();
    await server.stop();
  });

  it('R3261-17.2.2-02 R7616-3.3-02 answers a request again whose answer it lost, and none that says something else', async () => {
    const data = temporaryDirectory();
    await importUsers(data, ['alice@example.com']);
    let server = await Aorta.start({ data, flags: ['--auth', 'digest'] });
    const phone = await SipClient.open(server);
    const { nonce } = await challenge(phone);
    const fields = { contacts: [DESK], callId: newToken(), cseq: 2 };
    const text = signed(phone, fields, { nonce });
    expect((await phone.request(text)).status).toBe(200);
    await server.kill9();
    server = await server.restart();
    expectChallenge(await phone.request(signed(phone, { ...fields, contacts: [THIEF] }, { nonce })), true);
    const again = await phone.request(text);
    expect([again.status, ...bindings(again).keys()]).toEqual([200, 'sip:desk@127.0.0.1:1']);
    phone.close();
    await server.stop();
  });
});

describe('who may do what', () => {
  it('R3261-22.1-02 R3261-26.1.1-01 a user of another realm is nobody here', async () => {
    expectChallenge(await client.request(client.register({ ...BOB, contacts: [THIEF] })), false);
    const here = { aor: 'user0@example.org', contacts: [THIEF] };
    const { nonce, realm } = await challenge(client, here);
    expect(realm).toBe('example.org');
    const theirs = { nonce, username: 'bob', realm: 'example.com' };
    expectChallenge(await client.request(signed(client, here, theirs)), false);
    expectChallenge(await logIn(client, { ...BOB, contacts: [THIEF] }, { username: 'only' }), false);
    expect((await logIn(client, { aor: 'only@example.org', contacts: [DESK] })).status).toBe(200);
  });

  it('R3261-10.3-11 R3261-10.3-12 R3261-22-02 403 for the AOR of another, unless it was given', async () => {
    await logIn(client, { ...BOB, contacts: [DESK] });
    const other = newUser().split('@')[0];
    for (const fields of [{ contacts: [THIEF] }, { contacts: ['*'], expires: 0 }, {}]) {
      const answer = await logIn(client, { ...BOB, ...fields }, { username: other });
      expect(answer.status, answer.text).toBe(403);
      expect(headers(answer.text, 'Contact')).toEqual([]);
    }
    expect([...(await bound(client, BOB.aor)).keys()]).toEqual(['sip:desk@127.0.0.1:1']);
    expect((await logIn(client, BOB, { username: 'pbx' })).status).toBe(403);
    await aortaUser(aorta.data, ['rm', 'pbx@example.com']);
    await aortaUser(aorta.data, ['add', 'pbx@example.com', '--aor', BOB.aor], 'secret\n');
    expect((await logIn(client, BOB, { username: 'pbx' })).status).toBe(200);
    expect((await logIn(client, { aor: newUser() }, { username: 'pbx' })).status).toBe(403);
  });

  it('R7616-3.6-01 what `aorta user` changes counts with the next request, nonces in use included', async () => {
    const aor = 'late@example.com';
    expect((await logIn(client, { aor })).status).toBe(401);
    await aortaUser(aorta.data, ['add', aor], 'secret\n');
    const { nonce } = await challenge(client, { aor });
    const use = async (nc: number, password: string): Promise<number> =>
      (await client.request(signed(client, { aor }, { nonce, nc, password }))).status;
    expect(await use(1, 'secret')).toBe(200);
    await aortaUser(aorta.data, ['passwd', aor], 'changed\n');
    expect(await use(2, 'secret')).toBe(401);
    expect(await use(3, 'changed')).toBe(200);
    await aortaUser(aorta.data, ['rm', aor]);
    expect(await use(4, 'changed')).toBe(401);
  });

  it('R3261-22-01 R3261-22.2-02 R3261-7.3.1-04 all rows are looked at; Basic and what nobody knows count for nothing', async () => {
    const aor = newUser();
    const { nonce } = await challenge(client, { aor });
    const basic = `Authorization: Basic ${Buffer.from(`${aor}:secret`).toString('base64')}`;
    const alone = await client.request(client.register({ aor, headers: [basic] }));
    expectChallenge(alone, false);
    expect(alone.text).not.toMatch(/Basic/);
    const foreign = `Authorization: ${credentials({ aor: 'x@elsewhere.example' }, { nonce })}`;
    const rows = [basic, foreign, 'Authorization: NoOneKnowsThis opaque-data=here'];
    expect((await client.request(signed(client, { aor, headers: rows }, { nonce }))).status).toBe(200);
  });
});

describe('what answers give away', () => {
  const masked = (answer: Answer): string =>
    answer.text.replace(/nonce="[^"]*"/g, 'nonce="…"').replace(/^(To:.*;tag=)[^\r;]*/m, '$1…');

  it('R3261-10.3-13 R3261-22.1-03 an unknown user is answered like a wrong password, byte by byte', async () => {
    const aor = newUser();
    const unknown = aor.replace('user', 'nope');
    await logIn(client, { aor, contacts: [DESK] }); // a user with a binding
    const fixed = { from: `<sip:${aor}>;tag=1`, callId: newToken(), branch: newBranch(), contacts: [DESK] };
    const ask = async (user: string, wrong: string): Promise<string[]> => {
      const fields = { ...fixed, aor: user };
      const first = await client.request(client.register(fields));
      const { nonce, opaque } = challenges(first)[0];
      const second = await client.request(signed(client, fields, { nonce, opaque, password: wrong }));
      const options = { to: `<sip:${user}>`, ...fixed };
      const third = await client.request(client.other('OPTIONS', `sip:${user}`, [], options));
      return [first, second, third].map((answer) => masked(answer).replaceAll(user, aor));
    };
    const known = await ask(aor, 'wrong');
    expect(known.every((text) => text.startsWith('SIP/2.0 401 '))).toBe(true);
    expect(await ask(unknown, 'wrong')).toEqual(known);
    expect(await ask(unknown, 'secret'), 'whatever the password').toEqual(known);

    const name = async (username: string): Promise<string> =>
      masked(await logIn(client, { ...fixed, aor }, { username }));
    expect(await name('nobody'), 'in the credentials alone').toBe(known[1].replace('CSeq: 1', 'CSeq: 2'));
  });

  it('R3261-8.2-02 R3261-10.3-08 authentication comes before Require', async () => {
    const aor = newUser();
    const fields = { aor, contacts: [DESK], headers: ['Require: nothing-of-ours'] };
    const answer = await logIn(client, fields); // the first step insists on 401
    expect(answer.status).toBe(420);
    expect(header(answer.text, 'Unsupported')).toBe('nothing-of-ours');
    expect((await bound(client, aor)).size).toBe(0);
  });

  it('R3261-10.3-07 a domain that is not served: 404, with credentials or without', async () => {
    const elsewhere = { aor: 'a@example.net', contacts: [DESK] };
    const plain = await client.request(client.register(elsewhere));
    const { nonce } = await challenge(client, BOB);
    const login = { nonce, username: 'bob', realm: 'example.com' };
    const right = await client.request(signed(client, elsewhere, login));
    expect([plain.status, right.status]).toEqual([404, 404]);
  });

  it('R3261-8.2.7-02 R3261-22.2-01 R3261-26.3.2.4-01 challenges: one for each request, with the same To tag', async () => {
    const text = client.register({ aor: newUser(), contacts: [DESK] });
    const [one, two] = [await client.request(text), await client.request(text)];
    expect([one.status, two.status]).toEqual([401, 401]);
    expect(tagOf(header(one.text, 'To'))).toBe(tagOf(header(two.text, 'To')));
    expect(challenges(one)).toHaveLength(1);
    expect(challenges(one)[0]).toMatchObject({ realm: 'example.com', qop: 'auth', algorithm: 'MD5', stale: false });
    expect(one.text).not.toMatch(/Proxy-Authenticate|Basic/i);
    expect(
      await within(
        client.next(1200).catch(() => undefined),
        1500,
      ),
      'nothing is sent again by itself',
    ).toBeUndefined();
  });

  it('R3261-9.2-03 ACK and CANCEL are never challenged', async () => {
    const { aor, branch, callId } = { aor: newUser(), branch: newBranch(), callId: newToken() };
    const cancel = client.other('CANCEL', 'sip:example.com', ['Require: nothing-of-ours'], { to: `<sip:${aor}>` });
    expect((await client.request(cancel)).status).toBe(481);
    client.inbox.length = 0;
    client.send(client.other('ACK', `sip:${aor}`, [], { to: `<sip:${aor}>;tag=1`, branch, callId }));
    client.send(client.other('ACK', 'sip:example.com', [], { to: `<sip:${aor}>` }));
    expect((await challenge(client, { aor })).realm).toBe('example.com'); // both ACKs have been read before this
    expect(client.inbox).toEqual([]);

    const { nonce } = await challenge(client, { aor });
    const fields = { aor, branch, callId, from: `<sip:${aor}>;tag=9`, to: `<sip:${aor}>`, cseq: 7 };
    expect((await client.request(signed(client, fields, { nonce }))).status).toBe(200);
    expect((await client.request(client.other('CANCEL', 'sip:example.com', [], fields))).status).toBe(200);
  });

  it('R7616-3.4-05 the log holds no password, whatever was sent', async () => {
    const aor = newUser();
    await logIn(client, { aor }, { username: 'typed-into-the-wrong-field', password: 'wrong-one' });
    expect(aorta.stdout + aorta.stderr).not.toMatch(/secret|typed-into|wrong-one/);
  });
});

describe('as configured', () => {
  const ALGORITHMS = ['SHA-512-256', 'SHA-256', 'MD5', 'SHA-256-sess', 'MD5-sess'];
  const PROXY = '127.0.0.70';
  let strict: Aorta;
  let phone: SipClient;

  beforeAll(async () => {
    const data = temporaryDirectory();
    await importUsers(data, ['alice@example.com']);
    const config = configFile(
      'auth:',
      '  mode: digest',
      `  algorithms: [${ALGORITHMS.join(', ')}]`,
      '  qop: auth,auth-int',
      '  userhash: true',
      '  legacy-without-qop: false',
      '  wrong-credentials: 403',
      '  log-failures: true',
      `  trusted-proxies: [${PROXY}/32]`,
    );
    strict = await Aorta.start({ data, flags: ['--config', config] });
    phone = await SipClient.open(strict);
  });

  afterAll(() => phone?.close());

  it('R8760-2.3-01 R8760-2.6-08 R7616-3.3-05 a challenge for each algorithm, in that order', async () => {
    const tiny = challenges(await phone.request(phone.register())).map(({ algorithm }) => algorithm);
    expect(tiny, 'as many as three times the request has room for').toEqual(ALGORITHMS.slice(0, tiny.length));
    const agent = [`User-Agent: ${'x'.repeat(400)}`];
    const answer = await phone.request(phone.register({ headers: agent }));
    expect(challenges(answer).map(({ algorithm }) => algorithm)).toEqual(ALGORITHMS);
    expect(new Set(challenges(answer).map(({ qop }) => qop))).toEqual(new Set(['auth,auth-int']));
    for (const row of headers(answer.text, 'WWW-Authenticate')) {
      expect(row).toMatch(
        /^Digest realm="example\.com", nonce="[^"]+", opaque="[^"]+", qop="auth,auth-int", algorithm=[\w-]+/,
      );
      expect(row).toMatch(/userhash=true/);
    }
  });

  it.each(ALGORITHMS.flatMap((algorithm) => (['auth', 'auth-int'] as const).map((qop) => [algorithm, qop] as const)))(
    'R8760-2.1-01 R8760-2.3-02 R8760-2.6-07 R7616-3.4.2-01 any of them is taken: %s, %s',
    async (algorithm, qop) => {
      expect((await logIn(phone, { contacts: [DESK] }, { algorithm, qop })).status).toBe(200);
    },
  );

  it('R7616-3.4-05 each failed login has a line in the log, without what may be a password', async () => {
    const failed = { algorithm: 'SHA-256', qop: 'auth' } as const;
    await logIn(phone, { contacts: [DESK] }, { ...failed, password: 'wrong-one' });
    await logIn(phone, { contacts: [DESK] }, { ...failed, username: 'typed-into-the-wrong-field' });
    await logIn(phone, { aor: 'bob@example.com', contacts: [DESK] }, { ...failed, username: 'alice' });
    const lines = await poll('three lines', 5000, () => {
      const found = strict.stderr.split('\n').filter((line) => line.includes('"login failed"'));
      return found.length >= 3 ? found.map((line) => JSON.parse(line)) : undefined;
    });
    const alice = { source: phone.address, port: phone.port, aor: 'alice@example.com' };
    expect(lines).toMatchObject([
      { ...alice, reason: 'wrong-password', user: 'alice' },
      { ...alice, reason: 'unknown-user', user: null },
      { ...alice, reason: 'not-allowed', user: 'alice', aor: 'bob@example.com' },
    ]);
    expect(strict.stderr).not.toMatch(/wrong-one|typed-into/);
  });

  it('R8760-2.6-07 auth-int covers the body', async () => {
    const body = 'x=1';
    const fields = { headers: ['Content-Type: text/x', 'Content-Disposition: x;handling=optional'], body };
    expect((await logIn(phone, fields, { qop: 'auth-int', body })).status).toBe(200);
    expect((await logIn(phone, fields, { qop: 'auth-int', body: 'x=2' })).status).toBe(403);
  });

  it.each(['MD5', 'SHA-256', 'SHA-512-256'])('R7616-3.4.4-01 userhash, %s', async (algorithm) => {
    expect((await logIn(phone, {}, { algorithm, userhash: true })).status).toBe(200);
    expect((await logIn(phone, {}, { algorithm, userhash: true, username: 'nobody' })).status).toBe(403);
  });

  it('R7616-3.4-01 R8760-2.6-08b what was not offered is not taken: no qop, another algorithm', async () => {
    expect((await logIn(phone, {}, { qop: undefined })).status).toBe(401);
    expect((await logIn(phone, {}, { algorithm: 'SHA-512-256-sess' })).status).toBe(401);
  });

  it('R3261-10.3-10 R3261-10.3-12 a trusted proxy stands for From, which must be the AOR; nobody else may', async () => {
    const proxy = await SipClient.open(strict, PROXY);
    const proxied = { from: '<sip:ann@example.com>;tag=1', contacts: [DESK] };
    expect((await proxy.request(proxy.register({ aor: 'ann@example.com', ...proxied }))).status).toBe(200);
    expect((await proxy.request(proxy.register({ aor: 'bea@example.com', ...proxied }))).status).toBe(403);
    expect((await phone.request(phone.register({ aor: 'ann@example.com', ...proxied }))).status).toBe(401);
    proxy.close();
  });

  it('R3261-22.1-03 wrong credentials draw 403 at once', async () => {
    expect((await logIn(phone, { contacts: [THIEF] }, { password: 'wrong' })).status).toBe(403);
  });
});
