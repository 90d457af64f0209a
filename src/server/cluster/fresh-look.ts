// A question that is asked once a minute, and more often while its answer is in demand.

import { monotonicMs } from '../../transport/monotonic.ts';

const EVERY_MS = 60_000;
/** Greatest age of an answer that is in demand. */
const FRESH_MS = 5000;

export class FreshLook {
  private readonly ask: () => Promise<void>;
  private readonly timer: NodeJS.Timeout;
  private lookedAt = Number.NEGATIVE_INFINITY;
  private looking: Promise<void> | undefined;

  /** @param ask throws nothing */
  constructor(ask: () => Promise<void>) {
    this.ask = ask;
    this.timer = setInterval(() => void this.look(), EVERY_MS).unref();
  }

  /** Asks, unless the last answer is fresh. */
  async look(): Promise<void> {
    if (this.looking === undefined && monotonicMs() - this.lookedAt < FRESH_MS) return;
    await this.lookNow();
  }

  /** Asks in any case, after a repair. */
  async lookNow(): Promise<void> {
    this.lookedAt = monotonicMs();
    this.looking ??= this.ask().finally(() => {
      this.looking = undefined;
    });
    await this.looking;
  }

  close(): void {
    clearInterval(this.timer);
  }
}
