// What of a shard the configuration decides and that remembers nothing, in one place, so that a reload puts other rules in
// force between two batches: all of them, or none. What remembers (transactions, scores, nonces) is told beside it.
// @hot

import { Gruus } from '../core/register/gruu.ts';
import { Registrar } from '../core/register/registrar.ts';
import { ByName } from '../core/uas/by-name.ts';
import { givesGruus, type Policy, policyOf } from '../core/uas/policy.ts';
import { UserAgentServer } from '../core/uas/uas.ts';
import type { Leniency } from '../sip/parser/strictness.ts';
import { AT_SIGN } from '../sip/scanner.ts';

const EVERY_DOMAIN = '*';

/** The rules of one domain, or of the server. */
export interface DomainRules {
  readonly uas: UserAgentServer;
  readonly registrar: Registrar;
}

export class ShardRules {
  uas: UserAgentServer;
  registrar: Registrar;
  strict: readonly Leniency[];
  /** Null where none are given out. */
  gruus: Gruus | null;
  /** Null where no domain has rules of its own. */
  private domains: ByName<DomainRules> | null;
  /** Of domains that are not listed. */
  private others: DomainRules | null;

  /** @param secret 32 bytes, one per data directory */
  constructor(policy: Policy, secret: Uint8Array) {
    this.uas = new UserAgentServer(policy);
    this.registrar = new Registrar(policy, secret);
    this.strict = policy.strict;
    this.gruus = givesGruus(policy) ? new Gruus(secret, policy.gruuGeneration) : null;
    const domains = Object.entries(policy.byDomain).map(([name, own]) => {
      const rules = policyOf(policy, own);
      const made = { uas: new UserAgentServer(rules), registrar: new Registrar(rules, secret, this.registrar) };
      return [name, made] as const;
    });
    this.domains = domains.length === 0 ? null : new ByName(domains);
    this.others = domains.find(([name]) => name === EVERY_DOMAIN)?.[1] ?? null;
  }

  /** Becomes what `other` is. Cannot fail. @cold */
  become(other: ShardRules): void {
    this.uas = other.uas;
    this.registrar = other.registrar;
    this.strict = other.strict;
    this.gruus = other.gruus;
    this.domains = other.domains;
    this.others = other.others;
  }

  /** The rules for an AOR: its domain's, or the server's. @param length negative: there is no AOR */
  of(aor: Uint8Array, length: number): DomainRules {
    if (this.domains === null || length < 0) return this;
    return this.domains.find(aor, aor.lastIndexOf(AT_SIGN, length - 1) + 1, length) ?? this.others ?? this;
  }
}
