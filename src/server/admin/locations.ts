// Bindings as the API reads them: one AOR, a page, or all of them as a stream. They come from committed records, in
// slices, so that neither the shards nor this thread's event loop wait for a reader. Nothing is written here.

import { setImmediate as turn } from 'node:timers/promises';
import { imageLength, isImage } from '../../core/binding/binding.ts';
import { type Binding, viewBinding } from '../../core/binding/binding-view.ts';
import type { FlowLiveness } from '../../core/binding/live-flow.ts';
import { isAsleep, KEPT_NEVER } from '../../core/binding/sleep.ts';
import { isTarget } from '../../core/binding/target.ts';
import { createAorReader, type NamedAor } from '../../core/lookup/aor-key.ts';
import { canonicalDomain } from '../../core/uas/domains.ts';
import { type LocationReader, SCAN_START, UnreadableError } from '../../location/location-reader.ts';
import { RECORD_BYTES_MAX, RECORD_HEADER_BYTES, recordAorLength } from '../../location/record.ts';
import { aorText } from '../../sip/shown-text.ts';
import { Problem } from '../http/problem.ts';

/** AORs read in one slice. */
const SLICE = 128;
/** AORs that one page examines, so that a filter without matches costs a bounded time. */
const LOOKED_AT_MAX = 20_000;
const CURSOR_BYTES_MAX = 32;

export interface AorBindings {
  readonly aor: string;
  readonly contacts: readonly Binding[];
}

export interface Page {
  readonly items: readonly AorBindings[];
  /** Absent on the last page. A page may be short, or empty, and still have one. */
  readonly next?: string;
}

export interface Filter {
  readonly domain?: string | undefined;
  readonly match?: string | undefined;
  /** A part of the AOR, or of a contact's URI, source address, User-Agent or instance. */
  readonly find?: string | undefined;
  /** Only bindings that sleep. */
  readonly asleep?: boolean | undefined;
}

interface Place {
  readonly shard: number;
  readonly after: Uint8Array;
}

export interface LocationParts {
  /** Readers by shard. */
  readonly readers: readonly LocationReader[];
  /** Secret of the data directory. */
  readonly secret: Uint8Array;
  /** The time that bindings live by, epoch ms. */
  readonly now: () => number;
  /** Liveness of connections; null or missing: not known. */
  readonly flows?: FlowLiveness | null;
  /** Yields the processor to others after a slice that took so many milliseconds. */
  readonly rest?: (tookMs: number) => Promise<unknown>;
  /** Like mayBeAsleep's; without it no binding sleeps. */
  readonly dormantMs?: () => number;
}

export class Locations {
  private readonly readers: readonly LocationReader[];
  private readonly flows: FlowLiveness | null;
  private readonly named: (aor: string) => NamedAor | undefined;
  private readonly now: () => number;
  private readonly rest: (tookMs: number) => Promise<unknown>;
  private readonly dormantMs: () => number;
  private readonly record = new Uint8Array(RECORD_BYTES_MAX);

  constructor({ readers, secret, now, flows, rest, dormantMs }: LocationParts) {
    this.readers = readers;
    this.flows = flows ?? null;
    this.named = createAorReader(secret);
    this.now = now;
    this.rest = rest ?? (() => turn());
    this.dormantMs = dormantMs ?? (() => KEPT_NEVER);
  }

  close(): void {
    for (const reader of this.readers) reader.close();
  }

  /** Whether bindings may sleep: a push service is used. */
  get keepsAsleep(): boolean {
    return this.dormantMs() !== KEPT_NEVER;
  }

  /** The canonical text of an AOR from a request. Throws a Problem where it is none. */
  canonical(aor: string): string {
    const named = this.named(aor);
    if (named === undefined) throw new Problem(400, 'bad_aor', `"${aor}" is no address-of-record: expected user@host`);
    return named.text;
  }

  /** The key of an AOR. Throws a Problem where it is none. */
  key(aor: string): Uint32Array {
    this.canonical(aor);
    return Uint32Array.from(this.named(aor)?.key ?? []);
  }

  /** Live bindings of an AOR; empty without any. */
  get(aor: string): AorBindings {
    const text = this.canonical(aor);
    const key = this.key(aor);
    const reader = this.readers[key[3] % this.readers.length];
    const { record } = this;
    const length = readRecord(reader, new Uint8Array(key.buffer), record);
    const contacts =
      length > 0 && length <= record.length ? liveBindings(record.subarray(0, length), this.now(), this.flows) : [];
    return { aor: text, contacts };
  }

  async page(limit: number, cursor: string | undefined, filter: Filter): Promise<Page> {
    const items: AorBindings[] = [];
    let place: Place | undefined = cursor === undefined ? { shard: 0, after: SCAN_START } : this.readCursor(cursor);
    for (let looked = 0; place !== undefined && items.length < limit && looked < LOOKED_AT_MAX; ) {
      const max = Math.min(SLICE, limit - items.length);
      const began = performance.now();
      place = this.slice(place, max, filter, items);
      looked += max;
      await (filter.find === undefined ? turn() : this.rest(performance.now() - began));
    }
    return { items, ...(place !== undefined && { next: writeCursor(place) }) };
  }

  /** Every AOR that has live bindings, a slice at a time. Memory does not grow with their number. */
  async *all(filter: Filter): AsyncGenerator<readonly AorBindings[]> {
    let place: Place | undefined = { shard: 0, after: SCAN_START };
    while (place !== undefined) {
      const began = performance.now();
      const items: AorBindings[] = [];
      place = this.slice(place, SLICE, filter, items);
      if (items.length > 0) yield items;
      await this.rest(performance.now() - began);
    }
  }

  /** Reads `max` AORs at most; returns the place to continue from, undefined after the last. */
  private slice({ shard, after }: Place, max: number, filter: Filter, into: AorBindings[]): Place | undefined {
    const now = this.now();
    const find = filter.find?.toLowerCase();
    const next = this.readers[shard].scan(after, max, (_key, record) => {
      const aor = aorOf(record);
      if (!fits(aor, filter)) return;
      const contacts = filter.asleep
        ? sleepingBindings(record, now, this.dormantMs(), this.flows)
        : liveBindings(record, now, this.flows);
      if (contacts.length > 0 && holds(aor, contacts, find)) into.push({ aor, contacts });
    });
    if (next !== undefined) return { shard, after: next };
    return shard + 1 < this.readers.length ? { shard: shard + 1, after: SCAN_START } : undefined;
  }

  private readCursor(text: string): Place {
    const bytes = Buffer.from(text, 'base64url');
    const shard = bytes[0];
    const ours = /^[A-Za-z0-9_-]+$/.test(text) && bytes.length > 0 && bytes.length <= CURSOR_BYTES_MAX;
    if (!ours || shard >= this.readers.length) throw new Problem(400, 'bad_cursor', 'the cursor is none of ours');
    return { shard, after: Uint8Array.from(bytes.subarray(1)) };
  }
}

/** Reads a record. Throws a Problem where the disk fails. */
function readRecord(reader: LocationReader, key: Uint8Array, record: Uint8Array): number {
  try {
    return reader.read(key, record);
  } catch (error) {
    if (error instanceof UnreadableError) throw new Problem(503, 'unreadable', error.message);
    throw error;
  }
}

function writeCursor({ shard, after }: Place): string {
  return Buffer.concat([Uint8Array.of(shard), after]).toString('base64url');
}

function aorOf(record: Uint8Array): string {
  return aorText(record, RECORD_HEADER_BYTES, RECORD_HEADER_BYTES + recordAorLength(record, 0));
}

function fits(aor: string, { domain, match }: Filter): boolean {
  if (domain !== undefined && aor.slice(aor.lastIndexOf('@') + 1) !== canonicalDomain(domain)) return false;
  return match === undefined || aor.toLowerCase().includes(match.toLowerCase());
}

/** @param find in lower case */
function holds(aor: string, contacts: readonly Binding[], find: string | undefined): boolean {
  if (find === undefined || aor.toLowerCase().includes(find)) return true;
  return contacts.some(({ uri, source, userAgent = '', instance = '' }) =>
    [uri, source.address, userAgent, instance].some((text) => text.toLowerCase().includes(find)),
  );
}

/** Bindings that have not expired; the view marks those whose connection has closed. */
function liveBindings(record: Uint8Array, now: number, flows: FlowLiveness | null): Binding[] {
  return bindingsThat((at) => isTarget(record, at, now, null), record, now, flows);
}

/** Bindings that a push would reach, and no others. */
function sleepingBindings(record: Uint8Array, now: number, dormantMs: number, flows: FlowLiveness | null): Binding[] {
  return bindingsThat((at) => isAsleep(record, at, now, dormantMs, flows), record, now, flows);
}

function bindingsThat(
  counts: (image: number) => boolean,
  record: Uint8Array,
  now: number,
  flows: FlowLiveness | null,
): Binding[] {
  const bindings: Binding[] = [];
  for (let at = RECORD_HEADER_BYTES + recordAorLength(record, 0); at < record.length; at += imageLength(record, at)) {
    if (!isImage(record, at, record.length)) break;
    if (counts(at)) bindings.push(viewBinding(record, at, now, flows));
  }
  return bindings;
}
