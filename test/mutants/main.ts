// npm run mutants: puts each fault into a copy of the sources and runs the test that has to find it. With --made: faults made by rule,
// a sample of each file, against the quick tests of their folder. With --seeds N: the simulated worlds have to find them.

import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { seeded } from '../../src/commands/bench/sample-messages.ts';
import { type MadeMutant, madeMutants } from './made-mutants.ts';
import { MUTANTS, type Mutant } from './mutants.ts';
import { huntSeeds } from './seed-hunt.ts';

const COPIED = ['src', 'test', 'scripts', 'dist', 'package.json', 'tsconfig.json', 'vitest.config.ts'];

const inRegister = (...names: readonly string[]): string[] => names.map((name) => `test/core/register/${name}.test.ts`);

/** By folder: the tests that have to find what is made in it. Quick ones, for one that is not found costs all of them. */
const TESTS_OF: Readonly<Record<string, readonly string[]>> = {
  'src/core/abuse': ['test/core/abuse'],
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
};

/** Whether the tests pass in `copy`. */
function passes(copy: string, ...tests: readonly string[]): Promise<boolean> {
  const project = tests[0].startsWith('test/e2e/') ? 'e2e' : 'core';
  const args = ['node_modules/vitest/vitest.mjs', 'run', '--project', project, '--bail', '1', ...tests];
  const child = spawn(process.execPath, args, { cwd: copy, stdio: 'ignore' });
  const timer = setTimeout(() => child.kill('SIGKILL'), 180_000); // one that never ends is found, too
  return new Promise((resolve) => {
    child.on('exit', (code) => {
      clearTimeout(timer);
      resolve(code === 0);
    });
  });
}

async function isFound(copy: string, { file, from, to, test }: Mutant): Promise<boolean> {
  const path = join(copy, file);
  const sound = readFileSync(path, 'utf8');
  if (sound.split(from).length !== 2) throw new Error(`${file}: "${from}" does not stand there exactly once`);
  writeFileSync(
    path,
    sound.replace(from, () => to),
  );
  try {
    return !(await passes(copy, test));
  } finally {
    writeFileSync(path, sound);
  }
}

/** Whether a fault that was made is found. */
async function isMadeFound(copy: string, { file, at, from, to }: MadeMutant): Promise<boolean> {
  const path = join(copy, file);
  const sound = readFileSync(path, 'utf8');
  writeFileSync(path, sound.slice(0, at) + to + sound.slice(at + from.length));
  try {
    return !(await passes(copy, ...TESTS_OF[dirname(file)]));
  } finally {
    writeFileSync(path, sound);
  }
}

/** So many of each file of the folders, the same for the same seed. */
function sampled(only: string | undefined, each: number, seed: number): MadeMutant[] {
  const random = seeded(seed);
  const sample: MadeMutant[] = [];
  for (const folder of Object.keys(TESTS_OF))
    for (const name of readdirSync(folder)) {
      const file = join(folder, name);
      if (!name.endsWith('.ts')) continue;
      const all = madeMutants(file, readFileSync(file, 'utf8'));
      for (let i = 0; i < each && all.length > 0; i++) {
        const [mutant] = all.splice(Math.floor(random() * all.length), 1);
        if (only === undefined || file.includes(only)) sample.push(mutant);
      }
    }
  return sample;
}

async function findMade(copy: string, mutants: readonly MadeMutant[]): Promise<string[]> {
  const left: string[] = [];
  for (const mutant of mutants) {
    const found = await isMadeFound(copy, mutant);
    const text = `${mutant.file}:${mutant.line}: "${mutant.from.trim()}" -> "${mutant.to.trim()}"`;
    process.stdout.write(`${found ? 'found' : 'LEFT '}  ${text}\n`);
    if (!found) left.push(text);
  }
  return left;
}

async function findListed(copy: string, mutants: readonly Mutant[]): Promise<string[]> {
  const left: string[] = [];
  for (const test of new Set(mutants.map((mutant) => mutant.test)))
    if (!(await passes(copy, test))) throw new Error(`${test} fails without any mutant`);
  for (const mutant of mutants) {
    const found = await isFound(copy, mutant);
    process.stdout.write(`${found ? 'found' : 'LEFT '}  ${mutant.file}: ${mutant.what}\n`);
    if (!found) left.push(mutant.what);
  }
  return left;
}

/** The exit code. */
function told({ left, count }: { readonly left: readonly string[]; readonly count: number }): number {
  process.stdout.write(`${count - left.length} of ${count} mutants found\n`);
  return left.length === 0 ? 0 : 1;
}

const HELP = `usage: npm run mutants -- [OPTIONS] [WORD]

Puts one fault after the other into a copy of the sources; a test has to find it. WORD: only those whose file or name has it.

  --made        faults made by rule, instead of those listed in test/mutants/mutants.ts
  --each N      of each file, with --made (default 1)
  --seed N      which of them, with --made (default 1)
  --seeds N     faults of the simulated worlds, which have to fail within N seeds
  --help        this

Examples:
  npm run mutants
  npm run mutants -- log-cleaner
  npm run mutants -- --made --each 2 --seed 7 src/core/register
  npm run mutants -- --seeds 2000
`;

async function main(): Promise<number> {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const options = { made: flag, each: text, seed: text, seeds: text, help: flag } as const;
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const [only] = positionals;
  const copy = mkdtempSync(join(tmpdir(), 'aorta-mutants-'));
  try {
    for (const name of COPIED) cpSync(name, join(copy, name), { recursive: true });
    symlinkSync(join(process.cwd(), 'node_modules'), join(copy, 'node_modules'));
    if (values.seeds !== undefined) return told(huntSeeds(copy, only, Number(values.seeds)));
    const listed = MUTANTS.filter(({ file, what }) => only === undefined || `${file} ${what}`.includes(only));
    const made = values.made ? sampled(only, Number(values.each ?? 1), Number(values.seed ?? 1)) : [];
    const left = values.made ? await findMade(copy, made) : await findListed(copy, listed);
    return told({ left, count: values.made ? made.length : listed.length });
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

process.exitCode = await main();
