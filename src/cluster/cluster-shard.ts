// One shard of one node of a cluster: its log follows the shard's stream, and while the node owns the shard, its batches are published before they
// are applied (decisions/0115). This class carries out the decisions of ownership.ts on stream, frames and store. No thread, no socket, no clock: the
// shard's loop calls `tick`, and time is an argument.

import { OwnershipLost } from '../location/location-store.ts';
import type { Applied } from '../location/log/control-entry.ts';
import { FollowedFrame } from '../location/log/followed-frame.ts';
import type { LogStore } from '../location/log/log-store.ts';
import { chunkOf, wordOf } from '../location/table/row-chunks.ts';
import type { WriteSet } from '../location/write-set.ts';
import { breaksChain } from './chain.ts';
import { Ownership, type OwnershipEffects } from './ownership.ts';
import type { Writer } from './publication.ts';
import { isOwner, ROLE_BROKEN, ROLE_COPYING, ROLE_OWNING, ROLE_STALLED } from './roles.ts';
import type { ShardCount, ShardTable } from './shard-table.ts';
import type { Stream, StreamSink } from './stream.ts';
import {
  FRAME_BATCH,
  FRAME_CLAIM,
  FRAME_HANDOVER,
  FRAME_PROOF,
  type FrameKind,
  FramePress,
  FrameReader,
  READ_SOUND,
  READ_STRANGE,
} from './stream-frame.ts';
import { MAC_BYTES, StreamMac } from './stream-mac.ts';

/** Longest uninterrupted wait for a batch's publication; after it other work continues. */
const WAIT_MS = 25;
const WAITS_MAX = 64;
/** Damaged records that one frame removes. */
const GIVEN_UP_MAX = 256;
/** Time without an answer of the stream after which requests that would change bindings draw 503. */
const HOLD_MS = 10_000;

export interface ClusterShardOptions {
  readonly shard: number;
  /** 1 to 254. */
  readonly node: number;
  /** As a beat's. */
  readonly life: number;
  readonly store: LogStore;
  readonly stream: Stream;
  readonly table: ShardTable;
  /** 16 bytes, derived from the cluster's secret for its streams. */
  readonly key: Uint8Array;
  readonly holdMs?: number;
  /** Monotonic time, ms, for all waits, since the time of bindings may be set. Without it, the time of bindings serves. */
  readonly monotonic?: () => number;
  log(level: 'info' | 'warn' | 'error', event: string, fields: Record<string, unknown>): void;
}

/** Callbacks for the shard when its node becomes its owner, or ceases to be. */
export interface OwnershipListener {
  /** From now on this shard decides; `epoch` is greater than that of any earlier owner. */
  tookOver(epoch: number, now: number): void;
  /** From now on another node decides, or none. */
  gaveUp(): void;
}

/** The feed, which keeps the changes that this node decides (shard/feed). */
export interface StreamFeed {
  readonly newest: number;
  follows(isBatch: boolean, newest: number): void;
}

export class ClusterShard {
  listener: OwnershipListener | null = null;
  feed: StreamFeed | null = null;
  private readonly options: ClusterShardOptions;
  private readonly store: LogStore;
  private readonly stream: Stream;
  private readonly ownership: Ownership;
  private readonly press: FramePress;
  private readonly reader: FrameReader;
  private readonly followed = new FollowedFrame();
  private readonly sink: StreamSink = this.listen();
  /** The time of bindings, and the monotonic time. */
  private now = 0;
  private at = 0;
  /** Time at which it stopped following; 0: it follows. */
  private lamedAt = 0;
  /** The frame that is published, or about to be published, is made. */
  private isReady = false;
  /** Time of its first publication; 0: it is not published. */
  private publishedAt = 0;
  /** Number of its batch's entries, whose rows are allocated. */
  private entries = 0;
  // Positions, as LocationStore.commit gives them.
  private handedOver = 0;
  private settledTo = 0;
  private isLost = false;
  /** Damaged rows that the frame removes. */
  private readonly givenUp: number[] = [];

  constructor(options: ClusterShardOptions) {
    const { store, shard, node, key } = options;
    this.options = options;
    this.store = store;
    this.stream = options.stream;
    store.damagedRows = new Set();
    const mac = new StreamMac(key, shard);
    this.press = new FramePress(mac);
    this.reader = new FrameReader(mac);
    const applied = store.applied() ?? { sequence: 0, epoch: 0, node: 0, life: 0, sum: store.baseSum, time: 0 };
    this.ownership = new Ownership(node, applied, this.effects());
    const { replayed, log } = store;
    if (replayed.lacksMoved || replayed.damaged.length + log.problems.missing.length > 0)
      this.ownership.mustCopy('this log is damaged');
    this.tellTable();
  }

  /** Whether requests that change bindings may be decided now. */
  get decides(): boolean {
    return this.ownership.decides;
  }

  /** Whether the node owns the shard, and waits for the stream. */
  get waits(): boolean {
    return this.ownership.stalledSince > 0;
  }

  /** Whether requests that cannot be decided are refused, instead of left to the phones' repetitions. */
  refuses(now: number): boolean {
    const since = this.ownership.stalledSince || this.lamedAt;
    return since > 0 && this.passing(now) - since >= (this.options.holdMs ?? HOLD_MS);
  }

  get role(): number {
    const { role, stalledSince } = this.ownership;
    return role === ROLE_OWNING && stalledSince > 0 ? ROLE_STALLED : role;
  }

  get applied(): Applied {
    return this.ownership.applied;
  }

  /** Reason why it no longer follows; '' while it does. */
  get trouble(): string {
    return this.ownership.trouble;
  }

  /** Applies new messages of the stream, and does all due work. */
  tick(now: number): void {
    const before = this.at;
    this.setTime(now);
    const { table, shard } = this.options;
    if (this.waits && before > 0) this.count('stalled_ms', Math.max(0, this.at - before));
    else if (this.ownership.decides && this.stream.connected) this.becomeLevel();
    this.stream.poll(this.sink, now);
    this.ownership.tick(this.at, table.surroundings(shard));
    this.store.examineSuspects();
    if (!isOwner(this.ownership.role) && this.damaged.size > 0)
      this.ownership.mustCopy('records of this log are damaged');
    const { role } = this.ownership;
    if (role !== ROLE_BROKEN && role !== ROLE_COPYING) this.lamedAt = 0;
    else if (this.lamedAt === 0) this.lamedAt = this.at;
    this.tellTable();
  }

  /** Milliseconds until `tick` has work; -1: only the stream can bring work. */
  msToNext(now: number): number {
    const own = this.ownership.msToNext(this.passing(now));
    const streams = this.stream.msToNext(now);
    return own < 0 || (streams >= 0 && streams < own) ? streams : own;
  }

  // --- the owner's batches (cluster-store.ts)

  /** Hands a batch over and returns its position. Throws if this node may not write, with nothing handed over. */
  commit(writes: WriteSet, now: number): number {
    this.demandOwner();
    const { frame } = this.press;
    this.startFrame(this.ownership.applied.epoch, now);
    const { entries } = frame;
    this.store.encodeInto(frame, writes);
    this.giveUpDamaged(writes);
    if (frame.entries === entries) return this.settledTo;
    this.entries = writes.count;
    this.demandRoom(frame.length + MAC_BYTES);
    this.isReady = true;
    return this.publishAndWait(FRAME_BATCH, now);
  }

  /** The position that must be settled before an answer may report that no node has changed the bindings. */
  confirm(now: number): number {
    this.demandOwner();
    return this.ownership.isFresh(this.passing(now)) ? this.settledTo : this.publishAndWait(FRAME_PROOF, now);
  }

  /** The position up to which all batches hold. Throws, once, when the later ones never will. */
  settled(): number {
    if (!this.isLost) return this.settledTo;
    this.isLost = false;
    throw new OwnershipLost();
  }

  /** This node cannot store the changes of a batch: another node must own the shard. Returns the error for the commit to throw. */
  giveUp(why: string): OwnershipLost {
    this.ownership.broke(why, this.at);
    return new OwnershipLost();
  }

  close(): void {
    this.stream.close();
  }

  private demandOwner(): void {
    if (!this.ownership.decides || this.isLost) throw new OwnershipLost();
  }

  /** @throws if the stream does not accept so many bytes */
  private demandRoom(bytes: number): void {
    if (bytes <= this.stream.bytesMax) return;
    this.store.giveBack(this.entries);
    this.entries = 0;
    throw new RangeError(`a batch of ${bytes} bytes is longer than a message of the stream may be`);
  }

  private publishAndWait(kind: typeof FRAME_BATCH | typeof FRAME_PROOF, now: number): number {
    const position = ++this.handedOver;
    this.setTime(now);
    this.ownership.publish(kind, this.at);
    let left = WAIT_MS;
    for (let n = 0; n < WAITS_MAX && left > 0 && this.settledTo < position && !this.isLost; n++) {
      left -= this.stream.wait(left);
      this.stream.poll(this.sink, now);
    }
    return position;
  }

  private count(what: ShardCount, more = 1): void {
    this.options.table.add(this.options.shard, what, more);
  }

  /** The log has all known messages of the stream. */
  private becomeLevel(): void {
    this.options.table.setLevelAt(this.options.shard, this.at);
  }

  private setTime(now: number): void {
    this.now = now;
    this.at = this.passing(now);
  }

  private passing(now: number): number {
    return this.options.monotonic?.() ?? now;
  }

  private startFrame(epoch: number, now: number): void {
    const { node, life } = this.options;
    this.press.start(this.ownership.applied, epoch, node, life, now, this.feed?.newest);
  }

  /** Removes unreadable records on all nodes, so that their phones register anew. */
  private giveUpDamaged(writes: WriteSet): void {
    const { table } = this.store;
    this.givenUp.length = 0;
    for (const row of this.damaged) {
      if (this.givenUp.length === GIVEN_UP_MAX) return;
      const chunk = chunkOf(table.chunks, row);
      const at = wordOf(row);
      this.givenUp.push(row);
      if (!table.isLive(row) || writes.find(chunk[at], chunk[at + 1], chunk[at + 2], chunk[at + 3]) >= 0) continue;
      this.press.frame.removal(row, chunk, at);
    }
  }

  private get damaged(): Set<number> {
    return this.store.damagedRows ?? new Set();
  }

  // --- messages of the stream

  private listen(): StreamSink {
    return {
      acknowledged: (id, sequence) => this.ownership.acknowledged(id, sequence, this.at),
      refused: (id, last) => this.ownership.refused(id, last, this.at),
      failed: (id) => this.ownership.failed(id, this.at),
      found: (id, sequence, bytes, length) => {
        this.count('unknown_outcomes');
        this.ownership.found(id, this.writerOf(sequence, bytes, length), this.at);
      },
      missing: (id) => this.ownership.missing(id, this.at),
      bounds: (id, first, last) => {
        this.ownership.bounds(id, first, last, this.at);
        if (last === this.ownership.sequence) this.becomeLevel();
      },
      message: (sequence, bytes, length) => {
        const expected = this.ownership.expects(sequence);
        if (expected === 'gap') this.ownership.gap();
        else if (expected === 'next') this.takeIn(sequence, bytes, length, true);
      },
    };
  }

  private writerOf(sequence: number, bytes: Uint8Array, length: number): Writer {
    if (this.isPublished(sequence, bytes, length)) return 'mine';
    if (this.reader.read(bytes, length, sequence) !== READ_STRANGE) return 'another';
    this.count('strangers');
    return 'stranger';
  }

  private isPublished(sequence: number, bytes: Uint8Array, length: number): boolean {
    return this.isReady && this.press.sequence === sequence && this.press.equals(bytes, length);
  }

  /** Applies the next message; false: it cannot be applied. @param isFollowed the stream sent it, and this node did not publish it */
  private takeIn(sequence: number, bytes: Uint8Array, length: number, isFollowed: boolean): boolean {
    const { reader, ownership, followed, store } = this;
    const read = reader.read(bytes, length, sequence, !isFollowed);
    if (read === READ_STRANGE) {
      this.count('strangers');
      ownership.passedOver(sequence);
      return true;
    }
    const wrong = read === READ_SOUND ? this.breaks() : 'the frame is damaged, or of a later version';
    if (wrong !== null) {
      ownership.broke(`message ${sequence}: ${wrong}`, this.at);
      return false;
    }
    // Before the log has it: a batch of the feed that is not this message will never hold.
    this.feed?.follows(reader.kind === FRAME_BATCH, reader.change);
    const applied = reader.applied(sequence);
    const isPublished = !isFollowed || this.isPublished(sequence, bytes, length);
    try {
      store.follow(followed, applied);
    } catch (error) {
      if (isFollowed) ownership.broke(String(error), this.at);
      return false;
    }
    if (isPublished) this.holds(reader.kind);
    ownership.tookIn(applied, reader.kind, reader.heir, isPublished);
    if (ownership.last === applied.sequence) this.becomeLevel();
    return true;
  }

  /** Reason why the current frame cannot follow the applied ones; null: it can. */
  private breaks(): string | null {
    const { reader, followed, store } = this;
    const wrong = breaksChain(reader, this.ownership.applied);
    if (wrong !== null) return wrong;
    followed.take(reader.bytes, reader.words, reader.length);
    const row = followed.contradiction(store.table);
    return row < 0 ? null : `it contradicts row ${row}`;
  }

  /** The published frame holds, and is applied. */
  private holds(kind: FrameKind): void {
    if (kind === FRAME_BATCH || kind === FRAME_PROOF) this.settledTo = this.handedOver;
    if (kind === FRAME_BATCH) for (const row of this.givenUp) this.damaged.delete(row);
    this.options.table.acknowledged(this.options.shard, this.passing(this.now) - this.publishedAt);
    this.publishedAt = 0;
    this.isReady = false;
    this.entries = 0;
  }

  // --- effects of decisions

  private effects(): OwnershipEffects {
    const { stream, options } = this;
    return {
      publish: (id, kind, sequence) => this.publish(id, kind, sequence),
      read: (id, sequence) => stream.read(id, sequence),
      bounds: (id) => stream.bounds(id),
      follow: (from) => stream.follow(from),
      unfollow: () => stream.unfollow(),
      changeServer: () => stream.changeServer(),
      takeInMine: (sequence) => this.takeIn(sequence, this.press.bytes, this.press.length, false),
      lost: () => this.lost(),
      tookOver: () => this.tookOver(),
      gaveUp: (why) => this.gaveUp(why),
      tell: (level, event, fields) => options.log(level, event, { shard: options.shard, ...fields }),
    };
  }

  private publish(id: number, kind: FrameKind, sequence: number): void {
    const { press, stream } = this;
    if (!this.isReady) this.make(kind);
    if (this.publishedAt === 0) this.publishedAt = this.passing(this.now);
    press.seal(sequence);
    stream.publish(id, press.bytes, press.length, sequence - 1);
  }

  /** Makes a frame that is no batch. */
  private make(kind: FrameKind): void {
    const { table, shard } = this.options;
    const { epoch } = this.ownership.applied;
    this.startFrame(kind === FRAME_CLAIM ? epoch + 1 : epoch, this.now);
    if (kind === FRAME_CLAIM) this.press.claim();
    if (kind === FRAME_HANDOVER) this.press.handover(table.surroundings(shard).handTo);
    this.isReady = true;
  }

  private lost(): void {
    this.count('fenced');
    this.store.giveBack(this.entries);
    this.entries = 0;
    this.isReady = false;
    this.publishedAt = 0;
    if (this.handedOver === this.settledTo) return; // no batch waits for it
    this.isLost = true;
    this.handedOver = this.settledTo;
  }

  private tookOver(): void {
    const { log, shard } = this.options;
    const { epoch, sequence } = this.ownership.applied;
    this.count('claims');
    this.store.table.settle();
    log('info', 'shard taken over', { shard, epoch, sequence });
    this.listener?.tookOver(epoch, this.now);
    this.tellTable();
  }

  private gaveUp(reason: string): void {
    const { log, shard } = this.options;
    log('info', 'shard given up', { shard, reason });
    this.listener?.gaveUp();
    this.tellTable();
  }

  private tellTable(): void {
    const { table, shard } = this.options;
    const { applied, sequence, last } = this.ownership;
    table.setRole(shard, this.role);
    table.setOwner(shard, applied.node, applied.life, applied.epoch);
    const isEmpty = sequence === 0 && this.store.baseSum === 0;
    table.setProgress(shard, isEmpty ? -1 : sequence, last, applied.time);
  }
}
