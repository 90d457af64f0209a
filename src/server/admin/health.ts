// Whether the server should get requests (/readyz), and the reasons why not. /healthz shows only that the process
// answers.

import { COUNTER } from '../../shard/observe/counters.ts';
import type { ShardReading } from '../../shard/observe/shard-reading.ts';
import { every } from '../../transport/every.ts';
import type { LimitUsage } from '../process/limit-watch.ts';

export type Phase = 'starting' | 'ready' | 'draining';

/** A shard without a loop pass for so long is stuck: idle ones make one each second. */
const STUCK_MS = 10_000;
/** Time that a commit may wait for its disk. */
const COMMIT_HANGS_MS = 3000;
const LOOK_MS = 1000;
/** Used share of a ring from which messages are about to be dropped. */
const RING_FULL = 0.8;

export class Health {
  /** Whether an operator has drained the server. */
  drained = false;
  private readonly phase: () => Phase;
  private readonly limits: () => readonly LimitUsage[];
  private readonly readings: () => readonly ShardReading[];
  private readonly others: () => readonly string[];
  private readonly timer: NodeJS.Timeout;
  private loops: number[] = [];
  private turnedAt: number[] = [];

  constructor(
    phase: () => Phase,
    readings: () => readonly ShardReading[],
    limits: () => readonly LimitUsage[],
    failed: (error: Error) => void,
    others: () => readonly string[] = () => [],
  ) {
    this.phase = phase;
    this.limits = limits;
    this.readings = readings;
    this.others = others;
    this.timer = every(LOOK_MS, () => this.look(), failed);
  }

  /** Reasons against sending requests here; empty where there are none. */
  problems(): string[] {
    const phase = this.phase();
    if (phase !== 'ready') return [phase];
    if (this.drained) return ['draining'];
    const over = this.limits().map(
      ({ limit, share }) => `${limit.replace('_', ' ')}: ${Math.floor(share * 100)}% of the limit`,
    );
    // Present problems stand before imminent ones.
    return [...this.ofShards(), ...over, ...this.others()];
  }

  close(): void {
    clearInterval(this.timer);
  }

  private ofShards(): string[] {
    const readings = this.readings();
    const failing = readings.flatMap(({ open, counters }, shard) =>
      open && counters[COUNTER.commits_failing] > 0 ? [shard] : [],
    );
    const now = performance.now();
    const others = readings.flatMap(({ open, counters, ringBytes, ringCapacity }, shard) => {
      if (!open) return [`shard ${shard} is being started again`];
      const hasTurned = counters[COUNTER.loops] !== this.loops[shard]; // since the last look, which may be long ago
      const stillMs = hasTurned ? 0 : now - (this.turnedAt[shard] ?? now);
      if (counters[COUNTER.committing] > 0 && stillMs > COMMIT_HANGS_MS) return [`shard ${shard} waits for its disk`];
      if (stillMs > STUCK_MS) return [`shard ${shard} has not moved for some time`];
      return ringBytes > ringCapacity * RING_FULL ? [`the rings to shard ${shard} are nearly full`] : [];
    });
    if (failing.length === 0) return others;
    const which = failing.length === 1 ? `shard ${failing[0]}` : `shards ${failing.join(', ')}`;
    return [`${which} cannot write to disk: phones are answered 503`, ...others];
  }

  private look(): void {
    const now = performance.now();
    for (const [shard, { counters }] of this.readings().entries()) {
      const loops = counters[COUNTER.loops];
      if (loops !== this.loops[shard]) this.turnedAt[shard] = now;
      this.loops[shard] = loops;
    }
  }
}
