// NATS servers of which two have no route to each other, while both answer: the nodes notice and say what to do.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { removeDirectories } from '../support/aorta-process.ts';
import { killAll, poll } from '../support/child-process.ts';
import { Cluster, command } from '../support/cluster.ts';
import { NatsServers, natsMissing } from '../support/nats-servers.ts';
import { TcpRelay } from '../support/tcp-relay.ts';

const NOTICED_MS = 30_000;

describe.skipIf(natsMissing())('a route between two NATS servers', () => {
  const relays: TcpRelay[] = [];
  /** Of the first and the third. */
  const between: TcpRelay[] = [];
  let nats: NatsServers;
  let cluster: Cluster;

  beforeAll(async () => {
    nats = await NatsServers.start({
      route: async (from, to, port) => {
        const relay = await TcpRelay.open({ address: '127.0.0.1', port });
        relays.push(relay);
        if (from + to === 2) between.push(relay);
        return `nats://127.0.0.1:${relay.port}`;
      },
    });
    cluster = await Cluster.start({ nodes: 1, shards: 1, nats });
  });
  afterAll(async () => {
    await cluster?.close();
    for (const relay of relays) relay.close();
    await nats?.close();
    await killAll();
    removeDirectories();
  });

  const unrouted = (count: number) =>
    poll(`${count} servers without a route`, NOTICED_MS, async () => {
      const answer = await fetch(`http://127.0.0.1:${cluster.files[0].admin}/metrics`);
      const line = new RegExp(`^aorta_cluster_server_faults\\{kind="unrouted"\\} ${count}$`, 'm');
      return line.test(await answer.text()) || undefined;
    });

  it('that stays away is told, with its remedy, until it is back', async () => {
    await unrouted(0);
    for (const relay of between) relay.cut();
    await unrouted(2);
    const remedy = `${nats.monitorUrls[0]} has no route to ${nats.urls[2]}: mend the network between them, or restart this`;
    const [{ stderr }] = cluster.nodes;
    expect(stderr).toMatch(new RegExp(`${remedy}.*a NATS server has no route to another`));
    expect(await command('cluster', 'status', '--data', cluster.files[0].data)).toContain(remedy);
    for (const relay of between) relay.mend();
    await unrouted(0);
    expect(cluster.nodes[0].stderr).toMatch(/a NATS server is as it must be again/);
  }, 120_000);
});
