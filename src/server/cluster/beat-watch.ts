// What the nodes say of themselves, as the main thread hears it: for status, orders and metrics, and to notice a second node of the same
// name. Who may claim what is not decided here.

import type { NatsConnection, Subscription } from '@nats-io/transport-node';
import { decodeBeat } from '../../cluster/beat.ts';
import { Membership, type NodeView } from '../../cluster/membership.ts';
import { beatSubject } from '../../cluster/stream-names.ts';

export interface WatchOptions {
  readonly cluster: string;
  /** This node. */
  readonly node: number;
  readonly shards: number;
  readonly silentMs: number;
}

export class BeatWatch {
  readonly members: Membership;
  private readonly subscription: Subscription;

  constructor(connection: NatsConnection, { cluster, node, shards, silentMs }: WatchOptions) {
    this.members = new Membership({ node, shards, silentMs });
    this.subscription = connection.subscribe(beatSubject(cluster, '*'), {
      callback: (error, message) => {
        const beat = error === null ? decodeBeat(message.data) : null;
        if (beat !== null) this.members.heard(beat, Date.now());
      },
    });
  }

  /** By number. */
  nodes(): Map<number, NodeView> {
    return new Map(this.members.nodes(Date.now()).map((view) => [view.beat.node, view]));
  }

  isAlive(node: number): boolean {
    return this.members.isAlive(node, Date.now());
  }

  close(): void {
    this.subscription.unsubscribe();
  }
}
