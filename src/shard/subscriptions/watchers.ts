// Permission to watch a registration (RFC 3680 §4.6): for users who may register the AOR, for listed users and addresses, and for From
// if a trusted proxy asserts it. Answers 401, 403, 503 where clients must authenticate; otherwise everyone may watch. Only the AOR's own
// users and listed addresses see the parameters that name devices at their push services.

import { TrustedSources } from '../../core/abuse/trusted-sources.ts';
import type { Authenticator } from '../../core/auth/authenticator.ts';
import type { CredentialSource } from '../../core/auth/credential-source.ts';
import type { SubscriptionPolicy } from '../../core/subscriptions/subscription-policy.ts';
import type { ShardExchange } from '../../core/uas/exchange.ts';
import { slab, table } from '../../sip/parser/slab.ts';
import { METHOD_SUBSCRIBE, T_FROM, T_METHOD } from '../../sip/parser/span-table.ts';
import { canonicalAor } from '../../sip/uri/uri.ts';
import type { AorState } from '../aor-state.ts';
import type { Gate } from '../gate.ts';
import type { ShardRules } from '../shard-rules.ts';

const FROM_BYTES = 1024;

export interface WatcherParts {
  /** Both null where no sender authenticates. */
  readonly authenticator: Authenticator | null;
  readonly users: CredentialSource | null;
  readonly gate: Gate | null;
  readonly exchange: ShardExchange;
  readonly state: AorState;
  readonly rules: ShardRules;
}

export class Watchers {
  private readonly parts: WatcherParts;
  private sources: TrustedSources;
  /** Canonical AORs. */
  private listed: readonly Buffer[];
  private readonly from = new Uint8Array(FROM_BYTES);

  /** Throws a RangeError for an invalid address. */
  constructor(parts: WatcherParts, { from, watchers }: SubscriptionPolicy) {
    this.parts = parts;
    this.sources = new TrustedSources(from);
    this.listed = watchers.map((user) => Buffer.from(user));
  }

  /** Sets other lists from the next message on. Throws before any change. */
  configure({ from, watchers }: SubscriptionPolicy): void {
    this.sources = new TrustedSources(from);
    this.listed = watchers.map((user) => Buffer.from(user));
  }

  /** Whether the request in the table is a SUBSCRIBE from an address that may watch without a password. */
  get areUnnamed(): boolean {
    const { peers, peer } = this.parts.exchange.request;
    return table[T_METHOD] === METHOD_SUBSCRIBE && this.sources.trusts(peers, peer);
  }

  /** Authorizes the SUBSCRIBE in the table: 0 to continue, AUTH_PENDING, or the status of the answer written. */
  authorize(): number {
    const { authenticator, exchange, gate, rules } = this.parts;
    const isUnnamed = this.areUnnamed;
    exchange.work.seesDevices = isUnnamed;
    if (authenticator === null || isUnnamed) return 0;
    if (gate?.trusts(exchange.request.peer)) return this.isVouchedFor(gate) ? 0 : rules.uas.forbidden(exchange);
    return this.logIn(authenticator);
  }

  private logIn(authenticator: Authenticator): number {
    const { exchange, state, rules } = this.parts;
    const { key, aor, aorLength } = state;
    const refused = authenticator.authenticate(exchange, key, aor, aorLength);
    if (refused !== 0) return refused;
    // Credentials used in another life of the shard may be replayed from anywhere: documents would be sent to the replayer.
    if (!authenticator.nonceIsOfThisLife) return authenticator.askAgain(exchange, key);
    return this.mayUser() ? 0 : rules.uas.forbidden(exchange);
  }

  /** Whether From may watch, as asserted by a trusted proxy, which forwards requests of any sender. */
  private isVouchedFor(gate: Gate): boolean {
    const { exchange, state } = this.parts;
    if (gate.assertsAor(state.aor, state.aorLength)) {
      exchange.work.seesDevices = true;
      return true;
    }
    const length = canonicalAor(slab, table, T_FROM, this.from);
    return length > 0 && this.listed.some((user) => user.equals(this.from.subarray(0, length)));
  }

  /** Whether the user found last, just authenticated, may watch. */
  private mayUser(): boolean {
    const { exchange, users, state } = this.parts;
    if (users === null || state.aorLength < 0) return false;
    exchange.work.seesDevices = users.mayRegister(state.aor, state.aorLength);
    if (exchange.work.seesDevices) return true;
    return this.listed.some((user) => users.mayRegister(user, user.length));
  }
}
