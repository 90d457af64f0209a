// The current step of a start, for questions meanwhile.

import { type Progress, progressText } from './progress.ts';

export class Startup {
  isOver = false;
  private work: string | undefined;

  /** Passes on the progress of long work, and remembers it. */
  watched(shown: Progress): Progress {
    return (what, done, total) => {
      this.work = progressText(what, done, total);
      shown(what, done, total);
    };
  }

  /** The step as a sentence. */
  get text(): string {
    return this.work === undefined ? 'the server is still starting' : `the server is still starting: ${this.work}`;
  }
}
