// The admin listener's door: who may ask, what health and readiness say, and that /metrics tells what happened to phones.

import { statSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { REASON_NAMES } from '../../../src/core/uas/reasons.ts';
import { readUrl } from '../../../src/server/admin/admin-files.ts';
import { startServer } from '../../../src/server/server.ts';
import { type AdminFixture, samplesOf, startAdmin } from '../../support/admin-server.ts';
import { removeDirectories } from '../../support/aorta-process.ts';
import { poll } from '../../support/child-process.ts';

afterAll(removeDirectories);

/** fetch() sets Host by itself. */
function statusWith(url: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    request(url, { headers }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    })
      .once('error', reject)
      .end();
  });
}

describe('without a token, on loopback', () => {
  let admin: AdminFixture;
  beforeAll(async () => {
    admin = await startAdmin();
  });
  afterAll(() => admin.stop());

  it('answers health and readiness', async () => {
    expect((await fetch(`${admin.url}/healthz`)).status).toBe(200);
    const ready = await fetch(`${admin.url}/readyz`);
    expect([ready.status, await ready.json()]).toEqual([200, { status: 'ready' }]);
  });

  it('lets no web page ask that is not its own', async () => {
    const { host } = new URL(admin.url);
    const port = host.split(':')[1];
    expect(await statusWith(`${admin.url}/metrics`, { host: 'rebound.example' })).toBe(403);
    expect(await statusWith(`${admin.url}/metrics`, { origin: 'http://pages.example' })).toBe(403);
    expect(await statusWith(`${admin.url}/metrics`, { host: `localhost:${port}` })).toBe(200);
    expect(await statusWith(`${admin.url}/metrics`, { origin: `http://${host}` })).toBe(200);
  });

  it('says what was wrong as problem+json', async () => {
    const answer = await fetch(`${admin.url}/nowhere`);
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(await answer.json()).toMatchObject({ status: 404, code: 'no_such_route' });
  });

  it('counts what phones did, and why they were refused', async () => {
    const client = await admin.client();
    /** Once: what is repeated, since a busy machine answers late, would count. */
    const ask = (message: string) => {
      const answer = client.answerTo(message, 20_000);
      client.send(message);
      return answer;
    };
    const contacts = ['<sip:alice@127.0.0.1:5070>'];
    await ask(client.register({ aor: 'alice@example.com', contacts }));
    await ask(client.register({ aor: 'alice@example.com', contacts: ['<sip:alice@127.0.0.1>;expires=5'] }));
    await ask(client.register({ aor: 'alice@elsewhere.example', contacts }));
    const again = client.register({ aor: 'bob@example.com', contacts });
    await ask(again);
    await ask(again);
    // An answer is measured when it has left.
    const answer = await poll('the measure of the last answer', 5000, async () => {
      const scrape = await fetch(`${admin.url}/metrics`);
      const text = await scrape.text();
      const isMeasured = text.includes('outcome="replayed",transport="udp"');
      return isMeasured ? { type: scrape.headers.get('content-type'), text } : undefined;
    });
    expect(answer.type).toMatch(/^text\/plain; version=0\.0\.4/);
    const samples = samplesOf(answer.text);
    const registrations = (outcome: string, reason: string) =>
      samples.get(`aorta_registrations_total{outcome="${outcome}",reason="${reason}"}`);
    expect(registrations('accepted', '')).toBe(2);
    expect(registrations('rejected', 'interval_too_brief')).toBe(1);
    expect(registrations('rejected', 'domain_not_served')).toBe(1);
    expect(samples.get('aorta_contacts')).toBe(2);
    expect(samples.get('aorta_retransmissions_total')).toBe(1);
    const latency = (outcome: string) =>
      samples.get(`aorta_request_duration_seconds_count{outcome="${outcome}",transport="udp"}`);
    expect([latency('accepted'), latency('rejected'), latency('replayed')]).toEqual([2, 2, 1]);
    expect(samples.get('aorta_commit_duration_seconds_count')).toBe(samples.get('aorta_commits_total'));
    expect(samples.get('aorta_batch_messages_sum')).toBe(5);
    expect(samples.get('aorta_shard_up{shard="0"}')).toBe(1);
    expect(samples.get('aorta_flows{transport="tcp"}')).toBe(0);
  });

  it('names no sample twice', async () => {
    const text = await (await fetch(`${admin.url}/metrics`)).text();
    const names = text
      .split('\n')
      .flatMap((line) => (line === '' || line.startsWith('#') ? [] : [line.replace(/ \S+$/, '')]));
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
  });
});

describe('with a token', () => {
  it('asks for that of the data directory, which its owner alone can read', async () => {
    const admin = await startAdmin({
      admin: { listen: { scheme: 'http', host: '127.0.0.1', port: 0 }, requireToken: true },
    });
    const ask = (headers: Record<string, string>) => fetch(`${admin.url}/metrics`, { headers });
    const refused = await ask({});
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, 'Bearer realm="aorta"']);
    expect(await refused.text()).not.toContain(admin.token);
    expect((await ask({ authorization: 'Bearer wrong' })).status).toBe(401);
    expect((await ask({ authorization: `Bearer ${admin.token}` })).status).toBe(200);
    expect((await fetch(`${admin.url}/readyz`)).status).toBe(200);
    for (const name of ['admin-token', 'admin-url'])
      expect(statSync(join(admin.config.data, name)).mode & 0o777).toBe(0o600);
    await admin.stop();
    const again = await startAdmin({
      data: admin.config.data,
      ...(admin.config.admin && { admin: admin.config.admin }),
    });
    expect(again.token).toBe(admin.token);
    await again.stop();
  });
});

describe('reasons', () => {
  it('have names of their own', () => {
    const names = REASON_NAMES.filter((name) => name !== 'unspecified');
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^[a-z_]+$/);
  });
});

describe('while the server starts', () => {
  it('is asked for what shards know, and says that it starts and how far it is', async () => {
    const first = await startAdmin();
    const phone = await first.client();
    await phone.request(phone.register({ aor: 'alice@example.com', contacts: ['<sip:alice@127.0.0.1>'] }));
    await first.stop();
    const asked: Promise<unknown>[] = [];
    const ask = async (path: string, method = 'GET') => {
      const url = readUrl(first.config.data);
      const answer = await fetch(`${url}${path}`, { method });
      return [path, answer.status, ((await answer.json()) as { detail?: string }).detail];
    };
    const server = await startServer({ ...first.config, shards: 2 }, undefined, {
      beforeServing: () => {
        asked.push(ask('/v1/counters'), ask('/v1/aors'), ask('/v1/reload', 'POST'), ask('/v1/status'));
      },
    });
    const detail = 'the server is still starting: moving bindings to 2 shards: 1 of 1';
    expect(await Promise.all(asked)).toEqual([
      ['/v1/counters', 503, detail],
      ['/v1/aors', 503, detail],
      ['/v1/reload', 503, detail],
      ['/v1/status', 200, undefined],
    ]);
    await server.stop();
  });
});
