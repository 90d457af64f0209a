// Requests that reach a node which does not own their shard: over every transport the client is answered by the socket it has, and what
// lives by a connection to one node is known, and given up, on all.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FRAME_BEAT, FRAME_HELLO, FRAME_PROOF, HEAD_BYTES, writeHead } from '../../src/cluster/peers/peer-frame.ts';
import { encodeHello } from '../../src/cluster/peers/peer-proof.ts';
import { removeDirectories } from '../support/aorta-process.ts';
import { selfSigned } from '../support/certificate.ts';
import { killAll, pause, poll } from '../support/child-process.ts';
import { CLUSTER, Cluster } from '../support/cluster.ts';
import { freePorts } from '../support/free-ports.ts';
import { natsMissing } from '../support/nats-servers.ts';
import { SipClient } from '../support/sip-client.ts';
import { StreamClient } from '../support/stream-client.ts';
import { WsSipClient } from '../support/ws-sip-client.ts';

/** Enough that each of three shards has some. */
const AORS = Array.from({ length: 12 }, (_, i) => i);
/** Of a request, within the time that a successor takes to claim a shard. */
const COPIES = 3;
const COPY_MS = 50;
const OUTBOUND = ['Supported: path, outbound'];

interface Found {
  readonly contacts: readonly { readonly uri: string; readonly node?: number; readonly flow?: number }[];
}

function callId({ text }: { readonly text: string }): string | undefined {
  return /^Call-ID: *(.*)$/im.exec(text)?.[1];
}

function contact(n: number): string {
  return `<sip:p@10.0.0.1:5060;transport=tcp>;reg-id=1;+sip.instance="<urn:uuid:00000000-0000-4000-8000-00000000000${n}>"`;
}

describe.skipIf(natsMissing())('requests at a node that does not own their shard', () => {
  let cluster: Cluster;
  let ports: readonly number[];
  /** By node, the number it has in the cluster. */
  let numbers: readonly number[];

  beforeAll(async () => {
    const { certFile, keyFile } = selfSigned();
    ports = await freePorts(9);
    cluster = await Cluster.start({
      transports: ['udp', 'tcp'],
      other: `tls: {cert: ${certFile}, key: ${keyFile}}\n`,
      flags: (node) => [
        ...['--listen', `tls:127.0.0.1:${ports[node]}`, '--listen', `ws:127.0.0.1:${ports[3 + node]}`],
        ...['--lookup', `http:127.0.0.1:${ports[6 + node]}`],
      ],
    });
    const status = await cluster.status(0);
    numbers = cluster.files.map(({ name }) => status?.nodes.find((node) => node.name === name)?.number ?? 0);
  });
  afterAll(async () => {
    await cluster?.close();
    await killAll();
    removeDirectories();
  });

  async function lookup(node: number, aor: string): Promise<Found> {
    const answer = await fetch(`http://127.0.0.1:${ports[6 + node]}/v1/aors/${encodeURIComponent(aor)}/contacts`);
    return (await answer.json()) as Found;
  }

  async function sum(name: string): Promise<number> {
    const all = await Promise.all(cluster.alive().map((node) => metric(node, name)));
    return all.reduce((total, value) => total + value, 0);
  }

  async function metric(node: number, name: string): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${cluster.files[node].admin}/metrics`)).text();
    const line = text.split('\n').find((each) => each.startsWith(`${name} `));
    if (line === undefined) throw new Error(`no ${name}`);
    return Number(line.split(' ').at(-1));
  }

  async function registered(client: StreamClient | WsSipClient, aor: string, instance = 1): Promise<void> {
    const answer = await client.request(client.register({ aor, contacts: [contact(instance)], headers: OUTBOUND }));
    expect(answer.status, answer.text).toBe(200);
  }

  async function goneAt(node: number, aor: string): Promise<void> {
    await poll(`${aor} is no target at ${node}`, 5000, async () => (await lookup(node, aor)).contacts.length === 0);
  }

  it('are answered over UDP from the socket they came to', async () => {
    for (const node of cluster.nodes.keys()) {
      const client = await SipClient.open(cluster.nodes[node]);
      for (const i of AORS) {
        const aor = `u${node}x${i}@example.com`;
        const answer = await client.request(client.register({ aor, contacts: [`<sip:u@127.0.0.1:${client.port}>`] }));
        expect(answer.status, answer.text).toBe(200);
        expect(answer.port).toBe(cluster.nodes[node].port);
      }
      client.close();
    }
  });

  it('are answered over the TCP connection they came by, many at a time', async () => {
    for (const node of cluster.nodes.keys()) {
      const client = await StreamClient.tcp(cluster.nodes[node]);
      await Promise.all(AORS.map((i) => registered(client, `t${node}x${i}@example.com`)));
      client.close();
    }
  });

  it('are answered over TLS and WebSocket', async () => {
    for (const node of cluster.nodes.keys()) {
      const socket = connectTls({ host: '127.0.0.1', port: ports[node], rejectUnauthorized: false });
      await once(socket, 'secureConnect');
      const tls = new StreamClient(socket, 'TLS');
      const ws = await WsSipClient.open({ host: '127.0.0.1', port: ports[3 + node] });
      for (const i of AORS) {
        await registered(tls, `s${node}x${i}@example.com`);
        await registered(ws, `w${node}x${i}@example.com`);
      }
      tls.close();
      ws.close();
    }
  });

  it('name the node and the connection in the lookup at every node, and are taken out when the connection ends', async () => {
    const client = await StreamClient.tcp(cluster.nodes[1]);
    const aors = AORS.map((i) => `f${i}@example.com`);
    for (const aor of aors) await registered(client, aor);
    for (const node of cluster.nodes.keys())
      for (const aor of aors) {
        const [found] = await poll('the binding', 3000, async () => {
          const { contacts } = await lookup(node, aor);
          return contacts.length > 0 ? contacts : undefined;
        });
        expect(found.node, `${aor} at ${node}`).toBe(numbers[1]);
        expect(found.flow).toBeGreaterThan(0);
      }
    client.close();
    for (const node of cluster.nodes.keys()) {
      for (const aor of aors) await goneAt(node, aor);
      await poll(`the owners have taken them out, as ${node} has it`, 5000, async () => {
        const kept = await cluster.dumped(node);
        return aors.every((aor) => !kept.includes(aor)) || undefined;
      });
    }
  });

  it('leave alone what other nodes hold', async () => {
    const here = await StreamClient.tcp(cluster.nodes[0]);
    const there = await StreamClient.tcp(cluster.nodes[2]);
    await registered(here, 'two@example.com', 1);
    await registered(there, 'two@example.com', 2);
    here.close();
    for (const node of cluster.nodes.keys())
      await poll('the other binding alone', 5000, async () => {
        const { contacts } = await lookup(node, 'two@example.com');
        return (contacts.length === 1 && contacts[0].node === numbers[2]) || undefined;
      });
    there.close();
  });

  it('close whoever does not prove to be a node, count it, and go on', async () => {
    const [, host, port] = /listen: (.*):([0-9]+)/.exec(readFileSync(cluster.files[0].config, 'utf8')) ?? [];
    const hello = encodeHello({ cluster: CLUSTER, node: numbers[1], life: 0xffffffff, challenge: new Uint8Array(32) });
    const strangers: readonly (readonly Uint8Array[])[] = [
      [Buffer.from('GET / HTTP/1.1\r\n\r\n')],
      [Buffer.alloc(100_000, 0xff)],
      [framed(FRAME_BEAT, new Uint8Array(64))],
      [framed(FRAME_HELLO, hello), framed(FRAME_PROOF, new Uint8Array(32))],
      [framed(FRAME_HELLO, hello), framed(FRAME_HELLO, hello)],
      [
        framed(
          FRAME_HELLO,
          encodeHello({ cluster: 'west', node: numbers[1], life: 0xffffffff, challenge: new Uint8Array(32) }),
        ),
      ],
      [framed(FRAME_HELLO, new Uint8Array(0))],
      [], // silent
    ];
    const before = await metric(0, 'aorta_cluster_peers_refused_total{reason="no node"}');
    await Promise.all(
      strangers.map(async (parts) => {
        const socket: Socket = connectTcp({ host, port: Number(port) });
        socket.on('error', () => {});
        socket.resume();
        for (const part of parts) socket.write(part);
        await once(socket, 'close');
      }),
    );
    expect(await metric(0, 'aorta_cluster_peers_refused_total{reason="no node"}')).toBe(before + strangers.length - 1);
    expect(await metric(0, 'aorta_cluster_peer_up{node="b"}')).toBe(1);
    const client = await StreamClient.tcp(cluster.nodes[0]);
    for (const i of AORS) await registered(client, `after${i}@example.com`);
    client.close();
    expect(await sum('aorta_cluster_forwarded_total')).toBeGreaterThan(0);
    expect(await sum('aorta_cluster_taken_total')).toBe(await sum('aorta_cluster_forwarded_total'));
  });

  it('heal where the owner dies: no client over TCP sees anything but 200 or 503, and each has its 200 in the end', async () => {
    const client = await StreamClient.tcp(cluster.nodes[0]);
    const lost = await StreamClient.tcp(cluster.nodes[2]);
    for (const i of AORS) await registered(lost, `lost${i}@example.com`);
    const victim = 2;
    const statuses = new Set<number>();
    const register = async (i: number): Promise<void> => {
      for (let tries = 0; tries < 10; tries++) {
        const { status } = await client.request(
          client.register({ aor: `h${i}@example.com`, contacts: [`<sip:h@10.0.0.1>`] }),
          20_000,
        );
        statuses.add(status);
        if (status === 200) return;
      }
      throw new Error('no 200');
    };
    await Promise.all(AORS.map(register));
    const dead = cluster.nodes[victim].kill9();
    await Promise.all(AORS.map(register));
    await dead;
    expect([...statuses].filter((status) => status !== 200 && status !== 503)).toEqual([]);
    client.close();
    for (const node of [0, 1]) for (const i of AORS) await goneAt(node, `lost${i}@example.com`);
    lost.close();
    await cluster.settled();
  });

  it('need not be repeated over UDP while nobody owns their shard: the next owner answers each of them once', async () => {
    const [front, victim] = cluster.alive();
    for (const { shard } of (await cluster.settled()).shards)
      await poll(`shard ${shard} on node ${victim}`, 10_000, () =>
        cluster.post(victim, `/v1/cluster/shards/${shard}/take`).then(
          () => true,
          () => undefined,
        ),
      );
    await cluster.settled();
    const client = await SipClient.open(cluster.nodes[front]);
    const asked = AORS.map((i) => client.register({ aor: `kept${i}@example.com`, contacts: ['<sip:k@10.0.0.1>'] }));
    await cluster.nodes[victim].kill9();
    for (let copy = 0; copy < COPIES; copy++) {
      for (const text of asked) client.send(text);
      await pause(COPY_MS);
    }
    await poll('an answer to each', 10_000, () => new Set(client.inbox.map(callId)).size === asked.length);
    await cluster.settled();
    expect(client.inbox.map(({ status }) => status)).toEqual(AORS.map(() => 200));
    client.close();
  });
});

function framed(kind: number, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEAD_BYTES + body.length);
  writeHead(bytes, 0, kind, 0, body.length);
  bytes.set(body, HEAD_BYTES);
  return bytes;
}
