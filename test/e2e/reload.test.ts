// A configuration file that changes while the server runs: what counts at once for phones, what is said to need a restart,
// and a file that is wrong.

import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { Aorta, CLI, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { Child, killAll, run } from '../support/child-process.ts';
import { freePort } from '../support/free-ports.ts';
import { challenge, challenges, importUsers, logIn, signed } from '../support/login-client.ts';
import { type Answer, bindings, header, newToken, SipClient } from '../support/sip-client.ts';

const FILE_NAME = 'aorta.yaml';
let directory: string;
let file: string;
let aorta: Aorta | undefined;

beforeEach(() => {
  directory = temporaryDirectory();
  file = join(directory, FILE_NAME);
});
afterAll(async () => {
  await killAll();
  removeDirectories();
});

/** A server with two shards by this configuration, and a phone. */
async function start(...lines: string[]): Promise<{ server: Aorta; phone: SipClient }> {
  configure(...lines);
  const flags = ['--config', file, '--admin', 'http:127.0.0.1:0'];
  const server = await Aorta.start({ shards: 2, domains: [], flags });
  aorta = server;
  return { server, phone: await SipClient.open({ address: '127.0.0.1', port: server.port }) };
}

function configure(...lines: string[]): void {
  writeFileSync(file, `${lines.join('\n')}\n`);
}

async function reload(): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const { exit, stdout, stderr } = await run(process.execPath, [CLI, 'reload', '--data', aorta?.data ?? ''], 20_000);
  return { code: exit.code, stdout, stderr };
}

function register(phone: SipClient, aor: string, expires = 600): Promise<Answer> {
  return phone.request(phone.register({ aor, contacts: [`<sip:${newToken()}@127.0.0.1:1>`], expires }));
}

/** One AOR for each shard, at least. */
const aors = (domain: string) => Array.from({ length: 8 }, (_, i) => `user${i}@${domain}`);

describe('aorta reload', () => {
  it('puts policy and domains in force on every shard, and names what needs a restart', async () => {
    const { server, phone } = await start('domains: [example.com]', 'policy: {min-expires: 60}');
    for (const aor of aors('example.com')) expect((await register(phone, aor, 120)).status).toBe(200);
    expect((await register(phone, 'alice@example.net')).status).toBe(404);
    configure(
      'domains: [example.com, example.net]',
      'policy: {min-expires: 300, max-expires: 900, contacts-per-aor: 1, contacts-overflow: reject}',
      'limits: {timer-j-ms: 5000}',
      'abuse: {failures-max: 99}',
      'log-level: warn',
    );
    const { code, stdout } = await reload();
    const [inForce, restart] = stdout.split('\n');
    expect(code).toBe(0);
    for (const key of ['domains', 'policy.min-expires', 'policy.max-expires', 'policy.contacts-per-aor', 'log-level'])
      expect(inForce).toContain(key);
    expect(restart).toBe('need a restart: limits.timer-j-ms');
    expect(server.stderr).toMatch(/"needRestart":\["limits.timer-j-ms"\]/);
    for (const aor of aors('example.net')) {
      const brief = await register(phone, aor, 120);
      expect([brief.status, header(brief.text, 'Min-Expires')]).toEqual([423, '300']);
      const long = await register(phone, aor, 7200);
      expect([long.status, ...bindings(long).values()]).toEqual([200, 900]);
      expect((await register(phone, aor)).status).toBe(403);
    }
    // What was there before lives on, and another look finds no more to do than before.
    expect((await phone.fetch('user0@example.com')).size).toBe(1);
    expect((await reload()).stdout).toBe('need a restart: limits.timer-j-ms\n');
    phone.close();
    await server.stop();
  });

  it('takes another token from its file, says so without it, and refuses the one before', async () => {
    const port = await freePort();
    const listeners = [
      'admin: {listen: "http:127.0.0.1:0", require-token: true}',
      `lookup: {http: ["http:0.0.0.0:${port}"]}`,
    ];
    configure('domains: [example.com]', ...listeners);
    const server = await Aorta.start({ domains: [], flags: ['--config', file] });
    aorta = server;
    const [adminFile, lookupFile] = ['admin-token', 'lookup.token'].map((name) => join(server.data, name));
    const admin = readFileSync(join(server.data, 'admin-url'), 'utf8').trim();
    const asks = async (url: string, token: string) =>
      (await fetch(url, { headers: { authorization: `Bearer ${token.trim()}` } })).status;
    const atAdmin = (token: string) => asks(`${admin}/v1/status`, token);
    const atLookup = (token: string) => asks(`http://127.0.0.1:${port}/v1/aors/alice@example.com/contacts`, token);
    const before = [adminFile, lookupFile].map((name) => readFileSync(name, 'utf8'));
    expect([await atAdmin(before[0]), await atLookup(before[1])]).toEqual([200, 200]);

    const second = 'second-token-of-this-test';
    writeFileSync(adminFile, second);
    writeFileSync(lookupFile, second);
    expect(await reload()).toEqual({ code: 0, stderr: '', stdout: 'in force now: admin-token, lookup.token\n' });
    expect([await atAdmin(before[0]), await atLookup(before[1])]).toEqual([401, 401]);
    expect([await atAdmin(second), await atLookup(second)]).toEqual([200, 200]);
    expect(statSync(adminFile).mode & 0o777).toBe(0o600);
    expect((await reload()).stdout).toBe('nothing changed\n');

    rmSync(adminFile);
    server.child.signal('SIGHUP');
    await server.child.until(/"applied":\["admin-token"\]/, 10_000);
    expect([await atAdmin(second), await atAdmin(readFileSync(adminFile, 'utf8'))]).toEqual([401, 200]);
    expect(server.stderr.match(/"token changed"|"event":"token changed"/g)).toHaveLength(3);
    for (const secret of [...before, second, readFileSync(adminFile, 'utf8')])
      expect(server.stdout + server.stderr).not.toContain(secret.trim());
    await server.stop();
  });

  it('changes nothing where the file is wrong, and says at which line and column', async () => {
    const { server, phone } = await start('domains: [example.com]', 'policy: {min-expires: 60}');
    configure('domains: [example.com]', 'policy:', '  min-expires: 300', '  max-expires: soon');
    const { code, stderr } = await reload();
    expect(code).toBe(1);
    expect(stderr).toContain('nothing was changed');
    expect(stderr).toContain(`${FILE_NAME}:4:16: policy.max-expires`);
    server.child.signal('SIGHUP');
    await server.child.until(/reload failed: nothing was changed/, 10_000);
    expect(server.stderr).toMatch(new RegExp(`${FILE_NAME}:4:16: policy.max-expires`));
    expect((await register(phone, 'alice@example.com', 120)).status).toBe(200);
    rmSync(file);
    expect((await reload()).stderr).toContain('no such file');
    phone.close();
    await server.stop();
  });

  it('puts rules of authentication in force; a nonce-generation of its own ends every nonce', async () => {
    const { server, phone } = await start('domains: [example.com]', 'auth: {mode: digest, algorithms: [MD5]}');
    await importUsers(server.data, ['alice@example.com', 'alice@example.net']);
    expect((await logIn(phone, { contacts: ['<sip:alice@127.0.0.1:1>'] })).status).toBe(200);
    const old = await challenge(phone);
    configure(
      'domains: [example.com, example.net]',
      'auth: {mode: digest, algorithms: [SHA-256, MD5], nonce-generation: 1, nonce-lifetime-s: 60}',
    );
    const { stdout } = await reload();
    expect(stdout).toContain('in force now: auth.algorithms, auth.nonce-generation, domains\n');
    expect(stdout).toContain('need a restart: auth.nonce-lifetime-s\n');
    const stale = await phone.request(signed(phone, {}, { nonce: old.nonce, opaque: old.opaque }));
    expect([stale.status, challenges(stale)[0]]).toMatchObject([401, { stale: true, algorithm: 'SHA-256' }]);
    const login = { algorithm: 'SHA-256' };
    expect((await logIn(phone, { contacts: ['<sip:alice@127.0.0.1:1>'] }, login)).status).toBe(200);
    expect((await logIn(phone, { aor: 'alice@example.net' }, login)).status).toBe(200);
    phone.close();
    await server.stop();
  });

  it('waits for the start where SIGHUP comes before the server is ready', async () => {
    const { server, phone } = await start('domains: [example.com]');
    phone.close();
    await server.stop();
    const early = new Child(process.execPath, [CLI, 'serve', '--config', file, '--data', server.data], {});
    await early.until(/"event":"shard open"/, 20_000);
    early.signal('SIGHUP');
    await early.until(/"reloaded"/, 20_000);
    early.signal('SIGTERM');
    expect((await early.end(10_000)).code, early.output()).toBe(0);
  });

  it('is what SIGHUP asks for, too', async () => {
    const { server, phone } = await start('domains: [example.com]');
    configure('domains: [example.com]', 'policy: {min-expires: 300}');
    server.child.signal('SIGHUP');
    await server.child.until(/"reloaded"/, 10_000);
    expect((await register(phone, 'alice@example.com', 120)).status).toBe(423);
    phone.close();
    await server.stop();
  });
});
