// Recent successes by account and source, so that an account's owner is let in while strangers guess. Each entry is one account at one
// source, with the flow of its last success.
// @hot

import type { AbusePolicy } from './abuse-policy.ts';
import { NONE, OWN, RecentSuccesses } from './recent-successes.ts';

/** The account has not succeeded from this source lately. */
export const NOT_KNOWN = 0;
/** It has, from another port or over another transport. */
const KNOWN_SOURCE = 1;
/** It has, from this flow. */
export const KNOWN_FLOW = 2;

export class KnownAccounts {
  private readonly successes: RecentSuccesses;

  constructor(policy: AbusePolicy) {
    this.successes = new RecentSuccesses(policy);
  }

  /** Another lifetime for the entries there are. @cold */
  configure(policy: AbusePolicy): void {
    this.successes.configure(policy);
  }

  /** Bytes of memory: a constant. */
  get bytes(): number {
    return this.successes.bytes;
  }

  /**
   * NOT_KNOWN, KNOWN_SOURCE or KNOWN_FLOW.
   * @param a,b of the source, the account's hash mixed in
   * @param flow hash of the flow
   */
  find(a: number, b: number, flow: number, tick: number): number {
    const { successes } = this;
    const entry = successes.find(a, b, tick);
    if (entry === NONE) return NOT_KNOWN;
    return successes.words[entry + OWN] === flow ? KNOWN_FLOW : KNOWN_SOURCE;
  }

  succeed(a: number, b: number, flow: number, tick: number): void {
    const { successes } = this;
    successes.words[successes.succeed(a, b, tick) + OWN] = flow;
  }
}
