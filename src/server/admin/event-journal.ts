// The change feed's memory: the newest binding events under numbers of their own, so that a returning client can continue.
// Listening costs the shards CPU, so it begins with the first client and ends some time after the last.

import { randomBytes } from 'node:crypto';
import type { BindingEvent, BindingListener } from '../../shard/observe/binding-events.ts';

/** Events kept; the oldest are dropped first. */
const EVENTS_KEPT = 16_384;
/** Time for which the shards still report without a listener: the longest absence of a client. */
const LINGER_MS = 5 * 60_000;

/** One event of the feed. */
export interface JournalEntry {
  readonly number: number;
  readonly aor: string | undefined;
  readonly type: string;
  /** JSON. */
  readonly data: string;
}

export class EventJournal {
  /** Name of this journal: the numbers of another process mean other events. */
  readonly name = randomBytes(4).toString('hex');
  private readonly subscribe: (listener: BindingListener) => () => void;
  /** A ring: an event's index is its number modulo EVENTS_KEPT. */
  private readonly entries: JournalEntry[] = [];
  private kept = 0;
  private readonly wakers = new Set<() => void>();
  private unsubscribe: (() => void) | undefined;
  private linger: NodeJS.Timeout | undefined;
  private last = 0;

  constructor(subscribe: (listener: BindingListener) => () => void) {
    this.subscribe = subscribe;
  }

  /** Number of the newest event, 0 before the first. */
  get newest(): number {
    return this.last;
  }

  /** Number of the oldest event kept. */
  get oldest(): number {
    return this.last - this.kept + 1;
  }

  /** Whether the shards report events, so that none is missing since `oldest`. */
  get listening(): boolean {
    return this.unsubscribe !== undefined;
  }

  /** Calls `wake` when there are new events; the returned function stops that. */
  watch(wake: () => void): () => void {
    clearTimeout(this.linger);
    this.unsubscribe ??= this.subscribe((event) => this.add(event));
    this.wakers.add(wake);
    return () => {
      this.wakers.delete(wake);
      if (this.wakers.size > 0) return;
      this.linger = setTimeout(() => this.stop(), LINGER_MS).unref();
    };
  }

  /** The event of a number; undefined where it is dropped or still to come. */
  at(number: number): JournalEntry | undefined {
    return number >= this.oldest && number <= this.last ? this.entries[number % EVENTS_KEPT] : undefined;
  }

  stop(): void {
    clearTimeout(this.linger);
    this.unsubscribe?.();
    this.unsubscribe = undefined;
    this.entries.length = 0;
    this.kept = 0;
  }

  private add(event: Parameters<BindingListener>[0]): void {
    const entry = event.type === 'lost' ? event : shown(event);
    const number = ++this.last;
    this.kept = Math.min(this.kept + 1, EVENTS_KEPT);
    this.entries[number % EVENTS_KEPT] = {
      number,
      aor: event.type === 'lost' ? undefined : event.aor,
      type: event.type,
      data: JSON.stringify(entry),
    };
    for (const wake of this.wakers) wake();
  }
}

/** An event in the form that clients get: the binding's own fields stay together. */
function shown({ type, shard, at, aor, binding }: BindingEvent): object {
  return { type, at, aor, shard, binding };
}
