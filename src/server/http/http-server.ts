// An HTTP listener: who may ask, limits, JSON in and out, streams, errors as problem+json, TLS. What can be asked is the
// business of whoever adds routes.

import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type HttpAddress, httpUrl } from '../config/http-address.ts';
import { isLoopback } from '../config/listener-text.ts';
import type { Log } from '../process/log.ts';
import { localOnly, withToken } from './http-access.ts';
import { HttpConnections } from './http-connections.ts';
import { HttpRouter } from './http-router.ts';
import { PROBLEM_TYPE, Problem, problemBody } from './problem.ts';

export interface TlsFiles {
  readonly certificate: string;
  readonly key: string;
}

export interface HttpServerOptions {
  readonly address: HttpAddress;
  /** Files in PEM; needed for https. */
  readonly tls?: TlsFiles;
  /** Asked for as `Authorization: Bearer …`, and the file it lies in. Absent: loopback only. */
  readonly token?: { readonly text: string; readonly file: string };
  readonly log: Log;
}

/** Every limit of a listener. */
const LIMITS = {
  bodyBytes: 1 << 20,
  connections: 256,
  perSource: 128,
  forHealth: 32,
  /** To receive a request whole. */
  requestMs: 10_000,
  /** How often Node looks for requests that take longer. */
  checkMs: 1000,
  keepAliveMs: 65_000,
  /** How long a certificate handshake may take. */
  handshakeMs: 10_000,
};

export interface HttpRequest {
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  /** Of JSON; undefined where there is none. */
  readonly body: unknown;
  readonly raw: IncomingMessage;
  /** For what is no answer in one piece; a handler that takes it returns TAKEN. */
  readonly response: ServerResponse;
}

export interface HttpAnswer {
  readonly status?: number;
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Text as it is, pieces as they come, anything else as JSON; undefined for none. */
  readonly body?: unknown;
}

/** The handler answers by itself. */
export const TAKEN = Symbol('taken');

export type HttpHandler = (request: HttpRequest) => HttpAnswer | typeof TAKEN | Promise<HttpAnswer | typeof TAKEN>;

interface Handled {
  readonly handle: HttpHandler;
  readonly access: RouteAccess;
}

/** Who may ask: whoever has the token; or anybody, for files without anybody's data; or for health, also where there are too many. */
export type RouteAccess = 'token' | 'open' | 'health';

export class HttpServer {
  private readonly options: HttpServerOptions;
  private readonly server: Server;
  private readonly connections: HttpConnections;
  private readonly router = new HttpRouter<Handled>();
  private readonly mayAsk: (request: IncomingMessage, open: boolean) => void;

  /** Throws an Error where a file of TLS cannot be read, or the listener would be open to other machines without a token. */
  constructor(options: HttpServerOptions) {
    const { address, token } = options;
    if (token === undefined && !isLoopback(address.host))
      throw new Error(`${httpUrl(address)} can be reached from other machines and so needs a token`);
    this.options = options;
    const access = token === undefined ? localOnly(true) : withToken(token.text, token.file);
    // Also what needs no token is for this machine alone where there is none.
    this.mayAsk = token === undefined ? access : (request, open) => open || access(request);
    const answer: RequestListener = (request, response) =>
      void this.answer(request, response).catch(() => response.destroy());
    const limits = {
      requestTimeout: LIMITS.requestMs,
      headersTimeout: LIMITS.requestMs,
      connectionsCheckingInterval: LIMITS.checkMs,
      keepAliveTimeout: LIMITS.keepAliveMs,
    };
    this.server =
      address.scheme === 'https'
        ? createTlsServer({ ...limits, ...readTls(options.tls), handshakeTimeout: LIMITS.handshakeMs }, answer)
        : createServer(limits, answer);
    this.connections = new HttpConnections(this.server, LIMITS);
  }

  /** Connections that were closed for others, or not let in. */
  get droppedConnections(): number {
    return this.connections.dropped;
  }

  /** @param path with parameters as `{name}` */
  route(method: string, path: string, handle: HttpHandler, access: RouteAccess = 'token'): void {
    this.router.add(method, path, { handle, access });
  }

  /** Binds; gives the URL, with the port it got. Rejects with the system's error where the address cannot be had. */
  listen(): Promise<string> {
    const { address } = this.options;
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(address.port, address.host, () => {
        this.server.off('error', reject);
        // No descriptor for a connection, for one: it has been closed.
        this.server.on('error', (error) => this.options.log('warn', 'http listener error', { error: error.message }));
        resolve(httpUrl({ ...address, port: (this.server.address() as AddressInfo).port }));
      });
    });
  }

  /** Takes the certificate's files in anew. */
  reloadTls(): void {
    if (this.options.address.scheme === 'https') (this.server as TlsServer).setSecureContext(readTls(this.options.tls));
  }

  /** Ends the listener and every connection, streams included. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.server.close(() => resolve());
      this.server.closeAllConnections();
    });
  }

  private async answer(raw: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket } = raw;
    const healthOnly = this.connections.begins(socket);
    response.once('close', () => this.connections.ends(socket));
    try {
      const url = targetOf(raw.url ?? '/');
      const { route, params } = this.find(raw, url);
      if (healthOnly) response.shouldKeepAlive = false;
      if (healthOnly && route.access !== 'health')
        throw new Problem(503, 'too_many_connections', 'there are too many connections; ask again later');
      const query = Object.fromEntries(url?.searchParams ?? []);
      const body = hasBody(raw) ? await readBody(raw) : undefined;
      const result = await route.handle({ params, query, body, raw, response });
      if (result !== TAKEN) await send(response, result);
    } catch (error) {
      this.fail(error, raw, response);
    }
  }

  /** Who may not ask is not told what there is. */
  private find(raw: IncomingMessage, url: URL | undefined): ReturnType<HttpRouter<Handled>['find']> {
    try {
      if (url === undefined) throw new Problem(400, 'bad_target', 'the request target is no path of this server');
      const found = this.router.find(raw.method ?? 'GET', url.pathname);
      this.mayAsk(raw, found.route.access !== 'token');
      return found;
    } catch (error) {
      this.mayAsk(raw, false);
      throw error;
    }
  }

  private fail(error: unknown, raw: IncomingMessage, response: ServerResponse): void {
    if (response.headersSent) return void response.destroy(); // a stream that broke, or whose reader went away
    if (error instanceof Problem) return sendProblem(response, error);
    const { method, url } = raw;
    this.options.log('error', 'http request failed', { method, path: url?.split('?', 1)[0], err: error });
    sendProblem(response, new Problem(500, 'internal', 'the log says more'));
  }
}

/** What is asked for; undefined where that is no path (RFC 9112 §3.2.1, §3.2.2), or one that others could take for a host. */
function targetOf(target: string): URL | undefined {
  const absolute = target.startsWith('/') ? `http://localhost${target}` : target;
  if (!/^https?:/i.test(absolute) || !URL.canParse(absolute)) return undefined;
  const url = new URL(absolute);
  return url.pathname.startsWith('//') ? undefined : url;
}

/** What GET and HEAD bring along has no meaning, and is not waited for. */
function hasBody({ method }: IncomingMessage): boolean {
  return method !== 'GET' && method !== 'HEAD';
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

async function readBody(raw: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of raw as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > LIMITS.bodyBytes)
      throw new Problem(413, 'too_large', `a body may have at most ${LIMITS.bodyBytes} bytes`);
    chunks.push(chunk);
  }
  if (bytes === 0) return undefined;
  if (!/^application\/json *(;|$)/i.test(raw.headers['content-type'] ?? ''))
    throw new Problem(415, 'not_json', 'send the body as Content-Type: application/json');
  try {
    return JSON.parse(Buffer.concat(chunks).toString());
  } catch (error) {
    throw new Problem(400, 'bad_json', `the body is no JSON: ${(error as Error).message}`);
  }
}

async function send(response: ServerResponse, { status, type, headers, body }: HttpAnswer): Promise<void> {
  const common = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', ...headers };
  if (body === undefined) {
    response.writeHead(status ?? 204, common).end();
    return;
  }
  if (isPieces(body)) {
    response.writeHead(status ?? 200, { ...common, 'content-type': type ?? 'text/plain; charset=utf-8' });
    return pipeline(Readable.from(body, { highWaterMark: 4 }), response);
  }
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  const length = { 'content-type': type ?? 'application/json', 'content-length': bytes.length };
  response.writeHead(status ?? 200, { ...common, ...length }).end(bytes);
}

function isPieces(body: unknown): body is AsyncIterable<string> {
  return typeof body === 'object' && body !== null && Symbol.asyncIterator in body;
}

function sendProblem(response: ServerResponse, problem: Problem): void {
  if (problem.status === 401) response.setHeader('www-authenticate', 'Bearer realm="aorta"');
  if (problem.allow !== undefined) response.setHeader('allow', problem.allow);
  if (problem.status === 413) response.shouldKeepAlive = false; // the rest of the body is still to come
  send(response, { status: problem.status, type: PROBLEM_TYPE, body: JSON.stringify(problemBody(problem)) }).catch(() =>
    response.destroy(),
  );
}
