// The listed faults can be put in: what each replaces stands in its file, once.

import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { MUTANTS } from './mutants.ts';
import { SEED_MUTANTS } from './seed-mutants.ts';

it.each([
  ['npm run mutants', MUTANTS],
  ['npm run mutants -- --seeds', SEED_MUTANTS],
])('every fault of %s has its place in the sources', (_, mutants) => {
  const misplaced = mutants.filter(({ file, from }) => readFileSync(file, 'utf8').split(from).length !== 2);
  expect(misplaced.map(({ file, what }) => `${file}: ${what}`)).toEqual([]);
});
