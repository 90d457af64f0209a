// What a pool of shards is started with. What it does with it is pool.ts.

import { join } from 'node:path';
import type { AuthPolicy } from '../core/auth/auth-policy.ts';
import type { Policy } from '../core/uas/policy.ts';
import { GENERATION_BYTES } from '../location/log/generation-size.ts';
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
  /** `auto`: natively where the machine can, else by node:dgram. */
  readonly udp: 'auto' | 'separate' | 'dgram';
  /** Limits of connections. */
  readonly streams?: StreamPolicy;
  /** For listeners of WebSockets; by default every page may connect. */
  readonly webSocket?: WebSocketOptions;
  /** A multicast group to join as well. */
  readonly multicast?: MulticastAddress;
  /** For listeners with TLS. */
  readonly tls?: TlsFiles;
  /** Where tokens of flows come from; by default any, for bindings that live in memory only. */
  readonly flowNumbers?: FlowNumbers;
  /** Each shard keeps its store in a directory of its own below; without it bindings live in memory only. */
  readonly dataDir?: string;
  readonly durability: 'durable' | 'process';
  /** Each shard writes its changes to a feed. */
  readonly feed?: (shard: number) => FeedOptions;
  /** Keeps the read model of this data directory, for lookups in other processes. */
  readonly sharedLocation?: string;
  /** A shard's log grows by at least so many bytes between two checkpoints. */
  readonly checkpointBytes?: number;
  /** A file of a shard's log has about so many bytes when the next one begins. */
  readonly generationBytes?: number;
  /** Sockets that are bound already: listeners of their addresses use them. */
  readonly inherited?: readonly InheritedSocket[];
  readonly policy: Policy;
  /** 32 bytes, one per data directory. */
  readonly secret: Uint8Array;
  /** Memory of a ProcessClock; without it time begins where the machine's clock stands. */
  readonly clock?: SharedArrayBuffer;
  readonly log: ShardLog;
  /** Where clients authenticate. */
  readonly auth?: PoolAuth;
  /**
   * Where push services are served: has the devices of a lookup woken. Resolves when they have, or have had their time; false: the same
   * lookup waits already.
   */
  readonly wake?: (lookup: WaitingLookup) => Promise<boolean>;
  /** Sources that are refused, and those that are trusted. */
  readonly gate?: GateOptions;
  /** Where it is one node of several. */
  readonly cluster?: ClusterOptions;
  /** Takes answers to messages that the program handed in; `peers` is one row. */
  readonly toProgram?: (answer: Buffer, peers: Peers) => void;
  /** Is told while the shards open their stores how many bytes they have read, and of how many. */
  readonly opening?: (done: number, total: number) => void;
  /** Called before the first message is taken in, for those who want to hear of every change of a binding. */
  beforeServing?(subscribe: (listener: BindingListener) => () => void): void;
  /** Another file than shard-task.js to take `runShardTask` from: for measuring the loop without a registrar. */
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
   * Fetches a user that a shard wants; when it resolves, the shards find the answer in the store.
   * @param token that `user` is the name of (core/auth/bearer.ts)
   */
  ask(user: string, realm: string, token?: string): Promise<'found' | 'none' | 'unavailable'>;
}

/** Where a shard keeps its bindings. */
export function storeOptions(options: PoolOptions, shard: number): StoreOptions {
  const { dataDir, durability, generationBytes = GENERATION_BYTES } = options;
  return dataDir === undefined
    ? { kind: 'memory' }
    : { kind: 'log', directory: join(dataDir, `shard-${shard}`), durability, generationBytes };
}

/** Where a shard keeps the subscriptions to its registrations, and by which listeners it tells them. */
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

/** By which ways a shard pings contacts. */
export function pingOptions(
  { pingResults, listeners, epolls }: Pick<SharedParts, 'pingResults' | 'listeners' | 'epolls'>,
  udpByMain: boolean,
): PingOptions {
  return { results: pingResults, sentBy: listeners.map(sentByOf), udpByMain, tcpByMain: epolls.length === 0 };
}
