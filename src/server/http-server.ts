// An HTTP listener as every door of the server has it: who may ask, limits, errors as problem+json, TLS. What can be asked
// is the business of whoever adds routes to `app`.

import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import type { HttpAddress } from './http-address.ts';
import { httpUrl } from './http-address.ts';
import { isLoopback } from './listen-address.ts';
import type { Log } from './log.ts';
import { PROBLEM_TYPE, Problem, problemBody } from './problem.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Needs no token: health, and files without anybody's data. */
    open?: boolean;
  }
}

export interface TlsFiles {
  readonly certificate: string;
  readonly key: string;
}

export interface HttpServerOptions {
  readonly address: HttpAddress;
  /** Files in PEM; needed for https. */
  readonly tls?: TlsFiles;
  /** Asked for as `Authorization: Bearer …`. Absent: whoever reaches the listener may ask, so loopback only. */
  readonly token?: string;
  readonly log: Log;
  readonly limits?: Partial<HttpLimits>;
}

export interface HttpLimits {
  readonly bodyBytes: number;
  readonly connections: number;
  /** To receive a request whole. */
  readonly requestMs: number;
  readonly keepAliveMs: number;
  /** Of one parameter in a path, escapes and all. */
  readonly parameterBytes: number;
}

const DEFAULT_HTTP_LIMITS: HttpLimits = {
  bodyBytes: 1 << 20,
  connections: 256,
  requestMs: 10_000,
  keepAliveMs: 65_000,
  parameterBytes: 4096,
};

export interface HttpServer {
  /** Routes and hooks are added before `listen`. */
  readonly app: FastifyInstance;
  /** Binds; gives the URL, with the port it got. Rejects with the system's error where the address cannot be had. */
  listen(): Promise<string>;
  /** Takes the certificate's files in anew. */
  reloadTls(): void;
  /** Ends the listener and every connection, streams included. */
  close(): Promise<void>;
}

/** Throws an Error where a file of TLS cannot be read, or the listener would be open to other machines without a token. */
export function createHttpServer(options: HttpServerOptions): HttpServer {
  const { address, log } = options;
  const limits = { ...DEFAULT_HTTP_LIMITS, ...options.limits };
  if (options.token === undefined && !isLoopback(address.host)) {
    throw new Error(`${httpUrl(address)} can be reached from other machines and so needs a token`);
  }
  const tls = address.scheme === 'https' ? readTls(options.tls) : undefined;
  const app = fastify({
    bodyLimit: limits.bodyBytes,
    requestTimeout: limits.requestMs,
    keepAliveTimeout: limits.keepAliveMs,
    routerOptions: { maxParamLength: limits.parameterBytes },
    forceCloseConnections: true,
    return503OnClosing: false,
    ...(tls && { https: tls }),
  }) as unknown as FastifyInstance;
  app.server.maxConnections = limits.connections;
  const mayAsk = options.token === undefined ? localOnly : withToken(options.token);
  app.addHook('onRequest', async (request) => mayAsk(request));
  app.addHook('onSend', async (_request, reply) => {
    reply.header('cache-control', reply.getHeader('cache-control') ?? 'no-store');
    reply.header('x-content-type-options', 'nosniff');
  });
  app.setErrorHandler((error, request, reply) => sendProblem(toProblem(error, request, log), reply));
  app.setNotFoundHandler((request, reply) => {
    sendProblem(new Problem(404, 'no_such_route', `there is no ${request.method} ${pathOf(request)}`), reply);
  });
  return {
    app,
    listen: async () => {
      await app.listen({ host: address.host, port: address.port });
      return httpUrl({ ...address, port: (app.server.address() as AddressInfo).port });
    },
    reloadTls: () => {
      if (tls === undefined) return;
      (app.server as unknown as import('node:https').Server).setSecureContext(readTls(options.tls));
    },
    close: () => app.close(),
  };
}

function readTls(files: TlsFiles | undefined): { cert: Buffer; key: Buffer } {
  if (files === undefined) throw new Error('https needs a certificate and its key');
  const read = (file: string): Buffer => {
    try {
      return readFileSync(file);
    } catch (error) {
      throw new Error(`cannot read ${file}: ${(error as Error).message}`, { cause: error });
    }
  };
  return { cert: read(files.certificate), key: read(files.key) };
}

type Guard = (request: FastifyRequest) => void;

/**
 * Without a token only this machine may ask, and no web page: one that resolves its own name to 127.0.0.1 is known by its
 * Host, one of another origin by its Origin.
 */
const localOnly: Guard = (request) => {
  const host = (request.headers.host ?? '').toLowerCase();
  const name = /^(\[[^\]]*\]|[^:]*)(:[0-9]+)?$/.exec(host)?.[1] ?? '';
  if (name !== 'localhost' && !isLoopback(name.replace(/^\[|\]$/g, ''))) {
    throw new Problem(403, 'foreign_host', `this listener answers as localhost and 127.0.0.1, not as "${host}"`);
  }
  const { origin } = request.headers;
  if (origin !== undefined && !sameOrigin(origin, host)) {
    throw new Problem(403, 'foreign_origin', `web pages of ${origin} may not ask here`);
  }
};

function sameOrigin(origin: string, host: string): boolean {
  return URL.canParse(origin) && new URL(origin).host === host;
}

function withToken(token: string): Guard {
  const expected = digest(token);
  return (request) => {
    if (request.routeOptions.config.open === true) return;
    const given = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
    if (given !== undefined && timingSafeEqual(digest(given), expected)) return;
    const what = given === undefined ? 'send the token as "Authorization: Bearer …"' : 'the token is wrong';
    throw new Problem(401, 'token_needed', `${what}; it is in the data directory`);
  };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function toProblem(error: unknown, request: FastifyRequest, log: Log): Problem {
  if (error instanceof Problem) return error;
  const { statusCode, code, message } = error as { statusCode?: number; code?: string; message: string };
  if (statusCode !== undefined && statusCode < 500) {
    const word = (code ?? 'bad_request').replace(/^FST_ERR_(CTP_)?/, '').toLowerCase();
    return new Problem(statusCode, word, message);
  }
  log('error', 'http request failed', { method: request.method, path: pathOf(request), err: error });
  return new Problem(500, 'internal', 'the log says more');
}

function sendProblem(problem: Problem, reply: FastifyReply): void {
  if (problem.status === 401) reply.header('www-authenticate', 'Bearer realm="aorta"');
  void reply
    .code(problem.status)
    .type(PROBLEM_TYPE)
    .send(JSON.stringify(problemBody(problem)));
}

/** Without the query, which may hold what is nobody's business in a log. */
function pathOf(request: FastifyRequest): string {
  return request.url.split('?', 1)[0];
}
