// Clusters in a world that a seed draws, some hundred of them: half the same in every run, half new. `npm run simulate -- --only cluster`
// runs more.

import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { killAll, run } from '../support/child-process.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PROGRAM = `.build/test/simulate-cluster-${process.pid}.js`;
const SEEDS = 75;
const ONCE_FAILED: readonly (readonly [number, string])[] = [];

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

describe('a cluster', () => {
  it('seeds that once failed', async () => {
    if (ONCE_FAILED.length === 0) return;
    const seeds = ONCE_FAILED.map(([seed]) => seed);
    const args = [PROGRAM, '--only', 'cluster', '--seed', seeds.join(), '--json'];
    const child = await run(process.execPath, args, 60_000, { cwd: ROOT });
    const report = JSON.parse(child.stdout);
    expect([report.failures, report.seeds]).toEqual([[], seeds.length]);
  }, 60_000);

  it.each([1, 1_000_000 + (Date.now() % 1_000_000_000)])(
    'loses no binding and forks none, whatever fails, from seed %i on',
    async (from) => {
      const args = [PROGRAM, '--only', 'cluster', '--from', String(from), '--seeds', String(SEEDS), '--json'];
      const child = await run(process.execPath, args, 120_000, { cwd: ROOT });
      const report = JSON.parse(child.stdout);
      expect(report.failures, 'npm run simulate -- --only cluster --seed … --trace tells the story').toEqual([]);
      expect(report.seeds).toBe(SEEDS);
      // All of it happened, and often.
      for (const what of [
        'takeovers',
        'deaths',
        'pauses',
        'cuts',
        'elections',
        'fenced',
        'unknownOutcomes',
        'strangers',
      ])
        expect(report.sum[what], what).toBeGreaterThan(SEEDS / 2);
      for (const what of ['copies', 'handovers', 'droppedInFlight']) expect(report.sum[what], what).toBeGreaterThan(4);
    },
    130_000,
  );
});
