// What a node says to a NATS server that speaks TLS and wants a certificate and a password: streams of its shards' threads, orders, and the
// users and static bindings that nodes have in common. One server, which shows and verifies certificates.

import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect as connectTcp, createServer } from 'node:net';
import { join } from 'node:path';
import { type JetStreamManager, jetstreamManager, StorageType } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { logSubject, metaSubject, orderSubject, streamName } from '../../src/cluster/stream-names.ts';
import { deriveKey } from '../../src/core/auth/derived-key.ts';
import { ClusterOrders } from '../../src/server/cluster/cluster-orders.ts';
import { KnownRecord } from '../../src/server/cluster/known-record.ts';
import { connectNats } from '../../src/server/cluster/nats/nats-client.ts';
import { MetaSync } from '../../src/server/cluster/shared/meta-sync.ts';
import { SharedStatics } from '../../src/server/cluster/shared/shared-statics.ts';
import { DEFAULT_CLUSTER, type NatsConfig } from '../../src/server/config/sections/cluster-config.ts';
import { addBinding } from '../../src/server/data/statics.ts';
import { changeStatic, readStatic } from '../../src/shard/statics/static-file.ts';
import { NatsStream } from '../../src/threads/cluster/nats-stream.ts';
import { TlsRelay } from '../../src/threads/cluster/tls-relay.ts';
import * as abi from '../../src/transport/linux/linux-abi.ts';
import { createAddressMemory, NatsAddresses } from '../../src/transport/nats/nats-addresses.ts';
import { createLoginMemory, SharedLogin } from '../../src/transport/nats/shared-login.ts';
import { ha1sOf } from '../../src/users/ha1.ts';
import { UserStore } from '../../src/users/user-store.ts';
import { removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { type Certificate, selfSigned } from '../support/certificate.ts';
import { killAll, pause, poll } from '../support/child-process.ts';
import { NatsServers, natsMissing } from '../support/nats-servers.ts';
import { patience } from '../support/patience.ts';

const CLUSTER = 'test';
const LOGIN = { kind: 'password', user: 'aorta', password: 'secret' } as const;
const SECRET = new Uint8Array(32).fill(9);
const REALM = 'example.com';

describe.skipIf(natsMissing())('a NATS server with TLS', () => {
  let nats: NatsServers;
  let certificate: Certificate;
  let config: NatsConfig;
  let connection: NatsConnection;
  let manager: JetStreamManager;

  beforeAll(async () => {
    certificate = selfSigned();
    const { certFile, keyFile } = certificate;
    nats = await NatsServers.start({
      servers: 1,
      more:
        `tls { cert_file: "${certFile}", key_file: "${keyFile}", ca_file: "${certFile}", verify: true }\n` +
        `authorization { users: [ { user: ${LOGIN.user}, password: ${LOGIN.password} } ] }\n`,
    });
    const credentials = join(temporaryDirectory(), 'login');
    writeFileSync(credentials, `${LOGIN.user}:${LOGIN.password}\n`);
    const servers = [{ host: '127.0.0.1', port: nats.ports[0], tls: true }];
    config = { ...DEFAULT_CLUSTER.nats, servers, credentials, ca: certFile, cert: certFile, key: keyFile };
    connection = await connectNats(config, 'test');
    manager = await jetstreamManager(connection);
    const storage = StorageType.Memory;
    await manager.streams.add({ name: streamName(CLUSTER, 0), subjects: [logSubject(CLUSTER, 0)], storage });
    await manager.streams.add({
      ...{ name: streamName(CLUSTER, 'META'), subjects: [`${metaSubject(CLUSTER)}.>`], storage },
      max_msgs_per_subject: 1,
    });
  });
  afterAll(async () => {
    await connection?.close();
    await killAll();
    await nats?.close();
    removeDirectories();
  });

  /** A relay to a port, and a stream through it; what both have told. */
  async function relayed(port: number, token = 'token', ca = certificate.certFile) {
    const { certFile: cert, keyFile: key } = certificate;
    const told: string[] = [];
    const servers = [{ host: '127.0.0.1', port, tls: true }];
    const task = { servers, ca, cert, key, token: 'token', ports: [0] };
    const relay = await TlsRelay.open(task, (_, why) => told.push(why));
    const calls = abi.loadCalls();
    if (typeof calls === 'string') throw new Error(calls);
    const addresses = createAddressMemory(1);
    new NatsAddresses(addresses).set(0, '127.0.0.1', relay.ports[0]);
    const login = createLoginMemory();
    new SharedLogin(login).set(LOGIN);
    const access = { addresses, login, node: 'a', inbox: `_INBOX.tls${port}`, relayToken: token };
    const stream = new NatsStream(calls, { cluster: CLUSTER, shard: 0, access, log: () => {} });
    const write = (line: string) => void told.push(line);
    const sink = {
      acknowledged: (id: number, sequence: number) => write(`acknowledged ${id} ${sequence}`),
      refused: () => write('refused'),
      failed: (_: number, reason: string) => write(`failed ${reason}`),
      found: () => {},
      missing: () => {},
      bounds: (id: number, first: number, last: number) => write(`bounds ${id} ${first} ${last}`),
      message: (sequence: number) => write(`message ${sequence}`),
    };
    const until = async (pattern: RegExp) => {
      for (const end = Date.now() + 10_000 * patience(); Date.now() < end; await pause(5)) {
        stream.poll(sink);
        const found = told.find((line) => pattern.test(line));
        if (found !== undefined) return found;
      }
      throw new Error(`not told: ${pattern}\n${told.join('\n')}`);
    };
    return { stream, relay, until, told };
  }

  it('is reached by threads through a relay, which proves itself to the server and the server to it', async () => {
    const { stream, relay, until } = await relayed(nats.ports[0]);
    stream.bounds(1);
    expect(await until(/^bounds 1/)).toBe('bounds 1 1 0');
    stream.publish(2, Buffer.alloc(500_000, 7), 500_000, 0);
    expect(await until(/^acknowledged/)).toBe('acknowledged 2 1');
    stream.follow(1);
    expect(await until(/^message/)).toBe('message 1');
    stream.close();
    relay.close();
  });

  it('is told nothing where its certificate is not to be trusted, or somebody else of the machine asks the relay', async () => {
    const stranger = await relayed(nats.ports[0], 'token', selfSigned().certFile);
    stranger.stream.bounds(1);
    expect(await stranger.until(/self-signed|verify|issuer/i)).toBeDefined();
    const wrong = await relayed(nats.ports[0], 'other');
    const socket = connectTcp({ host: '127.0.0.1', port: wrong.relay.ports[0] });
    socket.write('CONNECT {}\r\n');
    const heard: Buffer[] = [];
    socket.on('data', (bytes: Buffer) => heard.push(bytes));
    await once(socket, 'close');
    expect(heard).toEqual([]);
    for (const { stream, relay } of [stranger, wrong]) {
      stream.close();
      relay.close();
    }
  });

  it.each([
    ['IP:127.0.0.1', true],
    ['DNS:localhost', false],
  ])('that is named by its IP address and shows a certificate for %s is trusted: %s', async (names, isTrusted) => {
    const { certFile, keyFile } = selfSigned('nats', 30, names);
    const more = `tls { cert_file: "${certFile}", key_file: "${keyFile}" }\n`;
    const other = await NatsServers.start({ servers: 1, more });
    const [port] = other.ports;
    const { stream, relay, until } = await relayed(port, 'token', certFile);
    stream.bounds(1);
    // No stream is there: a server that is trusted says so.
    expect(await until(/stream not found|altnames/)).toMatch(
      isTrusted ? /not found/ : /127\.0\.0\.1 is not in the cert's list/,
    );
    const connected = connectNats(
      { ...config, servers: [{ host: '127.0.0.1', port, tls: true }], ca: certFile },
      'test',
    );
    if (isTrusted) await (await connected).close();
    else await expect(connected).rejects.toThrow(/altnames/);
    stream.close();
    relay.close();
    await other.close();
  });

  it('that offers no TLS hears no password, from threads and from the main thread', async () => {
    const heard: string[] = [];
    const plain = createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', (bytes) => heard.push(bytes.toString('latin1')));
      socket.write(
        'INFO {"server_id":"X","version":"2.11.0","proto":1,"headers":true,"jetstream":true,"max_payload":1048576}\r\n',
      );
    });
    await new Promise<void>((done) => plain.listen(0, '127.0.0.1', done));
    const { port } = plain.address() as AddressInfo;
    const { stream, relay, until } = await relayed(port);
    stream.bounds(1);
    await until(/it does not offer TLS/);
    await expect(connectNats({ ...config, servers: [{ host: '127.0.0.1', port, tls: true }] }, 'test')).rejects.toThrow(
      /does not support 'tls'/,
    );
    expect(heard).toEqual([]);
    stream.close();
    relay.close();
    plain.close();
  });

  it('hands on orders, which count once, for their node, while they are fresh, and with the secret', async () => {
    const handed: string[] = [];
    const parts = { connection, cluster: CLUSTER, secret: SECRET };
    const [a] = ['a', 'b', 'c'].map(
      (node) =>
        new ClusterOrders({
          ...{ ...parts, node },
          hand: (shard, to) => {
            handed.push(`${node}: ${shard} to ${to}`);
            return shard === 9 ? 'it is not mine' : undefined;
          },
        }),
    );
    const heard: string[] = [];
    const tap = connection.subscribe(orderSubject(CLUSTER, 'b'), {
      callback: (_, message) => void heard.push(message.string()),
    });
    await a.send('b', 3, 1);
    await expect(a.send('b', 9, 1)).rejects.toThrow('node b: it is not mine');
    tap.unsubscribe();
    const given = [...handed];
    expect(given).toEqual(['b: 3 to 1', 'b: 9 to 1']);

    const signed = (order: object, secret = SECRET) => {
      const text = JSON.stringify(order);
      const mac = createHmac('sha256', deriveKey(secret, 'cluster orders')).update(text).digest('hex');
      return JSON.stringify({ order: text, mac });
    };
    const order = { to: 'b', shard: 4, node: 1, at: Date.now() };
    const wrong: readonly (readonly [string, string, RegExp])[] = [
      ['b', heard[0], /given before/],
      ['c', heard[0], /is for b/],
      ['b', heard[0].replace('shard\\":3', 'shard\\":4'), /not signed/],
      ['b', signed(order, new Uint8Array(32).fill(1)), /not signed/],
      ['b', signed({ ...order, at: Date.now() - 61_000 }), /is old/],
      ['b', 'hand it over', /makes no sense/],
    ];
    for (const [node, text, problem] of wrong) {
      const answer = await connection.request(orderSubject(CLUSTER, node), text, { timeout: 5000 });
      expect(answer.string()).toMatch(problem);
    }
    expect(handed).toEqual(given);
  });

  it('without a META stream is told of both ways, once a minute each', async () => {
    const data = temporaryDirectory();
    const users = UserStore.open(data);
    users.put([{ name: 'alice', realm: REALM, ha1s: ha1sOf('alice', REALM, 'pw'), aors: [] }], 'add');
    const known = new KnownRecord(data, 'none', () => {});
    known.keep({ format: 1, shards: 1, fingerprint: '', created: '', nodes: {} });
    let looks = 0;
    const streams = new Proxy(manager.streams, {
      get: (of, key) => {
        if (key === 'info') looks++;
        return Reflect.get(of, key).bind(of);
      },
    });
    const told: string[] = [];
    const statics = new SharedStatics(data, 1);
    const parts = { connection, manager: { ...manager, streams } as JetStreamManager, cluster: 'none', node: 1 };
    const log = (level: string, event: string) => void told.push(`${level} ${event}`);
    const now = performance.now.bind(performance);
    let later = 0;
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => now() + later);
    const sync = new MetaSync({ ...parts, secret: SECRET, users, statics, known, log });
    try {
      const both = ['warn changes cannot be told to the other nodes', 'warn changes of other nodes cannot be taken in'];
      await poll('both lines', 10_000, () => told.length >= 2);
      expect(told.sort()).toEqual(both);
      for (let minutes = 0.5; minutes < 1.4; minutes += 0.4) {
        later = minutes * 60_000;
        const before = looks;
        await poll('more tries', 10_000, () => looks >= before + 2);
      }
      await poll('both lines again', 10_000, () => told.length >= 4);
      expect(told.slice(2).sort()).toEqual(both);
    } finally {
      clock.mockRestore();
      await sync.close();
      await users.close();
    }
  });

  it('has users and static bindings of all nodes, sealed, and each node the same', async () => {
    const nodes = [1, 2].map((number) => {
      const data = temporaryDirectory();
      const users = UserStore.open(data);
      return { data, users, start: () => openSync(number, data, users) };
    });
    function openSync(node: number, data: string, users: UserStore): MetaSync {
      const statics = new SharedStatics(data, node);
      const known = new KnownRecord(data, CLUSTER, () => {});
      known.keep({ format: 1, shards: 1, fingerprint: '', created: '', nodes: {} });
      const parts = { connection, manager, cluster: CLUSTER, node, secret: SECRET };
      return new MetaSync({ ...parts, users, statics, known, log: () => {} });
    }
    const [a, b] = nodes;
    const name = { name: 'alice', realm: REALM };
    const ha1s = ha1sOf('alice', REALM, 'pw');
    a.users.put([{ ...name, ha1s, aors: ['bob@example.com'] }], 'add');
    changeStatic(a.data, addBinding('gw@example.com', { uri: 'sip:gw@10.0.0.1' }));
    let syncs = [a.start(), b.start()];
    await poll('the user on the other node', 10_000, () => b.users.get(name) !== undefined);
    expect(b.users.get(name)).toEqual(a.users.get(name));
    await poll('the binding on the other node', 10_000, () => 'gw@example.com' in readStatic(b.data).bindings);
    b.users.remove(name);
    await poll('no user on the first node', 10_000, () => a.users.get(name) === undefined);
    expect(a.users.removed()).toEqual([]);

    // What stands there tells nothing, and nobody without the secret changes anything.
    for (let sequence = 1; sequence < 10; sequence++) {
      const message = await manager.streams
        .getMessage(streamName(CLUSTER, 'META'), { seq: sequence })
        .catch(() => null);
      if (message === null) continue;
      const text = `${message.subject} ${Buffer.from(message.data).toString('latin1')}`;
      expect(text).not.toMatch(/alice|gw@|example/);
      connection.publish(message.subject.replace(/[^.]+$/, 'x'), message.data);
    }
    await poll('strangers to be counted', 10_000, () => syncs[0].strangers > 0);

    // A change while no server runs, and a node that was away.
    await Promise.all(syncs.map((sync) => sync.close()));
    a.users.put([{ ...name, ha1s, aors: [] }], 'add');
    syncs = [a.start(), b.start()];
    await poll('the user again', 10_000, () => b.users.get(name)?.aors.length === 0);

    // The stream is lost and another one in its place: what either node had of it stands in it again, and a change that came between.
    const stream = streamName(CLUSTER, 'META');
    const { config: meta } = await manager.streams.info(stream);
    await manager.streams.delete(stream);
    b.users.put([{ name: 'bob', realm: REALM, ha1s: ha1sOf('bob', REALM, 'pw'), aors: [] }], 'add');
    await manager.streams.add(meta);
    const { created } = await manager.streams.info(stream);
    for (const sync of syncs) sync.seen(created);
    await poll(
      'the new user on the other node',
      20_000,
      () => a.users.get({ name: 'bob', realm: REALM }) !== undefined,
    );
    await poll(
      'all of them in the stream',
      20_000,
      async () => (await manager.streams.info(stream)).state.messages === 3,
    );
    const c = { data: temporaryDirectory(), users: UserStore.open(temporaryDirectory()) };
    syncs.push(openSync(3, c.data, c.users));
    await poll('all users on a new node', 10_000, () => c.users.count === 2);
    await poll('the binding on a new node', 10_000, () => 'gw@example.com' in readStatic(c.data).bindings);
    await Promise.all(syncs.map((sync) => sync.close()));
    for (const { users } of [...nodes, c]) await users.close();
    expect(readFileSync(join(a.data, 'static-shared.json'), 'utf8')).toContain('gw@example.com');
  });
});
