// Whether the shards' loops still turn: what the watchdog is fed with. Reads counters only.

import { COUNTER } from '../../shard/observe/counters.ts';
import type { StatusSource } from './status-line.ts';

/**
 * A question to ask again and again: has every shard passed its loop since the last time? A shard sleeps a second at most,
 * so ask no more often than every two.
 */
export function shardsLive(source: StatusSource): () => boolean {
  let before = source.counters().map((shard) => shard[COUNTER.loops]);
  return () => {
    const now = source.counters().map((shard) => shard[COUNTER.loops]);
    const live = now.every((loops, shard) => loops !== before[shard]);
    before = now;
    return live;
  };
}
