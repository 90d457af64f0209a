// The thread of `scrape`: counts answers as a shard does, as fast as it can.

import { workerData } from 'node:worker_threads';
import { BatchResponses } from '../../src/core/uas/batch-responses.ts';
import { BATCH_BOUNDS, BATCH_ROW, Measures, OUTCOME_ACCEPTED } from '../../src/shard/observe/measures.ts';
import { createPeers } from '../../src/sip/sources.ts';

/** Answers in a batch. */
export const BATCH = 16;

export interface Shared {
  readonly measures: SharedArrayBuffer;
  readonly counters: SharedArrayBuffer;
  /** Batches counted. */
  readonly done: SharedArrayBuffer;
}

function count({ measures: memory, counters: counterMemory, done }: Shared): void {
  const measures = new Measures(memory);
  const counters = new Float64Array(counterMemory);
  const answers = new BatchResponses(new Uint8Array(1));
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

if (workerData !== null) count(workerData as Shared);
