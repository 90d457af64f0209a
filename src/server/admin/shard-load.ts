// How busy the shards are, from their counters: so that long work beside them can hold back while they need the processors.

import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import { COUNTER } from '../../shard/counters.ts';
import type { ShardReading } from '../../shard/pool.ts';

const LOOK_MS = 100;
/** Part of the time on batches from which on a shard counts as busy. */
const BUSY = 0.5;
/** Long work rests this many times as long as it took while a shard is busy. */
const REST = 4;

export class ShardLoad {
  private readonly readings: () => readonly ShardReading[];
  private lookedAt = 0;
  private before: number[] = [];
  private busy = false;

  constructor(readings: () => readonly ShardReading[]) {
    this.readings = readings;
  }

  /** After a piece of long work: gives others their turn, and rests while the shards are busy. */
  async rest(tookMs: number): Promise<void> {
    this.look();
    await (this.busy ? delay(tookMs * REST) : turn());
  }

  private look(): void {
    const now = performance.now();
    const ms = now - this.lookedAt;
    if (ms < LOOK_MS) return;
    const spent = this.readings().map(({ counters }) => counters[COUNTER.busy_us]);
    this.busy = spent.some((us, shard) => us - (this.before[shard] ?? us) > ms * 1000 * BUSY);
    this.before = spent;
    this.lookedAt = now;
  }
}
