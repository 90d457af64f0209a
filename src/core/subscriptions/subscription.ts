// One subscription as its notifier sees it (RFC 6665 §4.2.2) and the one NOTIFY of it that is under way (RFC 3261 §17.1.2): what is to be
// told, when, and what an answer or its absence comes to. Time is an argument; who sends is not told here.

import type { Dialog } from './dialog.ts';
import type { ContactElement } from './reginfo.ts';

const T1_MS = 500;
const T2_MS = 4000;
const TIMER_F_MS = 64 * T1_MS;
/** Contacts that have changed since the last NOTIFY; beyond it the next one tells the full state. */
const PENDING_MAX = 64;
const NEVER = Number.POSITIVE_INFINITY;

/** What is to be done now. */
export type Step = 'wait' | 'send' | 'resend' | 'give up';

/** What a NOTIFY tells. */
export interface Told {
  /** Null: the full state. */
  readonly changes: readonly ContactElement[] | null;
  /** A SUBSCRIBE, or its end, asks for it. */
  readonly isAsked: boolean;
}

/** Answers that end a subscription (RFC 6665 §4.2.2). */
const ENDING = new Set([404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604]);

interface NotifyInFlight {
  readonly branch: string;
  /** For a transport that loses messages; null on others. */
  readonly bytes: Uint8Array | null;
  readonly givesUpAt: number;
  /** Sent by TCP, though the subscriber came by UDP, for want of room in a datagram (RFC 3261 §18.1.1). */
  readonly isLarge: boolean;
  resendAt: number;
  intervalMs: number;
}

/** What outlives the process. */
export interface SubscriptionRecord {
  readonly dialog: Dialog;
  /** Epoch ms; 0 where it has come to its end, which no clock that is set back undoes. */
  readonly expiresAt: number;
  /** Of the next document. */
  readonly version: number;
  /** Of the last NOTIFY. */
  readonly cseq: number;
  /** Whether the sender of the last SUBSCRIBE may be told what names the AOR's devices. */
  readonly seesDevices: boolean;
}

export class Subscription {
  /** Names it among those of its shard: small numbers, used again. */
  readonly slot: number;
  dialog: Dialog;
  expiresAt: number;
  version: number;
  cseq: number;
  seesDevices: boolean;
  /** Epoch ms of the last NOTIFY. */
  private toldAt = 0;
  private ending = '';
  /** The next NOTIFY is not put off. */
  private isPrompt = false;
  private isFullDue = false;
  /** The subscriber has missed something: what it is told next is the full state. */
  private isStale = false;
  /** The connection has ended that led to the subscriber. */
  private isCutOff = false;
  /** By id of their contacts. */
  private pending: Map<string, ContactElement> | null = null;
  /** Ids of the contacts that stand by what it was told. */
  private known: readonly string[] = [];
  private request: NotifyInFlight | null = null;

  constructor(slot: number, { dialog, expiresAt, version, cseq, seesDevices }: SubscriptionRecord) {
    this.slot = slot;
    this.dialog = dialog;
    this.expiresAt = expiresAt;
    this.version = version;
    this.cseq = cseq;
    this.seesDevices = seesDevices;
  }

  get record(): SubscriptionRecord {
    const { dialog, version, cseq, seesDevices } = this;
    return { dialog, expiresAt: this.isEnding ? 0 : this.expiresAt, version, cseq, seesDevices };
  }

  /** Branch of the NOTIFY that waits for its answer; empty without one. */
  get branch(): string {
    return this.request?.branch ?? '';
  }

  /** For `resend`. */
  get bytes(): Uint8Array | null {
    return this.request?.bytes ?? null;
  }

  get isEnding(): boolean {
    return this.ending !== '';
  }

  /** A SUBSCRIBE has been answered 200: the full state follows at once, whatever is under way. @param expiresAt not later than `now`: its last NOTIFY */
  granted(expiresAt: number, now: number): void {
    this.expiresAt = expiresAt;
    this.isCutOff = false;
    if (expiresAt <= now) this.end('timeout');
    else this.tellAll();
  }

  /** Its last NOTIFY is due. @param reason RFC 6665 §4.1.3 */
  end(reason: string): void {
    this.ending = reason;
    this.tellAll();
  }

  /**
   * It was read from the disk: what happened since its last NOTIFY is not known.
   * @param at when the full state is told
   * @param expiresMax its end, where it was granted by a clock that has been set back
   */
  resumed(at: number, expiresMax: number): void {
    this.expiresAt = Math.min(this.expiresAt, expiresMax);
    this.tellLater(at);
  }

  private tellLater(at: number): void {
    this.isFullDue = true;
    this.toldAt = at;
  }

  /** Something has changed that no contact tells: the full state follows. */
  outdated(): void {
    this.pending = null;
    this.isFullDue = true;
  }

  /** The state of the AOR cannot be had: the full state is told later. */
  putOff(now: number): void {
    this.pending = null;
    this.isPrompt = false;
    this.tellLater(now);
  }

  /** A contact of the AOR has changed. */
  changed(element: ContactElement): void {
    if (this.isFullDue) return;
    this.pending ??= new Map();
    this.pending.set(element.id, element);
    if (!this.isStale && this.pending.size <= PENDING_MAX) return;
    this.isFullDue = true;
    this.pending = null;
  }

  /** @param intervalMs least time between two NOTIFYs */
  step(now: number, intervalMs: number): Step {
    if (!this.isEnding && now >= this.expiresAt) this.end('timeout');
    const { request } = this;
    if (request === null) return now >= this.tellsAt(intervalMs) ? 'send' : 'wait';
    if (now >= request.givesUpAt) return 'give up';
    return now >= request.resendAt ? 'resend' : 'wait';
  }

  /** When `step` has something to do, epoch ms. */
  dueAt(intervalMs: number): number {
    const { request } = this;
    const own = request === null ? this.tellsAt(intervalMs) : Math.min(request.resendAt, request.givesUpAt);
    return this.isEnding ? own : Math.min(own, this.expiresAt);
  }

  /** Takes what the next NOTIFY tells, whose version is then `version` - 1. @param contacts those that stand */
  take(contacts: readonly ContactElement[]): Told {
    const isFull = this.isFullDue || this.pending === null || this.isSilentOf(contacts);
    this.known = contacts.map(({ id }) => id);
    const told = { changes: isFull ? null : [...(this.pending?.values() ?? [])], isAsked: this.isPrompt };
    this.pending = null;
    this.isFullDue = false;
    this.isPrompt = false;
    this.isStale = false;
    this.cseq++;
    this.version++;
    return told;
  }

  /** No change tells that a contact has gone: its binding has another URI now, as a flow that a new page takes over (RFC 5626 §6). */
  private isSilentOf(contacts: readonly ContactElement[]): boolean {
    return this.known.some((id) => !this.pending?.has(id) && !contacts.some((contact) => contact.id === id));
  }

  /** Of the NOTIFY that `take` was called for. */
  state(now: number): string {
    if (this.isEnding) return `terminated;reason=${this.ending}`;
    return `active;expires=${Math.max(0, Math.ceil((this.expiresAt - now) / 1000))}`;
  }

  /** @param bytes for copies by UDP; null for a subscriber who came by another transport @param isLarge it has left by TCP */
  sent(branch: string, bytes: Uint8Array | null, isLarge: boolean, now: number): void {
    this.toldAt = now;
    const resendAt = bytes === null || isLarge ? NEVER : now + T1_MS;
    this.request = { branch, bytes, isLarge, givesUpAt: now + TIMER_F_MS, resendAt, intervalMs: T1_MS };
  }

  /** TCP has brought no answer to the NOTIFY under way: it goes by UDP, as if it were sent now. False where it did not go by TCP for its size. */
  turnToUdp(now: number): boolean {
    const { request } = this;
    if (!request?.isLarge) return false;
    this.request = { ...request, isLarge: false, givesUpAt: now + TIMER_F_MS, resendAt: now, intervalMs: T1_MS / 2 };
    return true;
  }

  /** Timer E. */
  resent(now: number): void {
    const { request } = this;
    if (request === null) return;
    request.intervalMs = Math.min(2 * request.intervalMs, T2_MS);
    request.resendAt = now + request.intervalMs;
  }

  /** No way leads to the subscriber until it refreshes. */
  cutOff(): void {
    this.isCutOff = true;
    this.missed();
  }

  /** The NOTIFY under way has drawn an answer. Returns whether the subscription has come to its end. */
  answered(status: number): boolean {
    const { request } = this;
    if (request === null) return false;
    if (status < 200) {
      request.intervalMs = T2_MS;
      return false;
    }
    if (this.isEnding || ENDING.has(status)) return true;
    this.request = null;
    if (status >= 300) this.missed();
    return false;
  }

  private tellAll(): void {
    this.isFullDue = true;
    this.isPrompt = true;
    this.pending = null;
    this.request = null;
  }

  private missed(): void {
    this.request = null;
    this.pending = null;
    this.isFullDue = false;
    this.isStale = true;
  }

  private tellsAt(intervalMs: number): number {
    if (this.isPrompt) return 0;
    if (this.isCutOff || (this.pending === null && !this.isFullDue)) return NEVER;
    return this.toldAt + intervalMs;
  }
}
