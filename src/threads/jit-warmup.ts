// A shard's thread plays registrations through before the first one comes, in a store of their own that is removed afterwards: V8
// compiles well only what has run some thousand times, and the first messages after a start are those of a crowd that comes back.
// A first registration costs a third less for it (docs/decisions/0075).

import { rmSync } from 'node:fs';
import { openLogStore } from '../location/open-log-store.ts';
import { BatchDriver, type Pipeline } from '../shard/batch.ts';
import { COUNTER_NAMES } from '../shard/observe/counters.ts';
import { createHistoryMemory } from '../shard/observe/history.ts';
import { Measures } from '../shard/observe/measures.ts';
import { TOP_SENDERS_BYTES, TopSenders } from '../shard/observe/top-senders.ts';
import type { ShardOptions } from '../shard/shard-options.ts';
import { warmUp } from '../sip/parser/parser-warmup.ts';
import { slab, slotStart } from '../sip/parser/slab.ts';
import { type Peers, TRANSPORT_UDP } from '../sip/sources.ts';
import { ascii } from '../sip/writer.ts';

const DOMAIN = 'rehearsal.invalid';
const PHONES = 1000;
const BATCH = 32;
const DIGITS = 6;
const NUMBER = '#'.repeat(DIGITS);

function template(contact: string, cseq: string): Uint8Array {
  const lines = [
    `REGISTER sip:${DOMAIN} SIP/2.0`,
    `Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK${cseq}${NUMBER};rport`,
    'Max-Forwards: 70',
    `From: "${NUMBER}" <sip:u${NUMBER}@${DOMAIN}>;tag=t${NUMBER}`,
    `To: <sip:u${NUMBER}@${DOMAIN}>`,
    `Call-ID: c${NUMBER}@127.0.0.1`,
    `CSeq: ${cseq} REGISTER`,
    `Contact: ${contact}`,
    'Supported: path, outbound, gruu',
    'User-Agent: rehearsal',
    'Expires: 3600',
    'Content-Length: 0',
  ];
  return ascii(`${lines.join('\r\n')}\r\n\r\n`);
}

const PLAIN = `<sip:u${NUMBER}@127.0.0.1:5060>`;
const INSTANCE = `${PLAIN};+sip.instance="<urn:uuid:00000000-0000-1000-8000-000000${NUMBER}>"`;

/** What each phone sends, one after the other: it registers, refreshes, and unregisters. Every other one has an instance. */
const ACTS: readonly (readonly [plain: Uint8Array, instance: Uint8Array])[] = [
  [template(PLAIN, '1'), template(INSTANCE, '1')],
  [template(PLAIN, '2'), template(INSTANCE, '2')],
  [template(`${PLAIN};expires=0`, '3'), template(`${INSTANCE};expires=0`, '3')],
];

/**
 * Before a shard opens. With AORTA_WARM_UP=off in the environment it does without: a third of a start's CPU, which is worth it only where
 * more than some requests follow.
 * @param directory as warmJit's; null where everything is in memory
 */
export function warmShard(
  directory: string | null,
  options: ShardOptions,
  createPipeline: (options: ShardOptions) => Pipeline,
): void {
  if (process.env.AORTA_WARM_UP === 'off') return;
  warmUp();
  if (directory !== null) warmJit(directory, options, createPipeline);
}

/**
 * Takes some hundred milliseconds. Overwrites slots of the slab.
 * @param directory of the warm-up's own store; its content is removed
 */
function warmJit(directory: string, options: ShardOptions, createPipeline: (options: ShardOptions) => Pipeline): void {
  rmSync(directory, { recursive: true, force: true });
  const store = openLogStore(directory, 'process');
  try {
    const {
      auth: _,
      gate: __,
      tap: ___,
      events: ____,
      deciding: _____,
      node: ______,
      elsewhere: _______,
      feed: ________,
      subscriptions: _________,
      pings: __________,
      ...others
    } = options;
    const counters = new Float64Array(COUNTER_NAMES.length);
    const measures = new Measures();
    const shard = createPipeline({
      ...others,
      index: 0,
      shards: 1,
      store,
      policy: { ...options.policy, domains: [DOMAIN] },
      counters,
      measures,
      topSenders: new TopSenders(new SharedArrayBuffer(TOP_SENDERS_BYTES)),
      ...(options.history && { history: createHistoryMemory(0) }),
    });
    shard.open();
    const driver = new BatchDriver({ shard, counters, measures, elapsed: () => performance.now(), send: () => {} });
    for (const act of ACTS) play(driver, shard.peers, act);
  } finally {
    store.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

function play(driver: BatchDriver, peers: Peers, [plain, instance]: (typeof ACTS)[number]): void {
  const lengths = new Int32Array(BATCH);
  for (let phone = 0; phone < PHONES; ) {
    for (let slot = 0; slot < BATCH; slot++, phone++) {
      const message = (phone & 1) === 0 ? plain : instance;
      const at = slotStart(slot);
      slab.set(message, at);
      number(at, message.length, phone);
      peers.family[slot] = 4;
      peers.ip.set([127, 0, 0, 1], slot * 16);
      peers.port[slot] = 5060;
      peers.transport[slot] = TRANSPORT_UDP;
      lengths[slot] = message.length;
    }
    driver.run(lengths, 0, BATCH, Date.now());
  }
}

/** Writes a number wherever the template has a place for one. */
function number(at: number, length: number, value: number): void {
  for (let p = at; p < at + length; p++) {
    if (slab[p] !== 0x23) continue;
    for (let digit = DIGITS - 1, rest = value; digit >= 0; digit--, rest = Math.floor(rest / 10))
      slab[p + digit] = 0x30 + (rest % 10);
    p += DIGITS - 1;
  }
}
