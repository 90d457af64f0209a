// Options of a shard: its store, its rules, its counters and receivers. shard.ts uses them.

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

/** In a cluster: whether this node decides. */
export interface Deciding {
  readonly decides: boolean;
  /** This node does not decide now, but is likely to soon: it waits for its stream. */
  readonly waits: boolean;
  /** While it does not decide: whether requests are refused, rather than left to be repeated. */
  refuses(now: number): boolean;
}

export interface ShardOptions {
  readonly index: number;
  readonly shards: number;
  readonly store: LocationStore;
  /** Absent: this node always decides. */
  readonly deciding?: Deciding;
  /** Whether its time can be trusted; absent: always. */
  readonly clock?: Pick<ProcessClock, 'holds' | 'setBacks'>;
  readonly policy: Policy;
  /** 32 bytes, one per data directory: keys of the hashes. */
  readonly secret: Uint8Array;
  /** One row per COUNTER_NAMES, in shared memory or not. */
  readonly counters: Float64Array;
  readonly measures?: Measures;
  /** Memory of answers (createAnswerRing); absent: memory of its own. */
  readonly answerRing?: Uint8Array;
  /** In a cluster: number of this node; 0 where there is one. */
  readonly node?: number;
  /** In a cluster: hands the message in a slot to the node that owns a shard; false where it stays on this node. */
  elsewhere?(shard: number, slot: number, length: number): boolean;
  /** In a cluster: connections that may still be open, for removals of bindings. */
  readonly flowsForRemoval?: FlowLiveness;
  /** Hands the message in a slot to the shard that owns its AOR; false where that shard's ring is full. */
  forward(owner: number, slot: number, length: number): boolean;
  readonly log: ShardLog;
  /** The tap, where messages may be watched. */
  readonly tap?: { readonly memory: SharedArrayBuffer; readonly ring: Ring };
  /** Authentication, where clients must authenticate. */
  readonly auth?: ShardAuth;
  readonly gate?: GateOptions;
  /** Whether the main thread opens connections for the shard's own requests that are too large for UDP. */
  readonly opensTcp?: boolean;
  /** Receiver of committed changes of bindings. */
  readonly events?: EventSink;
  /** Receiver of changes of bindings before their commit (feed/). */
  readonly feed?: ChangeFeed;
  /** Memory of the newest changes of bindings (history.ts). */
  readonly history?: SharedArrayBuffer;
  /** Counts of the top senders. */
  readonly topSenders?: TopSenders;
  /** Present where registrations may be watched. */
  readonly subscriptions?: SubscriptionOptions;
  /** Present where contacts may be pinged. */
  readonly pings?: PingOptions;
  /** Static bindings and aliases. */
  readonly statics?: StaticTable;
  /** Present where push services are served: wakes the devices that a lookup in a slot waits for. */
  readonly wake?: WakeDevices;
  /** Open connections; absent: all count as open. */
  readonly flows?: FlowLiveness;
}
