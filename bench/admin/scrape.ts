// What the histograms cost a shard, and what a scrape of its memory takes from it. A thread counts answers as a shard does, as fast as
// it can, while this one reads its memory as a scrape does, or does not.

import { Worker } from 'node:worker_threads';
import { metricsText } from '../../src/server/metrics/metrics.ts';
import { ProcessMeters } from '../../src/server/metrics/process-meters.ts';
import { COUNTERS_BYTES } from '../../src/shard/observe/counters.ts';
import { MEASURES_BYTES } from '../../src/shard/observe/measures.ts';
import type { Question } from '../question.ts';
import { partProgram } from '../root.ts';
import { atMost, seen, targetTable } from '../rows.ts';
import type { Settings } from '../settings.ts';
import { BATCH, type Shared } from './counting.ts';

async function run(settings: Settings) {
  const roundMs = settings.number('seconds', 1, 0.1) * 1000;
  const rounds = settings.number('rounds', 6, 2);
  const shared: Shared = {
    measures: new SharedArrayBuffer(MEASURES_BYTES),
    counters: new SharedArrayBuffer(COUNTERS_BYTES),
    done: new SharedArrayBuffer(8),
  };
  const worker = new Worker(partProgram('counting'), { workerData: shared });
  const batches = new Float64Array(shared.done);
  const meters = new ProcessMeters();
  const scrape = () => {
    const readings = [
      {
        counters: new Float64Array(shared.counters).slice(),
        measures: new Float64Array(shared.measures),
        ringBytes: 0,
        ringCapacity: 1,
        open: true,
      },
    ];
    metricsText(
      {
        version: '',
        ready: true,
        draining: false,
        restarts: 0,
        users: 0,
        readings,
        lookups: { found: 0, nobody: 0, refused: 0 },
        limits: [],
        droppedConnections: 0,
        historyLostBytes: 0,
        storeBytes: [0],
      },
      meters,
    );
  };
  const round = (scraping: boolean): { perSecond: number; scrapes: number } => {
    const from = performance.now();
    const before = batches[0];
    let scrapes = 0;
    for (; performance.now() - from < roundMs; scrapes++) if (scraping) scrape();
    return { perSecond: ((batches[0] - before) * 1000) / (performance.now() - from), scrapes };
  };
  while (batches[0] === 0) await new Promise((resolve) => setTimeout(resolve, 50));
  round(true); // warm
  const alone: number[] = [];
  const costs: number[] = [];
  let scrapes = 0;
  for (let i = 0; i < rounds; i++) {
    const free = round(false).perSecond;
    const beside = round(true);
    alone.push(free);
    // Time that the thread had less for its batches, by scrape.
    costs.push(((1 - beside.perSecond / free) * 1e6) / beside.scrapes);
    scrapes += beside.scrapes;
  }
  meters.close();
  await worker.terminate();
  return [
    targetTable([
      seen(
        `counting a batch of ${BATCH} answers in the histograms`,
        alone.map((perSecond) => 1e9 / perSecond),
        0,
        'ns',
      ),
      atMost('a scrape takes from the thread that counts', costs, 100, 1, 'us'),
      seen('a scrape on the main thread', [(rounds * roundMs * 1000) / scrapes], 0, 'us'),
    ]),
  ];
}

export const SCRAPE_QUESTION: Question = {
  name: 'scrape',
  asks: "what a shard's histograms cost it, and what a scrape of them takes from it",
  against: 'no',
  run,
};
