// The recent past in figures, for the dashboard: five minutes by the second, an hour by five seconds, a day by two minutes. Counts
// come from shared memory, so no shard is asked; memory is bounded by the lengths below.

import { CHALLENGES, REASON_NAMES } from '../../core/uas/reasons.ts';
import { COUNTER, type CounterName, REFUSED_BY_REASON } from '../../shard/observe/counters.ts';
import { HISTOGRAM_SUM, latencyRow, OUTCOME_ACCEPTED, SECONDS_BOUNDS } from '../../shard/observe/measures.ts';
import type { ShardReading } from '../../shard/observe/shard-reading.ts';
import { TRANSPORT_NAMES } from '../../sip/sources.ts';
import { every } from '../../transport/every.ts';
import { histogramOf, totalOf } from './metrics.ts';

const TICK_MS = 1000;

/** Ranges by name: seconds between two points, and the number of points kept. */
export const RANGES = {
  '5m': { step: 1, kept: 300 },
  '1h': { step: 5, kept: 720 },
  '1d': { step: 120, kept: 720 },
} as const;
export type RangeName = keyof typeof RANGES;
export const RANGE_NAMES = Object.keys(RANGES) as [RangeName, ...RangeName[]];

/** Rates per second, counts, and shares of the shards' time (0 to 1). */
export const SERIES = [
  'accepted',
  'refreshed',
  'challenged',
  'refused',
  'putOff',
  'dropped',
  'lookups',
  'bindings',
  'aors',
  'connections',
  'cpu',
  'disk',
] as const;
export type SeriesName = (typeof SERIES)[number];

/** Figures of an interval, and accepted registrations by latency (one more than bounds). */
export interface TimePoint {
  /** End of the interval, epoch ms. */
  readonly at: number;
  readonly values: Readonly<Record<SeriesName, number>>;
  readonly latency: readonly number[];
}

/** The totals so far; empty or undefined during the start. */
export interface TimeSource {
  readings(): readonly ShardReading[];
  connections(): number;
  lookups(): number;
}

interface Totals {
  readonly ms: number;
  readonly shards: number;
  readonly accepted: number;
  readonly refreshed: number;
  readonly challenged: number;
  readonly refused: number;
  readonly putOff: number;
  readonly dropped: number;
  readonly lookups: number;
  readonly busyUs: number;
  readonly commitUs: number;
  readonly latency: Float64Array;
}

interface Kept {
  readonly points: TimePoint[];
  before: Totals | undefined;
}

export class Timeline {
  private readonly source: TimeSource;
  private readonly ranges = new Map<RangeName, Kept>(
    RANGE_NAMES.map((name) => [name, { points: [], before: undefined }]),
  );
  private readonly timer: NodeJS.Timeout;
  private ticks = 0;

  constructor(source: TimeSource, failed: (error: Error) => void) {
    this.source = source;
    this.timer = every(TICK_MS, () => this.tick(Date.now(), performance.now()), failed);
  }

  close(): void {
    clearInterval(this.timer);
  }

  /** Points later than `since`, oldest first. @param since epoch ms */
  points(range: RangeName, since = 0): readonly TimePoint[] {
    const points = this.ranges.get(range)?.points ?? [];
    let first = points.length;
    while (first > 0 && points[first - 1].at > since) first--;
    return points.slice(first);
  }

  /** A second has passed. @param at epoch ms @param ms monotonic */
  tick(at: number, ms: number): void {
    const readings = this.source.readings();
    if (readings.length === 0) return;
    const totals = this.total(readings, ms);
    const now = { bindings: totalOf(readings, COUNTER.bindings), aors: totalOf(readings, COUNTER.aors) };
    for (const [name, kept] of this.ranges) {
      const { step, kept: most } = RANGES[name];
      if (kept.before !== undefined && this.ticks % step !== 0) continue;
      if (kept.before !== undefined && ms > kept.before.ms) {
        const figures = { ...now, connections: this.source.connections(), ...between(kept.before, totals) };
        const latency = Array.from(totals.latency, (count, i) => atLeastNone(count - (kept.before?.latency[i] ?? 0)));
        kept.points.push({ at, values: figures, latency });
        if (kept.points.length > most) kept.points.shift();
      }
      kept.before = totals;
    }
    this.ticks++;
  }

  private total(readings: readonly ShardReading[], ms: number): Totals {
    const sum = (...names: CounterName[]) => names.reduce((all, name) => all + totalOf(readings, COUNTER[name]), 0);
    const refusals = (isChallenge: boolean) =>
      REASON_NAMES.reduce((all, name, code) => {
        const counts = CHALLENGES.includes(name) === isChallenge;
        return counts ? all + totalOf(readings, REFUSED_BY_REASON + code) : all;
      }, 0);
    const latency = new Float64Array(SECONDS_BOUNDS.length + 1);
    for (const transport of TRANSPORT_NAMES.keys()) {
      const row = histogramOf(readings, latencyRow(OUTCOME_ACCEPTED, transport));
      for (let i = 0; i < HISTOGRAM_SUM; i++) latency[i] += row[i];
    }
    return {
      ms,
      shards: readings.length,
      accepted: sum('ok'),
      refreshed: sum('refreshed'),
      challenged: refusals(true),
      refused: refusals(false),
      putOff: sum('put_off_new', 'put_off_ring_full', 'put_off_not_owner', 'put_off_guesses'),
      dropped: sum('dropped_source', 'dropped_scanner', 'dropped_ring_full', 'dropped_send'),
      lookups: sum('redirected', 'not_redirected') + this.source.lookups(),
      busyUs: sum('busy_us'),
      commitUs: sum('commit_us'),
      latency,
    };
  }
}

const RATES = ['accepted', 'refreshed', 'challenged', 'refused', 'putOff', 'dropped', 'lookups'] as const;

function between(before: Totals, now: Totals) {
  const seconds = (now.ms - before.ms) / 1000;
  const rates = RATES.map((name) => [name, atLeastNone((now[name] - before[name]) / seconds)]);
  const shardUs = seconds * 1e6 * now.shards;
  const disk = atLeastNone((now.commitUs - before.commitUs) / shardUs);
  const busy = atLeastNone((now.busyUs - before.busyUs) / shardUs);
  const shares = { cpu: atLeastNone(busy - disk), disk };
  return { ...(Object.fromEntries(rates) as Record<(typeof RATES)[number], number>), ...shares };
}

/** A restarted shard counts from zero. */
function atLeastNone(value: number): number {
  return value > 0 ? value : 0;
}
