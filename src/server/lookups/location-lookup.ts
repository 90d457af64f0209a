// The location service for programs and HTTP: an AOR as text in, its targets out, from committed records and without the shards.
// core/lookup/targets selects the bindings, core/binding/binding-view has their form.

import { instanceAt, instanceEnd } from '../../core/binding/binding.ts';
import { type Binding, viewBinding } from '../../core/binding/binding-view.ts';
import { countImages } from '../../core/binding/images.ts';
import type { FlowLiveness } from '../../core/binding/live-flow.ts';
import type { PushDevice } from '../../core/binding/push-device.ts';
import { KEPT_NEVER } from '../../core/binding/sleep.ts';
import { createAorReader, type NamedAor } from '../../core/lookup/aor-key.ts';
import { BulkNumbers } from '../../core/lookup/bulk-numbers.ts';
import {
  type CallerPreferences,
  PREFERENCE_VALUES_MAX,
  PREFERENCES_MAX,
  preferencesOf,
} from '../../core/lookup/caller-preferences.ts';
import { applyPreferences } from '../../core/lookup/preferred-targets.ts';
import { sleepingDevices } from '../../core/lookup/sleeping-devices.ts';
import { Targets } from '../../core/lookup/targets.ts';
import { PingResults } from '../../core/pings/ping-results.ts';
import { type PingRules, pingRules } from '../../core/pings/ping-rules.ts';
import { Gruus, isGruuInstance } from '../../core/register/gruu.ts';
import { Domains } from '../../core/uas/domains.ts';
import { givesGruus, type Policy } from '../../core/uas/policy.ts';
import { dormantMsOf } from '../../core/uas/push-policy.ts';
import { publicGruu } from '../../core/wasm/aor-words.ts';
import type { LocationReader } from '../../location/location-reader.ts';
import { RECORD_BYTES_MAX, RECORD_HEADER_BYTES, recordAorLength } from '../../location/record.ts';
import { shardOf } from '../../shard/shard-of.ts';
import { AskedFor } from '../../shard/statics/asked-for.ts';
import type { StaticTable } from '../../shard/statics/static-table.ts';
import { aorText } from '../../sip/shown-text.ts';

const NONE: readonly Binding[] = Object.freeze([]);

/** Result of a lookup. */
export interface Lookup {
  /** The canonical AOR: user@host, the host in lower case, escapes only where its meaning requires them. */
  readonly aor: string;
  /** Present targets of a request, best first: by q, then the one refreshed last. One per instance. */
  readonly contacts: readonly Binding[];
  /** Other flows of the same instances, for use after a contact's own flow has failed (RFC 5626 §5.3: 430). */
  readonly fallbacks: readonly Binding[];
  /** In a cluster, on a node that gets no changes now: greatest age of the answer, ms. */
  readonly lagMs?: number;
}

/** The part of the policy for lookups by name. */
export type LookupRules = Pick<Policy, 'domains' | 'gruu' | 'gruuGeneration'> &
  Partial<Pick<Policy, 'byDomain' | 'bulkNumbers' | 'push' | 'ping' | 'pings'>>;

export interface LocationLookupOptions {
  /** Readers by shard. */
  readonly readers: readonly LocationReader[];
  /** Secret of the data directory, 32 bytes. */
  readonly secret: Uint8Array;
  readonly policy: LookupRules;
  /** Liveness of connections; null where the server has none. */
  readonly flows: FlowLiveness | null;
  readonly statics: StaticTable;
  /** Results of pings, by shard. */
  readonly pings?: readonly SharedArrayBuffer[];
  /** The end of a binding: by its expiry, or only by its removal, where records do not follow refreshes. By default `by time`. */
  readonly ends?: 'by time' | 'by removal';
  /** On a node of a cluster: greatest age of its data of a shard. */
  readonly lagMs?: ((shard: number) => number) | undefined;
}

/** The caller's preferences for a contact (RFC 3841): values as in the header fields, e.g. `*;audio;require`. */
export interface LookupPreferences {
  readonly acceptContact?: readonly string[] | undefined;
  readonly rejectContact?: readonly string[] | undefined;
}

/** Sleeping devices of an AOR. */
export interface Asleep {
  /** Key of the AOR: four words. */
  readonly key: Uint32Array;
  readonly devices: readonly PushDevice[];
}

/** Why a lookup is refused. */
export type NoLookup = 'no AOR' | 'not served';

export class LocationLookup {
  private readonly options: LocationLookupOptions;
  /** Null where no GRUUs are given out. */
  gruus: Gruus | null = null;
  /** Null where no PBX has bulk numbers. */
  numbers: BulkNumbers | null = null;
  /** Null where pings do not count. */
  pings: PingRules | null = null;
  private domains = new Domains([]);
  private dormantMs = KEPT_NEVER;
  private readonly aor: (text: string) => NamedAor | undefined;
  private readonly asked: AskedFor;
  private readonly targets = new Targets();
  private readonly keyBytes: Uint8Array;
  private readonly record = new Uint8Array(RECORD_BYTES_MAX);

  constructor(options: LocationLookupOptions) {
    const { policy, secret, statics } = options;
    this.options = options;
    this.configure(policy);
    this.aor = createAorReader(secret);
    this.asked = new AskedFor(this, statics, options.pings ? new PingResults(options.pings) : null);
    this.keyBytes = new Uint8Array(this.asked.key.buffer);
  }

  configure(policy: LookupRules): void {
    this.domains = new Domains(policy.domains);
    this.numbers = BulkNumbers.of(policy.bulkNumbers, this.options.secret);
    this.dormantMs = dormantMsOf(policy.push ?? null);
    this.pings = pingRules(policy);
    this.gruus = givesGruus(policy) ? new Gruus(this.options.secret, policy.gruuGeneration) : null;
  }

  /**
   * @param aor as a SIP or SIPS URI, or a GRUU, or bare: user@host
   * @param now epoch ms
   * @param preferences leave out contacts known not to match, and order the rest
   */
  lookup(aor: string, now: number, preferences?: CallerPreferences): Lookup | NoLookup {
    const found = this.find(aor, now, preferences);
    const { lagMs, readers } = this.options;
    if (lagMs === undefined || typeof found === 'string') return found;
    const ms = lagMs(shardOf(this.asked.key[3], readers.length));
    return ms === 0 ? found : { ...found, lagMs: ms };
  }

  private find(aor: string, now: number, preferences: CallerPreferences | undefined): Lookup | NoLookup {
    const { asked, record, targets } = this;
    const named = this.aor(aor);
    if (named === undefined) return 'no AOR';
    if (!this.domains.serves(named.canonical, named.hostAt, named.length)) return 'not served';
    this.options.statics.refresh(now);
    asked.resolve(named.bytes, named.uri, 0, named.key, named.canonical, named.length);
    const end = this.read();
    if (end === 0 && this.options.statics.empty) return { aor: named.text, contacts: NONE, fallbacks: NONE };
    const images = end > 0 ? RECORD_HEADER_BYTES + recordAorLength(record, 0) : 0;
    const text = end > 0 && !asked.isNumber ? aorText(record, RECORD_HEADER_BYTES, images) : '';
    asked.combine(record, images, end);
    const at = this.options.ends === 'by removal' ? 0 : now;
    targets.collect(asked.bytes, asked.at, asked.end, at, asked, this.options.flows);
    if (preferences !== undefined) applyPreferences(targets, asked.bytes, preferences);
    const found: Lookup = { aor: text || asked.alias || named.text, contacts: [], fallbacks: [] };
    return targets.count + targets.fallbacks === 0 ? found : this.views(found.aor, images, now);
  }

  /** Devices that a lookup of the AOR must wake first; undefined without any. */
  asleep(aor: string, now: number): Asleep | undefined {
    const { asked, record } = this;
    const named = this.dormantMs < 0 ? undefined : this.aor(aor);
    if (named === undefined || !this.domains.serves(named.canonical, named.hostAt, named.length)) return undefined;
    this.options.statics.refresh(now);
    asked.resolve(named.bytes, named.uri, 0, named.key, named.canonical, named.length);
    const end = this.read();
    if (end === 0) return undefined;
    const images = RECORD_HEADER_BYTES + recordAorLength(record, 0);
    const devices = sleepingDevices(record, images, end, now, this.dormantMs, this.options.flows, asked);
    return devices.length === 0 ? undefined : { key: asked.key.slice(), devices };
  }

  /** Whether an AOR has any binding, registered or static. */
  has(aor: string, now: number): boolean {
    const named = this.aor(aor);
    if (named === undefined) return false;
    this.options.statics.refresh(now);
    const { asked, record } = this;
    asked.resolve(named.bytes, named.uri, 0, named.key, named.canonical, named.length);
    const end = this.read();
    asked.combine(record, end > 0 ? RECORD_HEADER_BYTES + recordAorLength(record, 0) : 0, end);
    return asked.end > asked.at;
  }

  close(): void {
    for (const reader of this.options.readers) reader.close();
  }

  private views(aor: string, images: number, now: number): Lookup {
    const { targets } = this;
    const name = images > 0 && !this.asked.isNumber ? this.record.slice(RECORD_HEADER_BYTES, images) : Buffer.from(aor);
    const contacts: Binding[] = [];
    const fallbacks: Binding[] = [];
    for (let i = 0; i < targets.count; i++) contacts.push(this.view(name, targets.image[i], now));
    for (let i = 0; i < targets.fallbacks; i++) fallbacks.push(this.view(name, targets.fallback[i], now));
    return { aor, contacts, fallbacks };
  }

  private view(name: Uint8Array, image: number, now: number): Binding {
    const { bytes } = this.asked;
    const binding = { ...viewBinding(bytes, image, now, this.options.flows), ...this.ping(image) };
    if (this.gruus === null || !isGruuInstance(bytes, instanceAt(bytes, image), instanceEnd(bytes, image)))
      return binding;
    const isSecure = /^sips:/i.test(binding.uri);
    const gruu = publicGruu(name, isSecure, bytes, instanceAt(bytes, image), instanceEnd(bytes, image));
    return { ...binding, gruu: Buffer.from(gruu).toString('utf8') };
  }

  private ping(image: number): Pick<Binding, 'ping'> {
    const found = this.asked.pingsOf(this.asked.bytes, image);
    if (found === null) return {};
    const { losses, answeredAtS, rttMs } = found;
    return { ping: answeredAtS === 0 ? { losses } : { losses, rttMs, answeredAt: answeredAtS * 1000 } };
  }

  /** Reads the record of the AOR in question into `record`; returns its length, 0 without a sound one. */
  private read(): number {
    const { record } = this;
    const { readers } = this.options;
    const length = readers[this.asked.key[3] % readers.length].read(this.keyBytes, record);
    if (length <= 0 || length > record.length) return 0;
    return countImages(record, RECORD_HEADER_BYTES + recordAorLength(record, 0), length) > 0 ? length : 0;
  }
}

/**
 * The preferences of one query, for all its lookups; undefined: none.
 * @throws RangeError where there are too many, which names the limit
 */
export function readCallerPreferences(preferences: LookupPreferences | undefined): CallerPreferences | undefined {
  const { acceptContact = [], rejectContact = [] } = preferences ?? {};
  if (!isList(acceptContact) || !isList(rejectContact))
    throw new RangeError("acceptContact and rejectContact are lists of texts such as ['*;video']");
  if (acceptContact.length + rejectContact.length === 0) return undefined;
  const read = preferencesOf(acceptContact, rejectContact);
  if (read !== null) return read;
  throw new RangeError(
    `a query has at most ${PREFERENCES_MAX} caller preferences, with ${PREFERENCE_VALUES_MAX} values of features in all`,
  );
}

function isList(given: unknown): boolean {
  return Array.isArray(given) && given.every((one) => typeof one === 'string');
}
