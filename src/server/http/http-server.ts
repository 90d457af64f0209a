// An HTTP listener by node:http: connections, TLS, bodies, streams. http-surface.ts has routes, access and errors.

import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { bindError } from '../../transport/listener.ts';
import { type HttpAddress, httpUrl } from '../config/http-address.ts';
import type { Log } from '../process/log.ts';
import { type ConnectionLimits, HttpConnections } from './http-connections.ts';
import {
  BODY_BYTES_MAX,
  bodyOf,
  type HttpAnswer,
  type HttpSurface,
  hasBody,
  headersOf,
  pathOf,
  TAKEN,
  tooLarge,
} from './http-surface.ts';
import { Problem } from './problem.ts';

export interface TlsFiles {
  readonly certificate: string;
  readonly key: string;
}

export interface HttpServerOptions {
  readonly address: HttpAddress;
  readonly surface: HttpSurface;
  /** Files in PEM; needed for https. */
  readonly tls?: TlsFiles;
  readonly limits?: ConnectionLimits;
  readonly log: Log;
}

const CONNECTIONS: ConnectionLimits = { descriptors: 'admin', connections: 256, perSource: 128, forHealth: 32 };

const TIMES = {
  /** Time to receive a complete request. */
  requestMs: 10_000,
  /** Interval at which Node looks for requests that take longer. */
  checkMs: 1000,
  keepAliveMs: 65_000,
  /** Time for a TLS handshake. */
  handshakeMs: 10_000,
};

export class HttpServer {
  private readonly options: HttpServerOptions;
  private readonly server: Server;
  private readonly connections: HttpConnections;

  /** Throws an Error where a TLS file cannot be read. */
  constructor(options: HttpServerOptions) {
    const { address } = options;
    this.options = options;
    const answer: RequestListener = (request, response) =>
      void this.answer(request, response).catch(() => response.destroy());
    const limits = {
      requestTimeout: TIMES.requestMs,
      headersTimeout: TIMES.requestMs,
      connectionsCheckingInterval: TIMES.checkMs,
      keepAliveTimeout: TIMES.keepAliveMs,
    };
    this.server =
      address.scheme === 'https'
        ? createTlsServer({ ...limits, ...readTls(options.tls), handshakeTimeout: TIMES.handshakeMs }, answer)
        : createServer(limits, answer);
    this.connections = new HttpConnections(this.server, options.limits ?? CONNECTIONS);
  }

  /** Connections that were closed for others, or refused. */
  get droppedConnections(): number {
    return this.connections.dropped;
  }

  /** Binds; returns the address, with its real port. Rejects with a bindError where the address cannot be bound. */
  listen(): Promise<HttpAddress> {
    const { address } = this.options;
    return new Promise((resolve, reject) => {
      const refused = ({ code = '' }: NodeJS.ErrnoException) => reject(bindError(code, httpUrl(address)));
      this.server.once('error', refused);
      this.server.listen(address.port, address.host, () => {
        this.server.off('error', refused);
        // For example, there was no descriptor for a connection, and it has been closed.
        this.server.on('error', (error) => this.options.log('warn', 'http listener error', { error: error.message }));
        resolve({ ...address, port: (this.server.address() as AddressInfo).port });
      });
    });
  }

  /** Reads the certificate's files again. */
  reloadTls(): void {
    if (this.options.address.scheme === 'https') (this.server as TlsServer).setSecureContext(readTls(this.options.tls));
  }

  /** Closes the listener and every connection, streams included. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.server.close(() => resolve());
      this.server.closeAllConnections();
    });
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { surface } = this.options;
    const { socket, method = 'GET', headers } = request;
    const healthOnly = this.connections.begins(socket);
    response.once('close', () => this.connections.ends(socket));
    const [target, search] = split(request.url ?? '/');
    const path = pathOf(target);
    try {
      const { route, params } = surface.find(method, path, headers);
      if (healthOnly) response.shouldKeepAlive = false;
      if (healthOnly && route.access !== 'health')
        throw new Problem(503, 'too_many_connections', 'there are too many connections; ask again later');
      const bytes = hasBody(method) ? await readBody(request) : undefined;
      const body = bytes && surface.readJson(bytes, headers['content-type']);
      const onGone = (callback: () => void) => void response.once('close', callback);
      const result = await route.handle({ params, search, headers, body, node: { request, response }, onGone });
      if (result !== TAKEN) await send(response, result);
    } catch (error) {
      if (response.headersSent || socket.destroyed) return void response.destroy(); // the client closed it, or a stream failed
      const failure = surface.failure(error, method, path);
      if (failure.status === 413) response.shouldKeepAlive = false; // the rest of the body is still arriving
      await send(response, failure);
    }
  }
}

/** A target's path and its query. */
function split(target: string): [path: string, search: string] {
  const at = target.indexOf('?');
  return at < 0 ? [target, ''] : [target.slice(0, at), target.slice(at + 1)];
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

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function send(response: ServerResponse, answer: HttpAnswer): Promise<void> {
  const { status, body } = answer;
  const headers = headersOf(answer);
  if (body === undefined) {
    response.writeHead(status ?? 204, headers).end();
    return;
  }
  if (isPieces(body)) {
    response.writeHead(status ?? 200, headers);
    return pipeline(Readable.from(body, { highWaterMark: 4 }), response);
  }
  const bytes = Buffer.from(bodyOf(body));
  response.writeHead(status ?? 200, [...headers, 'content-length', String(bytes.length)]).end(bytes);
}

function isPieces(body: unknown): body is AsyncIterable<string> {
  return typeof body === 'object' && body !== null && Symbol.asyncIterator in body;
}
