// The main thread's orders to a shard between two batches: apply other rules, list the parties that abuse control limits,
// release one of them.

import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { Pipeline } from '../shard/batch.ts';
import type { ProcessClock } from '../shard/process-clock.ts';
import type { OrderAnswer, ShardOrder, Tell } from './shard-messages.ts';

/** Follows the orders that wait at the port, in their order; each is answered. */
export function handleOrders(port: MessagePort, shard: Pipeline, clock: ProcessClock, tell: Tell): void {
  for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
    try {
      tell({ type: 'followed', answer: follow(next.message as ShardOrder, shard, clock.now()) });
    } catch (error) {
      tell({ type: 'followed', answer: { problem: String(error) } });
    }
  }
}

function follow(order: ShardOrder, shard: Pipeline, now: number): OrderAnswer {
  if (order.type === 'limited') return { limited: shard.gate?.limited(now) ?? [] };
  if (order.type === 'forgive') return { forgiven: shard.gate?.forgive(order.name, now) ?? false };
  shard.configure(order.settings);
  return {};
}
