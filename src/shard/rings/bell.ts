// Waking a thread that sleeps, and only then: a flag in shared memory says whether it does. Also the one order a shard
// takes from outside its rings (stop). How the thread sleeps (poll, Atomics.wait, the event loop) is its own business.
// @hot

const SLEEPING = 0;
const ORDER = 16; // in a cache line of its own

export const ORDER_NONE = 0;
/** Read no socket any more, and say so once nothing is left that might be another shard's. */
export const ORDER_DRAIN = 4;
/** Finish what the rings hold, and return. */
export const ORDER_STOP = 1;
/** Die as by a fault: how the tests see that a shard comes back. */
export const ORDER_CRASH = 2;
/** Begin a new life, with the store that has been made ready. */
export const ORDER_ANEW = 5;
/** Other rules wait at the shard's port. */
export const ORDER_CONFIGURE = 3;

export function createBellMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(128);
}

/**
 * A sleeper calls `beforeSleep`, looks once more at everything that could have come, sleeps, and calls `afterSleep`.
 * A ringer publishes first and rings then. Whichever way the two interleave, either the sleeper sees what was published
 * or the ringer sees the flag; one wake per sleep at most.
 */
export class Bell {
  private readonly words: Int32Array;
  private readonly wake: () => void;

  /** @param wake wakes the sleeper by the means of its kind; may be called when it is awake already */
  constructor(memory: SharedArrayBuffer, wake: () => void) {
    this.words = new Int32Array(memory);
    this.wake = wake;
  }

  ring(): void {
    if (Atomics.load(this.words, SLEEPING) === 0) return;
    if (Atomics.compareExchange(this.words, SLEEPING, 1, 0) === 1) this.wake();
  }

  beforeSleep(): void {
    Atomics.store(this.words, SLEEPING, 1);
  }

  afterSleep(): void {
    Atomics.store(this.words, SLEEPING, 0);
  }

  get order(): number {
    return Atomics.load(this.words, ORDER);
  }

  /** No order is to be carried out at once. */
  get allowsSleep(): boolean {
    const { order } = this;
    return order === ORDER_NONE || order === ORDER_DRAIN;
  }

  give(order: number): void {
    Atomics.store(this.words, ORDER, order);
    this.ring();
  }

  /** Gives an order unless there is another. */
  offer(order: number): void {
    Atomics.compareExchange(this.words, ORDER, ORDER_NONE, order);
    this.ring();
  }

  /** An order has been seen and is about to be carried out: from here on it may be given again. */
  took(order: number): void {
    Atomics.compareExchange(this.words, ORDER, order, ORDER_NONE);
  }
}

/** Sleeps on the flag itself: where a shard has no sockets of its own. */
export class FlagWait {
  private readonly words: Int32Array;

  constructor(memory: SharedArrayBuffer) {
    this.words = new Int32Array(memory);
  }

  wait(timeoutMs: number): void {
    Atomics.wait(this.words, SLEEPING, 1, timeoutMs);
  }
}

/** What wakes a FlagWait. @cold */
export function flagWake(memory: SharedArrayBuffer): () => void {
  const words = new Int32Array(memory);
  return () => {
    Atomics.notify(words, SLEEPING);
  };
}
