// Messages between the main thread and a shard's thread: the task at the start, and the news from then on.

import type { MessagePort, TransferListItem } from 'node:worker_threads';
import type { LimitedParty } from '../core/abuse/limited-parties.ts';
import type { AuthPolicy } from '../core/auth/auth-policy.ts';
import type { Policy } from '../core/uas/policy.ts';
import type { StoreOptions } from '../location/open-store.ts';
import type { FeedOptions } from '../shard/feed/feed-writer.ts';
import type { GateOptions } from '../shard/gate.ts';
import type { PingOptions } from '../shard/pings/ping-options.ts';
import type { ShardSettings } from '../shard/shard-settings.ts';
import type { SubscriptionTask } from '../shard/subscriptions/subscription-options.ts';
import type { FlowRows } from '../transport/flow/flow-rows.ts';
import type { FramingLimits } from '../transport/flow/stream-policy.ts';
import type { UdpSocket } from '../transport/linux/linux-udp.ts';
import type { CheckpointSource } from './checkpoint/checkpointer.ts';
import type { ClusterOptions } from './cluster/cluster-options.ts';
import type { ClusterSharedParts } from './cluster/cluster-parts.ts';
import type { SharedTable } from './readers.ts';
import type { ChangedKeysMemory } from './shared-location/shared-locations.ts';
import type { TokenTask, WaitingMessage } from './waiting/pending-credentials.ts';
import type { WaitingLookup } from './waiting/pending-lookups.ts';

export interface AuthTask {
  readonly policy: AuthPolicy;
  readonly realms: readonly string[];
  /** The data directory, which has the user store. */
  readonly data: string;
  /** State of a provider (PROVIDER_*), where there is one. */
  readonly providerState?: Int32Array;
  readonly tokens?: TokenTask;
  readonly nonceStart: number;
  /** Generation of the nonces' keys. */
  readonly generation: number;
  /** Number of this life of the shard. */
  readonly life: number;
  readonly waiting: SharedArrayBuffer;
}

/** The task of a shard's thread; crosses by structured clone. */
export interface ShardTask {
  readonly index: number;
  readonly shards: number;
  readonly store: StoreOptions;
  readonly policy: Policy;
  readonly secret: Uint8Array;
  /** Memory of a ProcessClock. */
  readonly clock: SharedArrayBuffer;
  /** The shard's own row of counters. */
  readonly counters: SharedArrayBuffer;
  readonly measures: SharedArrayBuffer;
  /** Memory of the bells, one per shard. */
  readonly bells: readonly SharedArrayBuffer[];
  /** Eventfds of the bells, one per shard; empty where shards sleep on the flag. */
  readonly bellFds: readonly number[];
  readonly mainBell: SharedArrayBuffer;
  /** Rings this shard reads. */
  readonly incoming: readonly SharedArrayBuffer[];
  /** Rings to the others, by shard; null for itself. */
  readonly outgoing: readonly (SharedArrayBuffer | null)[];
  readonly toMain: SharedArrayBuffer;
  /** The watched part of its messages, and the ring for copies. */
  readonly tapMemory: SharedArrayBuffer;
  readonly tap: SharedArrayBuffer;
  /** Liveness of connections. */
  readonly liveFlows: SharedArrayBuffer;
  readonly flowRows: FlowRows;
  /** Descriptor that reports the connections that the shard reads itself. */
  readonly epoll?: number;
  readonly framing: FramingLimits;
  readonly history: SharedArrayBuffer | undefined;
  readonly topSenders: SharedArrayBuffer;
  readonly events: SharedArrayBuffer;
  readonly eventBell: SharedArrayBuffer;
  /** The data directory, which has the static bindings; absent where all bindings are in memory. */
  readonly data?: string;
  /** The shard's own sockets; empty where the main thread has them. */
  readonly sockets: readonly UdpSocket[];
  readonly port: MessagePort;
  /** Present where clients authenticate. */
  readonly auth?: AuthTask;
  readonly gate?: GateOptions;
  /** Present on a node of a cluster. */
  readonly cluster?: ClusterOptions;
  /** Present with it: memory shared with the cluster's thread. */
  readonly clusterParts?: ClusterSharedParts;
  /** Present where push services are used: number of lookups that wait. */
  readonly waitingLookups?: SharedArrayBuffer;
  /** Present where a feed of changes is kept. */
  readonly feed?: FeedOptions;
  /** Present where registrations may be watched. */
  readonly subscriptions?: SubscriptionTask;
  readonly pings: PingOptions;
  /** Present where a read model is kept: its memory for changed records. */
  readonly changes?: ChangedKeysMemory;
}

/** Orders that a shard follows between two batches. */
export type ShardOrder =
  | { readonly type: 'rules'; readonly settings: ShardSettings }
  | { readonly type: 'limited' }
  | { readonly type: 'forgive'; readonly name: string };

export interface OrderAnswer {
  /** Why the order was not followed. */
  readonly problem?: string;
  readonly limited?: readonly LimitedParty[];
  /** Whether the party was limited until now. */
  readonly forgiven?: boolean;
}

/** Contents of a shard's store at its opening. */
export interface OpenReport {
  readonly aors: number;
  readonly bindings: number;
  readonly quarantined: number;
}

/** News from a shard's thread to the main thread. */
export type ShardNews =
  | {
      readonly type: 'open';
      readonly report: OpenReport;
      readonly table?: SharedTable;
      readonly checkpoint?: CheckpointSource;
      readonly shared?: SharedTable;
    }
  | { readonly type: 'failed'; readonly name: string; readonly message: string; readonly code: string | undefined }
  /** The shard has followed its oldest order, or its answer has the reason why not. */
  | { readonly type: 'followed'; readonly answer: OrderAnswer }
  /** The shard reads no socket any more, and hands no message on. */
  | { readonly type: 'drained' }
  | { readonly type: 'wake' }
  | { readonly type: 'events' }
  | { readonly type: 'wait'; readonly message: WaitingMessage }
  | { readonly type: 'asleep'; readonly lookup: WaitingLookup }
  | {
      readonly type: 'log';
      readonly level: 'info' | 'warn' | 'error';
      readonly event: string;
      readonly fields: Record<string, unknown>;
    };

export type Tell = (news: ShardNews, transfer?: readonly TransferListItem[]) => void;
