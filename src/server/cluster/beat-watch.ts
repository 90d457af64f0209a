// The nodes' beats on the main thread: for status, orders and metrics, and to notice a second node of the same name. It does not decide
// about claims.

import type { NatsConnection, Subscription } from '@nats-io/transport-node';
import { BeatSeal } from '../../cluster/beat-seal.ts';
import { Membership, type NodeView } from '../../cluster/membership.ts';
import { beatSubject } from '../../cluster/stream-names.ts';
import { deriveKey } from '../../core/auth/derived-key.ts';
import { monotonicMs } from '../../transport/monotonic.ts';

export interface WatchOptions {
  readonly cluster: string;
  /** Number of this node. */
  readonly node: number;
  readonly shards: number;
  readonly silentMs: number;
  /** The cluster's secret. */
  readonly secret: Uint8Array;
}

export class BeatWatch {
  readonly members: Membership;
  private readonly subscription: Subscription;

  constructor(connection: NatsConnection, { cluster, node, shards, silentMs, secret }: WatchOptions) {
    const seal = new BeatSeal(deriveKey(secret, 'cluster beats'));
    this.members = new Membership({ node, shards, silentMs });
    this.subscription = connection.subscribe(beatSubject(cluster, '*'), {
      callback: (error, message) => {
        const beat = error === null ? seal.open(message.data) : null;
        if (beat !== null) this.members.heard(beat, monotonicMs(), Date.now());
      },
    });
  }

  /** Views of nodes by number. */
  nodes(): Map<number, NodeView> {
    return new Map(this.members.nodes(monotonicMs()).map((view) => [view.beat.node, view]));
  }

  isAlive(node: number): boolean {
    return this.members.isAlive(node, monotonicMs());
  }

  close(): void {
    this.subscription.unsubscribe();
  }
}
