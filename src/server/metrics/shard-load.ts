// How busy the shards are, from their counters: so that long work beside them can hold back while they need the processors.

import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import { COUNTER } from '../../shard/observe/counters.ts';
import type { ShardReading } from '../../shard/observe/shard-reading.ts';

const LOOK_MS = 100;
/** From which part of its time on batches a shard is busy, and how many times as long as it took long work rests then. */
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

  /** After a piece of long work: gives others their turn, and rests while the shards are busy. */
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
