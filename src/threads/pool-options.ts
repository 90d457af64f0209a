// Options of a pool of shards. pool.ts applies them.

import { join } from 'node:path';
import type { AuthPolicy } from '../core/auth/auth-policy.ts';
import type { Policy } from '../core/uas/policy.ts';
import { GENERATION_BYTES } from '../location/log/generation/generation-size.ts';
import type { StoreOptions } from '../location/open-store.ts';
import type { FeedOptions } from '../shard/feed/feed-writer.ts';
import type { GateOptions } from '../shard/gate.ts';
import type { BindingListener } from '../shard/observe/binding-events.ts';
import { sentByOf } from '../shard/outgoing/sent-by.ts';
import type { PingOptions } from '../shard/pings/ping-options.ts';
import type { ShardLog } from '../shard/shard-options.ts';
import type { SubscriptionTask } from '../shard/subscriptions/subscription-options.ts';
import type { Peers } from '../sip/sources.ts';
import type { FlowNumbers } from '../transport/flow/flow-tokens.ts';
import type { StreamPolicy } from '../transport/flow/stream-policy.ts';
import type { InheritedSocket } from '../transport/linux/inherited-sockets.ts';
import type { ListenAddress } from '../transport/listener.ts';
import type { MulticastAddress } from '../transport/node/multicast.ts';
import type { TlsFiles } from '../transport/node/tls-files.ts';
import type { ClusterOptions } from './cluster/cluster-options.ts';
import type { WebSocketOptions } from './connections.ts';
import type { SharedParts } from './shared-parts.ts';
import type { TokenTask } from './waiting/pending-credentials.ts';
import type { WaitingLookup } from './waiting/pending-lookups.ts';

export interface PoolOptions {
  readonly shards: number;
  /** IPv4 or IPv6 addresses; port 0 takes a free one. */
  readonly listeners: readonly ListenAddress[];
  /** `auto`: native where the machine supports it, else by node:dgram. */
  readonly udp: 'auto' | 'separate' | 'dgram';
  /** Limits of connections. */
  readonly streams?: StreamPolicy;
  /** For listeners of WebSockets; by default every page may connect. */
  readonly webSocket?: WebSocketOptions;
  /** A multicast group to join as well. */
  readonly multicast?: MulticastAddress;
  /** For listeners with TLS. */
  readonly tls?: TlsFiles;
  /** Source of the flows' tokens; by default any, for bindings that live in memory only. */
  readonly flowNumbers?: FlowNumbers;
  /** Each shard keeps its store in a directory of its own below; without it bindings live in memory only. */
  readonly dataDir?: string;
  readonly durability: 'durable' | 'process';
  /** Each shard writes its changes to a feed. */
  readonly feed?: (shard: number) => FeedOptions;
  /** Keeps the read model of this data directory, for lookups in other processes. */
  readonly sharedLocation?: string;
  /** Least growth of a shard's log between two checkpoints, bytes. */
  readonly checkpointBytes?: number;
  /** Approximate size of a log file at which the next one begins, bytes. */
  readonly generationBytes?: number;
  /** Sockets that are bound already: listeners on their addresses use them. */
  readonly inherited?: readonly InheritedSocket[];
  readonly policy: Policy;
  /** 32 bytes, one per data directory. */
  readonly secret: Uint8Array;
  /** Memory of a ProcessClock; without it time begins at the machine's clock. */
  readonly clock?: SharedArrayBuffer;
  readonly log: ShardLog;
  /** Present where clients authenticate. */
  readonly auth?: PoolAuth;
  /**
   * Present where push services are used: wakes the devices of a lookup. Resolves when they have woken, or their time is over; false:
   * the same lookup waits already.
   */
  readonly wake?: (lookup: WaitingLookup) => Promise<boolean>;
  /** Sources that are refused, and those that are trusted. */
  readonly gate?: GateOptions;
  /** Present where the server is one node of several. */
  readonly cluster?: ClusterOptions;
  /** Accepts answers to messages that the program handed in; `peers` is one row. */
  readonly toProgram?: (answer: Buffer, peers: Peers) => void;
  /** Progress while the shards open their stores: bytes read, and bytes in all. */
  readonly opening?: (done: number, total: number) => void;
  /** Called before the first message is accepted, for listeners that must hear every change of a binding. */
  beforeServing?(subscribe: (listener: BindingListener) => () => void): void;
  /** Another file than shard-task.js with a `runShardTask`: for measuring the loop without a registrar. */
  readonly taskFile?: string;
}

export interface PoolAuth {
  readonly policy: AuthPolicy;
  readonly nonceGeneration: number;
  /** A number for the next life of a shard, of 32 bits, that none has had before in this data directory. */
  nextLife(): number;
  /** The data directory, which has the user store. */
  readonly data: string;
  /** State of a provider (PROVIDER_* of user-lookup), where there is one. */
  readonly providerState?: Int32Array;
  readonly tokens?: TokenTask;
  /**
   * Fetches a user for a shard; when it resolves, the shards find the answer in the store.
   * @param token whose name is `user` (core/auth/bearer.ts)
   */
  ask(user: string, realm: string, token?: string): Promise<'found' | 'none' | 'unavailable'>;
}

/** The store of a shard's bindings. */
export function storeOptions(options: PoolOptions, shard: number): StoreOptions {
  const { dataDir, durability, generationBytes = GENERATION_BYTES, cluster } = options;
  if (dataDir === undefined) return { kind: 'memory' };
  const directory = join(dataDir, `shard-${shard}`);
  return { kind: 'log', directory, durability, generationBytes, endsAtDamage: cluster !== undefined };
}

/** The store of subscriptions to a shard's registrations, and the listeners that send their notifications. */
export function subscriptionTask(
  { dataDir, durability }: PoolOptions,
  listeners: readonly ListenAddress[],
  shard: number,
  udpByMain: boolean,
): SubscriptionTask {
  return {
    ...(dataDir !== undefined && { directory: join(dataDir, `shard-${shard}`, 'subscriptions') }),
    syncs: durability === 'durable',
    sentBy: listeners.map(sentByOf),
    udpByMain,
  };
}

/** The transports by which a shard pings contacts. */
export function pingOptions(
  { pingResults, listeners, epolls }: Pick<SharedParts, 'pingResults' | 'listeners' | 'epolls'>,
  udpByMain: boolean,
): PingOptions {
  return { results: pingResults, sentBy: listeners.map(sentByOf), udpByMain, tcpByMain: epolls.length === 0 };
}
