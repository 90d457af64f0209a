// The lookup listener by uWebSockets.js and by node:http, which must not differ. The results of lookups are e2e/lookups'.

import { existsSync, readFileSync } from 'node:fs';
import { get } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { UnreadableError } from '../../../src/location/location-reader.ts';
import { type LookupListener, openLookupListener } from '../../../src/server/lookups/lookup-listener.ts';
import type { Find } from '../../../src/server/lookups/lookup-routes.ts';
import { uWebSockets } from '../../../src/transport/websocket/uwebsockets.ts';
import { removeDirectories, temporaryDirectory } from '../../support/aorta-process.ts';

const library = uWebSockets();
const engines = [
  ['node:http', ''] as const,
  ...(typeof library === 'string' ? [] : [['uWebSockets.js', library] as const]),
];
if (typeof library === 'string') console.warn(`skipped: lookups by uWebSockets.js: ${library}`);

const open: LookupListener[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((listener) => listener.close()));
  removeDirectories();
});

/** Events of the log. */
const log: string[] = [];

/** Sends the target as it is; fetch() would tidy it. */
function statusOf(url: string, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    get({ hostname, port, path }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    }).once('error', reject);
  });
}

/** How often `find` was asked for slow@b, which takes 2 ms. */
let slow = 0;

const find: Find = (aor, preferences) => {
  if (aor === 'slow@b') {
    slow++;
    const until = performance.now() + 2;
    while (performance.now() < until);
  }
  if (aor.startsWith('bad@')) throw new UnreadableError(new Error('EIO: i/o error, read'));
  if (aor === 'broken@b') throw new TypeError('a fault');
  if (aor === 'long@b') return { aor: 'x'.repeat(1 << 20), contacts: [], fallbacks: [] };
  if (!aor.includes('@')) return 'no AOR';
  if (aor.endsWith('elsewhere')) return 'not served';
  const asked = preferences?.accept.map(({ features }) => [...features.keys()].join('+')) ?? [];
  return { aor: `${aor} ${asked.join('|')}`, contacts: [], fallbacks: [] };
};

const lookups = { find, wake: () => undefined };

describe.each(engines)('lookups by %s', (_name, by) => {
  async function listen(host = '127.0.0.1') {
    const data = temporaryDirectory();
    const opened = await openLookupListener({ host, port: 0 }, data, lookups, (_level, event) => log.push(event), by);
    open.push(opened);
    const { port } = opened.address;
    const file = join(data, 'lookup.token');
    const token = existsSync(file) ? readFileSync(file, 'utf8').trim() : undefined;
    return { url: `http://127.0.0.1:${port}`, port, token };
  }

  it('finds one or many, and says what is wrong', async () => {
    const { url } = await listen();
    const get = async (path: string, options: RequestInit = {}) => {
      const answer = await fetch(`${url}${path}`, options);
      const { aor, code, results } = (await answer.json()) as { aor?: string; code?: string; results?: unknown[] };
      return [answer.status, aor ?? code ?? results?.length, answer.headers.get('content-type')];
    };
    const [json, problem] = ['application/json', 'application/problem+json'];
    expect(await get('/v1/aors/a@b/contacts')).toEqual([200, 'a@b ', json]);
    expect(await get('/v1/aors/%61@b/contacts?accept-contact=*;audio&accept-contact=*;video;text')).toEqual([
      200,
      'a@b audio|video+text',
      json,
    ]);
    expect(await get(`/v1/aors/${'a'.repeat(9000)}@b/contacts`)).toEqual([200, `${'a'.repeat(9000)}@b `, json]);
    expect(await get('/v1/aors/%zz/contacts')).toEqual([400, 'bad_escapes', problem]);
    expect(await get('/v1/aors/a/contacts')).toEqual([400, 'bad_aor', problem]);
    expect(await get('/v1/aors/a@elsewhere/contacts')).toEqual([404, 'not_served', problem]);
    expect(await get('/v1/aors/a@b/contacts', { method: 'DELETE' })).toEqual([405, 'method_not_allowed', problem]);
    expect(await get('/v1/lookups')).toEqual([405, 'method_not_allowed', problem]);
    expect((await fetch(`${url}/v1/lookups`)).headers.get('allow')).toBe('POST');
    expect(await get('/')).toEqual([404, 'no_such_route', problem]);
    const post = (body: string) => get('/v1/lookups', { method: 'POST', body });
    expect(await post(JSON.stringify({ aors: ['a@b', 'c'] }))).toEqual([200, 2, json]);
    expect(await post(JSON.stringify({ aors: new Array(1001).fill('a@b') }))).toEqual([400, 'bad_batch', problem]);
    expect(await post('{')).toEqual([400, 'bad_json', problem]);
    expect(await post('')).toEqual([400, 'bad_json', problem]);
    expect(await post(' '.repeat((1 << 20) + 1))).toEqual([413, 'too_large', problem]);
    expect(await get('/v1/aors/a@b/contacts'), 'and goes on').toEqual([200, 'a@b ', json]);
  });

  it('R3261-10.3-33 draws 503 where the disk does not give a record, one by one and as one of a batch', async () => {
    const { url } = await listen();
    const answer = await fetch(`${url}/v1/aors/bad@b/contacts`);
    expect(answer.status).toBe(503);
    expect(await answer.json()).toMatchObject({ code: 'unreadable', detail: expect.stringContaining('EIO') });
    const batch = await fetch(`${url}/v1/lookups`, {
      method: 'POST',
      body: JSON.stringify({ aors: ['a@b', 'bad@b'] }),
    });
    expect(batch.status).toBe(200);
    expect(await batch.json()).toMatchObject({
      results: [
        { aor: 'a@b ', contacts: [] },
        { aor: 'bad@b', error: 'unreadable' },
      ],
    });
  });

  it('answers a fault of its own with 500, logs it, and goes on', async () => {
    const { url } = await listen();
    const post = (aors: string[]) => fetch(`${url}/v1/lookups`, { method: 'POST', body: JSON.stringify({ aors }) });
    expect((await fetch(`${url}/v1/aors/broken@b/contacts`)).status).toBe(500);
    expect((await post(['a@b', 'broken@b'])).status).toBe(500);
    expect(log.splice(0)).toEqual(['http request failed', 'http request failed']);
    expect((await post(['a@b'])).status).toBe(200);
  });

  it('has one shape of answers: headers, problems, HEAD', async () => {
    const { url } = await listen();
    const shape = async (path: string, options: RequestInit = {}) => {
      const answer = await fetch(`${url}${path}`, options);
      const { headers } = answer;
      const shown = ['cache-control', 'x-content-type-options', 'content-length', 'allow'].map((it) => headers.get(it));
      return [answer.status, ...shown, await answer.text()];
    };
    const found = '{"aor":"a@b ","contacts":[],"fallbacks":[]}';
    const length = String(found.length);
    expect(await shape('/v1/aors/a@b/contacts')).toEqual([200, 'no-store', 'nosniff', length, null, found]);
    const head = await shape('/v1/aors/a@b/contacts', { method: 'HEAD' });
    expect(head).toEqual([200, 'no-store', 'nosniff', length, null, '']);
    const [status, , , , allow, text] = await shape('/v1/lookups', { method: 'PUT' });
    expect([status, allow, JSON.parse(String(text))]).toEqual([
      405,
      'POST',
      {
        type: 'about:blank',
        title: 'Wrong method',
        status: 405,
        code: 'method_not_allowed',
        detail: '/v1/lookups answers POST',
      },
    ]);
    for (const path of ['//v1/lookups', '/v1/aors/a@b/contacts/', '/v1/aors//contacts', '/v1/../v1/aors/a@b/x'])
      expect((await statusOf(url, path)) >= 400, path).toBe(true);
    expect(await statusOf(url, '/v1/./aors/a@b/contacts')).toBe(200);
    expect(await statusOf(url, '/v1/aors/a|b@b/contacts')).toBe(200);
    expect(await statusOf(url, '/v1/aors/a@b/contacts?x={}&accept-contact=*;audio')).toBe(200);
  });

  it('asks for its token where other machines can reach it, and no web page for anything', async () => {
    const { url, token } = await listen('0.0.0.0');
    const status = async (headers: Record<string, string>, path = '/v1/aors/a@b/contacts') =>
      (await fetch(`${url}${path}`, { headers })).status;
    expect(await status({})).toBe(401);
    expect((await fetch(url)).headers.get('www-authenticate')).toBe('Bearer realm="aorta"');
    expect(await status({}, '/nowhere')).toBe(401);
    expect(await status({ authorization: `Bearer ${token}` })).toBe(200);
    expect(await status({ authorization: `Bearer ${token}x` })).toBe(401);
    const local = await listen();
    const origin = (await fetch(`${local.url}/v1/aors/a@b/contacts`, { headers: { origin: local.url } })).status;
    expect(origin).toBe(403);
  });

  it('takes requests in pieces and several at once, and is not hurt by who goes away', async () => {
    const { url, port } = await listen();
    const socket = connect(port, '127.0.0.1');
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk;
    });
    const one = 'GET /v1/aors/a@b/contacts HTTP/1.1\r\nHost: localhost\r\n\r\n';
    const body = JSON.stringify({ aors: ['a@b'] });
    const two = `POST /v1/lookups HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const all = one + one + two + one;
    for (let at = 0; at < all.length; at += 17) {
      socket.write(all.slice(at, at + 17));
      await new Promise(setImmediate);
    }
    await expect.poll(() => text.match(/HTTP\/1\.1 200 OK\r\n/g)?.length, { timeout: 20_000 }).toBe(4);
    socket.destroy();
    for (const rest of [1, 40, two.length - 1]) {
      const gone = connect(port, '127.0.0.1');
      await new Promise<void>((resolve) => gone.write(two.slice(0, rest), () => resolve()));
      gone.destroy();
    }
    expect((await fetch(`${url}/v1/aors/a@b/contacts`)).status).toBe(200);
  });

  it('says how many preferences a query may have', async () => {
    const { url } = await listen();
    const answer = async (path: string, body?: unknown) => {
      const options = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
      const got = await fetch(`${url}${path}`, options);
      return [got.status, ((await got.json()) as { code?: string }).code];
    };
    const tooMany = [400, 'too_many_preferences'];
    const [many, values] = [new Array(17).fill('*;audio'), [`*;methods="${'A,'.repeat(128)}B"`]];
    for (const list of [many, values]) {
      expect(await answer('/v1/lookups', { aors: ['a@b'], acceptContact: list })).toEqual(tooMany);
      expect(await answer('/v1/lookups', { aors: ['a@b'], rejectContact: list })).toEqual(tooMany);
      const query = list.map((one) => `accept-contact=${encodeURIComponent(one)}`).join('&');
      expect(await answer(`/v1/aors/a@b/contacts?${query}`)).toEqual(tooMany);
    }
    const most = { acceptContact: many.slice(1), rejectContact: [] };
    expect(await answer('/v1/lookups', { aors: ['a@b'], ...most })).toEqual([200, undefined]);
    expect(await answer('/v1/lookups', { aors: new Array(20).fill('long@b') })).toEqual([413, 'too_large']);
  });

  it('answers others while batches are under way, drops those whose client is gone, and has room for 64', async () => {
    const { url, port } = await listen();
    const body = JSON.stringify({ aors: new Array(1000).fill('slow@b') });
    const post = `POST /v1/lookups HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const clients = Array.from({ length: 64 }, () => connect(port, '127.0.0.1'));
    slow = 0;
    for (const client of clients) client.on('error', () => {}).write(post);
    await expect.poll(() => slow, { timeout: 20_000 }).toBeGreaterThan(64);
    expect((await fetch(`${url}/v1/aors/a@b/contacts`)).status).toBe(200);
    const quick = { method: 'POST', body: JSON.stringify({ aors: ['a@b'] }) };
    await expect.poll(async () => (await fetch(`${url}/v1/lookups`, quick)).status, { timeout: 20_000 }).toBe(503);
    expect(slow, 'far from their end').toBeLessThan(32_000);
    for (const client of clients) client.destroy();
    await expect.poll(async () => (await fetch(`${url}/v1/lookups`, quick)).status, { timeout: 20_000 }).toBe(200);
    const after = slow;
    await fetch(`${url}/v1/aors/a@b/contacts`);
    expect(slow).toBe(after);
  });

  it('cannot be had twice at one address', async () => {
    const { port } = await listen();
    const again = openLookupListener({ host: '127.0.0.1', port }, temporaryDirectory(), lookups, () => {}, by);
    await expect(again).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});
