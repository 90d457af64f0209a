// Rules for one user: from the user store and from a provider, beside a running server.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Aorta, CLI, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { killAll, run } from '../support/child-process.ts';
import { aortaUser, challenge, configFile, importUsers, logIn, PASSWORD, signed } from '../support/login-client.ts';
import { patience } from '../support/patience.ts';
import { type Answer, bindings, header, headers, newToken, SipClient } from '../support/sip-client.ts';

const GUIDE = join(import.meta.dirname, '../../docs/operating.md');

let server: Aorta;
let phone: SipClient;
let provider: Server;
/** What the provider says of rules, by user. */
const provided: Record<string, unknown> = {
  short: { 'max-expires': '2m' },
  wrong: { 'max-expire': 5 },
};

beforeAll(async () => {
  provider = createServer((request, response) => {
    const user = new URL(request.url ?? '', 'http://x').searchParams.get('user') ?? '';
    const ha1 = createHash('md5').update(`${user}:example.com:${PASSWORD}`).digest('hex');
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ ha1, policy: provided[user] }));
  });
  await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve));
  const { port } = provider.address() as AddressInfo;
  const data = temporaryDirectory();
  await importUsers(data, [
    'alice@example.com',
    'bob@example.com',
    'carol@example.com',
    'dave@example.com',
    'erin@example.com',
  ]);
  const file = configFile(
    'auth:',
    '  mode: digest',
    `  provider: {http: {url: 'http://127.0.0.1:${port}/?user={user}', failures: 1}}`,
    'policy: {warning: true}',
    'domains: {example.com: {policy: {max-expires: 1000}}}',
    'service-route: {example.com: ["<sip:all.example.com;lr>"]}',
  );
  server = await Aorta.start({ shards: 2, domains: [], data, flags: ['--config', file] });
  phone = await SipClient.open({ address: '127.0.0.1', port: server.port });
});
afterAll(async () => {
  await killAll();
  provider.close();
  removeDirectories();
});

function register(user: string, login = {}): Promise<Answer> {
  const contacts = [`<sip:${newToken()}@127.0.0.1:1>`];
  return logIn(phone, { aor: `${user}@example.com`, contacts, expires: 7200 }, login);
}

const rule = (user: string, ...settings: string[]) =>
  aortaUser(server.data, ['policy', `${user}@example.com`, ...settings]);

const granted = (answer: Answer) => [answer.status, ...bindings(answer).values()];
const warning = (answer: Answer) => /"(\w+)"/.exec(header(answer.text, 'Warning') ?? '')?.[1];

describe('rules for a user', () => {
  it('hold for that user alone, with the next message, and are taken back', async () => {
    await rule('alice', 'max-expires=5m', 'contacts-per-aor=1', 'contacts-overflow=reject');
    expect(granted(await register('alice'))).toEqual([200, 300]);
    expect((await register('alice')).status).toBe(403);
    expect(granted(await register('bob'))).toEqual([200, 1000]);
    await rule('alice', 'max-expires=', 'contacts-per-aor=2');
    expect(granted(await register('alice'))).toEqual([200, expect.any(Number), 1000]);
  });

  it('stay when the password changes', async () => {
    await rule('bob', 'max-expires=400');
    await aortaUser(server.data, ['passwd', 'bob@example.com'], 'new\n');
    expect(granted(await register('bob', { password: 'new' })).at(-1)).toBe(400);
  });

  it('say where the user may register from, once it has logged in', async () => {
    await rule('carol', 'networks=192.0.2.0/24');
    const refused = await register('carol');
    expect([refused.status, warning(refused)]).toEqual([403, 'network_not_allowed']);
    expect((await register('carol', { password: 'guessed' })).status).toBe(401);
    await rule('carol', 'networks=[192.0.2.0/24, 127.0.0.0/8]', 'transports=tcp');
    expect(warning(await register('carol'))).toBe('transport_not_allowed');
    await rule('carol', 'transports=[tcp, udp]');
    expect((await register('carol')).status).toBe(200);
  });

  it('are those of docs/operating.md, where its commands have been given', async () => {
    const [, block] = /^### Rules for one user\n\n```sh\n([\s\S]*?)^```/m.exec(readFileSync(GUIDE, 'utf8')) ?? [];
    const commands = (block ?? '').replaceAll('bob@', 'erin@').trimEnd().split('\n');
    const give = async (i: number): Promise<string> => {
      const command = commands[i].replace(/^aorta/, '"$0" "$1"').replace(/ --data \S+/, '');
      const script = command.replace(/( *#.*)?$/, ' --data "$2"');
      const { exit, stdout, stderr } = await run('/bin/sh', ['-c', script, process.execPath, CLI, server.data], 20_000);
      expect([exit.code, stderr]).toEqual([0, '']);
      return stdout;
    };
    await give(0);
    expect(granted(await register('erin'))).toEqual([200, 600]);
    expect((await register('erin')).status).toBe(403);
    await give(1);
    expect(warning(await register('erin'))).toBe('transport_not_allowed');
    expect(JSON.parse(await give(2))).toMatchObject({ 'max-expires': 600, transports: ['tls', 'wss'] });
    await give(3);
    await rule('erin', 'transports=', 'contacts-per-aor=');
    const answer = await register('erin');
    expect([answer.status, header(answer.text, 'Service-Route')]).toEqual([200, '<sip:bobs-proxy.example.com;lr>']);
    expect(commands.length).toBe(4);
  });

  it('R3608-6.3-01 R3608-6.3-02 give the user a Service-Route of its own, or none, with refreshes and fetches', async () => {
    const fields = { aor: 'dave@example.com', callId: newToken(), expires: 600 };
    const routes = async (cseq: number, contacts: readonly string[] = ['<sip:dave@127.0.0.1:1>']) => {
      const answer = await logIn(phone, { ...fields, cseq, contacts });
      expect(answer.status).toBe(200);
      return headers(answer.text, 'Service-Route');
    };
    expect(await routes(2)).toEqual(['<sip:all.example.com;lr>']);
    await rule('dave', 'service-route=[<sip:one.example.com;lr>, sip:two.example.com;lr]');
    const own = ['<sip:one.example.com;lr>, <sip:two.example.com;lr>'];
    for (const cseq of [3, 5, 7]) expect(await routes(cseq)).toEqual(own);
    expect(await routes(9, [])).toEqual(own);
    const other = await register('bob', { password: 'new' });
    expect(headers(other.text, 'Service-Route')).toEqual(['<sip:all.example.com;lr>']);
    await rule('dave', 'service-route=[]');
    expect(await routes(11)).toEqual([]);
    await rule('dave', 'service-route=');
    expect(await routes(13)).toEqual(['<sip:all.example.com;lr>']);
  });

  it('come from a provider, too; rules that make no sense are its failure', async () => {
    expect(granted(await register('short'))).toEqual([200, 120]);
    expect(granted(await register('other'))).toEqual([200, 1000]);
    const fields = { aor: 'wrong@example.com', contacts: ['<sip:w@127.0.0.1:1>'] };
    const { nonce, opaque } = await challenge(phone, fields);
    phone.send(signed(phone, { ...fields, cseq: 2 }, { nonce, opaque }));
    await vi.waitFor(
      () => expect(server.stderr).toContain('max-expire: unknown key, did you mean'),
      10_000 * patience(),
    );
  });

  it.each([
    [['max-expire=5'], 'max-expire: unknown key, did you mean "max-expires"?'],
    [['gruu=off'], 'gruu: is a rule of domains, not of users: lookups know the domain of a GRUU, and not its user'],
    [
      ['warning=true'],
      'warning: is for the whole server, under "policy": many refusals are written before the domain is known',
    ],
    [['service-route=tel:1'], 'service-route: expected a route such as <sip:proxy.example.com;lr>, got "tel:1"'],
    [['transports=sctp'], 'transports: expected one of udp, tcp, tls, ws, wss, got "sctp"'],
    [['min-expires=2h', 'max-expires=1h'], 'min-expires: 7200 is above max-expires, which is 3600'],
    [['max-expires'], 'expected KEY=VALUE such as max-expires=10m, got "max-expires"'],
  ])('are refused where they make no sense: %j', async (settings, problem) => {
    const words = ['user', 'policy', 'alice@example.com', ...settings, '--data', server.data];
    const { exit, stderr } = await run(process.execPath, [CLI, ...words], 20_000);
    expect([exit.code, stderr]).toEqual([1, `aorta: ${problem}\n`]);
  });
});
