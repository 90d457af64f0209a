// Routes about addresses-of-record and their bindings.

import type { HttpRequest } from '../http/http-surface.ts';
import { Problem } from '../http/problem.ts';
import type { Routes } from '../http/route.ts';
import type { Asker, LocationOrders } from './location-orders.ts';
import { aorParams, aorSchema, contactQuery, dumpQuery, listQuery, newBindingSchema } from './location-schemas.ts';
import type { AorBindings, Filter, Locations } from './locations.ts';
import { pageSchema } from './paging.ts';

const PROGRAM_CHARS_MAX = 40;

/** Both throw a Problem during the start. */
export interface LocationAccess {
  locations(): Locations;
  orders(): LocationOrders;
}

export function addLocationRoutes(routes: Routes, access: LocationAccess): void {
  addReadRoutes(routes, access);
  addChangeRoutes(routes, access);
}

function addReadRoutes(routes: Routes, { locations }: LocationAccess): void {
  routes.add({
    name: 'listAors',
    tag: 'Bindings',
    method: 'GET',
    path: '/v1/aors',
    summary: 'Addresses-of-record that have bindings, a page at a time',
    query: listQuery,
    response: pageSchema(aorSchema),
    handle: ({ query: { limit, cursor, ...filter } }) => locations().page(limit, cursor, filter),
  });
  routes.add({
    name: 'dumpAors',
    tag: 'Bindings',
    method: 'GET',
    path: '/v1/dump',
    summary: 'All of them as a stream, one JSON object a line; each as it is when its line is written',
    query: dumpQuery,
    response: aorSchema,
    streams: 'application/x-ndjson',
    handle: ({ query }) => lines(locations(), query),
  });
  routes.add({
    name: 'getAor',
    tag: 'Bindings',
    method: 'GET',
    path: '/v1/aors/{aor}',
    summary: 'The bindings of one',
    params: aorParams,
    response: aorSchema,
    handle: ({ params }) => existing(locations().get(params.aor)),
  });
}

function addChangeRoutes(routes: Routes, { locations, orders }: LocationAccess): void {
  routes.add({
    name: 'removeAor',
    tag: 'Bindings',
    method: 'DELETE',
    path: '/v1/aors/{aor}',
    summary: 'Removes all its bindings',
    params: aorParams,
    status: 204,
    handle: async ({ params, http }) => {
      const { aor } = existing(locations().get(params.aor));
      await orders().removeAll(aor, askerOf(http));
    },
  });
  routes.add({
    name: 'addBinding',
    tag: 'Bindings',
    method: 'POST',
    path: '/v1/aors/{aor}/bindings',
    summary: 'Adds a binding, or renews the one of the same contact',
    params: aorParams,
    body: newBindingSchema,
    response: aorSchema,
    status: 201,
    handle: async ({ params, body }) => {
      await orders().add(locations().canonical(params.aor), body);
      return locations().get(params.aor);
    },
  });
  routes.add({
    name: 'removeBinding',
    tag: 'Bindings',
    method: 'DELETE',
    path: '/v1/aors/{aor}/bindings',
    summary: 'Removes the binding of one contact',
    params: aorParams,
    query: contactQuery,
    status: 204,
    handle: async ({ params, query, http }) => {
      const { aor, contacts } = existing(locations().get(params.aor));
      const found = contacts.filter(({ uri }) => uri === query.contact);
      if (found.length === 0)
        throw new Problem(404, 'no_binding', `${aor} has no binding with the contact ${query.contact}`);
      await orders().remove(aor, found, askerOf(http));
    },
  });
}

/** The client: its address, and the first word of its User-Agent, such as `curl-8.5.0`. */
function askerOf({ node, headers }: HttpRequest): Asker {
  const [word = ''] = /^[\w./+-]+/.exec(String(headers['user-agent'] ?? '')) ?? [];
  const program = word.replace(/[^A-Za-z0-9.]+/g, '-').slice(0, PROGRAM_CHARS_MAX) || 'unknown';
  const { remoteAddress, remotePort } = node?.request.socket ?? {};
  if (remoteAddress === undefined || remotePort === undefined) return { program };
  return { program, source: { address: remoteAddress.replace(/^::ffff:(?=.*\.)|%.*$/g, ''), port: remotePort } };
}

function existing(found: AorBindings): AorBindings {
  if (found.contacts.length === 0) throw new Problem(404, 'no_bindings', `${found.aor} has no bindings`);
  return found;
}

async function* lines(locations: Locations, filter: Filter): AsyncGenerator<string> {
  for await (const items of locations.all(filter)) yield items.map((item) => `${JSON.stringify(item)}\n`).join('');
}
