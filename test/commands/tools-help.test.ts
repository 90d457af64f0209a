// The long tests that people start by hand: --help prints help and starts nothing.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const run = (script: string, ...words: string[]) =>
  spawnSync('npm', ['run', '--silent', script, '--', ...words], { cwd: ROOT, encoding: 'utf8', timeout: 60_000 });

it.each(['fuzz', 'fuzz:server', 'simulate:coverage'])('npm run %s -- --help', (script) => {
  const { status, stdout, stderr } = run(script, '--help');
  expect([status, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(new RegExp(`^npm run ${script} -- `));
});

it('a word that is no number starts no fuzzing', () => {
  const built = '.build/fuzz/fuzz.js'; // by the first
  const { status, stderr } = spawnSync(process.execPath, [built, 'many'], { cwd: ROOT, encoding: 'utf8' });
  expect([status, stderr]).toEqual([2, expect.stringMatching(/^npm run fuzz -- /)]);
});
