// Memory shared by the shards and the readers of the feed: the newest number of all shards, and by shard the first unsettled
// number. A reader may read up to `settledTo`: no number below it is written later, none up to it is taken back.

const COUNTER = 0;
const FIRST_SHARD = 1;

/** Memory for this many shards; the next number is `last` + 1. */
export function createFeedMemory(shards: number, last: number): SharedArrayBuffer {
  const memory = new SharedArrayBuffer((FIRST_SHARD + shards) * 8);
  new BigInt64Array(memory)[COUNTER] = BigInt(last);
  return memory;
}

export class FeedNumbers {
  private readonly numbers: BigInt64Array;

  constructor(memory: SharedArrayBuffer) {
    this.numbers = new BigInt64Array(memory);
  }

  /** Reserves `count` numbers, unsettled until `settle`. Returns the first. */
  reserve(shard: number, count: number): number {
    const at = FIRST_SHARD + shard;
    const { numbers } = this;
    // In this order: a reader that sees the new counter also sees that the numbers are unsettled.
    if (Atomics.load(numbers, at) === 0n) Atomics.store(numbers, at, Atomics.load(numbers, COUNTER) + 1n);
    return Number(Atomics.add(numbers, COUNTER, BigInt(count))) + 1;
  }

  /** Makes the next numbers greater than this one, which another node has assigned. */
  raise(number: number): void {
    const { numbers } = this;
    const to = BigInt(number);
    for (let was = Atomics.load(numbers, COUNTER); was < to; ) {
      const found = Atomics.compareExchange(numbers, COUNTER, was, to);
      if (found === was) return;
      was = found;
    }
  }

  /** Sets the shard's first unsettled number; 0: all are settled. */
  settle(shard: number, first: number): void {
    Atomics.store(this.numbers, FIRST_SHARD + shard, BigInt(first));
  }

  /** The newest reserved number. */
  get last(): number {
    return Number(Atomics.load(this.numbers, COUNTER));
  }

  /** All numbers up to this one are settled: published, or never to be. */
  get settledTo(): number {
    let to = Atomics.load(this.numbers, COUNTER);
    for (let at = FIRST_SHARD; at < this.numbers.length; at++) {
      const first = Atomics.load(this.numbers, at);
      if (first > 0n && first <= to) to = first - 1n;
    }
    return Number(to);
  }
}
