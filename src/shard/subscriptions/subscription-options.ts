// What a shard needs where registrations may be watched.

import { SubscriptionJournal } from './subscription-journal.ts';

/** Host and port of a listener; no host where it is bound to all addresses, port 0 where it is not known. */
export interface SentBy {
  readonly host: string;
  readonly port: number;
}

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

/** @param host an IP address, IPv6 without brackets */
export function sentByOf({ host, port }: SentBy): SentBy {
  if (host === '0.0.0.0' || host === '::') return { host: '', port };
  return { host: host.includes(':') ? `[${host}]` : host, port };
}
