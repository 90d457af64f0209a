// `aorta top`: a running server at a glance, drawn anew every second: rates, latency, shards, refusals by reason, top senders.

import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import { print } from '../server/process/terminal.ts';
import { AdminClient, type AdminOptions, withAdminOptions } from './terminal/admin-client.ts';
import { CommandError, reported } from './terminal/command-action.ts';
import { secondsOf } from './terminal/seconds.ts';
import { textTable } from './terminal/text-table.ts';

interface Sample {
  readonly at: number;
  readonly counters: Readonly<Record<string, number>>;
  readonly shards: readonly Readonly<Record<string, number>>[];
  readonly topSenders: TopSenders;
  readonly latency: { readonly boundsSeconds: number[]; readonly rows: { outcome: string; counts: number[] }[] };
}

interface TopSenders {
  readonly sources: readonly TopSender[];
  readonly aors: readonly TopSender[];
}

interface TopSender {
  readonly name: string;
  readonly perSecond: number;
  readonly refusedPerSecond: number;
}

const REASONS_SHOWN = 8;
const TOP_SENDERS_SHOWN = 5;

export function addTopCommand(root: Command): void {
  withAdminOptions(root.command('top').copyInheritedSettings(root).description('live view of a running server'))
    .option('--interval <s>', 'seconds between two looks', '1')
    .option('--count <n>', 'end after so many looks (default: go on until Ctrl-C)')
    .action(reported(top));
}

async function top(options: AdminOptions & { interval: string; count?: string }): Promise<void> {
  const client = new AdminClient(options);
  const seconds = secondsOf('--interval', options.interval);
  if (!(seconds >= 0.2 && seconds <= 3600)) throw new CommandError('--interval: expected 0.2 to 3600 seconds', 2);
  let before = await look(client);
  for (let n = 0; options.count === undefined || n < Number(options.count); n++) {
    await delay(seconds * 1000);
    const now = await look(client);
    if (options.json) print(`${JSON.stringify(figures(before, now))}\n`);
    else {
      if (process.stdout.isTTY) process.stdout.write('\u001b[H\u001b[2J');
      print(draw(client.url, figures(before, now)));
    }
    before = now;
  }
}

async function look(client: AdminClient): Promise<Sample> {
  const [counters, { items }, latency, topSenders] = await Promise.all([
    client.get<Sample['counters']>('/v1/counters'),
    client.get<{ items: Sample['shards'] }>('/v1/shards'),
    client.get<Sample['latency']>('/v1/latency'),
    client.get<TopSenders>(`/v1/top-senders?limit=${TOP_SENDERS_SHOWN}`),
  ]);
  return { at: performance.now(), counters, shards: items, latency, topSenders };
}

interface Figures {
  readonly bindings: number;
  readonly aors: number;
  readonly perSecond: Readonly<Record<string, number>>;
  readonly latencyMs: Readonly<Record<string, number | null>>;
  readonly shards: readonly {
    shard: number;
    bindings: number;
    perSecond: number;
    busyPercent: number;
    ringBytes: number;
  }[];
  readonly refusals: Readonly<Record<string, number>>;
  /** Of the last seconds, whatever the interval. */
  readonly topSenders: TopSenders;
}

function figures(before: Sample, now: Sample): Figures {
  const seconds = (now.at - before.at) / 1000;
  const rate = (name: string) => ((now.counters[name] ?? 0) - (before.counters[name] ?? 0)) / seconds;
  const names = [
    'received',
    'ok',
    'registered',
    'refreshed',
    'unregistered',
    'expired',
    'refused',
    'absorbed',
    'commits',
  ];
  const refusals = Object.keys(now.counters)
    .filter((name) => name.startsWith('refused_') && rate(name) > 0)
    .map((name): [string, number] => [name.slice('refused_'.length), rate(name)])
    .sort(([, a], [, b]) => b - a);
  const accepted = countsOf(now.latency).map((count, i) => count - (countsOf(before.latency)[i] ?? 0));
  const at = (part: number) => percentile(accepted, now.latency.boundsSeconds, part);
  return {
    bindings: now.counters.bindings,
    aors: now.counters.aors,
    perSecond: Object.fromEntries(names.map((name) => [name, rate(name)])),
    latencyMs: { p50: at(0.5), p95: at(0.95), p99: at(0.99) },
    shards: now.shards.map(({ shard, bindings, received, busySeconds, ringBytes }, i) => ({
      shard,
      bindings,
      perSecond: (received - before.shards[i].received) / seconds,
      busyPercent: ((busySeconds - before.shards[i].busySeconds) / seconds) * 100,
      ringBytes,
    })),
    refusals: Object.fromEntries(refusals.slice(0, REASONS_SHOWN)),
    topSenders: now.topSenders,
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

/** Upper bound of the bucket that holds it, in ms; null without values. */
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

function draw(url: string, { bindings, aors, perSecond, latencyMs, shards, refusals, topSenders }: Figures): string {
  const n = (value: number) => Math.round(value).toLocaleString('en-US');
  const ms = (value: number | null) => (value === null ? '-' : `≤${value} ms`);
  const rates = Object.entries(perSecond).map(([name, value]) => [name, n(value)]);
  return [
    `${url}  ${n(bindings)} bindings  ${n(aors)} AORs  latency p50 ${ms(latencyMs.p50)}  p95 ${ms(latencyMs.p95)}  p99 ${ms(latencyMs.p99)}\n\n`,
    textTable([['', 'per second'], ...rates]),
    '\n',
    textTable([
      ['shard', 'bindings', 'messages/s', 'busy', 'ring bytes'],
      ...shards.map((s) => [
        String(s.shard),
        n(s.bindings),
        n(s.perSecond),
        `${s.busyPercent.toFixed(0)}%`,
        n(s.ringBytes),
      ]),
    ]),
    ...(Object.keys(refusals).length > 0
      ? [
          '\n',
          textTable([
            ['refused because', 'per second'],
            ...Object.entries(refusals).map(([name, value]) => [name, n(value)]),
          ]),
        ]
      : []),
    topSenderTable('source', topSenders.sources, n),
    topSenderTable('address-of-record', topSenders.aors, n),
  ].join('');
}

function topSenderTable(title: string, topSenders: readonly TopSender[], n: (value: number) => string): string {
  if (topSenders.length === 0) return '';
  const rows = topSenders.map(({ name, perSecond, refusedPerSecond }) => [name, n(perSecond), n(refusedPerSecond)]);
  return `\n${textTable([[title, 'messages/s, about', 'refused/s'], ...rows])}`;
}
