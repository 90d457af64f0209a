// How long tests wait on a machine that does other things, too.

import { availableParallelism, loadavg } from 'node:os';

const MOST = 5;

/**
 * How many times as long a wait may last: each core has so many processes that want it. It gives a wait more time and no other outcome.
 */
export function patience(): number {
  return Math.min(MOST, Math.max(1, loadavg()[0] / availableParallelism()));
}
