// Wakes a thread only if it sleeps: a flag in shared memory says so. Also holds the one order that a shard
// gets from outside its rings (stop). The way to sleep (poll, Atomics.wait, the event loop) is the thread's own.
// @hot

const SLEEPING = 0;
const ORDER = 16; // in a cache line of its own

export const ORDER_NONE = 0;
/** Read no socket any more, and report once no message is left that might be another shard's. */
export const ORDER_DRAIN = 4;
/** Process the rings' messages, and return. */
export const ORDER_STOP = 1;
/** Die as by a fault: for tests of a shard's recovery. */
export const ORDER_CRASH = 2;
/** Begin a new life, with the prepared store. */
export const ORDER_ANEW = 5;
/** New rules wait at the shard's port. */
export const ORDER_CONFIGURE = 3;

export function createBellMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(128);
}

/**
 * A sleeper calls `beforeSleep`, checks all its inputs once more, sleeps, and calls `afterSleep`.
 * A ringer publishes first and rings then. In any interleaving either the sleeper sees the published data
 * or the ringer sees the flag; at most one wake per sleep.
 */
export class Bell {
  private readonly words: Int32Array;
  private readonly wake: () => void;

  /** @param wake wakes the sleeper in its own way; may be called while it is awake */
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

  /** No order must be carried out at once. */
  get allowsSleep(): boolean {
    const { order } = this;
    return order === ORDER_NONE || order === ORDER_DRAIN;
  }

  give(order: number): void {
    Atomics.store(this.words, ORDER, order);
    this.ring();
  }

  /** Gives an order unless another one is pending. */
  offer(order: number): void {
    Atomics.compareExchange(this.words, ORDER, ORDER_NONE, order);
    this.ring();
  }

  /** Clears an order that is about to be carried out: from now on it may be given again. */
  took(order: number): void {
    Atomics.compareExchange(this.words, ORDER, order, ORDER_NONE);
  }
}

/** Sleeps on the flag itself: for shards without sockets of their own. */
export class FlagWait {
  private readonly words: Int32Array;

  constructor(memory: SharedArrayBuffer) {
    this.words = new Int32Array(memory);
  }

  wait(timeoutMs: number): void {
    Atomics.wait(this.words, SLEEPING, 1, timeoutMs);
  }
}

/** A function that wakes a FlagWait. @cold */
export function flagWake(memory: SharedArrayBuffer): () => void {
  const words = new Int32Array(memory);
  return () => {
    Atomics.notify(words, SLEEPING);
  };
}
