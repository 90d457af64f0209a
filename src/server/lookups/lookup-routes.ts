// Routes of the lookup listener: the contacts of a user, as JSON, for proxies. None of them changes anything.

import * as z from 'zod';
import type { CallerPreferences } from '../../core/lookup/caller-preferences.ts';
import { UnreadableError } from '../../location/location-reader.ts';
import { Problem } from '../http/problem.ts';
import type { Routes } from '../http/route.ts';
import { type Lookup, type LookupPreferences, type NoLookup, readCallerPreferences } from './location-lookup.ts';
import { BATCH_MAX, LookupBatch } from './lookup-batch.ts';
import { lookupJson, lookupResultSchema, lookupSchema } from './lookup-json.ts';
import type { LookupQueue } from './lookup-queue.ts';

/** Throws an UnreadableError where the disk fails to return the record. */
export type Find = (aor: string, preferences?: CallerPreferences) => Lookup | NoLookup;

/** The parts that answer lookups. */
export interface Lookups {
  readonly find: Find;
  /** Wakes sleeping devices: resolves when they have registered, or their time is over; undefined: none sleeps. */
  readonly wake: (aor: string) => Promise<void> | undefined;
}

const values = z.array(z.string()).describe('caller preferences (RFC 3841), e.g. *;audio;require');

const ONE = {
  name: 'lookUp',
  tag: 'Lookups',
  method: 'GET',
  path: '/v1/aors/{aor}/contacts',
  summary: 'Contacts of one address-of-record, best first',
  params: z.object({ aor: z.string().describe('user@host, a SIP URI or a GRUU, escaped as a part of a path') }),
  query: z.object({
    'accept-contact': values.optional(),
    'reject-contact': values.optional(),
    wake: z.enum(['true', 'false']).optional().describe('false: devices that sleep are let sleep'),
  }),
  response: lookupSchema,
} as const;

const texts = z.array(z.string()).max(BATCH_MAX);

const BATCH = {
  name: 'lookUpMany',
  tag: 'Lookups',
  method: 'POST',
  path: '/v1/lookups',
  summary: `Contacts of up to ${BATCH_MAX} addresses-of-record`,
  body: z.object({ aors: texts, acceptContact: texts.optional(), rejectContact: texts.optional() }),
  refusal: 'bad_batch',
  response: z.object({ results: z.array(lookupResultSchema).describe('in the order of the question') }),
} as const;

/** Routes for the OpenAPI document. */
export const LOOKUP_ROUTES = [ONE, BATCH];

export function addLookupRoutes(routes: Routes, { find, wake }: Lookups, queue: LookupQueue): void {
  routes.add({
    ...ONE,
    handle: ({ params: { aor }, query }) => {
      const acceptContact = query['accept-contact'];
      const rejectContact = query['reject-contact'];
      const preferences = preferencesOf({ acceptContact, rejectContact });
      const waking = query.wake === 'false' ? undefined : wake(aor);
      if (waking === undefined) return one(find, aor, preferences);
      return waking.then(() => one(find, aor, preferences));
    },
  });
  routes.add({
    ...BATCH,
    handle: ({ body: { aors, ...wanted }, http }) => {
      const preferences = preferencesOf(wanted);
      return queue.run(new LookupBatch(aors, (aor) => find(aor, preferences)), http);
    },
  });
}

function one(find: Find, aor: string, preferences: CallerPreferences | undefined): object {
  try {
    const found = find(aor, preferences);
    if (typeof found === 'object') return lookupJson(found);
    if (found === 'no AOR') throw new Problem(400, 'bad_aor', `"${aor}" is no address-of-record`);
    throw new Problem(404, 'not_served', `the domain of "${aor}" is not served here`);
  } catch (error) {
    if (error instanceof UnreadableError) throw new Problem(503, 'unreadable', error.message);
    throw error;
  }
}

/** @throws Problem */
function preferencesOf(wanted: LookupPreferences): CallerPreferences | undefined {
  try {
    return readCallerPreferences(wanted);
  } catch (error) {
    if (error instanceof RangeError) throw new Problem(400, 'too_many_preferences', error.message);
    throw error;
  }
}
