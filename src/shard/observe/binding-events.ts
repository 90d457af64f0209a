// Binding events for programs: committed changes as plain data, for listeners on the main thread.

import { type Binding, viewBinding } from '../../core/binding/binding-view.ts';
import {
  CHANGE_EVICTED,
  CHANGE_EXPIRED,
  CHANGE_FLOW_ENDED,
  CHANGE_REFRESHED,
  CHANGE_REGISTERED,
  CHANGE_REMOVED,
  CHANGE_UNREGISTERED,
  changeParts,
} from '../../core/binding/changes.ts';
import { aorText } from '../../sip/shown-text.ts';
import { Bell } from '../rings/bell.ts';
import { EventReader } from './event-ring.ts';
import { callProgram } from './program-call.ts';

/** Names of CHANGE_* in the API. */
export const CHANGE_TYPES = {
  [CHANGE_REGISTERED]: 'registered',
  [CHANGE_REFRESHED]: 'refreshed',
  [CHANGE_UNREGISTERED]: 'unregistered',
  [CHANGE_EXPIRED]: 'expired',
  [CHANGE_EVICTED]: 'evicted',
  [CHANGE_FLOW_ENDED]: 'flow-ended',
  [CHANGE_REMOVED]: 'removed',
} as const;

export type BindingEventType = (typeof CHANGE_TYPES)[keyof typeof CHANGE_TYPES];

/** A change of one binding, published once it is committed. */
export interface BindingEvent {
  /**
   * `registered`, `refreshed`: the binding as it is now. The others end it: `unregistered` by its client, `expired`, `evicted`
   * because its AOR had too many, `flow-ended` with its connection, `removed` by an operator.
   */
  readonly type: BindingEventType;
  readonly shard: number;
  /** Counts the shard's events one by one from 1; a gap is lost events, see `lost`. Starts anew with the process. */
  readonly sequence: number;
  /** Epoch ms. */
  readonly at: number;
  /** Canonical: user@host. */
  readonly aor: string;
  readonly binding: Binding;
}

/** Events of a shard that were lost because the listener was too slow. */
export interface LostEvents {
  readonly type: 'lost';
  readonly shard: number;
  /** How many, since the last time. */
  readonly count: number;
}

export type BindingListener = (event: BindingEvent | LostEvents) => void;

/** Events passed to listeners before the event loop gets its turn. */
const EVENTS_PER_TURN = 512;

export class BindingEvents {
  private readonly readers: readonly EventReader[];
  private readonly lost: number[];
  private readonly listeners = new Set<BindingListener>();
  private readonly failed: (error: unknown) => void;
  private readonly bell: Bell;
  private pending = false;

  /**
   * @param memories one per shard
   * @param bellMemory of the bell that the shards ring; its listener calls `wake`
   * @param failed gets errors and rejections of listeners
   */
  constructor(memories: readonly SharedArrayBuffer[], bellMemory: SharedArrayBuffer, failed: (error: unknown) => void) {
    this.readers = memories.map((memory) => new EventReader(memory));
    this.lost = memories.map(() => 0);
    this.bell = new Bell(bellMemory, () => {});
    this.failed = failed;
  }

  /** Calls `listener` with every change from now on, in each shard's order; the returned function ends that. */
  subscribe(listener: BindingListener): () => void {
    const own: BindingListener = (event) => listener(event);
    if (this.listeners.size === 0) this.listen(true);
    this.listeners.add(own);
    return () => {
      if (this.listeners.delete(own) && this.listeners.size === 0) this.listen(false);
    };
  }

  /** Events of a shard wait. */
  wake(): void {
    if (!this.pending) this.turn();
  }

  /** Passes on all published events at once: before a stop. */
  drain(): void {
    while (this.tell());
  }

  private listen(listening: boolean): void {
    for (const [shard, reader] of this.readers.entries()) {
      reader.listen(listening);
      this.lost[shard] = reader.lost;
    }
    if (listening) this.bell.beforeSleep();
  }

  private turn(): void {
    this.pending = true; // while a listener runs: changes it causes are told next, to all of them
    this.bell.afterSleep();
    let more = this.tell();
    if (!more) {
      this.bell.beforeSleep();
      more = this.listeners.size > 0 && this.readers.some((reader) => !reader.empty);
      if (more) this.bell.afterSleep();
    }
    this.pending = more;
    if (more) setImmediate(() => this.turn());
  }

  /** Passes on events of all shards. True: more are waiting. */
  private tell(): boolean {
    let told = 0;
    for (const [shard, reader] of this.readers.entries()) {
      for (; told < EVENTS_PER_TURN && this.listeners.size > 0; told++) {
        const entry = reader.next();
        if (entry === undefined) break;
        this.give(eventOf(entry, shard));
      }
      const count = reader.lost - this.lost[shard];
      if (count === 0 || !reader.empty) continue; // told at their place: behind those that did fit
      this.lost[shard] += count;
      this.give({ type: 'lost', shard, count });
    }
    return told === EVENTS_PER_TURN;
  }

  private give(event: BindingEvent | LostEvents): void {
    for (const listener of this.listeners) callProgram(() => listener(event), this.failed);
  }
}

function eventOf(entry: Uint8Array, shard: number): BindingEvent {
  return { ...readChange(new DataView(entry.buffer), 0), shard };
}

/** The entry of core/binding/changes at `at`. */
export function readChange(view: DataView, at: number): Omit<BindingEvent, 'shard'> {
  const parts = changeParts(view, at);
  const bytes = new Uint8Array(view.buffer);
  return {
    type: CHANGE_TYPES[parts.kind as keyof typeof CHANGE_TYPES],
    sequence: parts.sequence,
    at: parts.at,
    aor: aorText(bytes, parts.aorAt, parts.imageAt),
    binding: viewBinding(bytes, parts.imageAt, parts.at),
  };
}
