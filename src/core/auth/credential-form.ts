// Checks of the credentials read last by their form (RFC 7616 §3.4, RFC 8760 §2): whether there are any, whether they are complete and
// well formed, the name in them, and whether their URI is served.
// @hot

import { ALG_SESS, credentials, decodeExtended, QOP_NONE, unescapeQuoted } from '../../sip/credentials.ts';
import {
  C_ALGORITHM,
  C_CNONCE_AT,
  C_CNONCE_END,
  C_NC_VALID,
  C_NONCE_AT,
  C_NONCE_END,
  C_QOP,
  C_RESPONSE_AT,
  C_RESPONSE_END,
  C_URI_AT,
  C_URI_END,
  C_USERHASH,
  C_USERNAME_AT,
  C_USERNAME_END,
  C_USERNAME_STAR_AT,
} from '../../sip/parser/credential-spans.ts';
import { E_OK } from '../../sip/parser/parse-error.ts';
import { slab, table } from '../../sip/parser/slab.ts';
import { T_REQUEST_URI, URI_AT, URI_END, URI_HOST_AT, URI_HOST_END, URI_INTS } from '../../sip/parser/span-table.ts';
import { CLASS, DIGIT, DOT, HEX, sameBytes } from '../../sip/scanner.ts';
import { parseUri } from '../../sip/uri/uri.ts';
import { sameHost } from '../../sip/uri/uri-equality.ts';
import { Domains } from '../uas/domains.ts';
import { CREDENTIALS_IMPROPER, CREDENTIALS_INCOMPLETE, CREDENTIALS_URI } from '../uas/phrases.ts';
import type { AuthPolicy } from './auth-policy.ts';
import { digestBytes } from './digest.ts';

export class CredentialForm {
  /** The name in the credentials, name[0, nameLength), raw and unescaped; empty where none was read. */
  readonly name: Uint8Array;
  nameLength = 0;
  private readonly parameterBytesMax: number;
  private served: Domains;
  private readonly uri = new Int32Array(URI_INTS);

  constructor({ parameterBytesMax }: AuthPolicy, realms: readonly string[]) {
    this.parameterBytesMax = parameterBytesMax;
    this.served = new Domains(realms);
    this.name = new Uint8Array(parameterBytesMax);
  }

  /** Other domains; the sizes in force stay. @cold */
  configure(realms: readonly string[]): void {
    this.served = new Domains(realms);
  }

  /** RFC 7616 §3.4: the phrase of a 400 where parameters are missing or improper, else null. Reads `name`. */
  fault(): Uint8Array | null {
    const c = credentials;
    const max = this.parameterBytesMax;
    const hasName = c[C_USERNAME_AT] >= 0;
    const hasExtendedName = c[C_USERNAME_STAR_AT] >= 0;
    if ((!hasName && !hasExtendedName) || c[C_URI_AT] < 0) return CREDENTIALS_INCOMPLETE;
    const needsCnonce = c[C_QOP] !== QOP_NONE || (c[C_ALGORITHM] & ALG_SESS) !== 0;
    if (needsCnonce && c[C_CNONCE_AT] < 0) return CREDENTIALS_INCOMPLETE;
    if (c[C_QOP] !== QOP_NONE && c[C_NC_VALID] === 0) return CREDENTIALS_IMPROPER;
    if (hasExtendedName && (hasName || c[C_USERHASH] === 1)) return CREDENTIALS_IMPROPER;
    if (c[C_USERHASH] < 0) return CREDENTIALS_IMPROPER;
    if (c[C_CNONCE_END] - c[C_CNONCE_AT] > max || c[C_URI_END] - c[C_URI_AT] > max) return CREDENTIALS_IMPROPER;
    if (!responseFits(digestBytes(c[C_ALGORITHM]))) return CREDENTIALS_IMPROPER;
    const length = hasName ? this.readName() : this.readExtendedName();
    this.nameLength = Math.max(0, length);
    if (length < 0) return CREDENTIALS_IMPROPER;
    return this.uriIsServed() ? null : CREDENTIALS_URI;
  }

  private readName(): number {
    return unescapeQuoted(credentials[C_USERNAME_AT], credentials[C_USERNAME_END], this.name);
  }

  private readExtendedName(): number {
    return decodeExtended(credentials[C_USERNAME_STAR_AT], credentials[C_USERNAME_STAR_AT + 1], this.name);
  }

  /**
   * RFC 8760 §2.6 (6): the digest URI need not equal the Request-URI. It must have the same host, a served domain, or an IP address: the
   * address that the client reached us at is not known for sure.
   */
  private uriIsServed(): boolean {
    const at = credentials[C_URI_AT];
    const end = credentials[C_URI_END];
    if (sameBytes(slab, at, end, slab, table[T_REQUEST_URI + URI_AT], table[T_REQUEST_URI + URI_END])) return true;
    const { uri } = this;
    if (parseUri(slab, at, end, uri, 0) !== E_OK || uri[URI_HOST_AT] < 0) return false;
    const hostAt = uri[URI_HOST_AT];
    const hostEnd = uri[URI_HOST_END];
    if (this.served.serves(slab, hostAt, hostEnd) || isAddress(hostAt, hostEnd)) return true;
    return table[T_REQUEST_URI + URI_HOST_AT] >= 0 && sameHost(slab, uri, 0, slab, table, T_REQUEST_URI);
  }
}

/** RFC 8760 §2.7: nonce and response are empty before the client's first challenge. */
export function hasResponse(): boolean {
  const c = credentials;
  return c[C_NONCE_END] > c[C_NONCE_AT] && c[C_RESPONSE_END] > c[C_RESPONSE_AT];
}

/** RFC 8760 §2.2: two hex digits a byte of the algorithm's digest. */
function responseFits(bytes: number): boolean {
  const at = credentials[C_RESPONSE_AT];
  const end = credentials[C_RESPONSE_END];
  if (end - at !== 2 * bytes) return false;
  for (let p = at; p < end; p++) if (HEX[slab[p]] > 15) return false;
  return true;
}

/** Whether a host is an IP address: an IPv6 reference, or digits and dots. */
function isAddress(at: number, end: number): boolean {
  if (slab[at] === 0x5b) return true;
  for (let p = at; p < end; p++) if (slab[p] !== DOT && (CLASS[slab[p]] & DIGIT) === 0) return false;
  return true;
}
