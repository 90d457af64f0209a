// A circuit breaker: after several failures in a row no question is allowed for a while, then a single one. Time comes
// in as an argument; the caller asks the questions.

export interface BreakerOptions {
  /** Failures in a row that open it. */
  readonly failures: number;
  /** Time that it stays open before a trial. */
  readonly openMs: number;
}

export class CircuitBreaker {
  private readonly options: BreakerOptions;
  private failed = 0;
  private openUntil = 0;
  private trying = false;

  constructor(options: BreakerOptions) {
    this.options = options;
  }

  /** Whether a question would be allowed now. */
  isReady(now: number): boolean {
    return this.failed < this.options.failures || (now >= this.openUntil && !this.trying);
  }

  /** Whether a question is allowed now. One that an open breaker allows must report its result. */
  allows(now: number): boolean {
    if (!this.isReady(now)) return false;
    this.trying = this.failed >= this.options.failures;
    return true;
  }

  /** Whether it is open, and no trial is allowed yet. */
  isOpen(now: number): boolean {
    return this.failed >= this.options.failures && now < this.openUntil;
  }

  /** @returns whether this closed an open breaker */
  succeeded(): boolean {
    const wasOpen = this.failed >= this.options.failures;
    this.failed = 0;
    this.trying = false;
    return wasOpen;
  }

  /** @returns whether this opened a closed breaker */
  failedAt(now: number): boolean {
    this.failed++;
    this.trying = false;
    if (this.failed < this.options.failures) return false;
    this.openUntil = now + this.options.openMs;
    return this.failed === this.options.failures;
  }
}
