// A shard's thread plays registrations through before the first one comes, in a store of their own that is removed afterwards: V8
// compiles well only what has run some thousand times, and the first messages after a start are those of a crowd that comes back.
// A first registration costs a third less for it (docs/decisions/0072).

import { rmSync } from 'node:fs';
import { createAorReader } from '../core/lookup/aor-key.ts';
import { openLogStore } from '../location/open-log-store.ts';
import { BatchDriver, type Pipeline } from '../shard/batch.ts';
import { COUNTER_NAMES } from '../shard/observe/counters.ts';
import { createEventMemory, EventWriter } from '../shard/observe/event-ring.ts';
import { createHistoryMemory } from '../shard/observe/history.ts';
import { Measures } from '../shard/observe/measures.ts';
import { createTapMemory } from '../shard/observe/tap.ts';
import { TOP_SENDERS_BYTES, TopSenders } from '../shard/observe/top-senders.ts';
import { ProcessClock } from '../shard/process-clock.ts';
import { Bell, createBellMemory, flagWake } from '../shard/rings/bell.ts';
import { createRingMemory, Ring } from '../shard/rings/ring.ts';
import type { ShardOptions } from '../shard/shard-options.ts';
import { StaticTable } from '../shard/statics/static-table.ts';
import { warmUp } from '../sip/parser/parser-warmup.ts';
import { slab, slotStart } from '../sip/parser/slab.ts';
import { type Peers, TRANSPORT_UDP } from '../sip/sources.ts';
import { ascii } from '../sip/writer.ts';
import { LiveFlows } from '../transport/flow/live-flows.ts';
import { QueuedMessages } from './backlog.ts';
import type { ShardTask } from './shard-messages.ts';

const DOMAIN = 'rehearsal.invalid';
/** Shards that are made for it, one after the other: V8 learns nothing of what a first one does once. */
const SHARDS = 2;
/** Of each of them: enough that V8 has compiled all that they have to do with. */
const PHONES = 2048;
const BATCH = 32;
const DIGITS = 6;
const NUMBER = '#'.repeat(DIGITS);
const RING_BYTES = 1 << 18;

const REGISTERS = '1';
const REFRESHES = '2';
const UNREGISTERS = '3';

const INSTANCE = `+sip.instance="<urn:uuid:00000000-0000-1000-8000-000000${NUMBER}>"`;
/** A Contact, and rows of its own; what differs in length has V8 see each way of a loop. */
const KINDS_OF_PHONES: readonly (readonly [contact: string, ...rows: string[]])[] = [
  [`<sip:u${NUMBER}@127.0.0.1:5060;ob>;${INSTANCE};reg-id=1`],
  [`<sip:us${NUMBER}@127.0.0.1:5060>`],
  [`<sip:use${NUMBER}@127.0.0.1:5060;transport=udp>;q=0.5;${INSTANCE}`],
  [`<sip:user${NUMBER}@127.0.0.1:5060>`, 'Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1', 'Path: <sip:192.0.2.2;lr>'],
];

/** What a phone of each kind sends. */
function requests(cseq: string): readonly Uint8Array[] {
  return KINDS_OF_PHONES.map(([contact, ...rows], kind) => request(cseq, 'user'.slice(kind), contact, rows));
}

function request(cseq: string, user: string, contact: string, rows: readonly string[]): Uint8Array {
  const aor = `sip:${user}${NUMBER}@${DOMAIN}`;
  const lines = [
    `REGISTER sip:${DOMAIN} SIP/2.0`,
    `Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK${cseq}${NUMBER};rport`,
    ...rows,
    'Max-Forwards: 70',
    `From: "${NUMBER}" <${aor}>;tag=t${NUMBER}`,
    `To: <${aor}>`,
    `Call-ID: c${NUMBER}@127.0.0.1`,
    `CSeq: ${cseq} REGISTER`,
    `Contact: ${contact}`,
    'Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, NOTIFY',
    'Supported: path, outbound, gruu',
    'User-Agent: rehearsal',
    `Expires: ${cseq === UNREGISTERS ? 0 : 3600}`,
    'Content-Length: 0',
  ];
  return ascii(`${lines.join('\r\n')}\r\n\r\n`);
}

/**
 * Before anything of a shard is made: V8 changes what it knows of a class with the objects that it sees, and those it has seen before
 * are strangers to the code it has compiled by then. With AORTA_WARM_UP=off in the environment it does without: a third of a start's
 * CPU, which is worth it only where more than some requests follow.
 */
export function warmShard(
  task: ShardTask,
  createPipeline: (options: ShardOptions) => Pipeline,
  log: ShardOptions['log'],
): void {
  if (process.env.AORTA_WARM_UP === 'off') return;
  warmUp();
  if (task.store.kind !== 'log') return;
  const directory = `${task.store.directory}.rehearsal`;
  try {
    rehearse(directory, task, createPipeline);
  } catch (error) {
    // A full disk, say: the start goes on, or it ends where the shard's own store says why.
    log('warn', 'no rehearsal: the first requests take longer', { error: String(error) });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/**
 * Takes some hundred milliseconds. Overwrites slots of the slab.
 * @param directory of the rehearsal's own store; its content is removed
 */
function rehearse(directory: string, task: ShardTask, createPipeline: (options: ShardOptions) => Pipeline): void {
  const backlog = new QueuedMessages([], null);
  const elapsed = () => performance.now();
  const nothing = () => {};
  for (let i = 0; i < SHARDS; i++) {
    rmSync(directory, { recursive: true, force: true });
    const store = openLogStore(directory, 'process');
    try {
      const options = rehearsalOptions(task, store);
      const shard = createPipeline(options);
      shard.open();
      const { counters, measures } = options;
      const parts = { shard, counters, measures, elapsed, decided: nothing, send: nothing, backlog };
      play(new BatchDriver(parts), shard.peers);
    } finally {
      store.close();
    }
  }
}

/** Parts of the classes that the shard itself will have, so that V8 meets no others afterwards; nothing of theirs is shared. */
function rehearsalOptions(
  task: ShardTask,
  store: ShardOptions['store'],
): ShardOptions & { readonly measures: Measures } {
  const bell = createBellMemory();
  return {
    index: 0,
    shards: 1,
    store,
    clock: new ProcessClock(task.clock),
    policy: { ...task.policy, domains: [DOMAIN] },
    secret: task.secret,
    counters: new Float64Array(COUNTER_NAMES.length),
    measures: new Measures(),
    flows: new LiveFlows(task.liveFlows),
    forward: () => false,
    statics: new StaticTable({ data: null, aor: createAorReader(task.secret), failed: () => {} }),
    topSenders: new TopSenders(new SharedArrayBuffer(TOP_SENDERS_BYTES)),
    ...(task.history && { history: createHistoryMemory(0) }),
    tap: { memory: createTapMemory(), ring: new Ring(createRingMemory(RING_BYTES)) },
    events: new EventWriter(createEventMemory(RING_BYTES), new Bell(bell, flagWake(bell))),
    log: () => {},
  };
}

/** Phones do all that they do in turns, so that V8 has seen all of it before it compiles anything. Half of them stay. */
function play(driver: BatchDriver, peers: Peers): void {
  const [registers, refreshes, unregisters] = [REGISTERS, REFRESHES, UNREGISTERS].map(requests);
  for (let first = 0; first < PHONES; first += BATCH) {
    playBatch(driver, peers, registers, first);
    playBatch(driver, peers, refreshes, first);
    if (first % (2 * BATCH) === 0) playBatch(driver, peers, unregisters, first / 2);
  }
}

function playBatch(driver: BatchDriver, peers: Peers, messages: readonly Uint8Array[], first: number): void {
  const lengths = new Int32Array(BATCH);
  for (let slot = 0; slot < BATCH; slot++) {
    const message = messages[slot % messages.length];
    const at = slotStart(slot);
    slab.set(message, at);
    number(at, message.length, first + slot);
    peers.family[slot] = 4;
    peers.ip.set([127, 0, 0, 1], slot * 16);
    peers.port[slot] = 5060;
    peers.transport[slot] = TRANSPORT_UDP;
    lengths[slot] = message.length;
  }
  driver.run(lengths, 0, BATCH, Date.now());
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
