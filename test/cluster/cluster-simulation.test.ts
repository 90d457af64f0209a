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
});
