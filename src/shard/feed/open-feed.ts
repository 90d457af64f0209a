// A shard's feed beside its store.

import type { LocationStore } from '../../location/location-store.ts';
import { LogStore } from '../../location/log/log-store.ts';
import { logSum } from './feed-segment.ts';
import { type FeedOptions, FeedWriter } from './feed-writer.ts';

/**
 * Throws if the bindings are in memory alone, and the disk's errors.
 * @param stream in a cluster: the position up to which the shard's stream is applied
 */
export function openFeed(
  options: FeedOptions,
  store: LocationStore,
  stream?: { readonly applied: { readonly sequence: number; readonly sum: number }; giveUp(why: string): Error },
): FeedWriter {
  if (!(store instanceof LogStore)) throw new Error('a feed needs bindings on disk');
  const log = logSum(store.log.name);
  if (stream !== undefined) {
    const gaveUp = (error: unknown) => stream.giveUp(`changes cannot be kept: ${String(error)}`);
    const applied = () => {
      const { sequence, sum } = stream.applied;
      return { last: sequence, lastSum: sum };
    };
    return new FeedWriter({ ...options, byStream: true, gaveUp }, applied, log);
  }
  const { marks } = store;
  return new FeedWriter(options, () => ({ last: marks.last, lastSum: marks.lastSum }), log);
}
