// Who owns a shard, as one node sees it: follows the shard's stream, claims it when its owner is gone and it is this node's turn, writes
// while it owns it, and learns from the stream alone that it does not any more (decisions/0115). Pure: what happened comes in, what to do
// goes out, time is an argument. Frames are the caller's; here are sequences, epochs and nodes.

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
  /** The frame of this kind is made, where it is not yet, sealed for the sequence and published behind the one before. */
  publish(id: number, kind: FrameKind, sequence: number): void;
  read(id: number, sequence: number): void;
  bounds(id: number): void;
  follow(from: number): void;
  unfollow(): void;
  changeServer(): void;
  /** The frame published stands at the sequence: it is to be taken in, and `tookIn` to be told. False: the log did not take it. */
  takeInMine(sequence: number): boolean;
  /** The frame published will never hold. */
  lost(kind: FrameKind): void;
  /** From here on this node writes. */
  tookOver(): void;
  /** From here on it does not. */
  gaveUp(why: string): void;
  /** Something that an operator should know. */
  tell(level: 'info' | 'warn' | 'error', event: string, fields: Record<string, unknown>): void;
}

/** What the rest of the node knows, at each tick. */
export interface Surroundings {
  /** The owner is gone, and it is this node's turn (membership.ts). */
  readonly mayClaim: boolean;
  /** Nothing is wrong with this node that should keep it from owning anything: its clock. */
  readonly isFit: boolean;
  /** The node that is to have the shard; 0: none is. */
  readonly handTo: number;
  /** The newest claim that any node speaks of. */
  readonly epochHeard: number;
  /** The last message that any node is known to have taken in. */
  readonly sequenceHeard: number;
}

/** An owner that is asked what must not be stale has had an acknowledgement within this time. */
const FRESH_MS = 2000;
/** How soon the stream's bounds are asked for again: without an answer, and with one. */
const ANSWER_MS = 500;
const BOUNDS_MS = 2000;
const CLAIM_ASK_MS = 100;
/** Where a server says that it cannot tell; and how many times that may be before another is asked. */
const FAILED_ASK_MS = 250;
const FAILURES_MAX = 4;
/** A log that did not take a frame is tried again this often, and for this time, before the shard is given up. */
const DISK_RETRY_MS = 100;
const DISK_MS = 1000;
/** What is broken is tried again: a disk may have space again, a stream may be late, or have been made anew. */
const MEND_MS = 5000;

export class Ownership {
  role: Role = ROLE_FOLLOWING;
  /** What of the stream this node has taken in. */
  applied: Applied;
  /** The stream's last sequence, as far as this node knows. */
  last = 0;
  /** Why it was broken last, until it has gone on; or why it has to copy. */
  trouble = '';
  private readonly node: number;
  private readonly effects: OwnershipEffects;
  private publication: Publication | null = null;
  private kind: FrameKind = FRAME_BATCH;
  private ids = 0;
  /** Messages passed over behind `applied`. */
  private passed: number;
  /** It follows; false until the stream's bounds are known. */
  private follows = false;
  private question = 0;
  private askedAt = Number.NEGATIVE_INFINITY;
  /** Answers in a row that told nothing. */
  private failures = 0;
  /** Up to where it had followed when it asked: what came since is no matter of the answer. */
  private passedWhenAsked = 0;
  private readonly shortness = new Shortness();
  /** Up to where it had followed when it was behind last; -1: it was not. */
  private behindAt = -1;
  private ackedAt = Number.NEGATIVE_INFINITY;
  /** Of a claim: what must have been taken in before; -1: it is asked for. */
  private target = -1;
  private invited = false;
  /** Since when the log does not take a frame that holds; 0: it does. */
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

  /** Everything up to here has been taken in or passed over. */
  get sequence(): number {
    return this.passed;
  }

  /** Whether what changes bindings may be decided here, now. */
  get decides(): boolean {
    return this.role === ROLE_OWNING && this.publication === null && this.stuckSince === 0;
  }

  /** Since when an owner waits for its stream, epoch ms; 0: it does not. */
  get stalledSince(): number {
    return this.role === ROLE_OWNING && this.publication !== null ? this.publication.since : 0;
  }

  /** Whether an acknowledgement is so young that nobody else can have written for long. */
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

  // --- what the stream says

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
    // What another node has taken in stood in the stream: where that ends before, its leader is late, or it has lost something.
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

  /** What to do with a message that is told: take it in, leave it, or follow anew since some are missing. */
  expects(sequence: number): 'next' | 'known' | 'gap' {
    if (!this.follows || sequence <= this.passed) return 'known';
    return sequence === this.passed + 1 ? 'next' : 'gap';
  }

  /** Messages are missing before the one told. */
  gap(): void {
    this.follows = false; // the stream's bounds say whether they can be had
    this.target = -1;
    this.question = 0;
    this.askedAt = Number.NEGATIVE_INFINITY;
  }

  /** The next message is nobody's: all nodes pass it over. */
  passedOver(sequence: number): void {
    this.passed = sequence;
    this.last = Math.max(this.last, sequence);
    this.effects.tell('warn', 'a stranger has written to the stream', { sequence });
  }

  /**
   * The next message has been taken in.
   * @param heir of a handover
   * @param isPublished it is the one that this node has published
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

  /** A frame that nobody may follow upon, or one that this node's log did not take. */
  broke(why: string, now: number): void {
    this.stop(why, now);
  }

  /** Records of this node's own log are damaged: it needs those of another. */
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

  /** Everything that a claim follows upon has been taken in. */
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
    else if (now - this.askedAt >= BOUNDS_MS) this.gap(); // what is to be followed does not come
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

  /** The publication holds. @param since when it was published: at that time, and perhaps not since, nobody else had written */
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

  // --- what goes wrong

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

  /** What was acknowledged is not in the stream any more. It is asked again: a leader may have been late. */
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

  /** Whatever it was, it is not the owner any more, nor about to be. */
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
