// The configuration that a server runs with, and its defaults. rows/ has the keys of the file; create-config.ts makes a Config of a file.

import { type AbusePolicy, DEFAULT_ABUSE_POLICY } from '../../core/abuse/abuse-policy.ts';
import { DEFAULT_POLICY, type Policy } from '../../core/uas/policy.ts';
import { GENERATION_BYTES } from '../../location/log/generation/generation-size.ts';
import { CHECKPOINT_BYTES } from '../../threads/checkpoint/checkpoints.ts';
import { DEFAULT_STREAM_POLICY, type StreamPolicy } from '../../transport/flow/stream-policy.ts';
import type { ListenAddress } from '../../transport/listener.ts';
import type { MulticastAddress } from '../../transport/node/multicast.ts';
import type { TlsFiles } from '../../transport/node/tls-files.ts';
import { DEFAULT_WEBSOCKET_POLICY, type WebSocketPolicy } from '../../transport/websocket/websocket-policy.ts';
import type { LogFormat, LogLevel } from '../process/log.ts';
import { DEFAULT_DATA, DEFAULT_EXPIRES_JITTER, DEFAULT_LISTEN } from './defaults.ts';
import type { AdminConfig } from './sections/admin-config.ts';
import { type AuthConfig, DEFAULT_AUTH } from './sections/auth-config.ts';
import type { ClusterConfig } from './sections/cluster-config.ts';
import { DEFAULT_DRAIN, type DrainConfig } from './sections/drain-config.ts';
import type { FeedConfig } from './sections/feed-config.ts';
import type { HepConfig } from './sections/hep-config.ts';
import type { HttpAddress } from './sections/lookup-config.ts';
import type { PushConfig } from './sections/push-config.ts';

/** About a million changes. */
const HISTORY_DISK_BYTES = 256 << 20;

/** All settings of a server's start. */
export interface Config {
  /** At least one, no address twice. */
  readonly listen: readonly ListenAddress[];
  /** The data directory; made if missing. */
  readonly data: string;
  /** Shard threads, 1 to 64. Absent: as many as the data directory was made for; for a new one, one per core. */
  readonly shards?: number;
  /** Authentication of clients. Mode `none` trusts every client, and so is for loopback addresses only. */
  readonly auth: AuthConfig;
  readonly abuse: AbusePolicy;
  /** Lifts the restriction of mode `none` to loopback addresses. */
  readonly allowUnauthenticated: boolean;
  /** `durable`: on disk before the 200 OK. `process`: survives a crash of the process, not of the machine. */
  readonly durability: 'durable' | 'process';
  /** `auto`: the kernel's batch calls where they are available, else Node's own sockets, as with `dgram`. */
  readonly udp: 'auto' | 'separate' | 'dgram';
  /** Listeners for lookups by HTTP; elsewhere than on loopback they require the token of the data directory. */
  readonly lookupHttp: readonly HttpAddress[];
  /** Keeps the read model, for lookups in other processes. */
  readonly sharedLocation: boolean;
  /** Least growth of a shard's log between two checkpoints, bytes. */
  readonly checkpointBytes: number;
  /** Approximate size of a log file at which the next one begins, bytes. */
  readonly generationBytes: number;
  /** Bytes of the data directory for the history of bindings; 0: none is kept. */
  readonly historyDiskBytes: number;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  /** The admin listener: API, metrics, health, dashboard. Absent: none. */
  readonly admin?: AdminConfig;
  /** The stop of a server. */
  readonly drain: DrainConfig;
  /** Absent: it is the only node. */
  readonly cluster?: ClusterConfig;
  /** Copies of messages for a capture server (HOMER). */
  readonly hep?: HepConfig;
  /** Changes with numbers that outlive the process. Absent: none are kept. */
  readonly feed?: FeedConfig;
  /** Wakes of devices by lookups. Absent: none. */
  readonly push?: PushConfig;
  readonly policy: Policy;
  /** Limits of connections. */
  readonly streams: StreamPolicy;
  readonly webSocket: WebSocketPolicy;
  /** A multicast group to take registrations from as well. */
  readonly multicast?: MulticastAddress;
  /** For listeners with TLS. */
  readonly tls?: TlsFiles;
}

/**
 * Pages that may connect where clients do not authenticate: only those of this machine. A page of any site that is open on this machine
 * could register through its browser otherwise.
 */
export const OPEN_ORIGINS: readonly string[] = ['loopback'];

export const DEFAULT_CONFIG: Config = {
  listen: DEFAULT_LISTEN,
  data: DEFAULT_DATA,
  auth: DEFAULT_AUTH,
  abuse: DEFAULT_ABUSE_POLICY,
  allowUnauthenticated: false,
  durability: 'durable',
  checkpointBytes: CHECKPOINT_BYTES,
  generationBytes: GENERATION_BYTES,
  historyDiskBytes: HISTORY_DISK_BYTES,
  udp: 'auto',
  lookupHttp: [],
  sharedLocation: false,
  drain: DEFAULT_DRAIN,
  logLevel: 'info',
  logFormat: 'auto',
  policy: { ...DEFAULT_POLICY, expiresJitterPercent: DEFAULT_EXPIRES_JITTER },
  streams: DEFAULT_STREAM_POLICY,
  webSocket: { ...DEFAULT_WEBSOCKET_POLICY, origins: OPEN_ORIGINS },
};
