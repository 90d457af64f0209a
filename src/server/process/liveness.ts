// Whether the shards' loops still run, for the watchdog. Reads counters only.

import { COUNTER } from '../../shard/observe/counters.ts';
import type { StatusSource } from './status-line.ts';

/**
 * A question to repeat: has every shard passed its loop since the last time? A shard sleeps a second at most, so ask no
 * more often than every two.
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
