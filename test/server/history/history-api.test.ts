// What happened to bindings, as the admin API tells it: from memory, and from disk.

import { randomBytes } from 'node:crypto';
import { afterAll, describe, expect, it } from 'vitest';
import { DEFAULT_POLICY } from '../../../src/core/uas/policy.ts';
import { startAdmin } from '../../support/admin-server.ts';
import { removeDirectories, temporaryDirectory } from '../../support/aorta-process.ts';
import { poll } from '../../support/child-process.ts';

afterAll(removeDirectories);

/** An AOR of its own for each test. */
const newAor = () => `user-${randomBytes(4).toString('hex')}@example.com`;

describe('the history of an AOR', () => {
  it('is kept while nobody listens: when, what, by whom, from where', async () => {
    const other = await startAdmin({ shards: 2 });
    const client = await other.client();
    const path = (aor: string) => `${other.url}/v1/aors/${aor}/history`;
    const history = async (aor: string) => (await (await fetch(path(aor))).json()) as { items: object[] };
    const aor = newAor();
    const fields = { aor, callId: 'a-call-id', headers: ['User-Agent: Desk phone 3'] };
    const contacts = ['<sip:one@127.0.0.1>', '<sip:two@127.0.0.1>'];
    const before = Date.now();
    await client.request(client.register({ ...fields, contacts, cseq: 7 }));
    await client.request(client.register({ ...fields, contacts, cseq: 8 })); // a refresh is no change
    await client.request(client.register({ ...fields, contacts: ['<sip:one@127.0.0.1>;expires=0'], cseq: 9 }));
    await fetch(`${other.url}/v1/aors/${aor}`, { method: 'DELETE', headers: { 'user-agent': 'desk/2.1 (x)' } });
    const { items } = await history(`sip:${aor}`);
    const source = { address: '127.0.0.1', port: client.port, transport: 'udp' };
    const byPhone = { by: 'client', source, callId: 'a-call-id', userAgent: 'Desk phone 3' };
    expect(items).toMatchObject([
      {
        ...{ type: 'removed', by: 'operator', contact: 'sip:two@127.0.0.1', program: 'desk-2.1' },
        source: { address: '127.0.0.1', transport: 'http' },
      },
      { type: 'unregistered', contact: 'sip:one@127.0.0.1', cseq: 9, ...byPhone },
      { type: 'registered', contact: 'sip:two@127.0.0.1', cseq: 7, ...byPhone },
      { type: 'registered', contact: 'sip:one@127.0.0.1', cseq: 7, ...byPhone },
    ]);
    for (const { at } of items as { at: number }[]) expect(at >= before && at <= Date.now()).toBe(true);
    expect((await history(newAor())).items).toEqual([]);
    await other.stop();
  });

  it('tells of what runs out, and keeps the newest where there are more than it can hold', async () => {
    const policy = { ...DEFAULT_POLICY, domains: ['example.com'], minExpiresS: 1, historyBytes: 1 << 14 };
    const other = await startAdmin({ policy, historyDiskBytes: 0 });
    const client = await other.client();
    const aor = newAor();
    const short = '<sip:short@127.0.0.1>;expires=1';
    expect((await client.request(client.register({ aor, contacts: [short] }))).status).toBe(200);
    const history = async (name: string) =>
      ((await (await fetch(`${other.url}/v1/aors/${name}/history`)).json()) as { items: { type: string }[] }).items;
    await poll('the end of the binding', 10_000, async () => (await history(aor)).length === 2);
    expect(await history(aor)).toMatchObject([
      { type: 'expired', by: 'server', contact: 'sip:short@127.0.0.1' },
      { type: 'registered', by: 'client' },
    ]);
    const aors = Array.from({ length: 200 }, (_, i) => `many-${i}@example.com`);
    for (const name of aors)
      expect((await client.request(client.register({ aor: name, contacts: ['<sip:x@127.0.0.1>'] }))).status).toBe(200);
    expect(await history(aor)).toEqual([]);
    expect(await history(aors[0])).toEqual([]);
    expect(await history(aors[199])).toMatchObject([{ type: 'registered' }]);
    await other.stop();
  });
});

interface HistoryAnswer {
  readonly items: readonly { readonly aor?: string; readonly type: string }[];
  readonly next?: string;
}

describe('the history on disk', () => {
  it('has changes of before a restart, of an AOR or of all in a while', async () => {
    const data = temporaryDirectory();
    const first = await startAdmin({ data });
    const client = await first.client();
    const [alice, bob] = [newAor(), newAor()];
    const send = (aor: string, expires: number) =>
      client.request(client.register({ aor, contacts: [`<sip:x@127.0.0.1>;expires=${expires}`] }));
    for (const aor of [alice, bob]) expect((await send(aor, 3600)).status).toBe(200);
    await first.stop();
    const between = Date.now();
    const second = await startAdmin({ data });
    const again = await second.client();
    const contacts = ['<sip:x@127.0.0.1>;expires=0'];
    expect((await again.request(again.register({ aor: alice, contacts, cseq: 99 }))).status).toBe(200);

    const get = async (path: string) => (await (await fetch(`${second.url}${path}`)).json()) as HistoryAnswer;
    expect((await get(`/v1/aors/${alice}/history`)).items.map(({ type }) => type)).toEqual([
      'unregistered',
      'registered',
    ]);
    const kinds = async (query: string) =>
      (await get(`/v1/history?${query}`)).items.map(({ aor, type }) => [aor, type]);
    const all = [
      [alice, 'unregistered'],
      [bob, 'registered'],
      [alice, 'registered'],
    ];
    expect(await kinds('')).toEqual(all);
    expect(await kinds(`since=${between}`)).toEqual(all.slice(0, 1));
    expect(await kinds(`until=${new Date(between).toISOString()}`)).toEqual(all.slice(1));
    const page = await get('/v1/history?limit=1');
    const rest = await kinds(`limit=9&cursor=${encodeURIComponent(page.next ?? '')}`);
    expect([page.items[0].aor, rest]).toEqual([alice, all.slice(1)]);
    expect((await fetch(`${second.url}/v1/history?since=yesterday`)).status).toBe(400);
    await second.stop();
  });
});
