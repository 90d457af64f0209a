// As a service of systemd (Type=notify): what the notify socket hears in the life of a server.

import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { CLI, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { Child, killAll, poll, run } from '../support/child-process.ts';
import { freePort } from '../support/free-ports.ts';
import { NotifySocket } from '../support/notify-socket.ts';

const ROOT = join(import.meta.dirname, '../..');

afterAll(async () => {
  await killAll();
  removeDirectories();
});

it('tells systemd that it is ready, that its shards live, and that it stops', async () => {
  const socket = new NotifySocket();
  const listen = ['--listen', `udp:127.0.0.1:${await freePort()}`, '--data', temporaryDirectory()];
  const server = new Child('node', [CLI, 'serve', ...listen], {
    env: { NOTIFY_SOCKET: socket.path, WATCHDOG_USEC: '4000000' },
  });
  await server.until(/^ready/m, 20_000);
  await poll('READY=1', 5000, () => socket.heard.includes(`READY=1\nMAINPID=${server.pid}`));
  expect(socket.heard.find((state) => /READY|WATCHDOG|STOPPING/.test(state))).toMatch(/^READY=1/);
  await poll('a second sign of life', 10_000, () => socket.heard.filter((state) => state === 'WATCHDOG=1').length > 1);
  await poll('a status line', 10_000, () => socket.heard.some((state) => /^STATUS=.* bindings/.test(state)));
  server.signal('SIGTERM');
  expect((await server.end(10_000)).code).toBe(0);
  await poll('STOPPING=1', 5000, () => socket.heard.some((state) => state.startsWith('STOPPING=1')));
  socket.close();
});

it('a start that fails never says that it is ready, and a notify socket that is not there harms nobody', async () => {
  const socket = new NotifySocket();
  const failed = await run('node', [CLI, 'serve', '--data', '/dev/null/none'], 10_000, {
    env: { NOTIFY_SOCKET: socket.path },
  });
  expect(failed.exit.code).toBe(1);
  expect(socket.heard.join('\n')).not.toContain('READY=1');
  socket.close();

  const listen = ['--listen', `udp:127.0.0.1:${await freePort()}`, '--data', temporaryDirectory()];
  const server = new Child('node', [CLI, 'serve', ...listen], { cwd: ROOT, env: { NOTIFY_SOCKET: '/nowhere/at/all' } });
  await server.until(/^ready/m, 20_000);
  server.signal('SIGTERM');
  expect((await server.end(10_000)).code).toBe(0);
});
