// A node that leaves its cluster, gone or not: what the others say of it then, and what it says of itself.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { removeDirectories } from '../support/aorta-process.ts';
import { killAll, poll } from '../support/child-process.ts';
import { Cluster, command } from '../support/cluster.ts';
import { natsMissing } from '../support/nats-servers.ts';

describe.skipIf(natsMissing())('a node that leaves', () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await Cluster.start({ shards: 2 });
  });
  afterAll(async () => {
    await cluster?.close();
    await cluster?.nats.close();
    await killAll();
    removeDirectories();
  });

  const get = async (node: number, path: string) => {
    const answer = await fetch(`http://127.0.0.1:${cluster.files[node].admin}${path}`);
    return `${answer.status} ${await answer.text()}`;
  };
  const upOf = async (node: number, name: string) =>
    (await get(node, '/metrics')).match(new RegExp(`^aorta_cluster_node_up\\{node="${name}"\\} \\d`, 'gm')) ?? [];

  it('is in no metric of the others, and has one value once it is there again', async () => {
    await cluster.nodes[2].kill9();
    const gone = 'aorta_cluster_node_up{node="c"} 0';
    await poll('c is silent', 10_000, async () => (await upOf(1, 'c'))[0] === gone || undefined);
    expect(await command('cluster', 'verify', '--data', cluster.files[1].data)).toMatch(
      /the same on this node and 1 other; not compared, since silent: c$/m,
    );
    await command('cluster', 'leave', 'c', '--data', cluster.files[0].data);
    expect(await upOf(0, 'c')).toEqual([]);
    await poll('b forgets c', 15_000, async () => (await upOf(1, 'c')).length === 0 || undefined);
    await cluster.launch(2);
    await cluster.settled();
    await poll('a and b know c', 15_000, async () =>
      [...(await upOf(0, 'c')), ...(await upOf(1, 'c'))].length > 1 ? true : undefined,
    );
    expect(await upOf(0, 'c')).toEqual(['aorta_cluster_node_up{node="c"} 1']);
    expect(await upOf(2, 'c')).toEqual(['aorta_cluster_node_up{node="c"} 1']);
  });

  it('says that it is not ready where it only stood still, and is of the cluster after its next start', async () => {
    const { child } = cluster.nodes[1];
    child.signal('SIGSTOP');
    await poll('b is silent', 10_000, async () => {
      const { nodes = [] } = (await cluster.status(0)) ?? {};
      return nodes.find(({ name }) => name === 'b')?.alive === false || undefined;
    });
    await command('cluster', 'leave', 'b', '--data', cluster.files[0].data);
    child.signal('SIGCONT');
    const left = await poll('b knows', 15_000, async () => {
      const answer = await get(1, '/readyz');
      return answer.startsWith('503') ? answer : undefined;
    });
    expect(left).toContain('node b was let go by aorta cluster leave: start it anew');
    await cluster.nodes[1].stop();
    await cluster.launch(1);
    await cluster.settled();
    expect(await get(1, '/readyz')).toMatch(/^200/);
  });

  it('is named where it is drained, and somebody would have it take a shard', async () => {
    const { files } = cluster;
    await command('cluster', 'drain', '--data', files[1].data);
    await expect(cluster.post(1, '/v1/cluster/shards/0/take')).rejects.toThrow(
      /node b is draining: aorta cluster drain --off on it first/,
    );
    const off = JSON.parse(await command('cluster', 'drain', '--off', '--json', '--data', files[1].data));
    expect(off.nodes.find(({ name }: { name: string }) => name === 'b')).toMatchObject({
      alive: true,
      draining: false,
    });
  });
});
