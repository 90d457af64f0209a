// A shard without threads or sockets, in virtual time: text in, text out. For tests of the registrar's behaviour.

import type { FlowLiveness } from '../../src/core/binding/live-flow.ts';
import { DEFAULT_POLICY, type Policy } from '../../src/core/uas/policy.ts';
import type { LocationStore } from '../../src/location/location-store.ts';
import { MemoryStore } from '../../src/location/memory-store.ts';
import type { ShardAuth } from '../../src/shard/admission.ts';
import { type Backlog, BatchDriver } from '../../src/shard/batch.ts';
import type { GateOptions } from '../../src/shard/gate.ts';
import { COUNTER, COUNTER_NAMES, type CounterName } from '../../src/shard/observe/counters.ts';
import type { EventSink } from '../../src/shard/observe/event-ring.ts';
import { Measures } from '../../src/shard/observe/measures.ts';
import { Shard } from '../../src/shard/shard.ts';
import type { ShardOptions } from '../../src/shard/shard-options.ts';
import type { SubscriptionOptions } from '../../src/shard/subscriptions/subscription-options.ts';
import { SLOT_COUNT, slab, slotStart } from '../../src/sip/parser/slab.ts';

export interface Source {
  /** Of IPv6 all 16 bytes. */
  readonly ip?: string | Uint8Array;
  readonly port?: number;
  readonly transport?: number;
  readonly flow?: number;
  readonly node?: number;
}

export interface Answer {
  readonly status: number;
  readonly phrase: string;
  readonly text: string;
  /** Where it was sent. */
  readonly port: number;
  /** Values of all rows with this name, in order; names as the registrar writes them. */
  header(name: string): string[];
  /** URI and seconds of each Contact, in order. */
  readonly contacts: readonly { readonly uri: string; readonly expires: number; readonly row: string }[];
}

export interface VirtualShardOptions {
  readonly policy?: Partial<Policy>;
  readonly store?: LocationStore;
  readonly index?: number;
  readonly shards?: number;
  readonly now?: number;
  readonly clock?: ShardOptions['clock'];
  readonly auth?: ShardAuth;
  readonly gate?: GateOptions;
  readonly flows?: FlowLiveness;
  readonly events?: EventSink;
  /** In a cluster, whether this node decides. */
  readonly deciding?: ShardOptions['deciding'];
  readonly feed?: ShardOptions['feed'];
  readonly history?: SharedArrayBuffer;
  readonly pings?: ShardOptions['pings'];
  readonly subscriptions?: SubscriptionOptions;
  /** Whether somebody opens connections for its large requests. */
  readonly opensTcp?: boolean;
  /** What its messages are watched with. */
  readonly tap?: ShardOptions['tap'];
  /** What waits behind each batch; without it nothing does. */
  readonly backlog?: Backlog;
  /** Time that a batch takes, ms; without it none. */
  readonly batchMs?: number;
  /** Where push services are served. */
  readonly wake?: ShardOptions['wake'];
  /** The rings to the other shards have no room. */
  readonly neighboursAreFull?: boolean;
}

export interface SentRequest {
  readonly text: string;
  readonly ip: string;
  readonly port: number;
  readonly flow: number;
  /** TRANSPORT_*. */
  readonly transport: number;
  /** Epoch milliseconds. */
  readonly at: number;
}

/** Of answers that are kept, where a test does not set `answerBytesMax`: the least of a server, 32 MiB, takes longer to make than a test. */
const ANSWER_RING_BYTES = 1 << 20;

/** The secret of every virtual shard. */
export const VIRTUAL_SECRET = Uint8Array.from({ length: 32 }, (_, i) => i + 1);

export class VirtualShard {
  /** Epoch milliseconds. */
  now: number;
  readonly store: LocationStore;
  readonly shard: Shard;
  private readonly policy: Policy;
  readonly log: string[] = [];
  readonly forwarded: { owner: number; text: string }[] = [];
  /** Requests that the shard has sent by itself, and where to. */
  readonly requests: SentRequest[] = [];
  readonly measures = new Measures();
  private readonly counters = new Float64Array(COUNTER_NAMES.length);
  private readonly driver: BatchDriver;
  /** The answers of the batch under way. */
  private readonly sent: { readonly bytes: Buffer; readonly port: number }[] = [];
  private readonly lengths = new Int32Array(SLOT_COUNT);
  private elapsedMs = 0;

  constructor(options: VirtualShardOptions = {}) {
    this.now = options.now ?? Date.UTC(2026, 0, 1);
    this.store = options.store ?? new MemoryStore();
    this.policy = { ...DEFAULT_POLICY, domains: ['example.com'], ...options.policy };
    this.shard = new Shard({
      index: options.index ?? 0,
      shards: options.shards ?? 1,
      store: this.store,
      policy: this.policy,
      secret: VIRTUAL_SECRET,
      counters: this.counters,
      measures: this.measures,
      ...(options.policy?.answerBytesMax === undefined && { answerRing: new Uint8Array(ANSWER_RING_BYTES) }),
      forward: (owner, slot, length) => {
        if (options.neighboursAreFull) return false;
        this.forwarded.push({ owner, text: textAt(slotStart(slot), slotStart(slot) + length) });
        return true;
      },
      log: (_level, event) => this.log.push(event),
      ...(options.clock && { clock: options.clock }),
      ...(options.auth && { auth: options.auth }),
      ...(options.gate && { gate: options.gate }),
      ...(options.flows && { flows: options.flows }),
      ...(options.events && { events: options.events }),
      ...(options.deciding && { deciding: options.deciding }),
      ...(options.feed && { feed: options.feed }),
      ...(options.history && { history: options.history }),
      ...(options.subscriptions && { subscriptions: options.subscriptions }),
      opensTcp: options.opensTcp === true,
      ...(options.wake && { wake: options.wake }),
      ...(options.pings && { pings: options.pings }),
      ...(options.tap && { tap: options.tap }),
    });
    this.shard.open();
    const { batchMs = 0, backlog } = options;
    this.driver = new BatchDriver({
      shard: this.shard,
      counters: this.counters,
      measures: this.measures,
      elapsed: () => this.elapsedMs,
      send: () => {
        this.elapsedMs += batchMs;
        this.collect();
      },
      ...(backlog && { backlog }),
    });
  }

  /** Other rules from the next message on. */
  configure(policy: Partial<Policy>): void {
    this.shard.configure({ policy: { ...this.policy, ...policy } });
  }

  counter(name: CounterName): number {
    return this.counters[COUNTER[name]];
  }

  /** Hands messages in as one batch; the answers of the batch, in the order they would be sent. */
  batch(messages: readonly (string | Uint8Array)[], source: Source = {}): Answer[] {
    return this.process(messages, source, (bytes, port) => parseAnswer(bytes.toString('latin1'), port));
  }

  /** The bytes that one message draws, SIP or not. */
  draw(message: string | Uint8Array, source: Source = {}): Buffer[] {
    return this.process([message], source, (bytes) => bytes);
  }

  private process<T>(
    messages: readonly (string | Uint8Array)[],
    source: Source,
    read: (bytes: Buffer, port: number) => T,
  ): T[] {
    const first = this.shard.firstSlot;
    if (first + messages.length > SLOT_COUNT) throw new RangeError('more messages than a batch takes');
    this.sent.length = 0;
    for (const [i, message] of messages.entries()) this.receive(first + i, message, source);
    const end = first + messages.length;
    const free = this.shard.takeHeld(this.lengths, end, this.now);
    for (let slot = end; slot < free; slot++) this.driver.receive(slot, this.lengths[slot], this.now);
    this.driver.finish(free, this.now);
    return this.sent.map(({ bytes, port }) => read(bytes, port));
  }

  private collect(): void {
    const { answers } = this.shard;
    for (let row = 0; row < answers.count; row++)
      this.sent.push({
        bytes: Buffer.from(answers.bytes.subarray(answers.at[row], answers.end[row])),
        port: answers.port[row],
      });
    const { outgoing } = this.shard;
    for (let row = 0; outgoing !== null && row < outgoing.count; row++)
      this.requests.push({
        text: Buffer.from(outgoing.bytes.subarray(outgoing.at[row], outgoing.end[row])).toString('latin1'),
        ip: [...outgoing.peers.ip.subarray(row << 4, (row << 4) + 4)].join('.'),
        port: outgoing.port[row],
        flow: outgoing.peers.flow[row],
        transport: outgoing.peers.transport[row],
        at: this.now,
      });
  }

  /** One message alone: its answer, or undefined where it drew none. */
  send(message: string | Uint8Array, source: Source = {}): Answer | undefined {
    return this.batch([message], source)[0];
  }

  flowsEnded(flows: readonly number[], node = 0): void {
    const slot = this.shard.firstSlot;
    this.shard.peers.node[slot] = node;
    slab.set(new Uint8Array(Uint32Array.from(flows).buffer), slotStart(slot));
    this.shard.flowsEnded(slot, flows.length * 4, this.now);
  }

  /** A request of its own has found no connection. */
  notSent({ text, ip, port, transport }: SentRequest): void {
    const slot = this.shard.firstSlot;
    const { peers } = this.shard;
    peers.family[slot] = 4;
    peers.ip.set(ip.split('.').map(Number), slot << 4);
    peers.port[slot] = port;
    peers.transport[slot] = transport;
    slab.set(Buffer.from(text, 'latin1'), slotStart(slot));
    this.shard.notSent(slot, text.length, this.now);
  }

  /** Lets time pass, with the wheel turning once a second. */
  advance(seconds: number): void {
    const end = this.now + seconds * 1000;
    while (this.now < end) {
      this.now = Math.min(end, this.now + 1000);
      do {
        this.batch([]);
      } while (this.shard.msToNextTick(this.now) === 0);
    }
  }

  private receive(slot: number, message: string | Uint8Array, source: Source): void {
    const bytes = typeof message === 'string' ? Buffer.from(message, 'latin1') : message;
    slab.set(bytes, slotStart(slot));
    const { peers } = this.shard;
    const ip = source.ip ?? '192.0.2.9';
    peers.family[slot] = typeof ip === 'string' ? 4 : 6;
    peers.ip.fill(0, slot * 16, slot * 16 + 16);
    peers.ip.set(typeof ip === 'string' ? ip.split('.').map((octet) => Number(octet)) : ip, slot * 16);
    peers.port[slot] = source.port ?? 5060;
    peers.transport[slot] = source.transport ?? 0;
    peers.flow[slot] = source.flow ?? 0;
    peers.node[slot] = source.node ?? 0;
    this.driver.receive(slot, bytes.length, this.now);
  }
}

function textAt(at: number, end: number): string {
  return Buffer.from(slab.subarray(at, end)).toString('latin1');
}

function parseAnswer(text: string, port: number): Answer {
  const [head] = text.split('\r\n\r\n');
  const [start, ...rows] = head.split('\r\n');
  const match = /^SIP\/2\.0 (\d{3}) (.*)$/.exec(start);
  if (!match) throw new Error(`no status line: ${start}`);
  const header = (name: string): string[] =>
    rows.filter((row) => row.startsWith(`${name}: `)).map((row) => row.slice(name.length + 2));
  const contacts = header('Contact').map((row) => ({
    row,
    uri: /<([^>]*)>/.exec(row)?.[1] ?? '',
    expires: Number(/;expires=(\d+)$/.exec(row)?.[1]),
  }));
  return { status: Number(match[1]), phrase: match[2], text, port, header, contacts };
}

export interface RegisterOptions {
  readonly requestUri?: string;
  readonly to?: string;
  readonly from?: string;
  readonly callId?: string;
  readonly cseq?: number;
  readonly branch?: string;
  readonly via?: string;
  readonly contacts?: readonly string[];
  readonly expires?: number | string;
  /** Further header lines. */
  readonly extra?: readonly string[];
}

let branches = 0;

/** A REGISTER for alice@example.com, changed where `options` say so. */
export function register(options: RegisterOptions = {}): string {
  const branch = options.branch ?? `z9hG4bK${++branches}`;
  const lines = [
    `REGISTER ${options.requestUri ?? 'sip:example.com'} SIP/2.0`,
    `Via: ${options.via ?? `SIP/2.0/UDP 192.0.2.9:5060;branch=${branch};rport`}`,
    'Max-Forwards: 70',
    `From: ${options.from ?? '<sip:alice@example.com>;tag=f1'}`,
    `To: ${options.to ?? '<sip:alice@example.com>'}`,
    `Call-ID: ${options.callId ?? 'call-1'}`,
    `CSeq: ${options.cseq ?? 1} REGISTER`,
    ...(options.contacts ?? []).map((contact) => `Contact: ${contact}`),
    ...(options.expires === undefined ? [] : [`Expires: ${options.expires}`]),
    ...(options.extra ?? []),
    'Content-Length: 0',
  ];
  return `${lines.join('\r\n')}\r\n\r\n`;
}
