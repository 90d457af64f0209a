// What is asked of the location service by HTTP, and what is answered: where is a user, as JSON, for proxies. No listener in
// here, and nothing that changes anything.

import type { Binding } from '../../core/binding/binding-view.ts';
import type { CallerPreferences } from '../../core/lookup/caller-preferences.ts';
import { UnreadableError } from '../../location/location-reader.ts';
import { type Lookup, type LookupPreferences, type NoLookup, readCallerPreferences } from './location-lookup.ts';

/** AORs that one batch may ask for. */
const BATCH_MAX = 1000;
export const BODY_BYTES_MAX = 1 << 20;
/** Characters that the answer to one batch may have. */
const ANSWER_MAX = 1 << 24;

const ONE = /^\/v1\/aors\/([^/?#]+)\/contacts(?:\?(.*))?$/;
const BATCH = '/v1/lookups';

export type Find = (aor: string, preferences?: CallerPreferences) => Lookup | NoLookup;

/** The same where a disk may not give what is there. */
type TryFind = (aor: string, preferences?: CallerPreferences) => Lookup | NoLookup | UnreadableError;

export interface LookupAnswer {
  readonly status: number;
  readonly type: string;
  readonly text: string;
  /** Of a 405: the method that there is. */
  readonly allow?: string;
}

export class LookupRoutes {
  private readonly find: TryFind;

  constructor(find: Find) {
    this.find = (aor, preferences) => {
      try {
        return find(aor, preferences);
      } catch (error) {
        if (error instanceof UnreadableError) return error;
        throw error;
      }
    };
  }

  /** @returns undefined: it is a batch, whose body is wanted */
  answer(method: string, url: string): LookupAnswer | undefined {
    const one = ONE.exec(url);
    if (one !== null) {
      if (method !== 'GET') return wrongMethod('GET');
      return this.one(one[1], one[2]);
    }
    if (url !== BATCH) return refusal(404, 'no_such_route', `there are /v1/aors/{aor}/contacts and ${BATCH}`);
    return method === 'POST' ? undefined : wrongMethod('POST');
  }

  /** @param body of a batch: work to be done by and by, or a refusal */
  batch(body: string): LookupBatch | LookupAnswer {
    let batch: { aors?: unknown; acceptContact?: unknown; rejectContact?: unknown } | null;
    try {
      batch = JSON.parse(body);
    } catch {
      return refusal(400, 'bad_json', 'the body is no JSON');
    }
    const { aors, acceptContact = [], rejectContact = [] } = batch ?? {};
    if (!isTexts(aors) || !isTexts(acceptContact) || !isTexts(rejectContact)) {
      const detail = `expected {"aors": […]}, and as one likes "acceptContact" and "rejectContact", with at most ${BATCH_MAX} texts`;
      return refusal(400, 'bad_batch', detail);
    }
    const preferences = readPreferences({ acceptContact, rejectContact });
    return isRefusal(preferences) ? preferences : new LookupBatch(aors, (aor) => this.find(aor, preferences));
  }

  private one(escaped: string, query: string | undefined): LookupAnswer {
    let aor: string;
    try {
      aor = escaped.includes('%') ? decodeURIComponent(escaped) : escaped;
    } catch {
      return refusal(400, 'bad_aor', 'the escapes of the address-of-record are malformed');
    }
    const preferences = query === undefined ? undefined : readPreferences(preferencesIn(query));
    if (isRefusal(preferences)) return preferences;
    const found = this.find(aor, preferences);
    if (found === 'no AOR') return refusal(400, 'bad_aor', `"${aor}" is no address-of-record`);
    if (found === 'not served') return refusal(404, 'not_served', `the domain of "${aor}" is not served here`);
    if (found instanceof UnreadableError) return refusal(503, 'unreadable', found.message);
    return ok(lookupJson(found));
  }
}

/** The lookups of one batch, one after the other. */
export class LookupBatch {
  private readonly aors: readonly string[];
  private readonly find: TryFind;
  private readonly results: string[] = [];
  private length = 0;

  constructor(aors: readonly string[], find: TryFind) {
    this.aors = aors;
    this.find = find;
  }

  /** Looks the next one up; the answer to all where that was the last. */
  next(): LookupAnswer | undefined {
    const { aors, results } = this;
    if (results.length < aors.length) {
      const aor = aors[results.length];
      const found = this.find(aor);
      const error = errorOf(found);
      const result = error === undefined ? lookupJson(found as Lookup) : { aor, error, contacts: [], fallbacks: [] };
      this.length += results[results.push(JSON.stringify(result)) - 1].length;
    }
    if (this.length > ANSWER_MAX)
      return refusal(413, 'too_large', 'the answer would be too long: ask for fewer at once');
    if (results.length < aors.length) return undefined;
    return { status: 200, type: 'application/json', text: `{"results":[${results.join()}]}` };
  }
}

function errorOf(found: Lookup | NoLookup | UnreadableError): string | undefined {
  if (found instanceof UnreadableError) return 'unreadable';
  if (typeof found === 'object') return undefined;
  return found === 'no AOR' ? 'bad_aor' : 'not_served';
}

function readPreferences(preferences: LookupPreferences): CallerPreferences | LookupAnswer | undefined {
  try {
    return readCallerPreferences(preferences);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return refusal(400, 'too_many_preferences', error.message);
  }
}

function isRefusal(it: CallerPreferences | LookupAnswer | undefined): it is LookupAnswer {
  return it !== undefined && 'status' in it;
}

/** RFC 9457. */
export function refusal(status: number, code: string, detail: string): LookupAnswer {
  const text = JSON.stringify({ type: 'about:blank', status, code, detail });
  return { status, type: 'application/problem+json', text };
}

function wrongMethod(allow: string): LookupAnswer {
  return { ...refusal(405, 'method_not_allowed', `${allow} is what this takes`), allow };
}

export function tooLarge(): LookupAnswer {
  return refusal(413, 'too_large', `at most ${BODY_BYTES_MAX} bytes`);
}

function ok(content: unknown): LookupAnswer {
  return { status: 200, type: 'application/json', text: JSON.stringify(content) };
}

/** `accept-contact` and `reject-contact`, each as often as there are values. */
function preferencesIn(query: string): LookupPreferences {
  const fields = new URLSearchParams(query);
  return { acceptContact: fields.getAll('accept-contact'), rejectContact: fields.getAll('reject-contact') };
}

function isTexts(list: unknown): list is string[] {
  return Array.isArray(list) && list.length <= BATCH_MAX && list.every((text) => typeof text === 'string');
}

/** As the API has it: what is a route set is also there as the value of a Route header. `expires: null` is for ever. */
function lookupJson({ aor, contacts, fallbacks }: Lookup): unknown {
  return { aor, contacts: contacts.map(contactJson), fallbacks: fallbacks.map(contactJson) };
}

function contactJson(binding: Binding): unknown {
  return { ...binding, route: binding.path.join(', ') };
}
