// A shard's options for watched registrations.

import type { SentBy } from '../outgoing/sent-by.ts';
import { SubscriptionJournal } from './subscription-journal.ts';

interface Ways {
  /** By listener. */
  readonly sentBy: readonly SentBy[];
  /** Whether UDP is sent by the main thread. */
  readonly udpByMain: boolean;
}

export interface SubscriptionOptions extends Ways {
  /** Absent: subscriptions end with the process. */
  readonly journal?: SubscriptionJournal;
}

/** The same, in a form that crosses threads. */
export interface SubscriptionTask extends Ways {
  /** Directory of the journal. */
  readonly directory?: string;
  /** Whether they outlive a loss of power. */
  readonly syncs: boolean;
}

export function openSubscriptions({ directory, syncs, ...ways }: SubscriptionTask): SubscriptionOptions {
  return { ...ways, ...(directory !== undefined && { journal: new SubscriptionJournal(directory, syncs) }) };
}
