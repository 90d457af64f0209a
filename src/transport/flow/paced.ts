// Work that arrives in storms, done in small parts with rests between, so that neither the thread's other work nor threads
// on the same core wait for all of it.

/** By default: a millisecond of work, and a rest twice as long for threads on the same core. */
const WORK_MS = 1;
const REST_MS = 2;
/** Pieces between two looks at the clock. */
const PIECES = 16;

export class Paced<T> {
  private readonly work: (piece: T) => void;
  private readonly workMs: number;
  private readonly restMs: number;
  private queue: T[] = [];
  private first = 0;
  private pending = false;

  /** @param restMs 0: only a turn of the event loop */
  constructor(work: (piece: T) => void, workMs = WORK_MS, restMs = REST_MS) {
    this.work = work;
    this.workMs = workMs;
    this.restMs = restMs;
  }

  add(piece: T): void {
    this.queue.push(piece);
    if (this.pending) return;
    this.pending = true;
    setImmediate(() => this.some());
  }

  /** Does all remaining work at once. */
  finish(): void {
    while (this.first < this.queue.length) this.work(this.queue[this.first++]);
  }

  private some(): void {
    const end = performance.now() + this.workMs;
    do {
      for (let i = 0; i < PIECES && this.first < this.queue.length; i++) this.work(this.queue[this.first++]);
    } while (this.first < this.queue.length && performance.now() < end);
    this.pending = this.first < this.queue.length;
    if (this.pending) {
      if (this.restMs === 0) setImmediate(() => this.some());
      else setTimeout(() => this.some(), this.restMs);
      return;
    }
    this.queue = [];
    this.first = 0;
  }
}
