// The store on a simulated disk, ten thousand seeds: half of them the same in every run, half new. `npm run simulate` runs more.

import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { killAll, run } from '../support/child-process.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PROGRAM = `.build/test/simulate-${process.pid}.js`;
const SEEDS = 5000;

beforeAll(async () => {
  const args = ['scripts/bundle.js', 'test/simulation/main.ts', PROGRAM, 'test/simulation/small'];
  const bundled = await run(process.execPath, args, 60_000, { cwd: ROOT });
  expect(bundled.exit.code, bundled.output()).toBe(0);
}, 60_000);

afterAll(async () => {
  await killAll();
  rmSync(`${ROOT}/${PROGRAM}`, { force: true });
  rmSync(`${ROOT}/${PROGRAM}.map`, { force: true });
});

describe('the store on a simulated disk', () => {
  it.each([
    [904_444_923, 'the first batch of all is refused, and stays refused'],
    [51_273, 'damage and a cut of power hide the last frame'],
    [863, 'a removal that the disk refuses ends a generation'],
    [14_928, 'a frame shares a bad sector with what lay there'],
    [30_129, 'an old removal has another address'],
    [911_171_151, 'the length of the last frame leads out of its generation'],
  ])('R3261-8.2-01 seed %i: %s', async (seed) => {
    const child = await run(process.execPath, [PROGRAM, '--seed', String(seed), '--json'], 60_000, { cwd: ROOT });
    expect(JSON.parse(child.stdout).failures).toEqual([]);
  });

  it.each([1, 1_000_000 + (Date.now() % 1_000_000_000)])(
    'R3261-8.2-01 keeps its word, whatever fails, from seed %i on',
    async (from) => {
      const args = [PROGRAM, '--only', 'store', '--from', String(from), '--seeds', String(SEEDS), '--json'];
      const child = await run(process.execPath, args, 180_000, { cwd: ROOT });
      const report = JSON.parse(child.stdout);
      expect(report.failures, 'npm run simulate -- --seed … --trace tells the story').toEqual([]);
      expect(report.seeds).toBe(SEEDS);
      // All of it happened, and often.
      for (const what of ['failedCommits', 'crashes', 'checkpoints', 'damages', 'lost'])
        expect(report.sum[what], what).toBeGreaterThan(500);
      expect(report.sum.generations).toBeGreaterThan(10_000);
    },
    200_000,
  );
});
