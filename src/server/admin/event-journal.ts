// The change feed's memory: the newest binding events under numbers of their own, so that a client that was away can go on
// where it was. Listening costs the shards something, so it begins with the first client and ends some time after the last.

import { randomBytes } from 'node:crypto';
import type { BindingEvent, BindingListener } from '../../shard/observe/binding-events.ts';

/** Events kept; the oldest go first. */
const EVENTS_KEPT = 16_384;
/** How long the shards go on telling when nobody listens any more: so long a client may be away. */
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
  /** Names this journal: the numbers of another process mean other events. */
  readonly name = randomBytes(4).toString('hex');
  private readonly subscribe: (listener: BindingListener) => () => void;
  /** A ring: an event stands at its number modulo EVENTS_KEPT. */
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

  /** Number of the oldest event that is still here. */
  get oldest(): number {
    return this.last - this.kept + 1;
  }

  /** Whether the shards tell, and so nothing is missing since `oldest`. */
  get listening(): boolean {
    return this.unsubscribe !== undefined;
  }

  /** Calls `wake` when there are new events; the function returned ends that. */
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

  /** The event of a number, undefined where it is gone or not there yet. */
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

/** What a client of the feed gets: the binding's own fields stay together. */
function shown({ type, shard, at, aor, binding }: BindingEvent): object {
  return { type, at, aor, shard, binding };
}
