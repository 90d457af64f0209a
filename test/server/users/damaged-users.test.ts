// A disk that damages the users' file: the registrar starts, keeps every user on sound pages, names those that are damaged, and never takes
// one user's record for another's.

import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import * as lmdb from 'lmdb';
import { afterAll, describe, expect, it } from 'vitest';
import { USER_UNAVAILABLE } from '../../../src/core/auth/credential-source.ts';
import { openSoundUsers } from '../../../src/server/users/user-salvage.ts';
import { ha1sOf } from '../../../src/users/ha1.ts';
import type { User } from '../../../src/users/stored-user.ts';
import { UserStore } from '../../../src/users/user-store.ts';
import { UserTable } from '../../../src/users/user-table.ts';
import { removeDirectories, temporaryDirectory } from '../../support/aorta-process.ts';

afterAll(removeDirectories);

const REALM = 'example.com';
const COUNT = 200;

function userOf(n: number): User {
  const name = `user${n}`;
  return { name, realm: REALM, ha1s: ha1sOf(name, REALM, `pw${n}`), aors: n % 7 === 0 ? [`desk${n}@${REALM}`] : [] };
}

const USERS = Array.from({ length: COUNT }, (_, n) => userOf(n));

async function filled(): Promise<string> {
  const data = temporaryDirectory();
  const store = UserStore.open(data);
  store.put(USERS, 'add');
  // One record is longer than a page.
  store.put([{ ...userOf(0), aors: Array.from({ length: 300 }, (_, i) => `many${i}@${REALM}`) }], 'any');
  await store.close();
  return data;
}

function copyOf(data: string): string {
  const copy = temporaryDirectory();
  mkdirSync(join(copy, 'users'));
  copyFileSync(fileOf(data), fileOf(copy));
  return copy;
}

const fileOf = (data: string) => join(data, 'users', 'data.mdb');

/** Starts on what is there: the users found, who must be as they were put, and what was logged. */
async function start(data: string): Promise<{ found: number; said: string[] }> {
  const said: string[] = [];
  const store = await openSoundUsers(data, (_, event, fields) => said.push(`${event} ${JSON.stringify(fields ?? {})}`));
  await store.examine(({ name }) => said.push(`damaged ${name}`));
  let found = 0;
  const wrong: string[] = [];
  for (const { name, realm, ha1s } of USERS) {
    const user = store.get({ name, realm });
    if (user === undefined) continue;
    found++;
    if (!isDeepStrictEqual(user.ha1s, ha1s)) wrong.push(name);
  }
  expect(wrong).toEqual([]);
  await store.close();
  return { found, said };
}

describe('a damaged file of users', () => {
  it('with any page of nonsense or zeros starts, keeps the others and tells', async () => {
    const data = await filled();
    const size = statSync(fileOf(data)).size;
    let lost = 0;
    for (let page = 2; page < size / 4096; page++) {
      const damaged = copyOf(data);
      const bytes = readFileSync(fileOf(damaged));
      bytes.fill(page % 2 === 0 ? 0xa5 : 0, page * 4096, (page + 1) * 4096);
      writeFileSync(fileOf(damaged), bytes);
      const { found, said } = await start(damaged);
      if (found < COUNT) {
        lost++;
        expect(said.join('\n'), `page ${page}`).toMatch(/user store was damaged|damaged user\d/);
      }
      expect(readdirSync(damaged).filter((name) => name.startsWith('users')).length).toBeLessThanOrEqual(2);
    }
    expect(lost).toBeGreaterThan(3);
  });

  it('that is cut off starts or says what to do, and never ends the process', async () => {
    const data = await filled();
    const size = statSync(fileOf(data)).size;
    for (let pages = 1; pages < size / 4096; pages += 3) {
      const damaged = copyOf(data);
      truncateSync(fileOf(damaged), pages * 4096 - (pages % 2) * 100);
      try {
        const { found, said } = await start(damaged);
        if (found < COUNT) expect(said.join('\n')).toContain('user store was damaged');
      } catch (error) {
        expect(String(error)).toMatch(/cannot use the user store .*users.*restore .* from a backup/);
        expect(existsSync(fileOf(damaged))).toBe(true);
      }
    }
  });

  it('without a byte starts without users, and says so', async () => {
    const damaged = copyOf(await filled());
    truncateSync(fileOf(damaged), 0);
    const { found, said } = await start(damaged);
    expect([found, said.length]).toEqual([0, 1]);
    expect(said[0]).toContain('the user store is empty');
  });

  it('with a flipped bit in any place gives no user another HA1', async () => {
    const data = await filled();
    const sound = readFileSync(fileOf(data));
    let noticed = 0;
    for (let k = 0; k < 60; k++) {
      const damaged = copyOf(data);
      const bytes = Buffer.from(sound);
      const at = 8192 + ((k * 7919) % (sound.length - 8192));
      bytes[at] ^= 1 << (k & 7);
      writeFileSync(fileOf(damaged), bytes);
      const { found, said } = await start(damaged);
      if (found < COUNT) expect(said.join('\n'), `byte ${at}`).toMatch(/damaged/);
      if (said.length > 0) noticed++;
    }
    expect(noticed).toBeGreaterThan(5);
  });

  it('whose one record is damaged refuses that user as a store that fails, and serves the others', async () => {
    const data = await filled();
    const bytes = readFileSync(fileOf(data));
    const ha1 = Buffer.from(userOf(5).ha1s[0] as Uint8Array);
    const at = bytes.indexOf(ha1);
    bytes[at + 3] ^= 0x10;
    writeFileSync(fileOf(data), bytes);
    const damaged: string[] = [];
    const table = new UserTable({ data, realms: [REALM], damaged: (user) => damaged.push(user) });
    table.refresh(1);
    const ask = (name: string) => table.find(Buffer.from(name), 0, name.length, false, 0, 0);
    const sound = ask('user6');
    expect(Buffer.from(table.ha1.subarray(sound, sound + 16))).toEqual(userOf(6).ha1s[0]);
    expect([ask('user5'), ask('user5')]).toEqual([USER_UNAVAILABLE, USER_UNAVAILABLE]);
    expect(damaged).toEqual(['user5@example.com']);
    table.close();
  });

  it('of before there were checksums is read, and sealed by the next start', async () => {
    const data = await filled();
    const open = () =>
      lmdb.open<Buffer, Uint8Array>({
        path: join(data, 'users'),
        noSubdir: false,
        keyEncoding: 'binary',
        encoding: 'binary',
        cache: false,
        maxDbs: 1,
      });
    const versions = async (change?: (value: Buffer) => Buffer) => {
      const db = open();
      const found = new Set<number>();
      for (const { key, value } of [...db.getRange({ start: Buffer.from('u'), end: Buffer.from('v') })]) {
        found.add(value[0]);
        if (change) db.putSync(Buffer.from(key), change(Buffer.from(value)));
      }
      await db.close();
      return [...found];
    };
    await versions((value) => Buffer.concat([Buffer.from([1]), value.subarray(1, -4)]));
    expect(await versions()).toEqual([1]);
    expect(await start(data)).toEqual({ found: COUNT, said: [] });
    expect(await versions()).toEqual([2]);
    expect(await start(data)).toEqual({ found: COUNT, said: [] });
  });
});
