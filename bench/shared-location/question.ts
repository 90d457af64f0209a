// The read model at work: lookups in another process, how late it sees 10,000 changes a second, and the CPU of the thread that writes
// it, idle, under changes and under refreshes.

import { fork } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { MessageChannel } from 'node:worker_threads';
import { DEFAULT_POLICY } from '../../src/core/uas/policy.ts';
import { openLogStore } from '../../src/location/open-log-store.ts';
import { ChangedKeys } from '../../src/location/shared/changed-keys.ts';
import { Bell, flagWake } from '../../src/shard/rings/bell.ts';
import { SharedLocations } from '../../src/threads/shared-location/shared-locations.ts';
import { tied } from '../children.ts';
import type { Question, Table } from '../question.ts';
import { grouped } from '../results.ts';
import { partProgram } from '../root.ts';
import { atMost, type Row, seen, targetTable } from '../rows.ts';
import type { Settings } from '../settings.ts';
import { Registrations } from './registrations.ts';

const CHANGES = 10_000;
const BATCH = 50;
const WATCHED = 2000;
const TICKS = 100; // of the kernel's clock, a second

/** CPU seconds of each thread of this process so far. */
function threads(): Map<string, number> {
  const found = new Map<string, number>();
  for (const tid of readdirSync('/proc/self/task')) {
    const fields = readFileSync(`/proc/self/task/${tid}/stat`, 'latin1')
      .replace(/^.*\) /, '')
      .split(' ');
    found.set(tid, (Number(fields[11]) + Number(fields[12])) / TICKS);
  }
  return found;
}

type Figures = Readonly<Record<string, number>>;

/** The store, its registrations and the thread that writes the read model of it. */
async function opened(settings: Settings, aors: number) {
  const data = settings.fresh();
  const before = threads();
  const store = openLogStore(join(data, 'shard-0'), 'process');
  const secret = Buffer.alloc(32, 7);
  const policy = { ...DEFAULT_POLICY, domains: ['example.com'] };
  const log = (...said: unknown[]) => console.error(...said);
  const shared = new SharedLocations({ data, shards: 1, secret, policy, log });
  const { keys, bell } = shared.memoryOf(0);
  const reader = new Bell(bell, flagWake(bell));
  settings.tell(`registering ${aors} AORs`);
  const registrations = new Registrations(store, secret);
  for (let n = 0; n < aors; n += 512) registrations.register(n, Math.min(512, aors - n));
  store.changes = new ChangedKeys(keys, () => reader.ring());
  const { port1, port2 } = new MessageChannel();
  const parts = store.share((news) => port1.postMessage(news));
  const begun = performance.now();
  shared.opened(0, { directory: join(data, 'shard-0'), parts, port: port2 });
  await delay(200);
  const writer = [...threads().keys()].filter((tid) => !before.has(tid));
  const close = async () => {
    await shared.close();
    store.close();
    port1.close();
  };
  const busy = () => writer.reduce((sum, tid) => sum + (threads().get(tid) ?? 0), 0);
  return { data, registrations, begun, busy, close };
}

type Model = Awaited<ReturnType<typeof opened>>;

/** Changes, or refreshes, at CHANGES a second: the CPU of the writing thread for each, microseconds. */
async function load(model: Model, aors: number, seconds: number, refreshes: boolean): Promise<number> {
  const cpu = model.busy();
  const begin = performance.now();
  let done = 0;
  for (let batch = 0; performance.now() - begin < seconds * 1000; batch++) {
    // Changes come back to the same AORs soon, so that the reader sees some of each.
    const from = (batch * BATCH) % (refreshes ? aors : WATCHED);
    if (refreshes) model.registrations.refresh(from, BATCH);
    else model.registrations.register(from, BATCH);
    done += BATCH;
    const ahead = (done / CHANGES) * 1000 - (performance.now() - begin);
    if (ahead > 1) await delay(ahead);
  }
  return ((model.busy() - cpu) / done) * 1e6;
}

async function rowsOf(settings: Settings, model: Model, aors: number): Promise<Row[]> {
  const seconds = settings.number('seconds', 10, 0.5);
  const child = tied(fork(partProgram('reader'), [model.data, String(aors)], { stdio: 'inherit' }));
  const said = (type: string) =>
    new Promise<Figures>((resolve, reject) => {
      child.once('exit', () => reject(new Error('the reading process ended')));
      child.on('message', (message: { type: string; figures: Figures }) => {
        if (message.type === type) resolve(message.figures);
      });
    });
  try {
    const lookups = said('lookups');
    await said('open');
    const madeS = (performance.now() - model.begun) / 1000;
    const madeUs = (model.busy() / aors) * 1e6;
    const { has, lookup } = await lookups;
    const idle = model.busy();
    await delay(seconds * 1000);
    const idlePercent = ((model.busy() - idle) / seconds) * 100;
    const refreshUs = await load(model, aors, seconds, true);
    child.send('watch');
    const changeUs = await load(model, aors, seconds, false);
    const lag = said('lag');
    child.send('done');
    const { p50, p99 } = await lag;
    return [
      atMost('`has` in another process', [has], 2, 1, 'us'),
      seen('`lookup`, with all that a binding says', [lookup], 1, 'us'),
      atMost('CPU of the thread for a change, at 10,000 a second', [changeUs], 15, 1, 'us'),
      atMost('the same for refreshes, at 10,000 a second', [refreshUs / 100], 1, 1, '% of a core'),
      seen('idle', [idlePercent], 1, '% of a core'),
      seen(`made anew, ${grouped(aors)} AORs`, [madeS], 1, 's'),
      seen('the same, CPU for an AOR', [madeUs], 1, 'us'),
      seen('a change is seen after, p50', [p50].filter(Number.isFinite), 0, 'ms'),
      seen('a change is seen after, p99', [p99].filter(Number.isFinite), 0, 'ms'),
    ];
  } finally {
    child.removeAllListeners('exit');
    child.kill();
  }
}

async function run(settings: Settings): Promise<Table[]> {
  const aors = settings.number('aors', 1_000_000, 4000);
  const model = await opened(settings, aors);
  try {
    return [targetTable(await rowsOf(settings, model, aors))];
  } finally {
    await model.close();
  }
}

export const READ_MODEL_QUESTION: Question = {
  name: 'read-model',
  asks: 'lookups in another process, and the CPU of the thread that writes what they read',
  against: 'no',
  run,
};
