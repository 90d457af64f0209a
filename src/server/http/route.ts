// A route of an HTTP listener: its input and output in zod, so that one description checks requests and makes the OpenAPI document.

import * as z from 'zod';
import { type HttpAnswer, type HttpRequest, type HttpResult, type HttpSurface, TAKEN } from './http-surface.ts';
import { issueMessage } from './issue-text.ts';
import { Problem } from './problem.ts';

export interface RouteInput<P, Q, B> {
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  readonly http: HttpRequest;
}

/** Parts of the API, in the order of the document. */
export const TAGS = {
  Server: 'the server itself: state, counters, configuration',
  Bindings: 'addresses-of-record and their bindings',
  Changes: 'changes of bindings: as they happen, and the newest of each address-of-record',
  'Static bindings': 'contacts and aliases from an operator',
  Users: 'users and their credentials',
  Traces: 'messages of one address, in the log',
  Cluster: 'nodes and shards, on the admin listeners of a cluster',
  Lookups: 'contacts for a call, on the lookup listener',
} as const;
type Tag = keyof typeof TAGS;

export interface Route<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType> {
  /** Name of the operation, for clients generated from the document. */
  readonly name: string;
  readonly tag: Tag;
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** With parameters as `{name}`. */
  readonly path: string;
  readonly summary: string;
  readonly params?: P;
  /** A field that is an array may be repeated. */
  readonly query?: Q;
  readonly body?: B;
  /** Body of a 200, or of `status`; absent where it is a stream or empty. */
  readonly response?: z.ZodType;
  /** Content type of a stream: the handler then returns its pieces, or TAKEN. */
  readonly streams?: string;
  readonly status?: number;
  /** The problem's code for invalid input; by default `bad_request`. */
  readonly refusal?: string;
  /** An object is sent as JSON, a text as it is. */
  handle(input: RouteInput<z.output<P>, z.output<Q>, z.output<B>>): unknown;
}

/** A route without its types, for the document. */
export type AnyRoute = Omit<Route<z.ZodType, z.ZodType, z.ZodType>, 'handle'>;

const NOTHING = z.strictObject({});

/** Collects routes: each is served and is in the document. */
export class Routes {
  readonly all: AnyRoute[] = [];
  private readonly surface: HttpSurface;
  private readonly first: (http: HttpRequest) => void;

  /** @param first checks each request before its route, and throws a Problem to refuse it */
  constructor(surface: HttpSurface, first: (http: HttpRequest) => void = () => {}) {
    this.surface = surface;
    this.first = first;
  }

  add<P extends z.ZodType = typeof NOTHING, Q extends z.ZodType = typeof NOTHING, B extends z.ZodType = z.ZodUndefined>(
    route: Route<P, Q, B>,
  ): void {
    this.all.push(route);
    const { params, query, body, status, streams, refusal = 'bad_request' } = route;
    const check = (where: string, schema: z.ZodType, value: unknown) => checked(where, schema, value, refusal);
    const lists = Object.entries(fieldsIn(query)).flatMap(([name, { type }]) => (type === 'array' ? [name] : []));
    const noQuery = (query ?? NOTHING).safeParse({});
    const queryOf = ({ search }: HttpRequest) =>
      search === '' && noQuery.success ? noQuery.data : check('query', query ?? NOTHING, fieldsOf(search, lists));
    const anyText = params === undefined || areAnyText(params);
    const paramsOf = ({ params: given }: HttpRequest) => (anyText ? given : check('path', params, given));
    const fixed = { ...(status !== undefined && { status }), ...(streams !== undefined && { type: streams }) };
    const isPlain = status === undefined && streams === undefined;
    const answerOf = (body: unknown): HttpAnswer => (isPlain ? { body } : { ...fixed, body });
    this.surface.route(route.method, route.path, (http): HttpResult | Promise<HttpResult> => {
      this.first(http);
      const result = route.handle({
        params: paramsOf(http) as z.output<P>,
        query: queryOf(http) as z.output<Q>,
        body: (body === undefined ? undefined : check('body', body, http.body ?? {})) as z.output<B>,
        http,
      });
      if (result instanceof Promise) return result.then((later) => (later === TAKEN ? TAKEN : answerOf(later)));
      return result === TAKEN ? TAKEN : answerOf(result);
    });
  }
}

/** The fields of an object in JSON Schema. */
function fieldsIn(schema: z.ZodType | undefined): Record<string, { readonly type?: string }> {
  if (schema === undefined) return {};
  const json = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return (json.properties ?? {}) as Record<string, { readonly type?: string }>;
}

/** Whether parameters are any text, as the router provides them, so that a check is unnecessary. */
function areAnyText(params: z.ZodType): boolean {
  const fields = Object.values(fieldsIn(params));
  return fields.every((field) => field.type === 'string' && Object.keys(field).every((key) => ANY_TEXT.includes(key)));
}

const ANY_TEXT = ['type', 'description'];

function fieldsOf(search: string, lists: readonly string[]): object {
  if (search === '') return {};
  const given = new URLSearchParams(search);
  const repeated = lists.flatMap((name) => (given.has(name) ? [[name, given.getAll(name)] as const] : []));
  return { ...Object.fromEntries(given), ...Object.fromEntries(repeated) };
}

function checked(where: string, schema: z.ZodType, value: unknown, code: string): unknown {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const errors = result.error.issues.map((issue) => ({
    path: [where, ...issue.path].join('.'),
    message: issueMessage(issue),
  }));
  throw new Problem(400, code, errors.map(({ path, message }) => `${path}: ${message}`).join('; '), errors);
}
