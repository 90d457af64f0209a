// Routes about static bindings and aliases: the same changes as `aorta binding` and `aorta alias`, for programs. Lookups see a
// change within a second.

import * as z from 'zod';
import { changeStatic, readStatic, type StaticContent } from '../../shard/statics/static-file.ts';
import { addAlias, addBinding, ofServedDomains, removeAlias, removeBinding, StaticError } from '../data/statics.ts';
import { Problem } from '../http/problem.ts';
import type { Routes } from '../http/route.ts';
import { aorParams } from './location-schemas.ts';
import { pageOf, pageQuery, pageSchema } from './paging.ts';

const contactSchema = z
  .strictObject({
    uri: z.string().min(1).max(2048).describe('without brackets, e.g. sip:mail@192.0.2.30:5080'),
    q: z.number().min(0).max(1).optional().describe('1 where there is none'),
    path: z.array(z.string().max(2048)).max(8).optional().describe('proxies to go by, topmost first, in brackets'),
  })
  .meta({ id: 'StaticContact' });
const aliasParams = z.strictObject({ alias: z.string().min(1).max(1024).describe('user@host') });

/** @param data the data directory @param domains the served ones */
export function addStaticRoutes(routes: Routes, data: string, domains: () => readonly string[]): void {
  const change: Change = (by) => {
    try {
      changeStatic(data, ofServedDomains(by(), domains()));
    } catch (error) {
      if (error instanceof StaticError) throw new Problem(409, 'bad_static', error.message);
      throw error;
    }
  };
  addBindingRoutes(routes, data, change);
  addAliasRoutes(routes, data, change);
}

type Change = (by: () => (content: StaticContent) => StaticContent) => void;

function addBindingRoutes(routes: Routes, data: string, change: Change): void {
  routes.add({
    name: 'listStaticBindings',
    tag: 'Static bindings',
    method: 'GET',
    path: '/v1/static/bindings',
    summary: 'Static bindings: contacts that an operator gave, by AOR',
    query: z.strictObject(pageQuery),
    response: pageSchema(z.object({ aor: z.string(), contacts: z.array(contactSchema) })),
    handle: ({ query }) => {
      const all = Object.entries(readStatic(data).bindings).map(([aor, contacts]) => ({ aor, contacts }));
      return pageOf(all, query, ({ aor }) => aor);
    },
  });
  routes.add({
    name: 'addStaticBinding',
    tag: 'Static bindings',
    method: 'POST',
    path: '/v1/static/bindings/{aor}',
    summary: 'Adds a static contact to an AOR, or replaces the one with its URI',
    params: aorParams,
    body: contactSchema,
    status: 204,
    handle: ({ params, body: { uri, q, path } }) =>
      change(() => addBinding(params.aor, { uri, ...(q !== undefined && { q }), ...(path && { path }) })),
  });
  routes.add({
    name: 'removeStaticBinding',
    tag: 'Static bindings',
    method: 'DELETE',
    path: '/v1/static/bindings/{aor}',
    summary: 'Removes a static contact of an AOR, or all of them',
    params: aorParams,
    query: z.strictObject({ uri: z.string().max(2048).optional().describe('only this one') }),
    status: 204,
    handle: ({ params, query }) => change(() => removeBinding(params.aor, query.uri)),
  });
}

function addAliasRoutes(routes: Routes, data: string, change: Change): void {
  routes.add({
    name: 'listAliases',
    tag: 'Static bindings',
    method: 'GET',
    path: '/v1/static/aliases',
    summary: 'Aliases: addresses that stand for others',
    query: z.strictObject(pageQuery),
    response: pageSchema(z.object({ alias: z.string(), aor: z.string() })),
    handle: ({ query }) => {
      const all = Object.entries(readStatic(data).aliases).map(([alias, aor]) => ({ alias, aor }));
      return pageOf(all, query, ({ alias }) => alias);
    },
  });
  routes.add({
    name: 'putAlias',
    tag: 'Static bindings',
    method: 'PUT',
    path: '/v1/static/aliases/{alias}',
    summary: 'Lets an address stand for another',
    params: aliasParams,
    body: z.strictObject({ aor: z.string().min(1).max(1024).describe('user@host that requests go to') }),
    status: 204,
    handle: ({ params, body }) => change(() => addAlias(params.alias, body.aor)),
  });
  routes.add({
    name: 'removeAlias',
    tag: 'Static bindings',
    method: 'DELETE',
    path: '/v1/static/aliases/{alias}',
    summary: 'Removes an alias',
    params: aliasParams,
    status: 204,
    handle: ({ params }) => change(() => removeAlias(params.alias)),
  });
}
