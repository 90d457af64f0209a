// What may fail in a cluster, each as a fault that is done under load and ended; what is expected of it is docs/cluster.md's. After
// each of them every 200 must hold on every node.

import { closeSync, openSync, readdirSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { pause, poll } from '../support/child-process.ts';
import { Load } from '../support/load.ts';
import type { FaultRun } from './fault-run.ts';
import { SmallDisk } from './small-disk-under.ts';

export interface Fault {
  readonly name: string;
  readonly what: string;
  /** Does it and ends it; resolves when the cluster should be whole again. */
  run(run: FaultRun): Promise<void>;
  /** All requests are answered again after so many ms at most. */
  readonly pauseMsMax: number;
  /** Of final answers, besides 200. */
  readonly mayRefuse?: true;
  /** Why it cannot be done here. */
  missing?(): string | undefined;
}

const STILL_MS = 8000;
/** What a cut of power takes: half of so many bytes at the end of a log, behind the file's head. */
const LOST_BYTES = 64 << 10;
const KEPT_BYTES = 16 << 10;
/** Phones that come back at once. */
const PHONES = 1000;
const STORM_MS = 60_000;
/** Requests on their way at a time: new phones would be put off in a storm, known ones are not. */
const CALM = 32;
const STORM = 400;

/** Throws where a phone gets anything but its 200. @param ports where a phone without an answer asks next */
async function registerAll(port: number, ports: readonly number[], window: number): Promise<void> {
  const asked = { aors: PHONES, window, rounds: 1, interval: () => 3600, user: 'storm' };
  const load = new Load({ ...asked, port, ...(ports.length > 0 && { ports }) });
  await load.open();
  try {
    void load.start();
    await poll(
      'phones that come back',
      STORM_MS,
      async () => load.acknowledged + load.refused.length === PHONES || undefined,
    );
    if (load.refused.length > 0) throw new Error(`a phone that came back was answered ${load.refused[0]}`);
  } finally {
    load.close();
  }
}

/** Zeros over the middle of the newest generation of a log. */
function damage(folder: string): void {
  const names = readdirSync(folder).filter((name) => name.endsWith('.mdb'));
  const sizes = names.map((name) => statSync(join(folder, name)).size);
  const largest = join(folder, names[sizes.indexOf(Math.max(...sizes))]);
  const fd = openSync(largest, 'r+');
  writeSync(fd, Buffer.alloc(32 << 10), 0, 32 << 10, 24 << 10);
  closeSync(fd);
}

/** Zeros where the newest generation was written shortly before its end, as a cut of power leaves them. */
function loseLastPages(folder: string): void {
  const [newest] = readdirSync(folder)
    .filter((name) => name.endsWith('.mdb'))
    .sort()
    .reverse();
  const path = join(folder, newest);
  const end = readFileSync(path).findLastIndex((byte) => byte !== 0);
  const from = Math.max(KEPT_BYTES, (end & ~4095) - LOST_BYTES);
  const fd = openSync(path, 'r+');
  writeSync(fd, Buffer.alloc(LOST_BYTES / 2), 0, LOST_BYTES / 2, from);
  closeSync(fd);
}

async function stopAll({ nodes, nats }: FaultRun['cluster']): Promise<void> {
  await Promise.all([...nodes.map((node) => node.kill9()), ...nats.children.map((_, server) => nats.kill9(server))]);
}

async function startAll(cluster: FaultRun['cluster']): Promise<void> {
  const { nats, nodes } = cluster;
  for (const [server] of nats.children.entries()) nats.launch(server);
  await nats.ready();
  await Promise.all(nodes.map((_, node) => cluster.launch(node)));
}

export const FAULTS: readonly Fault[] = [
  {
    name: 'F1',
    what: 'kill -9 of an owner',
    pauseMsMax: 4000,
    async run({ cluster }) {
      const victim = await cluster.ownerOf(0);
      await cluster.nodes[victim].kill9();
      await cluster.settled();
      await pause(1000);
      await cluster.launch(victim);
    },
  },
  {
    name: 'F2',
    what: 'kill -9 of the NATS server that leads a stream',
    pauseMsMax: 15_000,
    async run({ cluster }) {
      const server = await cluster.nats.leaderOf(cluster.streamOf(0));
      await cluster.nats.kill9(server);
      await poll('another leader', 20_000, async () => (await cluster.nats.leaderOf(cluster.streamOf(0))) !== server);
      cluster.nats.launch(server);
      await cluster.nats.ready();
    },
  },
  {
    name: 'F3',
    what: 'SIGTERM of the NATS server that leads a stream',
    pauseMsMax: 6000,
    async run({ cluster }) {
      const server = await cluster.nats.leaderOf(cluster.streamOf(0));
      cluster.nats.children[server].signal('SIGTERM');
      await cluster.nats.children[server].end(15_000);
      await pause(2000);
      cluster.nats.launch(server);
      await cluster.nats.ready();
    },
  },
  {
    name: 'F4',
    what: 'kill -9 of a NATS server that does not lead the stream',
    pauseMsMax: 15_000,
    async run({ cluster }) {
      const leader = await cluster.nats.leaderOf(cluster.streamOf(0));
      const server = (leader + 1) % 3;
      await cluster.nats.kill9(server);
      await pause(2000);
      cluster.nats.launch(server);
      await cluster.nats.ready();
    },
  },
  {
    name: 'F5',
    what: 'a machine: an owner and the NATS server that leads its stream',
    pauseMsMax: 18_000,
    async run({ cluster }) {
      const [victim, server] = [await cluster.ownerOf(0), await cluster.nats.leaderOf(cluster.streamOf(0))];
      await Promise.all([cluster.nodes[victim].kill9(), cluster.nats.kill9(server)]);
      await pause(STILL_MS);
      cluster.nats.launch(server);
      await cluster.nats.ready();
      await cluster.launch(victim);
    },
  },
  {
    name: 'F6',
    what: 'SIGSTOP of an owner, then SIGCONT',
    pauseMsMax: 8000,
    async run({ cluster }) {
      const victim = await cluster.ownerOf(0);
      cluster.nodes[victim].child.signal('SIGSTOP');
      await pause(3500);
      cluster.nodes[victim].child.signal('SIGCONT');
    },
  },
  {
    name: 'F7',
    what: 'SIGSTOP of the NATS server that leads a stream',
    pauseMsMax: 18_000,
    async run({ cluster }) {
      const server = await cluster.nats.leaderOf(cluster.streamOf(0));
      cluster.nats.children[server].signal('SIGSTOP');
      await pause(STILL_MS);
      cluster.nats.children[server].signal('SIGCONT');
      await cluster.nats.ready();
    },
  },
  {
    name: 'F8',
    what: 'the NATS server that nodes use cut off from the others',
    pauseMsMax: 18_000,
    mayRefuse: true,
    async run({ cluster, routes }) {
      routes.isolate(0, 'both');
      await pause(STILL_MS);
      routes.isolate(0, 'none');
      await cluster.nats.ready();
    },
  },
  {
    name: 'F9',
    what: 'an owner cut off from all NATS servers',
    pauseMsMax: 8000,
    mayRefuse: true,
    async run({ cluster, network }) {
      const victim = await cluster.ownerOf(0);
      network.set(victim, 'both');
      await pause(4500);
      network.set(victim, 'none');
    },
  },
  {
    name: 'F10',
    what: 'two of three NATS servers dead',
    pauseMsMax: 25_000,
    mayRefuse: true,
    async run({ cluster }) {
      await Promise.all([cluster.nats.kill9(0), cluster.nats.kill9(1)]);
      await pause(4000);
      for (const server of [0, 1]) cluster.nats.launch(server);
      await cluster.nats.ready();
    },
  },
  {
    name: 'F11',
    what: 'acknowledgements lost on the way to an owner',
    pauseMsMax: 8000,
    async run({ cluster, network }) {
      const victim = await cluster.ownerOf(0);
      for (let n = 0; n < 3; n++) {
        network.set(victim, 'answers');
        await pause(300);
        network.set(victim, 'none');
        await pause(1500);
      }
    },
  },
  {
    name: 'F12',
    what: 'an owner that dies between the commit and its 200',
    pauseMsMax: 6000,
    async run({ cluster, network }) {
      const victim = await cluster.ownerOf(0);
      network.set(victim, 'answers');
      await pause(200);
      await cluster.nodes[victim].kill9();
      network.set(victim, 'none');
      await cluster.settled();
      await cluster.launch(victim);
    },
  },
  {
    name: 'F13',
    what: "a follower's log damaged",
    pauseMsMax: 6000,
    async run({ cluster }) {
      const victim = await cluster.ownerOf(0);
      await cluster.nodes[victim].kill9();
      await cluster.settled();
      damage(join(cluster.files[victim].data, 'shard-0', 'log'));
      await cluster.launch(victim);
      await cluster.follows(victim);
    },
  },
  {
    name: 'F14',
    what: "an owner's disk full",
    missing: SmallDisk.missing,
    pauseMsMax: 10_000,
    async run({ cluster }) {
      const victim = await cluster.ownerOf(0);
      const { data, name } = cluster.files[victim];
      await cluster.nodes[victim].kill9();
      await cluster.settled();
      const disk = SmallDisk.under(data);
      try {
        await cluster.launch(victim);
        await cluster.follows(victim);
        await cluster.post(victim, '/v1/cluster/shards/0/take');
        disk.fill();
        await poll('another owner', 20_000, async () => {
          const { shards = [] } = (await cluster.status(victim)) ?? {};
          return (shards.length > 0 && shards.every(({ owner }) => owner !== name)) || undefined;
        });
        await pause(1000);
        disk.empty();
        await cluster.follows(victim);
      } finally {
        await cluster.nodes[victim].kill9();
        disk.close();
      }
      await cluster.launch(victim);
    },
  },
  {
    name: 'F15',
    what: 'a node whose clock is a minute ahead',
    pauseMsMax: 6000,
    async run({ cluster }) {
      const victim = await cluster.ownerOf(0);
      await cluster.nodes[victim].kill9();
      await cluster.settled();
      await cluster.launch(victim, 60_000);
      await cluster.follows(victim);
      const others = cluster.alive().filter((node) => node !== victim);
      await cluster.nodes[others[0]].kill9();
      const { shards } = await cluster.settled();
      const owners = new Set(shards.map(({ owner }) => owner));
      if (owners.has(cluster.files[victim].name)) throw new Error('it owns a shard');
      await cluster.launch(others[0]);
      await cluster.nodes[victim].kill9();
      const { data } = cluster.files[victim];
      for (const file of ['clock', 'clock.copy']) rmSync(join(data, file), { force: true }); // as docs/cluster.md says
      await cluster.launch(victim);
    },
  },
  {
    name: 'F16',
    what: 'a stream that is gone',
    pauseMsMax: 20_000,
    mayRefuse: true,
    async run({ cluster }) {
      const { manager, connection } = await cluster.manager();
      await manager.streams.delete(cluster.streamOf(0));
      await pause(2000);
      await cluster.post(0, '/v1/cluster/shards/0/stream');
      await connection.close();
    },
  },
  {
    name: 'F17',
    what: 'a frame that breaks the chain',
    pauseMsMax: 20_000,
    mayRefuse: true,
    async run({ cluster }) {
      const { manager, connection } = await cluster.manager();
      await cluster.publishWrong(connection, manager, 0);
      await poll('every node to stop before it', 15_000, async () => {
        const { shards = [] } = (await cluster.status(0)) ?? {};
        return Object.values(shards[0]?.roles ?? {}).every((role) => role === 'broken') || undefined;
      });
      await cluster.post(0, '/v1/cluster/shards/0/stream');
      await connection.close();
    },
  },
  {
    name: 'F18',
    what: 'a node away for longer than the streams reach back',
    pauseMsMax: 6000,
    async run({ cluster }) {
      const victim = await cluster.ownerOf(0);
      await cluster.nodes[victim].kill9();
      await cluster.settled();
      await pause(1500);
      await cluster.forgetOld();
      await cluster.launch(victim);
      await cluster.follows(victim);
      await cluster.demandEqual(victim);
    },
  },
  {
    name: 'F20',
    what: 'a node that dies, and its phones, that all register elsewhere at once',
    pauseMsMax: 8000,
    async run({ cluster }) {
      const victim = await cluster.ownerOf(0);
      const { ports } = cluster;
      const others = ports.filter((_, node) => node !== victim);
      await registerAll(ports[victim], [], CALM);
      await cluster.nodes[victim].kill9();
      await registerAll(others[0], others, STORM);
      await cluster.settled();
      await cluster.launch(victim);
    },
  },
  {
    name: 'F22',
    what: 'each node drained, stopped and started in turn, as for an upgrade',
    pauseMsMax: 4000,
    async run({ cluster }) {
      for (const node of cluster.alive()) {
        await cluster.post(node, '/v1/cluster/drain', { draining: true });
        await cluster.settled();
        await cluster.nodes[node].stop();
        await cluster.launch(node);
        await cluster.follows(node);
      }
      await cluster.post(0, '/v1/cluster/balance');
    },
  },
  {
    name: 'F21',
    what: 'a copy of a node that is started beside it',
    pauseMsMax: 4000,
    async run({ cluster }) {
      await cluster.demandCopyRefused(1);
    },
  },
  {
    name: 'F19',
    what: 'all nodes and NATS servers at once',
    pauseMsMax: 40_000,
    mayRefuse: true, // a node that is there before the streams have leaders refuses (decisions/0157)
    async run({ cluster }) {
      await stopAll(cluster);
      await startAll(cluster);
    },
  },
  {
    name: 'F23',
    what: 'all nodes and NATS servers at once, and pages of the log of shard 0 that were written last on every node',
    pauseMsMax: 40_000,
    mayRefuse: true, // a node that is there before the streams have leaders refuses (decisions/0157)
    async run({ cluster }) {
      await stopAll(cluster);
      for (const { data } of cluster.files) loseLastPages(join(data, 'shard-0', 'log'));
      await startAll(cluster);
      for (const node of cluster.alive()) await cluster.follows(node);
    },
  },
];
