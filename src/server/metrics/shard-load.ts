// Load of the shards, from their counters: long work beside them pauses while they need the processors.

import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import { COUNTER } from '../../shard/observe/counters.ts';
import type { ShardReading } from '../../shard/observe/shard-reading.ts';

const LOOK_MS = 100;
/** Share of its time in batches from which a shard is busy, and the rest of long work as a multiple of its duration. */
const RESTS: readonly (readonly [busy: number, rest: number])[] = [
  [0.8, 14],
  [0.5, 4],
];

export class ShardLoad {
  private readonly readings: () => readonly ShardReading[];
  private lookedAt = 0;
  private before: number[] = [];
  private factor = 0;

  constructor(readings: () => readonly ShardReading[]) {
    this.readings = readings;
  }

  /** Called after a piece of long work: yields to others, and rests while the shards are busy. */
  async rest(tookMs: number): Promise<void> {
    this.look();
    await (this.factor > 0 ? delay(tookMs * this.factor) : turn());
  }

  private look(): void {
    const now = performance.now();
    const ms = now - this.lookedAt;
    if (ms < LOOK_MS) return;
    const spent = this.readings().map(({ counters }) => counters[COUNTER.busy_us]);
    const busiest = Math.max(...spent.map((us, shard) => (us - (this.before[shard] ?? us)) / (ms * 1000)));
    this.factor = RESTS.find(([busy]) => busiest > busy)?.[1] ?? 0;
    this.before = spent;
    this.lookedAt = now;
  }
}
