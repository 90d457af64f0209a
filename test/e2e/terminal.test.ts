// `aorta serve` on a terminal, which `script` (util-linux) gives it: three lines, readable events, colours only where they are wanted.

import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { CLI, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { freePort } from '../support/free-ports.ts';

afterAll(removeDirectories);

/** All that a terminal got of a start and a stop. */
async function session(environment: Readonly<Record<string, string>>, ...flags: string[]): Promise<string> {
  const directory = temporaryDirectory();
  const run = join(directory, 'run.sh');
  const port = await freePort();
  const serve = [
    'serve',
    '--listen',
    `udp:127.0.0.1:${port}`,
    '--data',
    join(directory, 'data'),
    '--shards',
    '1',
    ...flags,
  ];
  writeFileSync(
    run,
    `"${process.execPath}" "${CLI}" ${serve.join(' ')} & server=$!
until kill -0 $server && grep -q '^ready' "${directory}/screen"; do sleep 0.05; done
kill $server; wait $server; echo code $?`,
  );
  const { NO_COLOR: _, FORCE_COLOR: __, CI: ___, ...inherited } = process.env;
  const ran = spawnSync('script', ['--quiet', '--flush', '--command', `sh ${run}`, join(directory, 'screen')], {
    env: { ...inherited, TERM: 'xterm-256color', ...environment },
    encoding: 'utf8',
    timeout: 40_000,
  });
  expect(ran.error).toBeUndefined();
  return ran.stdout.replaceAll('\r\n', '\n');
}

const CLEARED = /.*\r\u001b\[2K/g;
const COLOR = /\u001b\[[\d;]*m/g;

describe('aorta serve on a terminal', () => {
  it('starts in three lines, and its events can be read', async () => {
    const screen = await session({});
    expect(screen).toMatch(COLOR);
    const lines = screen.replace(CLEARED, '').replace(COLOR, '').split('\n');
    const ready = lines.findIndex((line) => line.startsWith('ready: register'));
    expect(lines[ready - 2], screen).toMatch(
      /^aorta \d+\.\d+\.\d+ {2}localhost, 127\.0\.0\.1 {2}.*: 0 bindings {2}1 shard {2}durable$/,
    );
    expect(lines[ready - 1]).toMatch(/^udp 127\.0\.0\.1:\d+$/);
    expect(screen).not.toMatch(/shard open|"event"/);
    expect(lines).toContainEqual(expect.stringMatching(/^\d\d:\d\d:\d\d info {2}stopped received=0$/));
    expect(lines).toContain('code 0');
  });

  it('has no colour with NO_COLOR, and JSON with --log-format json', async () => {
    expect(await session({ NO_COLOR: '1' })).not.toMatch(COLOR);
    const screen = await session({}, '--log-format', 'json');
    expect(screen).toContain('"event":"stopped"}');
    expect(screen).toContain('"event":"shard open"}');
  });
});
