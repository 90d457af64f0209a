// Routes about the server itself: version and state, counters, configuration; reload and drain.

import * as z from 'zod';
import { COUNTER, COUNTER_NAMES } from '../../shard/observe/counters.ts';
import { HISTOGRAM_SUM, latencyRow, OUTCOME_NAMES, SECONDS_BOUNDS } from '../../shard/observe/measures.ts';
import type { ShardReading } from '../../shard/observe/shard-reading.ts';
import type { TopSenderLists } from '../../shard/observe/top-senders-reader.ts';
import { TRANSPORT_NAMES } from '../../sip/sources.ts';
import type { Config } from '../config/config.ts';
import { effectiveConfig } from '../config/effective-config.ts';
import { formatListenAddress } from '../config/listener-text.ts';
import type { ReloadReport } from '../config/reload.ts';
import type { Routes } from '../http/route.ts';
import type { Census } from '../metrics/census.ts';
import { histogramOf, totalOf } from '../metrics/metrics.ts';
import type { QuotaUsage } from '../process/domain-quotas.ts';
import type { LimitUsage } from '../process/limit-watch.ts';
import { packageVersion } from '../process/package-version.ts';
import type { Health } from './health.ts';
import { pageOf, pageQuery, pageSchema } from './paging.ts';

export interface ServerAccess {
  config(): Config;
  readonly health: Health;
  readonly census: Census;
  /** Empty during the start. */
  readings(): readonly ShardReading[];
  /** Throws a Problem during the start. */
  counts(): readonly ShardReading[];
  listen(): readonly Parameters<typeof formatListenAddress>[0][];
  restarts(): number;
  users(): number;
  topSenders(max: number): TopSenderLists;
  /** Used share of each hard limit. */
  limits(): readonly LimitUsage[];
  /** Open connections, by transport. */
  connections(): Readonly<Record<string, number>>;
  /** Bindings of domains that have a limit. */
  quotas(): readonly QuotaUsage[];
  /** Reads the configuration again and applies the changeable part. Throws a Problem where that is impossible. */
  reload(): Promise<ReloadReport>;
}

const SHARD_DIGITS = 4;

const talkerSchema = z
  .object({
    name: z.string().describe('IP address, or AOR'),
    perSecond: z.number(),
    refusedPerSecond: z.number(),
  })
  .meta({ id: 'TopSender' });
const counts = z.record(z.string(), z.number());
const shardSchema = z
  .object({
    shard: z.number(),
    up: z.boolean(),
    bindings: z.number(),
    aors: z.number(),
    received: z.number(),
    ok: z.number(),
    refused: z.number(),
    batches: z.number(),
    busySeconds: z.number().describe('on batches, the wait for the disk included'),
    commitSeconds: z.number().describe('of those, waiting for the disk'),
    putOff: z.number().describe('registrations put off by storm control'),
    ringBytes: z.number(),
    ringCapacity: z.number(),
  })
  .meta({ id: 'Shard' });

export function addServerRoutes(routes: Routes, server: ServerAccess): void {
  routes.add({
    name: 'getStatus',
    tag: 'Server',
    method: 'GET',
    path: '/v1/status',
    summary: 'State of the server: version, readiness, listeners, totals',
    response: z
      .object({
        version: z.string(),
        ready: z.boolean(),
        problems: z.array(z.string()),
        uptimeSeconds: z.number(),
        listen: z.array(z.string()),
        domains: z.array(z.string()),
        auth: z.string(),
        shards: z.number(),
        cluster: z.boolean().describe('whether it is a node of one: /v1/cluster'),
        restarts: z.number(),
        bindings: z.number(),
        aors: z.number(),
        users: z.number(),
        draining: z.boolean(),
        connections: counts.describe('connections that stand, by transport'),
        limits: z.array(z.object({ limit: z.string(), used: z.number(), max: z.number(), share: z.number() })),
        quotas: z
          .array(z.object({ domain: z.string(), used: z.number(), max: z.number() }))
          .describe('bindings of domains that have a limit'),
      })
      .meta({ id: 'Status' }),
    handle: () => {
      const readings = server.readings();
      const problems = server.health.problems();
      return {
        version: packageVersion(),
        ready: problems.length === 0,
        problems,
        uptimeSeconds: Math.floor(process.uptime()),
        listen: server.listen().map(formatListenAddress),
        domains: server.config().policy.domains,
        auth: server.config().auth.mode,
        shards: readings.length,
        cluster: server.config().cluster !== undefined,
        restarts: server.restarts(),
        bindings: totalOf(readings, COUNTER.bindings),
        aors: totalOf(readings, COUNTER.aors),
        users: server.users(),
        draining: server.health.drained,
        connections: server.connections(),
        limits: server.limits(),
        quotas: server.quotas(),
      };
    },
  });
  addCounterRoutes(routes, server);
  addConfigRoutes(routes, server);
}

function addConfigRoutes(routes: Routes, server: ServerAccess): void {
  routes.add({
    name: 'getConfig',
    tag: 'Server',
    method: 'GET',
    path: '/v1/config',
    summary: 'The configuration in force, as the file has it; without secrets',
    response: z.record(z.string(), z.unknown()),
    handle: () => effectiveConfig(server.config()),
  });
  routes.add({
    name: 'reload',
    tag: 'Server',
    method: 'POST',
    path: '/v1/reload',
    summary: 'Reads the configuration anew: applies what can be, and lists the keys that need a restart',
    response: z.object({ applied: z.array(z.string()), needRestart: z.array(z.string()) }),
    handle: () => server.reload(),
  });
  routes.add({
    name: 'drain',
    tag: 'Server',
    method: 'POST',
    path: '/v1/drain',
    summary: 'Drains the server: load balancers send nothing more (/readyz: 503), phones are served; false ends it',
    body: z.strictObject({ draining: z.boolean().default(true) }),
    response: z.object({ draining: z.boolean() }),
    handle: ({ body }) => {
      server.health.drained = body.draining;
      return { draining: body.draining };
    },
  });
}

function addCounterRoutes(routes: Routes, server: ServerAccess): void {
  routes.add({
    name: 'getCounters',
    tag: 'Server',
    method: 'GET',
    path: '/v1/counters',
    summary: 'Everything that is counted, over all shards, since the start; bindings and aors: how many there are now',
    response: counts,
    handle: () => {
      const readings = server.counts();
      return Object.fromEntries(COUNTER_NAMES.map((name, i) => [name, totalOf(readings, i)]));
    },
  });
  routes.add({
    name: 'listShards',
    tag: 'Server',
    method: 'GET',
    path: '/v1/shards',
    summary: 'The shards one by one',
    query: z.strictObject(pageQuery),
    response: pageSchema(shardSchema),
    handle: ({ query }) =>
      pageOf(server.readings().map(shardJson), query, ({ shard }) => String(shard).padStart(SHARD_DIGITS, '0')),
  });
  routes.add({
    name: 'getLatency',
    tag: 'Server',
    method: 'GET',
    path: '/v1/latency',
    summary: 'Latency histograms by outcome and transport: counts per bucket since the start',
    response: z
      .object({
        boundsSeconds: z.array(z.number()),
        rows: z.array(
          z.object({ outcome: z.string(), transport: z.string(), counts: z.array(z.number()), sumSeconds: z.number() }),
        ),
      })
      .meta({ id: 'Latency' }),
    handle: () => ({ boundsSeconds: [...SECONDS_BOUNDS], rows: latencies(server.readings()) }),
  });
  routes.add({
    name: 'getTopSenders',
    tag: 'Server',
    method: 'GET',
    path: '/v1/top-senders',
    summary: 'Sources and addresses-of-record with the most messages in the last seconds, estimated from a sample',
    query: z.strictObject({ limit: z.coerce.number().int().min(1).max(100).default(10) }),
    response: z.object({ sources: z.array(talkerSchema), aors: z.array(talkerSchema) }),
    handle: ({ query }) => server.topSenders(query.limit),
  });
  routes.add({
    name: 'getCensus',
    tag: 'Server',
    method: 'GET',
    path: '/v1/census',
    summary: 'Bindings by transport and domain, counted in the background now and then',
    response: z
      .object({
        at: z.number().nullable().describe('when the counting ended, epoch ms; null before the first'),
        bindings: z.number(),
        asleep: z.number().nullable().describe('whose devices sleep, beside those; null: no push is served'),
        transports: counts,
        domains: counts.describe('the largest ones; others together as ""'),
      })
      .meta({ id: 'Census' }),
    handle: () => server.census.latest('page'),
  });
}

function shardJson(
  { counters, ringBytes, ringCapacity, open }: ShardReading,
  shard: number,
): z.output<typeof shardSchema> {
  const { bindings, aors, received, ok, refused, batches } = Object.fromEntries(
    COUNTER_NAMES.map((name, i) => [name, counters[i]]),
  );
  const seconds = { busySeconds: counters[COUNTER.busy_us] / 1e6, commitSeconds: counters[COUNTER.commit_us] / 1e6 };
  const putOff = counters[COUNTER.put_off_new];
  const ring = { ringBytes, ringCapacity };
  return { shard, up: open, bindings, aors, received, ok, refused, batches, ...seconds, putOff, ...ring };
}

function latencies(readings: readonly ShardReading[]): object[] {
  return OUTCOME_NAMES.flatMap((outcome, o) =>
    TRANSPORT_NAMES.flatMap((transport, t) => {
      const values = histogramOf(readings, latencyRow(o, t));
      const counts = [...values.subarray(0, HISTOGRAM_SUM)];
      if (!counts.some((count) => count > 0)) return [];
      return [{ outcome, transport, counts, sumSeconds: values[HISTOGRAM_SUM] }];
    }),
  );
}
