// Orders between main threads of nodes, over NATS: hand a shard over. Each is signed with a key derived from the cluster's
// secret, and valid for some seconds.

import { createHmac, timingSafeEqual } from 'node:crypto';
import type { NatsConnection } from '@nats-io/transport-node';
import * as z from 'zod';
import { orderSubject } from '../../cluster/stream-names.ts';
import { deriveKey } from '../../core/auth/derived-key.ts';
import { ClusterError } from './cluster-error.ts';
import { TakenOnce } from './taken-once.ts';

const ANSWER_MS = 2000;

const Order = z.strictObject({
  to: z.string(),
  shard: z.number().int().nonnegative(),
  /** Number of the node that gets the shard. */
  node: z.number().int().positive(),
  at: z.number(),
});
type Order = z.infer<typeof Order>;
const Signed = z.strictObject({ order: z.string(), mac: z.string() });
const Answer = z.strictObject({ problem: z.string().optional() });

export interface OrderParts {
  readonly connection: NatsConnection;
  readonly cluster: string;
  readonly node: string;
  readonly secret: Uint8Array;
  /** Carries an order out; returns the reason where it cannot. */
  hand(shard: number, node: number): string | undefined;
}

export class ClusterOrders {
  private readonly parts: OrderParts;
  private readonly key: Uint8Array;
  private readonly taken = new TakenOnce();

  constructor(parts: OrderParts) {
    this.parts = parts;
    this.key = deriveKey(parts.secret, 'cluster orders');
    const { connection, cluster, node } = parts;
    connection.subscribe(orderSubject(cluster, node), {
      callback: (error, message) => {
        if (error === null) message.respond(JSON.stringify(this.take(message.string())));
      },
    });
  }

  /** Orders a node to hand a shard to another one. Throws a ClusterError where it does not. */
  async send(to: string, shard: number, node: number): Promise<void> {
    const { connection, cluster } = this.parts;
    const order = JSON.stringify({ to, shard, node, at: Date.now() } satisfies Order);
    let answer: z.infer<typeof Answer>;
    try {
      const signed = JSON.stringify({ order, mac: this.mac(order) });
      answer = Answer.parse(
        (await connection.request(orderSubject(cluster, to), signed, { timeout: ANSWER_MS })).json(),
      );
    } catch (error) {
      throw new ClusterError(`node ${to} does not answer an order: ${(error as Error).message}`);
    }
    if (answer.problem !== undefined) throw new ClusterError(`node ${to}: ${answer.problem}`);
  }

  private take(text: string): z.infer<typeof Answer> {
    try {
      const { order, mac } = Signed.parse(JSON.parse(text));
      if (!isSame(mac, this.mac(order))) return { problem: 'the order is not signed with the secret of this cluster' };
      const { to, shard, node, at } = Order.parse(JSON.parse(order));
      if (to !== this.parts.node) return { problem: `the order is for ${to}` };
      const taken = this.taken.take(mac, at, Date.now());
      if (taken === 'old') return { problem: 'the order is old: do the clocks of the nodes agree?' };
      if (taken === 'again') return { problem: 'the order was given before' };
      const problem = this.parts.hand(shard, node);
      return problem === undefined ? {} : { problem };
    } catch {
      return { problem: 'the order makes no sense' };
    }
  }

  private mac(order: string): string {
    return createHmac('sha256', this.key).update(order).digest('hex');
  }
}

function isSame(one: string, other: string): boolean {
  return one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other));
}
