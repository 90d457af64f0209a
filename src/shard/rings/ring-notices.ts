// What comes to a shard by a ring beside messages to be decided about: notices, and what is to be known of the message that follows. @hot

import type { Pipeline } from '../batch.ts';
import { RING_FLOWS_ENDED, RING_NODE_GONE, RING_NOT_SENT, RING_UNTOLD, RING_WAITED } from './ring.ts';

/**
 * Tells the shard of an entry of a kind, which is in a slot. Whether it is a message.
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
