// The part of an HTTP listener that all engines share: routes, access, JSON bodies, errors as problem+json. The engines receive requests and
// send answers: http-server.ts by node:http, uws-server.ts by uWebSockets.js.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Log } from '../process/log.ts';
import type { ListenerAccess } from './http-access.ts';
import { type Found, HttpRouter } from './http-router.ts';
import { PROBLEM_TYPE, Problem, problemBody } from './problem.ts';

export const BODY_BYTES_MAX = 1 << 20;

/** Headers by name, in lower case. */
export type HttpHeaders = Readonly<Record<string, string | string[] | undefined>>;

export interface HttpRequest {
  readonly params: Readonly<Record<string, string>>;
  /** The text after the question mark; empty without one. */
  readonly search: string;
  readonly headers: HttpHeaders;
  /** The parsed JSON body; undefined without one. */
  readonly body: unknown;
  /** For an answer in several pieces; the handler then returns TAKEN. Undefined on an engine other than node:http. */
  readonly node: { readonly request: IncomingMessage; readonly response: ServerResponse } | undefined;
  /** Calls back when the client closes its connection before the answer. */
  onGone(callback: () => void): void;
}

export interface HttpAnswer {
  readonly status?: number;
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Text as it is, pieces as they arrive, anything else as JSON; undefined for none. */
  readonly body?: unknown;
}

/** The handler sends the answer by itself. */
export const TAKEN = Symbol('taken');

export type HttpResult = HttpAnswer | typeof TAKEN;
export type HttpHandler = (request: HttpRequest) => HttpResult | Promise<HttpResult>;

/** Clients of a route: those with the token; all, for files without data; all, for health, also beyond the limits. */
export type RouteAccess = 'token' | 'open' | 'health';

export interface Handled {
  readonly handle: HttpHandler;
  readonly access: RouteAccess;
}

export interface HttpSurfaceOptions {
  readonly access: ListenerAccess;
  readonly log: Log;
  /** `any`: a body is read as JSON for any Content-Type. Only where no route changes anything: browsers send such bodies for every page. */
  readonly bodyTypes?: 'application/json' | 'any';
}

export class HttpSurface {
  private readonly options: HttpSurfaceOptions;
  private readonly router = new HttpRouter<Handled>();

  constructor(options: HttpSurfaceOptions) {
    this.options = options;
  }

  /** @param path with parameters as `{name}` */
  route(method: string, path: string, handle: HttpHandler, access: RouteAccess = 'token'): void {
    this.router.add(method, path, { handle, access });
  }

  /**
   * The route of a request. A client without access is refused first: it does not learn which routes exist.
   * @param path undefined where the request target has none
   * @throws Problem
   */
  find(method: string, path: string | undefined, headers: HttpHeaders): Found<Handled> {
    const { check, openRoutes } = this.options.access;
    try {
      if (path === undefined) throw new Problem(400, 'bad_target', 'the request target is no path of this server');
      const found = this.router.find(method, path);
      if (!openRoutes || found.route.access === 'token') check({ headers });
      return found;
    } catch (error) {
      check({ headers });
      throw error;
    }
  }

  /** @throws Problem */
  readJson(bytes: Buffer, type: HttpHeaders[string]): unknown {
    if (this.options.bodyTypes !== 'any') {
      if (bytes.length === 0) return undefined;
      if (!/^application\/json *(;|$)/i.test(String(type ?? '')))
        throw new Problem(415, 'not_json', 'send the body as Content-Type: application/json');
    }
    try {
      return JSON.parse(bytes.toString());
    } catch (error) {
      throw new Problem(400, 'bad_json', `the body is no JSON: ${(error as Error).message}`);
    }
  }

  /** The answer to a request that failed. An error that is no Problem is logged. */
  failure(error: unknown, method: string, path: string | undefined): HttpAnswer {
    if (error instanceof Problem) return problemAnswer(error);
    this.options.log('error', 'http request failed', { method, path, err: error });
    return problemAnswer(new Problem(500, 'internal', 'the log says more'));
  }
}

export function tooLarge(): Problem {
  return new Problem(413, 'too_large', `a body may have at most ${BODY_BYTES_MAX} bytes`);
}

/** A body of GET or HEAD has no meaning, and is not awaited. */
export function hasBody(method: string): boolean {
  return method !== 'GET' && method !== 'HEAD';
}

/** The path of a request target; undefined where it has none (RFC 9112 §3.2.1, §3.2.2), or one that could be taken for a host. */
export function pathOf(target: string): string | undefined {
  if (PLAIN_PATH.test(target)) return target;
  const absolute = target.startsWith('/') ? `http://localhost${target}` : target;
  if (!/^https?:/i.test(absolute) || !URL.canParse(absolute)) return undefined;
  const { pathname } = new URL(absolute);
  return pathname.startsWith('//') ? undefined : pathname;
}

/** Paths that URL leaves unchanged: no dot segments, backslashes, fragments, and no characters that it escapes. */
const PLAIN_PATH = /^(?:\/(?:[A-Za-z0-9_~:@!$&'()*+,;=-]|%(?!2[Ee]))[A-Za-z0-9._~:@!$&'()*+,;=%-]*)+$/;

/** Names and values alternate; the length is left out. */
export function headersOf({ type, headers, body }: HttpAnswer): string[] {
  const list =
    body === undefined
      ? ['cache-control', 'no-store', 'x-content-type-options', 'nosniff']
      : ['cache-control', 'no-store', 'x-content-type-options', 'nosniff', 'content-type', type ?? 'application/json'];
  for (const name in headers) list.push(name, headers[name]);
  return list;
}

export function bodyOf(body: unknown): string | Buffer {
  return typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
}

function problemAnswer(problem: Problem): HttpAnswer {
  const { status, allow } = problem;
  return {
    status,
    type: PROBLEM_TYPE,
    headers: {
      ...(status === 401 && { 'www-authenticate': 'Bearer realm="aorta"' }),
      ...(allow !== undefined && { allow }),
    },
    body: problemBody(problem),
  };
}
