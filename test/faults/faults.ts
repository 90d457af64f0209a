// What may fail in a cluster, each as a fault that is done under load and ended; what is expected of it is docs/cluster.md's. After
// each of them every 200 must hold on every node.

import { pause } from '../support/child-process.ts';
import type { FaultRun } from './fault-run.ts';

export interface Fault {
  readonly name: string;
  readonly what: string;
  /** Does it and ends it; resolves when the cluster should be whole again. */
  run(run: FaultRun): Promise<void>;
  /** All requests are answered again after so many ms at most. */
  readonly pauseMsMax: number;
  /** Of final answers, besides 200. */
  readonly mayRefuse?: true;
}

const STILL_MS = 8000;

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
      await pause(STILL_MS);
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
      await pause(5000);
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
    name: 'F9',
    what: 'an owner cut off from all NATS servers',
    pauseMsMax: 8000,
    mayRefuse: true,
    async run({ cluster, network }) {
      const victim = await cluster.ownerOf(0);
      network.set(victim, 'both');
      await pause(6000);
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
    name: 'F19',
    what: 'all nodes and NATS servers at once',
    pauseMsMax: 40_000,
    async run({ cluster }) {
      await Promise.all([
        ...cluster.nodes.map((node) => node.kill9()),
        ...cluster.nats.children.map((_, server) => cluster.nats.kill9(server)),
      ]);
      for (const [server] of cluster.nats.children.entries()) cluster.nats.launch(server);
      await cluster.nats.ready();
      await Promise.all(cluster.nodes.map((_, node) => cluster.launch(node)));
    },
  },
];
