// kill -9 at seeded random moments, a dozen times; `npm run kills` does it hundreds of times.

import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { killRun } from '../crash/kill-run.ts';
import { removeDirectories } from '../support/aorta-process.ts';
import { killAll } from '../support/child-process.ts';
import { patience } from '../support/patience.ts';

afterEach(killAll);
afterAll(removeDirectories);

describe('killed at random moments', () => {
  it('R3261-8.2-01 R3261-10.3-39 finds every acknowledged binding, none resurrected, none early', async () => {
    const report = await killRun({ seed: 5, kills: 8, aors: 300, shards: [1, 2, 3], lifeMs: 400 * patience() });
    expect(report.duringStart).toBeLessThan(6);
    expect(report.checked).toBe(300 * (8 - report.duringStart + 1)); // every AOR before each load, and at the end
    expect(report.acknowledged).toBeGreaterThan(500);
  });
});
