// The configured parts of a shard without memory, in one place, so that a reload replaces them
// between two batches: all of them, or none. Parts with memory (transactions, scores, nonces) are configured separately.
// @hot

import type { BulkNumbers } from '../core/lookup/bulk-numbers.ts';
import type { PingedContacts } from '../core/pings/ping-policy.ts';
import { type PingRules, pingRules } from '../core/pings/ping-rules.ts';
import { Gruus } from '../core/register/gruu.ts';
import { Registrar } from '../core/register/registrar.ts';
import { ByName } from '../core/uas/by-name.ts';
import { type ExchangeRequest, type ExchangeResult, type ShardExchange, UNLIMITED } from '../core/uas/exchange.ts';
import { type DomainPolicy, givesGruus, type Policy, policyOf } from '../core/uas/policy.ts';
import { UserAgentServer } from '../core/uas/uas.ts';
import type { Leniency } from '../sip/parser/strictness.ts';
import { AT_SIGN } from '../sip/scanner.ts';

const EVERY_DOMAIN = '*';
/** Maximum of different user rules kept by domain; beyond it they are made anew. */
const USER_RULES_MAX = 4096;

/** The rules of one domain, or of the server. */
export class DomainRules {
  readonly uas: UserAgentServer;
  readonly registrar: Registrar;
  /** Number of bindings that the domain may add; null: no limit. */
  private readonly capacity: Int32Array | null;
  readonly ping: PingedContacts;
  private readonly policy: Policy;
  private readonly secret: Uint8Array;
  /** For users with rules of their own, by the text of the rules. */
  private readonly users = new Map<string, DomainRules>();

  constructor(policy: Policy, secret: Uint8Array, like: Registrar | null = null, capacity: Int32Array | null = null) {
    this.uas = new UserAgentServer(policy);
    this.registrar = new Registrar(policy, secret, like);
    this.capacity = capacity;
    this.ping = policy.ping;
    this.policy = policy;
    this.secret = secret;
  }

  /** The rules of this domain with a user's own. Made once for all users with the same. */
  ofUser(rules: string): DomainRules {
    return this.users.get(rules) ?? this.makeOfUser(rules);
  }

  /** @cold */
  private makeOfUser(rules: string): DomainRules {
    if (this.users.size >= USER_RULES_MAX) this.users.clear();
    const policy = policyOf(this.policy, JSON.parse(rules) as DomainPolicy);
    const made = new DomainRules(policy, this.secret, this.registrar, this.capacity);
    this.users.set(rules, made);
    return made;
  }

  /** Sets the number of bindings that the registrar may add. */
  offerCapacity(request: ExchangeRequest): void {
    request.capacity = this.capacity === null ? UNLIMITED : Atomics.load(this.capacity, 0);
  }

  /** Takes the added bindings off the capacity, which other shards see. */
  useCapacity({ bindingsAfter, bindingsBefore }: ExchangeResult): void {
    if (this.capacity !== null) Atomics.sub(this.capacity, 0, bindingsAfter - bindingsBefore);
  }
}

export class ShardRules {
  uas: UserAgentServer;
  strict: readonly Leniency[];
  /** Null where GRUUs are off. */
  gruus: Gruus | null;
  /** Null where no PBX has numbers. */
  numbers: BulkNumbers | null;
  /** Use of pings in lookups; null: none. */
  pings: PingRules | null;
  private server: DomainRules;
  /** Null where no domain has rules of its own. */
  private domains: ByName<DomainRules> | null;
  /** Of domains without an entry. */
  private others: DomainRules;

  /** @param secret 32 bytes, one per data directory */
  constructor(policy: Policy, secret: Uint8Array) {
    const server = new DomainRules(policy, secret);
    this.server = server;
    this.uas = server.uas;
    this.strict = policy.strict;
    this.pings = pingRules(policy);
    this.numbers = server.registrar.bulk.numbers;
    this.gruus = givesGruus(policy) ? new Gruus(secret, policy.gruuGeneration) : null;
    const domains = Object.entries(policy.byDomain).map(
      ([name, own]) => [name, new DomainRules(policyOf(policy, own), secret, server.registrar, own.capacity)] as const,
    );
    this.domains = domains.length === 0 ? null : new ByName(domains);
    this.others = domains.find(([name]) => name === EVERY_DOMAIN)?.[1] ?? server;
  }

  /** Takes over the rules of `other`. Cannot fail. @cold */
  become(other: ShardRules): void {
    this.uas = other.uas;
    this.strict = other.strict;
    this.gruus = other.gruus;
    this.numbers = other.numbers;
    this.pings = other.pings;
    this.server = other.server;
    this.domains = other.domains;
    this.others = other.others;
  }

  /** The pinged contacts of a domain, bytes[at, end). */
  pingOf(bytes: Uint8Array, at: number, end: number): PingedContacts {
    const { domains, server } = this;
    return (domains === null ? server : (domains.find(bytes, at, end) ?? this.others)).ping;
  }

  /**
   * The rules for an AOR: its domain's, or the server's, with those of the authenticated user. Sets the number of bindings that may be added.
   * @param length negative: there is no AOR
   */
  of({ request, work }: ShardExchange, aor: Uint8Array, length: number): DomainRules {
    const { domains, server } = this;
    const host = domains === null || length < 0 ? -1 : aor.lastIndexOf(AT_SIGN, length - 1) + 1;
    const rules = domains === null || host < 0 ? server : (domains.find(aor, host, length) ?? this.others);
    rules.offerCapacity(request);
    return work.userRules === '' ? rules : rules.ofUser(work.userRules);
  }
}
