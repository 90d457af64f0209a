// What a shard needs where registrations may be watched.

import type { SentBy } from '../outgoing/sent-by.ts';
import { SubscriptionJournal } from './subscription-journal.ts';

interface Ways {
  /** By listener. */
  readonly sentBy: readonly SentBy[];
  /** Whether UDP leaves by the main thread. */
  readonly udpByMain: boolean;
}

export interface SubscriptionOptions extends Ways {
  /** Absent: they end with the process. */
  readonly journal?: SubscriptionJournal;
}

/** The same, as it crosses threads. */
export interface SubscriptionTask extends Ways {
  /** Where they are kept. */
  readonly directory?: string;
  /** Whether they are to outlive a cut of power. */
  readonly syncs: boolean;
}

export function openSubscriptions({ directory, syncs, ...ways }: SubscriptionTask): SubscriptionOptions {
  return { ...ways, ...(directory !== undefined && { journal: new SubscriptionJournal(directory, syncs) }) };
}
