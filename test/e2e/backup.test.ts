// aorta backup beside a server that goes on registering, and aorta restore: whatever was answered before the backup began is in it.

import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Aorta, CLI, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { killAll, poll, run } from '../support/child-process.ts';
import { fetchAll, Load } from '../support/load.ts';
import { configFile, importUsers } from '../support/login-client.ts';

const AORS = 600;
const backup = join(temporaryDirectory(), 'copy');
let aorta: Aorta;
let load: Load;

beforeAll(async () => {
  const data = temporaryDirectory();
  await importUsers(data, ['alice@example.com']);
  // Checkpoints as often as there can be, so that one may fall into a backup.
  aorta = await Aorta.start({
    data,
    shards: 2,
    flags: ['--config', configFile('limits: { checkpoint-bytes: 65536 }'), '--admin', 'http:127.0.0.1:0'],
  });
  load = new Load({ port: aorta.port, aors: AORS, window: 64, rounds: 1_000_000, interval: () => 3600 });
  await load.open();
  load.start();
  await poll('several rounds of answers', 20_000, () => load.acknowledged >= 10 * AORS, 5);
});

afterAll(async () => {
  load?.close();
  await killAll();
  removeDirectories();
});

function command(...args: string[]): ReturnType<typeof run> {
  return run(process.execPath, [CLI, ...args], 30_000);
}

describe('aorta backup', () => {
  it('R3261-8.2-01 holds every binding that was answered before it began, and comes back elsewhere', async () => {
    const before = load.acknowledged;
    const made = await command('backup', backup, '--data', aorta.data);
    expect(made.output(), made.output()).toMatch(/^backed up 2 shards, [\d.]+ [KM]?i?B, into /m);
    expect(load.acknowledged, 'the server went on').toBeGreaterThan(before);
    load.stop();
    expect(load.refused).toEqual([]);
    for (const name of ['aorta.json', 'users/data.mdb']) expect(statSync(join(backup, name)).mode & 0o77, name).toBe(0);

    for (const name of ['admin-url', 'admin-token']) {
      expect(existsSync(join(aorta.data, name)), name).toBe(true);
      expect(existsSync(join(backup, name)), name).toBe(false);
    }

    const data = join(temporaryDirectory(), 'restored');
    const restored = await command('restore', backup, '--data', data);
    expect(restored.stdout).toBe(`restored ${AORS} bindings of ${AORS} addresses into ${data}\n`);
    const again = await Aorta.start({ data, shards: 2 });
    const seen = await fetchAll(load, again);
    expect(seen.filter(({ remaining }) => remaining === undefined)).toEqual([]);
    expect((await command('user', 'ls', '--data', data)).stdout).toContain('alice@example.com');
    await again.stop();
  });

  it('commands no server, nor does any other copy of a directory, nor one that is not there', async () => {
    const commands = [
      ['ul', 'rm', 'user0@example.com'],
      ['drain'],
      ['ul', 'flush'],
      ['top', '--count', '1'],
      ['trace', 'on', '192.0.2.1'],
      ['config'],
    ];
    const copy = join(temporaryDirectory(), 'cp');
    cpSync(aorta.data, copy, { recursive: true });
    expect(existsSync(join(copy, 'admin-url'))).toBe(true);
    for (const args of commands) {
      for (const data of [copy, backup]) {
        const done = await command(...args, '--data', data);
        expect([done.exit.code, done.stderr]).toEqual([
          1,
          expect.stringMatching(new RegExp(`^aorta: no server holds ${data} `)),
        ]);
      }
      const typo = await command(...args, '--data', `${aorta.data}x`);
      expect([typo.exit.code, typo.stderr]).toEqual([
        1,
        expect.stringMatching(/^aorta: there is no data directory .*x: /),
      ]);
    }
    expect((await command('ul', 'flush', '--data', aorta.data)).exit.code).toBe(0);
    // What a crash has left is no server either, even where another one has its address by now.
    writeFileSync(join(copy, 'admin-url'), 'http://127.0.0.1:9\n');
    expect((await command('drain', '--data', copy)).stderr).toMatch(
      /no server holds .*nothing answers at http:\/\/127\.0\.0\.1:9/,
    );
  });

  it('overwrites nothing, and a broken one is not taken for whole', async () => {
    const twice = await command('backup', backup, '--data', aorta.data);
    expect([twice.exit.code, twice.stderr]).toEqual([1, expect.stringMatching(/not empty: name a new directory/)]);
    const over = await command('restore', backup, '--data', aorta.data);
    expect([over.exit.code, over.stderr]).toEqual([1, expect.stringMatching(/not empty/)]);
    const nowhere = await command('backup', join(backup, 'x'), '--data', join(backup, 'none'));
    expect([nowhere.exit.code, nowhere.stderr]).toEqual([1, expect.stringMatching(/is no data directory/)]);
    rmSync(join(backup, 'aorta.json'));
    const data = join(temporaryDirectory(), 'never');
    const broken = await command('restore', backup, '--data', data);
    expect([broken.exit.code, broken.stderr]).toEqual([
      1,
      expect.stringMatching(/no backup, or one that was broken off/),
    ]);
    expect(existsSync(data)).toBe(false);
  });

  it('R3261-10.3-32 refuses a directory whose restore was broken off', async () => {
    const copy = join(temporaryDirectory(), 'copy');
    expect((await command('backup', copy, '--data', aorta.data)).exit.code).toBe(0);
    execFileSync('mkfifo', [join(copy, 'shard-1', 'pipe')]); // what a restore does not get past
    const data = join(temporaryDirectory(), 'half');
    expect((await command('restore', copy, '--data', data)).exit.code).toBe(1);
    expect(existsSync(join(data, 'shard-1'))).toBe(true);
    for (const args of [
      ['serve', '--listen', 'udp:127.0.0.1:0'],
      ['backup', join(copy, 'again')],
    ]) {
      const refused = await command(...args, '--data', data);
      expect([refused.exit.code, refused.stderr]).toEqual([
        1,
        expect.stringMatching(
          /^aorta: a restore into .*half is under way or was broken off: .* remove .*half and restore again$/m,
        ),
      ]);
    }
    expect(existsSync(join(copy, 'again'))).toBe(false);
  });
});
