// A shard's options for pings.

import type { SentBy } from '../outgoing/sent-by.ts';

export interface PingOptions {
  /** Memory of results, by shard (core/pings/ping-results.ts). */
  readonly results: readonly SharedArrayBuffer[];
  /** By listener. */
  readonly sentBy: readonly SentBy[];
  /** Whether UDP, and TCP, are sent by the main thread. */
  readonly udpByMain: boolean;
  readonly tcpByMain: boolean;
}
