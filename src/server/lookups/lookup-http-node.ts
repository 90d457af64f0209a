// Lookups by node:http, for systems on which no build of uWebSockets.js loads.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Descriptors } from '../../transport/linux/descriptors.ts';
import type { HttpAddress } from '../config/sections/lookup-config.ts';
import type { Access } from '../http/http-access.ts';
import { answered, CONNECTIONS_MAX, headersOf, type LookupHttp, refusalBy } from './lookup-door.ts';
import { LookupQueue } from './lookup-queue.ts';
import { BODY_BYTES_MAX, type LookupAnswer, type LookupRoutes, tooLarge } from './lookup-routes.ts';

/** Deadlines, and how often Node looks at them. */
const TIMES = {
  keepAliveTimeout: 65_000,
  headersTimeout: 10_000,
  requestTimeout: 10_000,
  connectionsCheckingInterval: 1000,
};

/** Listens. Rejects with the system's error where the address cannot be had. */
export async function openNodeDoor(address: HttpAddress, access: Access, routes: LookupRoutes): Promise<LookupHttp> {
  const queue = new LookupQueue();
  const server = createServer(TIMES, (request, response) => {
    const answer = answered(
      () => refusalBy(access, request.headers) ?? routes.answer(request.method ?? '', request.url ?? ''),
    );
    if (answer !== undefined) send(response, answer);
    else
      readBody(request, (body) => {
        const work = body === undefined ? tooLarge() : answered(() => routes.batch(body));
        const giveUp = queue.add(work, (found) => send(response, found));
        response.on('close', giveUp);
      });
  });
  server.maxConnections = CONNECTIONS_MAX;
  const descriptors = new Descriptors();
  server.on('connection', (socket) => {
    if (!descriptors.hasRoom('lookup')) socket.destroy();
  });
  await listening(server, address);
  return {
    address: { ...address, port: (server.address() as AddressInfo).port },
    close: () =>
      new Promise((resolve) => {
        queue.close();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listening(server: Server, { host, port }: HttpAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      server.on('error', () => {}); // a connection that no descriptor was left for; it has been closed
      resolve();
    });
  });
}

/** @param take gets undefined where there is too much of it */
function readBody(request: IncomingMessage, take: (body: string | undefined) => void): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= BODY_BYTES_MAX) chunks.push(chunk);
  });
  request.on('end', () => take(bytes > BODY_BYTES_MAX ? undefined : Buffer.concat(chunks).toString()));
}

function send(response: ServerResponse, answer: LookupAnswer): void {
  const body = Buffer.from(answer.text);
  response.writeHead(answer.status, [...headersOf(answer).flat(), 'content-length', String(body.length)]);
  response.end(body);
}
