// The lookups of one batch, one after the other.

import { UnreadableError } from '../../location/location-reader.ts';
import { Problem } from '../http/problem.ts';
import type { Lookup, NoLookup } from './location-lookup.ts';
import { lookupJson } from './lookup-json.ts';

/** AORs in one batch, at most. */
export const BATCH_MAX = 1000;
/** Characters of the answer to one batch, at most. */
const ANSWER_MAX = 1 << 24;

export class LookupBatch {
  private readonly aors: readonly string[];
  private readonly find: (aor: string) => Lookup | NoLookup;
  private readonly results: string[] = [];
  private length = 0;

  constructor(aors: readonly string[], find: (aor: string) => Lookup | NoLookup) {
    this.aors = aors;
    this.find = find;
  }

  /**
   * Looks the next AOR up; after the last it returns the answer to all, as JSON.
   * @throws Problem
   */
  next(): string | undefined {
    const { aors, results } = this;
    if (results.length < aors.length) {
      const result = JSON.stringify(this.result(aors[results.length]));
      this.length += result.length;
      results.push(result);
    }
    if (this.length > ANSWER_MAX)
      throw new Problem(413, 'too_large', 'the answer would be too long: ask for fewer at once');
    return results.length < aors.length ? undefined : `{"results":[${results.join()}]}`;
  }

  private result(aor: string): object {
    try {
      const found = this.find(aor);
      if (typeof found === 'object') return lookupJson(found);
      return { aor, error: found === 'no AOR' ? 'bad_aor' : 'not_served', contacts: [], fallbacks: [] };
    } catch (error) {
      if (!(error instanceof UnreadableError)) throw error;
      return { aor, error: 'unreadable', contacts: [], fallbacks: [] };
    }
  }
}
