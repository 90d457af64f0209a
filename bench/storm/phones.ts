// A town of phones that comes back at once: each registers, repeats what is not answered (RFC 3261 §17.1.2.2), comes back
// when a 503 says so, and gives up after 32 s to try again later. Beside them some that are registered already and refresh.
// One thread, the kernel's batch calls; what it saw is plain numbers.

import { TimerWheel } from '../../src/core/timers/timer-wheel.ts';
import { SLOT_COUNT, slab, slotStart } from '../../src/sip/parser/slab.ts';
import { createPeers } from '../../src/sip/sources.ts';
import { UdpReceiver } from '../../src/transport/linux/linux-udp.ts';
import { nativeUdp } from '../../src/transport/linux/native-udp.ts';
import { UdpSender } from '../../src/transport/linux/udp-sender.ts';

const SOURCES = 16;
const TICK_MS = 10;
const T1_MS = 500;
const T2_MS = 4000;
const TIMER_F_MS = 32_000;
/** RFC 5626 §4.5: the base of the wait after a failure. */
const RETRY_BASE_MS = 30_000;
const MESSAGE_BYTES = 640;
const DIGITS = 7;

const WAITING = 0;
const SENDING = 1;
const REGISTERED = 2;

export interface StormOptions {
  readonly port: number;
  readonly domain: string;
  readonly phones: number;
  /** Phones that are registered before the storm and refresh during it. */
  readonly live: number;
  readonly refreshesPerS: number;
  /** Seconds over which the phones come back. */
  readonly withinS: number;
  readonly secondsMax: number;
  readonly progress: (line: string) => void;
}

export interface StormReport {
  readonly registered: number;
  /** Seconds until the last phone was registered, or NaN where some were not. */
  readonly allAfterS: number;
  readonly halfAfterS: number;
  readonly requests: number;
  readonly retransmissions: number;
  readonly putOff: number;
  readonly otherRefusals: number;
  readonly lastOther: number;
  /** Transactions that ended without an answer. */
  readonly gaveUp: number;
  /** From a registration's first transmission to its 200, ms. */
  readonly registerWorstMs: number;
  readonly registerP99Ms: number;
  readonly refreshes: number;
  /** Refreshes without a 200 in 32 s, or refused. */
  readonly refreshesLost: number;
  readonly refreshP50Ms: number;
  readonly refreshP99Ms: number;
  readonly refreshWorstMs: number;
}

/** A REGISTER with fixed-width numbers to be written over: branch, user, tag, Call-ID, CSeq. */
class Template {
  readonly bytes: Buffer;
  private readonly users: number[] = [];
  private readonly sequences: number[] = [];

  constructor(domain: string, port: number) {
    const user = 'u'.padEnd(DIGITS + 1, '#');
    const sequence = '%'.repeat(DIGITS);
    const text =
      `REGISTER sip:${domain} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5070;rport;branch=z9hG4bK${user}.${sequence}\r\n` +
      `Max-Forwards: 70\r\nFrom: "Phone" <sip:${user}@${domain}>;tag=${user}\r\nTo: <sip:${user}@${domain}>\r\n` +
      `Call-ID: ${user}-storm-${port}@127.0.0.1\r\nCSeq: 1${sequence} REGISTER\r\n` +
      `Contact: <sip:${user}@127.0.0.1:5070;transport=udp>;+sip.instance="<urn:uuid:00000000-0000-1000-8000-00000${sequence}>"\r\n` +
      'Expires: 3600\r\nUser-Agent: storm\r\nAllow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY\r\nContent-Length: 0\r\n\r\n';
    // The instance is the user's, not the sequence's.
    const fixed = text.replace(`00000${sequence}>`, `00000${'#'.repeat(DIGITS)}>`);
    this.bytes = Buffer.from(fixed, 'latin1');
    for (let i = 0; i < fixed.length; i++) {
      if (fixed.startsWith('#'.repeat(DIGITS), i) && fixed[i - 1] !== '#') this.users.push(i);
      if (fixed.startsWith(sequence, i) && fixed[i - 1] !== '%') this.sequences.push(i);
    }
    if (this.bytes.length > MESSAGE_BYTES) throw new Error('the message is longer than its place');
  }

  write(into: Uint8Array, at: number, user: number, sequence: number): number {
    into.set(this.bytes, at);
    for (const place of this.users) digits(into, at + place, user);
    for (const place of this.sequences) digits(into, at + place, sequence);
    return this.bytes.length;
  }
}

function digits(into: Uint8Array, at: number, value: number): void {
  for (let i = at + DIGITS - 1, rest = value; i >= at; i--, rest = Math.floor(rest / 10)) into[i] = 48 + (rest % 10);
}

function number(bytes: Uint8Array, at: number, length: number): number {
  let value = 0;
  for (let i = at; i < at + length; i++) value = value * 10 + bytes[i] - 48;
  return value;
}

/** Registers the live phones, then lets the storm loose; returns when every phone is registered or time is up. */
export class Storm {
  private readonly options: StormOptions;
  private readonly total: number;
  private readonly state: Uint8Array;
  private readonly sequence: Uint32Array;
  private readonly firstSentAt: Float64Array;
  private readonly repeats: Uint8Array;
  private readonly failures: Uint8Array;
  private readonly wheel: TimerWheel;
  private readonly template: Template;
  private readonly arena = new Uint8Array(new ArrayBuffer(SLOT_COUNT * MESSAGE_BYTES));
  private readonly out = {
    count: 0,
    bytes: this.arena,
    at: new Int32Array(SLOT_COUNT),
    end: new Int32Array(SLOT_COUNT),
    slot: new Uint16Array(SLOT_COUNT),
    port: new Uint16Array(SLOT_COUNT),
  };
  private readonly receiver: UdpReceiver;
  private readonly sender: UdpSender;
  private readonly lengths = new Int32Array(SLOT_COUNT);
  private readonly closeSockets: () => void;
  private readonly registerMs: Float32Array;
  private readonly refreshMs: number[] = [];
  private stormBegan = 0;
  private registered = 0;
  private halfAt = 0;
  private lastAt = 0;
  private storming = false;
  private readonly counts = { requests: 0, retransmissions: 0, putOff: 0, other: 0, lastOther: 0, gaveUp: 0, lost: 0 };

  constructor(options: StormOptions) {
    this.options = options;
    this.total = options.phones + options.live;
    this.state = new Uint8Array(this.total);
    this.sequence = new Uint32Array(this.total).fill(Math.floor(Date.now() / 1000) % 1_000_000);
    this.firstSentAt = new Float64Array(this.total);
    this.repeats = new Uint8Array(this.total);
    this.failures = new Uint8Array(this.total);
    this.registerMs = new Float32Array(options.phones);
    this.wheel = new TimerWheel(TICK_MS, 1 << 16, this.total);
    this.template = new Template(options.domain, options.port);
    const native = nativeUdp();
    if (typeof native === 'string') throw new Error(native);
    const sockets = Array.from({ length: SOURCES }, (_, listener) => {
      return native.listen({ host: '127.0.0.1', port: 0 }, listener, 1).sockets[0];
    });
    this.closeSockets = () => {
      for (const { fd } of sockets) native.close(fd);
    };
    const peers = createPeers();
    for (let slot = 0; slot < SLOT_COUNT; slot++) {
      peers.family[slot] = 4;
      peers.ip.set([127, 0, 0, 1], slot * 16);
    }
    this.receiver = new UdpReceiver(native.calls, sockets, createPeers(), this.lengths);
    this.sender = new UdpSender(native.calls, sockets, peers);
    // A phone's messages leave by its own socket: row of the peers by source.
    for (let slot = 0; slot < SLOT_COUNT; slot++) peers.listener[slot] = slot % SOURCES;
  }

  async run(): Promise<StormReport> {
    const { phones, live, secondsMax, withinS, progress } = this.options;
    try {
      progress(`registering ${live} phones that were never away`);
      for (let id = phones; id < this.total; id++) this.wheel.add(id, Date.now() + ((id - phones) * 1000) / 5000);
      await this.until(() => this.allLive(), 120);
      this.spreadRefreshes();
      this.storming = true;
      this.stormBegan = Date.now();
      progress(`${phones} phones come back`);
      for (let id = 0; id < phones; id++) this.wheel.add(id, this.stormBegan + (withinS * 1000 * id) / phones);
      await this.until(() => this.registered === phones, secondsMax);
      return this.report();
    } finally {
      this.closeSockets();
    }
  }

  private allLive(): boolean {
    for (let id = this.options.phones; id < this.total; id++) if (this.state[id] !== REGISTERED) return false;
    return true;
  }

  private spreadRefreshes(): void {
    const { phones, live, refreshesPerS } = this.options;
    for (let id = phones; id < this.total; id++)
      this.wheel.add(id, Date.now() + ((id - phones) * 1000) / refreshesPerS);
    this.refreshEveryMs = (live * 1000) / refreshesPerS;
    this.refreshMs.length = 0;
    for (const name of Object.keys(this.counts) as (keyof typeof this.counts)[]) this.counts[name] = 0;
  }

  private refreshEveryMs = 0;

  /** Turns until `done`, handing the event loop a moment now and then. */
  private async until(done: () => boolean, secondsMax: number): Promise<void> {
    const end = Date.now() + secondsMax * 1000;
    let said = Date.now();
    while (!done() && Date.now() < end) {
      for (let i = 0; i < 200; i++) this.turn();
      if (Date.now() - said >= 5000) {
        said = Date.now();
        this.options.progress(this.line());
      }
      await new Promise((resume) => setImmediate(resume));
    }
  }

  private line(): string {
    const { requests, retransmissions, putOff, gaveUp } = this.counts;
    const seconds = this.storming ? Math.round((Date.now() - this.stormBegan) / 1000) : 0;
    return `${seconds} s: ${this.registered} registered, ${requests} requests, ${retransmissions} sent again, ${putOff} put off, ${gaveUp} unanswered`;
  }

  private turn(): void {
    // Never more due at a time than one batch takes.
    this.wheel.advance(Date.now(), SLOT_COUNT, this);
    this.flush();
    for (let s = 0; s < SOURCES; s++) {
      const got = this.receiver.receive(s, 0);
      for (let slot = 0; slot < got; slot++) this.answered(slotStart(slot), this.lengths[slot]);
      this.flush();
    }
  }

  /** For the wheel: a phone's time has come. */
  visit(id: number): void {
    const now = Date.now();
    if (this.state[id] !== SENDING) {
      this.state[id] = SENDING;
      this.sequence[id]++;
      this.firstSentAt[id] = now;
      this.repeats[id] = 0;
      this.counts.requests++;
    } else if (now - this.firstSentAt[id] >= TIMER_F_MS) return this.giveUp(id, now);
    else {
      this.repeats[id]++;
      this.counts.retransmissions++;
    }
    this.send(id);
    this.wheel.add(id, now + Math.min(T2_MS, T1_MS * 2 ** this.repeats[id]));
  }

  private giveUp(id: number, now: number): void {
    this.state[id] = WAITING;
    this.counts.gaveUp++;
    const isLive = id >= this.options.phones;
    if (isLive) this.counts.lost++;
    const base = Math.min(1_800_000, RETRY_BASE_MS * 2 ** this.failures[id]++);
    this.wheel.add(id, now + (isLive ? this.refreshEveryMs : base * (0.5 + Math.random() / 2)));
  }

  private send(id: number): void {
    const { out } = this;
    if (out.count === SLOT_COUNT) this.flush();
    const row = out.count++;
    out.at[row] = row * MESSAGE_BYTES;
    out.end[row] = out.at[row] + this.template.write(this.arena, out.at[row], id, this.sequence[id]);
    out.slot[row] = id % SOURCES;
    out.port[row] = this.options.port;
  }

  private flush(): void {
    if (this.out.count > 0) this.sender.send(this.out);
    this.out.count = 0;
  }

  private answered(at: number, length: number): void {
    const branch = slab.indexOf(0x7a, at + 12); // z9hG4bKu
    if (branch < 0 || branch > at + length) return;
    const id = number(slab, branch + 8, DIGITS);
    const sequence = number(slab, branch + 9 + DIGITS, DIGITS);
    if (!(id < this.total) || this.state[id] !== SENDING || this.sequence[id] !== sequence) return;
    const status = number(slab, at + 8, 3);
    if (status < 200) return;
    const now = Date.now();
    const tookMs = now - this.firstSentAt[id];
    this.wheel.remove(id);
    if (status === 200) this.succeeded(id, now, tookMs);
    else this.refused(id, now, status, at, length);
  }

  private succeeded(id: number, now: number, tookMs: number): void {
    this.state[id] = REGISTERED;
    const { phones } = this.options;
    if (id >= phones) {
      this.refreshMs.push(tookMs);
      if (this.storming) this.wheel.add(id, this.firstSentAt[id] + this.refreshEveryMs);
      return;
    }
    this.registerMs[id] = tookMs;
    this.registered++;
    if (this.registered === phones >> 1) this.halfAt = now;
    this.lastAt = now;
  }

  private refused(id: number, now: number, status: number, at: number, length: number): void {
    this.state[id] = WAITING;
    const isLive = id >= this.options.phones;
    if (isLive) this.counts.lost++;
    const text = Buffer.from(slab.buffer, slab.byteOffset + at, length).toString('latin1');
    const retryAfter = /^Retry-After: *([0-9]+)/im.exec(text);
    if (status === 503) this.counts.putOff++;
    else {
      this.counts.other++;
      this.counts.lastOther = status;
    }
    const waitMs = retryAfter === null ? RETRY_BASE_MS : Number(retryAfter[1]) * 1000 - Math.random() * 1000;
    this.wheel.add(id, now + waitMs);
  }

  private report(): StormReport {
    const { counts } = this;
    const registerMs = this.registerMs.filter((ms) => ms > 0).sort();
    const refreshMs = Float64Array.from(this.refreshMs).sort();
    const all = this.registered === this.options.phones;
    return {
      registered: this.registered,
      allAfterS: all ? (this.lastAt - this.stormBegan) / 1000 : Number.NaN,
      halfAfterS: this.halfAt === 0 ? Number.NaN : (this.halfAt - this.stormBegan) / 1000,
      requests: counts.requests,
      retransmissions: counts.retransmissions,
      putOff: counts.putOff,
      otherRefusals: counts.other,
      lastOther: counts.lastOther,
      gaveUp: counts.gaveUp,
      registerWorstMs: registerMs.at(-1) ?? Number.NaN,
      registerP99Ms: quantile(registerMs, 0.99),
      refreshes: refreshMs.length + counts.lost,
      refreshesLost: counts.lost,
      refreshP50Ms: quantile(refreshMs, 0.5),
      refreshP99Ms: quantile(refreshMs, 0.99),
      refreshWorstMs: refreshMs.at(-1) ?? Number.NaN,
    };
  }
}

function quantile(sorted: Float32Array | Float64Array, q: number): number {
  return sorted.length === 0 ? Number.NaN : sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))];
}
