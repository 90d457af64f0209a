// Abuse control with real sockets: an office behind one address, a machine that guesses passwords, a scanner that says who it is,
// and a web service for users that hangs or is gone. Each loopback address is a source here.

import { execFile } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Aorta, CLI, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { killAll, poll } from '../support/child-process.ts';
import {
  aortaUser,
  bound,
  challenge,
  challenges,
  configFile,
  importUsers,
  logIn,
  signed,
} from '../support/login-client.ts';
import { patience } from '../support/patience.ts';
import { type Answer, header, newToken, type RegisterFields, SipClient } from '../support/sip-client.ts';

const PHONES = 500;
const OFFICE = '127.0.0.9';
const GUESSER = '127.0.0.66';
const SCANNER = '127.0.0.67';
const QUIET_MS = 300;
const DESK = '<sip:desk@127.0.0.1:1>';

afterAll(async () => {
  await killAll();
  removeDirectories();
});

/** The answer, or undefined where there is none soon. */
function perhaps(client: SipClient, message: string): Promise<Answer | undefined> {
  return client.request(message, QUIET_MS).catch(() => undefined);
}

describe('sources', () => {
  let aorta: Aorta;
  let phones: SipClient[];
  const nonces: string[] = [];
  const fields = (n: number, cseq: number): RegisterFields => ({
    aor: `phone${n}@example.com`,
    contacts: [`<sip:phone${n}@${OFFICE}:${phones[n].port}>`],
    callId: `call-${n}`,
    cseq,
  });

  beforeAll(async () => {
    const data = temporaryDirectory();
    const names = Array.from({ length: PHONES }, (_, n) => `phone${n}@example.com`);
    await importUsers(data, [...names, 'alice@example.com']);
    const config = configFile('auth: digest', 'abuse: { unlimited: [] }', 'admin: { listen: http:127.0.0.1:0 }');
    aorta = await Aorta.start({ data, flags: ['--config', config] });
    phones = await Promise.all(names.map(() => SipClient.open(aorta, OFFICE)));
  });

  afterAll(() => {
    for (const phone of phones ?? []) phone.close();
  });

  async function abuse(...words: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(process.execPath, [CLI, 'abuse', ...words, '--data', aorta.data]);
    return stdout;
  }

  /** Guesses passwords of one account after the other; how many were looked at before nothing came back. */
  async function guess(client: SipClient, nonce: string): Promise<number> {
    for (let n = 0, silent = 0; n < 2000; n++) {
      const message = signed(client, { aor: `phone${n % PHONES}@example.com` }, { nonce, password: `guess${n}` });
      silent = (await perhaps(client, message)) === undefined ? silent + 1 : 0;
      if (silent === 5) return n - 4;
    }
    return Number.POSITIVE_INFINITY;
  }

  it('R3261-26.1.5-01 an office of 500 registers after an outage while another address guesses, which alone is refused', async () => {
    const guesser = await SipClient.open(aorta, GUESSER);
    const began = Date.now();
    const { nonce } = await challenge(guesser);
    const guesses = guess(guesser, nonce);
    const registered = await Promise.all(
      phones.map(async (phone, n) => {
        const first = await phone.request(phone.register(fields(n, 1)));
        nonces[n] = challenges(first)[0]?.nonce;
        return phone.request(signed(phone, fields(n, 2), { nonce: nonces[n] }));
      }),
    );
    expect(registered.filter(({ status }) => status !== 200).map(({ text }) => text)).toEqual([]);
    expect(await guesses).toBeLessThan(200);
    expect(Date.now() - began, 'within seconds').toBeLessThan(10_000 * patience());

    await poll('the line of the log', 5000, () => /source refused/.test(aorta.stderr));
    const lines = aorta.stderr.split('\n').filter((line) => line.includes('source refused'));
    for (const line of lines) {
      const keys = ['level', 'time', 'shard', 'source', 'prefix', 'reason', 'successes', 'event'];
      expect(Object.keys(JSON.parse(line)), 'in the order that the fail2ban filter has').toEqual(keys);
      expect(JSON.parse(line)).toMatchObject({
        level: 'warn',
        event: 'source refused',
        source: GUESSER,
        prefix: `${GUESSER}/32`,
        reason: 'failed-credentials',
        successes: 0,
      });
    }
    expect(lines.length, 'one line a shard').toBeLessThanOrEqual(2);
    expect(aorta.stderr).not.toMatch(/guess\d|phone\d/);

    // What it has got back while the office registered is used up again.
    expect(await guess(guesser, nonce)).toBeLessThan(50);
    // Each shard has a budget, of which a part comes back with time: a guess at alice uses hers up before her REGISTER.
    const right = { aor: 'alice@example.com', contacts: [DESK] };
    const guessAtAlice = () => perhaps(guesser, signed(guesser, right, { nonce, password: 'guess' }));
    await poll('silence for guesses at alice', 20_000, async () => (await guessAtAlice()) === undefined || undefined);
    const [, challenged] = await Promise.all([guessAtAlice(), perhaps(guesser, guesser.register(right))]);
    expect(challenged, 'not even challenged').toBeUndefined();
    guesser.close();
  });

  it('R3261-26.1.5-01 the office refreshes, and a wrong password among its phones hurts nobody but that phone', async () => {
    const answers = await Promise.all(
      phones.map((phone, n) => {
        const login = { nonce: nonces[n], nc: 2, ...(n === 7 && { password: 'wrong' }) };
        return phone.request(signed(phone, fields(n, 3), login));
      }),
    );
    expect(answers.flatMap(({ status }, n) => (status === 200 ? [] : [n]))).toEqual([7]);
    const [phone] = phones;
    for (let n = 0; n < 100; n++) {
      const login = { nonce: nonces[7], nc: 3, password: `wrong${n}` };
      await phones[7].request(signed(phones[7], fields(7, 4 + n), login), 30).catch(() => undefined);
    }
    const still = await phone.request(signed(phone, fields(0, 4), { nonce: nonces[0], nc: 3 }));
    expect(still.status).toBe(200);
  });

  it('sources and accounts that are limited are listed, and let go', async () => {
    const guesser = await SipClient.open(aorta, '127.0.0.70');
    const { nonce } = await challenge(guesser);
    const last: number[] = [];
    for (let n = 0; n < 25; n++) {
      const answer = await guesser.request(signed(guesser, {}, { nonce, password: `guess${n}` }));
      last.push(answer.status);
    }
    expect(last.at(-1), 'put off').toBe(503);
    await poll('the line of the log', 5000, () => /account limited/.test(aorta.stderr));
    const line = aorta.stderr.split('\n').filter((text) => text.includes('account limited'));
    expect(line.map((text) => JSON.parse(text).account)).toEqual(['alice@example.com']);

    const listed = JSON.parse(await abuse('ls', '--json'));
    expect(listed).toContainEqual(expect.objectContaining({ kind: 'source', name: `${GUESSER}/32` }));
    expect(listed).toContainEqual(expect.objectContaining({ kind: 'account', name: 'alice@example.com' }));
    expect(await abuse('ls')).toMatch(/^kind +name +reason/);
    expect(await abuse('forgive', 'alice@example.com')).toBe('alice@example.com is let go\n');
    await abuse('forgive', GUESSER);
    await expect(abuse('forgive', '192.0.2.1')).rejects.toThrow('192.0.2.1 is not limited');
    const right = { aor: 'alice@example.com', contacts: [DESK] };
    expect((await guesser.request(signed(guesser, right, { nonce }))).status).toBe(200);
    const forgiven = await SipClient.open(aorta, GUESSER);
    expect((await forgiven.request(forgiven.register(right))).status, 'is looked at again').toBe(401);
    forgiven.close();
    guesser.close();
  });

  it('a scanner that says who it is draws no answer, another program from there does', async () => {
    const scanner = await SipClient.open(aorta, SCANNER);
    const agents = ['friendly-scanner', 'sipvicious/0.3', 'FRIENDLY-SCANNER'];
    const answers = agents.map((agent) =>
      perhaps(scanner, scanner.other('OPTIONS', 'sip:100@example.com', [`User-Agent: ${agent}`])),
    );
    expect(await Promise.all(answers)).toEqual(agents.map(() => undefined));
    const honest = { headers: ['User-Agent: a friendly-scanner of documents'] };
    expect((await scanner.request(scanner.register(honest))).status).toBe(401);
    scanner.close();
  });

  it('a flood from one address without credentials leaves other addresses their answers', async () => {
    const flood = await SipClient.open(aorta, '127.0.0.68');
    for (let n = 0; n < 20_000; n++) {
      flood.send(flood.register({ aor: `nobody${n}@example.com`, contacts: [DESK] }));
      if (n % 500 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const alice = await SipClient.open(aorta, '127.0.0.69');
    const first = await alice.request(alice.register({ contacts: [DESK] }));
    const answer = await alice.request(signed(alice, { contacts: [DESK] }, { nonce: challenges(first)[0].nonce }));
    expect(answer.status).toBe(200);
    expect(flood.inbox.length, 'challenges for the flood').toBeLessThan(10_000);
    alice.close();
    flood.close();
  });
});

describe('a web service for users', () => {
  let service: Server;
  let asked = 0;
  let hangs = true;
  let aorta: Aorta;
  let client: SipClient;

  beforeAll(async () => {
    service = createServer((_, response) => {
      asked++;
      if (!hangs) response.writeHead(500).end();
    });
    await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
    const { port } = service.address() as AddressInfo;
    const data = temporaryDirectory();
    await importUsers(data, ['alice@example.com']);
    const config = configFile(
      'auth:',
      '  mode: digest',
      '  retry-after-s: 7',
      '  provider:',
      `    http: { url: 'http://127.0.0.1:${port}/{user}', timeout-ms: 30000, failures: 3, open-ms: 60000 }`,
    );
    aorta = await Aorta.start({ data, flags: ['--config', config] });
    client = await SipClient.open(aorta);
  });

  afterAll(() => {
    client?.close();
    service?.closeAllConnections();
    service?.close();
  });

  it('R3261-21.5.4-01 that hangs stalls nobody else: thousands wait, users of the store are served at once', async () => {
    const strangers = await SipClient.open(aorta);
    const { nonce } = await challenge(strangers, { aor: 'stranger@example.com' });
    for (let n = 0; n < 3000; n++) {
      const login = { nonce, username: `stranger${n}` };
      strangers.send(signed(strangers, { aor: 'stranger@example.com', callId: newToken() }, login));
      if (n % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await poll('questions', 5000, () => asked > 0);
    const times: number[] = [];
    for (let n = 0; n < 30; n++) {
      const began = performance.now();
      const answer = await logIn(client, { contacts: [DESK] });
      expect(answer.status).toBe(200);
      times.push(performance.now() - began);
    }
    expect(times.sort((a, b) => a - b)[15], 'half of them').toBeLessThan(200 * patience());
    expect(asked, 'questions under way at once: none has been answered or given up').toBeLessThanOrEqual(32);
    const full = strangers.inbox.filter(({ status }) => status === 503);
    expect(full.length, 'more than may wait').toBeGreaterThan(0);
    expect(header(full[0].text, 'Retry-After')).toBe('7');
    strangers.close();
  });

  it('R3261-21.5.4-01 that is gone draws 503 with Retry-After at once, for its own users alone', async () => {
    hangs = false;
    service.closeAllConnections();
    await new Promise<void>((resolve) => service.close(() => resolve()));
    await poll('the breaker', 8000, () => /left alone/.test(aorta.stderr));
    const answer = await logIn(client, { aor: 'remote@example.com' });
    expect(answer.status).toBe(503);
    expect(header(answer.text, 'Retry-After')).toBe('7');
    expect((await logIn(client, { contacts: [DESK] })).status).toBe(200);
    await aortaUser(aorta.data, ['add', 'remote@example.com'], 'secret\n');
    expect((await bound(client, 'remote@example.com')).size, 'one added meanwhile is in').toBe(0);
  });
});
