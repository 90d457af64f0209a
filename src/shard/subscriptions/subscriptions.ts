// Subscriptions to registration events at the shard that owns the AORs (RFC 3680, RFC 6665): a SUBSCRIBE makes, refreshes or ends one, a
// committed change is told to those of its AOR. What a request must be is core/subscriptions'; sending is the notifier's.

import { deriveKey } from '../../core/auth/derived-key.ts';
import type { Changes } from '../../core/binding/changes.ts';
import type { FlowLiveness } from '../../core/binding/live-flow.ts';
import { dialogNames, newDialog, notifierContact, refreshedDialog, rowsText } from '../../core/subscriptions/dialog.ts';
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
import { ANSWERED_BY_MAIN, copyPeer, TRANSPORT_UDP } from '../../sip/sources.ts';
import { COUNTER } from '../observe/counters.ts';
import type { EventSink } from '../observe/event-ring.ts';
import { PacedLog } from '../observe/paced-log.ts';
import type { OutgoingRequests } from '../outgoing/outgoing-requests.ts';
import type { ShardLog } from '../shard-options.ts';
import { sooner } from '../sooner.ts';
import type { StaticTable } from '../statics/static-table.ts';
import { Notifier } from './notifier.ts';
import { notifierInstance, notifierTag } from './notifier-names.ts';
import { RegistrationState } from './registration-state.ts';
import type { SubscriptionOptions } from './subscription-options.ts';
import { type Entry, SubscriptionTable } from './subscription-table.ts';
import type { WatchedAor } from './watched-aors.ts';

/** When who found no room may come again. */
const FULL_AGAIN_S = 60;
/** Between two subscriptions that were read from the disk: each is told the full state, and not all at once. */
const RESUME_STEP_MS = 2;
/** How often static bindings are looked at where somebody watches. */
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

/** Of the request that is decided about. */
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
  private staticGeneration = 0;
  private policy: Policy;
  /** Who is told when: a clock set back neither silences nor prolongs a subscription. */
  private readonly time = new SteadyTime();
  /** By `time`. */
  private now = 0;

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

  /** Whether anybody watches an AOR: else its changes need not be gathered. */
  watches(key: Uint32Array): boolean {
    return this.table.watched.has(key);
  }

  get any(): boolean {
    return this.table.count > 0;
  }

  /** Hears of committed changes beside `others`. */
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
   * Decides about the SUBSCRIBE in the table, whose sender may watch the AOR; the status of the answer written.
   * @param again its answer is forgotten: nobody has asked who sent this copy, and it makes nothing
   */
  serve(exchange: ShardExchange, asked: Asked, uas: UserAgentServer, again: boolean): number {
    const refused =
      checkSubscribe(exchange, this.policy.subscriptions) ||
      checkLengths(exchange, asked.aorLength, this.policy.aorBytesMax);
    if (refused !== 0) return refused;
    this.begin(exchange.request.now);
    const names = dialogNames();
    const aor = this.table.watched.find(asked.key);
    if (names.localTag !== '') return this.refresh(exchange, this.table.find(aor, names), uas, again);
    const { tagHigh, tagLow } = exchange.request;
    const localTag = notifierTag(tagHigh, tagLow);
    const before = this.table.find(aor, { ...names, localTag });
    if (before !== undefined) return this.repeat(exchange, before);
    return again ? refuseUnknown(exchange) : this.make(exchange, asked, aor, localTag, uas);
  }

  /** The response in the table; key of the AOR that it is about, undefined where it answers nothing of this shard's. */
  answered(clock: number): Uint32Array | undefined {
    this.begin(clock);
    return this.notifier.answered(this.now);
  }

  /** The NOTIFY in the table has found no connection. */
  notSent(clock: number): void {
    this.begin(clock);
    this.notifier.notSent(this.now);
  }

  /** Behind a commit: what is due is put where it is sent from. */
  work(clock: number): void {
    this.begin(clock);
    if (this.statics !== null && this.any) this.lookAtStatics(this.statics, clock);
    this.notifier.work(this.now, clock);
    this.table.work(this.now);
    this.counters[COUNTER.subscriptions] = this.table.count;
  }

  /** Milliseconds until `work` has something to do, 0 when it has, -1 when there is nothing to wait for. */
  msToNext(clock: number): number {
    if (this.now === 0) return 0;
    const now = this.time.at(clock);
    const own = sooner(this.table.msToNext(now), this.notifier.msToNext(now));
    return this.any && this.statics !== null ? sooner(own, STATICS_MS) : own;
  }

  /** The first moment that this life of the shard sees: subscriptions of the ones before go on. */
  private begin(clock: number): void {
    const now = this.time.at(clock);
    this.table.ahead = now - clock;
    if (this.now === 0) {
      const { udpByMain } = this.options;
      const answeredByMain = udpByMain ? ANSWERED_BY_MAIN : 0;
      const entries = this.table.open((peer) =>
        peer.transport === TRANSPORT_UDP ? { ...peer, answeredByMain } : peer,
      );
      for (const [i, entry] of entries.entries()) {
        entry.subscription.resumed(now + i * RESUME_STEP_MS, now + this.policy.subscriptions.maxExpiresS * 1000);
        this.notifier.plan(entry, now);
      }
    }
    this.now = now;
  }

  private make(
    exchange: ShardExchange,
    { key, aor, aorLength }: Asked,
    watched: WatchedAor | undefined,
    localTag: string,
    uas: UserAgentServer,
  ): number {
    const { now } = this;
    const { perAorMax, perShardMax } = this.policy.subscriptions;
    if (this.table.count >= perShardMax) return uas.busy(exchange, FULL_AGAIN_S);
    if ((watched?.subscriptions.length ?? 0) >= perAorMax) return refuseTooMany(exchange);
    const name = Buffer.from(aor.subarray(0, aorLength));
    const dialog = newDialog(localTag, notifierContact(name, this.instance), rowsText(H_EVENT) ?? 'reg');
    const seconds = grantedS(this.policy.subscriptions);
    const status = this.accept(exchange, seconds, dialog.contact, uas);
    if (status !== 200) return status;
    const { seesDevices } = exchange.work;
    const record = { dialog, expiresAt: now + seconds * 1000, version: 0, cseq: 0, seesDevices };
    const entry = this.table.add(record, key, name.toString('latin1'));
    this.aim(exchange, entry);
    if (this.granted(entry, record.expiresAt)) return 200;
    this.notifier.remove(entry);
    exchange.result.reset();
    return uas.notKept(exchange, FULL_AGAIN_S);
  }

  private refresh(exchange: ShardExchange, entry: Entry | undefined, uas: UserAgentServer, again: boolean): number {
    if (entry === undefined || entry.subscription.isEnding) return refuseUnknown(exchange);
    const { subscription } = entry;
    const { dialog } = subscription;
    if (dialog.event !== rowsText(H_EVENT)) return refuseUnknown(exchange);
    const cseq = table[T_CSEQ] >>> 0;
    if (cseq === dialog.remoteCseq) return this.repeat(exchange, entry);
    if (cseq < dialog.remoteCseq || again) return refuseStale(exchange);
    const { now } = this;
    const seconds = grantedS(this.policy.subscriptions);
    const status = this.accept(exchange, seconds, dialog.contact, uas);
    if (status !== 200) return status;
    this.notifier.forget(entry);
    subscription.dialog = refreshedDialog(dialog);
    subscription.seesDevices = exchange.work.seesDevices;
    this.aim(exchange, entry);
    this.granted(entry, now + seconds * 1000);
    return 200;
  }

  /** From here on requests take the way of this one's answer: whoever may subscribe can send them to nobody else. */
  private aim({ request }: ShardExchange, { subscription }: Entry): void {
    const { rows } = this.table;
    copyPeer(request.peers, request.peer, rows, subscription.slot);
    rows.port[subscription.slot] = answerPort(request);
  }

  /** Its answer is forgotten, and the same once more. */
  private repeat(exchange: ShardExchange, { subscription }: Entry): number {
    const left = subscription.isEnding ? 0 : Math.ceil((subscription.expiresAt - this.now) / 1000);
    return acceptSubscribe(exchange, Math.max(0, left), subscription.dialog.contact);
  }

  /** False where the disk would not have it. */
  private granted(entry: Entry, expiresAt: number): boolean {
    entry.subscription.granted(expiresAt, this.now);
    this.counters[COUNTER.subscribed]++;
    this.notifier.plan(entry, this.now);
    return this.table.keep(entry);
  }

  private accept(exchange: ShardExchange, seconds: number, contact: string, uas: UserAgentServer): number {
    const status = acceptSubscribe(exchange, seconds, contact);
    if (!exchange.result.answer.overflow) return status;
    exchange.result.reset();
    return uas.failed(exchange);
  }

  /** Static bindings have changed: by the full state, for what they were is known no more. */
  private lookAtStatics(statics: StaticTable, now: number): void {
    statics.refresh(now);
    if (statics.generation === this.staticGeneration) return;
    this.staticGeneration = statics.generation;
    for (const aor of this.table.watched.all()) {
      if (!statics.hasChanged(aor.key)) continue;
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
