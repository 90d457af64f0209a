// One subscription in its notifier's view (RFC 6665 §4.2.2), with its one NOTIFY in flight (RFC 3261 §17.1.2): content and time of the
// next NOTIFY, and the effect of an answer or a timeout. Time is an argument; notifier.ts sends.

import type { Dialog } from './dialog.ts';
import type { ContactElement } from './reginfo.ts';

const T1_MS = 500;
const T2_MS = 4000;
const TIMER_F_MS = 64 * T1_MS;
/** Changed contacts since the last NOTIFY; beyond this number the next one has the full state. */
const PENDING_MAX = 64;
const NEVER = Number.POSITIVE_INFINITY;

/** The action due now. */
export type Step = 'wait' | 'send' | 'resend' | 'give up';

/** Content of a NOTIFY. */
export interface Told {
  /** Null: the full state. */
  readonly changes: readonly ContactElement[] | null;
  /** Requested by a SUBSCRIBE, or the last one of the subscription. */
  readonly isAsked: boolean;
}

/** Answers that end a subscription (RFC 6665 §4.2.2). */
const ENDING = new Set([404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604]);

interface NotifyInFlight {
  readonly branch: string;
  /** For copies over a transport that loses messages; null on others. */
  readonly bytes: Uint8Array | null;
  readonly givesUpAt: number;
  /** Sent by TCP, though the subscriber came by UDP, since it exceeds a datagram (RFC 3261 §18.1.1). */
  readonly isLarge: boolean;
  resendAt: number;
  intervalMs: number;
}

/** The part that outlives the process. */
export interface SubscriptionRecord {
  readonly dialog: Dialog;
  /** Epoch ms; 0 after its end, so that a clock set back cannot revive it. */
  readonly expiresAt: number;
  /** Of the next document. */
  readonly version: number;
  /** Of the last NOTIFY. */
  readonly cseq: number;
  /** Whether the sender of the last SUBSCRIBE may see the parameters that name the AOR's devices. */
  readonly seesDevices: boolean;
}

export class Subscription {
  /** Number among the subscriptions of its shard: small, reused. */
  readonly slot: number;
  dialog: Dialog;
  expiresAt: number;
  version: number;
  cseq: number;
  seesDevices: boolean;
  /** Epoch ms of the last NOTIFY. */
  private toldAt = 0;
  private ending = '';
  /** The next NOTIFY is not delayed. */
  private isPrompt = false;
  private isFullDue = false;
  /** A NOTIFY was lost: the next one has the full state. */
  private isStale = false;
  /** The connection to the subscriber has closed. */
  private isCutOff = false;
  /** Changed contacts by id. */
  private pending: Map<string, ContactElement> | null = null;
  /** Ids of the live contacts in the last NOTIFY. */
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

  /**
   * A SUBSCRIBE has been answered 200: the full state follows at once, replacing a NOTIFY in flight.
   * @param expiresAt not later than `now`: its last NOTIFY
   */
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
   * It was read from the disk: changes since its last NOTIFY are unknown.
   * @param at time of the NOTIFY with the full state
   * @param expiresMax its latest end, in case the granting clock has been set back since
   */
  resumed(at: number, expiresMax: number): void {
    this.expiresAt = Math.min(this.expiresAt, expiresMax);
    this.tellLater(at);
  }

  private tellLater(at: number): void {
    this.isFullDue = true;
    this.toldAt = at;
  }

  /** A change that no contact shows: the full state follows. */
  outdated(): void {
    this.pending = null;
    this.isFullDue = true;
  }

  /** The state of the AOR cannot be read: the full state follows later. */
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

  /** Time of the next step, epoch ms. */
  dueAt(intervalMs: number): number {
    const { request } = this;
    const own = request === null ? this.tellsAt(intervalMs) : Math.min(request.resendAt, request.givesUpAt);
    return this.isEnding ? own : Math.min(own, this.expiresAt);
  }

  /** Takes the content of the next NOTIFY, whose version is then `version` - 1. @param contacts the live ones */
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

  /** Whether a known contact has vanished without a change: its binding has another URI now, like a flow that a new page takes over (RFC 5626 §6). */
  private isSilentOf(contacts: readonly ContactElement[]): boolean {
    return this.known.some((id) => !this.pending?.has(id) && !contacts.some((contact) => contact.id === id));
  }

  /** Subscription-State of the NOTIFY that `take` was called for. */
  state(now: number): string {
    if (this.isEnding) return `terminated;reason=${this.ending}`;
    return `active;expires=${Math.max(0, Math.ceil((this.expiresAt - now) / 1000))}`;
  }

  /** @param bytes for copies by UDP; null for a subscriber on another transport @param isLarge it was sent by TCP */
  sent(branch: string, bytes: Uint8Array | null, isLarge: boolean, now: number): void {
    this.toldAt = now;
    const resendAt = bytes === null || isLarge ? NEVER : now + T1_MS;
    this.request = { branch, bytes, isLarge, givesUpAt: now + TIMER_F_MS, resendAt, intervalMs: T1_MS };
  }

  /** TCP has brought no answer to the NOTIFY in flight: it is due over UDP, as if sent now. False where size had not made it a TCP one. */
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

  /** The subscriber cannot be reached until it refreshes. */
  cutOff(): void {
    this.isCutOff = true;
    this.missed();
  }

  /** The NOTIFY in flight has drawn an answer. Returns whether the subscription has ended. */
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
