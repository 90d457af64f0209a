// What every command has in common: help and version load nothing that they do not need, and a reader that goes away ends it quietly.

import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AdminFixture, startAdmin } from '../support/admin-server.ts';
import { CLI, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { builtSources } from '../support/built-sources.ts';

afterAll(removeDirectories);

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function sh(script: string, ...args: string[]): Promise<Ran> {
  return new Promise((resolve) => {
    execFile('bash', ['-c', script, 'bash', ...args], { maxBuffer: 1 << 24 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

/** What a run of the command loads, through a hook of Node's own loader: files of src, and of packages. */
async function loaded(...args: string[]): Promise<string[]> {
  const directory = mkdtempSync(join(temporaryDirectory(), 'hook-'));
  const list = join(directory, 'loaded.txt');
  writeFileSync(
    join(directory, 'hook.mjs'),
    `import { appendFileSync } from 'node:fs';
export async function load(url, context, next) {
  appendFileSync(${JSON.stringify(list)}, url + '\\n');
  return next(url, context);
}`,
  );
  writeFileSync(
    join(directory, 'register.mjs'),
    `import { register } from 'node:module'; register('./hook.mjs', import.meta.url);`,
  );
  const ran = await sh('node --import "$1" "${@:2}"', join(directory, 'register.mjs'), CLI, ...args);
  expect(ran.code, ran.stderr).toBe(0);
  return readFileSync(list, 'utf8')
    .trim()
    .split('\n')
    .flatMap((url) => (url.startsWith('file:') ? builtSources(url) : [url]));
}

describe('help and version', () => {
  it.each([
    ['--version'],
    ['--help'],
    ['user', 'import', '--help'],
    ['location', '--help'],
    ['check', '--help'],
    ['bench', '--help'],
  ])('load nothing but words: %s %s %s', async (...args) => {
    const urls = await loaded(...args.filter((word) => word !== undefined));
    expect(urls.length, 'the hook sees what is loaded').toBeGreaterThan(10);
    const heavy = urls.filter(
      (url) =>
        (/node_modules/.test(url) && !/node_modules\/commander\//.test(url)) ||
        /src\/(location|users|shard|threads)\/|src\/core\/(?!uas\/(lookup-)?policy|subscriptions\/subscription-policy|pings\/ping-policy)|src\/sip\/(?!shown-text)|src\/server\/(config\/config|embed\/embedded|server)\.ts|src\/commands\/serve\.ts/.test(
          url,
        ),
    );
    expect(heavy).toEqual([]);
  });

  it('of serve load the rows of the configuration, and neither store nor threads nor sockets of packages', async () => {
    const urls = await loaded('serve', '--help');
    const packages = urls.flatMap((url) => /node_modules\/([^/]+)\//.exec(url)?.[1] ?? []);
    expect(new Set(packages)).toEqual(new Set(['commander']));
    expect(urls.filter((url) => /src\/(commands\/serve|server\/server|server\/embed\/embedded)\.ts/.test(url))).toEqual(
      [],
    );
  });
});

describe('a reader that goes away', () => {
  let admin: AdminFixture;

  beforeAll(async () => {
    admin = await startAdmin();
    const phone = await admin.client();
    for (const user of ['alice', 'bob']) {
      const contacts = [`<sip:${user}@127.0.0.1:5070>`];
      await phone.request(phone.register({ aor: `${user}@example.com`, contacts }));
    }
    const rows = Array.from({ length: 3000 }, (_, n) => `user${n},example.com,x`);
    writeFileSync(join(admin.config.data, 'users.csv'), `username,domain,password\n${rows.join('\n')}\n`);
    const made = await sh(
      'node "$@"',
      CLI,
      'user',
      'import',
      join(admin.config.data, 'users.csv'),
      '--data',
      admin.config.data,
    );
    expect(made.code, made.stderr).toBe(0);
  });
  afterAll(() => admin.stop());

  it.each([
    'ul dump',
    'ul lookup alice@example.com',
    'ul stats',
    'top --count 2 --interval 0.2',
    'config',
    'location export',
    'user ls',
    'user export',
    'binding ls',
    'trace ls',
    'doctor',
    'user --help',
    'serve --help',
    'completion bash',
  ])('ends %s quietly', async (command) => {
    const data = /help|completion/.test(command) ? '' : `--data ${admin.config.data}`;
    // What reads closes at once, before anything is written, and after a first line.
    // Where the reader was too slow to go away, an export was whole, and says so.
    const stderr = command === 'location export' ? expect.stringMatching(/^(exported 2, skipped 0\n)?$/) : '';
    for (const reader of ['true', 'head -n 1'])
      expect(await sh(`node "$1" ${command} ${data} | ${reader} > /dev/null; exit \${PIPESTATUS[0]}`, CLI)).toEqual({
        code: 0,
        stdout: '',
        stderr,
      });
  });

  it('is told where the output cannot be written at all', async () => {
    const full = await sh('node "$1" completion bash > /dev/full', CLI);
    expect(full).toEqual({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^aorta: the output cannot be written: ENOSPC.*\n$/),
    });
  });
});
