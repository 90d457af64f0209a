// A route of the admin API: what it takes and gives, in zod, so that one description checks requests and makes the OpenAPI
// document. What a route does is its handler's.

import { z } from 'zod';
import { type HttpAnswer, type HttpRequest, type HttpServer, TAKEN } from '../http/http-server.ts';
import { Problem } from '../http/problem.ts';
import { DIRECTORY_HEADER, directoryId } from './admin-files.ts';

export interface RouteInput<P, Q, B> {
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  readonly http: HttpRequest;
}

export interface Route<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType> {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** With parameters as `{name}`. */
  readonly path: string;
  readonly summary: string;
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  /** Of a 200, or `status`; absent where it is a stream or empty. */
  readonly response?: z.ZodType;
  /** Content type of a stream: what the handler gives then is its pieces, or TAKEN. */
  readonly streams?: string;
  readonly status?: number;
  handle(input: RouteInput<z.output<P>, z.output<Q>, z.output<B>>): unknown;
}

/** A route without its types, for the document. */
export type AnyRoute = Omit<Route<z.ZodType, z.ZodType, z.ZodType>, 'handle'>;

const NOTHING = z.strictObject({});

/** Collects routes: each is served and stands in the document. */
export class Routes {
  readonly all: AnyRoute[] = [];
  private readonly server: HttpServer;
  private readonly data: string;
  private readonly directory: string;

  /** @param data the directory that the server holds */
  constructor(server: HttpServer, data: string) {
    this.server = server;
    this.data = data;
    this.directory = directoryId(data);
  }

  add<P extends z.ZodType = typeof NOTHING, Q extends z.ZodType = typeof NOTHING, B extends z.ZodType = z.ZodUndefined>(
    route: Route<P, Q, B>,
  ): void {
    this.all.push(route);
    const { params, query, body, status, streams } = route;
    this.server.route(route.method, route.path, async (http): Promise<HttpAnswer | typeof TAKEN> => {
      this.demandMeant(http);
      const result = await route.handle({
        params: checked('path', params ?? NOTHING, http.params) as z.output<P>,
        query: checked('query', query ?? NOTHING, http.query) as z.output<Q>,
        body: (body === undefined ? undefined : checked('body', body, http.body ?? {})) as z.output<B>,
        http,
      });
      if (result === TAKEN) return TAKEN;
      return { body: result, ...(status !== undefined && { status }), ...(streams !== undefined && { type: streams }) };
    });
  }

  /** A command that names a data directory is not for the server of another one, such as the one that it was copied from. */
  private demandMeant({ raw }: HttpRequest): void {
    const wanted = raw.headers[DIRECTORY_HEADER];
    if (wanted !== undefined && wanted !== this.directory)
      throw new Problem(421, 'another_directory', `this server holds ${this.data}`);
  }
}

function checked(where: string, schema: z.ZodType, value: unknown): unknown {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const errors = result.error.issues.map(({ path, message }) => ({ path: [where, ...path].join('.'), message }));
  throw new Problem(400, 'bad_request', errors.map(({ path, message }) => `${path}: ${message}`).join('; '), errors);
}
