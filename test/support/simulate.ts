// The simulations of test/simulation as tests run them: bundled with the small sizes of test/simulation/small, and run in a process of
// their own.

import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect } from 'vitest';
import { bundle } from './bundle.ts';
import { killAll, run } from './child-process.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Where the seeds begin: half of them are the same in every run, half new. */
export const STARTS: readonly number[] = [1, 1_000_000 + (Date.now() % 1_000_000_000)];

export interface SimulationReport {
  readonly seeds: number;
  /** What happened, by name. */
  readonly sum: Readonly<Record<string, number>>;
}

interface Simulations {
  /** Runs so many seeds from `from` on; fails where one of them fails. */
  from(from: number, seeds: number, timeoutMs?: number): Promise<SimulationReport>;
  /** Runs these seeds. @param without what is drawn since they failed */
  these(seeds: readonly number[], timeoutMs?: number, without?: string): Promise<SimulationReport>;
}

/**
 * Simulations of one part of `npm run simulate`, for the tests of the calling file.
 * @param part as its --only has it
 */
export function simulationsOf(part: string): Simulations {
  let program: string;

  beforeAll(async () => {
    program = await bundle('test/simulation/main.ts', 'test/simulation/small');
  }, 60_000);
  afterAll(killAll);

  const simulate = async (seeds: number, timeoutMs: number, ...flags: readonly string[]): Promise<SimulationReport> => {
    const args = [program, '--only', part, '--json', ...flags];
    const child = await run(process.execPath, args, timeoutMs, { cwd: ROOT });
    const report = JSON.parse(child.stdout);
    expect(report.failures, `npm run simulate -- --only ${part} --seed … --trace tells the story`).toEqual([]);
    expect(report.seeds).toBe(seeds);
    return report;
  };

  return {
    from: (from, seeds, timeoutMs = 120_000) =>
      simulate(seeds, timeoutMs, '--from', String(from), '--seeds', String(seeds)),
    these: (seeds, timeoutMs = 60_000, without = '') =>
      simulate(seeds.length, timeoutMs, '--seed', seeds.join(), '--without', without),
  };
}
