// Header rows of a 200 that depend on the domain, the AOR or the user's rules alone: Service-Route (RFC 3608 §6.3) and P-Associated-URI
// (RFC 7315 §4.1.2). Made beforehand from the policy, found by bytes.
// @hot

import { AT_SIGN } from '../../sip/scanner.ts';
import { ascii, type Writer } from '../../sip/writer.ts';
import { ByName } from '../uas/by-name.ts';
import type { Policy } from '../uas/policy.ts';

const EVERY_DOMAIN = '*';

export class DomainHeaders {
  private readonly policy: Policy;
  private readonly routes: ByName<Uint8Array>;
  private readonly routeOfEvery: Uint8Array | undefined;
  private readonly associated: ByName<Uint8Array>;

  /** @param like those of another registrar of the same server: shared, where the policy has the same values by domain */
  static of(policy: Policy, like: DomainHeaders | null): DomainHeaders {
    return like !== null && like.policy.serviceRoutes === policy.serviceRoutes ? like : new DomainHeaders(policy, like);
  }

  private constructor(policy: Policy, like: DomainHeaders | null) {
    this.policy = policy;
    this.routes = rows('Service-Route', policy.serviceRoutes);
    const every = ascii(EVERY_DOMAIN);
    this.routeOfEvery = this.routes.find(every, 0, every.length);
    this.associated = like?.associated ?? rows('P-Associated-URI', policy.associatedUris);
  }

  /** No AOR has any rows. */
  get isEmpty(): boolean {
    return this.routes.isEmpty && this.associated.isEmpty;
  }

  /** Writes the rows for an AOR, aor[0, length). */
  write(w: Writer, aor: Uint8Array, length: number): void {
    if (!this.routes.isEmpty) {
      const host = aor.lastIndexOf(AT_SIGN, length - 1) + 1;
      const row = this.routes.find(aor, host, length) ?? this.routeOfEvery;
      if (row !== undefined) w.text(row);
    }
    if (this.associated.isEmpty) return;
    const row = this.associated.find(aor, 0, length);
    if (row !== undefined) w.text(row);
  }
}

/** @cold */
function rows(header: string, values: Readonly<Record<string, readonly string[]>>): ByName<Uint8Array> {
  const lists = Object.entries(values);
  if (lists.every(([, list]) => list.length === 0)) return new ByName([]);
  return new ByName(
    lists.map(([name, list]) => [name, ascii(list.length > 0 ? `${header}: ${list.join(', ')}\r\n` : '')]),
  );
}
