// The admin API by HTTP: bindings and users read and changed while phones register, the dump, the change feed.

import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_AUTH } from '../../../src/server/config/sections/auth-config.ts';
import { type AdminFixture, openFeed, samplesOf, startAdmin } from '../../support/admin-server.ts';
import { removeDirectories } from '../../support/aorta-process.ts';
import { poll } from '../../support/child-process.ts';
import { bindings, type SipClient } from '../../support/sip-client.ts';
import { StreamClient } from '../../support/stream-client.ts';

let admin: AdminFixture;
let phone: SipClient;

beforeAll(async () => {
  admin = await startAdmin({ shards: 2 });
  phone = await admin.client();
});
afterAll(async () => {
  await admin.stop();
  removeDirectories();
});

interface Reply {
  readonly status: number;
  readonly body: Record<string, unknown> & { aor?: string; contacts?: { uri: string; q: number; path: string[] }[] };
}

async function call(method: string, path: string, body?: unknown): Promise<Reply> {
  const answer = await fetch(`${admin.url}${path}`, {
    method,
    ...(body !== undefined && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  return { status: answer.status, body: text === '' ? {} : JSON.parse(text) };
}

/** An AOR of its own for each test. */
function newAor(): string {
  return `user-${randomBytes(4).toString('hex')}@example.com`;
}

async function register(aor: string, contact: string): Promise<void> {
  const answer = await phone.request(phone.register({ aor, contacts: [contact] }));
  expect(answer.status).toBe(200);
}

describe('bindings', () => {
  it('are shown as the phone made them', async () => {
    const aor = newAor();
    await register(aor, '"Alice" <sip:alice@127.0.0.1:5070>;q=0.5;expires=600');
    const { status, body } = await call('GET', `/v1/aors/${encodeURIComponent(`sip:${aor}`)}`);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      aor,
      contacts: [
        { uri: 'sip:alice@127.0.0.1:5070', q: 0.5, display: '"Alice"', cseq: 1, source: { transport: 'udp' } },
      ],
    });
  });

  it('are added by an operator, and phones see them', async () => {
    const aor = newAor();
    const added = await call('POST', `/v1/aors/${aor}/bindings`, {
      contact: 'sip:gw@192.0.2.7:5080',
      expires: 900,
      q: 0.25,
      path: ['sip:proxy.example.com;lr'],
    });
    expect([added.status, added.body.contacts?.[0]]).toMatchObject([
      201,
      { uri: 'sip:gw@192.0.2.7:5080', q: 0.25, path: ['<sip:proxy.example.com;lr>'], direct: false },
    ]);
    expect([...(await phone.fetch(aor)).keys()]).toEqual(['sip:gw@192.0.2.7:5080']);
  });

  it('are decided by the rules that phones meet', async () => {
    const brief = await call('POST', `/v1/aors/${newAor()}/bindings`, { contact: 'sip:a@192.0.2.7', expires: 5 });
    expect([brief.status, brief.body.code]).toEqual([422, 'refused']);
    expect(brief.body.detail).toContain('423 Interval Too Brief: at least 60 seconds');
    const elsewhere = await call('POST', '/v1/aors/bob@elsewhere.example/bindings', { contact: 'sip:a@192.0.2.7' });
    expect([elsewhere.status, elsewhere.body.code]).toEqual([422, 'domain_not_served']);
    expect(elsewhere.body.detail).toBe('domain elsewhere.example is not served');
    const bare = await call('POST', `/v1/aors/${newAor()}/bindings`, {});
    expect(bare.body.detail).toBe('body.contact: is missing');
    const path = ['<sip:edge.example.com;lr>'];
    const added = await call('POST', `/v1/aors/${newAor()}/bindings`, { contact: 'sip:a@192.0.2.7', path });
    const [plain] = added.body.contacts as { path: string[] }[];
    const again = await call('POST', `/v1/aors/${newAor()}/bindings`, { contact: 'sip:a@192.0.2.7', path: plain.path });
    expect([again.status, (again.body.contacts as { path: string[] }[])[0].path]).toEqual([201, plain.path]);
  });

  it('are removed one by one or all together', async () => {
    const aor = newAor();
    await register(aor, '<sip:one@127.0.0.1>');
    await register(aor, '<sip:two@127.0.0.1>');
    const path = `/v1/aors/${aor}/bindings?contact=${encodeURIComponent('sip:one@127.0.0.1')}`;
    expect((await call('DELETE', path)).status).toBe(204);
    expect([...(await phone.fetch(aor)).keys()]).toEqual(['sip:two@127.0.0.1']);
    expect((await call('DELETE', path)).body).toMatchObject({ status: 404, code: 'no_binding' });
    expect((await call('DELETE', `/v1/aors/${aor}`)).status).toBe(204);
    expect((await call('GET', `/v1/aors/${aor}`)).body).toMatchObject({ status: 404, code: 'no_bindings' });
  });

  it('of an outbound flow are removed, too', async () => {
    const aor = newAor();
    const instance = '+sip.instance="<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>"';
    const contact = `<sip:alice@127.0.0.1:5070>;reg-id=1;${instance}`;
    const answer = await phone.request(
      phone.register({ aor, contacts: [contact], headers: ['Supported: path, outbound'] }),
    );
    expect(answer.status).toBe(200);
    const uri = [...bindings(answer).keys()][0];
    expect((await call('DELETE', `/v1/aors/${aor}/bindings?contact=${encodeURIComponent(uri)}`)).status).toBe(204);
    expect((await phone.fetch(aor)).size).toBe(0);
  });
});

describe('lists', () => {
  it('give every AOR once, page by page, and the dump the same', async () => {
    const domainMark = randomBytes(3).toString('hex');
    const aors = Array.from({ length: 40 }, (_, i) => `list-${domainMark}-${i}@example.com`);
    for (const aor of aors) await register(aor, '<sip:x@127.0.0.1>');
    const seen: string[] = [];
    let cursor = '';
    do {
      const { body } = await call('GET', `/v1/aors?limit=7&match=${domainMark}${cursor && `&cursor=${cursor}`}`);
      const page = body as { items: { aor: string }[]; next?: string };
      expect(page.items.length).toBeLessThanOrEqual(7);
      seen.push(...page.items.map(({ aor }) => aor));
      cursor = page.next ?? '';
    } while (cursor !== '');
    expect(seen.sort()).toEqual([...aors].sort());
    const dump = await fetch(`${admin.url}/v1/dump?domain=example.com`);
    expect(dump.headers.get('content-type')).toBe('application/x-ndjson');
    const lines = (await dump.text()).trim().split('\n');
    const dumped = lines.map((line) => (JSON.parse(line) as { aor: string }).aor);
    expect(dumped.filter((aor) => aor.includes(domainMark)).sort()).toEqual([...aors].sort());
    expect(await (await fetch(`${admin.url}/v1/dump?domain=other.example`)).text()).toBe('');
  });

  it('refuse what makes no sense, naming it', async () => {
    const { status, body } = await call('GET', '/v1/aors?limit=0&cursro=x');
    expect([status, body.code]).toEqual([400, 'bad_request']);
    expect(body.detail).toContain('query.limit');
    expect((await call('GET', '/v1/aors?cursor=nonsense')).body.code).toBe('bad_cursor');
    expect((await call('GET', `/v1/aors/${encodeURIComponent('not an aor')}`)).body.code).toBe('bad_aor');
    expect((await call('POST', '/v1/aors/a@example.com/bindings', { contact: 'sip:a@b>\r\nTo: x' })).status).toBe(400);
  });
});

describe('the server', () => {
  it('says what it is, counts and is configured', async () => {
    const status = await poll('readiness', 15_000, async () => {
      const found = await call('GET', '/v1/status');
      return found.body.ready === true ? found : undefined; // a disk that others use may hold a shard up
    });
    expect(status.body).toMatchObject({ ready: true, shards: 2, auth: 'none', domains: ['example.com'] });
    const registered = async () => Number((await call('GET', '/v1/counters')).body.registered);
    const before = await registered();
    await register(newAor(), '<sip:counted@127.0.0.1:5070>');
    expect(await registered()).toBe(before + 1);
    expect((await call('GET', '/v1/shards')).body).toMatchObject({ items: [{ up: true }, { up: true }] });
    expect((await call('GET', '/v1/config')).body).toMatchObject({
      policy: { 'min-expires': 60 },
      data: admin.config.data,
    });
    expect((await call('POST', '/v1/reload')).body).toMatchObject({ status: 409, code: 'no_config_file' });
    expect((await call('GET', '/v1/users')).body).toMatchObject({ status: 409, code: 'no_authentication' });
  });

  it('drains and takes that back', async () => {
    expect((await call('POST', '/v1/drain', { draining: true })).status).toBe(200);
    expect(await call('GET', '/readyz')).toMatchObject({ status: 503, body: { problems: ['draining'] } });
    const scrape = async () => (await fetch(`${admin.url}/metrics`)).text();
    expect(await scrape()).toContain('\naorta_ready 0\n');
    expect(await scrape()).toContain('\naorta_draining 1\n');
    await call('POST', '/v1/drain', { draining: false });
    await poll('readiness', 15_000, async () => (await call('GET', '/readyz')).status === 200);
    expect(await scrape()).toContain('\naorta_draining 0\n');
  });

  it('traces a phone into the log, without its credentials, until told otherwise', async () => {
    const aor = newAor();
    const traces = () => admin.log.filter(({ event }) => event.startsWith('trace: '));
    await register(aor, '<sip:before@127.0.0.1:1>');
    const on = await call('PUT', `/v1/traces/${encodeURIComponent(aor)}`, { seconds: 60 });
    expect(on).toMatchObject({ status: 200, body: { name: aor } });
    expect((await call('GET', '/v1/traces')).body).toMatchObject({ items: [{ name: aor }] });
    const secret = `Authorization: Digest username="x",\r\n response="${'0'.repeat(32)}"`;
    const request = phone.register({ aor, contacts: ['<sip:traced@127.0.0.1:1>'], headers: [secret] });
    expect((await phone.request(request)).status).toBe(200);
    await register(newAor(), '<sip:other@127.0.0.1:1>');
    await poll('request and answer in the log', 5000, () => traces().length === 2);
    const messages = traces().map(({ fields }) => String(fields?.message));
    expect(messages[0]).toMatch(/^REGISTER [\s\S]*<sip:traced@/);
    expect(messages[0]).not.toContain('00000000');
    expect(messages[1]).toMatch(/^SIP\/2.0 200 OK/);
    expect((await call('DELETE', `/v1/traces/${encodeURIComponent(aor)}`)).status).toBe(204);
    expect((await call('DELETE', `/v1/traces/${encodeURIComponent(aor)}`)).status).toBe(404);
    await register(aor, '<sip:after@127.0.0.1:1>');
    expect(traces().length).toBe(2);
    expect((await call('PUT', '/v1/traces/nobody', {})).body).toMatchObject({ status: 400 });
  });

  it('describes every route in OpenAPI', async () => {
    const { body } = await call('GET', '/openapi.json');
    const { openapi, paths } = body as {
      openapi: string;
      paths: Record<string, Record<string, { parameters: unknown[] }>>;
    };
    expect(openapi).toBe('3.1.0');
    expect(Object.keys(paths)).toEqual(
      expect.arrayContaining([
        '/v1/aors/{aor}',
        '/v1/dump',
        '/v1/events',
        '/v1/users/{user}',
        '/v1/lookups',
        '/v1/aors/{aor}/contacts',
      ]),
    );
    expect(paths['/v1/aors'].get.parameters).toContainEqual(
      expect.objectContaining({ name: 'limit', in: 'query', required: false }),
    );
  });
});

describe('static bindings and aliases', () => {
  it('are added, listed, found by lookups and removed', async () => {
    const aor = newAor();
    const alias = newAor();
    const contact = { uri: 'sip:mail@192.0.2.30:5080', q: 0.2, path: ['<sip:edge.example.com;lr>'] };
    expect((await call('POST', `/v1/static/bindings/${aor}`, contact)).status).toBe(204);
    expect((await call('PUT', `/v1/static/aliases/${alias}`, { aor })).status).toBe(204);
    expect((await call('GET', '/v1/static/bindings')).body).toEqual({ items: [{ aor, contacts: [contact] }] });
    expect((await call('GET', '/v1/static/aliases')).body).toEqual({ items: [{ alias, aor }] });
    await poll('the contact behind the alias', 5000, () => found(alias));
    expect((await call('DELETE', `/v1/static/aliases/${alias}`)).status).toBe(204);
    expect((await call('DELETE', `/v1/static/bindings/${aor}?uri=${encodeURIComponent(contact.uri)}`)).status).toBe(
      204,
    );
    expect((await call('GET', '/v1/static/bindings')).body).toEqual({ items: [] });
  });

  function found(aor: string): boolean {
    const lookup = admin.server.lookup(aor);
    return typeof lookup === 'object' && lookup.contacts[0]?.uri === 'sip:mail@192.0.2.30:5080';
  }

  it('are refused with the reason where they make no sense', async () => {
    const aor = newAor();
    const loop = await call('PUT', `/v1/static/aliases/${aor}`, { aor });
    expect([loop.status, loop.body.code]).toEqual([409, 'bad_static']);
    expect((await call('POST', `/v1/static/bindings/${aor}`, { uri: 'nonsense' })).status).toBe(409);
    expect((await call('POST', `/v1/static/bindings/${aor}`, { uri: 'sip:a@b', q: 7 })).status).toBe(400);
    expect((await call('DELETE', `/v1/static/bindings/${aor}`)).status).toBe(409);
  });
});

describe('the change feed', () => {
  it('tells what happens to an AOR, and goes on after a break', async () => {
    const aor = newAor();
    const feed = await openFeed(`${admin.url}/v1/events?aor=${aor}`);
    await register(aor, '<sip:one@127.0.0.1>');
    await register(newAor(), '<sip:other@127.0.0.1>');
    const first = await feed.next();
    expect(first).toMatchObject({ event: 'registered', data: { aor, binding: { uri: 'sip:one@127.0.0.1' } } });
    await feed.close();

    await register(aor, '<sip:one@127.0.0.1>');
    await call('DELETE', `/v1/aors/${aor}`);
    const resumed = await openFeed(`${admin.url}/v1/events?aor=${aor}`, first.id);
    expect([(await resumed.next()).event, (await resumed.next()).event]).toEqual(['refreshed', 'removed']);
    await resumed.close();
  });

  it('R5626-7-01 tells that a connection has ended, and the history by whom', async () => {
    const listen = [{ transport: 'tcp', host: '127.0.0.1', port: 0 }] as const;
    const other = await startAdmin({ listen });
    const [{ host, port }] = other.server.listen;
    const feed = await openFeed(`${other.url}/v1/events?types=flow-ended,expired`);
    const client = await StreamClient.tcp({ address: host, port });
    const aor = newAor();
    const uri = `sip:x@127.0.0.1:${client.localPort};transport=tcp`;
    await client.request(client.register({ aor, contacts: [`<${uri}>`] }));
    client.close();
    expect(await feed.next()).toMatchObject({ event: 'flow-ended', data: { aor, binding: { uri } } });
    const history = await fetch(`${other.url}/v1/aors/${aor}/history?limit=1`);
    expect(await history.json()).toMatchObject({ items: [{ type: 'flow-ended', by: 'server', contact: uri }] });
    await feed.close();
    await other.stop();
  });

  it('says so where it cannot go on', async () => {
    const feed = await openFeed(`${admin.url}/v1/events`, '00000000-7');
    expect(await feed.next()).toMatchObject({ event: 'gap', data: { missed: null } });
    await feed.close();
    expect((await call('GET', '/v1/events?types=registerd')).body).toMatchObject({ status: 400 });
  });
});

describe('who sends most', () => {
  it('is told by source and by address-of-record, refusals apart', async () => {
    const other = await startAdmin({ shards: 2 });
    const client = await other.client();
    const quiet = newAor();
    const [busy, refused] = [newAor(), 'nobody@elsewhere.example'];
    const send = (aor: string) => client.request(client.register({ aor, contacts: ['<sip:x@127.0.0.1>'] }));
    await send(quiet);
    for (let i = 0; i < 40; i++) {
      await send(busy);
      if (i % 2 === 0) await send(refused);
    }
    const answer = await fetch(`${other.url}/v1/top-senders?limit=2`);
    const { sources, aors } = (await answer.json()) as Record<
      string,
      { name: string; perSecond: number; refusedPerSecond: number }[]
    >;
    expect(aors.map(({ name }) => name)).toEqual([busy, refused]);
    expect(aors[0].refusedPerSecond).toBe(0);
    expect(aors[1].refusedPerSecond).toBe(aors[1].perSecond);
    expect(sources.map(({ name }) => name)).toEqual(['127.0.0.1']);
    expect(sources[0].perSecond).toBeGreaterThan(aors[0].perSecond);
    await other.stop();
  });
});

describe('lookups', () => {
  it('are counted by door and outcome, and so is every refusal by status', async () => {
    const other = await startAdmin({ lookupHttp: [{ host: '127.0.0.1', port: 0 }] });
    const asker = await other.client();
    await asker.request(asker.register({ aor: 'a@example.com', contacts: ['<sip:a@127.0.0.1:9>'] }));
    for (const user of ['a', 'a', 'nobody']) await asker.request(asker.other('MESSAGE', `sip:${user}@example.com`));
    const http = `http://127.0.0.1:${other.server.lookupHttp[0].port}/v1/aors/`;
    for (const name of ['a@example.com', 'nobody@example.com', 'nonsense']) await fetch(`${http}${name}/contacts`);
    const bare = asker.register({
      aor: 'b@example.com',
      contacts: ['<sip:b@127.0.0.1;ob>;+sip.instance="<urn:uuid:00000000-0000-1000-8000-000000000001>";reg-id=1'],
      headers: ['Supported: outbound, path', 'Via: SIP/2.0/UDP 127.0.0.9;branch=z9hG4bKx'],
    });
    expect((await asker.request(bare)).status).toBe(439);
    const samples = samplesOf(await (await fetch(`${other.url}/metrics`)).text());
    const lookups = [...samples].filter(([name]) => name.startsWith('aorta_lookups_total'));
    expect(Object.fromEntries(lookups)).toEqual({
      'aorta_lookups_total{protocol="sip",outcome="found"}': 2,
      'aorta_lookups_total{protocol="sip",outcome="nobody"}': 1,
      'aorta_lookups_total{protocol="http",outcome="found"}': 1,
      'aorta_lookups_total{protocol="http",outcome="nobody"}': 1,
      'aorta_lookups_total{protocol="http",outcome="refused"}': 1,
    });
    expect(samples.get('aorta_responses_total{status="439"}')).toBe(1);
    await other.stop();
  });
});

describe('users', () => {
  it('are added, listed and removed, and never shown with what proves them', async () => {
    const other = await startAdmin({ auth: { ...DEFAULT_AUTH, mode: 'digest' } });
    const at = (path: string, init?: RequestInit) => fetch(`${other.url}${path}`, init);
    const body = JSON.stringify({ password: 'not-to-be-seen', aors: ['sales@example.com'] });
    const headers = { 'content-type': 'application/json' };
    expect((await at('/v1/users/alice@example.com', { method: 'PUT', headers, body })).status).toBe(204);
    const text = await (await at('/v1/users')).text();
    const first = { user: 'alice@example.com', aors: ['sales@example.com'], policy: {} };
    expect(JSON.parse(text)).toEqual({ items: [first] });
    const others = JSON.stringify({ aors: ['desk@example.com'] });
    expect((await at('/v1/users/alice@example.com', { method: 'PUT', headers, body: others })).status).toBe(204);
    expect(await (await at('/v1/users/alice@example.com')).json()).toMatchObject({ aors: ['desk@example.com'] });
    const rule = (value: unknown) => JSON.stringify({ policy: { 'max-expires': value } });
    const put = (one: string) => at('/v1/users/alice@example.com', { method: 'PUT', headers, body: one });
    expect((await put(rule('10m'))).status).toBe(204);
    const alice = { user: 'alice@example.com', aors: ['desk@example.com'], policy: { 'max-expires': 600 } };
    expect(await (await at('/v1/users/alice@example.com')).json()).toEqual(alice);
    expect(await (await at('/v1/users')).json()).toMatchObject({ items: [alice] });
    expect((await put(rule('soon'))).status).toBe(400);
    expect((await put('{"policy":{}}')).status).toBe(204);
    expect(await (await at('/v1/users/alice@example.com')).json()).toEqual({ ...alice, policy: {} });
    expect((await at('/v1/users/carol@example.com', { method: 'PUT', headers, body: others })).status).toBe(400);
    const wrong = await at('/v1/users/alice@example.com', { method: 'POST' });
    expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'GET, PUT, DELETE']);
    expect((await at('/v1/users/alice@example.com', { method: 'DELETE' })).status).toBe(204);
    expect((await at('/v1/users/alice@example.com')).status).toBe(404);
    // An operator's order needs no password of a phone's user.
    const binding = JSON.stringify({ contact: 'sip:gw@192.0.2.7' });
    const added = await at('/v1/aors/bob@example.com/bindings', { method: 'POST', headers, body: binding });
    expect(added.status).toBe(201);
    await other.stop();
  });
});
