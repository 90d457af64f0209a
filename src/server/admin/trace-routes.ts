// Routes of traces: every message of an AOR or from an address into the log (and to HOMER), for a while.

import { z } from 'zod';
import { Problem } from '../http/problem.ts';
import type { Routes } from '../http/route.ts';
import type { MessageWatch, Trace } from './message-watch.ts';
import { pageOf, pageQuery, pageSchema } from './paging.ts';

const SECONDS = 300;

const traceSchema = z.object({ name: z.string(), until: z.string() }).meta({ id: 'Trace' });
const byName = z.strictObject({ name: z.string().min(1) });

export function addTraceRoutes(routes: Routes, watch: () => MessageWatch): void {
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
    handle: ({ params, body }) => {
      try {
        return shown(watch().trace(params.name, body.seconds));
      } catch (error) {
        if (error instanceof RangeError) throw new Problem(400, 'bad_request', error.message);
        throw error;
      }
    },
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

function shown({ name, until }: Trace): z.output<typeof traceSchema> {
  return { name, until: new Date(until).toISOString() };
}
