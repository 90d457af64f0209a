// Work that comes in storms, done a millisecond at a time with rests between, so that threads on the same core are not
// kept from theirs.

const WORK_MS = 1;
const REST_MS = 2;
/** Pieces between two looks at the clock. */
const PIECES = 16;

export class Paced<T> {
  private readonly work: (piece: T) => void;
  private queue: T[] = [];
  private first = 0;
  private pending = false;

  constructor(work: (piece: T) => void) {
    this.work = work;
  }

  add(piece: T): void {
    this.queue.push(piece);
    if (this.pending) return;
    this.pending = true;
    setImmediate(() => this.some());
  }

  /** Does all that is left, at once. */
  finish(): void {
    while (this.first < this.queue.length) this.work(this.queue[this.first++]);
  }

  private some(): void {
    const end = performance.now() + WORK_MS;
    do {
      for (let i = 0; i < PIECES && this.first < this.queue.length; i++) this.work(this.queue[this.first++]);
    } while (this.first < this.queue.length && performance.now() < end);
    this.pending = this.first < this.queue.length;
    if (this.pending) {
      setTimeout(() => this.some(), REST_MS);
      return;
    }
    this.queue = [];
    this.first = 0;
  }
}
