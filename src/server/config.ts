// The configuration: its fields, defaults, ranges, and the one way from raw values (file and flags) to a checked Config.
// Where the values come from, and how a place in a file is named, is config-file.ts and cli.ts.

import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { type AbusePolicy, DEFAULT_ABUSE_POLICY } from '../registrar/abuse-policy.ts';
import { DEFAULT_POLICY, type Policy } from '../registrar/policy.ts';
import { ANSWER_RING_BYTES_MIN } from '../registrar/transactions.ts';
import { BINDINGS_MAX } from '../registrar/working-bindings.ts';
import { CHECKPOINT_BYTES } from '../shard/checkpoints.ts';
import { MESSAGE_BYTES_MAX } from '../sip/slab.ts';
import type { ListenAddress } from '../transport/listen-address.ts';
import type { MulticastAddress } from '../transport/multicast.ts';
import { DEFAULT_STREAM_POLICY, type StreamPolicy } from '../transport/stream-policy.ts';
import type { TlsFiles } from '../transport/tls-files.ts';
import type { WebSocketPolicy } from '../transport/websocket-policy.ts';
import { abuseKeys, abuseSchema, fillAbuse } from './abuse-config.ts';
import { type AdminConfig, adminFaults, adminKeys, adminSchema, fillAdmin } from './admin-config.ts';
import { type AuthConfig, authFaults, authKeys, authSchema, DEFAULT_AUTH, fillAuth } from './auth-config.ts';
import { choice, integer, listOf, section, text, yesOrNo } from './config-values.ts';
import { DEFAULT_DRAIN, type DrainConfig, drainKeys, drainSchema, fillDrain } from './drain-config.ts';
import { fillHep, type HepConfig, hepKeys, hepSchema } from './hep-config.ts';
import { associatedUrisSchema, serviceRouteSchema, withLowerHosts } from './home-config.ts';
import { formatListenAddress, isLoopback, parseListenAddress } from './listen-address.ts';
import { fillLookup, fillLookupHttp, type HttpAddress, lookupKeys, lookupSchema } from './lookup-config.ts';
import { fillMulticast, multicastKeys, multicastSchema } from './multicast-config.ts';
import { nearest } from './nearest.ts';
import { parserKeys, parserSchema } from './parser-config.ts';
import {
  connectionsKeys,
  connectionsSchema,
  fillStreams,
  fillTls,
  tlsFaults,
  tlsKeys,
  tlsSchema,
} from './stream-config.ts';
import { fillWebSocket, webSocketKeys, webSocketSchema } from './websocket-config.ts';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** Everything a server needs to know to start. */
export interface Config {
  /** At least one, no address twice. */
  readonly listen: readonly ListenAddress[];
  /** The data directory; made if missing. */
  readonly data: string;
  /** Shard threads, 1 to 64. Absent: as many as the data directory was made for; for a new one, one per core. */
  readonly shards?: number;
  /** Who may register. Mode `none` trusts every client, and so is for loopback addresses only. */
  readonly auth: AuthConfig;
  readonly abuse: AbusePolicy;
  /** Lifts that restriction. */
  readonly allowUnauthenticated: boolean;
  /** `durable`: on disk before the 200 OK. `process`: survives a crash of the process, not of the machine. */
  readonly durability: 'durable' | 'process';
  /** `auto`: the kernel's batch calls where they are to be had, else as `dgram`: Node's own sockets. */
  readonly udp: 'auto' | 'dgram';
  /** Where lookups are answered by HTTP; elsewhere than on loopback with the token of the data directory. */
  readonly lookupHttp: readonly HttpAddress[];
  /** A shard's log grows by at least so many bytes between two checkpoints. */
  readonly checkpointBytes: number;
  readonly logLevel: LogLevel;
  /** The admin listener: API, metrics, health, dashboard. Absent: none. */
  readonly admin?: AdminConfig;
  /** How it goes down. */
  readonly drain: DrainConfig;
  /** Copies of messages for a capture server (HOMER). */
  readonly hep?: HepConfig;
  readonly policy: Policy;
  /** Limits of connections. */
  readonly streams: StreamPolicy;
  readonly webSocket: WebSocketPolicy;
  /** A multicast group to take registrations from as well. */
  readonly multicast?: MulticastAddress;
  /** For listeners with TLS. */
  readonly tls?: TlsFiles;
}

const SHARDS_MAX = 64;

/** Shard threads for a new data directory where none are asked for: one per core. */
export const DEFAULT_SHARDS = Math.min(SHARDS_MAX, availableParallelism());

export const DEFAULT_CONFIG: Config = {
  listen: [
    { transport: 'udp', host: '127.0.0.1', port: 5060 },
    { transport: 'tcp', host: '127.0.0.1', port: 5060 },
  ],
  data: './data',
  auth: DEFAULT_AUTH,
  abuse: DEFAULT_ABUSE_POLICY,
  allowUnauthenticated: false,
  durability: 'durable',
  checkpointBytes: CHECKPOINT_BYTES,
  udp: 'auto',
  lookupHttp: [],
  drain: DEFAULT_DRAIN,
  logLevel: 'info',
  // A server whose phones all refresh in the same minute has built its own storm.
  policy: { ...DEFAULT_POLICY, expiresJitterPercent: 10 },
  streams: DEFAULT_STREAM_POLICY,
  webSocket: fillWebSocket({}, false),
};

/** What is wrong with a configuration: one line for each problem, each with the place it stands at. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}

/** Raw values by configuration key, and how a person finds the place of each. */
export interface ConfigSource {
  /** As in the file: `listen`, `policy.min-expires` is `{ policy: { 'min-expires': … } }`. */
  readonly values: Readonly<Record<string, unknown>>;
  /** Names the place of a value, e.g. `aorta.yaml:3:9: policy.min-expires` or `--min-expires`. */
  where(path: readonly PropertyKey[], unknownKey?: boolean): string;
}

const SECONDS_MAX = 2 ** 31 - 1;

/** The configuration file, and the flags in its shape. */
const schema = z.strictObject({
  listen: listOf(parseListenAddress).optional(),
  domains: listOf(parseDomain).optional(),
  'service-route': serviceRouteSchema.optional(),
  'associated-uris': associatedUrisSchema.optional(),
  data: text.optional(),
  shards: integer(1, SHARDS_MAX).optional(),
  auth: authSchema.optional(),
  abuse: abuseSchema.optional(),
  websocket: webSocketSchema.optional(),
  connections: connectionsSchema.optional(),
  tls: tlsSchema.optional(),
  admin: adminSchema.optional(),
  lookup: lookupSchema.optional(),
  'allow-unauthenticated': yesOrNo.optional(),
  durability: choice('durable', 'process').optional(),
  udp: choice('auto', 'dgram').optional(),
  'log-level': choice('trace', 'debug', 'info', 'warn', 'error', 'silent').optional(),
  multicast: multicastSchema.optional(),
  drain: drainSchema.optional(),
  hep: hepSchema.optional(),
  parser: parserSchema.optional(),
  policy: z
    .strictObject(
      {
        'default-expires': integer(1, SECONDS_MAX).optional(),
        'min-expires': integer(1, SECONDS_MAX).optional(),
        'max-expires': integer(1, SECONDS_MAX).optional(),
        'expires-jitter': integer(0, 90).optional(),
        'contacts-per-aor': integer(1, BINDINGS_MAX).optional(),
        'overload-target-ms': integer(0, 60_000).optional(),
        'retry-after-max': integer(1, 3600).optional(),
        'contacts-overflow': choice('reject', 'evict-oldest').optional(),
        'flow-grace': integer(0, 86_400).optional(),
        path: choice('lazy', 'strict', 'off').optional(),
        outbound: choice('on', 'off', 'required').optional(),
        'flow-timer': integer(0, 86_400).optional(),
        gruu: choice('on', 'off').optional(),
        'history-refreshes': yesOrNo.optional(),
        'gruu-generation': integer(0, 1 << 30).optional(),
        warning: yesOrNo.optional(),
      },
      section,
    )
    .optional(),
  limits: z
    .strictObject(
      {
        'aor-bytes': integer(16, 1024).optional(),
        'contact-bytes': integer(64, 4096).optional(),
        'path-bytes': integer(256, 16_384).optional(),
        'call-id-bytes': integer(32, 1024).optional(),
        'message-bytes': integer(512, MESSAGE_BYTES_MAX).optional(),
        'timer-j-ms': integer(1000, 600_000).optional(),
        transactions: integer(1024, 1 << 24).optional(),
        'answer-bytes': integer(ANSWER_RING_BYTES_MIN, 1 << 30).optional(),
        'history-bytes': integer(0, 1 << 30).optional(),
        'checkpoint-bytes': integer(1 << 16, 2 ** 40).optional(),
      },
      section,
    )
    .optional(),
});

type Raw = z.output<typeof schema>;

/** Checks each source and merges them, the later ones winning. Throws a ConfigError. */
export function createConfig(sources: readonly ConfigSource[]): Config {
  const problems: string[] = [];
  const raws = sources.map((source) => checkSource(source, problems));
  if (problems.length > 0) throw new ConfigError(problems);

  const merged: Raw = {};
  for (const raw of raws) {
    Object.assign(merged, raw, {
      policy: { ...merged.policy, ...raw.policy },
      limits: { ...merged.limits, ...raw.limits },
      auth: { ...merged.auth, ...raw.auth },
      abuse: { ...merged.abuse, ...raw.abuse },
      websocket: { ...merged.websocket, ...raw.websocket },
      tls: { ...merged.tls, ...raw.tls },
      connections: { ...merged.connections, ...raw.connections },
      ...((merged.admin ?? raw.admin) && { admin: { ...merged.admin, ...raw.admin } }),
      drain: { ...merged.drain, ...raw.drain },
      lookup: { ...merged.lookup, ...raw.lookup },
      parser: { ...merged.parser, ...raw.parser },
    });
  }
  const place = (path: readonly string[], fallback: string): string => {
    for (let i = raws.length - 1; i >= 0; i--) if (at(raws[i], path) !== undefined) return sources[i].where(path);
    return fallback;
  };
  const config = fill(merged, place, problems);
  problems.push(...refusals(config, place));
  if (problems.length > 0) throw new ConfigError(problems);
  return config;
}

/** What a whole Config must hold to, beyond its fields: used for one that a program made itself, too. */
export function refusals(
  config: Config,
  place: (path: readonly string[], fallback: string) => string = (path, fallback) => path.join('.') || fallback,
): string[] {
  const faults = (key: string, found: [string[], string][]) =>
    found.map(([path, fault]) => `${place([key, ...path], [key, ...path].join('.'))}: ${fault}`);
  const problems = [...faults('auth', authFaults(config.auth)), ...faults('admin', adminFaults(config.admin))];
  problems.push(...tlsFaults(config.tls).map(([key, fault]) => `${place(['tls', key], `tls.${key}`)}: ${fault}`));
  const seen = new Set<string>();
  const secure = config.listen.find(({ transport }) => transport === 'tls' || transport === 'wss');
  if (secure !== undefined && config.tls === undefined) {
    problems.push(
      `${place(['listen'], 'listen')}: ${formatListenAddress(secure)} needs a certificate and its key: add --tls-cert FILE --tls-key FILE (for a first try, "aorta cert self-signed" makes them)`,
    );
  }
  const { minVersion, clientCertificates } = config.tls ?? {};
  if (config.listen.some(({ transport }) => transport === 'wss')) {
    for (const [key, wish] of [
      ['min-version', minVersion === 'TLSv1.3' && 'refuse TLS 1.2'],
      ['client-certificates', clientCertificates === 'required' && 'demand certificates of clients'],
    ] as const)
      if (wish)
        problems.push(`${place(['tls', key], `tls.${key}`)}: wss listeners cannot ${wish}; a proxy in front can`);
  }
  const { flowTimerS } = config.policy;
  if (flowTimerS * 1000 >= config.streams.idleMs)
    problems.push(
      `${place(['policy', 'flow-timer'], 'flow-timer')}: ${flowTimerS} promises connections more time than ` +
        `connections.idle-seconds has, which is ${config.streams.idleMs / 1000}`,
    );
  const { multicast } = config;
  if (multicast && config.auth.mode === 'none' && !config.allowUnauthenticated && !isLoopback(multicast.interface))
    problems.push(
      `${place(['multicast'], 'multicast')}: the group can be reached from other machines, and without authentication anyone ` +
        'there could take over any registration. To join it all the same, add --allow-unauthenticated',
    );
  for (const address of config.listen) {
    const name = formatListenAddress(address);
    if (seen.has(name) && address.port !== 0) problems.push(`${place(['listen'], 'listen')}: ${name} is there twice`);
    seen.add(name);
    if (config.auth.mode === 'none' && !config.allowUnauthenticated && !isLoopback(address.host)) {
      problems.push(
        `${place(['listen'], 'listen')}: ${name} can be reached from other machines, and without authentication anyone ` +
          'there could take over any registration. To listen on it all the same, add --allow-unauthenticated',
      );
    }
  }
  return problems;
}

function checkSource(source: ConfigSource, problems: string[]): Raw {
  const result = schema.safeParse(source.values);
  if (result.success) return result.data;
  for (const issue of result.error.issues) {
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys) {
        const path = [...issue.path, key];
        problems.push(`${source.where(path, true)}: unknown key${suggestion(issue.path, key)}`);
      }
    } else problems.push(`${source.where(issue.path)}: ${issue.message}`);
  }
  return {};
}

function suggestion(path: readonly PropertyKey[], key: string): string {
  const groups = {
    '': schema.shape,
    policy: schema.shape.policy.unwrap().shape,
    limits: schema.shape.limits.unwrap().shape,
    auth: authKeys,
    abuse: abuseKeys,
    websocket: webSocketKeys,
    multicast: multicastKeys,
    tls: tlsKeys,
    connections: connectionsKeys,
    admin: adminKeys,
    lookup: lookupKeys,
    drain: drainKeys,
    hep: hepKeys,
    parser: parserKeys,
  };
  const own = path.length === 0 ? '' : String(path[0]);
  const here = nearest(key, Object.keys(groups[own as keyof typeof groups] ?? {}));
  if (here !== undefined) return `, did you mean "${here}"?`;
  for (const [group, shape] of Object.entries(groups)) {
    if (key in shape) return group === '' ? `, it stands at the top level` : `, it stands under "${group}"`;
  }
  return '';
}

/** Where nobody says how clients authenticate: they must, as soon as one address can be reached from other machines. */
function needsAuth(raw: Raw): boolean {
  if (raw['allow-unauthenticated'] === true) return false;
  const hosts = (raw.listen ?? DEFAULT_CONFIG.listen).map(({ host }) => host);
  return [...hosts, raw.multicast?.interface ?? '127.0.0.1'].some((host) => !isLoopback(host));
}

function fill(raw: Raw, place: (path: readonly string[], fallback: string) => string, problems: string[]): Config {
  const admin = fillAdmin(raw.admin);
  const policy = raw.policy ?? {};
  const limits = raw.limits ?? {};
  const tls = fillTls(raw.tls ?? {});
  const auth = fillAuth(raw.auth ?? {}, needsAuth(raw) ? 'digest' : 'none');
  return {
    listen: raw.listen ?? DEFAULT_CONFIG.listen,
    data: raw.data ?? DEFAULT_CONFIG.data,
    ...(raw.shards === undefined ? {} : { shards: raw.shards }),
    auth,
    abuse: fillAbuse(raw.abuse ?? {}),
    allowUnauthenticated: raw['allow-unauthenticated'] ?? DEFAULT_CONFIG.allowUnauthenticated,
    durability: raw.durability ?? DEFAULT_CONFIG.durability,
    udp: raw.udp ?? DEFAULT_CONFIG.udp,
    lookupHttp: fillLookupHttp(raw.lookup ?? {}),
    checkpointBytes: limits['checkpoint-bytes'] ?? DEFAULT_CONFIG.checkpointBytes,
    logLevel: raw['log-level'] ?? DEFAULT_CONFIG.logLevel,
    streams: fillStreams(raw.connections ?? {}),
    webSocket: fillWebSocket(raw.websocket ?? {}, auth.mode === 'digest'),
    drain: fillDrain(raw.drain ?? {}),
    ...(tls && { tls }),
    ...(admin && { admin }),
    ...(raw.multicast && { multicast: fillMulticast(raw.multicast) }),
    ...(raw.hep && { hep: fillHep(raw.hep) }),
    policy: {
      domains: raw.domains === undefined ? DEFAULT_POLICY.domains : [...new Set(raw.domains)],
      ...intervals(policy, place, problems),
      expiresJitterPercent: policy['expires-jitter'] ?? DEFAULT_CONFIG.policy.expiresJitterPercent,
      contactsPerAorMax: policy['contacts-per-aor'] ?? DEFAULT_POLICY.contactsPerAorMax,
      contactsOverflow: policy['contacts-overflow'] ?? DEFAULT_POLICY.contactsOverflow,
      flowGraceS: policy['flow-grace'] ?? DEFAULT_POLICY.flowGraceS,
      overloadTargetMs: policy['overload-target-ms'] ?? DEFAULT_POLICY.overloadTargetMs,
      retryAfterMaxS: policy['retry-after-max'] ?? DEFAULT_POLICY.retryAfterMaxS,
      path: policy.path ?? DEFAULT_POLICY.path,
      outbound: policy.outbound ?? DEFAULT_POLICY.outbound,
      flowTimerS: policy['flow-timer'] ?? DEFAULT_POLICY.flowTimerS,
      gruu: policy.gruu ?? DEFAULT_POLICY.gruu,
      gruuGeneration: policy['gruu-generation'] ?? DEFAULT_POLICY.gruuGeneration,
      warning: policy.warning ?? DEFAULT_POLICY.warning,
      serviceRoutes: withLowerHosts(raw['service-route'] ?? {}),
      associatedUris: withLowerHosts(raw['associated-uris'] ?? {}),
      historyRefreshes: policy['history-refreshes'] ?? DEFAULT_POLICY.historyRefreshes,
      historyBytes: limits['history-bytes'] ?? DEFAULT_POLICY.historyBytes,
      pathBytesMax: limits['path-bytes'] ?? DEFAULT_POLICY.pathBytesMax,
      aorBytesMax: limits['aor-bytes'] ?? DEFAULT_POLICY.aorBytesMax,
      contactBytesMax: limits['contact-bytes'] ?? DEFAULT_POLICY.contactBytesMax,
      callIdBytesMax: limits['call-id-bytes'] ?? DEFAULT_POLICY.callIdBytesMax,
      messageBytesMax: limits['message-bytes'] ?? DEFAULT_POLICY.messageBytesMax,
      timerJMs: limits['timer-j-ms'] ?? DEFAULT_POLICY.timerJMs,
      transactionsMax: limits.transactions ?? DEFAULT_POLICY.transactionsMax,
      answerBytesMax: limits['answer-bytes'] ?? DEFAULT_POLICY.answerBytesMax,
      strict: raw.parser?.strict ?? DEFAULT_POLICY.strict,
      lookup: fillLookup(raw.lookup ?? {}),
    },
  };
}

/** Minimum, default and maximum in their order. Those that were not given move to fit those that were. */
function intervals(
  given: NonNullable<Raw['policy']>,
  place: (path: readonly string[], fallback: string) => string,
  problems: string[],
): Pick<Policy, 'minExpiresS' | 'defaultExpiresS' | 'maxExpiresS'> {
  const names = ['min-expires', 'default-expires', 'max-expires'] as const;
  for (const [low, high] of [
    [0, 1],
    [1, 2],
    [0, 2],
  ] as const) {
    const [a, b] = [given[names[low]], given[names[high]]];
    if (a !== undefined && b !== undefined && a > b) {
      problems.push(`${place(['policy', names[low]], names[low])}: ${a} is above ${names[high]}, which is ${b}`);
    }
  }
  const defaultGiven = given['default-expires'];
  const min =
    given['min-expires'] ??
    Math.min(DEFAULT_POLICY.minExpiresS, defaultGiven ?? SECONDS_MAX, given['max-expires'] ?? SECONDS_MAX);
  const max = given['max-expires'] ?? Math.max(DEFAULT_POLICY.maxExpiresS, defaultGiven ?? 0, min);
  return {
    minExpiresS: min,
    defaultExpiresS: defaultGiven ?? Math.min(max, Math.max(min, DEFAULT_POLICY.defaultExpiresS)),
    maxExpiresS: max,
  };
}

/** A served domain in the form Policy.domains has. Throws a RangeError. */
function parseDomain(text: string): string {
  const domain = text.toLowerCase();
  if (domain === '*') return domain;
  if (/^sips?:/.test(domain) || domain.includes('@'))
    throw new RangeError(`expected a domain such as example.com, got "${text}"`);
  if (/^[0-9a-f:.]+$/.test(domain) && domain.split(':').length > 2) return `[${domain}]`;
  if (
    /^\[[0-9a-f:.]+\]$/.test(domain) ||
    /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/.test(domain)
  )
    return domain;
  const hint = /:[0-9]+$/.test(domain) ? ' (without a port)' : '';
  throw new RangeError(`expected a domain such as example.com${hint}, an IP address or *, got "${text}"`);
}

function at(value: unknown, path: readonly string[]): unknown {
  for (const key of path) value = (value as Record<string, unknown> | undefined)?.[key];
  return value;
}
