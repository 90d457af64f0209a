// What the main thread and the thread of a shard hand each other: the task at the start, and the news from then on.

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
  /** Of the nonces' keys. */
  readonly generation: number;
  /** Number of this life of the shard. */
  readonly life: number;
  readonly waiting: SharedArrayBuffer;
}

/** Everything a shard's thread is handed; crosses by structured clone. */
export interface ShardTask {
  readonly index: number;
  readonly shards: number;
  readonly store: StoreOptions;
  readonly policy: Policy;
  readonly secret: Uint8Array;
  /** Of a ProcessClock. */
  readonly clock: SharedArrayBuffer;
  /** The shard's own row of counters. */
  readonly counters: SharedArrayBuffer;
  readonly measures: SharedArrayBuffer;
  /** One per shard. */
  readonly bells: readonly SharedArrayBuffer[];
  /** Their eventfds, one per shard; none where shards sleep on the flag. */
  readonly bellFds: readonly number[];
  readonly mainBell: SharedArrayBuffer;
  /** Rings this shard reads. */
  readonly incoming: readonly SharedArrayBuffer[];
  /** Rings to the others, by shard; null for itself. */
  readonly outgoing: readonly (SharedArrayBuffer | null)[];
  readonly toMain: SharedArrayBuffer;
  /** What of its messages is watched, and where copies go. */
  readonly tapMemory: SharedArrayBuffer;
  readonly tap: SharedArrayBuffer;
  /** Which connections are alive. */
  readonly liveFlows: SharedArrayBuffer;
  readonly flowRows: FlowRows;
  /** Where it learns of connections that it reads itself. */
  readonly epoll?: number;
  readonly framing: FramingLimits;
  readonly history: SharedArrayBuffer | undefined;
  readonly topSenders: SharedArrayBuffer;
  readonly events: SharedArrayBuffer;
  readonly eventBell: SharedArrayBuffer;
  /** The data directory, which has the static bindings; none where everything is in memory. */
  readonly data?: string;
  /** Sockets of its own; none where the main thread has them. */
  readonly sockets: readonly UdpSocket[];
  readonly port: MessagePort;
  /** Where clients authenticate. */
  readonly auth?: AuthTask;
  readonly gate?: GateOptions;
  /** Where it is one node of several. */
  readonly cluster?: ClusterOptions;
  /** Beside it: what is shared with the cluster's thread. */
  readonly clusterParts?: ClusterSharedParts;
  /** Where push services are served: how many lookups wait. */
  readonly waitingLookups?: SharedArrayBuffer;
  /** Where a feed of changes is kept. */
  readonly feed?: FeedOptions;
  /** Where registrations may be watched. */
  readonly subscriptions?: SubscriptionTask;
  readonly pings: PingOptions;
  /** Where a read model is kept: where changes of records are told. */
  readonly changes?: ChangedKeysMemory;
}

/** What a shard does between two batches. */
export type ShardOrder =
  | { readonly type: 'rules'; readonly settings: ShardSettings }
  | { readonly type: 'limited' }
  | { readonly type: 'forgive'; readonly name: string };

export interface OrderAnswer {
  /** Why the order was not followed. */
  readonly problem?: string;
  readonly limited?: readonly LimitedParty[];
  /** Whether the party was limited, and is no longer. */
  readonly forgiven?: boolean;
}

/** What a shard found in its store. */
export interface OpenReport {
  readonly aors: number;
  readonly bindings: number;
  readonly quarantined: number;
}

/** What a shard's thread tells the main thread. */
export type ShardNews =
  | {
      readonly type: 'open';
      readonly report: OpenReport;
      readonly table?: SharedTable;
      readonly checkpoint?: CheckpointSource;
      readonly shared?: SharedTable;
    }
  | { readonly type: 'failed'; readonly name: string; readonly message: string; readonly code: string | undefined }
  /** It has done what the oldest order sent to it asks for, or its answer has why not. */
  | { readonly type: 'followed'; readonly answer: OrderAnswer }
  /** It reads no socket any more, and hands nothing on. */
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
