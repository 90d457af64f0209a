// REGISTERs that a cluster answers, on this machine beside its NATS servers and the load generator: one node, a node with followers, and
// one whose requests all cross to the owner. And the memory of a node without bindings.

import { readFileSync } from 'node:fs';
import { poll } from '../../test/support/child-process.ts';
import { Cluster, type ClusterOptions } from '../../test/support/cluster.ts';
import type { NatsServers } from '../../test/support/nats-servers.ts';
import type { Phase } from '../load/generator.ts';
import { DOMAIN, logins } from '../load/login.ts';
import { runLoad } from '../load/run.ts';
import type { Question } from '../question.ts';
import { grouped } from '../results.ts';
import { atLeast, atMost, type Row, targetTable } from '../rows.ts';
import type { Settings } from '../settings.ts';
import { cpuSeconds } from '../streams/process-figures.ts';
import { crossingRows } from './crossing.ts';
import { closeNats, natsSeconds, startNats } from './nats.ts';

const TAKE_MS = 20_000;
const [NO_LOGIN] = logins(['none'], ['md5']);

interface Figures {
  readonly register: Phase;
  readonly refresh: Phase;
  /** Microseconds a REGISTER of both phases: of the nodes, and of the NATS servers. */
  readonly nodesUs: number;
  readonly serversUs: number;
}

/** A new cluster for what is asked. */
export async function inCluster<T>(
  options: ClusterOptions,
  ask: (cluster: Cluster, nats: NatsServers) => Promise<T>,
): Promise<T> {
  const nats = await startNats();
  try {
    const flags = () => ['--domain', DOMAIN, '--log-level', 'warn'];
    // As in bench/storm/no-control.yaml: what waits is as long as the window.
    const other = 'policy:\n  overload-target-ms: 0\n';
    const cluster = await Cluster.start({ flags, other, ...options, nats });
    try {
      return await ask(cluster, nats);
    } finally {
      await cluster.close();
    }
  } finally {
    await closeNats(nats);
  }
}

/** @param to the node that all requests are sent to; its own are the shards, or another's */
async function load(settings: Settings, cluster: Cluster, nats: NatsServers, to: number): Promise<Figures> {
  const pids = cluster.nodes.map(({ child }) => child.pid);
  const nodes = () => pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
  const [nodesBefore, serversBefore] = [nodes(), natsSeconds(nats)];
  const [register, refresh] = await runLoad({
    port: cluster.ports[to],
    localPort: settings.port + 1,
    serverPid: pids[to],
    aors: settings.number('aors', 100_000, 500),
    window: settings.number('window', 2048, 64),
    seconds: settings.number('seconds', 8, 0.5),
    warmup: settings.isSmall ? 0.1 : 2,
    core: settings.clientCore,
    validate: true,
    login: NO_LOGIN,
    signal: settings.signal,
  });
  const requests = register.started + refresh.started;
  return {
    register,
    refresh,
    nodesUs: ((nodes() - nodesBefore) * 1e6) / requests,
    serversUs: ((natsSeconds(nats) - serversBefore) * 1e6) / requests,
  };
}

/** The first node owns all shards, and the others follow them. */
export async function takeAll(cluster: Cluster, shards: number): Promise<void> {
  for (const node of cluster.alive()) await cluster.follows(node);
  for (let shard = 0; shard < shards; shard++)
    await poll(`shard ${shard} on the first node`, TAKE_MS, () =>
      cluster.post(0, `/v1/cluster/shards/${shard}/take`).then(
        () => true,
        () => undefined,
      ),
    );
}

async function loads(settings: Settings): Promise<readonly { readonly name: string; readonly figures: Figures }[]> {
  const asked: { name: string; figures: Figures }[] = [];
  const ask = async (name: string, nodes: number, shards: number, isForeign = false) => {
    settings.tell(name);
    const figures = await inCluster({ nodes, shards }, async (cluster, nats) => {
      if (nodes > 1) await takeAll(cluster, shards);
      return load(settings, cluster, nats, isForeign ? 1 : 0);
    });
    asked.push({ name, figures });
  };
  await ask('one node, 1 shard', 1, 1);
  if (settings.isSmall) return asked;
  await ask('one node, 2 shards', 1, 2);
  await ask('one node, 4 shards', 1, 4);
  await ask('a node that owns all 4 shards, and a follower', 2, 4);
  await ask('requests reach the follower, and cross', 2, 4, true);
  return asked;
}

async function crossings(settings: Settings): Promise<readonly Row[]> {
  return inCluster({ nodes: 2, shards: 1 }, async (cluster) => {
    await takeAll(cluster, 1);
    return crossingRows(settings, cluster);
  });
}

async function emptyMegabytes(shards: number): Promise<number> {
  return inCluster({ nodes: 1, shards }, async ({ nodes: [node] }) => {
    const status = readFileSync(`/proc/${node.child.pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+([0-9]+)/m.exec(status)?.[1]) / 1024;
  });
}

async function ask(settings: Settings) {
  const parts = settings.words('only', 'loads,crossing,memory', 'loads,crossing');
  const found = parts.includes('loads') ? await loads(settings) : [];
  const rows = found.map(({ name, figures: { register, refresh, nodesUs, serversUs } }) => [
    name,
    grouped(register.ok_per_s),
    grouped(refresh.ok_per_s),
    (refresh.lat_us.p50 / 1000).toFixed(1),
    (refresh.lat_us.p99 / 1000).toFixed(1),
    nodesUs.toFixed(1),
    serversUs.toFixed(1),
  ]);
  const best = (of: (figures: Figures) => number) =>
    found.length === 0 ? [] : [Math.max(...found.map(({ figures }) => of(figures)))];
  const crossing = parts.includes('crossing') ? await crossings(settings) : [];
  const empty = parts.includes('memory') ? [await emptyMegabytes(12)] : [];
  const targets: Row[] = [
    atLeast(
      'replicated refreshes a second',
      best(({ refresh }) => refresh.ok_per_s),
      100_000,
      0,
      '',
    ),
    atLeast(
      'replicated first registrations a second',
      best(({ register }) => register.ok_per_s),
      25_000,
      0,
      '',
    ),
    ...crossing,
    atMost('memory of a node with 12 shards, empty', empty, 500, 0, 'MB'),
  ];
  const head = ['cluster', 'registrations/s', 'refreshes/s', 'p50 ms', 'p99 ms', 'nodes, CPU us', 'NATS, CPU us'];
  return [{ head, rows, data: found }, targetTable(targets)];
}

export const CLUSTER_LOAD_QUESTION: Question = {
  name: 'cluster-load',
  asks: 'REGISTERs a second of a cluster on this machine, and what crosses between its nodes',
  against: 'no',
  run: ask,
};
