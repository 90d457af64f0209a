// npm run mutants: puts each fault into a copy of the sources and runs the test that has to find it.

import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MUTANTS, type Mutant } from './mutants.ts';

const COPIED = ['src', 'test', 'scripts', 'dist', 'package.json', 'tsconfig.json', 'vitest.config.ts'];

/** Whether the test passes in `copy`. */
function passes(copy: string, test: string): Promise<boolean> {
  const project = test.startsWith('test/e2e/') ? 'e2e' : 'core';
  const args = ['node_modules/vitest/vitest.mjs', 'run', '--project', project, '--bail', '1', test];
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

async function main(only: string | undefined): Promise<number> {
  const copy = mkdtempSync(join(tmpdir(), 'aorta-mutants-'));
  const left: string[] = [];
  try {
    for (const name of COPIED) cpSync(name, join(copy, name), { recursive: true });
    symlinkSync(join(process.cwd(), 'node_modules'), join(copy, 'node_modules'));
    const mutants = MUTANTS.filter(({ file, what }) => only === undefined || `${file} ${what}`.includes(only));
    for (const test of new Set(mutants.map((mutant) => mutant.test)))
      if (!(await passes(copy, test))) throw new Error(`${test} fails without any mutant`);
    for (const mutant of mutants) {
      const found = await isFound(copy, mutant);
      process.stdout.write(`${found ? 'found' : 'LEFT '}  ${mutant.file}: ${mutant.what}\n`);
      if (!found) left.push(mutant.what);
    }
    process.stdout.write(`${mutants.length - left.length} of ${mutants.length} mutants found\n`);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
  return left.length === 0 ? 0 : 1;
}

process.exitCode = await main(process.argv[2]);
