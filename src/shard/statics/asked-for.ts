// Whom a lookup asks for: the AOR behind a GRUU (RFC 5627 §6.1) or an alias, and all that leads to it, registered or static. One
// rule for lookups by SIP, HTTP and programs.
// @hot

import { GRUU_INVALID, GRUU_NONE, GRUU_PUBLIC, GRUU_TEMPORARY, type Gruus } from '../../core/register/gruu.ts';
import type { ExchangeRequest } from '../../core/uas/exchange.ts';
import { URI_PARAMS_AT } from '../../sip/parser/span-table.ts';
import type { StaticTable } from './static-table.ts';

/** More than an AOR's record and the static bindings of an operator need. */
const COMBINED_BYTES = 128 << 10;

export class AskedFor {
  /** The key of the AOR. */
  readonly key = new Uint32Array(4);
  /** The text of the AOR where an alias led to it, else null. */
  alias: string | null = null;
  /** GRUU_*. */
  kind = GRUU_NONE;
  /** What `combine` made: bytes[at, end). */
  bytes: Uint8Array = new Uint8Array(0);
  at = 0;
  end = 0;
  private readonly rules: { readonly gruus: Gruus | null };
  private readonly statics: StaticTable | null;
  private readonly combined = new Uint8Array(COMBINED_BYTES);

  /** @param rules say whether there are GRUUs, now */
  constructor(rules: { readonly gruus: Gruus | null }, statics: StaticTable | null) {
    this.rules = rules;
    this.statics = statics;
  }

  /** Resolves the URI in uri[base, …) over `bytes`. @param key of its AOR as it is written */
  resolve(bytes: Uint8Array, uri: Int32Array, base: number, key: Uint32Array): void {
    this.alias = null;
    const { gruus } = this.rules;
    this.kind = gruus !== null && uri[base + URI_PARAMS_AT] >= 0 ? gruus.read(bytes, uri, base) : GRUU_NONE;
    this.setKey(gruus !== null && this.kind === GRUU_TEMPORARY ? gruus.aorKey : key);
    if (this.statics === null || this.statics.empty) return;
    const target = this.statics.target(this.key);
    if (target === null) return;
    this.setKey(target.key);
    this.alias = target.text;
  }

  /** Whether the URI is a GRUU that leads nowhere, or not to this image. */
  skips(bytes: Uint8Array, image: number): boolean {
    const { gruus } = this.rules;
    if (this.kind === GRUU_NONE || gruus === null) return false;
    return this.kind === GRUU_INVALID || !gruus.leadsTo(bytes, image);
  }

  /**
   * Without a contact: whether there is such a user all the same, who is merely not there.
   * @param isUser whether the AOR is a user's; null where nobody keeps users
   */
  isKnown(isUser: boolean | null): boolean {
    if (this.kind === GRUU_INVALID) return false;
    return this.alias !== null || (isUser ?? this.kind === GRUU_PUBLIC);
  }

  get isGruu(): boolean {
    return this.kind !== GRUU_NONE;
  }

  /** The images in the request get the AOR's static ones beside them. */
  combineInto(request: ExchangeRequest): void {
    this.combine(request.state, request.stateAt, request.stateEnd);
    request.state = this.bytes;
    request.stateAt = this.at;
    request.stateEnd = this.end;
  }

  /** The images of the AOR in bytes[at, end) with its static ones. */
  combine(bytes: Uint8Array, at: number, end: number): void {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
    if (this.statics === null || this.statics.empty || this.kind !== GRUU_NONE) return;
    const images = this.statics.images(this.key);
    if (images === null || end - at + images.length > COMBINED_BYTES) return;
    const { combined } = this;
    combined.set(bytes.subarray(at, end), 0);
    combined.set(images, end - at);
    this.bytes = combined;
    this.at = 0;
    this.end = end - at + images.length;
  }

  private setKey(key: Uint32Array): void {
    for (let i = 0; i < 4; i++) this.key[i] = key[i];
  }
}
