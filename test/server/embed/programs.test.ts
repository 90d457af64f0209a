// What a program does with users, bindings, counters and changes, through the package's public module, with threads and without.

import { createHash } from 'node:crypto';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import {
  type AorBindings,
  createRegistrar,
  type FeedEntry,
  type Registrar,
  type RegistrarOptions,
} from '../../../src/index.ts';
import { removeDirectories, temporaryDirectory } from '../../support/aorta-process.ts';
import { poll, within } from '../../support/child-process.ts';
import { logIn } from '../../support/login-client.ts';
import { newToken, SipClient } from '../../support/sip-client.ts';

afterAll(removeDirectories);

const open: Registrar[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((registrar) => registrar.stop()));
});

async function started(options: RegistrarOptions): Promise<Registrar> {
  const registrar = createRegistrar({ domains: ['example.com'], ...options });
  open.push(registrar);
  await registrar.start();
  return registrar;
}

async function listed<T>(all: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of all) items.push(item);
  return items;
}

/** The next changes, so many of them. */
async function next(registrar: Registrar, count: number, since?: number): Promise<FeedEntry[]> {
  const ending = new AbortController();
  const entries: FeedEntry[] = [];
  const reading = (async () => {
    for await (const entry of registrar.changes({ since, signal: ending.signal })) {
      entries.push(entry);
      if (entries.length === count) return;
    }
  })();
  await within(reading, 20_000);
  ending.abort();
  return entries;
}

const told = (entries: readonly FeedEntry[]) =>
  entries.map((entry) => (entry.type === 'lost' ? 'lost' : `${entry.type} ${entry.aor}`));

const ways: [string, RegistrarOptions][] = [
  ['with threads', { shards: 2 }],
  ['without threads', { threads: false }],
];

describe.each(ways)('a program %s', (_, way) => {
  it('is refused bindings and users before the start and behind the end, and loses nothing by asking', async () => {
    const options = { ...way, domains: ['example.com'], auth: 'digest', data: temporaryDirectory() } as const;
    const registrar = createRegistrar(options);
    open.push(registrar);
    const alice = { contact: 'sip:alice@192.0.2.7' };
    const asked = ({ bindings, users }: Registrar) => [
      () => bindings.add('alice@example.com', alice),
      () => bindings.get('alice@example.com'),
      () => bindings.remove('alice@example.com'),
      () => listed(bindings.list()),
      () => users.get('alice@example.com'),
      () => users.set('alice@example.com', { password: 'other' }),
      () => listed(users.list()),
    ];
    const refused = async () => {
      for (const ask of asked(registrar)) await expect(ask()).rejects.toThrow('has not been started, or is stopped');
    };
    await refused();
    await registrar.start();
    await registrar.users.set('alice@example.com', { password: 'secret' });
    await registrar.bindings.add('alice@example.com', alice);
    const list = registrar.bindings.list()[Symbol.asyncIterator]();
    expect((await list.next()).value?.aor).toBe('alice@example.com');
    await Promise.all([registrar.stop(), registrar.stop()]);
    await registrar.stop();
    await expect(list.next()).rejects.toThrow('is stopped');
    await refused();

    const again = await started(options);
    expect(again.lookup('alice@example.com').contacts).toMatchObject([{ uri: alice.contact }]);
    expect(await listed(again.users.list())).toMatchObject([{ user: 'alice@example.com' }]);
  });

  it('adds, lists and removes bindings', async () => {
    const registrar = await started({ ...way, data: temporaryDirectory() });
    const { bindings } = registrar;
    await bindings.add('alice@example.com', {
      contact: 'sip:alice@192.0.2.7:5070',
      expires: 90,
      q: 0.5,
      path: ['sip:edge.example.com;lr'],
    });
    await bindings.add('sip:alice@example.com', { contact: 'sip:alice@192.0.2.8' });
    expect(await bindings.add('bob@example.com', { contact: 'sip:bob@192.0.2.9', expires: 86_400 })).toBe(7200);
    const escaped = { contact: 'sip:zoë@192.0.2.9', expires: 600 };
    expect(await bindings.add('zoe@example.com', escaped), 'kept as sip:zo%C3%AB@192.0.2.9').toBe(600);
    expect(await bindings.remove('zoe@example.com', 'sip:zo%C3%AB@192.0.2.9')).toBe(1);
    expect(await bindings.get('alice@example.com')).toMatchObject([
      { uri: 'sip:alice@192.0.2.7:5070', q: 0.5, path: ['<sip:edge.example.com;lr>'] },
      { uri: 'sip:alice@192.0.2.8' },
    ]);
    expect(registrar.lookup('bob@example.com').contacts.map(({ uri }) => uri)).toEqual(['sip:bob@192.0.2.9']);
    const names = (items: AorBindings[]) => items.map(({ aor, contacts }) => `${aor} ${contacts.length}`).sort();
    expect(names(await listed(bindings.list()))).toEqual(['alice@example.com 2', 'bob@example.com 1']);
    expect(names(await listed(bindings.list({ match: 'BOB' })))).toEqual(['bob@example.com 1']);
    expect(await bindings.remove('alice@example.com', 'sip:alice@192.0.2.8')).toBe(1);
    expect(await bindings.remove('alice@example.com', 'sip:alice@192.0.2.8')).toBe(0);
    expect(await bindings.remove('alice@example.com')).toBe(1);
    expect(await bindings.get('alice@example.com')).toEqual([]);
    expect(registrar.counts()).toMatchObject({ registered: 4, unregistered: 3, bindings: 1, aors: 1 });
  });

  it('is told what makes no sense, and nothing is changed', async () => {
    const registrar = await started({ ...way, data: temporaryDirectory() });
    const { bindings, users } = registrar;
    await expect(bindings.get('nobody')).rejects.toThrow(RangeError);
    await expect(bindings.add('alice@example.com', { contact: 'sip:a@b\r\nX: y' })).rejects.toThrow(
      /contact: is no URI/,
    );
    await expect(bindings.add('alice@example.com', { contact: 'sip:a@192.0.2.1', expires: 0 })).rejects.toThrow(
      RangeError,
    );
    await expect(bindings.add('alice@elsewhere.example', { contact: 'sip:a@192.0.2.1' })).rejects.toThrow(/not served/);
    await expect(users.set('alice@example.com', { password: 'x' })).rejects.toThrow(/nobody logs in/);
    expect(() => registrar.changes()).toThrow(/option "feed"/);
    expect(await listed(bindings.list())).toEqual([]);
  });

  it('adds, lists and removes users, who log in at once', async () => {
    const data = temporaryDirectory();
    const messages: Buffer[] = [];
    const registrar = await started({
      ...way,
      auth: 'digest',
      data,
      send: (bytes) => messages.push(bytes),
    });
    const { users } = registrar;
    const ha1 = createHash('md5').update('bob:example.com:word').digest('hex');
    await users.set('alice@example.com', { password: 'secret', aors: ['100@example.com'] });
    await users.set('bob@example.com', { ha1, policy: { 'max-expires': 120 } });
    expect(await users.get('alice@example.com')).toEqual({
      user: 'alice@example.com',
      aors: ['100@example.com'],
      policy: {},
    });
    expect((await listed(users.list())).map(({ user }) => user)).toEqual(['alice@example.com', 'bob@example.com']);
    expect(await listed(users.list({ match: 'bo' }))).toEqual([
      { user: 'bob@example.com', aors: [], policy: { 'max-expires': 120 } },
    ]);
    await expect(users.set('carol@example.com', {})).rejects.toThrow(/needs a password/);
    await expect(users.set('carol@elsewhere.example', { password: 'x' })).rejects.toThrow(/not served/);
    await expect(users.set('alice@example.com', { password: 'x', ha1 })).rejects.toThrow(RangeError);
    expect(await users.remove('bob@example.com')).toBe(true);
    expect(await users.remove('bob@example.com')).toBe(false);
    expect(await users.get('bob@example.com')).toBeUndefined();
  });

  it('follows changes from any of them on, also over a restart', async () => {
    const options = { ...way, data: temporaryDirectory(), feed: {} };
    const first = await started(options);
    const live = next(first, 2);
    await first.bindings.add('alice@example.com', { contact: 'sip:alice@192.0.2.7' });
    await first.bindings.add('bob@example.com', { contact: 'sip:bob@192.0.2.7' });
    const [alice, bob] = await live;
    expect(told([alice, bob])).toEqual(['registered alice@example.com', 'registered bob@example.com']);
    expect(bob.sequence).toBeGreaterThan(alice.sequence);
    expect(told(await next(first, 1, alice.sequence))).toEqual(['registered bob@example.com']);
    const ending = listed(first.changes({ since: alice.sequence }));
    await first.bindings.remove('bob@example.com');
    await first.stop();
    expect(told(await ending)).toEqual(['registered bob@example.com', 'removed bob@example.com']);
    const second = await started(options);
    await second.bindings.add('carol@example.com', { contact: 'sip:carol@192.0.2.7' });
    const rest = await next(second, 3, alice.sequence);
    expect(told(rest)).toEqual([
      'registered bob@example.com',
      'removed bob@example.com',
      'registered carol@example.com',
    ]);
    for (const since of [-1, 1.5, rest[2].sequence + 1, Number.NaN])
      expect(() => second.changes({ since })).toThrow(RangeError);
  });
});

describe('users and bindings of a program with threads', () => {
  it('take effect with the next request, and a removed user takes its bindings along', async () => {
    const registrar = await started({
      shards: 2,
      auth: 'digest',
      listen: ['udp:127.0.0.1:0'],
      data: temporaryDirectory(),
    });
    const [{ port }] = registrar.listen;
    const phone = await SipClient.open({ address: '127.0.0.1', port });
    const asAlice = async (password: string) => {
      const wish = { aor: 'alice@example.com', callId: newToken(), contacts: ['<sip:alice@127.0.0.1:7>'] };
      return (await logIn(phone, wish, { username: 'alice', password })).status;
    };
    expect(await asAlice('secret')).toBe(401);
    await registrar.users.set('alice@example.com', { password: 'secret' });
    expect(await asAlice('secret')).toBe(200);
    await registrar.users.set('alice@example.com', { password: 'other' });
    expect([await asAlice('secret'), await asAlice('other')]).toEqual([401, 200]);
    await registrar.users.remove('alice@example.com');
    await poll(
      'the bindings to leave',
      5000,
      async () => (await registrar.bindings.get('alice@example.com')).length === 0,
    );
    phone.close();
  });

  it('needs a directory for a feed', () => {
    expect(() => createRegistrar({ threads: false, store: 'memory', feed: {} })).toThrow(
      /feed: needs a data directory/,
    );
  });
});
