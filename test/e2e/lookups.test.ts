// Lookups through every door of a running server: SIP, HTTP, and who may ask at each.

import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Aorta, CLI, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { killAll, pause, poll, run } from '../support/child-process.ts';
import { aortaUser, importUsers } from '../support/login-client.ts';
import { contacts, header, SipClient, tagOf } from '../support/sip-client.ts';
import { StreamClient } from '../support/stream-client.ts';

let aorta: Aorta;
let client: SipClient;
let url: string;

beforeAll(async () => {
  aorta = await Aorta.start({ flags: ['--lookup', 'http:127.0.0.1:0'], shards: 2 });
  url = /^lookups (\S+)\/v1/m.exec(aorta.stdout)?.[1] ?? '';
  client = await SipClient.open(aorta);
});

afterAll(async () => {
  client?.close();
  await killAll();
  removeDirectories();
});

const PHONE = '<sip:alice@127.0.0.1:5071>;q=0.7;+sip.instance="<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>";audio';
const PATH = ['Path: <sip:edge.example.com;lr>, <sip:inner@127.0.0.9;lr;ob>', 'Supported: path'];

async function get(path: string, headers: Record<string, string> = {}): Promise<{ status: number; body: never }> {
  const answer = await fetch(`${url}${path}`, { headers });
  return { status: answer.status, body: (await answer.json()) as never };
}

describe('a lookup', () => {
  const aor = 'alice@example.com';

  beforeAll(async () => {
    const text = client.register({ aor, contacts: [PHONE], expires: 600, headers: [...PATH, 'User-Agent: Desk/1'] });
    expect((await client.request(text)).status).toBe(200);
  });

  it('R3261-8.3-01 R3327-5.4-01 by SIP names the contact with its Path as Route', async () => {
    const invite = client.other('INVITE', `sip:${aor}`);
    const answer = await client.request(invite);
    expect(answer.status).toBe(302);
    expect(contacts(answer)).toEqual([
      expect.stringMatching(
        /^<sip:alice@127\.0\.0\.1:5071\?Route=%3Csip:edge\.example\.com%3Blr%3E%2C%20?%3Csip:inner%40127\.0\.0\.9%3Blr%3Bob%3E>;q=0\.7;.*;expires=(600|59\d)$/,
      ),
    ]);
    const to = header(answer.text, 'To') ?? '';
    client.send(
      invite
        .replace(/^INVITE/, 'ACK')
        .replace(/^(CSeq: 1) INVITE/m, '$1 ACK')
        .replace(/^To:.*$/m, `To: ${to}`),
    );
    expect(tagOf(to)).toMatch(/./);
    await client.fetch(aor); // behind the ACK
    client.inbox.length = 0; // a busy server may have sent it again before
    await pause(1200); // then the next is due after a second
    expect(client.inbox, 'no retransmission after the ACK').toEqual([]);
  });

  it('R3261-17.2.1-01 by SIP is answered again while nobody acknowledges', async () => {
    const invite = client.other('INVITE', `sip:${aor}`);
    const first = await client.request(invite);
    const again = await client.nextFor(invite);
    expect(again.text).toBe(first.text);
  });

  it('R3840-6-04 R3327-5.4-01 by HTTP has every field that a proxy builds a branch from', async () => {
    const { status, body } = await get(`/v1/aors/${aor}/contacts`);
    expect(status).toBe(200);
    expect(body).toEqual({
      aor,
      contacts: [
        {
          uri: 'sip:alice@127.0.0.1:5071',
          q: 0.7,
          expires: expect.any(Number),
          expiresAt: expect.any(Number),
          registeredAt: expect.any(Number),
          refreshedAt: expect.any(Number),
          path: ['<sip:edge.example.com;lr>', '<sip:inner@127.0.0.9;lr;ob>'],
          route: '<sip:edge.example.com;lr>, <sip:inner@127.0.0.9;lr;ob>',
          source: { address: '127.0.0.1', port: client.port, transport: 'udp' },
          received: `sip:127.0.0.1:${client.port};transport=udp`,
          direct: expect.any(Boolean),
          instance: 'urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF',
          gruu: 'sip:alice@example.com;gr=urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF',
          capabilities: { audio: true },
          params: {},
          callId: expect.any(String),
          cseq: 1,
          userAgent: 'Desk/1',
        },
      ],
      fallbacks: [],
    });
  });

  it('R3840-6-04 R8599-5.3-01 by HTTP goes by what the caller prefers, and names the push parameters of a device', async () => {
    const push = 'pn-provider=fcm;pn-param=Zx%2B1;pn-prid=a:b';
    const contacts = [`<sip:m@127.0.0.1:5072;${push}>;video;audio;q=0.5`, '<sip:m@127.0.0.1:5073>;audio'];
    expect((await client.request(client.register({ aor: 'maria@example.com', contacts }))).status).toBe(200);
    type Found = { contacts: { uri: string; push?: object }[] };
    const ports = async (query: string) => {
      const { body } = await get(`/v1/aors/maria@example.com/contacts${query}`);
      return (body as Found).contacts.map(({ uri }) => Number(/:(\d+)/.exec(uri)?.[1]));
    };
    expect(await ports('')).toEqual([5073, 5072]);
    expect(await ports(`?accept-contact=${encodeURIComponent('*;video;require;explicit')}`)).toEqual([5072]);
    expect(await ports(`?reject-contact=${encodeURIComponent('*;video')}`)).toEqual([5073]);
    const { body } = await get('/v1/aors/maria@example.com/contacts');
    const { contacts: found } = body as Found;
    expect(found.map((contact) => contact.push)).toEqual([
      undefined,
      { provider: 'fcm', param: 'Zx%2B1', prid: 'a:b' },
    ]);
    const batch = { aors: ['maria@example.com'], rejectContact: ['*;video'] };
    const answer = await fetch(`${url}/v1/lookups`, { method: 'POST', body: JSON.stringify(batch) });
    const { results } = (await answer.json()) as { results: Found[] };
    expect(results[0].contacts.map(({ uri }) => uri)).toEqual(['sip:m@127.0.0.1:5073']);
  });

  it('R5626-7-02 by HTTP has one flow of an instance as its contact, the others as what to try when that has failed', async () => {
    const name = 'flows@example.com';
    for (const regId of [1, 2]) {
      const contacts = [
        `<sip:f${regId}@127.0.0.1:5074;ob>;+sip.instance="<urn:uuid:00000000-0000-1000-8000-00000000000f>";reg-id=${regId}`,
      ];
      const headers = ['Supported: path, outbound', `Path: <sip:edge${regId}@127.0.0.9;lr;ob>`];
      const text = client.register({ aor: name, contacts, headers, callId: `flow-${regId}` });
      expect((await client.request(text)).status).toBe(200);
      await new Promise((resolve) => setTimeout(resolve, 5)); // the later one is the newer one by the clock
    }
    const { body } = await get(`/v1/aors/${name}/contacts`);
    expect(body).toMatchObject({
      contacts: [{ uri: 'sip:f2@127.0.0.1:5074;ob', regId: 2, path: ['<sip:edge2@127.0.0.9;lr;ob>'] }],
      fallbacks: [{ uri: 'sip:f1@127.0.0.1:5074;ob', regId: 1, path: ['<sip:edge1@127.0.0.9;lr;ob>'] }],
    });
  });

  it('takes AORs escaped, as URIs and in batches', async () => {
    const { body } = await get('/v1/aors/sip%3A%2561lice%40EXAMPLE.com%3Buser%3Dphone/contacts');
    expect((body as { aor: string; contacts: unknown[] }).contacts.length).toBe(1);
    const answer = await fetch(`${url}/v1/lookups`, {
      method: 'POST',
      body: JSON.stringify({ aors: [aor, 'nobody@example.com', 'x@elsewhere.example', 'nonsense'] }),
    });
    const { results } = (await answer.json()) as { results: { aor: string; error?: string; contacts: unknown[] }[] };
    expect(results.map(({ aor: name, error, contacts: found }) => [name, error, found.length])).toEqual([
      [aor, undefined, 1],
      ['nobody@example.com', undefined, 0],
      ['x@elsewhere.example', 'not_served', 0],
      ['nonsense', 'bad_aor', 0],
    ]);
  });

  it('says what is wrong with a request', async () => {
    expect(await get('/v1/aors/nonsense/contacts')).toMatchObject({ status: 400, body: { code: 'bad_aor' } });
    expect(await get('/v1/aors/%zz/contacts')).toMatchObject({ status: 400 });
    expect(await get('/v1/aors/x@elsewhere.example/contacts')).toMatchObject({
      status: 404,
      body: { code: 'not_served' },
    });
    expect(await get('/nothing')).toMatchObject({ status: 404, body: { code: 'no_such_route' } });
    const posted = await fetch(`${url}/v1/lookups`, { method: 'POST', body: '{"aors": [1]}' });
    expect(posted.status).toBe(400);
    expect((await fetch(`${url}/v1/lookups`, { method: 'POST', body: 'x' })).status).toBe(400);
    const long = JSON.stringify({ aors: ['x'.repeat(1 << 20)] });
    expect((await fetch(`${url}/v1/lookups`, { method: 'POST', body: long })).status).toBe(413);
    expect((await fetch(`${url}/v1/lookups`)).status).toBe(405);
  });

  it('is for programs of this machine, not for web pages, where there is no token', async () => {
    const path = `/v1/aors/${aor}/contacts`;
    expect(await get(path, { origin: 'https://evil.example' })).toMatchObject({ status: 403 });
    const { port } = new URL(url);
    const status = await new Promise((resolve) => {
      httpRequest({ port, path, headers: { host: 'evil.example' } }, (answer) => resolve(answer.statusCode)).end();
    });
    expect(status).toBe(403);
  });

  it('sees a change as soon as it was answered', async () => {
    for (let n = 0; n < 20; n++) {
      const name = `round${n}@example.com`;
      const text = client.register({ aor: name, contacts: [`<sip:r${n}@127.0.0.1:1>`] });
      expect((await client.request(text)).status).toBe(200);
      expect((await get(`/v1/aors/${name}/contacts`)).body).toMatchObject({
        contacts: [{ uri: `sip:r${n}@127.0.0.1:1` }],
      });
      const gone = client.register({ aor: name, contacts: ['*'], expires: 0, callId: `gone${n}` });
      expect((await client.request(gone)).status).toBe(200);
      expect((await get(`/v1/aors/${name}/contacts`)).body).toMatchObject({ contacts: [] });
    }
  });
});

describe('what has ended', () => {
  let other: Aorta;
  let local: SipClient;
  let lookups: string;

  beforeAll(async () => {
    other = await Aorta.start({
      transports: ['udp', 'tcp'],
      flags: ['--lookup', 'http:127.0.0.1:0', '--min-expires', '1'],
    });
    lookups = /^lookups (\S+)\/v1/m.exec(other.stdout)?.[1] ?? '';
    local = await SipClient.open(other);
  });

  afterAll(() => local?.close());

  const bySip = async (aor: string): Promise<number> =>
    (await local.request(local.other('MESSAGE', `sip:${aor}`))).status;
  const byHttp = async (aor: string): Promise<{ expiresAt: number; flow?: number; direct: boolean }[]> => {
    const answer = await fetch(`${lookups}/v1/aors/${aor}/contacts`);
    return ((await answer.json()) as { contacts: { expiresAt: number; direct: boolean }[] }).contacts;
  };

  it('R5626-7-01 R5626-6-11 with its connection, which lookups name, is told neither by SIP nor by HTTP', async () => {
    const phone = await StreamClient.tcp(other);
    const aor = 'flow@example.com';
    await phone.request(phone.register({ aor, contacts: [`<sip:flow@127.0.0.1:${phone.localPort};transport=tcp>`] }));
    expect(await bySip(aor)).toBe(302);
    expect(await byHttp(aor)).toMatchObject([{ direct: true, flow: expect.any(Number) }]);
    phone.socket.resetAndDestroy();
    await poll('the end of the connection', 5000, async () => (await byHttp(aor)).length === 0);
    expect(await bySip(aor)).toBe(404);
  });

  it('R3261-10.3-39 a contact that leads to the phone by itself outlives its connection, and is told without it', async () => {
    const phone = await StreamClient.tcp(other);
    const aor = 'listens@example.com';
    const uri = 'sip:listens@127.0.0.1:5071;transport=tcp';
    await phone.request(phone.register({ aor, contacts: [`<${uri}>`] }));
    const received = `sip:127.0.0.1:${phone.localPort};transport=tcp`;
    expect(await byHttp(aor)).toMatchObject([{ uri, received, flow: expect.any(Number) }]);
    phone.socket.resetAndDestroy();
    await poll('the end of the connection', 5000, async () => !('flow' in (await byHttp(aor))[0]));
    expect(await byHttp(aor)).toMatchObject([{ uri, received: '', direct: true }]);
    expect(await bySip(aor)).toBe(302);
  });

  it('R3261-8.3-06 with its time is told neither by SIP nor by HTTP', async () => {
    const aor = 'short@example.com';
    await local.request(local.register({ aor, contacts: ['<sip:short@127.0.0.1:5071>'], expires: 1 }));
    await poll('the end of its time', 5000, async () => {
      const asked = Date.now();
      const contacts = await byHttp(aor);
      for (const { expiresAt } of contacts) expect(expiresAt).toBeGreaterThan(asked);
      return contacts.length === 0;
    });
    expect(await bySip(aor)).toBe(404);
  });
});

it('by HTTP from other machines needs the token of the data directory', async () => {
  const flags = ['--lookup', 'http:0.0.0.0:0'];
  const other = await Aorta.start({ flags });
  const { port } = new URL(/^lookups (\S+)\/v1/m.exec(other.stdout)?.[1] ?? '');
  const file = join(other.data, 'lookup.token');
  expect(statSync(file).mode & 0o077).toBe(0);
  const ask = async (token?: string): Promise<number> => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    return (await fetch(`http://127.0.0.1:${port}/v1/aors/a@example.com/contacts`, { headers })).status;
  };
  expect([await ask(), await ask('wrong'), await ask(readFileSync(file, 'utf8').trim())]).toEqual([401, 401, 200]);
  await other.stop();
});

it('R3261-8.3-05 R5627-5.3-02 R5627-5.4-03 R5627-6.1-01 by SIP tells a user without bindings (480) from none (404), and asks others to log in', async () => {
  const data = temporaryDirectory();
  await importUsers(data, ['known@example.com']);
  await aortaUser(data, ['add', 'pbx@example.com', '--aor', 'desk@example.com'], 'secret\n');
  const wide = join(data, 'wide.csv');
  writeFileSync(wide, `username,domain,ha1_sha256\nwide,example.com,${'0'.repeat(64)}\n`);
  await aortaUser(data, ['import', wide]);
  const other = await Aorta.start({ data, flags: ['--auth', 'digest', '--lookup-sip', 'authenticated'] });
  const local = await SipClient.open(other);
  const status = async (user: string, gr = ''): Promise<number> =>
    (await local.request(local.other('MESSAGE', `sip:${user}@example.com${gr}`))).status;
  expect([await status('known'), await status('desk'), await status('nobody')]).toEqual([480, 480, 404]);
  expect(await status('wide'), 'with an HA1 of SHA-256 alone').toBe(480);
  const gr = ';gr=urn:uuid:00000000-0000-1000-8000-000000000001';
  expect([await status('known', gr), await status('known', ';gr=nonsense'), await status('nobody', gr)]).toEqual([
    480, 404, 404,
  ]);
  await run(process.execPath, [CLI, 'user', 'rm', 'known@example.com', '--data', data], 10_000);
  await poll('the user to be gone', 5000, async () => (await status('known', gr)) === 404);
  await aortaUser(data, ['rm', 'pbx@example.com']);
  expect(await status('desk')).toBe(404);
  local.close();
  await other.stop();
});
