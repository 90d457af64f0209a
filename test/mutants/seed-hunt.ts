// Faults that the simulated worlds have to find, and which seed is the first to find each.

import { spawnSync } from 'node:child_process';
import type { World } from './seed-mutant.ts';
import { SEED_MUTANTS } from './seed-mutants.ts';
import { replacing, type Trial } from './source-copy.ts';

const PROGRAM = '.build/mutants/simulate.js';
/** One seed that never ends has found the fault, too. */
const SEED_MS = 60_000;

interface Report {
  readonly seeds: number;
  readonly failures: readonly { readonly what: string }[];
}

/** Bundles the simulation of the copy. @throws where it cannot be made */
function make(copy: string): void {
  const args = ['scripts/bundle.js', 'test/simulation/main.ts', PROGRAM, 'test/simulation/small'];
  const made = spawnSync(process.execPath, args, { cwd: copy, encoding: 'utf8' });
  if (made.status !== 0) throw new Error(made.stderr);
}

/** The first seed that fails, and how. */
function hunt(copy: string, world: World, seeds: number): string | undefined {
  const args = [PROGRAM, '--only', world, '--from', '1', '--seeds', String(seeds), '--first', '--json'];
  const timeout = SEED_MS + seeds * 100;
  const run = spawnSync(process.execPath, args, { cwd: copy, encoding: 'utf8', timeout });
  if (run.stdout === '') return `${world}: a run that has no end, or ends its process`;
  const report = JSON.parse(run.stdout) as Report;
  const [failure] = report.failures;
  return failure && `${world} ${report.seeds}: ${failure.what.split('\n')[0]}`;
}

/** @throws where a world fails without any fault */
export function seedTrials(copy: string, isWanted: (name: string) => boolean, seeds: number): Trial[] {
  const mutants = SEED_MUTANTS.filter(({ file, what }) => isWanted(`${file} ${what}`));
  make(copy);
  for (const world of new Set(mutants.flatMap(({ worlds }) => worlds))) {
    const sound = hunt(copy, world, 50);
    if (sound !== undefined) throw new Error(`${world} fails without any mutant: ${sound}`);
  }
  return mutants.map(({ file, what, from, to, worlds }) => ({
    name: `${file}: ${what}`,
    file,
    change: replacing(from, to),
    find: async () => {
      make(copy);
      for (const world of worlds) {
        const found = hunt(copy, world, seeds);
        if (found !== undefined) return found;
      }
      return undefined;
    },
  }));
}
