// What the threads of a node are told of its cluster.

import type { NatsAccess } from './nats-stream.ts';

/** Crosses to every thread. */
export interface ClusterOptions {
  readonly name: string;
  readonly shards: number;
  readonly node: string;
  /** 1 to 254. */
  readonly number: number;
  /** Of this start: greater than those before. */
  readonly life: number;
  /** Where the other nodes reach this one. */
  readonly listen: { readonly host: string; readonly port: number };
  readonly access: NatsAccess;
  /** Of a ShardTable. */
  readonly table: SharedArrayBuffer;
  /** Of an OrderTable. */
  readonly orders: SharedArrayBuffer;
  /** Of PeerCounts. */
  readonly counts: SharedArrayBuffer;
  readonly secret: Uint8Array;
  readonly silentMs: number;
  readonly holdMs: number;
  /** 32 bits that differ where nodes would decide differently. */
  readonly policyDigest: number;
}
