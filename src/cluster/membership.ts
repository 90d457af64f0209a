// The nodes of the cluster, and the one that should claim a shard whose owner is gone: from beats alone. It decides the time of a claim, never the
// owner of a shard: the stream decides that. Pure: monotonic time is an argument.

import type { Beat } from './beat.ts';
import { isOwner, ROLE_CLAIMING, ROLE_FOLLOWING } from './roles.ts';

const FOLLOWERS: readonly number[] = [ROLE_FOLLOWING, ROLE_CLAIMING];

/** A node whose clock is this far ahead of the others' claims nothing. */
const SKEW_MS_MAX = 5000;
/** Time between the turns of two nodes in line. */
const STEP_MS = 500;
/** A node that has not checked for so long has stood still itself: it cannot tell which nodes were silent meanwhile. */
const STILL_MS = 1000;
/** After a reset of the connection to a node, the node is gone if it stays silent for this long. */
const CUT_MS = 300;

interface Known {
  beat: Beat;
  heardAt: number;
  /** Its clock's lead over this node's, at its last beat. */
  aheadMs: number;
  /** Time at which its connection was reset, if no beat came since. */
  cutAt: number;
}

/** State of a node, for status and metrics. */
export interface NodeView {
  readonly beat: Beat;
  readonly isAlive: boolean;
  readonly silentMs: number;
  readonly aheadMs: number;
}

export interface MembershipOptions {
  readonly node: number;
  readonly shards: number;
  readonly silentMs?: number;
}

export class Membership {
  private readonly node: number;
  private readonly silentMs: number;
  private readonly known = new Map<number, Known>();
  /** Leads of clocks by node, cached until the next beat. */
  private readonly skews = new Map<number, number>();
  /** By shard: time since which no known node owns it; 0: a node does. */
  private readonly vacantSince: Float64Array;
  /** By shard: epoch of the claim that this time is about. */
  private readonly vacantEpoch: Float64Array;
  private beganAt = 0;
  private lookedAt = 0;

  constructor({ node, shards, silentMs = 1500 }: MembershipOptions) {
    this.node = node;
    this.silentMs = silentMs;
    this.vacantSince = new Float64Array(shards);
    this.vacantEpoch = new Float64Array(shards);
  }

  /**
   * Takes a beat into account, this node's own included. A beat of an earlier life, or a late one, is ignored.
   * @param clock this node's clock, epoch ms, which may be set at any time
   */
  heard(beat: Beat, now: number, clock = now): void {
    if (this.beganAt === 0) this.beganAt = now;
    const before = this.known.get(beat.node);
    if (before !== undefined && isOlder(beat, before.beat)) return;
    this.skews.clear();
    this.known.set(beat.node, { beat, heardAt: now, aheadMs: beat.clock - clock, cutAt: 0 });
  }

  /** The connection to a node was reset: its process may have died. */
  cut(node: number, now: number): void {
    const known = this.known.get(node);
    if (known !== undefined && known.cutAt === 0) known.cutAt = now;
  }

  isAlive(node: number, now: number): boolean {
    const known = this.known.get(node);
    if (known === undefined) return false;
    if (known.cutAt > 0 && now - known.cutAt >= CUT_MS) return false;
    return now - known.heardAt < this.silentMs;
  }

  /**
   * Whether this node should claim a shard now. To be called regularly: the calls also measure since when a shard has no
   * owner.
   * @param owner the node that has claimed it last, as this node's log says; 0: none
   * @param ownerLife its life @param epoch of that claim
   */
  mayClaim(shard: number, owner: number, ownerLife: number, epoch: number, now: number): boolean {
    this.look(now);
    if (this.epochHeard(shard) > epoch) return false; // this node's log is behind
    const vacantFor = this.vacantFor(shard, owner, ownerLife, epoch, now);
    if (vacantFor < 0 || !this.isFit()) return false;
    const line = this.line(shard, now);
    const place = line.indexOf(this.node);
    return place >= 0 && vacantFor >= place * STEP_MS;
  }

  /** Whether this node's clock allows it to own anything. */
  isFit(): boolean {
    return this.skewMs <= SKEW_MS_MAX;
  }

  /** Lead of this node's clock over the median of all other nodes heard so far, ms; 0: there are none. */
  get skewMs(): number {
    return this.skewOf(this.node);
  }

  /** Whether a node may own a shard: it follows, is as far as the others, and its clock is right. */
  isReady(node: number, shard: number, now: number): boolean {
    const line = this.line(shard, now);
    const applied = (each: number) => this.known.get(each)?.beat.shards[shard].applied ?? -1;
    return line.includes(node) && (applied(node) >= 0 || applied(line[0]) < 0);
  }

  /** The node that would get a shard from this one; 0: there is none. */
  heir(shard: number, now: number): number {
    return this.line(shard, now).find((node) => node !== this.node) ?? 0;
  }

  /** The home of a shard: of the nodes that own it or could, the one that should own it while all live; 0: there is none. */
  home(shard: number, now: number): number {
    const able = [...this.known.values()].filter(
      ({ beat }) => this.couldOwn(beat, now) && (isOwner(roleOf(beat, shard)) || this.isReady(beat.node, shard, now)),
    );
    return able.map(({ beat }) => beat.node).sort((a, b) => weight(shard, b) - weight(shard, a))[0] ?? 0;
  }

  /** The newest claim of a shard in any node's beats. */
  epochHeard(shard: number): number {
    let epoch = 0;
    for (const { beat } of this.known.values()) epoch = Math.max(epoch, beat.shards[shard]?.epoch ?? 0);
    return epoch;
  }

  /** The node that owns a shard by its own beats, under the newest known claim; 0: none does, or it is gone. */
  ownerHeard(shard: number, now: number): number {
    const epoch = this.epochHeard(shard);
    for (const { beat } of this.known.values())
      if (beat.shards[shard]?.epoch === epoch && isOwner(roleOf(beat, shard)) && this.isAlive(beat.node, now))
        return beat.node;
    return 0;
  }

  /** The last message of a shard's stream that any node has: a stream that ends before it has lost messages. */
  sequenceHeard(shard: number): number {
    let sequence = 0;
    for (const { beat } of this.known.values()) sequence = Math.max(sequence, beat.shards[shard]?.applied ?? 0);
    return sequence;
  }

  nodes(now: number): NodeView[] {
    const own = this.known.get(this.node)?.aheadMs ?? 0;
    return [...this.known.values()].map(({ beat, heardAt, aheadMs }) => ({
      beat,
      isAlive: this.isAlive(beat.node, now),
      silentMs: now - heardAt,
      aheadMs: aheadMs - own,
    }));
  }

  /**
   * Time without an owner of the shard, ms; -1: it has one. A live node that does not report to be the owner may be about to: its time
   * counts only after the length of a silence.
   */
  private vacantFor(shard: number, owner: number, ownerLife: number, epoch: number, now: number): number {
    const known = this.known.get(owner);
    const isThere = known !== undefined && known.beat.life === ownerLife && this.isAlive(owner, now);
    if (isThere && isOwner(roleOf(known.beat, shard))) {
      this.vacantSince[shard] = 0;
      return -1;
    }
    if (this.vacantSince[shard] === 0 || this.vacantEpoch[shard] !== epoch) this.vacantSince[shard] = now;
    this.vacantEpoch[shard] = epoch;
    // The node that the log names may be silent for long, or its first beat may be about to come.
    const graceMs = known !== undefined && !isThere ? 0 : this.silentMs;
    return now - Math.max(this.vacantSince[shard], this.beganAt) - graceMs;
  }

  private look(now: number): void {
    if (this.lookedAt > 0 && now - this.lookedAt > STILL_MS)
      for (const known of this.known.values()) {
        known.heardAt = now;
        known.cutAt = 0;
      }
    this.lookedAt = now;
  }

  /** The nodes that could claim the shard, the next one first. */
  private line(shard: number, now: number): number[] {
    const ready = [...this.known.values()].filter(
      ({ beat }) => this.couldOwn(beat, now) && FOLLOWERS.includes(roleOf(beat, shard)),
    );
    const furthest = Math.max(...ready.map(({ beat }) => beat.shards[shard].applied));
    return ready
      .map(({ beat }) => beat)
      .sort(
        (a, b) => late(a, shard, furthest) - late(b, shard, furthest) || weight(shard, b.node) - weight(shard, a.node),
      )
      .map(({ node }) => node);
  }

  private couldOwn({ draining, node }: Beat, now: number): boolean {
    return !draining && this.isAlive(node, now) && this.skewOf(node) <= SKEW_MS_MAX;
  }

  /** Lead of a node's clock over the median of the others'. */
  private skewOf(node: number): number {
    let skew = this.skews.get(node);
    if (skew === undefined) {
      const own = this.known.get(node)?.aheadMs ?? 0;
      const others = [...this.known.values()].filter(({ beat }) => beat.node !== node);
      const ahead = others.map(({ aheadMs }) => aheadMs).sort((a, b) => a - b);
      skew = ahead.length === 0 ? 0 : own - ahead[ahead.length >> 1];
      this.skews.set(node, skew);
    }
    return skew;
  }
}

function roleOf(beat: Beat, shard: number): number {
  return beat.shards[shard]?.role ?? 0;
}

/** A node with nothing in its log is no heir of one that has something. */
function late(beat: Beat, shard: number, furthest: number): number {
  const { applied } = beat.shards[shard];
  return applied < 0 && furthest >= 0 ? 1 : 0;
}

function isOlder(beat: Beat, than: Beat): boolean {
  return beat.life < than.life || (beat.life === than.life && beat.number <= than.number);
}

/** Rendezvous hashing: each shard has its own order of nodes, and a node that leaves does not change the order of the others. */
export function weight(shard: number, node: number): number {
  let hash = Math.imul(shard + 1, 0x9e3779b1) ^ Math.imul(node, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 16), 0x7feb352d);
  hash = Math.imul(hash ^ (hash >>> 15), 0x846ca68b);
  return (hash ^ (hash >>> 16)) >>> 0;
}
