// A shard's measurements, in shared memory beside its counters: histograms of latency by outcome and transport, batch sizes,
// commits and expiry lag. One writer, any number of readers, no locks; the bucket of a value is found once per batch.
// @hot

import type { BatchResponses } from '../../core/uas/batch-responses.ts';
import { type Peers, TRANSPORT_NAMES } from '../../sip/sources.ts';

// --- outcomes of answers, in a shard's counts
// 0: sent again from memory
export const OUTCOME_ACCEPTED = 1;
export const OUTCOME_CHALLENGED = 2;
export const OUTCOME_REJECTED = 3;
export const OUTCOME_FAILED = 4;
/** An answer to another method than REGISTER. */
export const OUTCOME_OTHER = 5;
/** By OUTCOME_*. */
export const OUTCOME_NAMES = ['replayed', 'accepted', 'challenged', 'rejected', 'failed', 'other'] as const;
/** By TRANSPORT_* of sip/sources. */
const TRANSPORTS = TRANSPORT_NAMES.length;

const BOUNDS = 16;
/** Numbers of one histogram: a count for each bound and one beyond, then the sum of the values. */
export const HISTOGRAM_ROW = BOUNDS + 2;
/** Place of the sum in a row. */
export const HISTOGRAM_SUM = BOUNDS + 1;

/** Upper bounds in seconds, of latencies and commits. */
export const SECONDS_BOUNDS = Float64Array.of(
  0.0001,
  0.00025,
  0.0005,
  0.001,
  0.0025,
  0.005,
  0.01,
  0.025,
  0.05,
  0.1,
  0.25,
  0.5,
  1,
  2.5,
  5,
  10,
);
/** In messages. */
export const BATCH_BOUNDS = Float64Array.of(1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 256, 512);
/** In seconds, after the expiry of a binding. */
export const LAG_BOUNDS = Float64Array.of(0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 30, 60, 120, 300, 600, 1800, 3600);

// Rows: first outcome times transport, then these.
const LATENCY_ROWS = OUTCOME_NAMES.length * TRANSPORTS;
export const BATCH_ROW = LATENCY_ROWS;
export const COMMIT_ROW = LATENCY_ROWS + 1;
export const LAG_ROW = LATENCY_ROWS + 2;
const ROWS = LATENCY_ROWS + 3;

/** Bytes of shared memory for one shard's histograms. */
export const MEASURES_BYTES = ROWS * HISTOGRAM_ROW * 8;

/** Row of the latency of one outcome over one transport. */
export function latencyRow(outcome: number, transport: number): number {
  return outcome * TRANSPORTS + transport;
}

export class Measures {
  /** HISTOGRAM_ROW numbers for each row. */
  readonly values: Float64Array;

  constructor(memory: ArrayBufferLike = new ArrayBuffer(MEASURES_BYTES)) {
    this.values = new Float64Array(memory);
  }

  /** The answers in the rows [from, to) have been sent, `seconds` after their requests were received. */
  answered(answers: BatchResponses, peers: Peers, seconds: number, from = 0, to = answers.count): void {
    const { values } = this;
    const bucket = bucketOf(SECONDS_BOUNDS, seconds);
    for (let i = from; i < to; i++) {
      const at = latencyRow(answers.outcome[i], peers.transport[answers.slot[i]]) * HISTOGRAM_ROW;
      values[at + bucket]++;
      values[at + HISTOGRAM_SUM] += seconds;
    }
  }

  observe(row: number, bounds: Float64Array, value: number): void {
    const at = row * HISTOGRAM_ROW;
    this.values[at + bucketOf(bounds, value)]++;
    this.values[at + HISTOGRAM_SUM] += value;
  }
}

function bucketOf(bounds: Float64Array, value: number): number {
  let bucket = 0;
  while (bucket < BOUNDS && value > bounds[bucket]) bucket++;
  return bucket;
}
