// Environments of the users and of the read model: what a process leaves behind that ended while it made one, and few descriptors.

import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEnvironment } from '../../src/location/shared/shared-location-files.ts';
import { ha1sOf } from '../../src/users/ha1.ts';
import { UserStore } from '../../src/users/user-store.ts';
import { removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { bundle } from '../support/bundle.ts';
import { Child, killAll, run } from '../support/child-process.ts';

afterAll(async () => {
  await killAll();
  removeDirectories();
});

function unfinished(data: string, pid: number | undefined): string {
  const folder = join(data, `users.new-${pid}-1234`);
  mkdirSync(folder);
  writeFileSync(join(folder, 'data.mdb'), '');
  return folder;
}

describe('the users, first made by a process that was killed meanwhile', () => {
  it('are made by the next, which removes what that one left, and leaves alone what others are making', async () => {
    const data = temporaryDirectory();
    const gone = new Child(process.execPath, ['-e', '']);
    await gone.exited;
    const left = unfinished(data, gone.pid);
    const other = unfinished(data, process.pid);
    const store = UserStore.open(data);
    store.put([{ name: 'alice', realm: 'example.com', ha1s: ha1sOf('alice', 'example.com', 'pw') }], 'any');
    await store.close();
    expect(existsSync(left)).toBe(false);
    expect(existsSync(other)).toBe(true);
    // The same where the users are there: who was second to make them may have been killed, too.
    const again = unfinished(data, gone.pid);
    await UserStore.open(data).close();
    expect(existsSync(again)).toBe(false);
    expect(readdirSync(data).sort()).toEqual(['users', `users.new-${process.pid}-1234`]);
  });

  it('leave alone what bears another name, and a maker whom this process may not signal', async () => {
    const data = temporaryDirectory();
    const others = ['users.new-2', 'users-2147483646-1', 'users.new-2147483646-1.saved', 'users.new-1-1'];
    for (const name of others) mkdirSync(join(data, name));
    await UserStore.open(data).close();
    expect(readdirSync(data).sort()).toEqual([...others, 'users'].sort());
  });

  it('never replace a directory that holds something', async () => {
    const data = temporaryDirectory();
    const kept = join(data, 'users', 'half of a backup');
    mkdirSync(join(data, 'users'));
    writeFileSync(kept, '');
    await UserStore.open(data).close();
    expect(existsSync(kept)).toBe(true);
    expect(readdirSync(data)).toEqual(['users']);
  });
});

describe.skipIf(process.platform === 'win32')('where descriptors are few, at whatever point', () => {
  let child: string;

  beforeAll(async () => {
    child = await bundle('test/users/few-descriptors.ts');
  });

  it.each([
    ['user-store', 'allow this process more open files'],
    ['user-reader', 'allow this process more open files'],
    ['model-writer', 'EMFILE'],
    ['model-reader', 'EMFILE'],
  ])('the %s says so, leaves nothing open, and the process goes on', async (what, says) => {
    const data = temporaryDirectory();
    if (what === 'user-reader') await UserStore.open(data).close();
    if (what === 'model-reader') await createEnvironment(data, 1).close();
    const few = await run('bash', ['-c', 'ulimit -n 60; exec "$0" "$@"', process.execPath, child, what, data], 30_000);
    expect(few.exit, few.output()).toEqual({ code: 0, signal: null });
    const { refused, opened, left } = JSON.parse(few.stdout);
    expect(opened).toBe(true);
    expect(readdirSync(data), 'nothing half made').toEqual([what.startsWith('user') ? 'users' : 'location']);
    expect(left).toBeLessThanOrEqual(1); // LMDB keeps what it locks with
    expect(refused.length).toBeGreaterThan(2);
    for (const message of refused) expect(message).toContain(says);
  });
});
