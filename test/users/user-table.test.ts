// The shards' table of HA1s in front of the user store: what it finds, what it costs, and how soon it sees a change.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { HA1_BYTES, USER_PENDING, USER_UNAVAILABLE, USER_UNKNOWN } from '../../src/core/auth/credential-source.ts';
import { ALG_MD5, ALG_SESS, ALG_SHA_256, ALG_SHA_512_256 } from '../../src/sip/credentials.ts';
import { ha1sOf, userhashOf } from '../../src/users/ha1.ts';
import { PROVIDER_DOWN, PROVIDER_UP } from '../../src/users/user-lookup.ts';
import { UserStore } from '../../src/users/user-store.ts';
import { UserTable, type UserTableOptions } from '../../src/users/user-table.ts';
import { bundle } from '../support/bundle.ts';
import { killAll, run } from '../support/child-process.ts';

const base = mkdtempSync(join(tmpdir(), 'aorta-users-'));
const REALM = 'example.com';
const NOW = 1_800_000_000_000;
let directories = 0;
let open: { close(): unknown }[] = [];
let child: string;

beforeAll(async () => {
  child = await bundle('test/users/user-child.ts');
});

afterEach(async () => {
  for (const thing of open.reverse()) await thing.close();
  open = [];
});

afterAll(async () => {
  await killAll();
  rmSync(base, { recursive: true, force: true });
});

function start(options: Partial<UserTableOptions> = {}): { store: UserStore; table: UserTable; data: string } {
  const data = join(base, String(directories++));
  const store = UserStore.open(data);
  const table = new UserTable({ data, realms: [REALM, 'other.example'], ...options });
  open.push(store, table);
  return { store, table, data };
}

function userOf(name: string, password = 'pw', aors: readonly string[] = []) {
  return { name, realm: REALM, ha1s: ha1sOf(name, REALM, password), aors };
}

function find(table: UserTable, name: string, algorithm = ALG_MD5, userhash = false, realm = 0): string | number {
  const bytes = Buffer.from(`<${name}>`);
  const at = table.find(bytes, 1, bytes.length - 1, userhash, realm, algorithm);
  return at < 0 ? at : Buffer.from(table.ha1.subarray(at, at + HA1_BYTES)).toString('hex');
}

function hex(name: string, kind: number, password = 'pw'): string {
  return (ha1sOf(name, REALM, password)[kind]?.toString('hex') ?? '').padEnd(2 * HA1_BYTES, '0');
}

function may(table: UserTable, aor: string): boolean {
  const bytes = Buffer.from(`${aor}......`);
  return table.mayRegister(bytes, aor.length);
}

describe('user-table', () => {
  it('finds the HA1 of each algorithm, and reads the store once for each', () => {
    const { store, table } = start();
    store.put([userOf('alice'), userOf('bob')], 'any');
    table.refresh(NOW);
    for (let round = 0; round < 3; round++) {
      expect(find(table, 'alice', ALG_MD5)).toBe(hex('alice', 0));
      expect(find(table, 'alice', ALG_SHA_256)).toBe(hex('alice', 1));
      expect(find(table, 'alice', ALG_SHA_512_256)).toBe(hex('alice', 2));
      expect(find(table, 'alice', ALG_MD5 | ALG_SESS)).toBe(hex('alice', 0));
      expect(find(table, 'bob')).toBe(hex('bob', 0));
      expect(find(table, 'Alice')).toBe(USER_UNKNOWN);
      expect(find(table, 'alice', ALG_MD5, false, 1)).toBe(USER_UNKNOWN);
      table.refresh(NOW + round);
    }
    expect(table.reads).toBe(6);
  });

  it('R7616-3.4.4-01 finds a user by its userhash', () => {
    const { store, table } = start();
    store.put([userOf('alice')], 'any');
    table.refresh(NOW);
    for (const algorithm of [ALG_MD5, ALG_SHA_256, ALG_SHA_512_256]) {
      const hash = userhashOf('alice', REALM, algorithm).toString('hex');
      expect(find(table, hash, algorithm, true)).toBe(hex('alice', algorithm));
      expect(may(table, 'alice@example.com')).toBe(true);
      expect(may(table, 'bob@example.com')).toBe(false);
      expect(find(table, hash, algorithm, true, 1)).toBe(USER_UNKNOWN);
      expect(find(table, hash.slice(2), algorithm, true)).toBe(USER_UNKNOWN);
    }
    store.remove({ name: 'alice', realm: REALM });
    table.refresh(NOW);
    expect(find(table, userhashOf('alice', REALM, 1).toString('hex'), 1, true)).toBe(USER_UNKNOWN);
  });

  it('takes "name@realm" as a username, with the HA1 that was made for it', () => {
    const { store, table } = start();
    store.put([userOf('alice')], 'any');
    table.refresh(NOW);
    expect(find(table, 'alice@example.com')).toBe(hex('alice', 3));
    expect(may(table, 'alice@example.com')).toBe(true);
    expect(may(table, 'bob@example.com')).toBe(false);
    expect(find(table, 'alice@other.example')).toBe(USER_UNKNOWN);
  });

  it('R3261-10.3-11 lets a user register its own AOR and those it was given, and no other', () => {
    const { store, table } = start();
    store.put([userOf('pbx', 'pw', ['alice@example.com', 'bob@example.com'])], 'any');
    table.refresh(NOW);
    for (const name of ['pbx', 'pbx@example.com']) {
      find(table, name);
      const allowed = ['pbx', 'alice', 'bob', 'carol', 'Pbx', 'pb', 'pbxx'].map((user) =>
        may(table, `${user}@example.com`),
      );
      expect(allowed).toEqual([true, true, true, false, false, false, false]);
      expect(may(table, 'pbx@other.example')).toBe(false);
    }
  });

  it('serves every realm where the realms hold "*"', () => {
    const { store, table } = start({ realms: ['*'] });
    store.put([userOf('alice')], 'any');
    table.refresh(NOW);
    const host = Buffer.from('Example.COM');
    const realm = table.realmOf(host, 0, host.length);
    expect(find(table, 'alice', ALG_MD5, false, realm)).toBe(hex('alice', 0));
    expect(may(table, 'alice@example.com')).toBe(true);
    expect(find(table, 'alice', ALG_MD5, false, table.realmOf(Buffer.from('other.net'), 0, 9))).toBe(USER_UNKNOWN);
  });

  it('sees what another process changed at the next batch', async () => {
    const { store, table, data } = start();
    store.put([userOf('alice', 'old')], 'any');
    table.refresh(NOW);
    expect(find(table, 'alice')).toBe(hex('alice', 0, 'old'));
    expect(find(table, 'bob')).toBe(USER_UNKNOWN);
    const ended = await run(process.execPath, [child, data, 'alice:new', 'bob:pw'], 20_000);
    expect(ended.stderr).toBe('');
    expect(find(table, 'alice')).toBe(hex('alice', 0, 'old')); // within a batch nothing moves
    table.refresh(NOW + 1);
    expect(find(table, 'alice')).toBe(hex('alice', 0, 'new'));
    expect(find(table, 'bob')).toBe(hex('bob', 0));
    store.remove({ name: 'alice', realm: REALM });
    table.refresh(NOW + 2);
    expect(find(table, 'alice')).toBe(USER_UNKNOWN);
  });

  it('goes on while another process imports many users, and sees the last of them', async () => {
    const { table, data } = start();
    const importing = run(process.execPath, [child, data, '--many', '30000'], 30_000);
    let over = false;
    void importing.finally(() => {
      over = true;
    });
    let batches = 0;
    while (!over) {
      table.refresh(NOW + batches++);
      expect(find(table, 'user29999')).not.toBe(USER_UNAVAILABLE);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect((await importing).stderr).toBe('');
    table.refresh(NOW);
    expect(table.users).toBe(30_000);
    expect(find(table, 'user29999')).toBe(hex('user29999', 0));
    expect(batches).toBeGreaterThan(10);
  });

  it('holds a bounded number of users and finds them all the same', () => {
    const { store, table } = start({ rowsMax: 4096 });
    const names = Array.from({ length: 20_000 }, (_, i) => `user${i}`);
    store.put(
      names.map((name) => ({ name, realm: REALM, ha1s: [ha1sOf(name, REALM, 'pw')[0]], aors: [] })),
      'any',
    );
    table.refresh(NOW);
    for (const name of names) expect(find(table, name)).toBe(hex(name, 0));
    expect(table.ha1.length, 'a cache line each').toBe(4096 * 64);
    const before = table.reads;
    for (const name of names.slice(-500)) expect(find(table, name)).toBe(hex(name, 0));
    expect(table.reads - before).toBeLessThan(250);
  });

  it('says which algorithms every user has an HA1 for', () => {
    const { store, table } = start();
    table.refresh(NOW);
    expect([table.users, table.algorithms]).toEqual([0, 7]);
    store.put([userOf('alice'), { ...userOf('kam'), ha1s: [ha1sOf('kam', REALM, 'pw')[0]] }], 'any');
    table.refresh(NOW);
    expect([table.users, table.algorithms]).toEqual([2, 1]);
    expect(find(table, 'kam', ALG_SHA_256)).toBe(USER_UNKNOWN);
    store.put([userOf('kam')], 'replace');
    table.refresh(NOW);
    expect([table.users, table.algorithms]).toEqual([2, 7]);
    store.put([{ ...userOf('kam'), ha1s: [ha1sOf('kam', REALM, 'pw')[0]] }], 'replace');
    store.remove({ name: 'kam', realm: REALM });
    table.refresh(NOW);
    expect([table.users, table.algorithms]).toEqual([1, 7]);
  });

  it('takes any bytes for a name', () => {
    const { table } = start();
    for (const name of ['', '\0', 'a\0b', '@', '@example.com', 'x'.repeat(5000), '\ud83d\ude00', '../..']) {
      for (const userhash of [false, true]) expect(find(table, name, ALG_SHA_256, userhash)).toBe(USER_UNKNOWN);
      expect(may(table, `${name}@nowhere.net`)).toBe(false);
    }
  });
});

describe('user-table with a provider', () => {
  const learnt = (name: string, freshUntil: number, usableUntil: number) => ({
    ...userOf(name),
    none: false,
    freshUntil,
    usableUntil,
  });

  it('asks once for a user that nobody knows, and finds what was learnt', async () => {
    const wanted: string[] = [];
    const state = new Int32Array(new SharedArrayBuffer(4));
    const { store, table } = start({ provider: { state, wanted: (user, realm) => wanted.push(`${user} ${realm}`) } });
    store.put([userOf('local')], 'any');
    table.refresh(NOW);
    expect(find(table, 'local')).toBe(hex('local', 0));
    for (let i = 0; i < 3; i++) expect(find(table, 'alice')).toBe(USER_PENDING);
    expect(wanted).toEqual(['alice example.com']);
    await store.learn(learnt('alice', NOW + 10_000, NOW + 60_000));
    await store.learn({ ...userOf('ghost'), ha1s: [], none: true, freshUntil: NOW + 5000, usableUntil: NOW + 5000 });
    table.refresh(NOW + 1);
    const reads = table.reads;
    for (let i = 0; i < 3; i++) {
      expect(find(table, 'alice')).toBe(hex('alice', 0));
      expect(find(table, 'ghost')).toBe(USER_UNKNOWN);
    }
    expect(table.reads - reads).toBe(2);
    expect(wanted).toHaveLength(1);
    table.refresh(NOW + 11_000);
    expect([find(table, 'alice'), find(table, 'ghost')]).toEqual([USER_PENDING, USER_PENDING]);
    expect(wanted.slice(1)).toEqual(['alice example.com', 'ghost example.com']);
  });

  it('uses an old answer while the provider is down, and says so of a user without one', async () => {
    const wanted: string[] = [];
    const state = new Int32Array(new SharedArrayBuffer(4));
    const { store, table } = start({ provider: { state, wanted: (user) => wanted.push(user) } });
    await store.learn(learnt('alice', NOW - 1000, NOW + 60_000));
    Atomics.store(state, 0, PROVIDER_DOWN);
    table.refresh(NOW);
    expect([find(table, 'alice'), find(table, 'bob')]).toEqual([hex('alice', 0), USER_UNAVAILABLE]);
    table.refresh(NOW + 61_000);
    expect(find(table, 'alice')).toBe(USER_UNAVAILABLE);
    Atomics.store(state, 0, PROVIDER_UP);
    expect([find(table, 'alice'), find(table, 'bob')]).toEqual([USER_PENDING, USER_PENDING]);
    expect(wanted).toEqual(['alice', 'bob']);
  });
});
