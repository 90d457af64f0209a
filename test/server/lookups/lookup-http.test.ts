// Lookups by HTTP, the doors: by uWebSockets.js and by node:http, which must not differ. What a lookup finds is e2e/lookups'.

import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { LookupHttp } from '../../../src/server/lookups/lookup-door.ts';
import { openLookupHttp } from '../../../src/server/lookups/lookup-http.ts';
import type { Find } from '../../../src/server/lookups/lookup-routes.ts';
import { uWebSockets } from '../../../src/transport/websocket/uwebsockets.ts';
import { removeDirectories, temporaryDirectory } from '../../support/aorta-process.ts';

const library = uWebSockets();
const doors = [
  ['node:http', ''] as const,
  ...(typeof library === 'string' ? [] : [['uWebSockets.js', library] as const]),
];
if (typeof library === 'string') console.warn(`skipped: lookups by uWebSockets.js: ${library}`);

const open: LookupHttp[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((door) => door.close()));
  removeDirectories();
});

/** How often `find` was asked for slow@b, which takes 2 ms. */
let slow = 0;

const find: Find = (aor, preferences) => {
  if (aor === 'slow@b') {
    slow++;
    const until = performance.now() + 2;
    while (performance.now() < until);
  }
  if (aor === 'long@b') return { aor: 'x'.repeat(1 << 20), contacts: [], fallbacks: [] };
  if (!aor.includes('@')) return 'no AOR';
  if (aor.endsWith('elsewhere')) return 'not served';
  const asked = preferences?.accept.map(({ features }) => [...features.keys()].join('+')) ?? [];
  return { aor: `${aor} ${asked.join('|')}`, contacts: [], fallbacks: [] };
};

describe.each(doors)('lookups by %s', (_name, by) => {
  async function door(host = '127.0.0.1'): Promise<{ url: string; port: number }> {
    const opened = await openLookupHttp({ host, port: 0 }, temporaryDirectory(), find, by);
    open.push(opened);
    const { port } = opened.address;
    return { url: `http://127.0.0.1:${port}`, port };
  }

  it('finds one or many, and says what is wrong', async () => {
    const { url } = await door();
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
    expect(await get('/v1/aors/%zz/contacts')).toEqual([400, 'bad_aor', problem]);
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

  it('takes requests in pieces and several at once, and is not hurt by who goes away', async () => {
    const { url, port } = await door();
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
    await expect.poll(() => text.match(/HTTP\/1\.1 200 OK\r\n/g)?.length, { timeout: 5000 }).toBe(4);
    socket.destroy();
    for (const rest of [1, 40, two.length - 1]) {
      const gone = connect(port, '127.0.0.1');
      await new Promise<void>((resolve) => gone.write(two.slice(0, rest), () => resolve()));
      gone.destroy();
    }
    expect((await fetch(`${url}/v1/aors/a@b/contacts`)).status).toBe(200);
  });

  it('says how many preferences a query may have', async () => {
    const { url } = await door();
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
    const { url, port } = await door();
    const body = JSON.stringify({ aors: new Array(1000).fill('slow@b') });
    const post = `POST /v1/lookups HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const clients = Array.from({ length: 64 }, () => connect(port, '127.0.0.1'));
    slow = 0;
    for (const client of clients) client.on('error', () => {}).write(post);
    await expect.poll(() => slow, { timeout: 10_000 }).toBeGreaterThan(64);
    expect((await fetch(`${url}/v1/aors/a@b/contacts`)).status).toBe(200);
    const quick = { method: 'POST', body: JSON.stringify({ aors: ['a@b'] }) };
    await expect.poll(async () => (await fetch(`${url}/v1/lookups`, quick)).status, { timeout: 10_000 }).toBe(503);
    expect(slow, 'far from their end').toBeLessThan(32_000);
    for (const client of clients) client.destroy();
    await expect.poll(async () => (await fetch(`${url}/v1/lookups`, quick)).status, { timeout: 10_000 }).toBe(200);
    const after = slow;
    await fetch(`${url}/v1/aors/a@b/contacts`);
    expect(slow).toBe(after);
  });

  it('cannot be had twice at one address', async () => {
    const { port } = await door();
    const again = openLookupHttp({ host: '127.0.0.1', port }, temporaryDirectory(), find, by);
    await expect(again).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});
