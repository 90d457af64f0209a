// Faults that tests have to find: those listed, each by the test named with it, and those made by rule, by the quick tests of their folder.

import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { seeded } from '../../src/commands/bench/sample-messages.ts';
import { madeMutants } from './made-mutants.ts';
import { MUTANTS } from './mutants.ts';
import { replacing, type Trial } from './source-copy.ts';

/** A test that never ends has found the fault, too. */
const TESTS_MS = 600_000;

const inRegister = (...names: readonly string[]): string[] => names.map((name) => `test/core/register/${name}.test.ts`);

/** By folder: the tests that have to find what is made in it. Quick ones, for one that is not found costs all of them. */
const TESTS_OF: Readonly<Record<string, readonly string[]>> = {
  'src/core/abuse': ['test/core/abuse', 'test/core/auth'],
  'src/core/auth': ['test/core/auth', ...inRegister('repeats')],
  'src/core/binding': ['test/core/binding', ...inRegister('flows', 'repeats', 'contacts', 'outbound')],
  'src/core/register': [
    'test/core/binding',
    ...inRegister(
      'registrar',
      'contacts',
      'flows',
      'outbound',
      'path',
      'repeats',
      'refresh-ways',
      'phone-habits',
      'gruu',
    ),
  ],
  'src/shard': [
    'test/shard',
    'test/core/auth/authenticated-shard.test.ts',
    'test/core/uas/transactions.test.ts',
    ...inRegister('store-faults', 'flows', 'registrar'),
  ],
  'src/core/register/contact': inRegister('spelling', 'contacts', 'flows', 'push', 'gruu'),
};

/** For what the quick ones have not found: minutes. */
const ALL_TESTS: readonly string[] = ['test/core', 'test/shard', 'test/location', 'test/server/lookups'];

/** @throws where a test fails without any fault */
export async function listedTrials(copy: string, isWanted: (name: string) => boolean): Promise<Trial[]> {
  const mutants = MUTANTS.filter(({ file, what }) => isWanted(`${file} ${what}`));
  for (const test of new Set(mutants.map((mutant) => mutant.test))) await assertSound(copy, test);
  return mutants.map(({ file, what, from, to, test }) => ({
    name: `${file}: ${what}`,
    file,
    change: replacing(from, to),
    find: byTests(test),
  }));
}

/** So many of each file of the folders, the same for the same seed. @throws where a test fails without any fault */
export async function madeTrials(
  copy: string,
  isWanted: (name: string) => boolean,
  each: number,
  seed: number,
): Promise<Trial[]> {
  const random = seeded(seed);
  const trials: Trial[] = [];
  for (const [folder, tests] of Object.entries(TESTS_OF)) {
    const first = trials.length;
    for (const file of readdirSync(folder).filter((name) => name.endsWith('.ts'))) {
      const path = join(folder, file);
      const all = madeMutants(path, readFileSync(path, 'utf8'));
      for (let i = 0; i < each && all.length > 0; i++) {
        const [{ line, at, from, to }] = all.splice(Math.floor(random() * all.length), 1);
        if (!isWanted(path)) continue;
        trials.push({
          name: `${path}:${line}: "${from.trim()}" -> "${to.trim()}"`,
          file: path,
          change: (sound) => sound.slice(0, at) + to + sound.slice(at + from.length),
          find: async (copy) => (await byTests(...tests)(copy)) ?? (await byTests(...ALL_TESTS)(copy)),
        });
      }
    }
    if (trials.length > first) await assertSound(copy, ...tests);
  }
  if (trials.length > 0) await assertSound(copy, ...ALL_TESTS);
  return trials;
}

const byTests =
  (...tests: readonly string[]) =>
  async (copy: string): Promise<string | undefined> =>
    (await fails(copy, ...tests)) ? `a test of ${tests.join(', ')}` : undefined;

async function assertSound(copy: string, ...tests: readonly string[]): Promise<void> {
  if (await fails(copy, ...tests)) throw new Error(`${tests.join(', ')}: a test fails without any mutant`);
}

function fails(copy: string, ...tests: readonly string[]): Promise<boolean> {
  const project = tests[0].startsWith('test/e2e/') ? 'e2e' : 'core';
  const args = ['node_modules/vitest/vitest.mjs', 'run', '--project', project, '--bail', '1', ...tests];
  const child = spawn(process.execPath, args, { cwd: copy, stdio: 'ignore' });
  const timer = setTimeout(() => child.kill('SIGKILL'), TESTS_MS);
  return new Promise((resolve) => {
    child.on('exit', (code) => {
      clearTimeout(timer);
      resolve(code !== 0);
    });
  });
}
