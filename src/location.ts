// `aorta/location`: users' contacts, read from the memory of another process. The registrar keeps it with `location: { shared: true }`; no server
// is loaded, the registrar gets no question, and lookups continue while it restarts.

import type { Binding, Push, Transport } from './core/binding/binding-view.ts';
import { createAorReader } from './core/lookup/aor-key.ts';
import { SharedLocationReader } from './location/shared/shared-location-reader.ts';
import {
  LocationLookup,
  type Lookup,
  type LookupPreferences,
  readCallerPreferences,
} from './server/lookups/location-lookup.ts';
import { StaticTable } from './shard/statics/static-table.ts';

export type { Binding, Lookup, LookupPreferences, Push, Transport };

export interface LocationOptions {
  /** Ms without a sign of life after which the registrar counts as gone; 1500 by default. */
  readonly staleMs?: number;
}

export interface Location {
  /**
   * A user's contacts, like those of `registrar.lookup`: contacts best first, and other flows to fall back to. All contacts in it are registered;
   * `expires` and `expiresAt` are lower bounds, since refreshes are not copied.
   * @param aor `alice@example.com`, or a SIP or SIPS URI, or a GRUU
   * @throws RangeError for an invalid AOR, or one of a domain that is not served, and for too many preferences
   */
  lookup(aor: string, preferences?: LookupPreferences): Lookup;

  /** Whether an AOR has a binding, registered or set by an operator; the fastest question. False for an invalid AOR. */
  has(aor: string): boolean;

  /** Number of registered AORs. */
  readonly aors: number;

  /** Whether the registrar has given no sign of life for `staleMs`: then lookups return the bindings of its last one. */
  readonly stale: boolean;

  /** Ms since its last sign of life. */
  readonly age: number;

  /** Closes the model: lookups throw from then on. A second call does nothing. */
  close(): void;
}

/**
 * Opens the read model of a registrar on this machine; the user must be allowed to read its data directory.
 * @param dataDirectory the registrar's `data`
 * @throws Error whose message names the remedy where there is no model
 */
export function openLocation(dataDirectory: string, { staleMs = 1500 }: LocationOptions = {}): Location {
  return new SharedLocation(dataDirectory, staleMs);
}

class SharedLocation implements Location {
  private readonly reader: SharedLocationReader;
  private readonly data: string;
  private lookups: LocationLookup;
  private closed = false;

  constructor(data: string, staleMs: number) {
    this.data = data;
    this.reader = new SharedLocationReader(data, staleMs);
    this.lookups = this.open();
  }

  lookup(aor: string, preferences?: LookupPreferences): Lookup {
    const now = this.refresh();
    const found = this.lookups.lookup(aor, now, readCallerPreferences(preferences));
    if (typeof found === 'object') return found;
    throw new RangeError(found === 'no AOR' ? `"${aor}" is no AOR` : `the domain of ${aor} is not served`);
  }

  has(aor: string): boolean {
    return this.lookups.has(aor, this.refresh());
  }

  get aors(): number {
    this.refresh();
    return this.reader.aors;
  }

  get age(): number {
    return this.reader.age(Date.now());
  }

  get stale(): boolean {
    return this.age > this.reader.staleMs;
  }

  close(): void {
    if (!this.closed) this.reader.close();
    this.closed = true;
  }

  private refresh(): number {
    if (this.closed) throw new Error('the location was closed');
    const now = Date.now();
    if (this.reader.refresh(now)) this.lookups = this.open();
    return now;
  }

  private open(): LocationLookup {
    const { secret, ...policy } = this.reader.about;
    const key = Buffer.from(secret, 'base64');
    const statics = new StaticTable({ data: this.data, aor: createAorReader(key), failed: () => {} });
    return new LocationLookup({
      readers: [this.reader],
      secret: key,
      policy,
      flows: null,
      statics,
      ends: 'by removal',
    });
  }
}
