// What of a shard the configuration decides and that remembers nothing, in one place, so that a reload puts other rules in
// force between two batches: all of them, or none. What remembers (transactions, scores, nonces) is told beside it.
// @hot

import { Gruus } from '../core/register/gruu.ts';
import { Registrar } from '../core/register/registrar.ts';
import type { Policy } from '../core/uas/policy.ts';
import { UserAgentServer } from '../core/uas/uas.ts';
import type { Leniency } from '../sip/parser/strictness.ts';

export class ShardRules {
  uas: UserAgentServer;
  registrar: Registrar;
  strict: readonly Leniency[];
  /** Null where none are given out. */
  gruus: Gruus | null;

  /** @param secret 32 bytes, one per data directory */
  constructor(policy: Policy, secret: Uint8Array) {
    this.uas = new UserAgentServer(policy);
    this.registrar = new Registrar(policy, secret);
    this.strict = policy.strict;
    this.gruus = policy.gruu === 'on' ? new Gruus(secret, policy.gruuGeneration) : null;
  }

  /** Becomes what `other` is. Cannot fail. @cold */
  become(other: ShardRules): void {
    this.uas = other.uas;
    this.registrar = other.registrar;
    this.strict = other.strict;
    this.gruus = other.gruus;
  }
}
