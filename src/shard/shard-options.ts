// What a shard is given: its store, its rules, what it counts into and tells. What it does with it is shard.ts.

import type { FlowLiveness } from '../core/binding/live-flow.ts';
import type { Policy } from '../core/uas/policy.ts';
import type { LocationStore } from '../location/location-store.ts';
import type { ShardAuth } from './admission.ts';
import type { ChangeFeed } from './feed/feed-writer.ts';
import type { GateOptions } from './gate.ts';
import type { EventSink } from './observe/event-ring.ts';
import type { Measures } from './observe/measures.ts';
import type { TopSenders } from './observe/top-senders.ts';
import type { PingOptions } from './pings/ping-options.ts';
import type { ProcessClock } from './process-clock.ts';
import type { Ring } from './rings/ring.ts';
import type { WakeDevices } from './sleepers.ts';
import type { StaticTable } from './statics/static-table.ts';
import type { SubscriptionOptions } from './subscriptions/subscription-options.ts';

export type ShardLog = (level: 'info' | 'warn' | 'error', event: string, fields: Record<string, unknown>) => void;

/** In a cluster, whether this node is the one that decides. */
export interface Deciding {
  readonly decides: boolean;
  /** It does not now, and is likely to soon: it waits for its stream. */
  readonly waits: boolean;
  /** Where it does not: whether requests are to be refused, rather than left to be repeated. */
  refuses(now: number): boolean;
}

export interface ShardOptions {
  readonly index: number;
  readonly shards: number;
  readonly store: LocationStore;
  /** Without it, this node always decides. */
  readonly deciding?: Deciding;
  /** Whether its time can be trusted; without it, it can. */
  readonly clock?: Pick<ProcessClock, 'holds' | 'setBacks'>;
  readonly policy: Policy;
  /** 32 bytes, one per data directory: keys of the hashes. */
  readonly secret: Uint8Array;
  /** One row per COUNTER_NAMES, in shared memory or not. */
  readonly counters: Float64Array;
  readonly measures?: Measures;
  /** Where answers are kept (createAnswerRing); without it in memory of its own. */
  readonly answerRing?: Uint8Array;
  /** In a cluster: number of this node; 0 where there is one. */
  readonly node?: number;
  /** In a cluster: hands the message in a slot to the node that owns a shard; false where it is to stay here. */
  elsewhere?(shard: number, slot: number, length: number): boolean;
  /** In a cluster: which connections may still stand, for those who take bindings out. */
  readonly flowsForRemoval?: FlowLiveness;
  /** Hands the message in a slot to the shard that owns its AOR; false where that shard's ring is full. */
  forward(owner: number, slot: number, length: number): boolean;
  readonly log: ShardLog;
  /** Where messages may be watched. */
  readonly tap?: { readonly memory: SharedArrayBuffer; readonly ring: Ring };
  /** Where clients must authenticate. */
  readonly auth?: ShardAuth;
  readonly gate?: GateOptions;
  /** Whether the main thread opens connections for requests of its own that are too large for UDP. */
  readonly opensTcp?: boolean;
  /** Where changes of bindings are told once they are committed. */
  readonly events?: EventSink;
  /** Where changes of bindings are written before they are committed (feed/). */
  readonly feed?: ChangeFeed;
  /** Where the newest changes of bindings are kept (history.ts). */
  readonly history?: SharedArrayBuffer;
  /** Where it is counted who sends most. */
  readonly topSenders?: TopSenders;
  /** Where registrations may be watched. */
  readonly subscriptions?: SubscriptionOptions;
  /** Where contacts may be pinged. */
  readonly pings?: PingOptions;
  /** Static bindings and aliases. */
  readonly statics?: StaticTable;
  /** Where push services are served: has the devices woken that a lookup in a slot waits for. */
  readonly wake?: WakeDevices;
  /** Which connections still stand; without it all count as standing. */
  readonly flows?: FlowLiveness;
}
