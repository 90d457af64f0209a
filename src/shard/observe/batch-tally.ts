// The counts of a batch: changes of bindings only once its commit has succeeded, answers once they are final. @hot

import type { ExchangeResult } from '../../core/uas/exchange.ts';
import { COUNTER, COUNTER_NAMES, REFUSED_BY_REASON } from './counters.ts';
import { OUTCOME_OTHER } from './measures.ts';

const PREFIX = 'answered_';
/** By status. */
const ANSWERED = new Map(
  COUNTER_NAMES.filter((name) => name.startsWith(PREFIX)).map((name) => [
    Number(name.slice(PREFIX.length)),
    COUNTER[name],
  ]),
);

export class BatchTally {
  private readonly counters: Float64Array;
  private ok = 0;
  private added = 0;
  private refreshed = 0;
  private removed = 0;
  private evicted = 0;
  private expired = 0;
  private flowEnded = 0;

  constructor(counters: Float64Array) {
    this.counters = counters;
  }

  /** A REGISTER answered 200 that changed nothing. @param fetched it only asked for the bindings */
  unchanged(fetched: boolean): void {
    this.counters[COUNTER.ok]++;
    if (fetched) this.counters[COUNTER.fetched]++;
  }

  /** A REGISTER that changed bindings. */
  registered(result: ExchangeResult): void {
    this.ok++;
    this.added += result.added;
    this.refreshed += result.refreshed;
    this.removed += result.removed;
    this.evicted += result.evicted;
    this.expired += result.expired;
    this.flowEnded += result.cutOff;
  }

  /** Bindings of an AOR that have expired. */
  swept(count: number): void {
    this.expired += count;
  }

  /** Bindings removed because their connection has closed. */
  cutOff(count: number): void {
    this.flowEnded += count;
  }

  /** A final answer that was not a replay. @param reason REASON_* where it is a refusal */
  answered(status: number, outcome: number, reason: number): void {
    if (status < 300) return;
    const counters = this.counters;
    if (status < 400) {
      counters[COUNTER.redirected]++;
      return;
    }
    counters[COUNTER.refused]++;
    const counter = ANSWERED.get(status);
    if (counter !== undefined) counters[counter]++;
    if (outcome !== OUTCOME_OTHER) counters[REFUSED_BY_REASON + reason]++;
  }

  apply(): void {
    const counters = this.counters;
    counters[COUNTER.ok] += this.ok;
    counters[COUNTER.registered] += this.added;
    counters[COUNTER.refreshed] += this.refreshed;
    counters[COUNTER.unregistered] += this.removed;
    counters[COUNTER.evicted] += this.evicted;
    counters[COUNTER.expired] += this.expired;
    counters[COUNTER.flow_ended] += this.flowEnded;
  }

  /** The counts that wait for the commit. @cold */
  copy(): BatchTally {
    return Object.assign(new BatchTally(this.counters), this);
  }

  clear(): void {
    this.ok = 0;
    this.added = 0;
    this.refreshed = 0;
    this.removed = 0;
    this.evicted = 0;
    this.expired = 0;
    this.flowEnded = 0;
  }
}
