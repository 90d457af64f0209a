// The admin API's lists, all of them by one scheme; users in bulk and by their HA1s; what is of domains that are not served.

import { createHash } from 'node:crypto';
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_AUTH } from '../../../src/server/config/sections/auth-config.ts';
import { type AdminFixture, samplesOf, startAdmin } from '../../support/admin-server.ts';
import { CLI, removeDirectories, temporaryDirectory } from '../../support/aorta-process.ts';
import { Child } from '../../support/child-process.ts';
import { logIn } from '../../support/login-client.ts';
import type { SipClient } from '../../support/sip-client.ts';

const md5 = (text: string) => createHash('md5').update(text).digest('hex');
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

let admin: AdminFixture;
let phone: SipClient;

beforeAll(async () => {
  admin = await startAdmin({ auth: { ...DEFAULT_AUTH, mode: 'digest' }, shards: 2 });
  phone = await admin.client();
});
afterAll(async () => {
  await admin.stop();
  removeDirectories();
});

interface Reply {
  readonly status: number;
  readonly body: Record<string, unknown> & { items?: Record<string, unknown>[]; next?: string };
}

async function call(method: string, path: string, body?: unknown): Promise<Reply> {
  const answer = await fetch(`${admin.url}${path}`, {
    method,
    ...(body !== undefined && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  return { status: answer.status, body: text === '' ? {} : JSON.parse(text) };
}

async function aorta(args: readonly string[], input = '') {
  const child = new Child(process.execPath, [CLI, ...args, '--data', admin.config.data]);
  child.process.stdin?.end(input);
  return Object.assign(child, { exit: await child.end(20_000) });
}

const names = Array.from({ length: 23 }, (_, n) => `user${String(n).padStart(2, '0')}`);

describe('users', () => {
  it('come in many at a time, by password or by HA1s, all or none', async () => {
    const users = names.map((name) => ({ user: `${name}@example.com`, password: 'secret' }));
    expect((await call('PUT', '/v1/users', { users })).body).toEqual({ added: 23, replaced: 0 });
    const ha1 = md5('alice:example.com:wonder');
    const some = [
      { user: 'alice@example.com', ha1 },
      { user: 'user00@example.com', password: 'other' },
    ];
    expect((await call('PUT', '/v1/users', { users: some })).body).toEqual({ added: 1, replaced: 1 });
    for (const [wrong, path] of [
      [{ user: 'bob@example.com', ha1: 'abc' }, /users.1.ha1: expected 32 hex digits/],
      [{ user: 'bob@example.com', ha1, password: 'x' }, /body.users.1: a password and HA1s/],
      [{ user: 'bob@example.com' }, /needs a password or HA1s/],
      [{ user: 'bob@Example.com', ha1 }, /has capitals/],
      [{ user: 'bob' }, /body.users.1: expected a user with its domain/],
      [{ user: 'carol@example.com', password: 'x' }, /carol@example.com is there twice/],
      [{ user: 'bob@example.net', password: 'x' }, /example.net is not served here: example.com/],
      [{ user: 'bob@example.com', pasword: 'x' }, /pasword/],
    ] as const) {
      const both = [{ user: 'carol@example.com', password: 'x' }, wrong];
      const refused = await call('PUT', '/v1/users', { users: both });
      expect([refused.status, refused.body.detail]).toEqual([400, expect.stringMatching(path)]);
      expect(JSON.stringify(refused.body)).not.toContain(ha1);
    }
    expect((await call('GET', '/v1/users/carol@example.com')).status, 'nothing was changed').toBe(404);
  });

  it('log in with the HA1s that they were given', async () => {
    const given = {
      ha1: md5('bert:example.com:pw'),
      ha1_sha256: sha256('bert:example.com:pw'),
      ha1b: md5('bert@example.com:example.com:pw'),
    };
    expect((await call('PUT', '/v1/users/bert@example.com', given)).status).toBe(204);
    const csv = (await aorta(['user', 'export'])).stdout;
    expect(csv).toContain(`bert,example.com,${given.ha1},${given.ha1b},${given.ha1_sha256},,,,`);
    expect((await call('PUT', '/v1/users/bert@example.com', { ha1_sha256: '00' })).status).toBe(400);
  });
});

describe('the search over addresses-of-record', () => {
  it('finds by a part of address, contact, source, User-Agent or instance, whatever the case', async () => {
    const aor = 'needle@example.com';
    expect(
      (await call('POST', `/v1/aors/${aor}/bindings`, { contact: 'sip:hay@192.0.2.77:5088', userAgent: 'Stack/4.2' }))
        .status,
    ).toBe(201);
    const found = async (find: string) =>
      (await call('GET', `/v1/aors?find=${encodeURIComponent(find)}`)).body.items?.map((item) => item.aor);
    for (const part of ['NEEDLE', 'sip:hay@', '192.0.2.77', ':5088', 'stack/4'])
      expect(await found(part), part).toEqual([aor]);
    expect(await found('stack/5')).toEqual([]);
    expect((await call('GET', '/v1/aors?find=')).status).toBe(400);
    await call('DELETE', `/v1/aors/${aor}`);
  });
});

describe('every list', () => {
  /** All pages of three. */
  async function pages(path: string): Promise<Record<string, unknown>[]> {
    const all: Record<string, unknown>[] = [];
    for (let next: string | undefined = ''; next !== undefined; ) {
      const page: Reply = await call(
        'GET',
        `${path}${path.includes('?') ? '&' : '?'}limit=3${next && `&cursor=${next}`}`,
      );
      expect(page.status).toBe(200);
      expect(page.body.items?.length).toBeLessThanOrEqual(3);
      all.push(...(page.body.items ?? []));
      next = page.body.next;
    }
    return all;
  }

  beforeAll(async () => {
    for (const name of names.slice(0, 7)) {
      await call('POST', `/v1/static/bindings/${name}@example.com`, { uri: `sip:${name}@192.0.2.1` });
      await call('PUT', `/v1/static/aliases/a-${name}@example.com`, { aor: `${name}@example.com` });
      await call('PUT', `/v1/traces/${name}@example.com`, {});
      await call('POST', `/v1/aors/${name}@example.com/bindings`, { contact: `sip:${name}@192.0.2.2` });
      await call('POST', '/v1/aors/history@example.com/bindings', { contact: `sip:${name}@192.0.2.3`, expires: 600 });
    }
  });

  it.each<[string, string, (name: string) => string]>([
    ['/v1/static/bindings', 'aor', (name) => `${name}@example.com`],
    ['/v1/static/aliases', 'alias', (name) => `a-${name}@example.com`],
    ['/v1/traces', 'name', (name) => `${name}@example.com`],
    ['/v1/aors?match=user', 'aor', (name) => `${name}@example.com`],
    ['/v1/users?match=user0', 'user', (name) => `${name}@example.com`],
  ])('comes page by page, each item once: %s', async (path, key, nameOf) => {
    const wanted = names.slice(0, path.includes('users') ? 10 : 7).map(nameOf);
    expect((await pages(path)).map((item) => item[key]).sort()).toEqual(wanted);
    expect((await call('GET', path)).body.next).toBeUndefined();
    for (const wrong of ['limit=0', 'limit=1001', 'limit=x', 'cursor=!', 'offset=1'])
      expect((await call('GET', `${path}${path.includes('?') ? '&' : '?'}${wrong}`)).status, wrong).toBe(400);
  });

  it('of changes goes on behind the page before, whatever has come since', async () => {
    const path = '/v1/aors/history@example.com/history';
    const first = await call('GET', `${path}?limit=3`);
    await call('POST', '/v1/aors/history@example.com/bindings', { contact: 'sip:late@192.0.2.3', expires: 600 });
    const rest: Record<string, unknown>[] = [...(first.body.items ?? [])];
    for (let { next } = first.body; next !== undefined; ) {
      const page: Reply = await call('GET', `${path}?limit=3&cursor=${next}`);
      rest.push(...(page.body.items ?? []));
      next = page.body.next;
    }
    expect(rest.map(({ contact }) => contact)).toEqual(
      names
        .slice(0, 7)
        .reverse()
        .map((name) => `sip:${name}@192.0.2.3`),
    );
    expect((await call('GET', '/v1/shards?limit=1')).body).toMatchObject({
      items: [{ shard: 0 }],
      next: expect.any(String),
    });
  });
});

describe('a domain that is not served', () => {
  it('is refused by the API: users, addresses of users, bindings, static bindings, aliases', async () => {
    for (const [method, path, body] of [
      ['PUT', '/v1/users/bob@example.net', { password: 'x' }],
      ['PUT', '/v1/users/bob@example.com', { password: 'x', aors: ['bob@example.net'] }],
      ['POST', '/v1/aors/bob@example.net/bindings', { contact: 'sip:b@192.0.2.1' }],
      ['POST', '/v1/static/bindings/bob@example.net', { uri: 'sip:b@192.0.2.1' }],
      ['PUT', '/v1/static/aliases/bob@example.net', { aor: 'alice@example.com' }],
      ['PUT', '/v1/static/aliases/bob@example.com', { aor: 'alice@example.net' }],
    ] as const) {
      const refused = await call(method, path, body);
      expect([404, 409, 422], `${method} ${path}: ${refused.status}`).toContain(refused.status);
      if (refused.status !== 404) expect(refused.body.detail).toMatch(/^(domain )?example\.net is not served/);
    }
    expect(() => admin.server.changeStatic(() => ({ bindings: { 'x@example.net': [] }, aliases: {} }))).toThrow(
      /not served/,
    );
  });

  it('is told by the commands, which may come before the configuration', async () => {
    const note =
      'note: example.net is not served here (example.com is): of no effect until "domains" of the configuration has it\n';
    const file = join(temporaryDirectory(), 'users.csv');
    writeFileSync(file, 'username,domain,password\nzed,example.net,x\nzoe,example.com,x\n');
    expect(await aorta(['user', 'add', 'ann@example.net'], 'x\n')).toMatchObject({ exit: { code: 0 }, stderr: note });
    expect(await aorta(['user', 'import', file])).toMatchObject({ exit: { code: 0 }, stderr: note });
    expect(await aorta(['binding', 'add', 'mail@example.net', 'sip:m@192.0.2.1'])).toMatchObject({ stderr: note });
    expect(await aorta(['alias', 'add', 'x@example.com', 'mail@example.net'])).toMatchObject({ stderr: note });
    expect((await aorta(['user', 'add', 'ann@example.com'], 'x\n')).stderr).toBe('');
  });

  it('is told in the log where users of it are there at the start', async () => {
    const again = await startAdmin({
      ...admin.config,
      policy: { ...admin.config.policy, domains: ['example.org'] },
      data: await copyOfUsers(),
    });
    const told = again.log.find(({ event }) => event === 'users of domains that are not served');
    expect(told?.fields).toEqual({ domains: ['example.com', 'example.net'], count: 2 });
    await again.stop();
  });

  async function copyOfUsers(): Promise<string> {
    const data = temporaryDirectory();
    const file = join(data, 'users.csv');
    writeFileSync(file, 'username,domain,password\na,example.com,x\nb,example.com,x\na,example.net,x\n');
    const child = new Child(process.execPath, [CLI, 'user', 'import', file, '--data', data]);
    expect((await child.end(20_000)).code).toBe(0);
    return data;
  }
});

it('the size of a store is that of all its files, wherever they lie', async () => {
  const bytesOf = (shard: number) =>
    readdirSync(join(admin.config.data, `shard-${shard}`), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).blocks * 512, 0);
  const scrape = async () => samplesOf(await (await fetch(`${admin.url}/metrics`)).text());
  const sizes = async () => {
    const samples = await scrape();
    return [0, 1].map((shard) => samples.get(`aorta_store_bytes{shard="${shard}"}`) ?? 0);
  };
  const before = await sizes();
  for (let round = 0; round < 13; round++)
    await Promise.all(
      names.map((name, n) =>
        call('POST', `/v1/aors/${name}@example.com/bindings`, {
          contact: `sip:${'x'.repeat(200)}@192.0.2.${(round * names.length + n) % 200}`,
        }),
      ),
    );
  const after = await sizes();
  expect(after).toEqual([bytesOf(0), bytesOf(1)]);
  expect(after[0] + after[1], 'more than before').toBeGreaterThan(before[0] + before[1] + 8192);
});

it('a user that came with an HA1 registers', async () => {
  const given = { ha1: md5('hal:example.com:open'), ha1_sha256: sha256('hal:example.com:open') };
  await call('PUT', '/v1/users/hal@example.com', given);
  const fields = { aor: 'hal@example.com', contacts: ['<sip:hal@127.0.0.1:5070>'] };
  expect((await logIn(phone, fields, { password: 'closed' })).status).not.toBe(200);
  expect((await logIn(phone, fields, { password: 'open' })).status).toBe(200);
});
