// This node's beats to all other nodes, over their connections and over NATS, and their beats to it. The table of shards tells the shards'
// threads of the consequences; ClusterFlows tells of those for connections.

import type { Beat } from '../../cluster/beat.ts';
import { BeatSeal } from '../../cluster/beat-seal.ts';
import { Membership } from '../../cluster/membership.ts';
import { OrderTable } from '../../cluster/order-table.ts';
import { type ClusterFlows, NODE_GONE, NODE_SILENT, NODE_THERE } from '../../cluster/peers/cluster-flows.ts';
import { FRAME_BEAT } from '../../cluster/peers/peer-frame.ts';
import { ROLE_COPYING } from '../../cluster/roles.ts';
import type { ShardTable } from '../../cluster/shard-table.ts';
import { FRAME_LEVEL } from '../../cluster/stream-frame.ts';
import { beatSubject } from '../../cluster/stream-names.ts';
import { deriveKey } from '../../core/auth/derived-key.ts';
import type * as abi from '../../transport/linux/linux-abi.ts';
import { NatsSocket, type NatsUser } from '../../transport/linux/linux-nats.ts';
import type { PeerPlace } from '../../transport/linux/linux-peers.ts';
import type { NatsReader } from '../../transport/nats/nats-wire.ts';
import type { ClusterOptions } from './cluster-options.ts';
import type { PeerMesh } from './peer-mesh.ts';

const BEAT_MS = 250;
/** Interval of the decision which node may claim a shard. */
const DECIDE_MS = 50;
/** Connections of a node that is silent for so long count as closed. */
const GONE_MS = 60_000;
/** After a standstill of so long this node has to hear the others again before it judges them. */
const STOOD_MS = 1000;
const SID = 1;

export interface BeatParts {
  readonly calls: abi.Calls;
  readonly options: ClusterOptions;
  readonly table: ShardTable;
  readonly flows: ClusterFlows;
  readonly mesh: PeerMesh;
  readonly listen: PeerPlace;
  /** The first flow number of this life. */
  readonly firstFlow: number;
  /** The role of a shard has changed. */
  changed(shard: number): void;
  /** A node's connections are gone: all of them, or all before some number. */
  gone(): void;
  /** Another process has started under this node's number since: this one may own nothing any more. */
  succeeded(life: number): void;
}

export class Beats implements NatsUser {
  readonly members: Membership;
  readonly nats: NatsSocket;
  private readonly parts: BeatParts;
  private readonly orders: OrderTable;
  private readonly seal: BeatSeal;
  private number = 0;
  private beatAt = 0;
  private decideAt = 0;
  private workedAt = 0;
  /** When NATS was last reachable. */
  private natsAt = 0;
  /** Whether NATS may have sent something. */
  hasNews = true;
  private now = 0;
  private clock = 0;
  private isSucceeded = false;

  constructor(parts: BeatParts) {
    const { calls, options } = parts;
    this.parts = parts;
    this.orders = new OrderTable(options.orders);
    this.seal = new BeatSeal(deriveKey(options.secret, 'cluster beats'));
    this.members = new Membership({ node: options.number, shards: options.shards, silentMs: options.silentMs });
    this.nats = new NatsSocket(calls, { ...options.access, name: `aorta ${options.node} cluster` }, 0, this);
  }

  /** @param now monotonic ms @param clock epoch ms */
  work(now: number, clock: number): void {
    if (this.workedAt > 0 && now - this.workedAt > STOOD_MS) this.decideAt = now + this.parts.options.silentMs;
    this.workedAt = now;
    this.now = now;
    this.clock = clock;
    if (this.hasNews || !this.nats.isOpen || this.nats.msToNext(now) === 0) this.nats.work(now);
    this.hasNews = false;
    if (this.nats.isOpen || this.natsAt === 0) this.natsAt = now;
    if (now >= this.beatAt) {
      this.beatAt = now + BEAT_MS;
      this.beat();
    }
    if (now >= this.decideAt) {
      this.decideAt = now + DECIDE_MS;
      this.decide(now);
    }
    this.nats.flush(now);
  }

  msToNext(now: number): number {
    return Math.max(0, Math.min(this.beatAt - now, this.decideAt - now, this.nats.msToNext(now)));
  }

  /** Accepts a message of a peer or of NATS; false where it is no beat of a node of this cluster. */
  heard(bytes: Uint8Array, from = 0): boolean {
    const beat = this.seal.open(bytes);
    if (beat === null || (from > 0 && beat.node !== from)) return false;
    const { options, mesh } = this.parts;
    if (beat.node === options.number) {
      if (beat.life > options.life) this.succeeded(beat.life);
      return true;
    }
    this.members.heard(beat, this.now, this.clock);
    if (beat.listen !== undefined) mesh.place(beat.node, beat.listen);
    return true;
  }

  /** Whether a node is alive, by everything known. */
  isAlive(node: number): boolean {
    return this.members.isAlive(node, this.now);
  }

  /** The connection to a node is gone. */
  cut(node: number): void {
    this.members.cut(node, this.now);
  }

  opened(): void {
    this.nats.writer.subscribe(beatSubject(this.parts.options.name, '*'), SID);
  }

  message(reader: NatsReader, bytes: Uint8Array): void {
    this.heard(bytes.subarray(reader.payloadAt, reader.payloadEnd));
  }

  closed(): void {}

  told(): void {}

  private succeeded(life: number): void {
    if (!this.isSucceeded) this.parts.succeeded(life);
    this.isSucceeded = true;
  }

  private beat(): void {
    const { clock } = this;
    const { options, table, mesh, listen, firstFlow } = this.parts;
    // A node that cannot reach the streams owns nothing that others could not have; beats over connections must not keep them from it.
    const isCutOff = this.now - this.natsAt > options.silentMs;
    const beat: Beat = {
      node: options.number,
      name: options.node,
      life: options.life,
      number: ++this.number,
      level: FRAME_LEVEL,
      clock,
      policy: options.policyDigest,
      draining: this.orders.draining,
      firstFlow,
      listen,
      shards: Array.from({ length: options.shards }, (_, shard) => ({
        role: isCutOff ? ROLE_COPYING : table.role(shard),
        epoch: table.epoch(shard),
        applied: table.applied(shard),
      })),
    };
    this.members.heard(beat, this.now, clock);
    const bytes = this.seal.seal(beat);
    for (const peer of mesh.nodes()) peer.send(FRAME_BEAT, bytes);
    if (this.nats.isOpen) this.nats.writer.publish(beatSubject(options.name, options.node), '', '', bytes);
  }

  private decide(now: number): void {
    const { options, table, changed } = this.parts;
    const { members, orders } = this;
    const isFit = members.isFit() && !this.isSucceeded;
    for (let shard = 0; shard < options.shards; shard++) {
      const owner = table.owner(shard);
      const handTo = orders.handTo(shard, table.isOwner(shard));
      const may = members.mayClaim(shard, owner, table.ownerLife(shard), table.epoch(shard), now);
      const mayClaim = may && !orders.draining;
      table.setOwnerHeard(shard, members.ownerHeard(shard, now));
      const [epochHeard, sequenceHeard] = [members.epochHeard(shard), members.sequenceHeard(shard)];
      if (table.setSurroundings(shard, { mayClaim, isFit, handTo, epochHeard, sequenceHeard })) changed(shard);
    }
    this.tellOfNodes(now);
  }

  private tellOfNodes(now: number): void {
    const { options, flows, gone } = this.parts;
    for (const { beat, isAlive, silentMs } of this.members.nodes(now)) {
      if (beat.node === options.number) continue;
      const state = isAlive ? NODE_THERE : silentMs < GONE_MS ? NODE_SILENT : NODE_GONE;
      if (flows.setNode(beat.node, state, beat.firstFlow)) gone();
    }
  }
}
