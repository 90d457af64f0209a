// The store on a simulated disk, four thousand seeds: half of them the same in every run, half new. `npm run simulate` runs more.

import { describe, expect, it } from 'vitest';
import { STARTS, simulationsOf } from '../support/simulate.ts';

/** Of the faults of test/mutants/seed-mutants.ts, the last that this world finds is found by seed 1228. */
const SEEDS = 2000;
const ONCE_FAILED: readonly (readonly [number, string])[] = [
  [904_444_923, 'the first batch of all is refused, and stays refused'],
  [51_273, 'damage and a cut of power hide the last frame'],
  [863, 'a removal that the disk refuses ends a generation'],
  [14_928, 'a frame shares a bad sector with what lay there'],
  [30_129, 'an old removal has another address'],
  [911_171_151, 'the length of the last frame leads out of its generation'],
  [20_050_328, 'the disk refuses a removal while a checkpoint is copied'],
  [20_122_187, 'the last frame is gone, and its generation is not the newest'],
  [914_212_804, 'what could not be read at one start is there at the next'],
  [20_007_708, 'what ran out comes back where damage hits what took its row'],
  [500_072_043, 'a removal that was refused is there after a restart'],
  [500_106_840, 'a frame that a cut of power took is not the newest of its AOR'],
  [7_002_676, 'the generation is lost that said where the one before had ended'],
  [919_422_665, 'a cut of power undoes what stood behind a damaged frame'],
  [918_665_686, 'a cut of power undoes the removal of what a lost generation had'],
  [921_475_726, 'what a start could not sync a cut of power undoes'],
  [921_485_700, 'the removal of what ran out is refused once more, where nothing is left'],
  [921_474_305, 'what a start could not read another reads'],
  [950_061_506, 'what a removal names has a row whose AOR has the same tag'],
  [951_004_199, 'a frame is refused behind one that waits for a sync, in the same commit'],
  [951_296_498, 'a removal that one start could not read another reads'],
  [78_655_068, 'a frame that one start could not read is missing for another'],
  [991_001_173, 'a frame that need not have lasted is missing, and what lasted before it was dropped'],
  [400_104_691, 'a start that crashes has told nobody of what the life before told'],
];

describe('the store on a simulated disk', () => {
  const simulations = simulationsOf('store');

  it('R3261-8.2-01 seeds that once failed', async () => {
    await simulations.these(ONCE_FAILED.map(([seed]) => seed));
  });

  it.each(STARTS)(
    'R3261-8.2-01 keeps its word, whatever fails, from seed %i on',
    async (from) => {
      const { sum } = await simulations.from(from, SEEDS, 180_000);
      // All of it happened, and often.
      for (const what of ['failedCommits', 'crashes', 'checkpoints', 'damages', 'lost'])
        expect(sum[what], what).toBeGreaterThan(500);
      expect(sum.generations).toBeGreaterThan(10_000);
    },
    200_000,
  );
});
