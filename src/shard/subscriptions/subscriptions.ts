// Subscriptions to registration events at the shard that owns the AORs (RFC 3680, RFC 6665): a SUBSCRIBE makes, refreshes or ends one, a
// committed change is sent to those of its AOR. core/subscriptions checks requests; notifier.ts sends.

import { deriveKey } from '../../core/auth/derived-key.ts';
import type { Changes } from '../../core/binding/changes.ts';
import type { FlowLiveness } from '../../core/binding/live-flow.ts';
import {
  type Dialog,
  dialogNames,
  newDialog,
  notifierContact,
  refreshedDialog,
  rowsText,
} from '../../core/subscriptions/dialog.ts';
import {
  acceptSubscribe,
  checkLengths,
  checkSubscribe,
  grantedS,
  refuseStale,
  refuseTooMany,
  refuseUnknown,
} from '../../core/subscriptions/subscribe-rules.ts';
import { SteadyTime } from '../../core/timers/steady-time.ts';
import type { ShardExchange } from '../../core/uas/exchange.ts';
import { givesGruus, type Policy } from '../../core/uas/policy.ts';
import { answerPort } from '../../core/uas/response.ts';
import type { UserAgentServer } from '../../core/uas/uas.ts';
import type { LocationStore } from '../../location/location-store.ts';
import { table } from '../../sip/parser/slab.ts';
import { H_EVENT, T_CSEQ } from '../../sip/parser/span-table.ts';
import { ANSWERED_BY_MAIN, TRANSPORT_UDP } from '../../sip/sources.ts';
import { COUNTER } from '../observe/counters.ts';
import type { EventSink } from '../observe/event-ring.ts';
import { PacedLog } from '../observe/paced-log.ts';
import type { OutgoingRequests } from '../outgoing/outgoing-requests.ts';
import type { ShardLog } from '../shard-options.ts';
import { sooner } from '../sooner.ts';
import type { StaticEntries, StaticTable } from '../statics/static-table.ts';
import { Notifier } from './notifier.ts';
import { notifierInstance, notifierTag } from './notifier-names.ts';
import { RegistrationState } from './registration-state.ts';
import type { SubscriptionOptions } from './subscription-options.ts';
import { AGAIN_MS, AGAIN_S, type Entry, SubscriptionTable } from './subscription-table.ts';
import type { WatchedAor } from './watched-aors.ts';

/** Retry-After of a SUBSCRIBE beyond the maximum. */
const FULL_AGAIN_S = 60;
/** Interval between full states to subscriptions read from the disk, so that not all are sent at once. */
const RESUME_STEP_MS = 2;
/** Interval of checks for static bindings while registrations are watched. */
const STATICS_MS = 1000;

interface SubscriptionParts {
  readonly options: SubscriptionOptions;
  readonly store: LocationStore;
  readonly statics: StaticTable | null;
  readonly flows: FlowLiveness | null;
  readonly policy: Policy;
  readonly secret: Uint8Array;
  readonly outgoing: OutgoingRequests;
  readonly counters: Float64Array;
  readonly log: ShardLog;
}

/** Of the current request. */
interface Asked {
  /** Its AOR: key and canonical name. */
  readonly key: Uint32Array;
  readonly aor: Uint8Array;
  readonly aorLength: number;
}

export class Subscriptions {
  readonly notifier: Notifier;
  readonly table: SubscriptionTable;
  private readonly state: RegistrationState;
  private readonly options: SubscriptionOptions;
  private readonly counters: Float64Array;
  /** Names this notifier in its GRUUs (RFC 6665 §4.5.1). */
  private readonly instance: string;
  private readonly statics: StaticTable | null;
  /** At the last check. */
  private seenStatics: StaticEntries = new Map();
  private policy: Policy;
  /** Time of the schedule: a clock set back neither silences nor prolongs a subscription. */
  private readonly time = new SteadyTime();
  /** By `time`. */
  private now = 0;
  /** When subscriptions of earlier lives are loaded, unless they are. */
  private resumesAt = 0;

  constructor(parts: SubscriptionParts) {
    const { options, store, statics, flows, policy, secret, outgoing, counters, log } = parts;
    const failed = (event: string) => {
      const line = new PacedLog(log, event);
      return (error: unknown) => void line.tell({ error: String(error) }, this.now);
    };
    this.options = options;
    this.counters = counters;
    this.statics = statics;
    this.policy = policy;
    this.instance = notifierInstance(secret);
    this.state = new RegistrationState(store, statics, deriveKey(secret, 'reginfo ids'));
    this.table = new SubscriptionTable(options.journal ?? null, failed('subscriptions cannot be written'));
    const unreadable = failed('a registration that is watched cannot be read');
    const { table, state } = this;
    const { sentBy } = options;
    this.notifier = new Notifier({ table, state, flows, sentBy, outgoing, counters, unreadable }, policy.subscriptions);
    this.notifier.configure(policy.subscriptions, givesGruus(policy));
  }

  configure(policy: Policy): void {
    this.policy = policy;
    this.notifier.configure(policy.subscriptions, givesGruus(policy));
  }

  /** Whether an AOR is watched: else its changes need not be collected. */
  watches(key: Uint32Array): boolean {
    return this.table.watched.has(key);
  }

  get any(): boolean {
    return this.table.count > 0;
  }

  /** A receiver of committed changes, for subscriptions and `others`. */
  heardWith(others: EventSink | undefined): EventSink {
    const { table, state } = this;
    return {
      get listening() {
        return table.count > 0 || others?.listening === true;
      },
      publish: (changes: Changes) => {
        if (others?.listening) others.publish(changes);
        if (table.count === 0) return;
        state.spread(changes, table.watched, givesGruus(this.policy), (aor) => this.planAll(aor));
      },
    };
  }

  /**
   * Answers the SUBSCRIBE in the table, whose sender may watch the AOR; returns the status of the answer written.
   * @param again its answer is forgotten: this copy's sender is not authenticated, so it makes no subscription
   */
  serve(exchange: ShardExchange, asked: Asked, uas: UserAgentServer, again: boolean): number {
    const refused =
      checkSubscribe(exchange, this.policy.subscriptions) ||
      checkLengths(exchange, asked.aorLength, this.policy.aorBytesMax);
    if (refused !== 0) return refused;
    this.begin(exchange.request.now);
    if (!this.table.isOpen) return uas.notKept(exchange, AGAIN_S); // one that is not loaded yet is not unknown
    const names = dialogNames();
    const aor = this.table.watched.find(asked.key);
    if (names.localTag !== '') return this.refresh(exchange, this.table.find(aor, names), uas, again);
    const { tagHigh, tagLow } = exchange.request;
    const localTag = notifierTag(tagHigh, tagLow);
    const before = this.table.find(aor, { ...names, localTag });
    if (before !== undefined) return this.repeat(exchange, before);
    return again ? refuseUnknown(exchange) : this.make(exchange, asked, aor, localTag, uas);
  }

  /** Takes the response in the table. Returns the key of its AOR, undefined where it answers no request of this shard. */
  answered(clock: number): Uint32Array | undefined {
    this.begin(clock);
    return this.notifier.answered(this.now);
  }

  /** The NOTIFY in the table has found no connection. */
  notSent(clock: number): void {
    this.begin(clock);
    this.notifier.notSent(this.now);
  }

  /** After a commit: passes due NOTIFYs to the outgoing requests. */
  work(clock: number): void {
    this.begin(clock);
    if (this.statics !== null && this.any) this.lookAtStatics(this.statics, clock);
    this.notifier.work(this.now, clock);
    this.table.work(this.now);
    this.counters[COUNTER.subscriptions] = this.table.count;
  }

  /** Milliseconds until `work` is due, 0 when it is, -1 when there is nothing to wait for. */
  msToNext(clock: number): number {
    if (this.now === 0) return 0;
    const now = this.time.at(clock);
    const own = sooner(this.table.msToNext(now), this.notifier.msToNext(now));
    return this.any && this.statics !== null ? sooner(own, STATICS_MS) : own;
  }

  /** At the first call in this life of the shard, resumes the subscriptions of earlier ones: where the disk fails, at a later call. */
  private begin(clock: number): void {
    const now = this.time.at(clock);
    this.table.ahead = now - clock;
    if (!this.table.isOpen && now >= this.resumesAt) this.resume(now);
    this.now = now;
  }

  private resume(now: number): void {
    this.resumesAt = now + AGAIN_MS;
    const answeredByMain = this.options.udpByMain ? ANSWERED_BY_MAIN : 0;
    const entries = this.table.open((peer) => (peer.transport === TRANSPORT_UDP ? { ...peer, answeredByMain } : peer));
    for (const [i, entry] of entries.entries()) {
      entry.subscription.resumed(now + i * RESUME_STEP_MS, now + this.policy.subscriptions.maxExpiresS * 1000);
      this.notifier.plan(entry, now);
    }
  }

  private make(
    exchange: ShardExchange,
    { key, aor, aorLength }: Asked,
    watched: WatchedAor | undefined,
    localTag: string,
    uas: UserAgentServer,
  ): number {
    const { perAorMax, perShardMax } = this.policy.subscriptions;
    if (this.table.count >= perShardMax) return uas.busy(exchange, FULL_AGAIN_S);
    if ((watched?.subscriptions.length ?? 0) >= perAorMax) return refuseTooMany(exchange);
    const name = Buffer.from(aor.subarray(0, aorLength));
    const dialog = newDialog(localTag, notifierContact(name, this.instance), rowsText(H_EVENT) ?? 'reg');
    const record = { dialog, expiresAt: this.now, version: 0, cseq: 0, seesDevices: false };
    const entry = this.table.add(record, key, name.toString('latin1'));
    const status = this.grant(exchange, entry, dialog, uas);
    if (status !== 200) this.notifier.remove(entry);
    return status;
  }

  private refresh(exchange: ShardExchange, entry: Entry | undefined, uas: UserAgentServer, again: boolean): number {
    if (entry === undefined || entry.subscription.isEnding) return refuseUnknown(exchange);
    const { dialog } = entry.subscription;
    if (dialog.event !== rowsText(H_EVENT)) return refuseUnknown(exchange);
    const cseq = table[T_CSEQ] >>> 0;
    if (cseq === dialog.remoteCseq) return this.repeat(exchange, entry);
    if (cseq < dialog.remoteCseq || again) return refuseStale(exchange);
    return this.grant(exchange, entry, refreshedDialog(dialog), uas);
  }

  /** Makes a forgotten answer once more. */
  private repeat(exchange: ShardExchange, { subscription }: Entry): number {
    const left = subscription.isEnding ? 0 : Math.ceil((subscription.expiresAt - this.now) / 1000);
    return acceptSubscribe(exchange, Math.max(0, left), subscription.dialog.contact);
  }

  /**
   * Writes down what the request changes, then puts it in force; returns the status of the answer written. Later requests go to where that
   * answer goes, so that a subscriber cannot have them sent to others. Where the disk fails, a subscription goes on as it was, as its
   * subscriber takes it to (RFC 6665 §4.1.2.2).
   */
  private grant(exchange: ShardExchange, entry: Entry, dialog: Dialog, uas: UserAgentServer): number {
    const { now } = this;
    const { subscription } = entry;
    const { request, result } = exchange;
    const { seesDevices } = exchange.work;
    const seconds = grantedS(this.policy.subscriptions);
    const status = this.accept(exchange, seconds, dialog.contact, uas);
    if (status !== 200) return status;
    const expiresAt = now + seconds * 1000;
    const record = { ...subscription.record, dialog, seesDevices, expiresAt: seconds === 0 ? 0 : expiresAt };
    if (!this.table.change(entry, record, request.peers, request.peer, answerPort(request))) {
      result.reset();
      return uas.notKept(exchange, FULL_AGAIN_S);
    }
    this.notifier.forget(entry);
    subscription.dialog = dialog;
    subscription.seesDevices = seesDevices;
    subscription.granted(expiresAt, now);
    this.counters[COUNTER.subscribed]++;
    this.notifier.plan(entry, now);
    return 200;
  }

  private accept(exchange: ShardExchange, seconds: number, contact: string, uas: UserAgentServer): number {
    const status = acceptSubscribe(exchange, seconds, contact);
    if (!exchange.result.answer.overflow) return status;
    exchange.result.reset();
    return uas.failed(exchange);
  }

  /** After a change of static bindings the full state is sent, since the former ones are no longer known. */
  private lookAtStatics(statics: StaticTable, now: number): void {
    statics.refresh(now);
    const { seenStatics } = this;
    if (statics.entries === seenStatics) return;
    this.seenStatics = statics.entries;
    for (const aor of this.table.watched.all()) {
      if (!statics.hasChanged(aor.key, seenStatics)) continue;
      for (const subscription of aor.subscriptions) subscription.outdated();
      this.planAll(aor);
    }
  }

  private planAll(aor: WatchedAor): void {
    for (const { slot } of aor.subscriptions) {
      const entry = this.table.at(slot);
      if (entry !== undefined) this.notifier.plan(entry, this.now);
    }
  }
}
