// Programs in C that the bench builds itself, into .build; one sentence where that is not possible.

import { spawnSync } from 'node:child_process';
import { mkdirSync, renameSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Missing } from './question.ts';
import { root } from './root.ts';

/**
 * The program made of a source file, built anew where the source is newer. Throws Missing where there is no C compiler.
 * @param source from the project's root
 */
export function compiled(source: string, flags: readonly string[] = []): string {
  const directory = join(root, '.build/bench-c');
  mkdirSync(directory, { recursive: true });
  const program = join(directory, basename(source, '.c'));
  const from = join(root, source);
  const made = statSync(program, { throwIfNoEntry: false });
  if (made !== undefined && made.mtimeMs > statSync(from).mtimeMs) return program;
  // Under a name of its own first: another run may build or start it meanwhile.
  const own = `${program}-${process.pid}`;
  const run = spawnSync('cc', ['-O2', '-std=gnu11', '-o', own, from, ...flags], { encoding: 'utf8' });
  if (run.error !== undefined) throw new Missing('a C compiler is needed (Debian: gcc and libc6-dev)');
  if (run.status !== 0) throw new Error(`${source} does not compile:\n${run.stderr}`);
  renameSync(own, program);
  return program;
}

/** Whether the machine has a program of this name. */
export function installed(program: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' }).status === 0;
}
