// What a request costs that crosses from the node that receives it to the owner of its shard, and back: REGISTERs that remove what is not
// there, so that the owner decides and nothing is committed. The same load asks the owner and the other node in turn.

import { spawnSync } from 'node:child_process';
import type { Cluster } from '../../test/support/cluster.ts';
import { compiled } from '../compile.ts';
import { regload } from '../load/generator.ts';
import { DOMAIN } from '../load/login.ts';
import { atMost, median, type Row, seen } from '../rows.ts';
import type { Settings } from '../settings.ts';
import { cpuSeconds } from '../streams/process-figures.ts';

const [OWNER, OTHER] = [0, 1];
const AORS = 10_000;
const BATCHES = 1024;

/** CPU time of both nodes for a request to one of them, in microseconds. */
async function costOf(settings: Settings, cluster: Cluster, to: number, window: number): Promise<number> {
  const nodes = () => cluster.nodes.reduce((sum, { child }) => sum + cpuSeconds(child.pid), 0);
  const crossed = () => forwarded(cluster);
  const [cpuBefore, crossedBefore] = [nodes(), await crossed()];
  const flags = Object.entries({
    '--port': cluster.ports[to],
    '--local-port': settings.port + 1,
    '--domain': DOMAIN,
    '--aors': AORS,
    '--expires': 0,
    '--window': window,
    // A busy machine may answer nothing within a short time: the small run is so many requests, however long they take.
    ...(settings.isSmall ? { '--count': 2 * BATCHES } : { '--duration': 3 }),
    '--cpu': settings.clientCore,
  });
  const [phase] = await regload(['--refresh', '--no-validate', ...flags.flat()], settings.signal);
  const us = ((nodes() - cpuBefore) * 1e6) / phase.started;
  if (phase.ok === 0 || phase.other + phase.timeouts > 0) throw new Error(`${phase.other} of ${phase.started} refused`);
  const share = ((await crossed()) - crossedBefore) / phase.started;
  if (to === OTHER ? share < 0.99 : share > 0) throw new Error(`${share} of the requests crossed`);
  return us;
}

/** Requests that the other node has sent to the owner. */
async function forwarded(cluster: Cluster): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${cluster.files[OTHER].admin}/metrics`)).text();
  return Number(/^aorta_cluster_forwarded_total(?:\{.*\})? ([0-9]+)/m.exec(text)?.[1]);
}

/** What it costs this machine that a thread wakes another one: a request that is alone wakes each thread on its way. */
function wakeUs(settings: Settings, cores: readonly [number, number]): number[] {
  const words = [settings.isSmall ? 1000 : 20_000, ...cores].map(String);
  const { status, stdout } = spawnSync(compiled('bench/cluster/wakes.c'), words, { encoding: 'utf8' });
  return status === 0 ? [Number(stdout)] : []; // such a core is not this process's
}

/** Its first node owns all shards. */
export async function crossingRows(settings: Settings, cluster: Cluster): Promise<Row[]> {
  const rounds = settings.isSmall ? 1 : 5;
  const sides = async (window: number) => {
    const found: number[] = [];
    for (let n = 0; n < rounds; n++) {
      const owner = await costOf(settings, cluster, OWNER, window);
      found.push(((await costOf(settings, cluster, OTHER, window)) - owner) / 2);
    }
    settings.tell(`a request that crosses, ${window} on their way: ${median(found).toFixed(2)} us a side`);
    return found;
  };
  // The first requests of a life are compiled meanwhile, which other threads do.
  if (!settings.isSmall) for (const to of [OWNER, OTHER]) await costOf(settings, cluster, to, BATCHES);
  const [batches, alone] = [await sides(BATCHES), await sides(1)];
  const { serverCore, clientCore } = settings;
  const wakes = (on: number) => Array.from({ length: rounds }, () => wakeUs(settings, [serverCore, on])).flat();
  return [
    atMost('a request that crosses, in batches: CPU a side', batches, 2, 2, 'us'),
    atMost('a request that crosses, alone: CPU a side', alone, 10, 1, 'us'),
    seen('a thread wakes another one on its core, in C: CPU', wakes(serverCore), 1, 'us'),
    seen('the same on another core', wakes(clientCore), 1, 'us'),
  ];
}
