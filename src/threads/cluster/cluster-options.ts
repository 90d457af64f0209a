// The options of a cluster for the threads of a node.

import type { NatsAccess } from './nats-stream.ts';

/** Structured clone takes it to every thread. */
export interface ClusterOptions {
  readonly name: string;
  readonly shards: number;
  readonly node: string;
  /** Number of this node, 1 to 254. */
  readonly number: number;
  /** Number of this start: greater than those before. */
  readonly life: number;
  /** Address of this node for the others. */
  readonly listen: { readonly host: string; readonly port: number };
  readonly access: NatsAccess;
  /** Memory of a ShardTable. */
  readonly table: SharedArrayBuffer;
  /** Memory of an OrderTable. */
  readonly orders: SharedArrayBuffer;
  /** Memory of PeerCounts. */
  readonly counts: SharedArrayBuffer;
  readonly secret: Uint8Array;
  readonly silentMs: number;
  readonly holdMs: number;
  /** 32 bits that differ where nodes would decide differently. */
  readonly policyDigest: number;
}
