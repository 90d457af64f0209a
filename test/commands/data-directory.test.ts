// The data directory where no flag names one: the same for every command.

import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { CLI, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { Child, killAll } from '../support/child-process.ts';

const isRoot = process.getuid?.() === 0;
if (!isRoot) console.log('skipped: a /var/lib of a test’s own needs root');

afterAll(async () => {
  await killAll();
  removeDirectories();
});

/** In an empty directory, or the one given. @param shell before the command */
async function aorta(args: readonly string[], named = '', shell = '', cwd = temporaryDirectory()) {
  const script = `cd "$1" && shift && ${shell} exec "$@"`;
  const under = shell === '' ? ['/bin/sh'] : ['unshare', '--mount', '/bin/sh'];
  const [command, ...before] = [...under, '-c', script, 'sh', cwd, process.execPath, CLI];
  const child = new Child(command, [...before, ...args], { env: { AORTA_DATA: named } });
  child.process.stdin?.end('secret\n');
  return Object.assign(child, { cwd, exit: await child.end(30_000) });
}

describe('without --data', () => {
  it('is that of AORTA_DATA, for commands and servers', async () => {
    const data = join(temporaryDirectory(), 'named');
    expect((await aorta(['user', 'add', 'alice@example.com'], data)).stdout).toContain('added alice@example.com');
    expect(existsSync(join(data, 'users'))).toBe(true);
    expect((await aorta(['user', 'ls'], data)).stdout).toContain('alice@example.com');
    expect((await aorta(['user', 'ls', '--help'], data)).stdout).toContain(data);
    expect((await aorta(['ul', 'stats'], data)).stderr).toContain(`no server holds ${data}`);
    const file = join(temporaryDirectory(), 'aorta.yaml');
    writeFileSync(file, 'domains: [example.com]\n');
    expect((await aorta(['config', file], data)).stdout).toContain(`data: ${data}\n`);
    writeFileSync(file, 'data: own\n');
    expect((await aorta(['config', file], data)).stdout).toContain(`data: ${join(file, '../own')}\n`);
    const server = new Child(process.execPath, [CLI, 'serve', '--listen', 'udp:127.0.0.1:0'], {
      env: { AORTA_DATA: data },
    });
    await server.until(/^ready/m, 20_000);
    expect(existsSync(join(data, 'aorta.json'))).toBe(true);
    server.signal('SIGTERM');
    await server.end(20_000);
  });

  it('is ./data else', async () => {
    const { exit, cwd } = await aorta(['user', 'add', 'alice@example.com']);
    expect([exit.code, existsSync(join(cwd, 'data/users'))]).toEqual([0, true]);
  });

  it.skipIf(!isRoot)('is the service’s where there is no ./data', async () => {
    const service = 'mount -t tmpfs none /var/lib && mkdir /var/lib/aorta && ';
    const { stderr } = await aorta(['user', 'ls'], '', service);
    expect(stderr).toContain('no users in /var/lib/aorta');
    const cwd = temporaryDirectory();
    mkdirSync(join(cwd, 'data'));
    expect((await aorta(['user', 'ls'], '', service, cwd)).stderr).toContain('no users in ./data');
  });
});
