// /metrics: the shards' counters, under the names that operators know (docs/operating.md lists them). All values come from shared memory; no shard
// is asked, awaited or woken.

import { outcomeOfReason, REASON_NAMES } from '../../core/uas/reasons.ts';
import { COUNTER, COUNTER_NAMES, type CounterName, REFUSED_BY_REASON } from '../../shard/observe/counters.ts';
import {
  BATCH_BOUNDS,
  BATCH_ROW,
  COMMIT_ROW,
  HISTOGRAM_ROW,
  HISTOGRAM_SUM,
  LAG_BOUNDS,
  LAG_ROW,
  latencyRow,
  OUTCOME_ACCEPTED,
  OUTCOME_NAMES,
  SECONDS_BOUNDS,
} from '../../shard/observe/measures.ts';
import type { ShardReading } from '../../shard/observe/shard-reading.ts';
import { TRANSPORT_NAMES } from '../../sip/sources.ts';
import type { FlowCounts } from '../../transport/flow/flows.ts';
import type { CertificateEnd } from '../../transport/node/certificate-end.ts';
import type { DeliveryReport } from '../feed/delivery.ts';
import type { LookupCounts } from '../lookups/lookup-service.ts';
import type { QuotaUsage } from '../process/domain-quotas.ts';
import type { LimitUsage } from '../process/limit-watch.ts';
import type { PushReport } from '../push/push-service.ts';
import type { ProviderReport } from '../users/user-provider.ts';
import type { CensusResult } from './census.ts';
import { Exposition, type HistogramSample, type Labels } from './exposition.ts';
import type { ProcessMeters } from './process-meters.ts';
import { pushMetrics } from './push-metrics.ts';

export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** Values of a scrape beside the shards' own. */
export interface MetricsSource {
  readonly version: string;
  readonly ready: boolean;
  /** Whether an operator has drained the server, or it stops. */
  readonly draining: boolean;
  readonly restarts: number;
  readonly users: number;
  readonly readings: readonly ShardReading[];
  /** Answers to lookups by HTTP. */
  readonly lookups: Readonly<LookupCounts>;
  /** Report of the user provider beside the user store. */
  readonly provider?: ProviderReport | undefined;
  /** Report of the provider that verifies access tokens. */
  readonly issuer?: ProviderReport | undefined;
  /** Reports of the destinations of changes. */
  readonly deliveries?: readonly DeliveryReport[];
  /** Bindings by transport and domain. */
  readonly census?: CensusResult;
  /** Report of wakes by push. */
  readonly pushes?: PushReport | undefined;
  /** As ClockKeeper.jumpS. */
  readonly clockJumpS?: number;
  /** Certificates of the listeners. */
  readonly certificates?: readonly CertificateEnd[];
  /** Absent during the start. */
  readonly flows?: Readonly<FlowCounts> | undefined;
  readonly limits: readonly LimitUsage[];
  /** Use of domains that have a limit. */
  readonly quotas?: readonly QuotaUsage[];
  /** Connections dropped by the admin listener. */
  readonly droppedConnections: number;
  /** Bytes of history entries that are not on disk. */
  readonly historyLostBytes: number;
  /** Bytes of the stores, by shard. */
  readonly storeBytes: readonly number[];
}

type Sample = readonly [Labels, number];

/** @param more adds further families */
export function metricsText(source: MetricsSource, meters: ProcessMeters, more?: (out: Exposition) => void): string {
  const out = new Exposition();
  const { quotas = [] } = source;
  out.gauge('aorta_build_info', 'Version that runs.', [[{ version: source.version }, 1]]);
  out.gauge('aorta_ready', '1 where /readyz answers 200.', [[{}, source.ready ? 1 : 0]]);
  out.gauge('aorta_draining', '1 while /readyz answers 503 for a drain or a stop.', [[{}, source.draining ? 1 : 0]]);
  registrations(out, source.readings);
  if (source.census && source.census.at !== null) census(out, source.census);
  traffic(out, source.readings);
  lookups(out, source);
  if (source.provider) provider(out, source.provider);
  if (source.issuer) issuer(out, source.issuer);
  if (source.deliveries && source.deliveries.length > 0) deliveries(out, source.deliveries);
  if (source.pushes) pushMetrics(out, source.pushes);
  if (source.flows) flows(out, source.flows);
  out.gauge(
    'aorta_limit_used_ratio',
    'Used share of a hard limit; from 0.8 on there is an alarm.',
    source.limits.map(({ limit, share }): Sample => [{ limit }, share]),
  );
  out.gauge(
    'aorta_domain_bindings',
    'Bindings of domains that have a limit.',
    quotas.map(({ domain, used }): Sample => [{ domain }, used]),
  );
  out.gauge(
    'aorta_domain_bindings_max',
    'Limit of bindings by domain; from 0.8 of it on there is an alarm.',
    quotas.map(({ domain, max }): Sample => [{ domain }, max]),
  );
  out.gauge(
    'aorta_clock_jump_seconds',
    "Jump of the machine's clock ahead of the time of bindings, or back; 0: none.",
    [[{}, source.clockJumpS ?? 0]],
  );
  out.gauge(
    'aorta_certificate_expires_in_seconds',
    'Seconds until a certificate that a listener shows ends; below 0: it has.',
    (source.certificates ?? []).map(({ file, endsAt }): Sample => [{ file }, Math.round((endsAt - Date.now()) / 1000)]),
  );
  out.counter('aorta_admin_connections_dropped_total', 'Connections to this listener closed for others.', [
    [{}, source.droppedConnections],
  ]);
  out.counter('aorta_history_lost_bytes_total', 'Changes of bindings that the history on disk lacks, in bytes.', [
    [{}, source.historyLostBytes],
  ]);
  shards(out, source);
  histograms(out, source.readings);
  meters.write(out);
  more?.(out);
  return out.toString();
}

function deliveries(out: Exposition, reports: readonly DeliveryReport[]): void {
  const by = (value: (report: DeliveryReport) => number): Sample[] =>
    reports.map((report) => [{ to: report.to }, value(report)]);
  out.counter(
    'aorta_feed_delivered_total',
    'Changes of bindings that were taken.',
    by(({ delivered }) => delivered),
  );
  out.counter(
    'aorta_feed_failures_total',
    'Attempts to send changes that failed.',
    by(({ failures }) => failures),
  );
  out.counter(
    'aorta_feed_gaps_total',
    'How often changes were removed before they were sent.',
    by(({ gaps }) => gaps),
  );
  out.gauge(
    'aorta_feed_breaker_open',
    '1 while attempts are made seldom, for many have failed.',
    by(({ open }) => +open),
  );
  out.gauge(
    'aorta_feed_lag_seconds',
    'Age of the oldest change that waits to be sent.',
    by(({ lagS }) => lagS),
  );
}

/** A counter over all shards. */
export function totalOf(readings: readonly ShardReading[], index: number): number {
  return readings.reduce((sum, { counters }) => sum + counters[index], 0);
}

/** Row of a histogram over all shards: a count for each bucket, the sum last. */
export function histogramOf(readings: readonly ShardReading[], row: number): Float64Array {
  const total = new Float64Array(HISTOGRAM_ROW);
  for (const { measures } of readings)
    for (let i = 0; i < HISTOGRAM_ROW; i++) total[i] += measures[row * HISTOGRAM_ROW + i];
  return total;
}

function registrations(out: Exposition, readings: readonly ShardReading[]): void {
  const named = (names: readonly CounterName[], label: string): Sample[] =>
    names.map((name) => [{ [label]: name }, totalOf(readings, COUNTER[name])]);
  const refused = REASON_NAMES.flatMap((reason, code): Sample[] => {
    const count = totalOf(readings, REFUSED_BY_REASON + code);
    const shown = reason !== 'unspecified' || count > 0;
    return shown ? [[{ outcome: outcomeOfReason(reason), reason }, count]] : [];
  });
  out.counter('aorta_registrations_total', 'Final answers to REGISTER, retransmissions aside, by outcome and reason.', [
    [{ outcome: 'accepted', reason: '' }, totalOf(readings, COUNTER.ok)],
    ...refused,
  ]);
  out.counter(
    'aorta_binding_changes_total',
    'Bindings added, renewed, removed by their clients, evicted, expired, and removed with their connection.',
    named(['registered', 'refreshed', 'unregistered', 'evicted', 'expired', 'flow_ended'], 'change'),
  );
  out.counter('aorta_queries_total', 'REGISTERs without Contact that were answered 200.', [
    [{}, totalOf(readings, COUNTER.fetched)],
  ]);
  out.gauge('aorta_subscriptions', 'Subscriptions to registrations there are.', [
    [{}, totalOf(readings, COUNTER.subscriptions)],
  ]);
  out.counter('aorta_subscribes_total', 'SUBSCRIBEs that were answered 200.', [
    [{}, totalOf(readings, COUNTER.subscribed)],
  ]);
  out.counter('aorta_notifies_total', 'NOTIFYs sent, sent again, refused, and never answered.', [
    [{ result: 'sent' }, totalOf(readings, COUNTER.notified)],
    [{ result: 'resent' }, totalOf(readings, COUNTER.notify_resent)],
    [{ result: 'refused' }, totalOf(readings, COUNTER.notify_refused)],
    [{ result: 'timeout' }, totalOf(readings, COUNTER.notify_timeouts)],
  ]);
  out.gauge('aorta_pinged_contacts', 'Contacts that are pinged.', [[{}, totalOf(readings, COUNTER.pinged_contacts)]]);
  out.counter('aorta_pings_total', 'Pings of contacts sent, answered and lost; bindings removed; contacts left out.', [
    [{ result: 'sent' }, totalOf(readings, COUNTER.pings_sent)],
    [{ result: 'answered' }, totalOf(readings, COUNTER.pings_answered)],
    [{ result: 'lost' }, totalOf(readings, COUNTER.pings_lost)],
    [{ result: 'removed' }, totalOf(readings, COUNTER.pings_removed)],
    [{ result: 'left_out' }, totalOf(readings, COUNTER.pings_left_out)],
  ]);
  out.gauge('aorta_contacts', 'Bindings there are.', [[{}, totalOf(readings, COUNTER.bindings)]]);
  out.gauge('aorta_aors', 'Addresses-of-record that have bindings.', [[{}, totalOf(readings, COUNTER.aors)]]);
}

function census(out: Exposition, { transports, domains }: CensusResult): void {
  const samples = (counts: Readonly<Record<string, number>>, label: string): Sample[] =>
    Object.entries(counts).map(([name, count]) => [{ [label]: name }, count]);
  out.gauge(
    'aorta_contacts_by_transport',
    'Bindings by transport, counted now and then.',
    samples(transports, 'transport'),
  );
  out.gauge(
    'aorta_contacts_by_domain',
    'Bindings of the 50 largest domains, counted now and then; of all others together: "".',
    samples(domains, 'domain'),
  );
}

function traffic(out: Exposition, readings: readonly ShardReading[]): void {
  const byPrefix = (prefix: string, label: string): Sample[] =>
    COUNTER_NAMES.flatMap((name): Sample[] =>
      name.startsWith(prefix) ? [[{ [label]: name.slice(prefix.length) }, totalOf(readings, COUNTER[name])]] : [],
    );
  const one = (name: CounterName): Sample[] => [[{}, totalOf(readings, COUNTER[name])]];
  out.counter('aorta_messages_received_total', 'Messages taken in from the network.', one('received'));
  out.counter(
    'aorta_messages_dropped_total',
    'Messages that drew no answer, by reason.',
    byPrefix('dropped_', 'reason'),
  );
  out.counter(
    'aorta_responses_total',
    'Refusals to requests of any method, by status.',
    byPrefix('answered_', 'status'),
  );
  out.counter(
    'aorta_header_rows_ignored_total',
    'Malformed header rows that nobody needs, passed over.',
    one('ignored_rows'),
  );
  out.counter('aorta_retransmissions_total', 'Requests answered again from memory.', one('absorbed'));
  out.counter('aorta_stun_keep_alives_total', 'STUN keep-alives answered.', one('stun'));
  out.counter(
    'aorta_requests_put_off_total',
    'Answers 503 with Retry-After, by reason.',
    byPrefix('put_off_', 'reason'),
  );
  out.counter('aorta_commits_total', 'Transactions of the location store.', one('commits'));
  out.counter(
    'aorta_commit_failures_total',
    'Transactions that failed; their requests drew 503.',
    one('commit_failures'),
  );
  out.gauge('aorta_commits_failing', '1 while the last transactions failed.', one('commits_failing'));
  out.counter('aorta_load_failures_total', 'Records that could not be read.', one('load_failures'));
  out.gauge('aorta_quarantined_records', 'Damaged records set aside since the start.', one('quarantined'));
  out.counter('aorta_scrubbed_bytes_total', 'Of the log, read through once a day.', one('scrubbed_bytes'));
  out.counter('aorta_scrubbed_damaged_total', 'Damaged places met then.', one('scrubbed_damaged'));
}

function provider(out: Exposition, { isUp, counts }: ProviderReport): void {
  out.gauge('aorta_user_provider_up', '0 while the provider of users is left alone after failures.', [
    [{}, isUp ? 1 : 0],
  ]);
  out.counter(
    'aorta_user_provider_answers_total',
    'Questions to the provider of users: user found, none there, or no answer that can be used.',
    Object.entries(counts).map(([result, count]): Sample => [{ result }, count]),
  );
}

function issuer(out: Exposition, { isUp, counts }: ProviderReport): void {
  out.gauge('aorta_token_issuer_up', '0 while the issuer of access tokens is left alone after failures.', [
    [{}, isUp ? 1 : 0],
  ]);
  out.counter(
    'aorta_token_answers_total',
    'Access tokens that were looked at: good (found), not good (none), or nobody could tell (failed).',
    Object.entries(counts).map(([result, count]): Sample => [{ result }, count]),
  );
}

function lookups(out: Exposition, { readings, lookups: byHttp }: MetricsSource): void {
  out.counter('aorta_lookups_total', 'Lookups of users: contacts found, none there, or no address-of-record of ours.', [
    [{ protocol: 'sip', outcome: 'found' }, totalOf(readings, COUNTER.redirected)],
    [{ protocol: 'sip', outcome: 'nobody' }, totalOf(readings, COUNTER.not_redirected)],
    [{ protocol: 'http', outcome: 'found' }, byHttp.found],
    [{ protocol: 'http', outcome: 'nobody' }, byHttp.nobody],
    [{ protocol: 'http', outcome: 'refused' }, byHttp.refused],
  ]);
}

function flows(out: Exposition, counts: Readonly<FlowCounts>): void {
  const {
    openBy,
    openedBy,
    refusedTotal,
    refusedSource,
    refusedDescriptors,
    idle,
    slow,
    unread,
    notSip,
    badFrame,
    crowded,
  } = counts;
  const byTransport = (values: readonly number[]): Sample[] =>
    TRANSPORT_NAMES.slice(1).map((transport, i) => [{ transport }, values[i + 1]]);
  out.gauge('aorta_flows', 'Connections of phones that stand, by transport.', byTransport(openBy));
  out.counter('aorta_flows_opened_total', 'Connections taken, by transport.', byTransport(openedBy));
  out.counter('aorta_flows_refused_total', 'Connections closed at once, for there were too many.', [
    [{ reason: 'too_many' }, refusedTotal],
    [{ reason: 'too_many_from_source' }, refusedSource],
    [{ reason: 'descriptors' }, refusedDescriptors],
  ]);
  out.counter('aorta_flows_closed_total', 'Connections that Aorta ended, by reason.', [
    [{ reason: 'idle' }, idle],
    [{ reason: 'slow_message' }, slow],
    [{ reason: 'answers_not_read' }, unread],
    [{ reason: 'not_sip' }, notSip],
    [{ reason: 'bad_frame' }, badFrame],
    [{ reason: 'half_messages' }, crowded],
  ]);
  out.counter('aorta_tls_handshake_failures_total', 'TLS handshakes that failed.', [[{}, counts.tlsFailed]]);
  out.counter('aorta_flow_keep_alives_total', 'Keep-alives (double CRLF) over connections.', [[{}, counts.pings]]);
  out.counter('aorta_flow_skipped_bytes_total', 'Bytes between messages of connections that were neither.', [
    [{}, counts.skippedBytes],
  ]);
}

function shards(out: Exposition, source: MetricsSource): void {
  const each = (value: (reading: ShardReading) => number): Sample[] =>
    source.readings.map((reading, shard) => [{ shard }, value(reading)]);
  const counter = (name: CounterName) => each(({ counters }) => counters[COUNTER[name]]);
  out.gauge(
    'aorta_shard_up',
    '1 while the shard serves.',
    each(({ open }) => (open ? 1 : 0)),
  );
  out.counter('aorta_shard_restarts_total', 'Shards that died and were started again.', [[{}, source.restarts]]);
  out.gauge('aorta_shard_contacts', 'Bindings of the shard.', counter('bindings'));
  out.counter('aorta_shard_messages_total', 'Messages the shard took in.', counter('received'));
  out.counter('aorta_shard_forwarded_total', 'Messages it handed to the shard of their AOR.', counter('forwarded'));
  out.counter('aorta_shard_loops_total', 'Passes of its loop: one a second at least.', counter('loops'));
  out.counter(
    'aorta_shard_busy_seconds_total',
    'Time spent on batches, commits included.',
    each(({ counters }) => counters[COUNTER.busy_us] / 1e6),
  );
  out.counter(
    'aorta_shard_commit_seconds_total',
    'Of the busy time, waiting for the disk.',
    each(({ counters }) => counters[COUNTER.commit_us] / 1e6),
  );
  out.gauge('aorta_shard_transactions', 'Transactions whose answers are kept (Timer J).', counter('transactions'));
  out.gauge(
    'aorta_ring_bytes',
    'Bytes that wait in the rings to the shard.',
    each(({ ringBytes }) => ringBytes),
  );
  out.gauge(
    'aorta_ring_capacity_bytes',
    'Capacity of them in bytes.',
    each(({ ringCapacity }) => ringCapacity),
  );
  out.gauge(
    'aorta_store_bytes',
    'Size of the location store on disk.',
    source.storeBytes.map((bytes, shard): Sample => [{ shard }, bytes]),
  );
  out.gauge('aorta_users', 'Users in the user store.', [[{}, source.users]]);
}

function histograms(out: Exposition, readings: readonly ShardReading[]): void {
  const sample = (row: number, bounds: ArrayLike<number>, labels: Labels = {}): HistogramSample => {
    const values = histogramOf(readings, row);
    return { labels, bounds, counts: values.subarray(0, HISTOGRAM_SUM), sum: values[HISTOGRAM_SUM] };
  };
  const latencies = OUTCOME_NAMES.flatMap((outcome, o) =>
    TRANSPORT_NAMES.flatMap((transport, t) => {
      const found = sample(latencyRow(o, t), SECONDS_BOUNDS, { outcome, transport });
      const always = o === OUTCOME_ACCEPTED && t === 0; // so that rules find a series before the first registration
      return always || Array.from(found.counts).some((count) => count > 0) ? [found] : [];
    }),
  );
  out.histogram(
    'aorta_request_duration_seconds',
    'From taking a request in to its answer leaving, the commit included.',
    latencies,
  );
  out.histogram('aorta_batch_messages', 'Messages of a batch.', [sample(BATCH_ROW, BATCH_BOUNDS)]);
  out.histogram('aorta_commit_duration_seconds', 'Time of a commit.', [sample(COMMIT_ROW, SECONDS_BOUNDS)]);
  out.histogram('aorta_expiry_lag_seconds', 'From a binding running out to its removal.', [
    sample(LAG_ROW, LAG_BOUNDS),
  ]);
}
