// A phone: registers, retransmits (RFC 3261 §17.1.2: T1, T2, Timer F), refreshes before its bindings run out, goes away and
// comes back, reboots with a new Call-ID. It remembers what it has been told, so that the world can hold it against the store.

import type { Random } from './random.ts';
import type { Planned, Timeline } from './timeline.ts';

const T1_MS = 500;
const T2_MS = 4000;
const TIMER_F_MS = 64 * T1_MS;
/** Within this time of its first sending a server that still lives cannot have forgotten a request. */
const SURELY_REMEMBERED_MS = 25_000;
/** Long enough for every copy of what was sent before to have arrived. */
const BOOT_MS_MIN = 45_000;

/** What the phone knows of its contacts. */
export type Belief =
  | {
      readonly kind: 'bound';
      readonly callId: string;
      readonly cseq: number;
      readonly from: number;
      readonly to: number;
    }
  | { readonly kind: 'unbound' }
  | { readonly kind: 'unknown' };

export interface PhoneOptions {
  readonly name: string;
  readonly aor: string;
  readonly contacts: readonly string[];
  /** Last three bytes of 10.x.y.z. */
  readonly host: number;
  /** Asks for rport, and is answered at the port of its NAT; else it is answered at 5060, wherever it sends from. */
  readonly nat: boolean;
  /** The only phone of its AOR: it may use "*". */
  readonly alone: boolean;
  readonly askS: number;
}

export interface World {
  readonly timeline: Timeline;
  readonly random: Random;
  /** Counts restarts of servers. */
  readonly epoch: number;
  /** How far servers' clocks differ, s; nothing where there is one. */
  readonly clocksDifferS?: number;
  send(phone: Phone, text: string): void;
  /** The phone is about to ask this of the registrar for the first time. */
  asked(phone: Phone, callId: string, cseq: number): void;
}

interface Outstanding {
  readonly kind: 'register' | 'unregister';
  readonly text: string;
  readonly cseq: number;
  readonly askS: number;
  readonly sentAt: number;
  readonly epoch: number;
  timers: Planned[];
}

export class Phone {
  readonly options: PhoneOptions;
  /** The port it is seen to send from. */
  readonly sourcePort: number;
  /** The port it hears answers at. */
  readonly port: number;
  belief: Belief = { kind: 'unbound' };
  /** Requests that ended with a 200, those that ended with another answer, those that drew none at all. */
  succeeded = 0;
  failed = 0;
  timedOut = 0;
  settled = false;
  private readonly world: World;
  private boots = 0;
  private callId = '';
  private cseq = 0;
  private askS: number;
  private outstanding: Outstanding | undefined;
  private plan: Planned | undefined;
  private settling = false;
  private retrying = false;
  private off = false;

  constructor(options: PhoneOptions, world: World) {
    this.options = options;
    this.world = world;
    this.askS = options.askS;
    this.sourcePort = 20_000 + (options.host % 30_000);
    this.port = options.nat ? this.sourcePort : 5060;
    this.boot();
  }

  get busy(): boolean {
    return this.outstanding !== undefined;
  }

  start(afterMs: number): void {
    this.next(afterMs, () => this.ask('register'));
  }

  /** Stops roaming: one more registration and no more. */
  settle(): void {
    this.settling = true;
    this.askS = 600;
    if (this.outstanding === undefined) this.next(this.world.random.between(0, 2000), () => this.ask('register'));
  }

  /** Refreshes at once, where it has something to refresh and nothing else to do. */
  hurry(): void {
    if (!this.busy && !this.retrying && !this.settling && this.belief.kind === 'bound' && !this.off)
      this.next(this.world.random.between(0, 20), () => this.ask('register'));
  }

  /** A server forgot what it refused: a late copy of a refused request would now be a request like any other. */
  serverRestarted(): void {
    if (this.retrying) this.belief = { kind: 'unknown' };
  }

  /** An answer has come to the phone's address. */
  receive(text: string): void {
    const { outstanding } = this;
    const cseq = Number(/^CSeq: (\d+) REGISTER\r$/m.exec(text)?.[1]);
    const callId = /^Call-ID: (.*)\r$/m.exec(text)?.[1];
    if (outstanding === undefined || outstanding.cseq !== cseq || callId !== this.callId) return; // an old one
    this.end();
    const status = Number(text.slice(8, 11));
    if (status === 200) this.succeed(outstanding, text);
    else this.fail(outstanding, status, text);
  }

  private boot(): void {
    this.boots++;
    this.callId = `${this.options.name}-${this.boots}@phone`;
    this.cseq = this.world.random.between(1, 5);
  }

  private next(afterMs: number, action: () => void): void {
    if (this.plan) this.plan.cancelled = true;
    this.plan = this.world.timeline.after(afterMs, action);
  }

  private ask(kind: 'register' | 'unregister'): void {
    const { world } = this;
    this.off = false;
    this.cseq++;
    const now = world.timeline.now;
    const text = this.textOf(kind);
    const { cseq, askS } = this;
    this.outstanding = { kind, text, cseq, askS, sentAt: now, epoch: world.epoch, timers: [] };
    world.asked(this, this.callId, this.cseq);
    this.outstanding.timers.push(world.timeline.after(TIMER_F_MS, () => this.timeOut()));
    world.send(this, text);
    this.retransmitAfter(T1_MS);
  }

  private retransmitAfter(ms: number): void {
    const { outstanding, world } = this;
    if (outstanding === undefined) return;
    const timer = world.timeline.after(ms, () => {
      world.send(this, outstanding.text);
      this.retransmitAfter(Math.min(2 * ms, T2_MS));
    });
    outstanding.timers.push(timer);
  }

  private end(): void {
    for (const timer of this.outstanding?.timers ?? []) timer.cancelled = true;
    this.outstanding = undefined;
  }

  private timeOut(): void {
    this.end();
    this.timedOut++;
    this.belief = { kind: 'unknown' };
    this.next(this.world.random.between(100, 3000), () => this.ask('register'));
  }

  private succeed(request: Outstanding, text: string): void {
    this.succeeded++;
    this.retrying = false;
    const listed = this.options.contacts.map((uri) => secondsOf(text, uri));
    const { now } = this.world.timeline;
    if (request.kind === 'unregister') {
      if (listed.some((seconds) => seconds !== undefined))
        throw new Error(`${this.options.name}: still listed\n${text}`);
      this.belief = { kind: 'unbound' };
      this.wait(this.world.random.between(15_000, 120_000));
      return;
    }
    const [seconds] = listed;
    // An answer that comes again after a restart says what is left, by the clock of whoever answers, rounded down.
    const { clocksDifferS = 0 } = this.world;
    const least = Math.floor(60 - TIMER_F_MS / 1000 - clocksDifferS);
    if (seconds === undefined || seconds > request.askS + clocksDifferS || seconds < least)
      throw new Error(`${this.options.name}: asked ${request.askS} s, got\n${text}`);
    if (listed.some((s) => s !== seconds)) throw new Error(`${this.options.name}: unequal intervals\n${text}`);
    const granted = seconds * 1000;
    this.belief = {
      kind: 'bound',
      callId: this.callId,
      cseq: request.cseq,
      from: request.sentAt + granted,
      to: now + granted + 999,
    };
    if (this.settling && request.askS === this.askS) this.settled = true;
    else if (this.settling) this.ask('register');
    else this.live(granted);
  }

  /** What a phone does with a binding of `granted` milliseconds. */
  private live(granted: number): void {
    const { random } = this.world;
    const dice = random.next();
    if (dice < 0.75) this.next(Math.floor(granted * (0.5 + 0.4 * random.next())), () => this.ask('register'));
    else if (dice < 0.9) this.next(random.between(10_000, granted), () => this.ask('unregister'));
    else this.next(random.between(0, granted), () => this.wait(random.between(BOOT_MS_MIN, 500_000)));
  }

  /** Off, and then booted: a new Call-ID, a CSeq from the start. */
  private wait(ms: number): void {
    if (this.settling) return this.ask('register');
    this.off = true;
    this.next(ms, () => {
      if (this.world.random.chance(0.7)) this.boot();
      this.ask('register');
    });
  }

  private fail(request: Outstanding, status: number, text: string): void {
    this.failed++;
    this.retrying = true;
    const { timeline, epoch, random } = this.world;
    // Behind a 504 nobody knows, and the clocks of several machines are where that happens.
    const mayHold = status === 504 && this.world.clocksDifferS !== undefined;
    const sure = !mayHold && request.epoch === epoch && timeline.now - request.sentAt < SURELY_REMEMBERED_MS;
    if (status === 423) this.askS = Math.max(this.askS, Number(/^Min-Expires: (\d+)\r$/m.exec(text)?.[1]));
    else if (status !== 500 && status !== 503 && !mayHold)
      throw new Error(`${this.options.name}: an answer that nothing asked for\n${request.text}\n${text}`);
    // A refusal leaves everything as it was; from a server that may have forgotten the first copy it says nothing.
    if (!sure) this.belief = { kind: 'unknown' };
    this.next(random.between(500, 3000), () => this.ask(request.kind));
  }

  private textOf(kind: 'register' | 'unregister'): string {
    const { aor, host, nat, contacts, alone } = this.options;
    const seconds = kind === 'register' ? this.askS : 0;
    const star = kind === 'unregister' && alone && this.world.random.chance(0.5);
    const inHeader = star || this.world.random.chance(0.5);
    const ip = nat ? '192.168.1.20' : `10.${host >> 16}.${(host >> 8) & 255}.${host & 255}`;
    const branch = `z9hG4bK${this.options.name}x${this.boots}x${this.cseq}`;
    const rows = contacts.map((uri) => `Contact: <${uri}>${inHeader ? '' : `;expires=${seconds}`}`);
    return [
      'REGISTER sip:example.com SIP/2.0',
      `Via: SIP/2.0/UDP ${ip}:5060;branch=${branch}${nat ? ';rport' : ''}`,
      'Max-Forwards: 70',
      `From: <sip:${aor}>;tag=${this.options.name}${this.boots}`,
      `To: <sip:${aor}>`,
      `Call-ID: ${this.callId}`,
      `CSeq: ${this.cseq} REGISTER`,
      ...(star ? ['Contact: *'] : rows),
      ...(inHeader ? [`Expires: ${seconds}`] : []),
      'Content-Length: 0',
      '',
      '',
    ].join('\r\n');
  }
}

/** Seconds left of a contact in a 200, undefined where it is not listed. */
function secondsOf(text: string, uri: string): number | undefined {
  const row = text.split('\r\n').find((line) => line.startsWith(`Contact: <${uri}>`));
  return row === undefined ? undefined : Number(/;expires=(\d+)$/.exec(row)?.[1]);
}
