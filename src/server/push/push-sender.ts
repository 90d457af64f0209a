// Pushes of one service in progress: attempts until their time is over, with growing pauses, and a breaker for all of them.

import { setTimeout as pause } from 'node:timers/promises';
import type { PushConfig } from '../config/sections/push-config.ts';
import type { Log } from '../process/log.ts';
import { reasonOf } from '../process/reason-of.ts';
import { withinTime } from '../process/time-limit.ts';
import { CircuitBreaker } from '../users/circuit-breaker.ts';
import type { PushBudget } from './push-budget.ts';
import { type Push, type PushAnswer, type PushProvider, RetryLater } from './push-provider.ts';

/**
 * `put off`: more pushes were due than may leave, or the service gets none for a while. `failed`: it has not accepted the push
 * in time.
 */
export type PushOutcome = PushAnswer | 'failed' | 'put off';
export type PushCounts = Readonly<Record<PushOutcome, number>>;

export type SenderLimits = Pick<PushConfig, 'timeoutMs' | 'retryMs' | 'failures' | 'openMs'>;

export class PushSender {
  readonly counts: Record<PushOutcome, number> = { sent: 0, gone: 0, refused: 0, failed: 0, 'put off': 0 };
  readonly provider: PushProvider;
  private readonly limits: SenderLimits;
  private readonly budget: PushBudget;
  private readonly breaker: CircuitBreaker;
  private readonly log: Log;
  private readonly closing = new AbortController();
  /** The service has asked for a pause until then. */
  private quietUntil = 0;

  constructor(provider: PushProvider, limits: SenderLimits, budget: PushBudget, log: Log) {
    this.provider = provider;
    this.limits = limits;
    this.budget = budget;
    this.breaker = new CircuitBreaker(limits);
    this.log = log;
  }

  /** Whether the service gets no pushes for a while. */
  get isOpen(): boolean {
    return this.breaker.isOpen(Date.now());
  }

  private get isReady(): boolean {
    return Date.now() >= this.quietUntil && this.breaker.isReady(Date.now());
  }

  /** Never rejects. @param patienceMs longest wait of the push for its turn */
  async send(push: Push, patienceMs: number): Promise<PushOutcome> {
    const outcome = await this.attempts(push, patienceMs);
    this.counts[outcome]++;
    return outcome;
  }

  close(): void {
    this.closing.abort();
    this.provider.close();
  }

  private async attempts(push: Push, patienceMs: number): Promise<PushOutcome> {
    const { signal } = this.closing;
    const { retryMs } = this.limits;
    if (!this.isReady) return 'put off'; // before it takes a place that another service could have
    const turn = this.budget.take(Date.now(), patienceMs);
    if (turn < 0) return 'put off';
    if (turn > 0) await pause(turn, undefined, { signal, ref: false }).catch(() => {});
    for (let tried = 0; !signal.aborted; tried++) {
      if (!this.isReady || !this.breaker.allows(Date.now())) return tried === 0 ? 'put off' : 'failed';
      const answer = await this.attempt(push);
      if (answer !== undefined) return answer;
      const wait = Math.max(retryMs * 2 ** tried * (0.75 + Math.random() / 2), this.quietUntil - Date.now());
      if (Date.now() + wait >= push.until) return 'failed';
      await pause(wait, undefined, { signal, ref: false }).catch(() => {});
    }
    return 'failed';
  }

  /** Undefined: another attempt may follow. */
  private async attempt(push: Push): Promise<PushAnswer | undefined> {
    const { provider, limits, log } = this;
    try {
      const answer = await withinTime(limits.timeoutMs, this.closing.signal, (stop) => provider.send(push, stop));
      if (this.breaker.succeeded()) log('info', 'pushes are taken again', { service: provider.name });
      return answer;
    } catch (error) {
      if (this.closing.signal.aborted) return undefined;
      const now = Date.now();
      if (error instanceof RetryLater && error.afterMs > 0) this.quietUntil = now + error.afterMs;
      if (this.breaker.failedAt(now))
        log('warn', 'a push service fails and is left alone for a while', {
          service: provider.name,
          reason: reasonOf(error),
          ms: limits.openMs,
        });
      return undefined;
    }
  }
}
