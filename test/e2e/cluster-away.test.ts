// A node that starts while no NATS server answers, as after an outage of a site: it answers what it safely can, says why it is not ready, and is
// of its cluster once the servers are there.

import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Aorta, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { killAll, poll } from '../support/child-process.ts';
import { Cluster, command } from '../support/cluster.ts';
import { freePorts } from '../support/free-ports.ts';
import { natsMissing } from '../support/nats-servers.ts';
import { NotifySocket } from '../support/notify-socket.ts';
import { header, SipClient } from '../support/sip-client.ts';
import { StreamClient } from '../support/stream-client.ts';

const SHARDS = 2;
const AOR = 'early@example.com';

describe.skipIf(natsMissing())('a node that starts while no NATS server answers', () => {
  let cluster: Cluster;
  let copy: Aorta;
  let copyAdmin = 0;
  const socket = new NotifySocket();
  const clients: (SipClient | StreamClient)[] = [];

  beforeAll(async () => {
    cluster = await Cluster.start({ nodes: 1, shards: SHARDS, transports: ['udp', 'tcp'] });
    const client = await SipClient.open(cluster.nodes[0]);
    const answer = await client.request(client.register({ aor: AOR, contacts: ['<sip:early@127.0.0.1:5999>'] }));
    expect(answer.status).toBe(200);
    client.close();
    await cluster.nodes[0].stop();
    await Promise.all(cluster.nats.children.map((_, server) => cluster.nats.kill9(server)));
    process.env.NOTIFY_SOCKET = socket.path;
    await cluster.launch(0);
    delete process.env.NOTIFY_SOCKET;
  });
  afterAll(async () => {
    for (const client of clients) client.close();
    socket.close();
    await cluster?.close();
    await cluster?.nats.close();
    await killAll();
    removeDirectories();
  });

  const get = async (path: string, admin = cluster.files[0].admin) => {
    const answer = await fetch(`http://127.0.0.1:${admin}${path}`);
    return `${answer.status} ${await answer.text()}`;
  };
  const registered = async (transport: 'Udp' | 'Tcp', ms: number) => {
    const [node] = cluster.nodes;
    const client = transport === 'Udp' ? await SipClient.open(node) : await StreamClient.tcp(node);
    clients.push(client);
    const aor = `${transport.toLowerCase()}@example.com`;
    return client.request(client.register({ aor, contacts: ['<sip:x@127.0.0.1:5998>'] }), ms);
  };

  it('is up for systemd, healthy, and not ready for a reason that it tells', async () => {
    await poll('READY=1', 5000, () => socket.heard.some((state) => state.startsWith('READY=1')));
    expect(await get('/healthz')).toMatch(/^200/);
    expect(await get('/readyz')).toMatch(
      /^503 .*this node is not of its cluster yet: no NATS server lets this node in/,
    );
    expect(cluster.nodes[0].stderr).toMatch(/this node is not of its cluster yet: REGISTERs draw 503/);
    expect(await get('/metrics')).toMatch(/^aorta_cluster_nats_connected 0$/m);
    const { data } = cluster.files[0];
    expect(await command('cluster', 'status', '--data', data)).toMatch(/which reaches no NATS server/);
    await expect(command('cluster', 'take', '0', '--data', data)).rejects.toThrow(/is not of its cluster yet/);
  });

  it('has all bindings that it had, and refuses REGISTERs over UDP and TCP at once', async () => {
    expect([...(await cluster.dump(0)).keys()]).toEqual([AOR]);
    for (const transport of ['Udp', 'Tcp'] as const) {
      const answer = await registered(transport, 3000);
      expect(answer.status).toBe(503);
      expect(Number(header(answer.text, 'Retry-After'))).toBeGreaterThanOrEqual(5);
    }
  });

  it('is let in when the servers are there, but a copy of it is not', async () => {
    const { config, data } = cluster.files[0];
    const directory = join(temporaryDirectory(), 'copy');
    cpSync(data, directory, { recursive: true, filter: (path) => !/lock$/.test(path) });
    const other = `${config}.copy.yaml`;
    const [admin, peers] = await freePorts(2);
    const text = readFileSync(config, 'utf8').replace(`data: ${data}`, `data: ${directory}`);
    writeFileSync(other, text.replace(/listen: (127\.0\.0\.)\d+:\d+/, `listen: $19:${peers}`));
    copyAdmin = admin;
    copy = await Aorta.start({ data: directory, flags: ['--config', other, '--admin', `http:127.0.0.1:${admin}`] });
    copy.child.signal('SIGSTOP'); // so that it comes second
    for (const server of cluster.nats.children.keys()) cluster.nats.launch(server);
    await poll('a node that is ready', 40_000, async () => (await get('/readyz')).startsWith('200') || undefined);
    expect((await get('/metrics')).match(/^aorta_cluster_owner\{shard="\d"\} 1$/gm)).toHaveLength(SHARDS);
    expect((await registered('Udp', 20_000)).status).toBe(200);
    expect([...(await cluster.dump(0)).keys()].sort()).toEqual([AOR, 'udp@example.com']);
    copy.child.signal('SIGCONT');
    const told = await poll('a copy that knows of it', 20_000, async () => {
      const ready = await get('/readyz', copyAdmin);
      return /running already/.test(ready) ? ready : undefined;
    });
    expect(told).toMatch(/^503/);
    expect((await cluster.status(0))?.nodes.map(({ name, alive }) => `${name} ${alive}`)).toEqual(['a true']);
    await copy.kill9();
  });
});
