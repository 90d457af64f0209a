// What a start is at, for who asks in between.

import { type Progress, progressText } from './progress.ts';

export class Startup {
  isOver = false;
  private work: string | undefined;

  /** Passes on how far long work is, and remembers it. */
  watched(shown: Progress): Progress {
    return (what, done, total) => {
      this.work = progressText(what, done, total);
      shown(what, done, total);
    };
  }

  /** As a sentence. */
  get text(): string {
    return this.work === undefined ? 'the server is still starting' : `the server is still starting: ${this.work}`;
  }
}
