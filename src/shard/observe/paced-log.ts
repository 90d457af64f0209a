// A log line for a fault that each batch or request would repeat: written at once, then once a minute, with the number of times.

import type { ShardOptions } from '../shard-options.ts';

const PACE_MS = 60_000;

export class PacedLog {
  private readonly log: ShardOptions['log'];
  private readonly event: string;
  private toldAt = Number.NEGATIVE_INFINITY;
  private times = 0;

  constructor(log: ShardOptions['log'], event: string) {
    this.log = log;
    this.event = event;
  }

  /** Whether the line was written. @param now ms */
  tell(fields: Record<string, unknown>, now: number): boolean {
    this.times++;
    if (now - this.toldAt < PACE_MS) return false;
    this.log('error', this.event, { ...fields, times: this.times });
    this.toldAt = now;
    this.times = 0;
    return true;
  }
}
