// Whole shards over the real store on simulated disks, some hundred seeds: half of them the same in every run, half new. `npm run simulate --
// --only shards`, or registrations, runs more.

import { describe, expect, it } from 'vitest';
import { STARTS, simulationsOf } from '../support/simulate.ts';

const SEEDS = 150;
/** Fewer, for some of them have watchers. */
const REGISTRATIONS_SEEDS = 120;
const ONCE_FAILED: readonly (readonly [number, string])[] = [
  [1274, 'a record is in a frame that a cut of power takes, and where it was before has been dropped'],
  [2221, 'a phone whose binding has run out is taken for the one that is left'],
  [4324, 'the same, by a copy of its request'],
];
const REGISTRATIONS_ONCE_FAILED: readonly (readonly [number, string])[] = [
  [178, 'the phone that has run out is taken for the one that is left'],
  [10_474, 'what could not be read was given up, and is bound again'],
  [25_070, 'a refresh builds on a record that a sweep left and no sync has reached'],
  [25_564, 'the same'],
  [5_000_361, 'a clock set back: a copy draws the answer of before behind Timer J'],
  [5_000_925, 'the same, when what it made has run out'],
  [5_000_993, 'connections that end together: their records are longer than a generation'],
  [20_005_613, 'a refused bind, then `*` for the AOR: after a start the binding was there'],
  [6_002_909, 'a record is damaged, and a refresh is of the one before'],
  [455, 'a CANCEL of an INVITE for an alias is looked up at the shard of the alias'],
  [2295, 'the same'],
  [70_001_383, 'a copy of a request that drew 401 has to wait for its user'],
  [200_000_549, 'connections of before a start are more than were waited for, and some are forgotten'],
  [200_000_317, 'the same'],
  [30_019_799, 'a nonce is stale while a removal is under way, and good when the disk has refused it'],
];
/** Since devices sleep in the world. */
const ASLEEP_ONCE_FAILED: readonly (readonly [number, string])[] = [
  [276, 'a binding has run out, is not marked as asleep yet, and makes no place for another phone'],
  [692, 'the same: it is not taken up by a copy of the request that made it'],
  [310_043_628, 'a delayed request takes up by its first contact what sleeps under its second, whose CSeq is higher'],
  [401_025_713, 'a domain that a phone, whose record could not be read for a moment, has filled refuses the next'],
  [310_010_587, 'a lookup that has waited draws what its copy drew, in a batch that failed without it'],
  [310_002_718, 'a nonce is stale while the record that names it cannot be read, and good for a copy'],
  [310_041_571, 'what a start could not read has run out for it, and a cut of power takes that removal'],
];
/** Since lines sleep while another is awake. */
const LATEST_ONCE_FAILED: readonly (readonly [number, string])[] = [
  [402_013_100, 'a binding runs out while its watcher, who was told of another change just now, is not to be told yet'],
  [403_008_045, 'a subscription whose end was told, and not answered, goes on behind a start and a clock set back'],
  [402_014_923, 'a lookup waits for a device, its copy draws 503 of a failed commit, and so does what has waited'],
];

describe('shards on simulated disks', () => {
  const simulations = simulationsOf('shards');

  it('R3261-10.3-32 R3261-10.3-33 seeds that once failed', async () => {
    await simulations.these(ONCE_FAILED.map(([seed]) => seed));
  });

  it.each(STARTS)(
    'R3261-10.3-32 R3261-10.3-33 R5626-6-13 what a 200 said is so until it ends, from seed %i on',
    async (from) => {
      const { sum } = await simulations.from(from, SEEDS);
      // All of it happened, and often.
      for (const what of ['repeats', 'refused', 'starts', 'checkpoints', 'connectionsEnded', 'expired'])
        expect(sum[what], what).toBeGreaterThan(100);
      expect(sum.crashes).toBeGreaterThan(20);
    },
    130_000,
  );
});

describe('registrations at shards on simulated disks', () => {
  const simulations = simulationsOf('registrations');

  it.each(STARTS)(
    'R3261-10.3-30 R3261-10.3-32 R3261-10.3-34 R3261-10.3-35 answers and bindings are the rules’, whatever fails, from seed %i on',
    async (from) => {
      const { sum } = await simulations.from(from, REGISTRATIONS_SEEDS);
      if (from !== STARTS[0]) return; // what new seeds draw is chance
      for (const what of ['replays', 'refused', 'failedCommits', 'starts', 'checkpoints', 'flowsEnded', 'reloads'])
        expect(sum[what], what).toBeGreaterThan(80);
      for (const what of ['redirects', 'resent', 'guesses', 'waits']) expect(sum[what], what).toBeGreaterThan(20);
      expect(sum.crashes).toBeGreaterThan(20);
      expect(sum.tooMany).toBeGreaterThan(20);
      for (const what of ['notifies', 'watching']) expect(sum[what], what).toBeGreaterThan(30);
    },
    130_000,
  );

  it('R3261-8.3-04 R3261-9.2-02 R3261-10.3-31 R3261-10.3-34 seeds that once failed', async () => {
    const seeds = REGISTRATIONS_ONCE_FAILED.map(([seed]) => seed);
    // As the world was when they failed.
    await simulations.these(seeds, 60_000, 'storms,domains,old-records,sleepers,watchers');
  });

  it('R8599-5.3-01 seeds that once failed where devices sleep', async () => {
    await simulations.these(
      ASLEEP_ONCE_FAILED.map(([seed]) => seed),
      60_000,
      'lines',
    );
    await simulations.these(LATEST_ONCE_FAILED.map(([seed]) => seed));
  });
});
