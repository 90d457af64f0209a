// What a shard needs to ping contacts.

import type { SentBy } from '../subscriptions/subscription-options.ts';

export interface PingOptions {
  /** Where results are kept, by shard (core/pings/ping-results.ts). */
  readonly results: readonly (ArrayBuffer | SharedArrayBuffer)[];
  /** By listener. */
  readonly sentBy: readonly SentBy[];
  /** Whether UDP, and TCP, leave by the main thread. */
  readonly udpByMain: boolean;
  readonly tcpByMain: boolean;
}
