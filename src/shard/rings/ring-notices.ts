// Ring entries beside messages: notices to the shard, and facts about the message that follows. @hot

import type { Pipeline } from '../batch.ts';
import { RING_FLOWS_ENDED, RING_NODE_GONE, RING_NOT_SENT, RING_UNTOLD, RING_WAITED } from './ring.ts';

/**
 * Passes an entry of a kind, in a slot, to the shard. Returns whether it is a message.
 * @param connections that the shard reads itself
 */
export function noticed(
  kind: number,
  shard: Pipeline,
  slot: number,
  length: number,
  now: number,
  connections: { forget(slot: number, length: number): void } | null,
): boolean {
  if (kind === RING_FLOWS_ENDED) {
    shard.flowsEnded(slot, length, now);
    connections?.forget(slot, length);
  } else if (kind === RING_NODE_GONE) shard.nodesGone?.();
  else if (kind === RING_NOT_SENT) shard.notSent?.(slot, length, now);
  else {
    if (kind === RING_UNTOLD) shard.waitedInVain(slot);
    else if (kind === RING_WAITED) shard.hasWaited?.(slot);
    return true;
  }
  return false;
}
