// The OpenAPI document of the HTTP listeners, made from their routes.

import { z } from 'zod';
import type { AnyRoute } from './route.ts';

const PROBLEM = {
  description: 'What went wrong (RFC 9457)',
  content: {
    'application/problem+json': {
      schema: {
        type: 'object',
        required: ['type', 'title', 'status', 'code', 'detail'],
        properties: {
          type: { type: 'string' },
          title: { type: 'string' },
          status: { type: 'integer' },
          code: { type: 'string', description: 'a stable word for programs' },
          detail: { type: 'string' },
          errors: {
            type: 'array',
            items: { type: 'object', properties: { path: { type: 'string' }, message: { type: 'string' } } },
          },
        },
      },
    },
  },
};

const LOOKUP_SERVER = {
  url: 'http://{host}:{port}',
  description: 'a lookup listener (--lookup)',
  variables: { host: { default: '127.0.0.1' }, port: { default: '8070' } },
};

/** OpenAPI 3.1. @param lookups routes of the lookup listener, which has an address of its own */
export function openApi(routes: readonly AnyRoute[], lookups: readonly AnyRoute[], version: string): object {
  const paths: Record<string, Record<string, unknown>> = {};
  const add = (route: AnyRoute, of: object): void => {
    paths[route.path] ??= { ...of };
    paths[route.path][route.method.toLowerCase()] = operation(route);
  };
  for (const route of routes) add(route, {});
  for (const route of lookups) add(route, { servers: [LOOKUP_SERVER] });
  return {
    openapi: '3.1.0',
    info: { title: 'Aorta admin API', version, description: 'Bindings, users, counters and the server itself.' },
    security: [{ token: [] }],
    components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
    paths,
  };
}

function operation(route: AnyRoute): object {
  const status = String(route.status ?? 200);
  const type = route.streams ?? 'application/json';
  const content = route.response ? { [type]: { schema: schemaOf(route.response, 'output') } } : { [type]: {} };
  return {
    summary: route.summary,
    parameters: [...parameters(route.params, 'path'), ...parameters(route.query, 'query')],
    ...(route.body && {
      requestBody: { required: true, content: { 'application/json': { schema: schemaOf(route.body, 'input') } } },
    }),
    responses: { [status]: { description: route.summary, ...(status !== '204' && { content }) }, default: PROBLEM },
  };
}

function parameters(schema: z.ZodType | undefined, where: 'path' | 'query'): object[] {
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = schemaOf(schema, 'input') as {
    properties?: Record<string, { description?: string }>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, { description, ...property }]) => ({
    name,
    in: where,
    required: where === 'path' || required.includes(name),
    ...(description !== undefined && { description }),
    schema: property,
  }));
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): object {
  const { $schema: _, ...json } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return json;
}
