// What the shards and the readers of the feed share: the newest number of all shards, and by shard what is written and not settled
// yet. A reader may read up to the number that `settledTo` gives: nothing below it comes later, nothing up to it goes.

const COUNTER = 0;
const FIRST_SHARD = 1;

/** Memory for so many shards, whose next number is one above `last`. */
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

  /** Reserves `count` numbers, which a shard has not settled until `settle`. Returns the first. */
  reserve(shard: number, count: number): number {
    const at = FIRST_SHARD + shard;
    const { numbers } = this;
    // In this order: a reader that sees the counter sees that the numbers are not settled.
    if (Atomics.load(numbers, at) === 0n) Atomics.store(numbers, at, Atomics.load(numbers, COUNTER) + 1n);
    return Number(Atomics.add(numbers, COUNTER, BigInt(count))) + 1;
  }

  /** The next numbers are greater than this one, which another node has given. */
  raise(number: number): void {
    const { numbers } = this;
    const to = BigInt(number);
    for (let was = Atomics.load(numbers, COUNTER); was < to; ) {
      const found = Atomics.compareExchange(numbers, COUNTER, was, to);
      if (found === was) return;
      was = found;
    }
  }

  /** The shard's first number that is not settled; 0: all are. */
  settle(shard: number, first: number): void {
    Atomics.store(this.numbers, FIRST_SHARD + shard, BigInt(first));
  }

  /** The newest number that was reserved. */
  get last(): number {
    return Number(Atomics.load(this.numbers, COUNTER));
  }

  /** All numbers up to this one are settled: told, or never to be. */
  get settledTo(): number {
    let to = Atomics.load(this.numbers, COUNTER);
    for (let at = FIRST_SHARD; at < this.numbers.length; at++) {
      const first = Atomics.load(this.numbers, at);
      if (first > 0n && first <= to) to = first - 1n;
    }
    return Number(to);
  }
}
