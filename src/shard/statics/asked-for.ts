// The target of a lookup: the AOR behind a GRUU (RFC 5627 §6.1) or an alias, the PBX behind a number (RFC 6140), and all its
// contacts, registered or static. One rule for lookups by SIP, HTTP and programs.
// @hot

import { BulkContacts, isBulkContact } from '../../core/lookup/bulk-contacts.ts';
import type { BulkNumbers } from '../../core/lookup/bulk-numbers.ts';
import type { PingResults } from '../../core/pings/ping-results.ts';
import type { PingRules } from '../../core/pings/ping-rules.ts';
import { sourceOf } from '../../core/pings/ping-source.ts';
import { GRUU_INVALID, GRUU_NONE, GRUU_PUBLIC, GRUU_TEMPORARY, type Gruus } from '../../core/register/gruu.ts';
import type { ExchangeRequest } from '../../core/uas/exchange.ts';
import { URI_PARAMS_AT } from '../../sip/parser/span-table.ts';
import { hasUriParam, uriParamAt, uriParamEnd } from '../../sip/uri/uri-param.ts';
import { ascii } from '../../sip/writer.ts';
import type { StaticTable } from './static-table.ts';

/** Space for more than an AOR's record and an operator's static bindings. */
const COMBINED_BYTES = 128 << 10;
const COMBINED_AOR_BYTES = 1024;
const SG = ascii('sg');

/** Rules of lookups: GRUUs, numbers of PBXs, use of pings; null: none. */
export interface AskedRules {
  readonly gruus: Gruus | null;
  readonly numbers: BulkNumbers | null;
  readonly pings: PingRules | null;
}

export class AskedFor {
  /** The key of the AOR. */
  readonly key = new Uint32Array(4);
  /** The text of the AOR where an alias led to it, else null. */
  alias: string | null = null;
  /** GRUU_*. */
  kind = GRUU_NONE;
  /** Result of `combine`: bytes[at, end). */
  bytes: Uint8Array = new Uint8Array(0);
  at = 0;
  end = 0;
  /** The target is a number of a PBX, and the key is the PBX's AOR. */
  isNumber = false;
  private readonly rules: AskedRules;
  /** The number's own AOR. */
  private readonly numberKey = new Uint32Array(4);
  private readonly bulk = new BulkContacts();
  private readonly aliasText = new Uint8Array(COMBINED_AOR_BYTES);
  private readonly statics: StaticTable | null;
  /** Results of pings; null where none are sent. */
  private readonly results: PingResults | null;
  /** Made at its first use. */
  private combined: Uint8Array | null = null;

  /** @param rules read at each lookup */
  constructor(rules: AskedRules, statics: StaticTable | null, results: PingResults | null = null) {
    this.rules = rules;
    this.results = results;
    this.statics = statics;
  }

  /**
   * Resolves the URI in uri[base, …) over `bytes`.
   * @param key of its AOR as written; its canonical text is aor[0, aorLength)
   */
  resolve(
    bytes: Uint8Array,
    uri: Int32Array,
    base: number,
    key: Uint32Array,
    aor: Uint8Array,
    aorLength: number,
  ): void {
    this.alias = null;
    this.isNumber = false;
    const { gruus, numbers } = this.rules;
    this.kind = gruus !== null && uri[base + URI_PARAMS_AT] >= 0 ? gruus.read(bytes, uri, base) : GRUU_NONE;
    this.setKey(gruus !== null && this.kind === GRUU_TEMPORARY ? gruus.aorKey : key);
    if (this.statics !== null && !this.statics.empty) {
      const target = this.statics.target(this.key);
      if (target !== null) {
        this.setKey(target.key);
        this.alias = target.text;
      }
    }
    if (numbers === null || this.kind === GRUU_TEMPORARY) return;
    if (this.alias === null) this.resolveNumber(numbers, aor, aorLength);
    else this.resolveNumber(numbers, this.aliasText, writeText(this.alias, this.aliasText));
    if (this.isNumber && this.kind === GRUU_PUBLIC && hasUriParam(bytes, uri, base, SG) && uriParamAt() >= 0)
      this.bulk.askDevice(bytes, uriParamAt(), uriParamEnd());
  }

  /** Leads a number to its PBX. */
  private resolveNumber(numbers: BulkNumbers, aor: Uint8Array, length: number): void {
    const owner = numbers.find(aor, length);
    if (owner === null) return;
    for (let i = 0; i < 4; i++) this.numberKey[i] = this.key[i];
    this.setKey(owner.key);
    this.bulk.ask(aor);
    this.isNumber = true;
  }

  /** Whether the lookup leaves the image out: by ping losses, as a PBX's contact for its own AOR, or as no target of the GRUU. */
  skips(bytes: Uint8Array, image: number): boolean {
    const { gruus, numbers, pings } = this.rules;
    if (pings !== null && pings.parksAt > 0 && this.lossesOf(bytes, image) >= pings.parksAt) return true;
    if (numbers !== null && !this.isNumber && isBulkContact(bytes, image)) return true;
    if (this.kind === GRUU_NONE || gruus === null) return false;
    return this.kind === GRUU_INVALID || !gruus.leadsTo(bytes, image);
  }

  /**
   * Without a contact: whether the user exists nevertheless, only without bindings.
   * @param isUser whether the AOR is a user's; null where users are not known
   */
  isKnown(isUser: boolean | null): boolean {
    if (this.kind === GRUU_INVALID) return false;
    return this.alias !== null || this.isNumber || (isUser ?? this.kind === GRUU_PUBLIC);
  }

  /** Whether contacts with the same q are ordered by `rank`. */
  get ranks(): boolean {
    return this.rules.pings?.ordersByRtt === true && this.results !== null;
  }

  /** The round-trip time of the image's contact, ms; infinite where it is not known. */
  rank(bytes: Uint8Array, image: number): number {
    const found = this.pingsOf(bytes, image);
    return found === null || found.answeredAtS === 0 ? Number.POSITIVE_INFINITY : found.rttMs;
  }

  /** Results of pings to the image's contact, valid until the next call; null where it is not pinged. */
  pingsOf(bytes: Uint8Array, image: number): PingResults | null {
    const { results } = this;
    if (results === null || this.rules.pings === null) return null;
    return results.find(this.key, sourceOf(bytes, image)) ? results : null;
  }

  private lossesOf(bytes: Uint8Array, image: number): number {
    return this.pingsOf(bytes, image)?.losses ?? 0;
  }

  get isGruu(): boolean {
    return this.kind !== GRUU_NONE;
  }

  /** Adds the AOR's static images to those in the request. */
  combineInto(request: ExchangeRequest): void {
    this.combine(request.state, request.stateAt, request.stateEnd);
    request.state = this.bytes;
    request.stateAt = this.at;
    request.stateEnd = this.end;
  }

  /** Combines the AOR's images in bytes[at, end), or for a number the images made from them, with its static ones. */
  combine(bytes: Uint8Array, at: number, end: number): void {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
    if (this.isNumber) {
      this.bytes = this.room();
      this.end = this.bulk.write(bytes, at, end, this.bytes);
      this.at = 0;
    }
    if (this.statics === null || this.statics.empty || this.kind !== GRUU_NONE) return;
    const images = this.statics.images(this.isNumber ? this.numberKey : this.key);
    const length = this.end - this.at;
    if (images === null || length + images.length > COMBINED_BYTES) return;
    const combined = this.room();
    if (!this.isNumber) combined.set(bytes.subarray(at, end), 0);
    combined.set(images, length);
    this.bytes = combined;
    this.at = 0;
    this.end = length + images.length;
  }

  private room(): Uint8Array {
    this.combined ??= new Uint8Array(COMBINED_BYTES);
    return this.combined;
  }

  private setKey(key: Uint32Array): void {
    for (let i = 0; i < 4; i++) this.key[i] = key[i];
  }
}

/** An AOR as text; its length, 0 where it does not fit. */
function writeText(text: string, into: Uint8Array): number {
  if (text.length > into.length) return 0;
  for (let i = 0; i < text.length; i++) into[i] = text.charCodeAt(i);
  return text.length;
}
