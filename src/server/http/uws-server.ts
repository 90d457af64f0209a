// An HTTP listener by uWebSockets.js (docs/decisions/0094), for frequent requests. http-surface.ts has routes, access and errors. The
// library closes a connection that is silent for ten seconds.

import { STATUS_CODES } from 'node:http';
import { Descriptors } from '../../transport/linux/descriptors.ts';
import { bindError } from '../../transport/listener.ts';
import type * as Uws from '../../transport/websocket/uws-api.ts';
import { type HttpAddress, httpUrl } from '../config/http-address.ts';
import type { ConnectionLimits } from './http-connections.ts';
import {
  BODY_BYTES_MAX,
  bodyOf,
  type Handled,
  type HttpAnswer,
  type HttpHeaders,
  type HttpRequest,
  type HttpResult,
  type HttpSurface,
  hasBody,
  headersOf,
  pathOf,
  TAKEN,
  tooLarge,
} from './http-surface.ts';

/** LIBUS_LISTEN_EXCLUSIVE_PORT: not beside another server on the same port. */
const LISTEN_EXCLUSIVELY = 1;

export interface UwsServer {
  /** The address with its real port. */
  readonly address: HttpAddress;
  close(): void;
}

/** Listens. Throws where the address cannot be bound. */
export function openUwsServer(
  library: Uws.UWebSockets,
  address: HttpAddress,
  surface: HttpSurface,
  limits: Pick<ConnectionLimits, 'descriptors' | 'connections'>,
): UwsServer {
  const app = library.App({});
  const descriptors = new Descriptors();
  let open = 0;
  const limit = (response: Uws.HttpResponse, change: unknown): void => {
    open += Number(change); // 1 or -1
    const isNew = Number(change) > 0;
    if (isNew && (open > limits.connections || !descriptors.hasCapacity(limits.descriptors))) response.close();
  };
  app.filter(limit);
  app.any('/*', (response, request) => new UwsCall(surface, response, request).answer(request));
  let socket: Uws.ListenSocket | false = false;
  app.listen(address.host, address.port, LISTEN_EXCLUSIVELY, (result) => {
    socket = result;
  });
  // The library gives no reason.
  if (socket === false) throw bindError('EADDRINUSE', httpUrl(address));
  return {
    address: { ...address, port: library.us_socket_local_port(socket) },
    close: () => void app.close(), // this closes its listener, too
  };
}

/** One request. An error that leaves it would end the process. */
class UwsCall implements HttpRequest {
  readonly node = undefined;
  readonly headers: HttpHeaders;
  params: HttpRequest['params'] = {};
  search = '';
  body: unknown;
  private readonly surface: HttpSurface;
  private readonly response: Uws.HttpResponse;
  private readonly method: string;
  private readonly path: string | undefined;
  private gone = false;
  private watched = false;
  private whenGone: (() => void) | undefined;

  constructor(surface: HttpSurface, response: Uws.HttpResponse, request: Uws.HttpRequest) {
    this.surface = surface;
    this.response = response;
    this.method = request.getMethod().toUpperCase();
    this.path = pathOf(request.getUrl());
    this.headers = {
      host: request.getHeader('host'),
      origin: request.getHeader('origin') || undefined, // empty: the header is missing
      authorization: request.getHeader('authorization') || undefined,
    };
  }

  onGone(callback: () => void): void {
    this.whenGone = callback;
  }

  /** @param request valid during this call only */
  answer(request: Uws.HttpRequest): void {
    const { surface, method, path } = this;
    try {
      const { route, params } = surface.find(method, path, this.headers);
      this.params = params;
      this.search = request.getQuery() ?? '';
      if (!hasBody(method)) return this.handle(route);
      const type = request.getHeader('content-type');
      this.readBody((bytes) => {
        this.body = surface.readJson(bytes, type);
        this.handle(route);
      });
    } catch (error) {
      this.fail(error);
    }
  }

  private handle(route: Handled): void {
    const result = route.handle(this);
    if (!(result instanceof Promise)) return this.send(result);
    this.watch();
    result.then((later) => this.send(later)).catch((error) => this.fail(error));
  }

  private fail(error: unknown): void {
    this.send(this.surface.failure(error, this.method, this.path));
  }

  private watch(): void {
    if (this.watched) return;
    this.watched = true;
    this.response.onAborted(() => {
      this.gone = true;
      this.whenGone?.();
    });
  }

  private readBody(done: (bytes: Buffer) => void): void {
    const chunks: Buffer[] = [];
    let length = 0;
    let waits = true;
    this.watch();
    this.response.onData((chunk, isLast) => {
      if (!waits || this.gone) return;
      length += chunk.byteLength;
      const fits = length <= BODY_BYTES_MAX;
      if (fits) chunks.push(Buffer.from(chunk.slice(0))); // a copy: the library's memory is valid until this returns
      if (fits && !isLast) return;
      waits = false;
      try {
        if (!fits) throw tooLarge();
        done(Buffer.concat(chunks));
      } catch (error) {
        this.fail(error);
      }
    });
  }

  /** Outside the library's own call an answer is corked, so that its parts leave together. */
  private send(result: HttpResult): void {
    if (this.gone) return;
    if (result === TAKEN) throw new Error('only node:http answers piece by piece');
    if (this.watched) this.response.cork(() => this.write(result));
    else this.write(result);
  }

  private write(answer: HttpAnswer): void {
    const { response } = this;
    const status = answer.status ?? (answer.body === undefined ? 204 : 200);
    const text = answer.body === undefined ? '' : bodyOf(answer.body);
    const headers = headersOf(answer);
    const closes = status === 413; // the rest of the body is still arriving
    response.writeStatus(`${status} ${STATUS_CODES[status]}`);
    for (let i = 0; i < headers.length; i += 2) response.writeHeader(headers[i], headers[i + 1]);
    if (this.method !== 'HEAD') response.end(text, closes);
    else response.writeHeader('content-length', String(Buffer.byteLength(text))).endWithoutBody();
  }
}
