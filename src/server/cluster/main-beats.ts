// Temporary: beats and membership on the main thread, until the cluster's thread has them.

import type { NatsConnection } from '@nats-io/transport-node';
import { encodeBeat } from '../../cluster/beat.ts';
import type { Membership } from '../../cluster/membership.ts';
import { OrderTable } from '../../cluster/order-table.ts';
import { ShardTable } from '../../cluster/shard-table.ts';
import { beatSubject } from '../../cluster/stream-names.ts';
import type { ClusterOptions } from '../../threads/cluster/cluster-options.ts';
import type { BeatWatch } from './beat-watch.ts';

export function beatOnMain(
  connection: NatsConnection,
  options: ClusterOptions,
  shards: number,
  watch: BeatWatch,
): () => void {
  const table = new ShardTable(shards, options.table);
  const orders = new OrderTable(options.orders);
  const members: Membership = watch.members;
  let number = 0;
  let at = 0;
  const timer = setInterval(() => {
    const now = Date.now();
    if (now - at >= 250) {
      at = now;
      const beat = {
        node: options.number,
        name: options.node,
        life: options.life,
        number: ++number,
        level: 1,
        clock: now,
        policy: options.policyDigest,
        draining: orders.draining,
        firstFlow: 0,
        shards: Array.from({ length: shards }, (_, s) => ({
          role: table.role(s),
          epoch: table.epoch(s),
          applied: table.applied(s),
        })),
      };
      members.heard(beat, now);
      connection.publish(beatSubject(options.name, options.node), encodeBeat(beat));
    }
    for (let s = 0; s < shards; s++) {
      const handTo = orders.handTo(s, table.isOwner(s));
      const mayClaim = !orders.draining && members.mayClaim(s, table.owner(s), table.ownerLife(s), table.epoch(s), now);
      table.setSurroundings(s, { mayClaim, isFit: members.isFit(), handTo, epochHeard: members.epochHeard(s) });
    }
  }, 50);
  return () => clearInterval(timer);
}
