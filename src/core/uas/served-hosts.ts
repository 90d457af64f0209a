// Checks of the request's host (RFC 3261 §8.2.2.1, §10.3 steps 1 and 5): whether the Request-URI names a served domain or the
// server itself, and whether To is in the domain that follows from it.
// @hot

import { slab, table } from '../../sip/parser/slab.ts';
import { T_REQUEST_URI, T_TO, URI_HOST_AT, URI_HOST_END } from '../../sip/parser/span-table.ts';
import { sameHost } from '../../sip/uri/uri-equality.ts';
import { Domains } from './domains.ts';
import type { Policy } from './policy.ts';

export class ServedHosts {
  private readonly domains: Domains;
  private readonly ownNames: Domains;

  constructor(policy: Policy) {
    this.domains = new Domains(policy.domains);
    this.ownNames = new Domains(policy.serverNames);
  }

  /** Whether the Request-URI names a served domain or this server. */
  haveRequestUri(): boolean {
    return has(this.domains, T_REQUEST_URI) || this.areNamed();
  }

  /** Whether To is in the Request-URI's domain or, where that names the server itself, in any served domain. */
  haveTo(): boolean {
    if (this.domains.all) return true;
    return this.areNamed() ? has(this.domains, T_TO) : toIsOfRequestDomain();
  }

  /** The Request-URI names this server itself. */
  private areNamed(): boolean {
    const at = table[T_REQUEST_URI + URI_HOST_AT];
    const end = table[T_REQUEST_URI + URI_HOST_END];
    return this.ownNames.serves(slab, at, end);
  }
}

function has(names: Domains, uri: number): boolean {
  return names.serves(slab, table[uri + URI_HOST_AT], table[uri + URI_HOST_END]);
}

function toIsOfRequestDomain(): boolean {
  return sameHost(slab, table, T_TO, slab, table, T_REQUEST_URI);
}
