// Power cuts, some hundreds; `npm run powercuts` makes ten thousand. Seeds: fixed ones and one that is new in every run.

import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Lie } from '../powercut/disk.ts';
import { type PowerCutReport, PowerCuts } from '../powercut/power-cuts.ts';
import { compileRecorder, recorderMissing } from '../powercut/recorder.ts';
import { SUBJECTS } from '../powercut/subjects/subjects.ts';
import { bundle } from '../support/bundle.ts';
import { killAll } from '../support/child-process.ts';

const missing = recorderMissing();
if (missing !== undefined) console.warn(`skipped: ${missing}`);

let program: string;

async function cut(seed: number, names: readonly string[], cases: number, lie?: Lie): Promise<PowerCutReport> {
  const cuts = new PowerCuts({
    seed,
    subjects: SUBJECTS.filter(({ name }) => names.includes(name)),
    program,
    recorder: compileRecorder(fileURLToPath(new URL('../..', import.meta.url))),
    ...(lie && { lie }),
  });
  try {
    return await cuts.run(0, cases);
  } finally {
    cuts.close();
  }
}

describe.skipIf(missing !== undefined)('after a power cut', () => {
  beforeAll(async () => {
    program = await bundle('test/powercut/child.ts');
  });
  afterEach(killAll);
  afterAll(killAll);

  const subjects = SUBJECTS.map(({ name }) => name);
  it.each(subjects)(
    'R3261-8.2-01 %s has what was acknowledged, nothing that was removed, and goes on',
    async (name) => {
      for (const [seed, cases] of [
        [1, 25],
        [Date.now() % 1_000_000, 15],
      ]) {
        const report = await cut(seed, [name], cases);
        expect(report.failures, `npm run powercuts -- --seed ${seed} --only ${name} --case …`).toEqual([]);
        expect(report.cases).toBe(cases);
        if (seed === 1) expect(report.secondCuts).toBeGreaterThan(cases / 5);
      }
    },
    120_000,
  );

  it('notices a disk that says it has synced and has not', async () => {
    const report = await cut(1, ['log'], 50, 'files');
    expect(report.failures.length).toBeGreaterThan(5);
    const names = await cut(1, ['log'], 50, 'directories');
    expect(names.failures.length).toBeGreaterThan(5);
  });
});
