// The ownership of a shard, as one node sees it: it follows the shard's stream, claims the shard when its owner is gone and it is this node's turn,
// and writes while it owns the shard. Only the stream ends an ownership (decisions/0115). Pure: events come in, actions go out, time is an argument.
// The caller has the frames; this class has sequences, epochs and nodes.

import type { Applied } from '../location/log/control-entry.ts';
import {
  FATE_BROKEN,
  FATE_HELD,
  FATE_LOST,
  FATE_OPEN,
  FATE_PASSED,
  FATE_STREAM_SHORT,
  Publication,
  Shortness,
  type Writer,
} from './publication.ts';
import {
  ROLE_BROKEN,
  ROLE_CLAIMING,
  ROLE_COPYING,
  ROLE_FOLLOWING,
  ROLE_LEAVING,
  ROLE_OWNING,
  type Role,
} from './roles.ts';
import { FRAME_BATCH, FRAME_CLAIM, FRAME_HANDOVER, FRAME_PROOF, type FrameKind } from './stream-frame.ts';

export interface OwnershipEffects {
  /** Makes the frame of this kind, if it is not made yet, seals it for the sequence and publishes it after the one before. */
  publish(id: number, kind: FrameKind, sequence: number): void;
  read(id: number, sequence: number): void;
  bounds(id: number): void;
  follow(from: number): void;
  unfollow(): void;
  changeServer(): void;
  /** The published frame is at the sequence: applies it, and calls `tookIn`. False: the log did not accept it. */
  takeInMine(sequence: number): boolean;
  /** The published frame will never hold. */
  lost(kind: FrameKind): void;
  /** From now on this node writes. */
  tookOver(): void;
  /** From now on it does not. */
  gaveUp(why: string): void;
  /** Logs an event for operators. */
  tell(level: 'info' | 'warn' | 'error', event: string, fields: Record<string, unknown>): void;
}

/** Knowledge of the rest of the node, at each tick. */
export interface Surroundings {
  /** The owner is gone, and it is this node's turn (membership.ts). */
  readonly mayClaim: boolean;
  /** This node may own shards: its clock is right. */
  readonly isFit: boolean;
  /** The node that must get the shard; 0: none. */
  readonly handTo: number;
  /** The newest claim in any node's beats. */
  readonly epochHeard: number;
  /** The last message that any node has applied, by its beats. */
  readonly sequenceHeard: number;
}

/** An owner answers requests that must not be stale only if it had an acknowledgement within this time. */
const FRESH_MS = 2000;
/** Time until the stream's bounds are requested again: without an answer, and with one. */
const ANSWER_MS = 500;
const BOUNDS_MS = 2000;
const CLAIM_ASK_MS = 100;
/** The same after a failure; and the number of failures before another server is asked. */
const FAILED_ASK_MS = 250;
const FAILURES_MAX = 4;
/** Interval of retries after a log did not accept a frame, and the time after which the shard is given up. */
const DISK_RETRY_MS = 100;
const DISK_MS = 1000;
/** Interval of retries while broken: a disk may have space again, a stream may be late, or have been made anew. */
const MEND_MS = 5000;

export class Ownership {
  role: Role = ROLE_FOLLOWING;
  /** Position of the stream that this node has applied. */
  applied: Applied;
  /** The stream's last sequence, as far as this node knows. */
  last = 0;
  /** Reason of the last break, until it follows again; or the reason to copy. */
  trouble = '';
  private readonly node: number;
  private readonly effects: OwnershipEffects;
  private publication: Publication | null = null;
  private kind: FrameKind = FRAME_BATCH;
  private ids = 0;
  /** Sequence of the last message that was applied or skipped. */
  private passed: number;
  /** The node follows the stream; false until the stream's bounds are known. */
  private follows = false;
  private question = 0;
  private askedAt = Number.NEGATIVE_INFINITY;
  /** Failed answers in a row. */
  private failures = 0;
  /** Followed position at the time of the request: later messages do not concern the answer. */
  private passedWhenAsked = 0;
  private readonly shortness = new Shortness();
  /** Followed position when it was behind last; -1: it was not behind. */
  private behindAt = -1;
  private ackedAt = Number.NEGATIVE_INFINITY;
  /** Sequence that must be applied before a claim; -1: it is being requested. */
  private target = -1;
  private invited = false;
  /** Time since which the log does not accept a frame that holds; 0: it does. */
  private stuckSince = 0;
  private stuckAt = 0;
  private mendAt = 0;
  /** As the surroundings' of the last tick. */
  private sequenceHeard = 0;

  constructor(node: number, applied: Applied, effects: OwnershipEffects) {
    this.node = node;
    this.applied = applied;
    this.passed = applied.sequence;
    this.effects = effects;
  }

  /** All messages up to this one have been applied or skipped. */
  get sequence(): number {
    return this.passed;
  }

  /** Whether this node may now decide requests that change bindings. */
  get decides(): boolean {
    return this.role === ROLE_OWNING && this.publication === null && this.stuckSince === 0;
  }

  /** Time since which an owner waits for its stream, epoch ms; 0: it does not. */
  get stalledSince(): number {
    return this.role === ROLE_OWNING && this.publication !== null ? this.publication.since : 0;
  }

  /** Whether the last acknowledgement is so recent that no other node can have written for long. */
  isFresh(now: number): boolean {
    return now - this.ackedAt <= FRESH_MS && now >= this.ackedAt;
  }

  /** Publishes the frame that is ready: a batch, or a proof. Only while `decides`. */
  publish(kind: typeof FRAME_BATCH | typeof FRAME_PROOF, now: number): void {
    this.begin(kind, now);
  }

  tick(now: number, around: Surroundings): void {
    this.sequenceHeard = around.sequenceHeard;
    if (this.stuckSince > 0) return this.takeInAgain(now);
    this.publication?.tick(now);
    switch (this.role) {
      case ROLE_FOLLOWING:
        this.askBounds(now, BOUNDS_MS);
        if (this.wants(around) && this.follows && this.publication === null) this.startClaim(now);
        break;
      case ROLE_CLAIMING:
        this.goOnClaiming(now, this.wants(around));
        break;
      case ROLE_OWNING:
        if (this.publication !== null) break;
        if (around.handTo !== 0 && around.handTo !== this.node) this.handOver(now);
        else if (around.epochHeard > this.applied.epoch && !this.isFresh(now)) this.begin(FRAME_PROOF, now);
        break;
      case ROLE_BROKEN:
        if (now >= this.mendAt) this.startAnew();
        break;
    }
  }

  /** Milliseconds until `tick` has work; -1: nothing to wait for. */
  msToNext(now: number): number {
    if (this.stuckSince > 0) return Math.max(0, this.stuckAt + DISK_RETRY_MS - now);
    if (this.publication !== null) return this.publication.msToNext(now);
    if (this.role === ROLE_BROKEN) return Math.max(0, this.mendAt - now);
    if (this.role !== ROLE_FOLLOWING && this.role !== ROLE_CLAIMING) return -1;
    if (this.role === ROLE_CLAIMING && this.isCurrent) return 0;
    const asksSoon = this.role === ROLE_CLAIMING && this.target < 0;
    const everyMs = this.question > 0 ? ANSWER_MS : this.pauseMs(asksSoon ? CLAIM_ASK_MS : BOUNDS_MS);
    return Math.max(0, this.askedAt + everyMs - now);
  }

  // --- events of the stream

  acknowledged(id: number, sequence: number, now: number): void {
    if (this.publication !== null) this.fate(this.publication.acknowledged(id, sequence), now);
  }

  refused(id: number, last: number, now: number): void {
    if (this.publication !== null) this.fate(this.publication.refused(id, last, now), now);
  }

  failed(id: number, now: number): void {
    this.publication?.failed(id, now);
    if (id !== this.question) return;
    this.question = 0;
    if (++this.failures % FAILURES_MAX === 0) this.effects.changeServer(); // it may be cut off from the others
  }

  found(id: number, writer: Writer, now: number): void {
    if (this.publication !== null) this.fate(this.publication.found(id, writer, now), now);
  }

  missing(id: number, now: number): void {
    if (this.publication !== null) this.fate(this.publication.missing(id, now), now);
  }

  bounds(id: number, first: number, last: number, now: number): void {
    if (id !== this.question) return;
    this.question = 0;
    this.failures = 0;
    this.last = Math.max(last, this.passed);
    if (last === this.passed) this.trouble = '';
    // A message that another node has applied was in the stream: a stream that ends before it has a late leader, or has lost messages.
    const claimsShort = this.role === ROLE_CLAIMING && this.target < 0 && last < this.sequenceHeard;
    if (last < this.passedWhenAsked || claimsShort) return this.streamIsShort(now);
    this.shortness.end();
    if (first > this.passed + 1) return this.mustCopy(`the stream begins at ${first}, this log ends at ${this.passed}`);
    const isStill = last > this.passed && this.behindAt === this.passed; // nothing came since the last time
    this.behindAt = last > this.passed ? this.passed : -1;
    if (!this.follows || isStill) {
      this.follows = true;
      this.effects.follow(this.passed + 1);
    }
    if (this.role === ROLE_CLAIMING && this.target < 0) this.target = last;
  }

  /** What to do with a message from the stream: apply it, ignore it, or follow anew since messages are missing. */
  expects(sequence: number): 'next' | 'known' | 'gap' {
    if (!this.follows || sequence <= this.passed) return 'known';
    return sequence === this.passed + 1 ? 'next' : 'gap';
  }

  /** Messages before the received one are missing. */
  gap(): void {
    this.follows = false; // the stream's bounds say whether they can be had
    this.target = -1;
    this.question = 0;
    this.askedAt = Number.NEGATIVE_INFINITY;
  }

  /** The next message is no node's: all nodes skip it. */
  passedOver(sequence: number): void {
    this.passed = sequence;
    this.last = Math.max(this.last, sequence);
    this.effects.tell('warn', 'a stranger has written to the stream', { sequence });
  }

  /**
   * The next message has been applied.
   * @param heir of a handover
   * @param isPublished this node has published the message
   */
  tookIn(applied: Applied, kind: FrameKind, heir: number, isPublished: boolean): void {
    this.applied = applied;
    this.trouble = '';
    this.passed = applied.sequence;
    this.last = Math.max(this.last, applied.sequence);
    this.invited = kind === FRAME_HANDOVER && heir === this.node;
    const { publication } = this;
    if (publication !== null && publication.sequence <= applied.sequence) {
      this.publication = null;
      if (isPublished) return this.held(publication.since);
      this.effects.lost(this.kind);
    }
    if (this.role !== ROLE_CLAIMING || this.target < 0 || applied.sequence <= this.target) return;
    this.role = ROLE_FOLLOWING; // somebody writes: there is an owner
  }

  /** A frame that no node may apply, or one that this node's log did not accept. */
  broke(why: string, now: number): void {
    this.stop(why, now);
  }

  /** Records of this node's own log are damaged: it needs those of another node. */
  mustCopy(why: string): void {
    if (this.role === ROLE_COPYING) return;
    this.leave(why);
    this.role = ROLE_COPYING;
    this.trouble = why;
    this.effects.unfollow();
    this.follows = false;
    this.effects.tell('error', 'the shard needs a copy from another node', { reason: why });
  }

  // --- claims and handovers

  private wants({ mayClaim, isFit }: Surroundings): boolean {
    return isFit && (mayClaim || this.invited);
  }

  private startClaim(now: number): void {
    this.role = ROLE_CLAIMING;
    this.target = -1;
    this.question = 0;
    this.askBounds(now, 0);
  }

  /** All messages before a claim have been applied. */
  private get isCurrent(): boolean {
    return this.target >= 0 && this.passed >= this.target;
  }

  private goOnClaiming(now: number, isWanted: boolean): void {
    if (this.publication !== null) return;
    if (!isWanted) {
      this.role = ROLE_FOLLOWING;
      return;
    }
    if (this.isCurrent) return this.begin(FRAME_CLAIM, now);
    if (this.question > 0 || this.target < 0) this.askBounds(now, CLAIM_ASK_MS);
    else if (now - this.askedAt >= BOUNDS_MS) this.gap(); // the expected messages do not come
  }

  private handOver(now: number): void {
    this.role = ROLE_LEAVING;
    this.begin(FRAME_HANDOVER, now);
  }

  private begin(kind: FrameKind, now: number): void {
    this.kind = kind;
    const { effects } = this;
    const publish = (id: number, sequence: number) => effects.publish(id, kind, sequence);
    const parts = { publish, read: effects.read.bind(effects), changeServer: effects.changeServer.bind(effects) };
    this.publication = new Publication(this.passed + 1, now, parts, () => ++this.ids);
  }

  private fate(fate: number, now: number): void {
    const { publication } = this;
    if (fate === FATE_OPEN || publication === null) return;
    if (fate === FATE_HELD) return this.takeIn(publication.sequence, now);
    if (fate === FATE_PASSED) return this.passedOver(publication.sequence - 1);
    if (fate === FATE_BROKEN) return this.stop('an acknowledgement names another sequence', now);
    if (fate === FATE_STREAM_SHORT) return this.isShort(now);
    if (fate !== FATE_LOST) return;
    this.publication = null;
    this.effects.lost(this.kind);
    this.becomeFollower('another node has written to the stream');
  }

  /** The publication holds. @param since time of its publication: until then no other node had written, but perhaps one has since */
  private held(since: number): void {
    const { kind } = this;
    this.ackedAt = since;
    if (kind === FRAME_CLAIM) {
      this.role = ROLE_OWNING;
      this.invited = false;
      this.follows = false;
      this.effects.unfollow();
      this.effects.tookOver();
    } else if (kind === FRAME_HANDOVER) this.becomeFollower('the shard was handed over');
  }

  private takeIn(sequence: number, now: number): void {
    if (this.effects.takeInMine(sequence)) {
      this.stuckSince = 0;
      return;
    }
    if (this.stuckSince === 0) this.stuckSince = now;
    this.stuckAt = now;
    if (now - this.stuckSince < DISK_MS) return;
    this.stuckSince = 0;
    this.stop('the log takes no frames', now);
  }

  private takeInAgain(now: number): void {
    if (now - this.stuckAt < DISK_RETRY_MS) return;
    if (this.publication !== null) this.takeIn(this.publication.sequence, now);
    else this.stuckSince = 0;
  }

  // --- failures

  private becomeFollower(why: string): void {
    this.leave(why);
    this.role = ROLE_FOLLOWING;
    this.gap();
  }

  private startAnew(): void {
    this.role = ROLE_FOLLOWING;
    this.mendAt = 0;
    this.shortness.end();
    this.gap();
  }

  private streamIsShort(now: number): void {
    this.askedAt = now - BOUNDS_MS + ANSWER_MS; // sooner than usual
    if (this.shortness.seen(now)) this.isShort(now);
  }

  /** An acknowledged message is missing in the stream. The stream is asked again: its leader may be late. */
  private isShort(now: number): void {
    this.stop('the stream has lost what it had acknowledged', now);
  }

  private stop(why: string, now: number): void {
    this.leave(why);
    this.role = ROLE_BROKEN;
    const isNew = this.trouble !== why;
    this.trouble = why;
    this.mendAt = now + MEND_MS;
    this.follows = false;
    this.effects.unfollow();
    if (isNew)
      this.effects.tell('error', 'the shard does not follow its stream', { reason: why, sequence: this.passed });
  }

  /** Ends the ownership, or the attempt to get it. */
  private leave(why: string): void {
    const wasOwner = this.role === ROLE_OWNING || this.role === ROLE_LEAVING;
    if (this.publication !== null) {
      this.publication = null;
      this.effects.lost(this.kind);
    }
    this.invited = false;
    this.target = -1;
    this.stuckSince = 0;
    if (wasOwner) this.effects.gaveUp(why);
  }

  private askBounds(now: number, everyMs: number): void {
    if (this.question > 0) {
      if (now - this.askedAt < ANSWER_MS) return;
      this.effects.changeServer();
    } else if (now - this.askedAt < this.pauseMs(everyMs)) return;
    this.askedAt = now;
    this.question = ++this.ids;
    this.passedWhenAsked = this.passed;
    this.effects.bounds(this.question);
  }

  private pauseMs(everyMs: number): number {
    return this.failures > 0 ? FAILED_ASK_MS : everyMs;
  }
}
