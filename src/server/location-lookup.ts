// The location service as programs and HTTP ask it: an AOR as text in, its targets out, from committed records and without the
// shards' help. Which bindings count is registrar/targets', what they look like location/binding-view's.

import { type Binding, viewBinding } from '../location/binding-view.ts';
import type { LocationReader } from '../location/location-reader.ts';
import { RECORD_HEADER_BYTES, recordAorLength } from '../location/record.ts';
import { Domains } from '../registrar/domains.ts';
import { countImages } from '../registrar/images.ts';
import type { FlowLiveness } from '../registrar/live-flow.ts';
import { RECORD_BYTES_MAX } from '../registrar/outbox.ts';
import { Targets } from '../registrar/targets.ts';
import { createAorReader, type NamedAor } from '../shard/aor-key.ts';

/** What a lookup finds. */
export interface Lookup {
  /** The canonical AOR: user@host, without escapes, the host in lower case. */
  readonly aor: string;
  /** Where a request may be sent now, best first: by q, then the one refreshed last. One per instance. */
  readonly contacts: readonly Binding[];
  /** Other flows of the same instances, for when a contact's own turns out to have failed (RFC 5626 §5.3: 430). */
  readonly fallbacks: readonly Binding[];
}

export interface LocationLookupOptions {
  /** By shard. */
  readonly readers: readonly LocationReader[];
  /** 32 bytes: the data directory's. */
  readonly secret: Uint8Array;
  /** Served domains, as in Policy. */
  readonly domains: readonly string[];
  /** Which connections still stand; null where the server holds none. */
  readonly flows: FlowLiveness | null;
}

/** Why there is nothing to look up. */
export type NoLookup = 'no AOR' | 'not served';

export class LocationLookup {
  private readonly readers: readonly LocationReader[];
  private readonly domains: Domains;
  private readonly flows: FlowLiveness | null;
  private readonly aor: (text: string) => NamedAor | undefined;
  private readonly targets = new Targets();
  private readonly key = new Uint32Array(4);
  private readonly keyBytes = new Uint8Array(this.key.buffer);
  private readonly record = new Uint8Array(RECORD_BYTES_MAX);

  constructor({ readers, secret, domains, flows }: LocationLookupOptions) {
    this.readers = readers;
    this.domains = new Domains(domains);
    this.flows = flows;
    this.aor = createAorReader(secret);
  }

  /**
   * @param aor as a SIP or SIPS URI, whose parameters do not matter, or bare: user@host
   * @param now epoch ms
   */
  lookup(aor: string, now: number): Lookup | NoLookup {
    const named = this.aor(aor);
    if (named === undefined) return 'no AOR';
    const { text, key } = named;
    this.key.set(key);
    if (!this.domains.all && !this.serves(text)) return 'not served';
    const end = this.read();
    const contacts: Binding[] = [];
    const fallbacks: Binding[] = [];
    if (end > 0) {
      const { targets, record } = this;
      targets.take(record, RECORD_HEADER_BYTES + recordAorLength(record, 0), end, now, this.flows);
      for (let i = 0; i < targets.count; i++) contacts.push(viewBinding(record, targets.image[i], now));
      for (let i = 0; i < targets.fallbacks; i++) fallbacks.push(viewBinding(record, targets.fallback[i], now));
    }
    return { aor: text, contacts, fallbacks };
  }

  close(): void {
    for (const reader of this.readers) reader.close();
  }

  private serves(aor: string): boolean {
    const host = Buffer.from(aor.slice(aor.lastIndexOf('@') + 1), 'latin1');
    return this.domains.serves(host, 0, host.length);
  }

  /** Brings the record of `key` into `record`; its length, 0 where there is none that is sound. */
  private read(): number {
    const { key, record, readers } = this;
    const length = readers[key[3] % readers.length].read(this.keyBytes, record);
    if (length <= 0 || length > record.length) return 0;
    return countImages(record, RECORD_HEADER_BYTES + recordAorLength(record, 0), length) > 0 ? length : 0;
  }
}
