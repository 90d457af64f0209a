// Decisions per second of the pure core: a Shard over the store in memory, driven as its loop drives it but without
// sockets, in virtual time. Each message is parsed, routed, absorbed, decided, committed to a Map and answered.

import { Bench } from 'tinybench';
import { MemoryStore } from '../../src/location/memory-store.ts';
import { fastest, median } from '../results.ts';
import { BATCH, Driver } from './driver.ts';

/** AORs that refreshes go round. */
const AORS = 65_536;
/** Steps through the AORs in an order that caches do not like; odd, so that it visits all. */
const STRIDE = 40_503;
export interface DecisionRow {
  readonly request: string;
  /** By the median batch, and by the best. */
  readonly perSecond: number;
  readonly bestPerSecond: number;
}

/** @param ms time for each of the two kinds */
export async function benchDecisions(ms: number): Promise<DecisionRow[]> {
  const newcomers = new Driver(new MemoryStore());
  const regulars = new Driver(new MemoryStore());
  for (let aor = 0; aor < AORS; aor += BATCH) regulars.batch(aor, 1, AORS);
  let next = 0;
  let visit = 0;
  const bench = new Bench({ time: ms, warmupTime: ms / 2 });
  bench.add('register', () => {
    newcomers.batch(next, 1, Number.MAX_SAFE_INTEGER);
    next += BATCH;
  });
  bench.add('refresh', () => {
    regulars.batch(visit, STRIDE, AORS);
    visit = (visit + BATCH * STRIDE) % AORS;
  });
  const tasks = await bench.run();
  newcomers.check();
  regulars.check();
  const perSecond = (batchMs: number) => BATCH / (batchMs / 1000);
  return tasks.map((task) => ({
    request: task.name,
    perSecond: perSecond(median(task)),
    bestPerSecond: perSecond(fastest(task)),
  }));
}
