// Moves of shards between two living nodes: an operator fetches one to this node, returns all to their home nodes, or drains
// this node.

import { setTimeout as delay } from 'node:timers/promises';
import type { NatsConnection } from '@nats-io/transport-node';
import { OrderTable } from '../../cluster/order-table.ts';
import type { ShardTable } from '../../cluster/shard-table.ts';
import type { ClusterOptions } from '../../threads/cluster/cluster-options.ts';
import { monotonicMs } from '../../transport/monotonic.ts';
import { ClusterError } from './cluster-error.ts';
import { ClusterOrders } from './cluster-orders.ts';
import type { ClusterView } from './cluster-view.ts';

const MOVE_MS = 10_000;
const LOOK_MS = 50;
const HAND_OVER_MS = 3000;
const DRAIN_MS = 200;

export interface MoveParts {
  readonly connection: NatsConnection;
  readonly options: ClusterOptions;
  readonly table: ShardTable;
  readonly view: ClusterView;
}

export class ShardMoves {
  private readonly options: ClusterOptions;
  private readonly table: ShardTable;
  private readonly view: ClusterView;
  private readonly orderTable: OrderTable;
  private readonly orders: ClusterOrders;
  private drainTimer: NodeJS.Timeout | undefined;

  constructor({ connection, options, table, view }: MoveParts) {
    this.options = options;
    this.table = table;
    this.view = view;
    this.orderTable = new OrderTable(options.orders);
    this.orders = new ClusterOrders({
      connection,
      cluster: options.name,
      node: options.node,
      secret: options.secret,
      hand: (shard, node) => this.hand(shard, node),
    });
  }

  /** Has a shard come to this node. Throws a ClusterError where it does not. */
  async take(shard: number): Promise<void> {
    const { node, number } = this.options;
    const owner = this.table.route(shard);
    await this.move(shard, node);
    if (owner !== number) await this.whenMoved(shard, owner);
  }

  /**
   * Returns each shard to the node that is its home while all are alive, one after the other; resolves with the number of
   * moves.
   */
  async balance(): Promise<number> {
    const { table, view } = this;
    await view.refresh();
    let moved = 0;
    for (let shard = 0; shard < table.shards; shard++) {
      const [owner, home] = [table.route(shard), view.beats.members.home(shard, monotonicMs())];
      const name = view.nameOf(home);
      if (name === undefined || owner === home || view.nameOf(owner) === undefined) continue;
      await this.move(shard, name);
      await this.whenMoved(shard, owner);
      moved++;
    }
    return moved;
  }

  /** Gives up all ownership from here on, or ends that. */
  drain(draining: boolean): void {
    this.orderTable.setDraining(draining);
    clearInterval(this.drainTimer);
    if (!draining) return;
    this.handAll();
    // A shard may have no destination now, or arrive later by an order that was in transit.
    this.drainTimer = setInterval(() => this.handAll(), DRAIN_MS);
    this.drainTimer.unref();
  }

  /** Called before a stop: hands its shards to other nodes, where there are any; waits a little for that. */
  async handOver(): Promise<void> {
    const { table, orderTable } = this;
    this.drain(true);
    const goes = (shard: number) => table.isOwner(shard) && orderTable.handTo(shard, true) > 0;
    const shards = Array.from({ length: table.shards }, (_, shard) => shard);
    for (let waited = 0; waited < HAND_OVER_MS && shards.some(goes); waited += LOOK_MS) await delay(LOOK_MS);
  }

  close(): void {
    clearInterval(this.drainTimer);
  }

  /** Has the owner of a shard hand it to a node. Throws a ClusterError where it cannot. */
  private async move(shard: number, to: string): Promise<void> {
    const { view, table, options } = this;
    await view.refresh();
    view.demandShard(shard);
    const { number } = view.record.nodes[to] ?? {};
    if (number === undefined) throw new ClusterError(`there is no node ${to}`);
    const owner = table.route(shard);
    if (owner === number) return;
    const name = view.nameOf(owner);
    if (name === undefined) throw new ClusterError(`shard ${shard} has no owner: the next in line claims it by itself`);
    if (name !== options.node) return this.orders.send(name, shard, number);
    const problem = this.hand(shard, number);
    if (problem !== undefined) throw new ClusterError(problem);
  }

  private async whenMoved(shard: number, from: number): Promise<void> {
    for (let waited = 0; this.table.route(shard) === from; waited += LOOK_MS) {
      if (waited >= MOVE_MS) throw new ClusterError(`shard ${shard} has not gone over within ${MOVE_MS / 1000} s`);
      await delay(LOOK_MS);
    }
  }

  private handAll(): void {
    const { table, view, orderTable } = this;
    for (let shard = 0; shard < table.shards; shard++) {
      const heir = table.isOwner(shard) ? view.beats.members.heir(shard, monotonicMs()) : 0;
      if (heir > 0) orderTable.setHandTo(shard, heir);
    }
  }

  /** Hands a shard over; returns the reason where it cannot. */
  private hand(shard: number, node: number): string | undefined {
    const { beats } = this.view;
    if (!(shard < this.table.shards) || !this.table.isOwner(shard)) return `shard ${shard} is not owned here`;
    const heard = beats.nodes().get(node);
    if (heard?.isAlive !== true) return `node ${this.view.nameOf(node) ?? node} is not heard of`;
    const { name, draining } = heard.beat;
    if (draining) return `node ${name} is draining: aorta cluster drain --off on it first`;
    if (!beats.members.isReady(node, shard, monotonicMs()))
      return `node ${name} cannot own shard ${shard} now: it does not follow it, or its clock is wrong`;
    this.orderTable.setHandTo(shard, node);
    return undefined;
  }
}
