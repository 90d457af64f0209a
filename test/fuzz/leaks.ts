// What a running server keeps: live objects of every thread's heap, and what its counters say is under way. Taken before and after the
// same work, a growth with the number of messages is a leak.

import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Aorta } from '../support/aorta-process.ts';
import { pause, poll } from '../support/child-process.ts';
import { SipClient } from '../support/sip-client.ts';

/** Timer J, which keeps answers for 32 s, and a little more. */
const TIMER_J_MS = 34_000;
const SNAPSHOTS_MS = 90_000;
/** Requests whose transactions are there again. */
const WAKING = 24;
/** A thread may keep so many objects and bytes more, whatever was sent: compiled code, shapes, tables that fill up to their limits. */
const OBJECTS_MORE = 8000;
const BYTES_MORE = 2 << 20;
/** And so many for each message. */
const OBJECTS_A_MESSAGE = 1 / 500;
const BYTES_A_MESSAGE = 1 / 5;
const KINDS_SHOWN = 5;
/** What messages make; the rest is code and its shapes. */
const MADE = new Set([
  ...['array', 'string', 'object', 'closure', 'regexp', 'number', 'concatenated string', 'sliced string'],
  ...['symbol', 'bigint'],
]);

/** Live objects of one thread: how many, in all and by the name of what made them, and their bytes. */
export interface Heap {
  readonly objects: number;
  readonly bytes: number;
  readonly kinds: ReadonlyMap<string, number>;
}

export interface Kept {
  /** By thread. */
  readonly heaps: ReadonlyMap<string, Heap>;
  readonly descriptors: number;
  /** What is under way, by the name of its counter. */
  readonly underWay: Readonly<Record<string, number>>;
}

/** For `under` of a server whose heaps are read. @param folder of its own, for snapshots */
export function heapsRead(folder: string): readonly string[] {
  mkdirSync(folder, { recursive: true });
  const preload = join(import.meta.dirname, '../../test/fuzz/heap-preload.cjs');
  return ['env', `AORTA_HEAPS=${folder}`, `NODE_OPTIONS=--require=${preload}`];
}

/**
 * What the server keeps once nothing is under way any more.
 * @param admin URL of its admin listener
 * @param folder that `heapsRead` was given
 */
export async function keptBy(aorta: Aorta, admin: string, folder: string): Promise<Kept> {
  await pause(TIMER_J_MS);
  await wakeShards(aorta);
  const underWay = await underWayAt(admin);
  const descriptors = descriptorsOf(aorta);
  aorta.child.signal('SIGUSR2');
  await poll('heap snapshots', SNAPSHOTS_MS, () => existsSync(join(folder, 'done')));
  const heaps = new Map<string, Heap>();
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.heapsnapshot')))
    heaps.set(basename(name, '.heapsnapshot'), heapOf(join(folder, name)));
  rmSync(folder, { recursive: true });
  mkdirSync(folder);
  return { heaps, descriptors, underWay };
}

/** An idle shard forgets old transactions with its next request: each gets a few, for addresses that are spread over them. */
async function wakeShards(aorta: Aorta): Promise<void> {
  const clients = await Promise.all(Array.from({ length: WAKING }, () => SipClient.open(aorta)));
  await Promise.all(clients.map((client, n) => client.request(client.register({ aor: `waking${n}@example.com` }))));
  for (const client of clients) client.close();
}

/** More than the feed's journal keeps. */
const JOURNAL_EVENTS = 17_000;
const AT_A_TIME = 100;

/** Follows the change feed until the function returned is called, and fills what it keeps: else it grows throughout. */
export async function withFullJournal(aorta: Aorta, admin: string): Promise<() => Promise<void>> {
  const stop = new AbortController();
  const { body } = await fetch(`${admin}/v1/events`, { signal: stop.signal });
  const read = body?.pipeTo(new WritableStream()).catch(() => {});
  const client = await SipClient.open(aorta);
  for (let n = 0; n < JOURNAL_EVENTS; n += AT_A_TIME) {
    const refreshes = Array.from({ length: AT_A_TIME }, (_, i) =>
      client.register({
        aor: `journal${i}@example.com`,
        contacts: ['<sip:a@192.0.2.1>'],
        callId: `j${i}`,
        cseq: n + 1,
      }),
    );
    await Promise.all(refreshes.map((text) => client.request(text)));
  }
  client.close();
  return async () => {
    stop.abort();
    await read;
  };
}

/** What has leaked: empty where nothing has. @param messages between the two */
export function leaks(before: Kept, after: Kept, messages: number): string[] {
  const found: string[] = [];
  for (const [name, count] of Object.entries(after.underWay))
    if (count > (name === 'transactions' ? WAKING : 0)) found.push(`${count} ${name} are kept`);
  if (after.descriptors > before.descriptors) found.push(`${after.descriptors - before.descriptors} descriptors more`);
  for (const [thread, heap] of after.heaps) {
    const first = before.heaps.get(thread);
    if (first === undefined) {
      found.push(`thread ${thread} is new`);
      continue;
    }
    const objects = heap.objects - first.objects;
    const bytes = heap.bytes - first.bytes;
    if (objects > OBJECTS_MORE + messages * OBJECTS_A_MESSAGE || bytes > BYTES_MORE + messages * BYTES_A_MESSAGE)
      found.push(`thread ${thread} keeps ${objects} objects and ${bytes} bytes more: ${grown(first, heap)}`);
  }
  return found;
}

/** The same as one line. */
export function keptText({ heaps, descriptors, underWay }: Kept): string {
  const threads = Array.from(heaps, ([name, { objects, bytes }]) => `${name} ${objects} objects, ${bytes >> 10} KiB`);
  const counts = Object.entries(underWay).map(([name, count]) => `${name} ${count}`);
  return [...threads, `descriptors ${descriptors}`, ...counts].join('; ');
}

function grown(first: Heap, last: Heap): string {
  const more = Array.from(last.kinds, ([kind, count]) => [kind, count - (first.kinds.get(kind) ?? 0)] as const);
  const most = more.sort(([, a], [, b]) => b - a).slice(0, KINDS_SHOWN);
  return most.map(([kind, count]) => `${kind} +${count}`).join(', ');
}

async function underWayAt(admin: string): Promise<Record<string, number>> {
  const counters = (await (await fetch(`${admin}/v1/counters`)).json()) as Record<string, number>;
  const { connections } = (await (await fetch(`${admin}/v1/status`)).json()) as { connections: Record<string, number> };
  const { transactions, waiting, committing } = counters;
  const open = Object.values(connections).reduce((sum, count) => sum + count, 0);
  return { transactions, waiting, committing, connections: open };
}

/** Without files of its data, of which a log may have one more, and without sockets, of which the question's may just be closing. */
function descriptorsOf({ child: { pid }, data }: Aorta): number {
  return readdirSync(`/proc/${pid}/fd`).filter((fd) => {
    try {
      const file = readlinkSync(`/proc/${pid}/fd/${fd}`);
      return !file.startsWith('socket:') && !file.startsWith(data);
    } catch {
      return false;
    }
  }).length;
}

interface Snapshot {
  readonly snapshot: { meta: { node_fields: string[]; node_types: [string[], ...unknown[]] } };
  readonly nodes: readonly number[];
  readonly strings: readonly string[];
}

function heapOf(file: string): Heap {
  const { snapshot, nodes, strings } = JSON.parse(readFileSync(file, 'utf8')) as Snapshot;
  const { node_fields: fields, node_types: types } = snapshot.meta;
  const [type, name, size] = ['type', 'name', 'self_size'].map((field) => fields.indexOf(field));
  const kinds = new Map<string, number>();
  let objects = 0;
  let bytes = 0;
  for (let at = 0; at < nodes.length; at += fields.length) {
    const kind = types[0][nodes[at + type]];
    if (!MADE.has(kind)) continue;
    objects++;
    bytes += nodes[at + size];
    const text = kind === 'object' || kind === 'closure' ? `${kind} ${strings[nodes[at + name]]}` : kind;
    kinds.set(text, (kinds.get(text) ?? 0) + 1);
  }
  return { objects, bytes, kinds };
}
