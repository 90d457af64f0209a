// `node .build/bench/scrape.js`: what the histograms cost a shard, and what a scrape of its memory takes from it. A thread
// counts answers as a shard does, as fast as it can, while this one reads its memory as a scrape does, or does not.

import { fileURLToPath } from 'node:url';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { Answers } from '../../src/core/uas/batch-responses.ts';
import { metricsText } from '../../src/server/metrics/metrics.ts';
import { ProcessMeters } from '../../src/server/metrics/process-meters.ts';
import { COUNTERS_BYTES } from '../../src/shard/observe/counters.ts';
import {
  BATCH_BOUNDS,
  BATCH_ROW,
  MEASURES_BYTES,
  Measures,
  OUTCOME_ACCEPTED,
} from '../../src/shard/observe/measures.ts';
import { createPeers } from '../../src/sip/sources.ts';

const ROUND_MS = 1000;
const ROUNDS = 6;
const BATCH = 16;

interface Shared {
  readonly measures: SharedArrayBuffer;
  readonly counters: SharedArrayBuffer;
  /** Batches counted. */
  readonly done: SharedArrayBuffer;
}

function count({ measures: memory, counters: counterMemory, done }: Shared): void {
  const measures = new Measures(memory);
  const counters = new Float64Array(counterMemory);
  const answers = new Answers(new Uint8Array(1));
  const peers = createPeers();
  for (let i = 0; i < BATCH; i++) answers.outcome[answers.add(i, 0, 0, 0)] = OUTCOME_ACCEPTED;
  const batches = new Float64Array(done);
  for (;;) {
    measures.observe(BATCH_ROW, BATCH_BOUNDS, BATCH);
    measures.answered(answers, peers, 0.0006);
    for (let i = 0; i < counters.length; i += 8) counters[i]++; // every cache line, which no batch does
    batches[0]++;
  }
}

async function main(): Promise<void> {
  const shared: Shared = {
    measures: new SharedArrayBuffer(MEASURES_BYTES),
    counters: new SharedArrayBuffer(COUNTERS_BYTES),
    done: new SharedArrayBuffer(8),
  };
  const worker = new Worker(fileURLToPath(import.meta.url), { workerData: shared });
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
        restarts: 0,
        users: 0,
        readings,
        lookups: { found: 0, nobody: 0, refused: 0 },
        limits: [],
        droppedConnections: 0,
        storeBytes: [0],
      },
      meters,
    );
  };
  const round = (scraping: boolean): { perSecond: number; scrapes: number } => {
    const from = performance.now();
    const before = batches[0];
    let scrapes = 0;
    for (; performance.now() - from < ROUND_MS; scrapes++) if (scraping) scrape();
    return { perSecond: ((batches[0] - before) * 1000) / (performance.now() - from), scrapes };
  };
  while (batches[0] === 0) await new Promise((resolve) => setTimeout(resolve, 50));
  round(true); // warm
  const alone: number[] = [];
  const costs: number[] = [];
  let scrapes = 0;
  for (let i = 0; i < ROUNDS; i++) {
    const free = round(false).perSecond;
    const beside = round(true);
    alone.push(free);
    // Time that the thread had less for its batches, by scrape.
    costs.push(((1 - beside.perSecond / free) * 1e6) / beside.scrapes);
    scrapes += beside.scrapes;
  }
  const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1];
  process.stdout.write(
    `counting a batch of ${BATCH} answers: ${(1e9 / median(alone)).toFixed(0)} ns; ` +
      `a scrape takes from the thread that counts: ${median(costs).toFixed(1)} us (median of ${ROUNDS} pairs, ${scrapes} scrapes, ` +
      `${((ROUNDS * ROUND_MS * 1000) / scrapes).toFixed(0)} us each on the main thread)\n`,
  );
  meters.close();
  await worker.terminate();
}

if (isMainThread) await main();
else count(workerData as Shared);
