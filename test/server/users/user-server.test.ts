// A running server and its users: `aorta user` beside it, a web service behind it, and what it says without any user.

import { mkdtempSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ha1sOf } from '../../../src/users/ha1.ts';
import { Aorta, CLI, removeDirectories, temporaryDirectory } from '../../support/aorta-process.ts';
import { Child, killAll, poll } from '../../support/child-process.ts';
import { authorization } from '../../support/digest-client.ts';
import { type Answer, headers, newToken, SipClient } from '../../support/sip-client.ts';

afterAll(async () => {
  await killAll();
  removeDirectories();
});

async function user(data: string, args: readonly string[], input: string): Promise<void> {
  const child = new Child(process.execPath, [CLI, 'user', ...args, '--data', data]);
  child.process.stdin?.end(input);
  const { code } = await child.end(20_000);
  if (code !== 0) throw new Error(child.output());
}

/** Registers with a password: challenge, credentials, and the last answer. */
async function logIn(
  client: SipClient,
  name: string,
  password: string,
  aor = `${name}@example.com`,
  params = '',
): Promise<Answer> {
  const contacts = [`<sip:${name}@127.0.0.1:${client.port}>${params}`];
  const fields = { aor, callId: newToken(), contacts, expires: 300 };
  const first = await client.request(client.register(fields));
  expect(first.status).toBe(401);
  const challenge = headers(first.text, 'WWW-Authenticate').find((row) => /algorithm=MD5/.test(row)) ?? '';
  const nonce = /nonce="([^"]+)"/.exec(challenge)?.[1] ?? '';
  const login = { username: name, password, realm: 'example.com', nonce, algorithm: 'MD5', qop: 'auth' as const };
  const credentials = authorization({ ...login, uri: 'sip:example.com' });
  return client.request(client.register({ ...fields, cseq: 2, headers: [`Authorization: ${credentials}`] }));
}

describe('users of a running server', () => {
  it('are seen as soon as the command has ended; without any, a line says what to do and no one gets in', async () => {
    const aorta = await Aorta.start({ flags: ['--auth', 'digest'] });
    expect(aorta.stdout).toContain(`add a user with "aorta user add alice@example.com --data ${aorta.data}"`);
    const client = await SipClient.open({ address: '127.0.0.1', port: aorta.port });
    expect((await logIn(client, 'alice', 'one')).status).toBe(401);
    await user(aorta.data, ['add', 'alice@example.com', '--aor', 'desk@example.com'], 'one\n');
    expect((await logIn(client, 'alice', 'one')).status).toBe(200);
    expect((await logIn(client, 'alice', 'one', 'desk@example.com')).status).toBe(200);
    expect((await logIn(client, 'alice', 'one', 'bob@example.com')).status).toBe(403);
    await user(aorta.data, ['passwd', 'alice@example.com'], 'two\n');
    expect((await logIn(client, 'alice', 'one')).status).toBe(401);
    expect((await logIn(client, 'alice', 'two')).status).toBe(200);
    await user(aorta.data, ['rm', 'alice@example.com'], '');
    expect((await logIn(client, 'alice', 'two')).status).toBe(401);
    client.close();
    aorta.child.signal('SIGTERM');
    expect((await aorta.child.end(10_000)).code).toBe(0);
    expect(`${aorta.stdout}${aorta.stderr}`).not.toContain('two"');
  });

  it('R5627-5.4-03 take their bindings with them when they are removed, also while no server runs', async () => {
    const aorta = await Aorta.start({ flags: ['--auth', 'digest'] });
    for (const name of ['alice', 'bob', 'carol']) await user(aorta.data, ['add', `${name}@example.com`], 'pw\n');
    let client = await SipClient.open({ address: '127.0.0.1', port: aorta.port });
    const instance = '+sip.instance="<urn:uuid:00000000-0000-1000-8000-000000000001>"';
    for (const name of ['alice', 'bob', 'carol'])
      expect((await logIn(client, name, 'pw', `${name}@example.com`, `;${instance}`)).status).toBe(200);
    const ask = async (name: string, gr = '') =>
      (await client.request(client.other('MESSAGE', `sip:${name}@example.com${gr}`))).status;
    const gr = ';gr=urn:uuid:00000000-0000-1000-8000-000000000001';
    expect([await ask('alice'), await ask('alice', gr), await ask('bob'), await ask('carol')]).toEqual([
      302, 302, 302, 302,
    ]);
    await user(aorta.data, ['rm', 'alice@example.com'], '');
    await poll("the end of alice's binding", 5000, async () => (await ask('alice')) === 404);
    expect([await ask('alice', gr), await ask('bob'), await ask('carol')]).toEqual([404, 302, 302]);
    client.close();
    await aorta.stop();

    for (const name of ['bob', 'carol']) await user(aorta.data, ['rm', `${name}@example.com`], '');
    await user(aorta.data, ['add', 'carol@example.com'], 'pw\n'); // another carol than before, or the same: it is hers now
    const again = await Aorta.start({ data: aorta.data, flags: ['--auth', 'digest'] });
    client = await SipClient.open({ address: '127.0.0.1', port: again.port });
    await poll("the end of bob's binding", 5000, async () => (await ask('bob')) === 404);
    expect(await ask('carol')).toBe(302);
    client.close();
    await again.stop();
  });

  it('must log in by default as soon as other machines can reach the server', async () => {
    const aorta = await Aorta.start({ address: '0.0.0.0' });
    const client = await SipClient.open({ address: '127.0.0.1', port: aorta.port });
    expect((await client.request(client.register({ contacts: ['<sip:alice@127.0.0.1>'] }))).status).toBe(401);
    client.close();
    aorta.child.killTree();
  });

  it('come from a web service, whose death leaves the others unharmed', async () => {
    let handler = (request: IncomingMessage, response: ServerResponse): void => {
      const name = request.url?.slice(1) ?? '';
      if (name !== 'remote' && name !== 'later') return void response.writeHead(404).end();
      response.end(JSON.stringify({ ha1: ha1sOf(name, 'example.com', 'pw')[0]?.toString('hex') }));
    };
    const service = createServer((request, response) => handler(request, response));
    await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
    const { port } = service.address() as AddressInfo;
    const file = join(mkdtempSync(join(temporaryDirectory(), 'config-')), 'aorta.yaml');
    const http = `{ url: 'http://127.0.0.1:${port}/{user}', timeout-ms: 3000, failures: 2, open-ms: 60000 }`;
    writeFileSync(file, `auth:\n  mode: digest\n  algorithms: [MD5]\n  provider:\n    http: ${http}\n`);
    const aorta = await Aorta.start({ flags: ['--config', file] });
    await user(aorta.data, ['add', 'local@example.com'], 'pw\n');
    const client = await SipClient.open({ address: '127.0.0.1', port: aorta.port });
    expect((await logIn(client, 'remote', 'pw')).status).toBe(200);
    expect((await logIn(client, 'remote', 'wrong')).status).toBe(401);
    expect((await logIn(client, 'nobody', 'pw')).status).toBe(401);

    handler = () => {}; // hangs
    const fates = Array.from({ length: 4 }, (_, i) => logIn(client, `other${i}`, 'pw').catch(() => undefined));
    expect((await logIn(client, 'local', 'pw')).status).toBe(200);
    expect((await logIn(client, 'remote', 'pw')).status).toBe(200);
    await Promise.all(fates);
    await poll('the breaker', 5000, () => /left alone/.test(aorta.stderr));
    const refused = await logIn(client, 'later', 'pw');
    expect([refused.status, headers(refused.text, 'Retry-After').length]).toEqual([503, 1]);
    expect((await logIn(client, 'local', 'pw')).status).toBe(200);
    client.close();
    aorta.child.signal('SIGTERM');
    expect((await aorta.child.end(10_000)).code).toBe(0);
    service.closeAllConnections();
    service.close();
  });
});
