// Changes for other systems, beside the log whose commits they tell: registrations, which last, and expiries, which the next
// registration makes last. Segments are begun and dropped all the time.

import { join } from 'node:path';
import type { LogStore } from '../../../src/location/log/log-store.ts';
import { openLogStore } from '../../../src/location/open-log-store.ts';
import { Feed } from '../../../src/server/feed/feed.ts';
import { FeedReader } from '../../../src/server/feed/feed-reader.ts';
import type { FeedWriter } from '../../../src/shard/feed/feed-writer.ts';
import { openFeed } from '../../../src/shard/feed/open-feed.ts';
import { Random } from '../../simulation/shards/random.ts';
import { register, VirtualShard } from '../../support/virtual-shard.ts';
import type { Content, Run, Subject } from '../subject.ts';

/** Four segments of some three steps. */
const KEEP_BYTES = 16 << 10;
/** Items that are kept in any case: a step has two. */
const KEPT_ITEMS = 8;
const BEGIN_MS = Date.UTC(2026, 0, 1);
const STEP_S = 10;
const EXPIRES_S = 65;
/** Contacts expire so many steps after their registration, before that step's own. */
const EXPIRY_STEPS = 7;
/** Each may leave an expiry that is not told. */
const CUTS_MAX = 2;
const LOST = 'lost';
const ORDER = 'order';

/** Contacts that step `n` registers. */
function contactsOf(seed: number, n: number): readonly string[] {
  const count = new Random(seed * 15_485_863 + n).between(1, 8);
  return Array.from({ length: count }, (_, i) => `sip:u${n}-${i}@192.0.2.1`);
}

/** What so many steps make: what happens to which step's contacts, in this order. */
function itemsOf(steps: number): string[] {
  const items: string[] = [];
  for (let n = 0; n < steps; n++) {
    if (n >= EXPIRY_STEPS) items.push(`expired u${n - EXPIRY_STEPS}`);
    items.push(`registered u${n}`);
  }
  return items;
}

class FeedRun implements Run {
  private readonly seed: number;
  private readonly data: string;
  private readonly store: LogStore;
  private readonly feed: Feed;
  private readonly writer: FeedWriter;
  private readonly shard: VirtualShard;

  constructor(data: string, seed: number) {
    this.seed = seed;
    this.data = data;
    this.store = openLogStore(join(data, 'shard-0'), 'durable');
    const config = { keepBytes: KEEP_BYTES, refreshes: false };
    this.feed = new Feed({ config, data, shards: 1, durability: 'durable', log: () => {} });
    this.writer = openFeed(this.feed.optionsOf(0), this.store);
    this.shard = new VirtualShard({ store: this.store, feed: this.writer, now: BEGIN_MS });
  }

  step(n: number): void {
    this.shard.now = BEGIN_MS + (n - 1) * STEP_S * 1000;
    this.shard.advance(STEP_S);
    const to = `<sip:u${n}@example.com>`;
    const contacts = contactsOf(this.seed, n).map((uri) => `<${uri}>`);
    // Another Call-ID in each life, as of a phone that has started again: the step before the cut may have been committed.
    const callId = `${n}-${process.hrtime.bigint()}`;
    const request = register({ to, from: `${to};tag=1`, callId, contacts, expires: EXPIRES_S });
    const status = this.shard.send(request)?.status;
    if (status !== 200) throw new Error(`step ${n} drew ${status}`);
  }

  /** The contacts by item; under ORDER the items, and where changes are called lost. */
  content(): Content {
    const reader = new FeedReader(join(this.data, 'feed'), 0, () => this.feed.newest);
    const content = new Map<string, string>();
    const order: string[] = [];
    for (let entries = reader.read(100); entries.length > 0; entries = reader.read(100)) {
      for (const entry of entries) {
        const item = entry.type === 'lost' ? LOST : `${entry.type} ${entry.aor.split('@')[0]}`;
        // The log may lose an expiry that no later commit made last: then it comes, and is told, again.
        if (entry.type === 'expired' && content.has(item) && order.at(-1) !== item) continue;
        if (order.at(-1) !== item) order.push(item);
        if (entry.type !== 'lost') content.set(item, `${content.get(item) ?? ''} ${entry.binding?.uri}`);
      }
    }
    reader.close();
    return content.set(ORDER, order.join(', '));
  }

  async close(): Promise<void> {
    this.writer.close();
    await this.feed.close();
    this.store.close();
  }
}

function contentOf(seed: number, items: readonly string[]): Map<string, string> {
  const uris = (item: string) => contactsOf(seed, Number(item.split(' u')[1]));
  return new Map(items.map((item) => [item, ` ${uris(item).join(' ')}`]));
}

/**
 * Each change is there once but for old ones, which are dropped for newer ones by segments, and only those are called lost. An expiry that no
 * later commit made last may be on disk in the log and not in the feed, the first time or when it comes again.
 */
function wrongAfter(found: Content, seed: number, items: readonly string[]): string | undefined {
  const told = found.get(ORDER)?.split(', ') ?? [];
  const order: string[] = [];
  let untold = 0;
  for (const [i, [item, text]] of [...contentOf(seed, items)].entries()) {
    const is = found.get(item);
    if (is !== undefined && is !== text) return `${item}: ${is} instead of ${text}`;
    if (is === text) order.push(item);
    const isCalledLost = told[order.length] === LOST;
    if (isBetween(found, items, i) && (is === undefined || isCalledLost)) {
      untold++;
      if (isCalledLost) order.push(LOST);
    } else if (is === undefined) {
      if (i >= items.length - KEPT_ITEMS) return `${item} is missing`;
      if (order.at(-1) !== LOST) order.push(LOST);
    }
  }
  if (untold > CUTS_MAX) return `${untold} expiries are missing`;
  return order.join() === told.join() ? undefined : `${told} instead of ${order}`;
}

/** Whether an item is an expiry, and what stands around it is there. */
function isBetween(found: Content, items: readonly string[], i: number): boolean {
  const isThere = (at: number) => at < 0 || at >= items.length || found.has(items[at]);
  return items[i].startsWith('expired') && isThere(i - 1) && isThere(i + 1);
}

export const FEED: Subject = {
  name: 'feed',
  steps: 60,
  open: (directory, seed) => new FeedRun(directory, seed),
  expected: (seed, steps) => contentOf(seed, itemsOf(steps)),
  check(found, { seed, acknowledged, most = acknowledged + 1 }) {
    const items = itemsOf(most);
    const problems: (string | undefined)[] = [];
    for (let count = itemsOf(acknowledged).length; count <= items.length; count++)
      problems.push(wrongAfter(found, seed, items.slice(0, count)));
    return problems.includes(undefined) ? undefined : `after ${acknowledged} steps ${problems[0]}`;
  },
};
