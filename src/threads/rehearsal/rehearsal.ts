// A shard's thread rehearses registrations before the first one arrives, in a store of their own that is removed afterwards. V8
// compiles well only code that has run some thousand times, and the first messages after a start are those of a returning crowd. A
// first registration costs a third less with it (docs/decisions/0072).

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { AlgorithmName } from '../../core/auth/auth-policy.ts';
import { createAorReader } from '../../core/lookup/aor-key.ts';
import { openLogStore } from '../../location/open-log-store.ts';
import { BatchDriver, type Pipeline } from '../../shard/batch.ts';
import { COUNTER_NAMES } from '../../shard/observe/counters.ts';
import { createEventMemory, EventWriter } from '../../shard/observe/event-ring.ts';
import { createHistoryMemory } from '../../shard/observe/history.ts';
import { Measures } from '../../shard/observe/measures.ts';
import { createTapMemory } from '../../shard/observe/tap.ts';
import { TOP_SENDERS_BYTES, TopSenders } from '../../shard/observe/top-senders.ts';
import { ProcessClock } from '../../shard/process-clock.ts';
import { Bell, createBellMemory, flagWake } from '../../shard/rings/bell.ts';
import { createRingMemory, Ring } from '../../shard/rings/ring.ts';
import type { ShardOptions } from '../../shard/shard-options.ts';
import { StaticTable } from '../../shard/statics/static-table.ts';
import { warmUp } from '../../sip/parser/parser-warmup.ts';
import { LiveFlows } from '../../transport/flow/live-flows.ts';
import { QueuedMessages } from '../backlog.ts';
import type { ShardTask } from '../shard-messages.ts';
import { collectGarbage } from './collect-garbage.ts';
import { openLogins } from './logins.ts';
import { type Act, DOMAIN, Phones } from './phones.ts';

/** Shards made for it, one after the other: V8 learns nothing from steps that a first shard does once. */
const SHARDS = 2;
/** Phones of each shard: enough that V8 has compiled all code of their requests. */
const PHONES = 2048;
const BATCH = 32;
const RING_BYTES = 1 << 18;

/**
 * Runs before any part of the shard is made: V8 changes its view of a class with the objects that it sees, and objects made earlier
 * are strangers to code compiled later. AORTA_WARM_UP=off in the environment skips it: it costs a third of a start's CPU, which pays
 * only where more than some requests follow.
 * @param answerRing of the shard that comes after it
 */
export function warmShard(
  task: ShardTask,
  answerRing: Uint8Array,
  createPipeline: (options: ShardOptions) => Pipeline,
  log: ShardOptions['log'],
): void {
  if (process.env.AORTA_WARM_UP === 'off') return;
  warmUp();
  if (task.store.kind !== 'log') return;
  const directory = `${task.store.directory}.rehearsal`;
  try {
    rehearse(directory, task, answerRing, createPipeline);
  } catch (error) {
    // A full disk, for example: the start continues, or fails where the shard's own store reports the reason.
    log('warn', 'no rehearsal: the first requests take longer', { error: String(error) });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  // A node of a cluster has many of these threads.
  if (task.cluster !== undefined) collectGarbage();
}

/**
 * Rehearses; this takes some hundred milliseconds. Overwrites slots of the slab.
 * @param directory of the rehearsal's own store; its content is removed
 */
function rehearse(
  directory: string,
  task: ShardTask,
  answerRing: Uint8Array,
  createPipeline: (options: ShardOptions) => Pipeline,
): void {
  rmSync(directory, { recursive: true, force: true });
  const auth = task.auth && openLogins(directory, task.auth, PHONES);
  try {
    for (let i = 0; i < SHARDS; i++) {
      const store = openLogStore(join(directory, String(i)), 'process');
      try {
        const options = { ...rehearsalOptions(task, store), answerRing, ...(auth && { auth }) };
        play(options, createPipeline(options), auth?.policy.algorithms[0]);
      } finally {
        store.close();
      }
    }
  } finally {
    auth?.users.close();
  }
}

/** Parts of the same classes as the shard's own, so that V8 meets no others afterwards; none of their memory is shared. */
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

/** Phones do all their acts in turns, so that V8 has seen all of them before it compiles any. Half of the phones stay. */
function play(
  { counters, measures }: ShardOptions & { readonly measures: Measures },
  shard: Pipeline,
  algorithm: AlgorithmName | undefined,
): void {
  shard.open();
  const phones = new Phones(shard.peers, BATCH, PHONES, algorithm);
  const driver = new BatchDriver({
    shard,
    counters,
    measures,
    elapsed: () => performance.now(),
    decided: () => {},
    send: () => phones.hear(shard.answers),
    backlog: new QueuedMessages([], null),
  });
  const act = (kind: Act, first: number) => driver.run(phones.speak(kind, first), 0, BATCH, Date.now());
  for (let first = 0; first < PHONES; first += BATCH) {
    if (algorithm !== undefined) act('asks', first);
    act('registers', first);
    act('refreshes', first);
    if (first % (2 * BATCH) === 0) act('leaves', first / 2);
  }
}
