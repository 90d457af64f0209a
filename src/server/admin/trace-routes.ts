// Routes of traces: every message of an AOR or from an address, to the log (and to HOMER) for a while, or to a client as they pass.

import type { ServerResponse } from 'node:http';
import * as z from 'zod';
import { TAKEN } from '../http/http-surface.ts';
import { Problem } from '../http/problem.ts';
import type { Routes } from '../http/route.ts';
import type { FollowedMessage, MessageWatch, Trace } from './message-watch.ts';
import { pageOf, pageQuery, pageSchema } from './paging.ts';

const SECONDS = 300;

const traceSchema = z.object({ name: z.string(), until: z.string() }).meta({ id: 'Trace' });
const byName = z.strictObject({ name: z.string().min(1) });

export function addTraceRoutes(routes: Routes, watch: () => MessageWatch): void {
  addFollowRoute(routes, watch);
  routes.add({
    name: 'listTraces',
    tag: 'Traces',
    method: 'GET',
    path: '/v1/traces',
    summary: 'What is traced, and until when',
    query: z.strictObject(pageQuery),
    response: pageSchema(traceSchema),
    handle: ({ query }) => pageOf(watch().active.map(shown), query, ({ name }) => name),
  });
  routes.add({
    name: 'startTrace',
    tag: 'Traces',
    method: 'PUT',
    path: '/v1/traces/{name}',
    summary: 'Logs every message of an AOR or from an IP address, without credentials, for so many seconds',
    params: byName,
    body: z.strictObject({ seconds: z.number().int().min(1).max(86_400).default(SECONDS) }),
    response: traceSchema,
    handle: ({ params, body }) => refusing(() => shown(watch().trace(params.name, body.seconds))),
  });
  routes.add({
    name: 'endTrace',
    tag: 'Traces',
    method: 'DELETE',
    path: '/v1/traces/{name}',
    summary: 'Ends a trace',
    params: byName,
    status: 204,
    handle: ({ params }) => {
      if (!watch().untrace(params.name)) throw new Problem(404, 'not_found', `${params.name} is not traced`);
    },
  });
}

/** Bytes that may wait for a client; messages beyond are counted instead. */
const WAITING_BYTES_MAX = 1 << 20;
/** Keeps proxies and clients from taking a quiet stream for a dead one. */
const HEARTBEAT_MS = 15_000;

function addFollowRoute(routes: Routes, watch: () => MessageWatch): void {
  routes.add({
    name: 'followMessages',
    tag: 'Traces',
    method: 'GET',
    path: '/v1/traces/{name}/messages',
    summary:
      'Every message of an AOR or from an IP address as server-sent events, without credentials, while the client listens',
    params: byName,
    streams: 'text/event-stream',
    handle: ({ params, http }) => {
      if (http.node === undefined) throw new Error('messages need node:http');
      stream(http.node.response, (hear) => refusing(() => watch().follow(params.name, hear)));
      return TAKEN;
    },
  });
}

/** @param follow throws a Problem */
function stream(raw: ServerResponse, follow: (hear: (message: FollowedMessage) => void) => () => void): void {
  let missed = 0;
  const send = (event: string, data: object) => raw.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  const end = follow((message) => {
    if (raw.writableLength > WAITING_BYTES_MAX) {
      missed++;
      return;
    }
    if (missed > 0) send('gap', { missed });
    missed = 0;
    send('message', { ...message, bytes: Buffer.from(message.bytes).toString('base64') });
  });
  raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' });
  raw.write(': following\n\n');
  const heartbeat = setInterval(() => raw.write(`: ${new Date().toISOString()}\n\n`), HEARTBEAT_MS).unref();
  raw.once('close', () => {
    clearInterval(heartbeat);
    end();
  });
}

function refusing<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof RangeError) throw new Problem(400, 'bad_request', error.message);
    throw error;
  }
}

function shown({ name, until }: Trace): z.output<typeof traceSchema> {
  return { name, until: new Date(until).toISOString() };
}
