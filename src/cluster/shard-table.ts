// State of a node's shards in shared memory, for its threads: a shard's thread writes the node's role and the owner, the cluster's thread writes the
// tasks of the shard. Each word has one writer; a number is eight aligned bytes.

import type { Surroundings } from './ownership.ts';
import { isOwner } from './roles.ts';

// By shard, in numbers. Written by the shard's thread:
const ROLE = 0;
const OWNER = 1;
const OWNER_LIFE = 2;
const EPOCH = 3;
const APPLIED = 4;
const LAST = 5;
const WRITTEN_AT = 6;
// By the cluster's thread:
const MAY_CLAIM = 8;
const HAND_TO = 9;
const EPOCH_HEARD = 10;
const IS_FIT = 11;
const SEQUENCE_HEARD = 12;
const OWNER_HEARD = 13;
// By the shard's thread again: the last time it was level with its stream, by the monotonic clock; counts, and durations of acknowledgements.
const LEVEL_AT = 14;
const COUNTS = 16;
const ACK_SUM_MS = 21;
const ACKS = 22;
const NUMBERS = 32; // four cache lines

/** Counters of a shard since its node started, in this order. */
export const SHARD_COUNTS = ['claims', 'fenced', 'unknown_outcomes', 'strangers', 'stalled_ms'] as const;
export type ShardCount = (typeof SHARD_COUNTS)[number];
/** Upper bounds of the durations of acknowledgements, ms. */
export const ACK_BOUNDS_MS = [1, 2, 5, 10, 20, 50, 100, 500] as const;

export class ShardTable {
  readonly memory: SharedArrayBuffer;
  readonly shards: number;
  private readonly numbers: Float64Array;

  constructor(shards: number, memory = new SharedArrayBuffer(shards * NUMBERS * 8)) {
    this.shards = shards;
    this.memory = memory;
    this.numbers = new Float64Array(memory);
  }

  /** ROLE_*; 0 before the shard has opened its store. */
  role(shard: number): number {
    return this.numbers[shard * NUMBERS + ROLE];
  }

  setRole(shard: number, role: number): void {
    this.numbers[shard * NUMBERS + ROLE] = role;
  }

  isOwner(shard: number): boolean {
    return isOwner(this.role(shard));
  }

  /** The node that has claimed it last, as this node's log says; 0: none. */
  owner(shard: number): number {
    return this.numbers[shard * NUMBERS + OWNER];
  }

  /**
   * The owner by the newest known claim, which gets the requests: a node that lacks the newest messages of the stream, such as one with a
   * full disk, uses the beats of the others. 0: none.
   */
  route(shard: number): number {
    const at = shard * NUMBERS;
    const { numbers } = this;
    return numbers[at + EPOCH_HEARD] > numbers[at + EPOCH] ? numbers[at + OWNER_HEARD] : numbers[at + OWNER];
  }

  ownerLife(shard: number): number {
    return this.numbers[shard * NUMBERS + OWNER_LIFE];
  }

  epoch(shard: number): number {
    return this.numbers[shard * NUMBERS + EPOCH];
  }

  setOwner(shard: number, node: number, life: number, epoch: number): void {
    const at = shard * NUMBERS;
    this.numbers[at + OWNER_LIFE] = life;
    this.numbers[at + EPOCH] = epoch;
    this.numbers[at + OWNER] = node;
  }

  /** As a beat's. */
  applied(shard: number): number {
    return this.numbers[shard * NUMBERS + APPLIED];
  }

  /** Known messages of the stream that are not applied yet. */
  behind(shard: number): number {
    const at = shard * NUMBERS;
    return Math.max(0, this.numbers[at + LAST] - Math.max(0, this.numbers[at + APPLIED]));
  }

  /** Time at which the owner wrote the last applied frame, epoch ms by its clock. */
  writtenAt(shard: number): number {
    return this.numbers[shard * NUMBERS + WRITTEN_AT];
  }

  setProgress(shard: number, applied: number, last: number, writtenAt: number): void {
    const at = shard * NUMBERS;
    this.numbers[at + APPLIED] = applied;
    this.numbers[at + LAST] = last;
    this.numbers[at + WRITTEN_AT] = writtenAt;
  }

  /** By the cluster's thread: the node that owns the shard by its own beats, under the newest known claim; 0: none does. */
  setOwnerHeard(shard: number, node: number): void {
    this.numbers[shard * NUMBERS + OWNER_HEARD] = node;
  }

  /** By the monotonic clock; 0: never yet. */
  levelAt(shard: number): number {
    return this.numbers[shard * NUMBERS + LEVEL_AT];
  }

  setLevelAt(shard: number, at: number): void {
    this.numbers[shard * NUMBERS + LEVEL_AT] = at;
  }

  add(shard: number, count: ShardCount, more = 1): void {
    this.numbers[shard * NUMBERS + COUNTS + SHARD_COUNTS.indexOf(count)] += more;
  }

  count(shard: number, count: ShardCount): number {
    return this.numbers[shard * NUMBERS + COUNTS + SHARD_COUNTS.indexOf(count)];
  }

  /** Counts an acknowledgement of this node's frame after `ms`. */
  acknowledged(shard: number, ms: number): void {
    const at = shard * NUMBERS;
    let bucket = 0;
    while (bucket < ACK_BOUNDS_MS.length && ms > ACK_BOUNDS_MS[bucket]) bucket++;
    this.numbers[at + ACKS + bucket]++;
    this.numbers[at + ACK_SUM_MS] += ms;
  }

  /** Counts of acknowledgements by duration, one more than bounds; and the sum of durations, ms. */
  acks(shard: number): { readonly counts: Float64Array; readonly sumMs: number } {
    const at = shard * NUMBERS;
    const counts = this.numbers.slice(at + ACKS, at + ACKS + ACK_BOUNDS_MS.length + 1);
    return { counts, sumMs: this.numbers[at + ACK_SUM_MS] };
  }

  surroundings(shard: number): Surroundings {
    const at = shard * NUMBERS;
    const { numbers } = this;
    return {
      mayClaim: numbers[at + MAY_CLAIM] === 1,
      isFit: numbers[at + IS_FIT] === 1,
      handTo: numbers[at + HAND_TO],
      epochHeard: numbers[at + EPOCH_HEARD],
      sequenceHeard: numbers[at + SEQUENCE_HEARD],
    };
  }

  /** Returns whether the change must wake the shard's thread. */
  setSurroundings(shard: number, { mayClaim, isFit, handTo, epochHeard, sequenceHeard }: Surroundings): boolean {
    this.numbers[shard * NUMBERS + SEQUENCE_HEARD] = sequenceHeard;
    const words = [mayClaim ? 1 : 0, handTo, epochHeard, isFit ? 1 : 0];
    const at = shard * NUMBERS + MAY_CLAIM;
    let isChanged = false;
    for (const [i, word] of words.entries()) {
      if (this.numbers[at + i] === word) continue;
      this.numbers[at + i] = word;
      isChanged = true;
    }
    return isChanged;
  }
}
