// Programs that people register with, where they have to log in: baresip, linphone, sipp, sipsak, each with the right password,
// with a wrong one, and with a nonce that has become too old (lifetime 10 s). At once, for most of the time is waiting.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Aorta, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { startPhone } from '../support/baresip-phone.ts';
import { type Child, killAll, poll, run } from '../support/child-process.ts';
import { freePort } from '../support/free-ports.ts';
import { type Linphone, startLinphone } from '../support/linphone-phone.ts';
import { bound, configFile, importUsers } from '../support/login-client.ts';
import { peerMissing } from '../support/peers.ts';
import { type Destination, SipClient } from '../support/sip-client.ts';
import { SlowRelay } from '../support/slow-relay.ts';

const INTERVAL_S = 5;
const LIFETIME_S = 10;
const STALE_MS = 25_000;
const USERS = ['alice', 'bruno', 'carol', 'dora', 'emil', 'fay', 'gus', 'hal', 'ida', 'jane', 'kai'].map(
  (n) => `${n}@example.com`,
);

/** Only the default challenges; MD5 before SHA-256; SHA-256 before MD5. */
let aorta: Aorta;
let md5First: Aorta;
let shaFirst: Aorta;
let relay: SlowRelay;
const clients = new Map<Destination, SipClient>();

beforeAll(async () => {
  const start = async (auth: string): Promise<Aorta> => {
    const data = temporaryDirectory();
    await importUsers(data, [...USERS, 'bob@127.0.0.1', 'ben@127.0.0.1']);
    const lines = [`auth: { mode: digest, nonce-lifetime-s: ${LIFETIME_S}${auth} }`, 'policy: { min-expires: 2 }'];
    const flags = ['--config', configFile(...lines)];
    const server = await Aorta.start({ data, domains: ['example.com', '127.0.0.1'], shards: 1, flags });
    clients.set(server, await SipClient.open(server));
    return server;
  };
  [aorta, md5First, shaFirst] = await Promise.all([
    start(''),
    start(', algorithms: [MD5, SHA-256]'),
    start(', algorithms: [SHA-256, MD5]'),
  ]);
  relay = await SlowRelay.open(aorta, (LIFETIME_S + 0.5) * 1000);
});

afterAll(async () => {
  relay?.close();
  for (const client of clients.values()) client.close();
  await killAll();
  removeDirectories();
});

/** Contacts of an AOR, asked for with its password. */
async function contactsOf(aor: string, server: Aorta = aorta): Promise<string[]> {
  const client = clients.get(server);
  return client === undefined ? [] : [...(await bound(client, aor)).keys()];
}

/** Statuses, and whether they said stale, in the order they came, from a phone's trace. A copy of an answer counts once. */
function answers(trace: string): string[] {
  const heads = trace
    .split(/(?=SIP\/2\.0 \d{3} )/)
    .slice(1)
    .map((text) => text.split('\r\n\r\n')[0] as string);
  const cseq = (head: string | undefined) => head && /^CSeq:.*/im.exec(head)?.[0];
  return heads
    .filter((head, i) => cseq(head) === undefined || cseq(head) !== cseq(heads[i - 1]))
    .map((head) => `${head.slice(8, 11)}${/stale=true/.test(head) ? ' stale' : ''}`);
}

const noBaresip = peerMissing('baresip');
const noLinphone = peerMissing('linphonec');
const noSipp = peerMissing('sipp');
const noSipsak = peerMissing('sipsak');
const noSha256 = noSipp || sippLacksSha256();

/** linphone, which knows both: its user for each test, and the server that makes it take the algorithm. */
const LINPHONES = [
  { algorithm: 'MD5', stale: 'carol', wrong: 'dora', server: () => aorta },
  { algorithm: 'SHA-256', stale: 'jane', wrong: 'kai', server: () => shaFirst },
] as const;

// The long ones first.
describe.concurrent('a nonce that is too old', () => {
  for (const { algorithm, stale: user, server } of LINPHONES) {
    const title = `R3261-10.3-09 R7616-3.3-03 R8760-2.1-01 linphone, ${algorithm}: takes a new one while it stays bound`;
    it.skipIf(noLinphone)(title, async () => {
      const aor = `${user}@example.com`;
      const { child: phone, trace } = await linphone(user, 'secret', server());
      const [contact] = await poll('the binding', 8000, async () => notEmpty(await contactsOf(aor, server())));
      expect(contact).toMatch(/^sip:\w+@127\.0\.0\.1:/);
      await poll('both answers in its log', 5000, () => answers(trace()).length >= 2);
      expect(answers(trace()).slice(0, 2)).toEqual(['401', '200']);
      await poll(
        'a stale nonce and the answer to the new one',
        STALE_MS,
        async () => {
          expect(await contactsOf(aor, server()), 'it is bound at every moment').toEqual([contact]);
          return /401 stale,200/.test(answers(trace()).join());
        },
        250,
      );
      expect(trace()).toMatch(new RegExp(`Authorization:\\s+Digest[^\\r]*algorithm=${algorithm}\\b`));
      expect(phone.stdout, 'it asks nobody for a password').not.toMatch(/password/i);
      phone.write('unregister\n');
      await poll('the unregistration', 5000, async () => (await contactsOf(aor, server())).length === 0);
      phone.write('quit\n');
      await phone.end(8000);
    });
  }

  // It asks for a challenge before each refresh, so that its nonce is never old but on a bad line.
  it.skipIf(noBaresip)('R3261-10.3-09 R7616-3.3-03 baresip takes a new one, and registers', async () => {
    const phone = baresip('alice', 'secret', relay);
    await poll('the binding', STALE_MS, async () => notEmpty(await contactsOf('alice@example.com')), 250);
    await poll('three answers in its log', 5000, () => answers(phone.stdout).length >= 3);
    expect(answers(phone.stdout).slice(0, 3)).toEqual(['401', '401 stale', '200']);
    phone.signal('SIGTERM');
    await phone.end(8000);
    expect(await contactsOf('alice@example.com')).toEqual([]);
  });

  it.skipIf(noSipp)(
    'R3261-10.3-09 R7616-3.3-02 R7616-3.3-03 sipp, MD5: refreshes with it while it is good',
    async () => {
      await sipp('auth-stale', 'emil', 'secret', aorta);
      expect(await contactsOf('emil@example.com')).toHaveLength(1);
    },
  );

  it.skipIf(noSha256)('R8760-2.1-01 R7616-3.3-03 sipp, SHA-256: refreshes with it while it is good', async () => {
    await sipp('auth-stale', 'fay', 'secret', shaFirst);
    expect(await contactsOf('fay@example.com', shaFirst)).toHaveLength(1);
  });

  // It gives up at the second 401 of a run, whatever that says.
  it.skipIf(noSipsak)('R7616-3.3-03 sipsak is told so, and its next run is in', async () => {
    const late = await sipsak('bob', 'secret', relay);
    expect(late.stdout + late.stderr).toMatch(/stale=true/);
    expect(await contactsOf('bob@127.0.0.1')).toEqual([]);
    const again = await sipsak('bob', 'secret', aorta);
    expect(again.exit.code, again.output()).toBe(0);
    expect(await contactsOf('bob@127.0.0.1')).toEqual(['sip:bob@127.0.0.1:7777']);
  });
});

describe.concurrent('R3261-22.1-03 R7616-3.3-03 a wrong password is challenged again, never as stale, and binds nothing:', () => {
  it.skipIf(noBaresip)('baresip', async () => {
    const phone = baresip('bruno', 'wrong', aorta);
    await poll('three challenges', 8000, () => answers(phone.stdout).length >= 3);
    phone.killTree();
    expect(new Set(answers(phone.stdout))).toEqual(new Set(['401']));
    expect(await contactsOf('bruno@example.com')).toEqual([]);
  });

  for (const { algorithm, wrong: user, server } of LINPHONES) {
    it.skipIf(noLinphone)(`linphone, ${algorithm}`, async () => {
      const { child: phone, trace } = await linphone(user, 'wrong', server());
      await poll('two challenges', 8000, () => answers(trace()).length >= 2);
      phone.killTree();
      expect(new Set(answers(trace()))).toEqual(new Set(['401']));
      expect(await contactsOf(`${user}@example.com`, server())).toEqual([]);
    });
  }

  it.skipIf(noSipp)('sipp, MD5', async () => {
    await sipp('auth-wrong', 'gus', 'wrong', aorta);
    expect(await contactsOf('gus@example.com')).toEqual([]);
  });

  it.skipIf(noSha256)('sipp, SHA-256', async () => {
    await sipp('auth-wrong', 'gus', 'wrong', shaFirst);
    expect(await contactsOf('gus@example.com', shaFirst)).toEqual([]);
  });

  it.skipIf(noSipsak)('sipsak', async () => {
    const said = await sipsak('ben', 'wrong', aorta);
    expect(said.exit.code, said.output()).toBe(2);
    expect(said.stdout + said.stderr).toMatch(/authorization failed/);
    expect(said.stdout + said.stderr).not.toMatch(/stale=true/);
    expect(await contactsOf('ben@127.0.0.1')).toEqual([]);
  });
});

describe.concurrent('R8760-2.3-01 R8760-2.3-02 several challenges', () => {
  it.skipIf(noSipp)('MD5 before SHA-256: sipp takes MD5', async () => {
    await sipp('auth-register', 'hal', 'secret', md5First);
    expect(await contactsOf('hal@example.com', md5First)).toHaveLength(1);
  });

  it.skipIf(noSha256)('SHA-256 before MD5: sipp takes SHA-256', async () => {
    await sipp('auth-register', 'hal', 'secret', shaFirst);
    expect(await contactsOf('hal@example.com', shaFirst)).toHaveLength(1);
  });

  it.skipIf(noLinphone)('SHA-256 before MD5: linphone takes SHA-256', async () => {
    const { child: phone, trace } = await linphone('ida', 'secret', shaFirst);
    await poll('the binding', 8000, async () => notEmpty(await contactsOf('ida@example.com', shaFirst)));
    expect(trace()).toMatch(/Authorization:\s+Digest[^\r]*algorithm=SHA-256/);
    phone.killTree();
  });
});

function notEmpty<T>(list: T[]): T[] | undefined {
  return list.length === 0 ? undefined : list;
}

/** True, with the reason printed, where the sipp that is here was built without it. */
function sippLacksSha256(): boolean {
  const version = /SIPp v\S+/.exec(spawnSync('sipp', ['-v'], { encoding: 'latin1' }).stdout)?.[0] ?? 'SIPp';
  if (/SHA256/.test(version)) return false;
  console.warn(`skipped: ${version} knows no SHA-256 (3.7 built with OpenSSL does)`);
  return true;
}

/** A scenario of sipp/ with one user; fails unless sipp finds it carried out. */
async function sipp(name: string, user: string, password: string, server: Aorta): Promise<void> {
  const errors = join(temporaryDirectory(), 'errors.log');
  const ended = await run(
    'sipp',
    [
      `127.0.0.1:${server.port}`,
      ...[
        '-sf',
        join(import.meta.dirname, '../../docs/sipp', `${name}.xml`),
        '-s',
        user,
        '-au',
        user,
        '-ap',
        password,
        '-m',
        '1',
      ],
      ...['-i', '127.0.0.1', '-p', String(await freePort()), '-nostdin', '-timeout', '20', '-timeout_error'],
      ...['-trace_err', '-error_file', errors],
    ],
    25_000,
    { env: { TERM: 'dumb' } },
  );
  expect(ended.exit.code, existsSync(errors) ? readFileSync(errors, 'latin1') : ended.output()).toBe(0);
}

function sipsak(user: string, password: string, server: Destination): ReturnType<typeof run> {
  const login = ['-u', user, '-a', password, '-C', `sip:${user}@127.0.0.1:7777`, '-x', '600'];
  return run('sipsak', ['-U', '-i', ...login, '-vvv', '-s', `sip:${user}@127.0.0.1:${server.port}`], 25_000);
}

function baresip(user: string, password: string, server: Destination): Child {
  const proxy = `sip:127.0.0.1:${server.port}`;
  return startPhone({ aor: `${user}@example.com`, proxy, password, interval: INTERVAL_S });
}

function linphone(user: string, password: string, server: Destination): Promise<Linphone> {
  const login = { aor: `${user}@example.com`, password, expires: INTERVAL_S };
  return startLinphone({ ...login, registrar: server.port });
}
