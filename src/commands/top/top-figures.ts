// Figures of `aorta top`: two samples of a server and their differences, and the past that the server keeps.

import type { AdminClient } from '../terminal/admin-client.ts';
import { refusalsIn } from '../terminal/refusals.ts';

export interface Sample {
  readonly at: number;
  readonly status: {
    readonly ready: boolean;
    readonly problems: readonly string[];
    readonly uptimeSeconds: number;
    readonly connections: Readonly<Record<string, number>>;
    readonly limits: readonly { readonly limit: string; readonly share: number }[];
  };
  readonly counters: Readonly<Record<string, number>>;
  readonly shards: readonly Readonly<Record<string, number>>[];
  readonly topSenders: TopSenders;
  readonly latency: { readonly boundsSeconds: number[]; readonly rows: { outcome: string; counts: number[] }[] };
}

export interface TopSenders {
  readonly sources: readonly TopSender[];
  readonly aors: readonly TopSender[];
}

export interface TopSender {
  readonly name: string;
  readonly perSecond: number;
  readonly refusedPerSecond: number;
}

export interface ShardFigures {
  readonly shard: number;
  readonly bindings: number;
  readonly perSecond: number;
  readonly busyPercent: number;
  /** Share of waits for the disk. */
  readonly diskPercent: number;
  readonly ringBytes: number;
}

export interface Figures {
  readonly bindings: number;
  readonly aors: number;
  readonly perSecond: Readonly<Record<string, number>>;
  readonly latencyMs: Readonly<Record<string, number | null>>;
  readonly shards: readonly ShardFigures[];
  /** Rates per second, by reason, the most frequent first. */
  readonly refusals: Readonly<Record<string, number>>;
  /** Senders of the last seconds, independent of the interval. */
  readonly topSenders: TopSenders;
}

/** Values by the second, oldest first. */
export interface Past {
  readonly accepted: readonly number[];
  readonly refused: readonly number[];
  readonly disk: readonly number[];
  readonly p99: readonly (number | null)[];
}

const RATES = [
  'received',
  'ok',
  'registered',
  'refreshed',
  'unregistered',
  'expired',
  'refused',
  'absorbed',
  'commits',
  'put_off_new',
];

/** @param senders how many of each kind to read */
export async function look(client: AdminClient, senders: number): Promise<Sample> {
  const [status, counters, { items }, latency, topSenders] = await Promise.all([
    client.get<Sample['status']>('/v1/status'),
    client.get<Sample['counters']>('/v1/counters'),
    client.get<{ items: Sample['shards'] }>('/v1/shards?limit=1000'),
    client.get<Sample['latency']>('/v1/latency'),
    client.get<TopSenders>(`/v1/top-senders?limit=${senders}`),
  ]);
  return { at: performance.now(), status, counters, shards: items, latency, topSenders };
}

export async function lookBack(client: AdminClient): Promise<Past> {
  const { series, boundsSeconds, latency } = await client.get<{
    series: Record<'accepted' | 'refused' | 'disk', number[]>;
    boundsSeconds: number[];
    latency: number[][];
  }>('/v1/timeline?range=5m');
  return { ...series, p99: latency.map((counts) => percentile(counts, boundsSeconds, 0.99)) };
}

export function figures(before: Sample, now: Sample): Figures {
  const seconds = (now.at - before.at) / 1000;
  const rate = (name: string) => ((now.counters[name] ?? 0) - (before.counters[name] ?? 0)) / seconds;
  const { challenged, refused } = refusalsIn(now.counters, rate);
  const rates = { ...Object.fromEntries(RATES.map((name) => [name, rate(name)])), challenged };
  const accepted = countsOf(now.latency).map((count, i) => count - (countsOf(before.latency)[i] ?? 0));
  const at = (part: number) => percentile(accepted, now.latency.boundsSeconds, part);
  return {
    bindings: now.counters.bindings,
    aors: now.counters.aors,
    perSecond: { ...rates, refused: Math.max(0, rate('refused') - challenged) },
    latencyMs: { p50: at(0.5), p95: at(0.95), p99: at(0.99) },
    shards: now.shards.map((shard, i) => shardFigures(before.shards[i] ?? shard, shard, seconds)),
    refusals: Object.fromEntries(refused),
    topSenders: now.topSenders,
  };
}

function shardFigures(before: Sample['shards'][number], now: Sample['shards'][number], seconds: number): ShardFigures {
  const rate = (name: string) => (now[name] - before[name]) / seconds;
  return {
    shard: now.shard,
    bindings: now.bindings,
    perSecond: rate('received'),
    busyPercent: rate('busySeconds') * 100,
    diskPercent: rate('commitSeconds') * 100,
    ringBytes: now.ringBytes,
  };
}

/** Accepted registrations by bucket, over all transports. */
function countsOf({ rows, boundsSeconds }: Sample['latency']): number[] {
  const total = Array.from({ length: boundsSeconds.length + 1 }, () => 0);
  for (const { outcome, counts } of rows) {
    if (outcome !== 'accepted') continue;
    for (const [i, count] of counts.entries()) total[i] += count;
  }
  return total;
}

/** Upper bound of the percentile's bucket, in ms; null without values. */
function percentile(counts: readonly number[], bounds: readonly number[], part: number): number | null {
  const all = counts.reduce((sum, count) => sum + count, 0);
  if (all === 0) return null;
  let seen = 0;
  const bucket = counts.findIndex((count) => {
    seen += count;
    return seen >= all * part;
  });
  return (bounds[bucket] ?? Number.POSITIVE_INFINITY) * 1000;
}
