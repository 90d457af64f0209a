// Sends the NOTIFYs of a shard's subscriptions: each when it is due, again if UDP may have lost it. An answer or its absence is
// noted. Runs after the commit of each batch; NOTIFYs are sent with the batch's answers.

import { randomBytes } from 'node:crypto';
import type { FlowLiveness } from '../../core/binding/live-flow.ts';
import { aorUri } from '../../core/subscriptions/contact-elements.ts';
import { withoutDevice } from '../../core/subscriptions/device-parameters.ts';
import { textOf, writeNotify } from '../../core/subscriptions/dialog.ts';
import { type ContactElement, type Reginfo, writeReginfo } from '../../core/subscriptions/reginfo.ts';
import type { SubscriptionPolicy } from '../../core/subscriptions/subscription-policy.ts';
import { type TimerVisitor, TimerWheel } from '../../core/timers/timer-wheel.ts';
import { writeIp } from '../../sip/ip.ts';
import { table } from '../../sip/parser/slab.ts';
import { T_STATUS, T_VIAS, VIA_BRANCH_AT, VIA_BRANCH_END } from '../../sip/parser/span-table.ts';
import { TRANSPORT_NAMES, TRANSPORT_UDP } from '../../sip/sources.ts';
import { COUNTER } from '../observe/counters.ts';
import type { OutgoingRequests } from '../outgoing/outgoing-requests.ts';
import type { SentBy } from '../outgoing/sent-by.ts';
import type { RegistrationState } from './registration-state.ts';
import type { Entry, SubscriptionTable } from './subscription-table.ts';

const TICK_MS = 50;
/** Timers visited in one batch. */
const TIMERS_MAX = 1024;
/** `z9hG4bK`, a letter, the last word of the AOR's key, which names the shard, and random digits. */
const BRANCH = /^z9hG4bKr([0-9a-f]{8})[0-9a-f]{16}$/;

export interface NotifierParts {
  readonly table: SubscriptionTable;
  readonly state: RegistrationState;
  readonly flows: FlowLiveness | null;
  /** By listener. */
  readonly sentBy: readonly SentBy[];
  readonly outgoing: OutgoingRequests;
  readonly counters: Float64Array;
  /** Gets the error of an unreadable record. */
  readonly unreadable: (error: unknown) => void;
}

/** For the response in the table: the last word of the AOR's key, if it answers a NOTIFY of any shard; else -1. */
export function keyWordOfAnswer(): number {
  const [, word] = BRANCH.exec(branchOfAnswer()) ?? [];
  return word === undefined ? -1 : Number.parseInt(word, 16);
}

function branchOfAnswer(): string {
  return textOf(table[T_VIAS + VIA_BRANCH_AT], table[T_VIAS + VIA_BRANCH_END]);
}

export class Notifier implements TimerVisitor {
  private readonly outgoing: OutgoingRequests;
  private readonly parts: NotifierParts;
  private readonly wheel = new TimerWheel(TICK_MS);
  /** Slots of due subscriptions, oldest first. */
  private readonly ready = new Set<number>();
  /** By branch of the NOTIFY in flight. */
  private readonly underWay = new Map<string, Entry>();
  private intervalMs: number;
  private gruus = false;
  /** Of the NOTIFY written last. */
  private lastBranch = '';
  /** The clock's time, for documents; all else uses a time that never shrinks. */
  private clock = 0;

  constructor(parts: NotifierParts, policy: SubscriptionPolicy) {
    this.parts = parts;
    this.outgoing = parts.outgoing;
    this.intervalMs = policy.notifyIntervalS * 1000;
  }

  configure(policy: SubscriptionPolicy, gruus: boolean): void {
    this.intervalMs = policy.notifyIntervalS * 1000;
    this.gruus = gruus;
  }

  /** For the wheel. */
  visit(slot: number): void {
    this.ready.add(slot);
  }

  /** Schedules a subscription after a change. */
  plan({ subscription }: Entry, now: number): void {
    const at = subscription.dueAt(this.intervalMs);
    if (at <= now) this.ready.add(subscription.slot);
    else if (at < Number.POSITIVE_INFINITY) this.wheel.add(subscription.slot, at);
  }

  /** Sends due NOTIFYs, as many as fit one batch. @param clock epoch ms by the clock */
  work(now: number, clock: number): void {
    this.clock = clock;
    const { table } = this.parts;
    this.wheel.advance(now, TIMERS_MAX, this);
    for (const slot of this.ready) {
      if (this.outgoing.isFull) return;
      this.ready.delete(slot);
      const entry = table.at(slot);
      if (entry !== undefined) this.act(entry, now);
    }
  }

  /** Milliseconds until `work` is due, 0 when it is, -1 when there is nothing to wait for. */
  msToNext(now: number): number {
    return this.ready.size > 0 ? 0 : this.wheel.msToNextTick(now);
  }

  /** Takes the response in the table, if it answers a NOTIFY of this shard. Returns the key of its AOR, undefined if not. */
  answered(now: number): Uint32Array | undefined {
    const entry = this.underWay.get(branchOfAnswer());
    if (entry === undefined) return undefined;
    const { counters } = this.parts;
    const status = table[T_STATUS];
    const isOver = entry.subscription.answered(status);
    if (status >= 300) counters[COUNTER.notify_refused]++;
    if (isOver) this.remove(entry);
    else {
      if (status >= 200) this.underWay.delete(branchOfAnswer());
      this.plan(entry, now);
    }
    return entry.aor.key;
  }

  /** The request in the table, a NOTIFY of this shard, has found no connection. */
  notSent(now: number): void {
    const entry = this.underWay.get(branchOfAnswer());
    if (entry?.subscription.turnToUdp(now)) this.plan(entry, now);
  }

  /** Removes the subscription; nothing more of it is sent. */
  remove(entry: Entry): void {
    this.underWay.delete(entry.subscription.branch);
    this.ready.delete(entry.subscription.slot);
    this.wheel.remove(entry.subscription.slot);
    this.parts.table.remove(entry);
  }

  /** Forgets the NOTIFY in flight: its answer is ignored. */
  forget({ subscription }: Entry): void {
    this.underWay.delete(subscription.branch);
  }

  private act(entry: Entry, now: number): void {
    const { subscription } = entry;
    const { counters, table } = this.parts;
    const { branch } = subscription;
    const step = subscription.step(now, this.intervalMs);
    if (subscription.branch !== branch) this.underWay.delete(branch);
    if (step === 'give up') {
      if (subscription.turnToUdp(now)) {
        this.outgoing.large.refused(table.rows, subscription.slot, this.clock);
        return this.plan(entry, now);
      }
      counters[COUNTER.notify_timeouts]++;
      return this.remove(entry);
    }
    if (step === 'resend' && subscription.bytes !== null) {
      this.outgoing.add(subscription.bytes, table.rows, subscription.slot, entry.aor.key, this.clock);
      subscription.resent(now);
      counters[COUNTER.notify_resent]++;
    }
    if (step === 'send' && !this.send(entry, now)) return this.remove(entry);
    this.plan(entry, now);
  }

  /** Sends a NOTIFY. False where the subscriber cannot be reached for the last one. */
  private send(entry: Entry, now: number): boolean {
    const { subscription } = entry;
    const { slot } = subscription;
    const { table, flows, counters } = this.parts;
    const { rows } = table;
    const isUdp = rows.transport[slot] === TRANSPORT_UDP;
    if (!isUdp && flows?.isAlive(rows.flow[slot], rows.node[slot]) === false) {
      if (subscription.isEnding) return false;
      subscription.cutOff();
      return true;
    }
    const contacts = this.read(entry);
    if (contacts === null) {
      subscription.putOff(now);
      return true;
    }
    const bytes = this.write(entry, contacts, now);
    this.outgoing.add(bytes, rows, slot, entry.aor.key, this.clock);
    const isLarge = this.outgoing.large.takes(bytes.length, rows, slot, this.clock);
    subscription.sent(this.lastBranch, isUdp ? bytes : null, isLarge, now);
    this.underWay.set(this.lastBranch, entry);
    table.told(entry);
    counters[COUNTER.notified]++;
    return true;
  }

  private write({ subscription, aor }: Entry, contacts: readonly ContactElement[], now: number): Buffer {
    const { changes, isAsked } = subscription.take(contacts);
    const told = changes ?? contacts;
    const uri = aorUri(Buffer.from(aor.name, 'latin1'));
    const document: Reginfo = {
      version: subscription.version - 1,
      state: changes === null ? 'full' : 'partial',
      aor: uri,
      id: this.parts.state.elements.id(aor.name),
      registration: contacts.length > 0 ? 'active' : isAsked ? 'init' : 'terminated',
      contacts: subscription.seesDevices ? told : told.map(withoutDevice),
    };
    const word = aor.key[3].toString(16).padStart(8, '0');
    this.lastBranch = `z9hG4bKr${word}${randomBytes(8).toString('hex')}`;
    return writeNotify({
      dialog: subscription.dialog,
      via: this.viaOf(subscription.slot, aor.name),
      branch: this.lastBranch,
      cseq: subscription.cseq,
      state: subscription.state(now),
      body: writeReginfo(document, this.clock),
    });
  }

  private read({ aor }: Entry): readonly ContactElement[] | null {
    try {
      return this.parts.state.contacts(aor, this.clock, this.gruus);
    } catch (error) {
      this.parts.unreadable(error);
      return null;
    }
  }

  /** Via with its sent-by: the address for answers that find no other way. */
  private viaOf(slot: number, aor: string): string {
    const { rows } = this.parts.table;
    const { host = '', port = 0 }: Partial<SentBy> = this.parts.sentBy[rows.listener[slot]] ?? {};
    const name = host || localAddress(rows, slot) || aor.slice(aor.lastIndexOf('@') + 1);
    return `SIP/2.0/${TRANSPORT_NAMES[rows.transport[slot]].toUpperCase()} ${name}${port > 0 ? `:${port}` : ''}`;
  }
}

/** The address that the SUBSCRIBE was sent to; empty where only the kernel knows it. */
function localAddress({ family, local }: SubscriptionTable['rows'], row: number): string {
  const ip = local.subarray(row << 4, (row + 1) << 4);
  if (ip.every((byte) => byte === 0)) return '';
  const text = new Uint8Array(48);
  const length = writeIp({ family: Uint8Array.of(family[row]), ip }, 0, text);
  const address = Buffer.from(text.buffer, 0, length).toString('latin1');
  return family[row] === 6 ? `[${address}]` : address;
}
