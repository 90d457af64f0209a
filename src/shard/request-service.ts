// The service of a new request: authentication and authorization; then the answer of the registrar, the redirect server or the
// user agent server, from the AOR's bindings and into the batch's working set.
// @hot

import type { Overload } from '../core/abuse/overload.ts';
import { AUTH_PENDING } from '../core/auth/outcome.ts';
import { CHANGE_REFRESHED, type Changes } from '../core/binding/changes.ts';
import { hasLiveImage } from '../core/binding/images.ts';
import type { RedirectServer } from '../core/lookup/redirect.ts';
import { reportChanges } from '../core/register/binding-changes.ts';
import type { ExchangeRequest, ShardExchange } from '../core/uas/exchange.ts';
import type { RequestKeys } from '../core/uas/request-keys.ts';
import type { Transactions } from '../core/uas/transactions.ts';
import { slab, table } from '../sip/parser/slab.ts';
import {
  METHOD_REGISTER,
  METHOD_SUBSCRIBE,
  T_CONTACT_COUNT,
  T_CONTACT_STAR,
  T_METHOD,
  T_REQUEST_URI,
  URI_USER_AT,
} from '../sip/parser/span-table.ts';
import { TRANSPORT_UDP } from '../sip/sources.ts';
import type { Admission } from './admission.ts';
import { AOR_EMPTY, AOR_OTHER, AOR_PLAIN, type AorState } from './aor-state.ts';
import type { Committer } from './committer.ts';
import type { BatchTally } from './observe/batch-tally.ts';
import { COUNTER } from './observe/counters.ts';
import type { Listening } from './observe/event-ring.ts';
import type { History } from './observe/history.ts';
import type { ResponseLifecycle } from './response-lifecycle.ts';
import type { DomainRules, ShardRules } from './shard-rules.ts';
import type { Sleepers } from './sleepers.ts';
import type { AskedFor } from './statics/asked-for.ts';
import type { Subscriptions } from './subscriptions/subscriptions.ts';

export interface RequestParts {
  readonly rules: ShardRules;
  readonly admission: Admission;
  /** Lookups that wait for devices to wake; null: none waits. */
  readonly sleepers: Sleepers | null;
  readonly overload: Overload;
  readonly transactions: Transactions;
  readonly keys: RequestKeys;
  readonly state: AorState;
  readonly redirect: RedirectServer;
  readonly asked: AskedFor;
  readonly exchange: ShardExchange;
  readonly lifecycle: ResponseLifecycle;
  readonly committer: Committer;
  readonly tally: BatchTally;
  readonly counters: Float64Array;
  readonly changes: Changes;
  /** Whether anyone listens to changes of bindings. */
  readonly audience: Listening | undefined;
  readonly history: History | null;
  /** Null where registrations may not be watched. */
  readonly subscriptions: Subscriptions | null;
  /** An answer without a change waits until the store has confirmed that no other node has made one. */
  readonly confirms: boolean;
}

export class RequestService {
  private readonly rules: ShardRules;
  private readonly admission: Admission;
  private readonly sleepers: Sleepers | null;
  private readonly overload: Overload;
  private readonly transactions: Transactions;
  private readonly keys: RequestKeys;
  private readonly state: AorState;
  private readonly redirect: RedirectServer;
  private readonly asked: AskedFor;
  private readonly exchange: ShardExchange;
  private readonly lifecycle: ResponseLifecycle;
  private readonly committer: Committer;
  private readonly tally: BatchTally;
  private readonly counters: Float64Array;
  private readonly changes: Changes;
  private readonly audience: Listening | undefined;
  private readonly history: History | null;
  private readonly subscriptions: Subscriptions | null;
  private readonly confirms: boolean;
  private now = 0;

  constructor(parts: RequestParts) {
    this.rules = parts.rules;
    this.admission = parts.admission;
    this.sleepers = parts.sleepers;
    this.overload = parts.overload;
    this.transactions = parts.transactions;
    this.keys = parts.keys;
    this.state = parts.state;
    this.redirect = parts.redirect;
    this.asked = parts.asked;
    this.exchange = parts.exchange;
    this.lifecycle = parts.lifecycle;
    this.committer = parts.committer;
    this.tally = parts.tally;
    this.counters = parts.counters;
    this.changes = parts.changes;
    this.audience = parts.audience;
    this.history = parts.history;
    this.subscriptions = parts.subscriptions;
    this.confirms = parts.confirms;
  }

  /** §8.3: makes the target of the Request-URI the AOR of the request. */
  askFor(): void {
    const { asked, state } = this;
    if (state.aorLength < 0 || table[T_REQUEST_URI + URI_USER_AT] < 0) return;
    asked.resolve(slab, table, T_REQUEST_URI, state.key, state.aor, state.aorLength);
    for (let i = 0; i < 4; i++) state.key[i] = asked.key[i];
  }

  /**
   * Answers the request in the table: a new one, or one whose answer is forgotten.
   * @param again its answer is forgotten: made again, without effects
   * @param lookup it asks for a user's contacts (§8.3)
   */
  answer(slot: number, length: number, now: number, again: boolean, lookup: boolean): void {
    const { exchange } = this;
    this.now = now;
    this.lifecycle.start(slot, now);
    this.state.uncommitted = false;
    const isBack = lookup && this.sleepers?.isBack(slot) === true;
    let refused =
      this.rules.uas.checkBeforeAuthentication(exchange, length, lookup) ||
      (again || isBack ? 0 : this.authorize(lookup));
    if (refused === AUTH_PENDING) {
      refused = this.admission.wait(length);
      if (refused === 0) return this.lifecycle.trying(slot, now);
    }
    if (refused === 0 && this.overload.share < 1 && !again && !lookup) refused = this.putOffNew();
    // Answered without state (§8.2.7): the same request draws the same answer, To tag and all.
    if (refused !== 0) {
      this.admission.countResult(refused, lookup);
      return this.lifecycle.finish(-1, false);
    }
    // An unknown source may be forged: it gets one short answer, and no state is kept (§8.2.7).
    const known = isBack || this.admission.knows(lookup);
    if (known && lookup && !isBack && this.waitsForDevices(slot, length)) return this.lifecycle.trying(slot, now);
    if (known) this.lifecycle.trust();
    const isReliable = exchange.request.peers.transport[slot] !== TRANSPORT_UDP;
    const ticket = !known || isReliable ? -1 : this.transactions.begin(this.keys, now);
    const rules = this.rules.of(exchange, this.state.aor, this.state.aorLength);
    const status = lookup ? this.lookUp() : rules.uas.checkAfterAuthentication(exchange) || this.serve(rules, again);
    this.admission.countResult(status, lookup);
    const isTold = this.confirms && status === 200 && table[T_METHOD] === METHOD_REGISTER;
    this.lifecycle.finish(ticket, exchange.result.changed || this.state.uncommitted || isTold);
  }

  private authorize(lookup: boolean): number {
    return lookup ? this.admission.authorizeLookup(this.asked.isGruu) : this.admission.authenticate();
  }

  private serve(rules: DomainRules, again: boolean): number {
    if (table[T_METHOD] === METHOD_REGISTER) return this.register(rules, again);
    return table[T_METHOD] === METHOD_SUBSCRIBE ? this.subscribe(rules, again) : this.serveOptions(rules);
  }

  private subscribe({ uas }: DomainRules, again: boolean): number {
    const { exchange, state, subscriptions, transactions } = this;
    if (subscriptions === null) return uas.forbidden(exchange);
    if (again && transactions.answerStatus !== 200) return uas.refuseAgain(exchange, transactions.answerStatus);
    return subscriptions.serve(exchange, state, uas, again);
  }

  /** Whether changes of the AOR have listeners. */
  private get isHeard(): boolean {
    return this.audience?.listening === true || this.subscriptions?.watches(this.state.key) === true;
  }

  /** Whether the lookup has been handed over, to wait for sleeping devices. */
  private waitsForDevices(slot: number, length: number): boolean {
    const { asked, exchange, sleepers } = this;
    if (sleepers === null || !this.load()) return false; // lookUp answers the failure
    asked.combineInto(exchange.request);
    return sleepers.wakeFor(slot, length, exchange.request, asked, asked.key);
  }

  private lookUp(): number {
    const { asked, exchange } = this;
    if (!this.load()) return this.rules.uas.failed(exchange);
    asked.combineInto(exchange.request);
    const status = this.redirect.answer(exchange, asked);
    if (status === 302) return status;
    this.counters[COUNTER.not_redirected]++;
    if (status > 0) return status;
    const isKnown = asked.isKnown(this.admission.knowsUser()) || this.sleepers?.has(exchange.request, asked) === true;
    return this.redirect.refuse(exchange, isKnown);
  }

  private serveOptions({ uas }: DomainRules): number {
    const { exchange, state } = this;
    if (state.aorLength >= 0 && !this.load()) return uas.failed(exchange);
    const { request } = exchange;
    const status = uas.answerOptions(exchange, state.aorLength >= 0 && hasTarget(request));
    if (status === 200) this.counters[COUNTER.options]++;
    return status;
  }

  private register(rules: DomainRules, again: boolean): number {
    const { exchange, state } = this;
    const { request, work, result } = exchange;
    const { registrar } = rules;
    state.name(request);
    const refused = registrar.checkRequest(exchange);
    if (refused !== 0) return refused;
    if (again && this.transactions.answerStatus !== 200)
      return this.rules.uas.refuseAgain(exchange, this.transactions.answerStatus);
    const found = again || work.repeatsOnly ? AOR_OTHER : state.find();
    if (found === AOR_PLAIN) {
      state.startImage(result);
      const keepsImage = this.isHeard || this.history?.refreshes === true;
      if (registrar.refresh(exchange, state.row, state.identity, keepsImage) === 200) return this.refreshed();
    }
    if (found === AOR_EMPTY) state.loadNothing(request);
    else if (!this.load()) return this.rules.uas.failed(exchange);
    state.startRecord(result);
    let status = again ? registrar.answerAgain(exchange) : registrar.answerRepeat(exchange);
    if (status === 0) status = this.admission.askAgain() || registrar.apply(exchange);
    if (status !== 200) return status;
    if (result.record.overflow || result.answer.overflow) return this.lifecycle.startOver();
    if (result.changed) {
      state.put(result, result.bindingsAfter, result.newImageAt);
      rules.useCapacity(result);
      this.tally.registered(result);
      if (this.isHeard) reportChanges(exchange, registrar.bindings, this.changes);
      if (this.history !== null) reportChanges(exchange, registrar.bindings, this.history);
    } else this.tally.unchanged(table[T_CONTACT_COUNT] + table[T_CONTACT_STAR] === 0);
    return status;
  }

  /** In a storm: 503 to some requests that would make a first binding for an AOR; else 0. Before any state is kept. */
  private putOffNew(): number {
    const { overload, exchange, state } = this;
    if (table[T_METHOD] !== METHOD_REGISTER || table[T_CONTACT_COUNT] === 0 || state.isKnown()) return 0;
    if (overload.acceptsNew()) return 0;
    this.counters[COUNTER.put_off_new]++;
    return this.rules.uas.busy(exchange, overload.bookS(this.now, this.keys.tagLow));
  }

  private refreshed(): number {
    const { request, result } = this.exchange;
    const { aor, aorLength } = request;
    const { bytes, from } = result.record;
    if (result.answer.overflow) return this.lifecycle.startOver();
    this.state.putRefresh();
    if (this.isHeard) this.changes.add(CHANGE_REFRESHED, aor, 0, aorLength, bytes, from, this.now);
    if (this.history?.refreshes) this.history.add(CHANGE_REFRESHED, aor, 0, aorLength, bytes, from, this.now);
    this.tally.registered(result);
    return 200;
  }

  /** Loads the AOR's bindings into the exchange; false where the store cannot read them. */
  private load(): boolean {
    this.state.load(this.exchange.request);
    if (this.state.failure === null) return true;
    this.committer.unreadable(this.state.failure, this.now);
    return false;
  }
}

/** Whether the AOR has a target now. */
function hasTarget({ state, stateAt, stateEnd, now, liveFlows }: ExchangeRequest): boolean {
  return hasLiveImage(state, stateAt, stateEnd, now, liveFlows);
}
