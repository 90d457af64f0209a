// The OpenAPI document of the HTTP listeners, made from their routes.

import * as z from 'zod';
import { problemSchema } from './problem.ts';
import { type AnyRoute, TAGS } from './route.ts';

const LOOKUP_SERVER = {
  url: 'http://{host}:{port}',
  description: 'a lookup listener (--lookup)',
  variables: { host: { default: '127.0.0.1' }, port: { default: '8061' } },
};
const ADMIN_SERVER = { url: '/', description: 'the admin listener (--admin), which serves this document' };

type Schemas = Record<string, object>;

/** OpenAPI 3.1. @param lookups routes of the lookup listener, which has an address of its own */
export function openApi(routes: readonly AnyRoute[], lookups: readonly AnyRoute[], version: string): object {
  const paths: Record<string, Record<string, unknown>> = {};
  const schemas: Schemas = {};
  const problem = { 'application/problem+json': { schema: schemaOf(problemSchema, 'output', schemas) } };
  const add = (route: AnyRoute, of: object): void => {
    paths[route.path] ??= { ...of };
    paths[route.path][route.method.toLowerCase()] = operation(route, schemas);
  };
  for (const route of routes) add(route, {});
  for (const route of lookups) add(route, { servers: [LOOKUP_SERVER] });
  return {
    openapi: '3.1.0',
    info: {
      title: 'Aorta',
      version,
      description: 'Bindings, users, counters and the server itself; contacts for calls.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [ADMIN_SERVER],
    security: [{ token: [] }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths,
    components: {
      securitySchemes: {
        token: {
          type: 'http',
          scheme: 'bearer',
          description: 'from the data directory; on loopback it may be left out',
        },
      },
      responses: {
        Refused: { description: 'the request is refused (RFC 9457)', content: problem },
        Failed: { description: 'the server cannot answer now (RFC 9457)', content: problem },
      },
      schemas: Object.fromEntries(Object.entries(schemas).sort(([a], [b]) => (a < b ? -1 : 1))),
    },
  };
}

function operation(route: AnyRoute, schemas: Schemas): object {
  const { name, tag, summary, params, query, body, response, streams, status = 200 } = route;
  const type = streams ?? 'application/json';
  const schema = response ? schemaOf(response, 'output', schemas) : { type: 'string' };
  const input = body && { 'application/json': { schema: schemaOf(body, 'input', schemas) } };
  return {
    operationId: name,
    tags: [tag],
    summary,
    parameters: [...parameters(params, 'path'), ...parameters(query, 'query')],
    ...(input && { requestBody: { required: true, content: input } }),
    responses: {
      [status]: { description: summary, ...(status !== 204 && { content: { [type]: { schema } } }) },
      '4XX': { $ref: '#/components/responses/Refused' },
      '5XX': { $ref: '#/components/responses/Failed' },
    },
  };
}

function parameters(schema: z.ZodType | undefined, where: 'path' | 'query'): object[] {
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = schemaOf(schema, 'input', {}) as {
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

/** JSON Schema; a schema with an ID becomes a reference, and is added to `named`. */
function schemaOf(schema: z.ZodType, io: 'input' | 'output', named: Schemas): object {
  const json = z.toJSONSchema(z.object({ it: schema }), { io, unrepresentable: 'any' });
  const text = JSON.stringify(json).replaceAll('"#/$defs/', '"#/components/schemas/');
  const { properties, $defs } = JSON.parse(text) as { properties: { it: object }; $defs?: Record<string, object> };
  for (const [name, { id: _, ...definition }] of Object.entries($defs ?? {}) as [string, { id?: string }][]) {
    if (named[name] !== undefined && JSON.stringify(named[name]) !== JSON.stringify(definition))
      throw new Error(`two schemas have the name ${name}`);
    named[name] = definition;
  }
  return properties.it;
}
