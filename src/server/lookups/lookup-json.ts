// A lookup in the API: the same as inside a program, and for each contact its route set as the value of a Route header.

import * as z from 'zod';
import type { Binding } from '../../core/binding/binding-view.ts';
import { bindingFields } from '../admin/location-schemas.ts';
import type { Lookup } from './location-lookup.ts';

const contactSchema = z
  .object({
    ...bindingFields,
    route: z.string().describe('route set to the contact, as the value of a Route header; empty: none'),
    ping: z
      .object({
        losses: z.number().describe('pings in a row without an answer'),
        rttMs: z.number().optional().describe('round-trip time of the last answer'),
        answeredAt: z.number().optional().describe('moment of the last answer, epoch ms'),
      })
      .optional()
      .describe('of a contact that is pinged'),
    gruu: z.string().optional().describe('public GRUU (RFC 5627)'),
  })
  .meta({ id: 'Target' });

const lookup = {
  aor: z.string().describe('canonical: user@host'),
  contacts: z.array(contactSchema).describe('where to send a request now, best first; one per instance'),
  fallbacks: z.array(contactSchema).describe('other flows of the same instances, for when a contact answers 430'),
  lagMs: z
    .number()
    .optional()
    .describe('a node of a cluster that does not hear of changes now: how old the answer may be'),
};
export const lookupSchema = z.object(lookup).meta({ id: 'Lookup' });

/** An AOR of a batch, with the reason if it cannot be looked up. */
export const lookupResultSchema = z
  .object({ ...lookup, error: z.enum(['bad_aor', 'not_served', 'unreadable']).optional() })
  .meta({ id: 'LookupResult' });

export function lookupJson({ aor, contacts, fallbacks, lagMs }: Lookup): object {
  const found = { aor, contacts: contacts.map(contactJson), fallbacks: fallbacks.map(contactJson) };
  return lagMs === undefined ? found : { ...found, lagMs };
}

function contactJson(binding: Binding): object {
  return { ...binding, route: binding.path.join(', ') };
}
