// What a shard of a cluster costs without its requests: publications and their acknowledgements, and a follower that takes them in.

import { join } from 'node:path';
import { openLogStore } from '../../src/location/open-log-store.ts';
import type { WriteSet } from '../../src/location/write-set.ts';
import { Generator } from '../load/generator.ts';
import type { Question } from '../question.ts';
import { grouped } from '../results.ts';
import { atLeast, atMost, type Row, seen, targetTable } from '../rows.ts';
import type { Settings } from '../settings.ts';
import { Batches } from './batches.ts';
import { BenchShard, CLUSTER } from './bench-shard.ts';
import { closeNats, makeBenchStreams, natsSeconds, startNats } from './nats.ts';

const BATCH = 256;

interface Measured {
  readonly ms: readonly number[];
  /** Of this thread, and of all servers; microseconds a batch. */
  readonly cpuUs: number;
  readonly serversUs: number;
}

/** Batches until `isEnough`, each made before its time is taken. */
function measure(
  make: (n: number) => WriteSet,
  commit: (writes: WriteSet) => void,
  isEnough: (n: number) => boolean,
  servers: () => number,
): Measured {
  const ms: number[] = [];
  let cpuUs = 0;
  const serversBefore = servers();
  for (let n = 0; !isEnough(n); n++) {
    const writes = make(n);
    const cpu = process.cpuUsage();
    const began = performance.now();
    commit(writes);
    ms.push(performance.now() - began);
    const { user, system } = process.cpuUsage(cpu);
    cpuUs += user + system;
  }
  return { ms, cpuUs: cpuUs / ms.length, serversUs: ((servers() - serversBefore) * 1e6) / ms.length };
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

async function ask(settings: Settings): Promise<Row[]> {
  const aors = Math.ceil(settings.number('aors', 1_000_000, 5120) / BATCH) * BATCH;
  const seconds = settings.number('seconds', 10, 1);
  const generator = new Generator(settings.port, settings.clientCore, settings.signal);
  const batches = new Batches(generator.message(), generator.localPort);
  settings.tell('three NATS servers');
  const nats = await startNats();
  const shards: BenchShard[] = [];
  const open = (node: number) => {
    const shard = new BenchShard(nats, node, join(settings.fresh(), 'store'));
    shards.push(shard);
    return shard;
  };
  try {
    settings.tell('a stream for the shard');
    await makeBenchStreams(nats, CLUSTER, (text) => settings.tell(text));
    const owner = open(1);
    settings.tell('its owner');
    owner.claim();
    const commit = (writes: WriteSet) => owner.commit(writes);
    const servers = () => natsSeconds(nats);
    const refresh = (n: number) => batches.refreshes(owner.local, 1 + ((n * BATCH) % aors), BATCH);
    const during = (s: number) => {
      const end = performance.now() + s * 1000;
      return () => performance.now() > end;
    };
    settings.tell(`${aors} registrations`);
    const registered = measure(
      (n) => batches.registrations(1 + n * BATCH, BATCH),
      commit,
      (n) => n * BATCH >= aors,
      servers,
    );
    settings.tell('refreshes');
    const refreshed = measure(refresh, commit, during(seconds), servers);
    settings.tell('the same without a cluster');
    const alone = measureAlone(settings, batches, Math.min(aors, 100 * BATCH), during(seconds / 2));
    settings.tell('a follower');
    const follower = open(2);
    const caughtUp = follow(follower, owner);
    const entries = aors + refreshed.ms.length * BATCH;
    const lags: number[] = [];
    const isOver = during(seconds);
    for (let n = 0; !isOver(); n++) {
      commit(refresh(n));
      const began = performance.now();
      follower.follow(owner.cluster.applied.sequence);
      lags.push(performance.now() - began);
    }
    const began = performance.now();
    follower.local.table.settle();
    const settled = performance.now() - began;
    return [
      atMost('256 refreshes: acknowledged after, p50', [quantile(refreshed.ms, 0.5)], 2, 2, 'ms'),
      atMost('the same, p99', [quantile(refreshed.ms, 0.99)], 15, 2, 'ms'),
      atMost('256 registrations: acknowledged after, p50', [quantile(registered.ms, 0.5)], 4, 2, 'ms'),
      seen('the same, p99', [quantile(registered.ms, 0.99)], 2, 'ms'),
      atMost('CPU of the shard for 256 refreshes, beyond a commit alone', [refreshed.cpuUs - alone.cpuUs], 80, 0, 'us'),
      seen('CPU of the three servers for 256 refreshes', [refreshed.serversUs], 0, 'us'),
      atLeast('a follower from the first message on: entries a second', [entries / caughtUp.s], 400_000, 0, ''),
      atMost('CPU of an entry', [caughtUp.cpuUs / entries], 1.5, 2, 'us'),
      seen("lag behind the owner's acknowledgement, p50", [quantile(lags, 0.5)], 2, 'ms'),
      atMost('the same, p99', [quantile(lags, 0.99)], 50, 2, 'ms'),
      atMost(`takeover: ${grouped(aors)} rows settled`, [settled], 100, 0, 'ms'),
    ];
  } finally {
    for (const shard of shards) shard.close();
    await closeNats(nats);
  }
}

function follow(follower: BenchShard, owner: BenchShard): { readonly s: number; readonly cpuUs: number } {
  const cpu = process.cpuUsage();
  const began = performance.now();
  follower.follow(owner.cluster.applied.sequence);
  const s = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { s, cpuUs: user + system };
}

/** The same batches in a store on this disk, as in a cluster without a sync. */
function measureAlone(settings: Settings, batches: Batches, aors: number, isOver: () => boolean): Measured {
  const store = openLogStore(join(settings.fresh(), 'store'), 'process');
  try {
    const commit = (writes: WriteSet) => void store.commit(writes, Date.now());
    for (let n = 1; n <= aors; n += BATCH) commit(batches.registrations(n, BATCH));
    const refresh = (n: number) => batches.refreshes(store, 1 + ((n * BATCH) % aors), BATCH);
    return measure(refresh, commit, isOver, () => 0);
  } finally {
    store.close();
  }
}

export const CLUSTER_STREAM_QUESTION: Question = {
  name: 'cluster-stream',
  asks: 'publications of a shard to three NATS servers, and a follower that takes them in',
  against: 'no',
  async run(settings) {
    const aors = settings.number('aors', 1_000_000, 5120);
    const note = `One thread; three servers on this machine, which sync; ${grouped(aors)} AORs of one shard, a batch at a time.`;
    return [targetTable(await ask(settings), note)];
  },
};
