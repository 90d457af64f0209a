// Clusters in a world that a seed draws, some hundred of them: half the same in every run, half new. `npm run simulate -- --only cluster`
// runs more.

import { describe, expect, it } from 'vitest';
import { STARTS, simulationsOf } from '../support/simulate.ts';

const SEEDS = 75;

describe('a cluster', () => {
  const simulations = simulationsOf('cluster');

  it.each(STARTS)(
    'loses no binding and forks none, whatever fails, from seed %i on',
    async (from) => {
      const { sum } = await simulations.from(from, SEEDS);
      if (from !== STARTS[0]) return; // what new seeds draw is chance
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
        expect(sum[what], what).toBeGreaterThan(SEEDS / 2);
      for (const what of ['copies', 'handovers', 'droppedInFlight']) expect(sum[what], what).toBeGreaterThan(4);
    },
    130_000,
  );

  it('goes on where these seeds once failed', async () => {
    // The whole site lost its power, and all nodes a part of a shard's log.
    await simulations.these([600000000, 600000006, 600000017]);
    // A log had lost its last frame to the disk, and with it what was moved there; a copy did not know up to where that had been.
    await simulations.these([710001748, 710000075, 710001271]);
    // The last repetition of a request reached an owner whose clock was ahead of the one that had carried it out.
    await simulations.these([752000354, 752024118]);
    // All frames of a young log were damaged, and it was taken for one from before the cluster.
    await simulations.these([754003579, 754003957]);
  });
});
