// What a shard needs to ping contacts.

import type { SentBy } from '../outgoing/sent-by.ts';

export interface PingOptions {
  /** Where results are kept, by shard (core/pings/ping-results.ts). */
  readonly results: readonly SharedArrayBuffer[];
  /** By listener. */
  readonly sentBy: readonly SentBy[];
  /** Whether UDP, and TCP, leave by the main thread. */
  readonly udpByMain: boolean;
  readonly tcpByMain: boolean;
}
