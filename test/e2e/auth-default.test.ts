// `npm start` for other machines, without users and without a word about authentication: safe, and one line says what to do.

import { statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { Child, killAll, run } from '../support/child-process.ts';
import { freePort } from '../support/free-ports.ts';
import { challenges, logIn } from '../support/login-client.ts';
import { SipClient } from '../support/sip-client.ts';

const ROOT = join(import.meta.dirname, '../..');
const CONTACTS = ['<sip:alice@127.0.0.1:1>'];

afterAll(async () => {
  await killAll();
  removeDirectories();
});

it('R3261-26.3.1-04 R3261-26.1.1-01 npm start on every address challenges everyone, says how to add a user, and lets that one in', async () => {
  const port = await freePort();
  const data = temporaryDirectory();
  const args = ['start', '--', '--listen', `udp:0.0.0.0:${port}`, '--domain', 'example.com', '--data', data];
  const server = new Child('npm', args, { cwd: ROOT });
  await server.until(/^ready.*$/m, 30_000);
  const ready = /^ready: (.*)$/m.exec(server.stdout)?.[1] ?? '';
  expect(ready).toMatch(/^no one can register yet: add a user with "aorta user add alice@\S+ --data [^"]+"/);
  const [, aor, command] = /"(?=aorta user add (\S+))([^"]+)"/.exec(ready) ?? [];

  const client = await SipClient.open({ address: '127.0.0.1', port });
  const domain = aor.split('@')[1];
  for (const user of ['alice', 'admin', '100']) {
    const answer = await client.request(client.register({ aor: `${user}@${domain}`, contacts: CONTACTS }));
    expect(answer.status, answer.text).toBe(401);
    expect(challenges(answer)[0].realm).toBe(domain);
    expect((await logIn(client, { aor: `${user}@${domain}`, contacts: CONTACTS })).status).toBe(401);
    // This machine may ask where users are; there are none yet.
    expect((await client.request(client.other('OPTIONS', `sip:${user}@${domain}`))).status).toBe(404);
  }

  const built = statSync(join(ROOT, 'dist')).ino;
  // A cache of its own: one that another npx has left half made fails for good.
  const env = { npm_config_cache: temporaryDirectory() };
  const adding = new Child('npx', command.split(' '), { cwd: ROOT, env });
  adding.process.stdin?.end('secret\n');
  expect((await adding.end(30_000)).code, adding.output()).toBe(0);
  expect(statSync(join(ROOT, 'dist')).ino, 'npx built the checkout').toBe(built);
  expect((await logIn(client, { aor, contacts: CONTACTS })).status).toBe(200);
  expect((await logIn(client, { aor, contacts: CONTACTS }, { password: '' })).status).toBe(401);
  client.close();
  server.killTree();
});

it('R3261-26.1.1-01 without authentication it does not start there, unless told twice', async () => {
  const listen = ['--listen', `udp:0.0.0.0:${await freePort()}`, '--data', temporaryDirectory()];
  const refused = await run('node', ['dist/cli.js', 'serve', ...listen, '--auth', 'none'], 10_000, { cwd: ROOT });
  expect(refused.exit.code).toBe(2);
  expect(refused.stderr).toMatch(/--allow-unauthenticated/);
});
