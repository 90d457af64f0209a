// Registration events (RFC 3680) from a running server: who may watch, over UDP, TCP and WebSocket, and over a restart. The example of
// docs/operating.md is its configuration. Of real watchers there is Kamailio: Debian has no pjsua, and baresip does not know the event package.

import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Aorta, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { Child, killAll } from '../support/child-process.ts';
import { authorization } from '../support/digest-client.ts';
import { freePort } from '../support/free-ports.ts';
import { challenges, configFile, importUsers, logIn, PASSWORD } from '../support/login-client.ts';
import { patience } from '../support/patience.ts';
import { peerMissing } from '../support/peers.ts';
import { type Answer, header, newToken, SipClient } from '../support/sip-client.ts';
import { StreamClient } from '../support/stream-client.ts';
import {
  type Notified,
  readNotify,
  readReginfo,
  responseTo,
  type SubscribeFields,
  subscribe,
} from '../support/watcher.ts';
import { WsSipClient } from '../support/ws-sip-client.ts';

const PAGE = readFileSync(join(import.meta.dirname, '../../docs/operating.md'), 'utf8');
const [, SECTION] = PAGE.split('## Watching registrations\n');
/** The application server of the example. */
const APP_ADDRESS = '127.0.0.30';

/** The first block of a language in the section. */
function example(language: string): string {
  const blocks = SECTION.split(/^```/m).filter((_, i) => i % 2 === 1);
  const block = blocks.find((text) => text.startsWith(`${language}\n`)) ?? expect.unreachable(language);
  return block.slice(language.length + 1);
}

let server: Aorta;
let phone: SipClient;

beforeAll(async () => {
  const data = temporaryDirectory();
  await importUsers(data, [
    'alice@example.com',
    'bob@example.com',
    'carol@example.com',
    'dave@example.com',
    'erin@example.com',
    'app@example.com',
  ]);
  const file = configFile(
    ...example('yaml').replaceAll('192.0.2.30', APP_ADDRESS).split('\n'),
    '  notify-interval: 0',
    'lookup: {sip: off}',
    'websocket: {origins: ["*"]}',
  );
  const transports = ['udp', 'tcp'];
  const flags = ['--config', file, '--listen', 'ws:127.0.0.1:0', '--admin', 'http:127.0.0.1:0'];
  server = await Aorta.start({ shards: 2, data, transports, flags });
  phone = await SipClient.open({ address: '127.0.0.1', port: server.port });
});
afterAll(async () => {
  phone.close();
  await killAll();
  removeDirectories();
});

type Client = SipClient | StreamClient;

/** Subscribes as a user, who is challenged first. */
async function watch(client: Client, user: string, fields: SubscribeFields = {}): Promise<Answer> {
  const { uri = 'sip:alice@example.com', cseq = 1 } = fields;
  const dialog = { callId: newToken(), from: `<sip:${user}@example.com>;tag=${newToken()}`, ...fields };
  const ask = (more: SubscribeFields) => client.request(subscribe({ ...dialog, via: client.via(), ...more }));
  const challenge = await ask({ cseq });
  if (challenge.status !== 401) return challenge;
  const [{ nonce, opaque }] = challenges(challenge);
  const login = { username: user, realm: 'example.com', password: PASSWORD, qop: 'auth', algorithm: 'MD5' } as const;
  const row = authorization({ ...login, method: 'SUBSCRIBE', uri, nonce, opaque });
  return ask({ cseq: cseq + 1, headers: [...(fields.headers ?? []), `Authorization: ${row}`] });
}

/** The next NOTIFY that came to a client, answered. */
async function notified(client: Client): Promise<Notified> {
  const at = () => client.inbox.findIndex(({ text }) => text.startsWith('NOTIFY '));
  await vi.waitUntil(() => at() >= 0, { timeout: 10_000 * patience(), interval: 10 });
  const [{ text }] = client.inbox.splice(at(), 1);
  client.send(responseTo(text));
  return readNotify(text);
}

async function register(user: string, contact: string, expires = 600): Promise<void> {
  const answer = await logIn(phone, { aor: `${user}@example.com`, contacts: [contact], expires });
  expect(answer.status).toBe(200);
}

/** A Kamailio at the address of the application server. */
async function startKamailio(): Promise<{ child: Child; address: string; port: number }> {
  const directory = temporaryDirectory();
  for (const table of ['version', 'pua'])
    cpSync(`/usr/share/kamailio/dbtext/kamailio/${table}`, join(directory, table));
  const port = await freePort(APP_ADDRESS);
  const values = {
    LISTEN: `udp:${APP_ADDRESS}:${port}`,
    DB: `"text://${directory}"`,
    SERVER: `"sip:127.0.0.1:${server.port}"`,
    SELF: `"sip:watcher@${APP_ADDRESS}:${port}"`,
  };
  const defines = Object.entries(values).flatMap(([name, value]) => ['-A', `${name}=${value}`]);
  const config = join(import.meta.dirname, 'kamailio/watcher.cfg');
  const child = new Child('kamailio', ['-DD', '-E', '-f', config, '-Y', directory, '-m', '64', ...defines]);
  await child.until(/Listening on/, 10_000);
  return { child, address: APP_ADDRESS, port };
}

const uris = ({ reginfo }: Notified) => reginfo.contacts.map(({ uri, event }) => `${uri} ${event}`);

describe('who may watch', () => {
  it('R6665-4.2.1.3-01 R3680-4.6-01 is asked for a password, and watches what it may register', async () => {
    const client = await SipClient.open(phone.server);
    expect((await client.request(subscribe({ via: client.via() }))).status).toBe(401);
    expect((await watch(client, 'alice')).status).toBe(200);
    const first = await notified(client);
    expect(first.reginfo).toMatchObject({ aor: 'sip:alice@example.com', registration: 'init' });
    expect((await watch(client, 'bob')).status).toBe(403);
    expect((await watch(client, 'bob', { headers: ['P-Asserted-Identity: <sip:alice@example.com>'] })).status).toBe(
      403,
    );
    expect((await watch(client, 'bob', { from: '<sip:alice@example.com>;tag=1' })).status).toBe(403);
    expect((await watch(client, 'nobody')).status).toBe(401);
    const others = client.inbox.filter(({ text }) => header(text, 'Call-ID') !== header(first.text, 'Call-ID'));
    expect(others).toEqual([]);
    client.close();
  });

  it('R6665-4.2.1.3-01 is a user who is listed, too, and an element at an address that is', async () => {
    const client = await SipClient.open(phone.server);
    expect((await watch(client, 'app')).status).toBe(200);
    await notified(client);
    const app = await SipClient.open(phone.server, APP_ADDRESS);
    const asked = example('').replaceAll('192.0.2.30:5060', `${APP_ADDRESS}:${app.port}`).trimEnd();
    expect((await app.request(`${asked.replaceAll('\n', '\r\n')}\r\n\r\n`)).status).toBe(200);
    expect((await notified(app)).requestUri).toBe(`sip:${APP_ADDRESS}:${app.port}`);
    await register('alice', '<sip:alice@127.0.0.4>');
    const told = await notified(app);
    const shown = readReginfo(example('xml').trimEnd() + '\n');
    const form = (reginfo: typeof shown) => ({
      ...reginfo,
      ...{ id: '', contacts: reginfo.contacts.map((c) => [c.event, c.state, Object.keys(c.attributes)]) },
    });
    expect(form(told.reginfo)).toEqual(form(shown));
    await register('alice', '<sip:alice@127.0.0.4>', 0);
    expect(uris(await notified(app))).toEqual(['sip:alice@127.0.0.4 unregistered']);
    app.close();
    client.close();
  });

  it('R6665-4.2.1.1-01 R6665-4.4.4-01 asks for what there is', async () => {
    const answer = await watch(phone, 'bob', {
      uri: 'sip:bob@example.com',
      to: '<sip:bob@example.com>',
      event: 'presence',
    });
    expect([answer.status, header(answer.text, 'Allow-Events')]).toEqual([489, 'reg']);
    const options = await phone.request(phone.other('OPTIONS', 'sip:example.com'));
    expect(header(options.text, 'Allow-Events')).toBe('reg');
  });
});

describe('a watcher', () => {
  it('is told of static bindings as they come and go, and shows in traces and metrics', async () => {
    const admin = /admin (http:\S+)/.exec(server.stdout)?.[1];
    const call = (method: string, path: string, body?: object) =>
      fetch(`${admin}${path}`, {
        method,
        ...(body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      });
    const aor = 'dave@example.com';
    const client = await SipClient.open(phone.server);
    expect((await call('PUT', `/v1/traces/${aor}`, { seconds: 60 })).status).toBe(200);
    expect((await watch(client, 'dave', { uri: `sip:${aor}`, to: `<sip:${aor}>` })).status).toBe(200);
    expect((await notified(client)).reginfo.registration).toBe('init');
    const gateway = { uri: 'sip:gateway@127.0.0.7' };
    expect((await call('POST', `/v1/static/bindings/${aor}`, gateway)).status).toBeLessThan(300);
    expect(uris(await notified(client))).toEqual(['sip:gateway@127.0.0.7 created']);
    expect((await call('DELETE', `/v1/static/bindings/${aor}`)).status).toBeLessThan(300);
    expect((await notified(client)).reginfo).toMatchObject({ state: 'full', registration: 'terminated', contacts: [] });
    await vi.waitFor(
      () => expect(server.stderr + server.stdout).toMatch(/"message":"NOTIFY sip:.*"trace: request"/),
      5000 * patience(),
    );
    const metrics = await (await call('GET', '/metrics')).text();
    expect(metrics).toMatch(/^aorta_notifies_total\{result="sent"\} [1-9]/m);
    expect(metrics).toMatch(/^aorta_subscriptions [1-9]/m);
    client.close();
  });

  it('R6665-4.2.1.2-01 R3680-4.3-01 R3680-5.1-06 over TCP hears by its connection', async () => {
    const client = await StreamClient.tcp(phone.server);
    expect((await watch(client, 'bob', { uri: 'sip:bob@example.com', to: '<sip:bob@example.com>' })).status).toBe(200);
    expect((await notified(client)).reginfo.registration).toBe('init');
    await register('bob', '"Bob" <sip:bob@127.0.0.5>;+x.y="1";q=0.3');
    const [contact] = (await notified(client)).reginfo.contacts;
    expect(contact).toMatchObject({
      displayName: 'Bob',
      params: { '+x.y': '"1"' },
      attributes: { q: '0.3' },
    });
    await register('bob', '<sip:bob@127.0.0.5>', 0);
    expect(uris(await notified(client))).toEqual(['sip:bob@127.0.0.5 unregistered']);
    client.close();
  });

  it('over WebSocket hears by its connection', async () => {
    const port = Number(/ws:127\.0\.0\.1:(\d+)/.exec(server.stdout + server.stderr)?.[1]);
    const client = await WsSipClient.open({ port });
    const fields = { via: client.via(), callId: newToken(), contact: `<${client.contact}>` };
    const [{ nonce, opaque }] = challenges(await client.request(subscribe(fields)));
    const uri = 'sip:alice@example.com';
    const login = {
      username: 'alice',
      realm: 'example.com',
      password: PASSWORD,
      qop: 'auth',
      algorithm: 'MD5',
    } as const;
    const row = authorization({ ...login, method: 'SUBSCRIBE', uri, nonce, opaque });
    const answer = await client.request(
      subscribe({ ...fields, via: client.via(), cseq: 2, headers: [`Authorization: ${row}`] }),
    );
    expect(answer.status).toBe(200);
    const { text } = await client.answer();
    expect(readNotify(text).requestUri).toBe(client.contact);
    client.ws.text(responseTo(text));
    client.close();
  });

  it.skipIf(peerMissing('kamcmd'))(
    'may be Kamailio’s pua_reginfo, which keeps what it is told in its own table',
    async () => {
      const kamailio = await startKamailio();
      const { child } = kamailio;
      /** What it made of each NOTIFY. */
      const made = async (results: readonly number[]) => {
        const found = () =>
          [...`${child.stdout}${child.stderr}`.matchAll(/told: (-?\d)/g)].map(([, result]) => Number(result));
        await vi.waitFor(() => expect(found()).toEqual(results), { timeout: 10_000 * patience(), interval: 20 });
      };
      // Kamailio 5.6 reads no document of an AOR without contacts (state "init").
      await register('erin', '<sip:desk@127.0.0.11>');
      const asked = phone.other('MESSAGE', 'sip:erin@example.com');
      const client = await SipClient.open(kamailio);
      expect((await client.request(asked)).status).toBe(202);
      client.close();
      await made([1]);
      await register('erin', '<sip:mobile@127.0.0.12>');
      await made([1, 1]);
      await register('erin', '<sip:desk@127.0.0.11>', 0);
      await made([1, 1, 1]);
      await register('erin', '<sip:mobile@127.0.0.12>', 0);
      await made([1, 1, 1, 2]);
      child.killTree();
    },
  );

  it('R3680-5.1-02 goes on over a crash of the server', async () => {
    const client = await SipClient.open(phone.server);
    const fields = {
      uri: 'sip:carol@example.com',
      to: '<sip:carol@example.com>',
      callId: newToken(),
      from: '<sip:carol@example.com>;tag=r',
    };
    const granted = await watch(client, 'carol', fields);
    const first = await notified(client);
    await register('carol', '<sip:carol@127.0.0.6>');
    expect((await notified(client)).reginfo.version).toBe(1);
    await server.kill9();
    server = await server.restart();
    const again = await notified(client);
    expect([again.reginfo.version, again.reginfo.state, uris(again)]).toEqual([
      2,
      'full',
      ['sip:carol@127.0.0.6 registered'],
    ]);
    expect(again.cseq).toBeGreaterThan(first.cseq);
    const to = header(granted.text, 'To') ?? '';
    expect((await watch(client, 'carol', { ...fields, to, cseq: 5, expires: 0 })).status).toBe(200);
    expect((await notified(client)).subscription).toBe('terminated;reason=timeout');
    client.close();
  });
});
