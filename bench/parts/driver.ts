// One shard in virtual time, given batches of REGISTERs that are a message with numbers written over.

import { DEFAULT_POLICY } from '../../src/core/uas/policy.ts';
import type { LocationStore } from '../../src/location/location-store.ts';
import { BatchDriver } from '../../src/shard/batch.ts';
import { COUNTER, COUNTER_NAMES, type CounterName } from '../../src/shard/observe/counters.ts';
import { Measures } from '../../src/shard/observe/measures.ts';
import type { OutgoingRequests } from '../../src/shard/outgoing/outgoing-requests.ts';
import { Shard } from '../../src/shard/shard.ts';
import type { ShardOptions } from '../../src/shard/shard-options.ts';
import { slab, slotStart } from '../../src/sip/parser/slab.ts';

/** Messages of a batch. */
export const BATCH = 64;
/** What a batch takes in virtual time: transactions then live as long as at 50,000 requests a second. */
const BATCH_MS = (BATCH / 50_000) * 1000;

const MARK = '00000000';
const TEMPLATE = [
  'REGISTER sip:bench.example.org SIP/2.0',
  `Via: SIP/2.0/UDP 127.0.0.1:25060;branch=z9hG4bKbench${MARK}x${MARK};rport`,
  'Max-Forwards: 70',
  `From: "user${MARK}" <sip:user${MARK}@bench.example.org>;tag=bench${MARK}`,
  `To: <sip:user${MARK}@bench.example.org>`,
  `Call-ID: bench${MARK}@127.0.0.1`,
  `CSeq: 1${MARK} REGISTER`,
  `Contact: <sip:user${MARK}@127.0.0.1:25060;ob>;+sip.instance="<urn:uuid:5e6f7081-92a3-44b5-86c7-d8e9${MARK}>";reg-id=1`,
  'Expires: 3600',
  'Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY, MESSAGE, SUBSCRIBE, INFO, UPDATE, PRACK',
  'Supported: path, outbound, gruu',
  'User-Agent: bench/1.0',
  'Content-Length: 0',
  '',
  '',
].join('\r\n');
const BYTES = Uint8Array.from(TEMPLATE, (character) => character.charCodeAt(0));
const MARKS = [...TEMPLATE.matchAll(new RegExp(MARK, 'g'))].map(({ index }) => index);
/** The second mark of the branch and the one of the CSeq count requests; the others name the AOR. */
const REQUEST_MARKS = new Set([MARKS[1], MARKS[MARKS.indexOf(TEMPLATE.indexOf(`1${MARK} REGISTER`) + 1)]]);

function writeDigits(at: number, value: number): void {
  for (let i = at + MARK.length - 1; i >= at; i--) {
    slab[i] = 0x30 + (value % 10);
    value = Math.floor(value / 10);
  }
}

function writeRequest(slot: number, aor: number, request: number): void {
  const at = slotStart(slot);
  slab.set(BYTES, at);
  for (const mark of MARKS) writeDigits(at + mark, REQUEST_MARKS.has(mark) ? request : aor);
}

export class Driver {
  private readonly counters = new Float64Array(COUNTER_NAMES.length);
  private readonly driver: BatchDriver;
  private readonly lengths = new Int32Array(BATCH).fill(BYTES.length);
  private readonly others = new Int32Array(BATCH);
  private now = Date.UTC(2026, 0, 1);
  private requests = 0;

  /** @param options what the shard does beside @param sent is shown what the shard sends by itself */
  constructor(
    store: LocationStore,
    options: Partial<ShardOptions> = {},
    sent: (requests: OutgoingRequests) => void = () => {},
  ) {
    const { counters } = this;
    const measures = new Measures();
    const shard = new Shard({
      index: 0,
      shards: 1,
      store,
      policy: { ...DEFAULT_POLICY, domains: ['bench.example.org'] },
      secret: Uint8Array.from({ length: 32 }, (_, i) => i),
      counters,
      measures,
      forward: () => false,
      log: (_level, event) => {
        throw new Error(event);
      },
      ...options,
    });
    const { peers } = shard;
    for (let slot = 0; slot < BATCH; slot++) {
      peers.family[slot] = 4;
      peers.ip.set([127, 0, 0, 1], slot * 16);
      peers.port[slot] = 25_060;
    }
    shard.open();
    this.driver = new BatchDriver({
      ...{ shard, counters, measures, elapsed: () => performance.now() },
      send: () => {
        if (shard.outgoing !== null && shard.outgoing.count > 0) sent(shard.outgoing);
      },
    });
  }

  batch(firstAor: number, stride: number, aors: number): void {
    this.now += BATCH_MS;
    for (let slot = 0; slot < BATCH; slot++) writeRequest(slot, (firstAor + slot * stride) % aors, ++this.requests);
    this.driver.run(this.lengths, 0, BATCH, this.now);
  }

  /** A batch of other messages, `ms` after the last one. */
  messages(messages: readonly Uint8Array[], ms: number): void {
    this.now += ms;
    for (const [slot, message] of messages.entries()) {
      slab.set(message, slotStart(slot));
      this.others[slot] = message.length;
    }
    this.driver.run(this.others, 0, messages.length, this.now);
  }

  counter(name: CounterName): number {
    return this.counters[COUNTER[name]];
  }

  /** Every request so far must have drawn its 200. */
  check(): void {
    const ok = this.counters[COUNTER.ok];
    if (ok !== this.requests) throw new Error(`${this.requests} requests, but ${ok} were answered with 200`);
  }
}
