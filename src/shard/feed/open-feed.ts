// A shard's feed beside its store.

import type { LocationStore } from '../../location/location-store.ts';
import { LogStore } from '../../location/log/log-store.ts';
import { type FeedOptions, FeedWriter } from './feed-writer.ts';

/** Throws where the bindings are in memory alone, and the disk's errors. */
export function openFeed(options: FeedOptions, store: LocationStore): FeedWriter {
  if (!(store instanceof LogStore)) throw new Error('a feed needs bindings on disk');
  const { marks } = store;
  return new FeedWriter(options, () => ({ last: marks.last, lastSum: marks.lastSum }));
}
