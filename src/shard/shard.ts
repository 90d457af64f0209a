// One shard's pipeline: parse, route, absorb, decide (request-service.ts); then commit, after which the answers hold. No
// thread, no socket, no clock: batch.ts drives it. Answers are sent after commit().
// @hot

import { Overload } from '../core/abuse/overload.ts';
import { Changes } from '../core/binding/changes.ts';
import { RedirectServer } from '../core/lookup/redirect.ts';
import { BatchResponses } from '../core/uas/batch-responses.ts';
import { ShardExchange } from '../core/uas/exchange.ts';
import { InviteServerTransactions } from '../core/uas/invite-server-transactions.ts';
import { isKeepAlive } from '../core/uas/keep-alive.ts';
import type { Policy } from '../core/uas/policy.ts';
import { dormantMsOf } from '../core/uas/push-policy.ts';
import { RequestKeys } from '../core/uas/request-keys.ts';
import { canAnswer } from '../core/uas/response.ts';
import {
  ANSWER_FORGOTTEN,
  createAnswerRing,
  IN_PROGRESS,
  MERGED_REQUEST,
  NEW_REQUEST,
  RETRANSMISSION,
  Transactions,
} from '../core/uas/transactions.ts';
import type { LocationStore } from '../location/location-store.ts';
import { WriteSet } from '../location/write-set.ts';
import { E_NOT_SIP, E_OK } from '../sip/parser/parse-error.ts';
import { parse } from '../sip/parser/parser.ts';
import { slotStart, table } from '../sip/parser/slab.ts';
import {
  ADDRESS_TAG_AT,
  KIND_RESPONSE,
  METHOD_ACK,
  METHOD_CANCEL,
  METHOD_REGISTER,
  T_IGNORED_ROWS,
  T_KIND,
  T_METHOD,
  T_TO,
} from '../sip/parser/span-table.ts';
import { applyStrictness } from '../sip/parser/strictness.ts';
import { createPeers, NODE_NO_WAY, type Peers, TRANSPORT_UDP, VIA_CLUSTER, WAS_ASKED } from '../sip/sources.ts';
import { ascii } from '../sip/writer.ts';
import { Admission } from './admission.ts';
import { AorState } from './aor-state.ts';
import { BatchCommit } from './batch-commit.ts';
import { Committer } from './committer.ts';
import { FlowSweeper } from './flow-sweeper.ts';
import type { AbuseLog, Gate } from './gate.ts';
import { HeldRequests } from './held-requests.ts';
import { BatchTally } from './observe/batch-tally.ts';
import { COUNTER } from './observe/counters.ts';
import { ALWAYS_LISTENING, type EventSink, type Listening } from './observe/event-ring.ts';
import type { FailedLogin } from './observe/failed-logins.ts';
import { History } from './observe/history.ts';
import { Measures } from './observe/measures.ts';
import { Tap } from './observe/tap.ts';
import type { TopSenders } from './observe/top-senders.ts';
import type { OutgoingRequests } from './outgoing/outgoing-requests.ts';
import { OwnRequests } from './outgoing/own-requests.ts';
import { RequestService } from './request-service.ts';
import { ResponseLifecycle } from './response-lifecycle.ts';
import { shardOf } from './shard-of.ts';
import type { Deciding, ShardOptions } from './shard-options.ts';
import { ShardRules } from './shard-rules.ts';
import type { ShardSettings } from './shard-settings.ts';
import { Sleepers } from './sleepers.ts';
import { sooner } from './sooner.ts';
import { AskedFor } from './statics/asked-for.ts';
import type { StaticTable } from './statics/static-table.ts';
import { Sweeper } from './sweeper.ts';

/** Maximum lead of the earlier deciding node's clock over this one's, and maximum lag. */
const CLOCK_SKEW_MS = 5000;
/** This bit separates lives of a cluster's nonces, numbered by claims, from lives of one node. */
const CLUSTER_LIFE = 0x8000_0000;
const CANCELLABLE: readonly Uint8Array[] = ['REGISTER', 'OPTIONS', 'INVITE', 'SUBSCRIBE'].map((method) =>
  ascii(method),
);

/** The options that each message needs, in one shape: the shape of the options themselves varies with the configuration. */
interface ShardCoordinates {
  readonly index: number;
  readonly shards: number;
  /** This node's number among several; -1 where there is one. */
  readonly node: number;
}

function coordinatesOf({ index, shards, node = -1 }: ShardOptions): ShardCoordinates {
  return { index, shards, node };
}

export class Shard {
  readonly peers: Peers = createPeers();
  readonly answers: BatchResponses;
  private readonly options: ShardOptions;
  private readonly coordinates: ShardCoordinates;
  private readonly topSenders: TopSenders | null;
  private readonly store: LocationStore;
  private readonly deciding: Deciding | null;
  private readonly held: HeldRequests | null;
  private readonly counters: Float64Array;
  private readonly transactions: Transactions;
  private readonly rules: ShardRules;
  private readonly statics: StaticTable | null;
  private readonly invites: InviteServerTransactions;
  private readonly keys: RequestKeys;
  private readonly exchange = new ShardExchange();
  private readonly writes = new WriteSet();
  private readonly tally: BatchTally;
  private readonly measures: Measures;
  private readonly state: AorState;
  private readonly sweeper: Sweeper;
  private readonly admission: Admission;
  private readonly sleepers: Sleepers | null;
  private readonly tap: Tap | null;
  private readonly lifecycle: ResponseLifecycle;
  private readonly requests: RequestService;
  private readonly commits: BatchCommit;
  private readonly committer: Committer;
  private readonly overload: Overload;
  private okBefore = 0;
  private readonly events: EventSink | undefined;
  private readonly audience: Listening | undefined;
  private readonly own: OwnRequests;
  /** Requests of its own, sent with the batch's answers. */
  readonly outgoing: OutgoingRequests;
  private readonly changes = new Changes();
  private readonly history: History | null;
  private batchIsOpen = false;
  private slot = 0;
  /** First slot behind those of the batch. */
  private freeSlot = 0;
  private readonly slotLength = new Uint16Array(this.peers.port.length);
  private now = 0;
  /** Of a request in a cluster: no node was found to decide it; or one was asked, and may have decided it. */
  private hasNoWay = false;
  private wasAsked = false;

  constructor(options: ShardOptions) {
    const { policy, secret, history } = options;
    this.options = options;
    this.coordinates = coordinatesOf(options);
    this.topSenders = options.topSenders ?? null;
    this.store = options.store;
    this.deciding = options.deciding ?? null;
    this.held = this.deciding && new HeldRequests();
    const flows = options.flows ?? null;
    this.statics = options.statics ?? null;
    this.audience = options.feed ? ALWAYS_LISTENING : options.events;
    this.counters = options.counters;
    const answerRing = options.answerRing ?? createAnswerRing(policy.answerBytesMax);
    this.transactions = new Transactions(policy.timerJMs, policy.transactionsMax, answerRing);
    this.answers = new BatchResponses(this.transactions.answers);
    this.committer = new Committer(options);
    this.overload = new Overload(policy);
    this.rules = new ShardRules(policy, secret);
    this.invites = new InviteServerTransactions(this.transactions, this.answers, this.peers, policy.timerJMs);
    this.state = new AorState(options.store, this.writes, secret.subarray(0, 16));
    this.keys = new RequestKeys(secret.subarray(16, 32));
    this.tally = new BatchTally(options.counters);
    const { state, exchange, rules, tally } = this;
    this.own = new OwnRequests(options, { state, exchange, rules, tally });
    this.outgoing = this.own.outgoing;
    const { subscriptions, pinger } = this.own;
    this.events = subscriptions?.heardWith(options.events) ?? options.events;
    this.measures = options.measures ?? new Measures();
    this.sweeper = new Sweeper(options.store, this.state, this.exchange, this.tally, this.measures);
    this.sweeper.flows =
      flows &&
      new FlowSweeper(this.store, options.flowsForRemoval ?? flows, policy, this.state, this.exchange, this.tally);
    this.sleepers = options.wake ? new Sleepers(dormantMsOf(policy.push), this.slotLength.length, options.wake) : null;
    this.keepAsleep(policy);
    this.history = history ? new History(history, policy.historyRefreshes, this.exchange, this.state.key) : null;
    this.sweeper.history = this.history;
    this.sweeper.watchedAors = subscriptions?.table.watched ?? null;
    this.sweeper.clock = options.clock ?? null;
    this.exchange.request.peers = this.peers;
    this.exchange.request.liveFlows = flows;
    this.exchange.request.follow(policy);
    this.tap = options.tap ? new Tap(options.tap.memory, options.tap.ring, options.counters, this.peers) : null;
    const { answers, transactions, invites, peers, keys, counters } = this;
    const lengths = this.slotLength;
    const parts = { answers, transactions, invites, peers, lengths, keys, exchange, rules, tally, counters };
    this.lifecycle = new ResponseLifecycle(parts);
    const abuseLog: AbuseLog = (event, report) => options.log('warn', event, { ...report });
    const failedLogin = (login: FailedLogin) => options.log('warn', 'login failed', { ...login });
    const watching = subscriptions && { watching: policy.subscriptions };
    const admission = { ...options, lookup: policy.lookup, ...watching, abuseLog, failedLogin };
    this.admission = new Admission(admission, this.exchange, this.state, this.rules);
    const { lifecycle, committer, overload, changes, events, writes } = this;
    this.commits = new BatchCommit({
      ...{ peers, committer, answers, lifecycle, transactions, state, writes, tally, changes, events, counters },
      history: this.history,
      flows: this.sweeper.flows,
      ...{ pinger, deciding: this.deciding },
    });
    this.requests = new RequestService({
      ...{ rules, transactions, keys, exchange, tally, counters, lifecycle, committer, overload, state, changes },
      audience: this.audience,
      admission: this.admission,
      sleepers: this.sleepers,
      redirect: new RedirectServer(flows),
      asked: new AskedFor(rules, this.statics, pinger?.results),
      history: this.history,
      subscriptions,
      confirms: this.deciding !== null,
    });
  }

  /** Once, before the first message. The wheel removes bindings that expired while the server was down. */
  open(): void {
    this.counters[COUNTER.quarantined] = this.store.quarantined; // the opener of the store has logged them
    this.gauge();
  }

  /** Sets other rules from the next message on. Throws for invalid rules; then the old ones stay. @cold */
  configure(settings: ShardSettings): void {
    const rules = new ShardRules(settings.policy, this.options.secret);
    this.admission.configure(settings);
    this.rules.become(rules);
    this.exchange.request.follow(settings.policy);
    this.overload.configure(settings.policy);
    this.own.configure(settings.policy);
    this.sweeper.flows?.configure(settings.policy);
    this.keepAsleep(settings.policy);
    if (this.history !== null) this.history.refreshes = settings.policy.historyRefreshes;
  }

  /** Null where no sender authenticates. @cold */
  get gate(): Gate | null {
    return this.admission.gate;
  }

  /** @cold */
  private keepAsleep({ push }: Policy): void {
    const dormantMs = dormantMsOf(push);
    this.sweeper.dormantMs = dormantMs;
    this.state.keepAsleep(dormantMs);
    if (this.sleepers !== null) this.sleepers.dormantMs = dormantMs;
  }

  /** In a cluster: from now on this node decides. @param epoch greater than that of any earlier node @cold */
  tookOver(epoch: number, now: number): void {
    const { request } = this.exchange;
    request.startedAt = now + CLOCK_SKEW_MS;
    request.clocksDifferMs = CLOCK_SKEW_MS;
    this.admission.beginLife((CLUSTER_LIFE | epoch) >>> 0);
    this.sweeper.flows?.lookAgain();
    this.own.pinger?.lookAgain();
  }

  /** In a cluster: from now on another node decides, or none. @cold */
  gaveUp(): void {
    this.transactions.clear();
  }

  /** One message in a slot of the slab, its peer in the same row of `peers`. */
  receive(slot: number, length: number, now: number): void {
    this.slot = slot;
    this.slotLength[slot] = length;
    this.now = now;
    if (!this.batchIsOpen) this.openBatch();
    if (this.coordinates.node >= 0) this.nameNode(this.coordinates.node);
    const at = slotStart(slot);
    if (!this.admission.accepts(slot, at, at + length, now)) return this.topSenders?.dropped(this.peers, slot, now);
    if (isKeepAlive(at, length)) return this.keepAlive(at, length);
    let error = parse(at, at + length);
    if (this.rules.strict.length > 0) error = applyStrictness(this.rules.strict);
    if (error === E_NOT_SIP) return this.drop(COUNTER.dropped_not_sip);
    if (table[T_KIND] === KIND_RESPONSE) return this.answered(error, length);
    if (!canAnswer(this.isReliable)) return this.drop(COUNTER.dropped_no_via);
    this.state.readRequestAor();
    const isOfRequest = table[T_METHOD] === METHOD_ACK || table[T_METHOD] === METHOD_CANCEL;
    if (isOfRequest || this.admission.asksForContacts(slot)) this.requests.askFor();
    if (this.state.aorLength >= 0 && (this.coordinates.shards > 1 || this.deciding !== null)) {
      const owner = shardOf(this.state.key[3], this.coordinates.shards);
      if (this.isElsewhere(owner, length)) return;
      if (owner !== this.coordinates.index) return this.forward(owner, length);
    }
    if (table[T_IGNORED_ROWS] > 0) this.counters[COUNTER.ignored_rows] += table[T_IGNORED_ROWS];
    if (this.tap?.on) this.tap.received(slot, at, length, this.state.key);
    if (table[T_METHOD] === METHOD_ACK) return this.acknowledge(error);
    this.keys.compute();
    if (table[T_METHOD] === METHOD_CANCEL) this.cancel();
    else this.absorb(error, length);
  }

  /** Puts held requests into slots from `first` on, if they can be answered now; returns the first free slot. */
  takeHeld(lengths: Int32Array, first: number, now: number): number {
    const { held, deciding } = this;
    if (held === null || held.count === 0 || (deciding?.waits && !deciding.refuses(now))) return first;
    return held.restore(lengths, first, this.peers);
  }

  /** A list of closed flows, in a slot of the slab. */
  flowsEnded(slot: number, length: number, now: number): void {
    this.sweeper.flows?.ended(slot, length, this.peers.node[slot], now);
  }

  /** The next message in a slot has waited for its user without a result. */
  waitedInVain(slot: number): void {
    this.admission.waitedInVain(slot, this.batchIsOpen);
  }

  /** The next message in a slot, a lookup, has waited for devices to wake. */
  hasWaited(slot: number): void {
    this.sleepers?.hasWaited(slot, this.batchIsOpen);
  }

  /** A request of the shard's own, in a slot, has found no connection to the slot's peer. @cold */
  notSent(slot: number, length: number, now: number): void {
    this.own.notSent(slot, length, this.peers, now);
  }

  /**
   * Removes bindings that have expired or lost their connection from the store; bounded work, the rest at the next call.
   * @param freeSlot first slot behind the batch's
   */
  expire(now: number, freeSlot: number): void {
    this.freeSlot = freeSlot;
    this.sweeper.changes = this.audience?.listening ? this.changes : null;
    this.sweeper.watched = this.own.subscriptions?.any ? this.changes : null;
    if (!this.commits.isFull && this.decides) {
      const { sweeper } = this;
      sweeper.sweep(now);
      this.own.sweep(now, sweeper.changes ?? sweeper.watched, this.history);
    }
    this.counters[COUNTER.resent] += this.invites.resend(now, freeSlot);
  }

  /** Milliseconds until `expire` has work, 0 when it has, -1 when there is nothing to wait for. */
  msToNextTick(now: number): number {
    if (this.commits.isFull) return this.commits.msToNext(now);
    const { decides } = this;
    const sweep = decides ? this.sweeper.msToNextTick(now) : -1;
    const work = sooner(sweep, this.own.msToNext(now, decides));
    return sooner(sooner(work, this.invites.msToNextTick(now)), this.commits.msToNext(now));
  }

  /** The first slot for the next batch: earlier slots have requests whose answers wait for the store. */
  get firstSlot(): number {
    return this.commits.firstSlot;
  }

  /** Commits the batch's one transaction (batch-commit.ts). If it fails, every answer that depended on it becomes a 503. */
  commit(now: number): void {
    this.now = now;
    this.commits.commit(now, this.freeSlot);
    this.own.notify(now);
    if (this.tap?.on) this.tap.answered(this.answers);
    if (this.outgoing.count > 0) this.tap?.sent(this.outgoing, now);
    this.batchIsOpen = false;
    this.writes.clear();
    this.tally.clear();
    this.changes.clear();
    this.history?.clear();
    this.counters[COUNTER.transactions] = this.transactions.count;
    this.gauge();
  }

  /** Notes the batch: the waiting work, in ms and as a part of its capacity; and its time, its commit included. */
  observe(now: number, waitMs: number, fill: number, batchMs: number): void {
    const { ok } = COUNTER;
    this.overload.batch(now, waitMs, fill, batchMs, this.counters[ok] - this.okBefore);
    this.okBefore = this.counters[ok];
    this.committer.took(batchMs, now);
  }

  /** The answers have been sent, this long after their requests were received. */
  release(seconds: number): void {
    this.commits.measure(this.measures, this.peers, seconds);
    this.topSenders?.note(this.answers, this.peers, this.slotLength, this.now);
    this.answers.count = 0;
    this.outgoing.clear();
  }

  /** In a cluster: connections of other nodes may have closed; records are searched for them. @cold */
  nodesGone(): void {
    this.sweeper.flows?.lookAgain();
  }

  private get decides(): boolean {
    return this.deciding === null || this.deciding.decides;
  }

  private gauge(): void {
    const { counters, store, committer } = this;
    const { quarantined } = store;
    counters[COUNTER.bindings] = store.bindings;
    counters[COUNTER.aors] = store.aors;
    if (quarantined > counters[COUNTER.quarantined]) committer.damaged(quarantined, this.now);
    counters[COUNTER.quarantined] = quarantined;
  }

  private openBatch(): void {
    this.batchIsOpen = true;
    this.exchange.beginBatch(this.now, this.transactions.timerJMs);
    this.admission.refresh(this.now);
    this.sleepers?.beginBatch();
    this.statics?.refresh(this.now);
    this.tap?.refresh(this.now);
  }

  private drop(counter: number): void {
    this.counters[counter]++;
  }

  private keepAlive(at: number, length: number): void {
    this.lifecycle.start(this.slot, this.now);
    const answered = this.lifecycle.keepAlive(at, length);
    this.counters[answered ? COUNTER.stun : COUNTER.dropped_keep_alive]++;
  }

  /** Sets the node whose connection the message came over: this one, unless another has handed it over. @cold */
  private nameNode(node: number): void {
    const { peers, slot } = this;
    this.hasNoWay = false;
    if ((peers.answeredByMain[slot] & VIA_CLUSTER) === 0 && peers.node[slot] !== NODE_NO_WAY) peers.node[slot] = node;
  }

  /** Whether a REGISTER is another node's to decide; then that node has it. @cold */
  private isElsewhere(shard: number, length: number): boolean {
    const { options, peers, slot } = this;
    if (this.deciding === null || table[T_METHOD] !== METHOD_REGISTER) return false;
    if (options.elsewhere?.(shard, slot, length) === true) {
      this.counters[COUNTER.forwarded]++;
      return true;
    }
    this.hasNoWay = peers.node[slot] === NODE_NO_WAY && shard === this.coordinates.index;
    if (!this.hasNoWay) return false;
    peers.node[slot] = options.node ?? 0;
    this.wasAsked = (peers.answeredByMain[slot] & WAS_ASKED) !== 0;
    peers.answeredByMain[slot] &= ~WAS_ASKED;
    return false;
  }

  /** A response: to a request of this shard or of another one, or to none. */
  private answered(error: number, length: number): void {
    const { own, slot, tap } = this;
    const word = error === E_OK ? own.keyWordOfAnswer() : -1;
    if (word < 0) return this.drop(COUNTER.dropped_response);
    const owner = shardOf(word, this.coordinates.shards);
    if (owner !== this.coordinates.index) return this.forwardResponse(owner, length);
    const key = own.answered(this.now);
    if (key === undefined) this.drop(COUNTER.dropped_response);
    else if (tap?.on) tap.received(slot, slotStart(slot), length, key);
  }

  private forwardResponse(owner: number, length: number): void {
    if (this.options.forward(owner, this.slot, length)) this.counters[COUNTER.forwarded]++;
    else this.drop(COUNTER.dropped_ring_full);
  }

  private forward(owner: number, length: number): void {
    if (this.options.forward(owner, this.slot, length)) this.counters[COUNTER.forwarded]++;
    else if (this.isReliable && table[T_METHOD] !== METHOD_ACK) this.lifecycle.putOff(this.slot, this.now);
    else this.drop(COUNTER.dropped_ring_full);
  }

  private cancel(): void {
    let known = false;
    for (let i = 0; i < CANCELLABLE.length && !known; i++) {
      const method = CANCELLABLE[i];
      this.keys.computeAs(method);
      known = this.find(false) !== NEW_REQUEST;
    }
    if (known) this.keys.computeTag();
    this.lifecycle.start(this.slot, this.now);
    this.rules.uas.cancel(this.exchange, known);
    this.lifecycle.finish(-1, false);
  }

  /** §17.2.1: the client has received the answer to its INVITE. */
  private acknowledge(error: number): void {
    const { keys } = this;
    keys.computeAcknowledged();
    const { requestHigh, requestLow, branchHigh, branchLow } = keys;
    const known = error === E_OK && this.invites.acknowledge(requestHigh, requestLow, branchHigh, branchLow);
    this.counters[known ? COUNTER.acknowledged : COUNTER.dropped_ack]++;
  }

  /** §17.2.2: a retransmission gets the answer of its request; another request is new, or came by two ways. */
  private absorb(error: number, length: number): void {
    const wellFormed = error === E_OK;
    const lookup = this.admission.asksForContacts(this.slot);
    // Two proxies may look up the callee of one call: that is no loop.
    const mayMerge = !lookup && table[T_TO + ADDRESS_TAG_AT] < 0;
    const found = wellFormed && !this.isReliable ? this.find(mayMerge) : NEW_REQUEST;
    if (found === IN_PROGRESS) return this.drop(COUNTER.dropped_in_progress);
    if (found === RETRANSMISSION) {
      const t = this.transactions;
      this.answers.add(this.slot, t.answerAt, t.answerEnd, t.answerPort);
      this.counters[COUNTER.absorbed]++;
      return;
    }
    if (found === MERGED_REQUEST) {
      this.lifecycle.start(this.slot, this.now);
      this.rules.uas.merged(this.exchange);
      this.lifecycle.finish(-1, false);
      this.counters[COUNTER.merged]++;
      return;
    }
    if (!this.decides && table[T_METHOD] === METHOD_REGISTER) return this.holdBack(length);
    this.requests.answer(this.slot, length, this.now, found === ANSWER_FORGOTTEN, lookup);
  }

  /**
   * Only the node that owns the shard decides, and only while its stream answers: until then requests are held. Over UDP phones repeat the
   * others. @cold
   */
  private holdBack(length: number): void {
    const { deciding, slot, now } = this;
    if (this.hasNoWay && this.wasAsked) return this.lifecycle.leaveUndecided(slot, now);
    if (this.hasNoWay || deciding?.refuses(now)) return this.lifecycle.putOffUndecided(slot, now);
    if (deciding?.waits && this.held?.keep(slot, length, this.peers)) return;
    if (this.isReliable) this.lifecycle.putOffUndecided(slot, now);
    else this.drop(COUNTER.dropped_not_owner);
  }

  /** A client repeats nothing over a stream: a transaction there ends with its answer (§17.2.2, Timer J is 0). */
  private get isReliable(): boolean {
    return this.peers.transport[this.slot] !== TRANSPORT_UDP;
  }

  private find(mayMerge: boolean): number {
    const k = this.keys;
    return this.transactions.find(k.requestHigh, k.requestLow, k.branchHigh, k.branchLow, mayMerge, this.now);
  }
}
