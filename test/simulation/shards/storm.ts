// A crowd that comes back at once to shards that cannot serve it at once, beside phones that are registered and refresh: in
// virtual time, in which a registration costs its shard a quarter of a millisecond. Phones repeat as RFC 3261 §17.1.2.2 has it and come back
// when a 503 says so.

import { register } from '../../support/virtual-shard.ts';
import { Random } from './random.ts';
import { type Listener, Servers } from './servers.ts';
import { Timeline } from './timeline.ts';

export interface StormOptions {
  readonly seed: number;
  readonly shards: number;
  /** Phones that come back within `withinMs`. */
  readonly crowd: number;
  readonly withinMs: number;
  /** Phones that are registered, and refresh once a second. */
  readonly regulars: number;
  /** 0: no storm control. */
  readonly overloadTargetMs: number;
}

const MESSAGE_MS = 0.25;
const T1_MS = 500;
const TIMER_F_MS = 64 * T1_MS;
const NETWORK_MS = 5;

interface Client {
  readonly host: number;
  readonly aor: string;
  cseq: number;
  askedAt: number;
  /** Whether a request is on its way. */
  busy: boolean;
  /** How often it drew 503. */
  putOff: number;
  registered: boolean;
}

export class Storm implements Listener {
  readonly timeline = new Timeline(Date.UTC(2026, 0, 1));
  readonly servers: Servers;
  /** Requests sent again for want of an answer. */
  repeated = 0;
  /** Times of the regulars' refreshes while the crowd came, ms. */
  readonly refreshMs: number[] = [];
  readonly crowd: readonly Client[];
  /** When the last of the crowd was back, in ms since the first came. */
  backMs = 0;
  private readonly options: StormOptions;
  private readonly random: Random;
  private readonly regulars: readonly Client[];
  private beganAt = 0;

  constructor(options: StormOptions) {
    this.options = options;
    this.random = new Random(options.seed);
    const { overloadTargetMs } = options;
    const settings = { messageMs: MESSAGE_MS, policy: { overloadTargetMs } };
    this.servers = new Servers(options.shards, this.timeline, this.random, this, settings);
    this.servers.calm();
    this.regulars = Array.from({ length: options.regulars }, (_, i) => this.client(i));
    this.crowd = Array.from({ length: options.crowd }, (_, i) => this.client(options.regulars + i));
  }

  /** Ends when all of the crowd are back, at the latest after ten minutes. */
  run(): void {
    const { random, timeline, options } = this;
    for (const one of this.regulars) timeline.after(random.between(0, 2000), () => this.refreshOnAndOn(one));
    timeline.runUntil(timeline.now + 5000);
    this.refreshMs.length = 0;
    this.beganAt = timeline.now;
    for (const one of this.crowd) timeline.after(random.between(0, options.withinMs), () => this.ask(one));
    const end = timeline.now + 600_000;
    while (timeline.now < end && !this.crowd.every(({ registered }) => registered))
      timeline.runUntil(timeline.now + 100);
  }

  answered(text: string, host: number): void {
    const one = host < this.regulars.length ? this.regulars[host] : this.crowd[host - this.regulars.length];
    if (!one.busy || Number(/^CSeq: (\d+)/m.exec(text)?.[1]) !== one.cseq) return;
    one.busy = false;
    const { now } = this.timeline;
    if (text.startsWith('SIP/2.0 200')) {
      if (host < this.regulars.length) this.refreshMs.push(now - one.askedAt);
      else this.backMs = now - this.beganAt;
      one.registered = true;
      return;
    }
    const wait = Number(/^Retry-After: (\d+)/m.exec(text)?.[1]);
    if (!text.startsWith('SIP/2.0 503') || !(wait > 0)) throw new Error(`no answer for a storm:\n${text}`);
    one.putOff++;
    this.timeline.after(wait * 1000 + this.random.between(0, 999), () => this.ask(one));
  }

  restarted(): void {}

  private client(host: number): Client {
    return { host, aor: `sip:u${host}@example.com`, cseq: 0, askedAt: 0, busy: false, putOff: 0, registered: false };
  }

  private refreshOnAndOn(one: Client): void {
    if (!one.busy) this.ask(one);
    this.timeline.after(1000, () => this.refreshOnAndOn(one));
  }

  private ask(one: Client): void {
    one.cseq++;
    one.askedAt = this.timeline.now;
    one.busy = true;
    const text = register({
      from: `<${one.aor}>;tag=t${one.host}`,
      to: `<${one.aor}>`,
      callId: `c${one.host}`,
      cseq: one.cseq,
      branch: `z9hG4bKs${one.host}x${one.cseq}`,
      contacts: [`<sip:u@10.0.0.1:${1024 + (one.host % 60_000)}>`],
    });
    this.send(one, Buffer.from(text), one.cseq, T1_MS);
  }

  private send(one: Client, bytes: Uint8Array, cseq: number, againMs: number): void {
    this.timeline.after(NETWORK_MS, () => this.servers.arrive({ bytes, host: one.host, port: 5060 }));
    this.timeline.after(againMs, () => {
      if (!one.busy || one.cseq !== cseq) return;
      if (this.timeline.now - one.askedAt >= TIMER_F_MS) return this.ask(one);
      this.repeated++;
      this.send(one, bytes, cseq, Math.min(againMs * 2, 4000));
    });
  }
}
