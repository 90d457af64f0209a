// The realm of the request in the table (RFC 3261 §22.1), and whether credentials are for it (§22.2).
// @hot

import { credentials, unescapeQuoted } from '../../sip/credentials.ts';
import { IPV6_HOST_BYTES, writeIpv6Host } from '../../sip/ip.ts';
import { C_REALM_AT, C_REALM_END } from '../../sip/parser/credential-spans.ts';
import { slab, table } from '../../sip/parser/slab.ts';
import { T_REQUEST_URI, T_TO, URI_HOST_AT, URI_HOST_END } from '../../sip/parser/span-table.ts';
import { LOWER, sameBytes } from '../../sip/scanner.ts';
import type { CredentialSource } from './credential-source.ts';

const REALM_BYTES_MAX = 256;

export class RequestRealm {
  /** As users.realmOf returns it. */
  index = 0;
  /** text[0, length). */
  readonly text = new Uint8Array(REALM_BYTES_MAX);
  length = 0;
  private readonly ipv6 = new Uint8Array(IPV6_HOST_BYTES);
  private readonly unescaped = new Uint8Array(REALM_BYTES_MAX);
  private readonly users: CredentialSource;

  constructor(users: CredentialSource) {
    this.users = users;
  }

  /** One realm per domain: of To, else of the Request-URI, else the first, so that every request has one. */
  choose(first: Uint8Array): void {
    if (this.is(slab, table[T_TO + URI_HOST_AT], table[T_TO + URI_HOST_END])) return;
    if (this.is(slab, table[T_REQUEST_URI + URI_HOST_AT], table[T_REQUEST_URI + URI_HOST_END])) return;
    this.is(first, 0, first.length);
  }

  private is(bytes: Uint8Array, at: number, end: number): boolean {
    if (at < 0 || end - at > REALM_BYTES_MAX) return false;
    const length = writeIpv6Host(bytes, at, end, this.ipv6);
    return length > 0 ? this.isNamed(this.ipv6, 0, length) : this.isNamed(bytes, at, end);
  }

  private isNamed(bytes: Uint8Array, at: number, end: number): boolean {
    const index = this.users.realmOf(bytes, at, end);
    if (index < 0) return false;
    this.index = index;
    this.length = end - at;
    for (let i = 0; i < this.length; i++) this.text[i] = LOWER[bytes[at + i]];
    return true;
  }

  /** Whether the credentials name it exactly, by bytes: the client repeats the realm of the challenge. */
  isOfCredentials(): boolean {
    const at = credentials[C_REALM_AT];
    if (at < 0) return false;
    if (sameBytes(slab, at, credentials[C_REALM_END], this.text, 0, this.length)) return true;
    const length = unescapeQuoted(at, credentials[C_REALM_END], this.unescaped);
    return length >= 0 && sameBytes(this.unescaped, 0, length, this.text, 0, this.length);
  }
}
