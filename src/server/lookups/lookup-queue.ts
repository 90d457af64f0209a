// Batches of lookups in progress. Each turn of the event loop gives them a few milliseconds, one lookup of each in turn. So no
// client waits for another's batch, nor the rest of the process for all of them.

import type { HttpRequest } from '../http/http-surface.ts';
import { Problem } from '../http/problem.ts';
import type { LookupBatch } from './lookup-batch.ts';

/** Time for lookups before all other work has its turn. */
const SLICE_MS = 5;
/** Batches in progress at once; a client with one more is told to come again. */
const BATCHES_MAX = 64;

interface Waiting {
  readonly batch: LookupBatch;
  readonly done: (results: string) => void;
  readonly failed: (error: unknown) => void;
}

export class LookupQueue {
  private readonly waiting: Waiting[] = [];
  private turn: NodeJS.Immediate | undefined;

  /**
   * The results of a batch; never resolves where its client has closed the connection.
   * @throws Problem
   */
  run(batch: LookupBatch, client: Pick<HttpRequest, 'onGone'>): Promise<string> {
    const { waiting } = this;
    if (waiting.length >= BATCHES_MAX)
      throw new Problem(503, 'busy', `${BATCHES_MAX} batches are under way: come back`);
    return new Promise((done, failed) => {
      const one = { batch, done, failed };
      waiting.push(one);
      client.onGone(() => {
        const at = waiting.indexOf(one);
        if (at >= 0) waiting.splice(at, 1);
      });
      if (this.turn === undefined) this.work();
    });
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
      try {
        const results = one.batch.next();
        if (results === undefined) waiting.push(one);
        else one.done(results);
      } catch (error) {
        one.failed(error);
      }
    }
    if (waiting.length > 0) this.turn = setImmediate(() => this.work());
  }
}
