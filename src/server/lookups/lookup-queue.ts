// Batches of lookups under way. Each turn of the event loop gives them a few milliseconds, one lookup of each in turn, so that nobody
// waits for another's batch, nor the rest of the process for all of them.

import { answered } from './lookup-door.ts';
import { type LookupAnswer, LookupBatch, refusal } from './lookup-routes.ts';

/** Time that lookups may take before everything else has its turn. */
const SLICE_MS = 5;
/** Batches under way at once; more are told to come back. */
const BATCHES_MAX = 64;

interface Waiting {
  readonly batch: LookupBatch;
  readonly done: (answer: LookupAnswer) => void;
}

export class LookupQueue {
  private readonly waiting: Waiting[] = [];
  private turn: NodeJS.Immediate | undefined;

  /**
   * @param done gets the answer: before this returns where it takes little, else later
   * @returns gives the batch up
   */
  add(work: LookupBatch | LookupAnswer, done: (answer: LookupAnswer) => void): () => void {
    if (!(work instanceof LookupBatch)) done(work);
    else if (this.waiting.length >= BATCHES_MAX)
      done(refusal(503, 'busy', `${BATCHES_MAX} batches are under way: come back`));
    else {
      const one = { batch: work, done };
      this.waiting.push(one);
      if (this.turn === undefined) this.work();
      return () => {
        const at = this.waiting.indexOf(one);
        if (at >= 0) this.waiting.splice(at, 1);
      };
    }
    return () => {};
  }

  close(): void {
    this.waiting.length = 0;
    clearImmediate(this.turn);
  }

  private work(): void {
    this.turn = undefined;
    const { waiting } = this;
    const until = performance.now() + SLICE_MS;
    while (waiting.length > 0 && performance.now() < until) {
      const one = waiting.shift() as Waiting;
      const answer = answered(() => one.batch.next());
      if (answer === undefined) waiting.push(one);
      else one.done(answer);
    }
    if (waiting.length > 0) this.turn = setImmediate(() => this.work());
  }
}
