// A second domain beside the first: it has rules of its own, and so many bindings and no more.

import type { DomainPolicy } from '../../../src/core/uas/policy.ts';
import type { Random } from '../shards/random.ts';
import type { Rules } from './registrations.ts';

export const FIRST_DOMAIN = 'example.com';
export const SECOND_DOMAIN = 'example.net';

/** Of AORs, where there is a second domain. */
export function isOfSecond(n: number): boolean {
  return n % 3 === 1;
}

export class SecondDomain {
  rules: Rules;
  /** Bindings that it may still have; shards share it, and it is counted anew before each batch. */
  private readonly capacity = new Int32Array(1);
  private max: number;
  /** The same as the model has it; infinite where nobody can count, NaN behind a request of which nobody can. */
  private room = Number.POSITIVE_INFINITY;

  /** @param isLimited whether it may have so many bindings */
  constructor(random: Random, rules: Rules, isLimited: boolean) {
    this.rules = rules;
    this.max = isLimited ? random.between(1, 4) : 1000;
  }

  policy(): DomainPolicy {
    const { minS, maxS, jitterPercent, contactsMax } = this.rules;
    return {
      ...{ minExpiresS: minS, maxExpiresS: maxS, defaultExpiresS: maxS, expiresJitterPercent: jitterPercent },
      ...{ contactsPerAorMax: contactsMax, bindingsMax: this.max, capacity: this.capacity },
    };
  }

  /** @param bindings that live; NaN: nobody knows how many */
  count(bindings: number): void {
    this.room = Number.isNaN(bindings) ? Number.POSITIVE_INFINITY : this.max - bindings;
    this.capacity[0] = Number.isNaN(bindings) ? 1000 : this.room;
  }

  /** A request of the batch has added so many; NaN: what it found may have been unreadable. */
  add(bindings: number): void {
    this.room -= bindings;
  }

  get rulesNow(): Rules {
    return { ...this.rules, room: this.room };
  }

  /** From now on it takes everybody; a reload says so. */
  open(): void {
    this.rules = { ...this.rules, contactsMax: 30 };
    this.max = 1000;
  }
}
