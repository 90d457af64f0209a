// Commands of root beside a service of another user: what they leave the service can open, and where it cannot it is told what to do.

import { chmodSync, chownSync, lstatSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { Aorta, CLI, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { Child, killAll, run } from '../support/child-process.ts';

const SERVICE = 65_534;
const isRoot = process.getuid?.() === 0;
if (!isRoot) console.log('skipped: what root leaves beside a service needs root');

afterAll(async () => {
  await killAll();
  removeDirectories();
});

async function aorta(args: readonly string[], input = '') {
  const child = new Child(process.execPath, [CLI, ...args]);
  child.process.stdin?.end(input);
  return Object.assign(child, { exit: await child.end(30_000) });
}

/** A directory that only its owner can enter, below one that everybody can. */
function directoryOf(uid: number): string {
  const parent = temporaryDirectory();
  chmodSync(parent, 0o755);
  const data = join(parent, 'data');
  mkdirSync(data, { mode: 0o700 });
  chownSync(data, uid, uid);
  return data;
}

const owners = (data: string) =>
  new Set(readdirSync(data, { recursive: true }).map((name) => lstatSync(join(data, String(name))).uid));

function asService(...args: string[]) {
  const setting = ['--reuid', String(SERVICE), '--regid', String(SERVICE), '--clear-groups'];
  return new Child('setpriv', [...setting, process.execPath, CLI, ...args]);
}

it.skipIf(!isRoot)('writes as the user whose directory it is, and reads what only root can', async () => {
  const data = directoryOf(SERVICE);
  const secret = temporaryDirectory(); // root's alone
  const inAnHour = Math.floor(Date.now() / 1000) + 3600;
  const [users, location] = [join(secret, 'users.csv'), join(secret, 'location.csv')];
  writeFileSync(users, 'username,domain,password\nalice,example.com,x\n', { mode: 0o600 });
  writeFileSync(location, `username,domain,contact,expires\nalice,example.com,sip:a@192.0.2.1,${inAnHour}\n`, {
    mode: 0o600,
  });
  for (const args of [
    ['user', 'import', users],
    ['user', 'export', '--output', join(secret, 'export.csv')],
    ['binding', 'add', 'mail@example.com', 'sip:mail@192.0.2.30'],
    ['alias', 'add', 'sales@example.com', 'alice@example.com'],
    ['location', 'import', location, '--shards', '1'],
  ])
    expect((await aorta([...args, '--data', data])).stderr, args.join(' ')).toBe('');
  expect((await aorta(['user', 'add', 'bob@example.com', '--data', data], 'x\n')).exit.code).toBe(0);
  expect(owners(data)).toEqual(new Set([SERVICE]));

  const copy = join(secret, 'copy');
  expect((await aorta(['backup', copy, '--data', data])).exit.code).toBe(0);
  expect(owners(data)).toEqual(new Set([SERVICE]));
  const restored = directoryOf(SERVICE);
  expect((await aorta(['restore', copy, '--data', restored])).exit.code).toBe(0);
  expect(owners(restored)).toEqual(new Set([SERVICE]));

  const server = asService(
    'serve',
    '--data',
    restored,
    '--listen',
    'udp:127.0.0.1:0',
    '--domain',
    'example.com',
    '--auth',
    'digest',
  );
  await server.until(/^ready/m, 20_000);
  server.signal('SIGTERM');
  expect((await server.end(10_000)).code).toBe(0);
});

it.skipIf(!isRoot)("says chown where it is too late, and where a new directory is root's", async () => {
  const first = await Aorta.start();
  await first.stop();
  chownSync(first.data, SERVICE, SERVICE);
  chmodSync(first.data, 0o755);
  const server = asService('serve', '--data', first.data, '--listen', 'udp:127.0.0.1:0');
  expect((await server.end(20_000)).code).toBe(1);
  expect(server.stderr).toMatch(/^aorta: .* belongs to root, and this runs as user 65534: chown -R 65534 .*\n$/);
  expect(server.stderr).not.toContain('backup');

  const made = join(temporaryDirectory(), 'new');
  const added = await aorta(['user', 'add', 'bob@example.com', '--data', made], 'x\n');
  expect(added.stderr).toContain(`made the data directory ${made}\n${made} belongs to root`);
  expect(added.stderr).toContain(`chown -R USER ${made}`);
});

it.skipIf(!isRoot)('tells a failed start once', async () => {
  const data = temporaryDirectory();
  mkdirSync(join(data, 'users'));
  writeFileSync(join(data, 'users/data.mdb'), 'garbage');
  const ended = await run(
    process.execPath,
    [CLI, 'serve', '--data', data, '--listen', 'udp:127.0.0.1:0', '--auth', 'digest'],
    20_000,
  );
  expect([ended.exit.code, ended.stderr]).toEqual([
    1,
    expect.stringMatching(/^aorta: cannot use the user store [^\n]*\n$/),
  ]);
});

it.skipIf(!isRoot)('checks whether the user of the service can read what a configuration names', async () => {
  const data = directoryOf(SERVICE);
  const directory = temporaryDirectory();
  chmodSync(directory, 0o755);
  const [file, password] = [join(directory, 'aorta.yaml'), join(directory, 'db-password')];
  writeFileSync(password, 'x\n', { mode: 0o600 });
  writeFileSync(
    file,
    `data: ${data}\nauth: {provider: {sql: {url: 'mysql://a@127.0.0.1/k', password-file: ${password}}}}\n`,
  );
  const refused = await aorta(['check', file]);
  expect([refused.exit.code, refused.stderr]).toEqual([
    2,
    expect.stringMatching(/auth\.provider\.sql\.password-file: .*db-password: not allowed for user 65534\n/),
  ]);
  chownSync(password, 0, SERVICE);
  chmodSync(password, 0o640);
  expect((await aorta(['check', file])).stdout).toBe(`${file}: fine\n`);
});
