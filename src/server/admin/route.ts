// A route of the admin API: what it takes and gives, in zod, so that one description checks requests and makes the OpenAPI
// document. What a route does is its handler's.

import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify';
import { z } from 'zod';
import { Problem } from '../problem.ts';

export interface RouteInput<P, Q, B> {
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

export interface Route<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType> {
  readonly method: HTTPMethods;
  /** With parameters as `{name}`. */
  readonly path: string;
  readonly summary: string;
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  /** Of a 200, or `status`; absent where it is a stream or empty. */
  readonly response?: z.ZodType;
  /** Content type of a stream. */
  readonly streams?: string;
  readonly status?: number;
  handle(input: RouteInput<z.output<P>, z.output<Q>, z.output<B>>): unknown;
}

/** A route without its types, for the document. */
export type AnyRoute = Omit<Route<z.ZodType, z.ZodType, z.ZodType>, 'handle'>;

const NOTHING = z.strictObject({});

/** Collects routes: each is served by `app` and stands in the document. */
export class Routes {
  readonly all: AnyRoute[] = [];
  private readonly app: FastifyInstance;

  constructor(app: FastifyInstance) {
    this.app = app;
  }

  add<P extends z.ZodType = typeof NOTHING, Q extends z.ZodType = typeof NOTHING, B extends z.ZodType = z.ZodUndefined>(
    route: Route<P, Q, B>,
  ): void {
    this.all.push(route);
    const { params, query, body } = route;
    this.app.route({
      method: route.method,
      url: route.path.replaceAll(/\{(\w+)\}/g, ':$1'),
      handler: async (request, reply) => {
        const input = {
          params: checked('path', params ?? NOTHING, request.params ?? {}) as z.output<P>,
          query: checked('query', query ?? NOTHING, request.query ?? {}) as z.output<Q>,
          body: (body === undefined ? undefined : checked('body', body, request.body ?? {})) as z.output<B>,
          request,
          reply,
        };
        if (route.status !== undefined) reply.code(route.status);
        return route.handle(input);
      },
    });
  }
}

function checked(where: string, schema: z.ZodType, value: unknown): unknown {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const errors = result.error.issues.map(({ path, message }) => ({ path: [where, ...path].join('.'), message }));
  throw new Problem(400, 'bad_request', errors.map(({ path, message }) => `${path}: ${message}`).join('; '), errors);
}
