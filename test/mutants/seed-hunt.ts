// npm run mutants -- --seeds N: puts each fault into a copy of the sources, and tells which seed of the simulated worlds is the first to
// find it.

import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SEED_MUTANTS, type SeedMutant, type World } from './seed-mutants.ts';

const PROGRAM = '.build/mutants/simulate.js';
/** One seed that never ends has found the fault, too. */
const SEED_MS = 60_000;

interface Found {
  readonly world: World;
  /** How many it took. */
  readonly seeds: number;
  readonly what: string;
}

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

function hunt(copy: string, world: World, seeds: number): Found | undefined {
  const args = [PROGRAM, '--only', world, '--from', '1', '--seeds', String(seeds), '--first', '--json'];
  const timeout = SEED_MS + seeds * 100;
  const run = spawnSync(process.execPath, args, { cwd: copy, encoding: 'utf8', timeout });
  if (run.stdout === '') return { world, seeds: Number.NaN, what: 'a run that has no end, or ends its process' };
  const report = JSON.parse(run.stdout) as Report;
  const [failure] = report.failures;
  return failure && { world, seeds: report.seeds, what: failure.what.split('\n')[0] };
}

function find(copy: string, { worlds }: SeedMutant, seeds: number): Found | undefined {
  make(copy);
  for (const world of worlds) {
    const found = hunt(copy, world, seeds);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Tells of each mutant as it is found. @returns those that no seed has found @throws where a world fails without any mutant */
export function huntSeeds(copy: string, only: string | undefined, seeds: number): { left: string[]; count: number } {
  const mutants = SEED_MUTANTS.filter(({ file, what }) => only === undefined || `${file} ${what}`.includes(only));
  make(copy);
  for (const world of new Set(mutants.flatMap(({ worlds }) => worlds))) {
    const sound = hunt(copy, world, 50);
    if (sound !== undefined) throw new Error(`${world} fails without any mutant: ${sound.what}`);
  }
  const left: string[] = [];
  for (const mutant of mutants) {
    const path = join(copy, mutant.file);
    const sound = readFileSync(path, 'utf8');
    if (sound.split(mutant.from).length !== 2)
      throw new Error(`${mutant.file}: "${mutant.from}" does not stand there exactly once`);
    writeFileSync(
      path,
      sound.replace(mutant.from, () => mutant.to),
    );
    const found = find(copy, mutant, seeds);
    writeFileSync(path, sound);
    const name = `${mutant.file.slice('src/'.length)} | ${mutant.what}`;
    if (found === undefined) left.push(name);
    process.stdout.write(
      found === undefined ? `| ${name} | LEFT | |\n` : `| ${name} | ${found.world} ${found.seeds} | ${found.what} |\n`,
    );
  }
  return { left, count: mutants.length };
}
