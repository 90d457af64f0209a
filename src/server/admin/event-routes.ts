// The change feed over HTTP: server-sent events that a client resumes with Last-Event-ID. A client that reads too slowly
// holds up nothing: it gets a gap for the events that the journal has dropped by then.

import type { ServerResponse } from 'node:http';
import * as z from 'zod';
import { TAKEN } from '../http/http-surface.ts';
import { Problem } from '../http/problem.ts';
import type { Routes } from '../http/route.ts';
import type { EventJournal, JournalEntry } from './event-journal.ts';
import type { Locations } from './locations.ts';

/** Keeps proxies and clients from taking a quiet feed for a dead one. */
const HEARTBEAT_MS = 15_000;
/** Bytes that may wait for a client; beyond them it catches up from the journal. */
const WAITING_BYTES_MAX = 256 << 10;
const ENTRIES_PER_TURN = 256;

const TYPES = ['registered', 'refreshed', 'unregistered', 'expired', 'evicted', 'flow-ended', 'removed'] as const;

interface Feed {
  readonly aor: string | undefined;
  readonly types: ReadonlySet<string> | undefined;
}

export function addEventRoutes(routes: Routes, journal: EventJournal, locations: () => Locations): void {
  routes.add({
    name: 'followEvents',
    tag: 'Changes',
    method: 'GET',
    path: '/v1/events',
    summary: 'Changes of bindings as server-sent events, resumable with Last-Event-ID',
    query: z.strictObject({
      aor: z.string().max(1024).optional().describe('of this address-of-record only'),
      types: z
        .string()
        .optional()
        .describe(`some of ${TYPES.join(', ')}, with commas`)
        .transform((text, context) => {
          const types = text?.split(',');
          const wrong = types?.find((type) => !(TYPES as readonly string[]).includes(type));
          if (wrong !== undefined) context.addIssue({ code: 'custom', message: `there is no type "${wrong}"` });
          return types;
        }),
      since: z.string().max(64).optional().describe('as Last-Event-ID, for clients that cannot set it'),
    }),
    streams: 'text/event-stream',
    handle: ({ query, http }) => {
      const aor = query.aor === undefined ? undefined : locations().canonical(query.aor);
      locations(); // throws a Problem during the start
      const header = http.headers['last-event-id'];
      const from = typeof header === 'string' ? header : query.since;
      const last = from === undefined || from === '' ? undefined : readId(from);
      if (http.node === undefined) throw new Error('events need node:http');
      stream(http.node.response, journal, { aor, types: query.types && new Set(query.types) }, last);
      return TAKEN;
    },
  });
}

function stream(raw: ServerResponse, journal: EventJournal, feed: Feed, last: EventId | undefined): void {
  raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' });
  raw.write('retry: 2000\n\n');
  let next = startAt(raw, journal, last);
  let ended = false;
  let pending = false;
  const pump = () => {
    pending = false;
    for (let sent = 0; !ended && next <= journal.newest; next++) {
      if (raw.writableLength > WAITING_BYTES_MAX) return; // continues when it has drained
      if (sent++ === ENTRIES_PER_TURN) return wake();
      const { oldest } = journal;
      if (next < oldest) {
        gap(raw, journal, oldest - 1, { missed: oldest - next });
        next = oldest;
      }
      const entry = journal.at(next);
      if (entry !== undefined && fits(entry, feed)) raw.write(message(journal, entry));
    }
  };
  const wake = () => {
    if (pending || ended) return;
    pending = true;
    setImmediate(pump);
  };
  const unwatch = journal.watch(wake);
  const heartbeat = setInterval(() => raw.write(`: ${new Date().toISOString()}\n\n`), HEARTBEAT_MS).unref();
  const end = () => {
    ended = true;
    clearInterval(heartbeat);
    unwatch();
  };
  raw.on('drain', wake);
  raw.once('close', end);
  wake();
}

interface EventId {
  readonly journal: string;
  readonly number: number;
}

function readId(text: string): EventId {
  const [, journal, digits] = /^([0-9a-f]{8})-([0-9]{1,15})$/.exec(text) ?? [];
  if (journal === undefined) throw new Problem(400, 'bad_event_id', `"${text}" is no event ID of ours`);
  return { journal, number: Number(digits) };
}

/** The number to begin with; a client whose number is not kept any more gets a gap. */
function startAt(raw: ServerResponse, journal: EventJournal, last: EventId | undefined): number {
  const { newest } = journal;
  if (last === undefined) return newest + 1;
  if (last.journal === journal.name && journal.listening && last.number <= newest) return last.number + 1;
  gap(raw, journal, newest, { missed: null });
  return newest + 1;
}

/** `missed`: the number of lost events, or null where it is unknown: the client reads the bindings again. */
function gap(raw: ServerResponse, journal: EventJournal, number: number, what: { missed: number | null }): void {
  raw.write(`id: ${journal.name}-${number}\nevent: gap\ndata: ${JSON.stringify(what)}\n\n`);
}

function message(journal: EventJournal, { number, type, data }: JournalEntry): string {
  return `id: ${journal.name}-${number}\nevent: ${type}\ndata: ${data}\n\n`;
}

/** A loss concerns every client. */
function fits(entry: JournalEntry, { aor, types }: Feed): boolean {
  if (entry.aor === undefined) return true;
  return (aor === undefined || entry.aor === aor) && (types === undefined || types.has(entry.type));
}
