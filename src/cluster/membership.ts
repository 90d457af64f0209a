// Which nodes there are, and which of them is to claim a shard whose owner is gone: from beats alone. It decides when a claim is made,
// never who owns a shard: that the stream does. Pure: time is an argument, and only passes: nobody sets it.

import type { Beat } from './beat.ts';
import { isOwner, ROLE_CLAIMING, ROLE_FOLLOWING } from './roles.ts';

const FOLLOWERS: readonly number[] = [ROLE_FOLLOWING, ROLE_CLAIMING];

/** A node that is this far ahead of the others' clocks claims nothing. */
const SKEW_MS_MAX = 5000;
/** Between two nodes that are next in line. */
const STEP_MS = 500;
/** A node that has not looked for so long has stood still itself: it cannot tell who was silent meanwhile. */
const STILL_MS = 1000;
/** A connection to a node was reset: it is gone if it is silent for this long now. */
const CUT_MS = 300;

interface Known {
  beat: Beat;
  heardAt: number;
  /** How far its clock was ahead of this node's, when that was heard. */
  aheadMs: number;
  /** Its connection was reset, and it has not been heard since. */
  cutAt: number;
}

/** For those who look at the cluster. */
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
  /** By node, until a beat is heard. */
  private readonly skews = new Map<number, number>();
  /** By shard: since when nobody owns it, as far as is known; 0: somebody does. */
  private readonly vacantSince: Float64Array;
  /** By shard: of the claim that this was about. */
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
   * A beat, this node's own among them. One of an earlier life, or that comes late, is none.
   * @param clock this node's clock, epoch ms, which may be set at any time
   */
  heard(beat: Beat, now: number, clock = now): void {
    if (this.beganAt === 0) this.beganAt = now;
    const before = this.known.get(beat.node);
    if (before !== undefined && isOlder(beat, before.beat)) return;
    this.skews.clear();
    this.known.set(beat.node, { beat, heardAt: now, aheadMs: beat.clock - clock, cutAt: 0 });
  }

  /** The connection to a node was reset: a process that died, perhaps. */
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
   * Whether this node is to claim a shard now. To be asked again and again: it tells when a shard lost its owner.
   * @param owner the node that has claimed it last, in which life and with which epoch, as this node's log says; 0: nobody
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

  /** How far this node's clock is ahead of the median of the others that it has ever heard, ms; 0 where there are none. */
  get skewMs(): number {
    return this.skewOf(this.node);
  }

  /** Whether a node may own a shard: it follows, has what the others have, and its clock is right. */
  isReady(node: number, shard: number, now: number): boolean {
    const line = this.line(shard, now);
    const applied = (each: number) => this.known.get(each)?.beat.shards[shard].applied ?? -1;
    return line.includes(node) && (applied(node) >= 0 || applied(line[0]) < 0);
  }

  /** To whom this node would hand a shard; 0: there is nobody. */
  heir(shard: number, now: number): number {
    return this.line(shard, now).find((node) => node !== this.node) ?? 0;
  }

  /** Of the nodes that own a shard or could, the one that is to while all live; 0: there is none. */
  home(shard: number, now: number): number {
    const able = [...this.known.values()].filter(
      ({ beat }) => this.couldOwn(beat, now) && (isOwner(roleOf(beat, shard)) || this.isReady(beat.node, shard, now)),
    );
    return able.map(({ beat }) => beat.node).sort((a, b) => weight(shard, b) - weight(shard, a))[0] ?? 0;
  }

  /** The newest claim of a shard that any node speaks of. */
  epochHeard(shard: number): number {
    let epoch = 0;
    for (const { beat } of this.known.values()) epoch = Math.max(epoch, beat.shards[shard]?.epoch ?? 0);
    return epoch;
  }

  /** The node that says it owns a shard, by the newest claim that any speaks of; 0: none does, or it is gone. */
  ownerHeard(shard: number, now: number): number {
    const epoch = this.epochHeard(shard);
    for (const { beat } of this.known.values())
      if (beat.shards[shard]?.epoch === epoch && isOwner(roleOf(beat, shard)) && this.isAlive(beat.node, now))
        return beat.node;
    return 0;
  }

  /** The last message of a shard's stream that any node is known to have: a stream that ends before it has lost some. */
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
   * How long nobody has owned the shard, ms; -1: somebody does. A node that lives and does not say that it is the owner may be about to say
   * so: that counts from when it has gone on for as long as a silence.
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
    // Whom the log names may have fallen silent long ago, or may only be about to be heard for the first time.
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

  /** How far a node's clock is ahead of the median of the others'. */
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

/** Rendezvous hashing: each shard has an order of nodes of its own, and whoever goes changes nothing in the order of the others. */
export function weight(shard: number, node: number): number {
  let hash = Math.imul(shard + 1, 0x9e3779b1) ^ Math.imul(node, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 16), 0x7feb352d);
  hash = Math.imul(hash ^ (hash >>> 15), 0x846ca68b);
  return (hash ^ (hash >>> 16)) >>> 0;
}
