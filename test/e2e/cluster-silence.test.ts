// While a cluster's stream is silent, as it is for seconds when its leader dies: answers wait, and so does the node.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { removeDirectories } from '../support/aorta-process.ts';
import { killAll, pause } from '../support/child-process.ts';
import { Cluster } from '../support/cluster.ts';
import { natsMissing } from '../support/nats-servers.ts';
import { SipClient } from '../support/sip-client.ts';

/** More than a shard takes in at once. */
const REGISTERS = 700;
const SECONDS = 2;
/** A second, of both shards: each asks its stream a thousand times. One that does not sleep makes a hundred thousand. */
const PASSES_MAX = 20_000;

describe.skipIf(natsMissing())('requests of a cluster whose stream is silent', () => {
  let cluster: Cluster;
  let client: SipClient;
  beforeAll(async () => {
    cluster = await Cluster.start({ nodes: 1, shards: 2 });
    client = await SipClient.open(cluster.nodes[0]);
  });
  afterAll(async () => {
    client?.close();
    for (const server of cluster?.nats.children ?? []) server.signal('SIGCONT');
    await cluster?.close();
    await killAll();
    removeDirectories();
  });

  const passes = async (): Promise<number> => {
    const text = await (await fetch(`http://127.0.0.1:${cluster.files[0].admin}/metrics`)).text();
    const lines = text.split('\n').filter((line) => line.startsWith('aorta_shard_loops_total'));
    expect(lines.length).toBeGreaterThan(0);
    return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  };
  const register = (user: string) =>
    client.register({ aor: `${user}@example.com`, contacts: [`<sip:${user}@127.0.0.1>`] });

  it('do not keep the shards busy, though more wait than they can take in', async () => {
    const { nats, nodes } = cluster;
    const [{ child }] = nodes;
    child.signal('SIGSTOP'); // so that they come at once
    for (let n = 0; n < REGISTERS; n++) client.send(register(`silent${n}`));
    for (const server of nats.children) server.signal('SIGSTOP');
    await pause(200);
    child.signal('SIGCONT');
    await pause(500);
    const began = performance.now();
    const before = await passes();
    await pause(SECONDS * 1000);
    const made = (await passes()) - before;
    expect((made * 1000) / (performance.now() - began)).toBeLessThan(PASSES_MAX);
    for (const server of nats.children) server.signal('SIGCONT');
    await cluster.settled(30_000);
    expect((await client.request(register('after'), 20_000)).status).toBe(200);
  });
});
