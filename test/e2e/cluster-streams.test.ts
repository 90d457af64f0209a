// What operators do to the streams of a cluster that runs, by mistake: the nodes notice and say what to do, and it can be undone.

import type { JetStreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLI, removeDirectories } from '../support/aorta-process.ts';
import { killAll, pause, poll, run } from '../support/child-process.ts';
import { Chromium } from '../support/chromium.ts';
import { Cluster, command } from '../support/cluster.ts';
import { lacksChromium, text } from '../support/dashboard-page.ts';
import { natsMissing } from '../support/nats-servers.ts';
import { SipClient } from '../support/sip-client.ts';
import { StreamClient } from '../support/stream-client.ts';

const NOTICED_MS = 20_000;
const META = 'AORTA_east_META';

describe.skipIf(natsMissing())('streams of a cluster that runs', () => {
  let cluster: Cluster;
  let connection: NatsConnection;
  let manager: JetStreamManager;

  beforeAll(async () => {
    cluster = await Cluster.start({ nodes: 2, shards: 2, transports: ['udp', 'tcp'], more: '  hold-ms: 2000\n' });
    ({ connection, manager } = await cluster.manager());
  });
  afterAll(async () => {
    await connection?.close();
    await cluster?.close();
    await killAll();
    removeDirectories();
  });

  const get = async (node: number, path: string) => {
    const answer = await fetch(`http://127.0.0.1:${cluster.files[node].admin}${path}`);
    return `${answer.status} ${await answer.text()}`;
  };
  /** All nodes that are asked say so many. */
  const faults = (kind: 'gone' | 'changed', count: number, nodes: readonly number[] = [0, 1]) =>
    poll(`${count} streams ${kind}`, NOTICED_MS, async () => {
      const line = new RegExp(`^aorta_cluster_stream_faults\\{kind="${kind}"\\} ${count}$`, 'm');
      const texts = await Promise.all(nodes.map((node) => get(node, '/metrics')));
      return texts.every((one) => line.test(one)) || undefined;
    });
  /** What the dashboard shows of them. */
  const onPage = async (what: RegExp) => {
    const browser = new Chromium();
    await browser.open(`http://127.0.0.1:${cluster.files[0].admin}/`);
    await browser.until(`${what}.test(${text('cluster-broken')})`);
    await browser.close();
  };
  const log = (node: number) => cluster.nodes[node].stderr;
  const binding = (user: string) => `sip:${user}@10.0.0.1`;

  it('are missed on all nodes where somebody has edited one, until it is as it was', async () => {
    const stream = cluster.streamOf(0);
    await manager.streams.update(stream, { max_age: 3600e9 });
    await faults('changed', 1);
    for (const node of [0, 1])
      expect(log(node)).toMatch(
        /AORTA_east_0 is not as it must be: max_age is 3600000000000, expected 86400000000000 \(nats stream edit AORTA_east_0 --max-age=86400s\).*a stream was changed/,
      );
    expect(await command('cluster', 'status', '--data', cluster.files[0].data)).toMatch(
      /^stream AORTA_east_0 is not as it must be: .*\(nats stream edit AORTA_east_0 --max-age=86400s\)$/m,
    );
    if (!lacksChromium()) await onPage(/AORTA_east_0\s+changed\s+.*nats stream edit AORTA_east_0 --max-age=86400s/);
    await manager.streams.update(stream, { max_age: 24 * 3600e9 });
    await faults('changed', 0);
    expect((await cluster.status(0))?.faults).toEqual([]);
    expect(log(0)).toMatch(/AORTA_east_0.*a stream is as it must be again/);
  });

  it('are on servers of which one was started anew without syncing, which all nodes say until it syncs', async () => {
    const server = (await cluster.nats.leaderOf(META)) === 2 ? 1 : 2;
    const unsynced = (count: number) =>
      poll(`${count} servers that do not sync`, NOTICED_MS, async () => {
        const line = new RegExp(`^aorta_cluster_server_faults\\{kind="unsynced"\\} ${count}$`, 'm');
        const texts = await Promise.all([0, 1].map((node) => get(node, '/metrics')));
        return texts.every((one) => line.test(one)) || undefined;
      });
    await unsynced(0);
    await cluster.nats.reconfigure(server, 'sync_interval: always', 'sync_interval: 2m');
    await unsynced(1);
    const url = cluster.nats.monitorUrls[server];
    for (const node of [0, 1])
      expect(log(node)).toMatch(
        new RegExp(`${url} acknowledges what is not on its disk: set sync_interval: always .*may lose what it ackno`),
      );
    await cluster.nats.kill9(server);
    await pause(7000); // longer than an answer counts as new
    await unsynced(1);
    cluster.nats.launch(server);
    await cluster.nats.ready();
    await cluster.nats.reconfigure(server, 'sync_interval: 2m', 'sync_interval: always');
    await unsynced(0);
    expect(log(0)).toMatch(new RegExp(`${url}.*a NATS server is as it must be again`));
    expect(await get(0, '/readyz')).toMatch(/^200/);
  }, 120_000);

  it('are made anew where META was deleted, also by a node that has just been started, with what all nodes have', async () => {
    const [a, b] = cluster.files;
    await command('binding', 'add', 'one@example.com', binding('one'), '--data', a.data);
    await poll(
      'the binding in the stream',
      10_000,
      async () => (await manager.streams.info(META)).state.messages === 2,
    );
    await manager.streams.delete(META);
    await faults('gone', 1);
    expect(log(0)).toMatch(/AORTA_east_META.*aorta cluster reseed meta.*a stream is gone/);
    expect(await get(0, '/readyz')).toMatch(/^200/);
    const again = await run(process.execPath, [CLI, 'cluster', 'init', '--config', a.config], 30_000);
    expect([again.exit.code, again.stderr]).toEqual([
      1,
      expect.stringMatching(/lack its record alone: "aorta cluster reseed meta"/),
    ]);

    await cluster.nodes[1].stop();
    await cluster.launch(1);
    await poll('the reason', NOTICED_MS, async () =>
      /^503 .*is not of its cluster yet.*aorta cluster reseed meta/.test(await get(1, '/readyz')),
    );
    expect(await command('cluster', 'reseed', 'meta', '--data', b.data)).toMatch(/with the record of nodes a, b$/m);
    await faults('gone', 0);
    await poll(
      'all in the stream again',
      NOTICED_MS,
      async () => (await manager.streams.info(META)).state.messages === 2,
    );
    await cluster.settled();
    await command('binding', 'add', 'two@example.com', binding('two'), '--data', b.data);
    await poll('the next binding on the other node', NOTICED_MS, async () =>
      /two@example/.test(await command('binding', 'ls', '--data', a.data)) ? true : undefined,
    );
    await expect(command('cluster', 'reseed', 'meta', '--data', a.data)).rejects.toThrow(/nothing is wrong/);
  });

  it('are made anew where the one of a shard was deleted, though a node was started meanwhile', async () => {
    await manager.streams.delete(cluster.streamOf(1));
    await faults('gone', 1);
    await cluster.nodes[1].stop();
    await cluster.launch(1);
    const told = /AORTA_east_1 is gone.*aorta cluster reseed 1 --stream.*a stream is gone/;
    await cluster.nodes[1].child.until(told, NOTICED_MS); // it serves before it has met its cluster
    const remade = () => command('cluster', 'reseed', '1', '--stream', '--data', cluster.files[0].data);
    await poll('a stream that is made anew', NOTICED_MS, () => remade().catch(() => undefined));
    await faults('gone', 0);
    await cluster.settled();
    const client = await SipClient.open(cluster.nodes[0]);
    const stateOf = async (shard: number) => (await manager.streams.info(cluster.streamOf(shard))).state;
    // The cluster's secret decides which AORs are this shard's.
    for (let n = 0; n < 8 || (n < 200 && (await stateOf(1)).messages < 2); n++) {
      const answer = await client.request(
        client.register({ aor: `s${n}@example.com`, contacts: [binding('s')] }),
        20_000,
      );
      expect(answer.status, answer.text).toBe(200);
    }
    client.close();
    const before = await stateOf(1);
    const { nats } = cluster;
    await Promise.all(nats.children.map((_, server) => nats.kill9(server)));
    for (const server of nats.children.keys()) nats.launch(server);
    await nats.ready();
    const after = await poll('the stream, after its servers were all killed', 30_000, () =>
      stateOf(1).catch(() => undefined),
    );
    expect(before.messages).toBeGreaterThan(1);
    expect([after.first_seq, after.messages >= before.messages]).toEqual([before.first_seq, true]);
    expect((await manager.streams.info(cluster.streamOf(1))).config.deny_purge).toBe(true);
    await cluster.settled();
  });

  it('that answer no more leave nobody without a word: 503, and 504 where a REGISTER may have been written', async () => {
    const { nats, nodes, files } = cluster;
    for (const shard of ['0', '1']) await command('cluster', 'take', shard, '--data', files[0].data);
    await Promise.all([nats.kill9(1), nats.kill9(2)]);
    const front = await StreamClient.tcp(nodes[1]);
    nodes[0].child.signal('SIGSTOP');
    const asked = front.register({ aor: 'front@example.com', contacts: [binding('front')] });
    expect((await front.request(asked, 15_000)).status).toBe(504); // it has been handed to the owner
    nodes[0].child.signal('SIGCONT');
    front.close();
    // Enough for both shards: in the one that the request at the front was for, all others wait, and draw 503.
    const clients = await Promise.all(Array.from({ length: 16 }, (_, n) => StreamClient.tcp(nodes[n % 2])));
    const register = (client: StreamClient, n: number, cseq: number) =>
      client.register({ aor: `s${n}@example.com`, callId: `q${n}`, cseq, contacts: [binding(`q${n}`)] });
    const answers = await Promise.all(clients.map((client, n) => client.request(register(client, n, 1), 15_000)));
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status !== 503 && status !== 504)).toEqual([]);
    expect(statuses).toContain(504);
    for (const { text } of answers) expect(text).toMatch(/^Retry-After: \d+\r$/m);
    for (const server of [1, 2]) nats.launch(server);
    for (const [n, client] of clients.entries()) {
      let cseq = 2;
      await poll('a 200', 40_000, async () => {
        const { status } = await client.request(register(client, n, cseq++), 20_000);
        return status === 200 || undefined;
      });
      client.close();
    }
  });
});
