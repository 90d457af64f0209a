// Reading the feed: the segments of all shards as one list, in the order of its numbers, from any number on. Removed or damaged changes are
// reported as lost.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type BindingEvent, readChange } from '../../shard/observe/binding-events.ts';
import { ShardFeed } from './shard-feed.ts';

/** A change of a binding with its number. */
export interface FeedChange extends Omit<BindingEvent, 'shard'>, OfNode {
  /**
   * Rises from change to change, also across restarts; not by one. In a cluster each node has numbers of its own: those of one AOR rise from
   * node to node, too.
   */
  readonly sequence: number;
}

interface OfNode {
  /** In a cluster: the node that decided the change and keeps it. */
  readonly node?: string;
}

/** Changes that are no longer kept, or cannot be read. */
export interface FeedGap extends OfNode {
  readonly type: 'lost';
  /** First number of the range, which ends at `sequence`. */
  readonly from: number;
  readonly sequence: number;
}

export type FeedEntry = FeedChange | FeedGap;

const SHARD = /^shard-[0-9]+$/;

/** Directories of the shards, those of earlier numbers of shards among them. Throws the system's error. */
export function shardDirectories(directory: string): string[] {
  return readdirSync(directory)
    .filter((name) => SHARD.test(name))
    .map((name) => join(directory, name));
}

export class FeedReader {
  private readonly directory: string;
  private readonly settledTo: () => number;
  private readonly of: OfNode;
  private readonly shards = new Map<string, ShardFeed>();
  private readonly ready: FeedEntry[] = [];
  private readAt = -1;
  private after: number;

  /**
   * @param after number of the last known change
   * @param settledTo number up to which all changes are readable
   * @param node in a cluster
   */
  constructor(directory: string, after: number, settledTo: () => number, node?: string) {
    this.directory = directory;
    this.after = after;
    this.settledTo = settledTo;
    this.of = node === undefined ? {} : { node };
  }

  /** The next entries, at most `max`; empty where there are none yet. Throws the disk's error. */
  read(max: number): FeedEntry[] {
    const to = this.settledTo();
    if (this.ready.length < max && to > this.readAt) this.fill(max, to);
    const entries = this.ready.splice(0, max);
    this.after = entries.at(-1)?.sequence ?? this.after;
    return entries;
  }

  /** Whether there may be more to read. */
  get mayHaveMore(): boolean {
    return this.ready.length > 0 || this.settledTo() > this.readAt;
  }

  close(): void {
    for (const shard of this.shards.values()) shard.close();
    this.shards.clear();
  }

  private fill(max: number, to: number): void {
    for (const path of shardDirectories(this.directory))
      if (!this.shards.has(path)) this.shards.set(path, new ShardFeed(path, this.after));
    while (this.ready.length < max) {
      const next = this.first(to);
      if (next === undefined) {
        this.readAt = to;
        return;
      }
      const { lost, changes } = next.read();
      if (lost !== undefined) this.ready.push({ type: 'lost', ...lost, ...this.of });
      for (const { view, at } of changes) this.ready.push({ ...readChange(view, at), ...this.of });
    }
  }

  /** The shard whose next number is the smallest. */
  private first(to: number): ShardFeed | undefined {
    let found: ShardFeed | undefined;
    let smallest = Number.POSITIVE_INFINITY;
    for (const shard of this.shards.values()) {
      const next = shard.peek(to);
      if (next === undefined || next >= smallest) continue;
      smallest = next;
      found = shard;
    }
    return found;
  }
}
