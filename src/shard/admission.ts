// Admission of requests: accepted sources (gate), senders that have authenticated or are asserted (§10.3 steps 3 and 4), and
// the results, counted for sources and accounts. Without `auth` every sender may do everything. Answers 401, 403, 503.
// @hot

import { TrustedSources } from '../core/abuse/trusted-sources.ts';
import type { AuthPolicy } from '../core/auth/auth-policy.ts';
import { Authenticator } from '../core/auth/authenticator.ts';
import type { TokenOffer } from '../core/auth/bearer.ts';
import { type CredentialSource, mayBeUser } from '../core/auth/credential-source.ts';
import { deriveKey } from '../core/auth/derived-key.ts';
import { isRegEvent } from '../core/subscriptions/subscribe-rules.ts';
import type { SubscriptionPolicy } from '../core/subscriptions/subscription-policy.ts';
import type { ShardExchange } from '../core/uas/exchange.ts';
import type { LookupPolicy } from '../core/uas/lookup-policy.ts';
import { table } from '../sip/parser/slab.ts';
import {
  METHOD_ACK,
  METHOD_CANCEL,
  METHOD_OPTIONS,
  METHOD_REGISTER,
  METHOD_SUBSCRIBE,
  T_CONTACT_COUNT,
  T_CONTACT_STAR,
  T_METHOD,
  T_REQUEST_URI,
  URI_USER_AT,
} from '../sip/parser/span-table.ts';
import { AT_SIGN } from '../sip/scanner.ts';
import { LISTENER_ADMIN, type Peers } from '../sip/sources.ts';
import type { AorState } from './aor-state.ts';
import { type AbuseLog, Gate, type GateOptions } from './gate.ts';
import { COUNTER } from './observe/counters.ts';
import { type FailedLogin, FailedLogins } from './observe/failed-logins.ts';
import type { ShardRules } from './shard-rules.ts';
import type { ShardSettings } from './shard-settings.ts';
import { Watchers } from './subscriptions/watchers.ts';

export interface ShardUsers extends CredentialSource {
  /** Called once per batch. */
  refresh(now: number): void;
  useRealms(realms: readonly string[]): void;
  /** Whether this AOR (canonical) is assigned to users besides their own. */
  isGiven(aor: Uint8Array, aorLength: number): boolean;
}

export interface ShardAuth {
  readonly policy: AuthPolicy;
  /** In the order of the indices of the users' realmOf(). */
  readonly realms: readonly string[];
  readonly users: ShardUsers;
  /** Access tokens, where they are accepted. */
  readonly tokens?: TokenOffer;
  /** Differs between shards and processes. */
  readonly nonceStart: number;
  /** Generation of the nonces' keys; another one invalidates every nonce. */
  readonly generation?: number;
  /** Number of this life of the shard: a dead one has lost its memory of used nonces. */
  readonly life: number;
  /** Keeps the message in a slot until its user's credentials have been fetched; false where too many wait. */
  wait(slot: number, length: number, peers: Peers, authenticator: Authenticator): boolean;
}

export interface AdmissionOptions {
  /** Where clients must authenticate. */
  readonly auth?: ShardAuth;
  readonly gate?: GateOptions;
  readonly lookup: LookupPolicy;
  /** Rules of watchers, where registrations may be watched. */
  readonly watching?: SubscriptionPolicy;
  /** 32 bytes. */
  readonly secret: Uint8Array;
  readonly counters: Float64Array;
  readonly abuseLog: AbuseLog;
  /** Logs a failed login; called if the policy asks for it. */
  readonly failedLogin: (login: FailedLogin) => void;
}

export class Admission {
  private readonly auth: ShardAuth | undefined;
  private readonly authenticator: Authenticator | null;
  /** Null where no sender authenticates. */
  readonly gate: Gate | null;
  private lookup: LookupPolicy['sip'];
  private lookupSources: TrustedSources;
  private readonly exchange: ShardExchange;
  private readonly state: AorState;
  private readonly rules: ShardRules;
  private readonly counters: Float64Array;
  /** Null where no registration may be watched. */
  private readonly watchers: Watchers | null;
  private failedLogins: FailedLogins | null;
  private readonly failedLogin: AdmissionOptions['failedLogin'];
  private batch = 0;
  /** By slot: the number of the last batch in which its message had waited for its user without a result. */
  private readonly vainBatches: Float64Array;

  constructor(options: AdmissionOptions, exchange: ShardExchange, state: AorState, rules: ShardRules) {
    const { auth, gate, secret, counters, abuseLog } = options;
    this.auth = auth;
    this.exchange = exchange;
    const { peers } = exchange.request;
    this.state = state;
    this.rules = rules;
    this.vainBatches = new Float64Array(exchange.request.peers.port.length);
    this.failedLogin = options.failedLogin;
    this.counters = counters;
    this.failedLogins = this.loginLog(auth?.policy);
    this.lookup = options.lookup.sip;
    this.lookupSources = mayLookUp(options.lookup, gate);
    this.gate = gate === undefined ? null : new Gate(gate, deriveKey(secret, 'abuse'), peers, counters, abuseLog);
    const floors = { highestNc: (idHigh: number, idLow: number) => this.highestNc(idHigh, idLow) };
    const guesses = { mayTry: (account: Uint32Array) => this.mayTry(account) };
    this.authenticator = auth === undefined ? null : new Authenticator({ ...auth, secret, floors, guesses });
    const { authenticator } = this;
    const watched = { authenticator, users: auth?.users ?? null, gate: this.gate, exchange, state, rules };
    this.watchers = options.watching === undefined ? null : new Watchers(watched, options.watching);
  }

  /** Sets other rules from the next message on; memories stay. Throws for invalid rules, before any is set. @cold */
  configure({ policy, auth, gate }: ShardSettings): void {
    const sources = mayLookUp(policy.lookup, gate);
    this.watchers?.configure(policy.subscriptions);
    if (gate !== undefined) this.gate?.configure(gate);
    this.lookup = policy.lookup.sip;
    this.lookupSources = sources;
    if (auth === undefined || this.authenticator === null) return;
    this.failedLogins = this.loginLog(auth.policy);
    this.authenticator.configure(auth.policy, auth.realms, auth.generation);
    this.auth?.users.useRealms(auth.realms);
  }

  /** As the authenticator's. @cold */
  beginLife(life: number): void {
    this.authenticator?.beginLife(life);
  }

  /** Once per batch. */
  refresh(now: number): void {
    this.batch++;
    this.auth?.users.refresh(now);
  }

  /** Notes that the slot's next message, of this batch or of the one that opens next, has waited for its user without a result. */
  waitedInVain(slot: number, batchIsOpen: boolean): void {
    this.vainBatches[slot] = batchIsOpen ? this.batch : this.batch + 1;
  }

  /** Before parsing: whether the message in a slot is processed. */
  accepts(slot: number, at: number, end: number, now: number): boolean {
    return this.gate === null || isInternal(this.exchange.request.peers, slot) || this.gate.accepts(slot, at, end, now);
  }

  /** Authenticates the request in the table: 0 to continue, AUTH_PENDING, or the status of the answer written. */
  authenticate(): number {
    const { authenticator, gate, exchange, rules, state } = this;
    const { peers, peer } = exchange.request;
    if (table[T_METHOD] !== METHOD_REGISTER) {
      if (table[T_METHOD] === METHOD_SUBSCRIBE) return this.watchers?.authorize() ?? 0;
      if (!asksForUser()) return 0;
    }
    if (authenticator === null || isInternal(peers, peer)) return 0;
    if (gate?.trusts(peer)) {
      const vouched = table[T_METHOD] !== METHOD_REGISTER || gate.assertsAor(state.aor, state.aorLength);
      return vouched ? 0 : rules.uas.forbidden(exchange);
    }
    return this.checkCredentials(authenticator, state);
  }

  /**
   * For an accepted REGISTER that is no plain refresh: 401 if its nonce was issued in another life, whose uses are known only
   * as far as bindings name them; else 0. A fetch changes nothing, and is served if its nc is new.
   */
  askAgain(): number {
    const { authenticator, exchange, state } = this;
    const { authenticated, repeatsOnly } = exchange.work;
    if (authenticator === null || !authenticated || authenticator.nonceIsOfThisLife) return 0;
    if (table[T_CONTACT_COUNT] + table[T_CONTACT_STAR] === 0 && !repeatsOnly) return 0;
    return authenticator.askAgain(exchange, state.key);
  }

  private checkCredentials(authenticator: Authenticator, { key, aor, aorLength }: AorState): number {
    return authenticator.authenticate(this.exchange, key, aor, aorLength);
  }

  private mayTry(account: Uint32Array): boolean {
    const { gate } = this;
    const { now, peer } = this.exchange.request;
    return gate === null || this.authenticator === null || gate.mayTry(peer, account, this.authenticator, now);
  }

  /**
   * Whether the request in the table is a lookup of a user (RFC 3261 §8.3), to be redirected. OPTIONS of a sender without permission
   * is for this server, as without redirection; so is a SUBSCRIBE where subscriptions are served.
   */
  asksForContacts(slot: number): boolean {
    const method = table[T_METHOD];
    if (this.lookup === 'off' || table[T_REQUEST_URI + URI_USER_AT] < 0) return false;
    if (method === METHOD_REGISTER || method === METHOD_ACK || method === METHOD_CANCEL) return false;
    const mayBeOurs = method === METHOD_OPTIONS || (method === METHOD_SUBSCRIBE && this.watchers !== null);
    if (mayBeOurs && method === METHOD_SUBSCRIBE && isRegEvent()) return false;
    if (!mayBeOurs || this.lookup !== 'trusted') return true;
    return this.lookupSources.trusts(this.exchange.request.peers, slot);
  }

  /**
   * Authorizes a lookup: 0, AUTH_PENDING, or the status of the answer written. Only proxies may look up a GRUU's target, as they
   * forward the request (RFC 5627 §6.1).
   */
  authorizeLookup(isGruu: boolean): number {
    const { authenticator, exchange, rules, state } = this;
    const { peers, peer } = exchange.request;
    if (this.lookupSources.trusts(peers, peer)) return 0;
    if (isGruu) return rules.uas.forbidden(exchange);
    if (this.lookup === 'anyone') return 0;
    if (this.lookup !== 'authenticated' || authenticator === null) return rules.uas.forbidden(exchange);
    return this.checkCredentials(authenticator, state);
  }

  /** Whether the accepted request's sender is authenticated, or the configuration trusts its address. */
  knows(lookup: boolean): boolean {
    const { authenticator, gate, exchange } = this;
    const { peers, peer } = exchange.request;
    if (exchange.work.authenticated || isInternal(peers, peer)) return true;
    if (lookup) return this.lookupSources.trusts(peers, peer);
    if (this.watchers?.areUnnamed) return true;
    const isServed =
      table[T_METHOD] === METHOD_REGISTER || (table[T_METHOD] === METHOD_SUBSCRIBE && this.watchers !== null);
    return isServed && (authenticator === null || gate?.trusts(peer) === true);
  }

  /** Whether a user has the AOR's name or the AOR is assigned to one, as far as the tables know; null without users. */
  knowsUser(): boolean | null {
    const { auth, state } = this;
    if (auth === undefined) return null;
    if (state.aorLength < 0) return false;
    let host = state.aorLength;
    while (host > 0 && state.aor[host - 1] !== AT_SIGN) host--;
    const realm = auth.users.realmOf(state.aor, host, state.aorLength);
    if (realm >= 0 && mayBeUser(auth.users, state.aor, 0, host - 1, realm)) return true;
    return auth.users.isGiven(state.aor, state.aorLength);
  }

  /** After AUTH_PENDING: 0 where the message waits and will be received again, else the status of the answer written. */
  wait(length: number): number {
    const { auth, authenticator, exchange } = this;
    if (auth === undefined || authenticator === null) return 0;
    const inVain = this.vainBatches[exchange.request.peer] === this.batch;
    if (inVain || !auth.wait(exchange.request.peer, length, exchange.request.peers, authenticator))
      return authenticator.unavailable(exchange);
    this.counters[COUNTER.waiting]++;
    return 0;
  }

  /** Counts the result of the request for its source and its account. A permitted lookup counts as nothing, not as a challenge. */
  countResult(status: number, lookup: boolean): void {
    const { authenticator, gate, state } = this;
    const { request, work } = this.exchange;
    const { now, peer } = request;
    if (authenticator === null || isInternal(request.peers, peer) || this.watchers?.areUnnamed) return;
    if (lookup && this.lookupSources.trusts(request.peers, peer)) return;
    const hasProof = work.authenticated && !work.repeatsOnly;
    gate?.countResult(peer, authenticator.account.key, status, hasProof, authenticator.outcome, now);
    this.failedLogins?.note(authenticator, state, peer, now);
    authenticator.forgetOutcome();
  }

  private loginLog(policy: AuthPolicy | undefined): FailedLogins | null {
    return policy?.logFailures ? new FailedLogins(this.exchange.request.peers, this.failedLogin) : null;
  }

  /** The highest nc in the AOR's record for a nonce used before this life of the shard; -1 without one. */
  private highestNc(idHigh: number, idLow: number): number {
    return this.state.aorLength < 0 ? -1 : this.state.highestNc(this.exchange.request, idHigh, idLow);
  }
}

/** @cold */
function mayLookUp({ from }: LookupPolicy, gate: GateOptions | undefined): TrustedSources {
  return new TrustedSources([...from, ...(gate?.trustedProxies ?? [])]);
}

/** Whether the request is an order of the admin API, which has authenticated its own client. */
function isInternal(peers: Peers, row: number): boolean {
  return peers.listener[row] === LISTENER_ADMIN;
}

/** OPTIONS for a user, whose answer would show whether the user exists. */
function asksForUser(): boolean {
  return table[T_METHOD] === METHOD_OPTIONS && table[T_REQUEST_URI + URI_USER_AT] >= 0;
}
