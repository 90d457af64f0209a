// Three nodes and three NATS servers: what a 200 promises holds whoever dies (docs/cluster.md).

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FaultRun } from '../faults/fault-run.ts';
import { FAULTS } from '../faults/faults.ts';
import { removeDirectories } from '../support/aorta-process.ts';
import { killAll, poll } from '../support/child-process.ts';
import { command } from '../support/cluster.ts';
import { natsMissing } from '../support/nats-servers.ts';
import { SipClient } from '../support/sip-client.ts';

describe.skipIf(natsMissing())('a cluster of three nodes', () => {
  let run: FaultRun;

  beforeAll(async () => {
    run = await FaultRun.start();
  });
  afterAll(async () => {
    await run?.close();
    await killAll();
    removeDirectories();
  });

  it('finds on every node what was registered at any of them', async () => {
    const { cluster } = run;
    const clients = await Promise.all(cluster.nodes.map((node) => SipClient.open(node)));
    for (const [n, client] of clients.entries()) {
      for (let i = 0; i < 5; i++) {
        const aor = `t${n}${i}@example.com`;
        const answer = await client.request(client.register({ aor, contacts: [`<sip:t@127.0.0.1:${client.port}>`] }));
        expect(answer.status, answer.text).toBe(200);
      }
      client.close();
    }
    for (const node of cluster.alive()) {
      const seen = await poll('all bindings on a node', 2000, async () => {
        const dump = await cluster.dump(node);
        return dump.size === 15 ? dump : undefined;
      });
      expect([...seen.keys()].sort()[0]).toBe('t00@example.com');
    }
  });

  it('has the metrics that its alerts and its dashboard name', async () => {
    const { files } = run.cluster;
    const grafana = join(import.meta.dirname, '../../docs/grafana');
    const read = (file: string) => readFileSync(join(grafana, file), 'utf8');
    const alerts = read('cluster-alerts.yaml') + read('cluster-dashboard.json').replaceAll('"aorta-cluster"', '');
    const scrape = await (await fetch(`http://127.0.0.1:${files[0].admin}/metrics`)).text();
    const names = new Set(alerts.match(/\baorta_\w+/g));
    expect(names.size).toBeGreaterThan(5);
    expect([...names].filter((name) => !new RegExp(`^${name}[{ ]`, 'm').test(scrape))).toEqual([]);
    expect(scrape).toMatch(/^aorta_cluster_node_up\{node="c"\} 1$/m);
  });

  it('copies a shard anew from another node, and has the same bindings as the others', async () => {
    const { cluster } = run;
    const state = await cluster.settled();
    const node = cluster.files.findIndex(({ name }) => name !== state.shards[1].owner);
    const { data } = cluster.files[node];
    expect(await command('cluster', 'reseed', '1', '--data', data)).toMatch(
      /^shard 1: [\d.]+ [KM]?i?B from node [abc]$/m,
    );
    await cluster.follows(node);
    expect(await command('cluster', 'verify', '--data', data)).toMatch(
      /^15 AORs in 3 shards, the same on this node and 2 others$/m,
    );
    await expect(command('cluster', 'reseed', '9', '--data', data)).rejects.toThrow(/there are shards 0 to 2/);
  });

  it('tells its state, and hands a shard over when it is told to', async () => {
    const { cluster } = run;
    const { files } = cluster;
    const before = await cluster.settled();
    expect(before.nodes.map(({ name, alive }) => `${name} ${alive}`)).toEqual(['a true', 'b true', 'c true']);
    const other = files.find(({ name }) => name !== before.shards[0].owner) ?? files[0];
    await command('cluster', 'take', '0', '--data', other.data);
    const text = await command('cluster', 'status', '--data', files[0].data);
    expect(text).toMatch(new RegExp(`^ *0 +${other.name} +${before.shards[0].epoch + 1} `, 'm'));
    const after = JSON.parse(await command('cluster', 'status', '--json', '--data', files[1].data));
    expect(after.shards[0].owner).toBe(other.name);
  });

  it('F21 has no place for a copy of a node that runs', async () => {
    await run.cluster.demandCopyRefused(1);
  });

  it('drains a node, brings shards home, and forgets a node that is gone, whose number nobody gets', async () => {
    const { cluster } = run;
    const victim = await cluster.ownerOf(0);
    const { name, admin } = cluster.files[victim];
    const ready = async () => (await fetch(`http://127.0.0.1:${admin}/readyz`)).status;
    await cluster.post(victim, '/v1/cluster/drain', { draining: true });
    await poll('a node that owns nothing', 5000, async () => {
      const { nodes = [] } = (await cluster.status(victim)) ?? {};
      return nodes.find((node) => node.name === name)?.owns === 0 || undefined;
    });
    expect(await ready()).toBe(503);
    const other = (victim + 1) % 3;
    await cluster.settled();
    await cluster.post(other, '/v1/cluster/balance');
    expect((await cluster.status(other))?.shards.every(({ owner }) => owner !== name)).toBe(true);
    await cluster.post(victim, '/v1/cluster/drain', { draining: false });
    await poll('a node that is ready', 5000, async () => (await ready()) === 200);
    await poll('all shards at home', 10_000, async () => {
      const { moved } = (await cluster.post(other, '/v1/cluster/balance')) as { moved: number };
      return moved === 0;
    });

    await expect(cluster.post(other, `/v1/cluster/nodes/${name}`, undefined, 'DELETE')).rejects.toThrow(/is running/);
    const remake = () => cluster.post(other, '/v1/cluster/shards/0/stream');
    await expect(remake()).rejects.toThrow(/nothing is wrong with the stream of shard 0/);
    await cluster.nodes[victim].stop();
    await cluster.settled();
    await poll('a node that is missed', 5000, async () => {
      const refused = await remake().then(String, String);
      expect(refused).toMatch(/nothing is wrong|is not known/);
      return new RegExp(`what ${name} has is not known`).test(refused) || undefined;
    });
    await poll('a node that is forgotten', 5000, async () => {
      const answer = await cluster.post(other, `/v1/cluster/nodes/${name}`, undefined, 'DELETE').catch(() => 'running');
      return answer === undefined;
    });
    expect((await cluster.status(other))?.nodes.map((node) => node.name)).not.toContain(name);
    await cluster.launch(victim);
    await cluster.follows(victim);
    expect((await cluster.status(other))?.nodes.find((node) => node.name === name)?.number).toBe(4);
  });

  it.each(FAULTS.filter(({ name }) => ['F1', 'F2', 'F6', 'F9', 'F11', 'F12'].includes(name)))(
    '$name keeps every binding that was answered 200: $what',
    async (fault) => {
      const report = await run.under(fault);
      console.log(`${fault.name}: longest wait ${report.slowestMs} ms, ${report.acknowledged} answered`);
    },
    90_000,
  );
});
