// The configuration: its fields, defaults, ranges, and the one way from raw values (file and flags) to a checked Config.
// Where the values come from, and how a place in a file is named, is config-file.ts and cli.ts.

import { z } from 'zod';
import { type AbusePolicy, DEFAULT_ABUSE_POLICY } from '../../core/abuse/abuse-policy.ts';
import { BINDINGS_MAX } from '../../core/register/working-bindings.ts';
import { withoutRootDot } from '../../core/uas/domains.ts';
import { DEFAULT_POLICY, type Policy } from '../../core/uas/policy.ts';
import { ANSWER_RING_BYTES_MIN } from '../../core/uas/transactions.ts';
import { MESSAGE_BYTES_MAX } from '../../sip/parser/slab.ts';
import { CHECKPOINT_BYTES } from '../../threads/checkpoint/checkpoints.ts';
import { DEFAULT_STREAM_POLICY, type StreamPolicy } from '../../transport/flow/stream-policy.ts';
import type { ListenAddress } from '../../transport/listener.ts';
import type { MulticastAddress } from '../../transport/node/multicast.ts';
import type { TlsFiles } from '../../transport/node/tls-files.ts';
import type { WebSocketPolicy } from '../../transport/websocket/websocket-policy.ts';
import type { LogLevel } from '../process/log.ts';
import { configFaults, fileFaults } from './config-faults.ts';
import { ConfigProblems, type ConfigSource, type Fault, type Place, spellAsFile } from './config-problem.ts';
import { bytes, choice, integer, listOf, milliseconds, seconds, section, text, yesOrNo } from './config-values.ts';
import { DEFAULT_DATA, DEFAULT_EXPIRES_JITTER, DEFAULT_LISTEN, SHARDS_MAX } from './defaults.ts';
import { isLoopback, parseListenAddress } from './listener-text.ts';
import { abuseSchema, fillAbuse } from './sections/abuse-config.ts';
import { type AdminConfig, adminSchema, fillAdmin } from './sections/admin-config.ts';
import { type AuthConfig, authSchema, DEFAULT_AUTH, fillAuth } from './sections/auth-config.ts';
import { DEFAULT_DRAIN, type DrainConfig, drainSchema, fillDrain } from './sections/drain-config.ts';
import { fillHep, type HepConfig, hepSchema } from './sections/hep-config.ts';
import { associatedUrisSchema, serviceRouteSchema, withLowerHosts } from './sections/home-config.ts';
import { locationSchema } from './sections/location-config.ts';
import { fillLookup, fillLookupHttp, type HttpAddress, lookupSchema } from './sections/lookup-config.ts';
import { fillMulticast, multicastSchema } from './sections/multicast-config.ts';
import { parserSchema } from './sections/parser-config.ts';
import { connectionsSchema, fillStreams, fillTls, tlsSchema } from './sections/stream-config.ts';
import { fillWebSocket, webSocketSchema } from './sections/websocket-config.ts';
import { suggestKey } from './unknown-key.ts';

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
  /** Keeps the read model, for lookups in other processes. */
  readonly sharedLocation: boolean;
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

export const DEFAULT_CONFIG: Config = {
  listen: DEFAULT_LISTEN,
  data: DEFAULT_DATA,
  auth: DEFAULT_AUTH,
  abuse: DEFAULT_ABUSE_POLICY,
  allowUnauthenticated: false,
  durability: 'durable',
  checkpointBytes: CHECKPOINT_BYTES,
  udp: 'auto',
  lookupHttp: [],
  sharedLocation: false,
  drain: DEFAULT_DRAIN,
  logLevel: 'info',
  policy: { ...DEFAULT_POLICY, expiresJitterPercent: DEFAULT_EXPIRES_JITTER },
  streams: DEFAULT_STREAM_POLICY,
  webSocket: fillWebSocket({}, false),
};

const SECONDS_MAX = 2 ** 31 - 1;

/** The configuration file; flags and a program's options in its shape. */
export const configSchema = z.strictObject({
  listen: listOf(parseListenAddress).optional(),
  domains: listOf(parseDomain).optional(),
  'server-names': listOf(parseServerName).optional(),
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
  location: locationSchema.optional(),
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
        'default-expires': seconds(1, SECONDS_MAX).optional(),
        'min-expires': seconds(1, SECONDS_MAX).optional(),
        'max-expires': seconds(1, SECONDS_MAX).optional(),
        'expires-jitter': integer(0, 90).optional(),
        'contacts-per-aor': integer(1, BINDINGS_MAX).optional(),
        'overload-target-ms': milliseconds(0, 60_000).optional(),
        'retry-after-max': seconds(1, 3600).optional(),
        'contacts-overflow': choice('reject', 'evict-oldest').optional(),
        'connection-bindings': choice('auto', 'flow', 'contact').optional(),
        'flow-grace': seconds(0, 86_400).optional(),
        path: choice('lazy', 'strict', 'off').optional(),
        outbound: choice('on', 'off', 'required').optional(),
        'flow-timer': seconds(0, 86_400).optional(),
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
        'aor-bytes': bytes(16, 1024).optional(),
        'contact-bytes': bytes(64, 4096).optional(),
        'path-bytes': bytes(256, 16_384).optional(),
        'call-id-bytes': bytes(32, 1024).optional(),
        'message-bytes': bytes(512, MESSAGE_BYTES_MAX).optional(),
        'timer-j-ms': milliseconds(1000, 600_000).optional(),
        transactions: integer(1024, 1 << 24).optional(),
        'answer-bytes': bytes(ANSWER_RING_BYTES_MIN, 1 << 30).optional(),
        'history-bytes': bytes(0, 1 << 30).optional(),
        'checkpoint-bytes': bytes(1 << 16, 2 ** 40).optional(),
      },
      section,
    )
    .optional(),
});

type Raw = z.output<typeof configSchema>;

export interface Defaults {
  readonly listen: readonly ListenAddress[];
  readonly expiresJitterPercent: number;
}

const SERVER_DEFAULTS: Defaults = { listen: DEFAULT_CONFIG.listen, ...DEFAULT_CONFIG.policy };

export interface ConfigWishes {
  /** What counts where nobody says otherwise. */
  readonly defaults?: Defaults;
  /** Whether the files it names must be there, as for a start. */
  readonly files?: boolean;
}

/** Checks each source and merges them, the later ones winning. Throws a ConfigError. */
export function createConfig(
  sources: readonly ConfigSource[],
  { defaults = SERVER_DEFAULTS, files = false }: ConfigWishes = {},
): Config {
  const problems = new ConfigProblems();
  const raws = sources.map((source, number) => checkSource(source, number, problems));
  problems.raise();

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
  const tell = (faults: readonly Fault[]): void => {
    for (const { path, text } of faults) {
      const number = raws.findLastIndex((raw) => at(raw, path) !== undefined);
      const source = sources[number];
      const place: Place = source?.where(path) ?? { name: path.join('.'), order: 0 };
      const spell = source?.spell ?? sources.at(-1)?.spell ?? spellAsFile;
      problems.add(place, number, typeof text === 'string' ? text : text(spell));
    }
  };
  tell([...intervalFaults(merged.policy ?? {}), ...lonelyFiles(merged)]);
  const config = fill(merged, defaults);
  tell(configFaults(config));
  if (files) tell(fileFaults(config));
  problems.raise();
  return config;
}

function checkSource(source: ConfigSource, number: number, problems: ConfigProblems): Raw {
  const result = configSchema.safeParse(source.values);
  if (result.success) return result.data;
  for (const issue of result.error.issues) {
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys) {
        const hint = suggestKey(configSchema, issue.path, key, source.spell);
        problems.add(source.where([...issue.path, key], true), number, `unknown key${hint}`);
      }
    } else problems.add(source.where(issue.path), number, issue.message);
  }
  return {};
}

/** A certificate without its key, or the other way round: both would be of no effect. */
function lonelyFiles({ tls, admin }: Raw): Fault[] {
  const lonely = (
    section: string,
    given: Readonly<Record<string, unknown>>,
    names: readonly [string, string],
  ): Fault[] => {
    const [there, missing] = given[names[0]] === undefined ? [names[1], names[0]] : names;
    if (given[missing] !== undefined || Object.values(given).every((value) => value === undefined)) return [];
    const path = given[there] === undefined ? [section] : [section, there];
    return [{ path, text: (spell) => `needs ${spell(`${section}.${missing}`, 'FILE')} beside it` }];
  };
  const { certificate, key } = admin ?? {};
  return [
    ...lonely('tls', tls ?? {}, ['cert', 'key']),
    ...lonely('admin', { certificate, key }, ['certificate', 'key']),
  ];
}

/** Where nobody says how clients authenticate: they must, as soon as one address can be reached from other machines. */
function needsAuth(raw: Raw, listen: Config['listen']): boolean {
  if (raw['allow-unauthenticated'] === true) return false;
  return [...listen.map(({ host }) => host), raw.multicast?.interface ?? '127.0.0.1'].some((host) => !isLoopback(host));
}

function fill(raw: Raw, defaults: Defaults): Config {
  const admin = fillAdmin(raw.admin);
  const listen = raw.listen ?? defaults.listen;
  const policy = raw.policy ?? {};
  const limits = raw.limits ?? {};
  const tls = fillTls(raw.tls ?? {});
  const auth = fillAuth(raw.auth ?? {}, needsAuth(raw, listen) ? 'digest' : 'none');
  return {
    listen,
    data: raw.data ?? DEFAULT_CONFIG.data,
    ...(raw.shards === undefined ? {} : { shards: raw.shards }),
    auth,
    abuse: fillAbuse(raw.abuse ?? {}),
    allowUnauthenticated: raw['allow-unauthenticated'] ?? DEFAULT_CONFIG.allowUnauthenticated,
    durability: raw.durability ?? DEFAULT_CONFIG.durability,
    udp: raw.udp ?? DEFAULT_CONFIG.udp,
    lookupHttp: fillLookupHttp(raw.lookup ?? {}),
    sharedLocation: raw.location?.shared ?? DEFAULT_CONFIG.sharedLocation,
    checkpointBytes: limits['checkpoint-bytes'] ?? DEFAULT_CONFIG.checkpointBytes,
    logLevel: raw['log-level'] ?? DEFAULT_CONFIG.logLevel,
    streams: fillStreams(raw.connections ?? {}),
    webSocket: fillWebSocket(raw.websocket ?? {}, auth.mode !== 'none'),
    drain: fillDrain(raw.drain ?? {}),
    ...(tls && { tls }),
    ...(admin && { admin }),
    ...(raw.multicast && { multicast: fillMulticast(raw.multicast) }),
    ...(raw.hep && { hep: fillHep(raw.hep) }),
    policy: {
      domains: raw.domains === undefined ? DEFAULT_POLICY.domains : [...new Set(raw.domains)],
      serverNames: [...new Set(raw['server-names'] ?? [])],
      ...intervals(policy),
      expiresJitterPercent: policy['expires-jitter'] ?? defaults.expiresJitterPercent,
      contactsPerAorMax: policy['contacts-per-aor'] ?? DEFAULT_POLICY.contactsPerAorMax,
      contactsOverflow: policy['contacts-overflow'] ?? DEFAULT_POLICY.contactsOverflow,
      connectionBindings: policy['connection-bindings'] ?? DEFAULT_POLICY.connectionBindings,
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

/** Minimum, default and maximum that were given and are not in their order. */
function intervalFaults(given: NonNullable<Raw['policy']>): Fault[] {
  const names = ['min-expires', 'default-expires', 'max-expires'] as const;
  const pairs = [
    [0, 1],
    [1, 2],
    [0, 2],
  ] as const;
  return pairs.flatMap(([low, high]): Fault[] => {
    const [a, b] = [given[names[low]], given[names[high]]];
    if (a === undefined || b === undefined || a <= b) return [];
    return [
      {
        path: ['policy', names[low]],
        text: (spell) => `${a} is above ${spell(`policy.${names[high]}`)}, which is ${b}`,
      },
    ];
  });
}

/** Minimum, default and maximum in their order. Those that were not given move to fit those that were. */
function intervals(given: NonNullable<Raw['policy']>): Pick<Policy, 'minExpiresS' | 'defaultExpiresS' | 'maxExpiresS'> {
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

/** A name of the server itself in the form Policy.serverNames has. Throws a RangeError. */
function parseServerName(text: string): string {
  if (text === '*') throw new RangeError('expected a name of this server such as sip.example.com, got "*"');
  return parseDomain(text);
}

/** A served domain in the form Policy.domains has. Throws a RangeError. */
function parseDomain(text: string): string {
  const domain = withoutRootDot(text.toLowerCase());
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
