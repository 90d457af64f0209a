// Lookups by uWebSockets.js (docs/decisions/0094). A connection that asks nothing for ten seconds is closed by the library.

import { STATUS_CODES } from 'node:http';
import { Descriptors } from '../../transport/linux/descriptors.ts';
import { bindError } from '../../transport/listener.ts';
import type * as Uws from '../../transport/websocket/uws-api.ts';
import { httpUrl } from '../config/http-address.ts';
import type { HttpAddress } from '../config/sections/lookup-config.ts';
import type { Access } from '../http/http-access.ts';
import { answered, CONNECTIONS_MAX, headersOf, type LookupHttp, refusalBy } from './lookup-door.ts';
import { LookupQueue } from './lookup-queue.ts';
import { BODY_BYTES_MAX, type LookupAnswer, type LookupRoutes, tooLarge } from './lookup-routes.ts';

/** LIBUS_LISTEN_EXCLUSIVE_PORT: not beside another server on the same port. */
const LISTEN_EXCLUSIVELY = 1;

/** Listens. Throws where the address cannot be had. */
export function openUwsDoor(
  library: Uws.UWebSockets,
  address: HttpAddress,
  access: Access,
  routes: LookupRoutes,
): LookupHttp {
  const app = library.App({});
  const descriptors = new Descriptors();
  const queue = new LookupQueue();
  let open = 0;
  const counted = (response: Uws.HttpResponse, change: unknown): void => {
    open += Number(change); // 1 or -1
    if (Number(change) > 0 && (open > CONNECTIONS_MAX || !descriptors.hasRoom('lookup'))) response.close();
  };
  app.filter(counted);
  app.any('/*', (response, request) => {
    const answer = answered(
      () => refusalBy(access, accessHeaders(request)) ?? routes.answer(methodOf(request), urlOf(request)),
    );
    if (answer !== undefined) send(response, answer, answer.status === 413);
    else
      readBody(response, (body) =>
        queue.add(body === undefined ? tooLarge() : answered(() => routes.batch(body)), (found) =>
          response.cork(() => send(response, found, !body)),
        ),
      );
  });
  let socket: Uws.ListenSocket | false = false;
  app.listen(address.host, address.port, LISTEN_EXCLUSIVELY, (result) => {
    socket = result;
  });
  // The library does not say why.
  if (socket === false) throw bindError('EADDRINUSE', httpUrl({ ...address, scheme: 'http' }));
  return {
    address: { ...address, port: library.us_socket_local_port(socket) },
    close: async () => {
      queue.close();
      app.close(); // its listener, too
    },
  };
}

function methodOf(request: Uws.HttpRequest): string {
  return request.getMethod().toUpperCase();
}

/** Without a query the library gives undefined, or an empty text. */
function urlOf(request: Uws.HttpRequest): string {
  const query = request.getQuery();
  return !query ? request.getUrl() : `${request.getUrl()}?${query}`;
}

/** The library gives an empty text for a header that is not there. */
function accessHeaders(request: Uws.HttpRequest) {
  return {
    host: request.getHeader('host'),
    origin: request.getHeader('origin') || undefined,
    authorization: request.getHeader('authorization') || undefined,
  };
}

/**
 * @param take gets undefined where there is too much of it, and nothing where the client goes away; gives back what is to be called
 *   where the client goes away later
 */
function readBody(response: Uws.HttpResponse, take: (body: string | undefined) => () => void): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  let waits = true;
  let giveUp = (): void => {};
  response.onAborted(() => {
    waits = false;
    giveUp();
  });
  response.onData((chunk, isLast) => {
    bytes += chunk.byteLength;
    if (bytes <= BODY_BYTES_MAX) chunks.push(Buffer.from(chunk.slice(0))); // the library's memory, good until this returns
    if (!waits || (!isLast && bytes <= BODY_BYTES_MAX)) return;
    waits = false;
    giveUp = take(bytes > BODY_BYTES_MAX ? undefined : Buffer.concat(chunks).toString());
  });
}

/** @param last whether the connection ends with it */
function send(response: Uws.HttpResponse, answer: LookupAnswer, last: boolean): void {
  response.writeStatus(`${answer.status} ${STATUS_CODES[answer.status]}`);
  for (const [name, value] of headersOf(answer)) response.writeHeader(name, value);
  response.end(answer.text, last);
}
