// What keeps a node from being one of its cluster: a line that says what to do, and exit code 1.

import { readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeStreams } from '../../src/server/cluster/nats/streams.ts';
import { openDataDirectory } from '../../src/server/data/data-directory.ts';
import { CLI, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { killAll, run } from '../support/child-process.ts';
import { Cluster } from '../support/cluster.ts';
import { NatsServers, natsMissing } from '../support/nats-servers.ts';

const START_MS = 30_000;

/** What a start printed that must fail. */
async function refused(config: string, ...words: readonly string[]): Promise<string> {
  const [first = 'serve', ...others] = words;
  const done = await run(process.execPath, [CLI, first, ...others, '--config', config], START_MS);
  expect(done.exit.code, done.output()).toBe(1);
  expect(done.stderr).not.toMatch(/\n {4}at /);
  return done.stderr;
}

/** What a command printed that was given what it cannot use. */
async function misused(...words: readonly string[]): Promise<string> {
  const done = await run(process.execPath, [CLI, 'cluster', ...words], START_MS);
  expect(done.exit.code, done.output()).toBe(2);
  return done.stderr;
}

/** A node's configuration with some words replaced, in a file of its own. */
function changed(config: string, ...changes: readonly (readonly [string | RegExp, string])[]): string {
  const file = join(temporaryDirectory(), 'aorta.yaml');
  writeFileSync(
    file,
    changes.reduce((text, [from, to]) => text.replace(from, to), readFileSync(config, 'utf8')),
  );
  return file;
}

describe.skipIf(natsMissing())('a node is refused', () => {
  let nats: NatsServers;
  let cluster: Cluster;

  beforeAll(async () => {
    nats = await NatsServers.start();
    cluster = await Cluster.prepare({ nats, nodes: 2 });
  });
  afterAll(async () => {
    await killAll();
    await nats?.close();
    removeDirectories();
  });

  it('where no cluster was made, or no server answers', async () => {
    const [{ config }] = cluster.files;
    expect(await refused(changed(config, ['name: east', 'name: west']))).toMatch(
      /there is no cluster west on these NATS servers: make it with "aorta cluster init"/,
    );
    expect(await refused(changed(config, [/servers: .*/, 'servers: [nats://127.0.0.1:1]']))).toMatch(
      /no NATS server lets this node in \(nats:\/\/127\.0\.0\.1:1\)/,
    );
  });

  it('is told by aorta doctor what it would meet', async () => {
    const [{ config }] = cluster.files;
    const done = await run(process.execPath, [CLI, 'doctor', '--config', config], START_MS);
    expect(done.stdout).toMatch(/ok +cluster east +3 streams as they must be/);
    expect(done.stdout).toMatch(/warn +NATS nats:\/\/127\.0\.0\.1:\d+ +2\.\d+\.\d+; lets anybody in/);
    const gone = changed(config, [/servers: .*/, 'servers: [nats://127.0.0.1:1]']);
    const failed = await run(process.execPath, [CLI, 'doctor', '--config', gone], START_MS);
    expect([failed.exit.code, failed.stdout]).toEqual([1, expect.stringMatching(/bad +NATS +no NATS server lets/)]);
  });

  it('where the servers are too old', async () => {
    const old = createServer((socket) => {
      socket.write(
        'INFO {"server_id":"X","server_name":"old","version":"2.9.10","headers":true,"jetstream":true,"max_payload":1048576}\r\n',
      );
      socket.on('data', (bytes) => {
        if (bytes.includes('PING')) socket.write('PONG\r\n');
      });
      socket.on('error', () => {});
    });
    await new Promise<void>((done) => old.listen(0, '127.0.0.1', done));
    const url = `nats://127.0.0.1:${(old.address() as AddressInfo).port}`;
    expect(await refused(changed(cluster.files[0].config, [/servers: .*/, `servers: [${url}]`]))).toMatch(
      /is nats-server 2\.9\.10, which can lose streams when it is killed: install 2\.10\.23 or newer/,
    );
    old.close();
  });

  it('where the servers do not sync, unless the configuration says that they need not', async () => {
    const lazy = await NatsServers.start({ servers: 1, sync: 'default' });
    const config = changed(
      cluster.files[0].config,
      [/servers: .*/, `servers: [${lazy.urls[0]}]`],
      [/monitors: .*/, `monitors: [${lazy.monitorUrls[0]}]`],
    );
    expect(await refused(config)).toMatch(/acknowledges what is not on its disk: set sync_interval: always/);
    const allowed = changed(config, ['monitors:', 'sync: lazy\n    monitors:']);
    expect(await refused(allowed)).toMatch(/there is no cluster east/);
    expect(
      await refused(changed(allowed, [/data: .*/, `data: ${join(temporaryDirectory(), 'new')}`]), 'cluster', 'init'),
    ).toMatch(
      /stream AORTA_east_META cannot be made \(it needs 3 servers in one NATS cluster\): replicas > 1 not supported/,
    );
    await lazy.close();
  });

  it('where a NATS server was left out of the first election of the others', async () => {
    const two = await NatsServers.start({ servers: 2 });
    const connection = await connect({ servers: two.urls });
    const made = jetstreamManager(connection).then((manager) => makeStreams(manager, 'east', 1, () => {}, 0));
    await expect(made).rejects.toThrow(/one was left out of their first election: restart one after the other/);
    await connection.close();
    await two.close();
  });

  it('whose data directory was not made for the cluster, or has another secret or another number of shards', async () => {
    const [{ config, data }] = cluster.files;
    const other = temporaryDirectory();
    const elsewhere = changed(config, [`data: ${data}`, `data: ${join(other, 'new')}`]);
    expect(await refused(elsewhere)).toMatch(
      /is no data directory of cluster east yet: make it with "aorta cluster join/,
    );
    openDataDirectory(join(other, 'new'), { shards: 3 }).close();
    expect(await refused(elsewhere)).toMatch(/this node's secret is not the one of cluster east/);
    openDataDirectory(join(other, 'two'), { shards: 2 }).close();
    expect(await refused(changed(config, [`data: ${data}`, `data: ${join(other, 'two')}`]))).toMatch(
      /cluster east has 3 shards, .* has 2: the number of a cluster never changes/,
    );
  });

  it('by cluster init and join in words, where servers have no leader, and files are not there', async () => {
    const [{ config }] = cluster.files;
    const few = await NatsServers.start();
    await Promise.all([few.kill9(1), few.kill9(2)]);
    await few.withoutLeader(0);
    const alone = changed(config, [/servers: .*/, `servers: [${few.urls.join(', ')}]`], [/ +monitors: .*\n/, '']);
    const left = changed(alone, [/data: .*/, `data: ${join(temporaryDirectory(), 'new')}`]);
    const waits = await refused(left, 'cluster', 'init');
    expect(waits).toMatch(/a NATS server does not let this node in: .*"why":"connection refused"/);
    expect(waits).toMatch(/the NATS servers have no leader: two of 3 have to run, and to reach each other/);
    await few.close();
    const absent = join(temporaryDirectory(), 'absent', 'token');
    expect(await misused('init', '--config', config, '--token-file', absent)).toMatch(
      /--token-file: .*absent\/token cannot be written: ENOENT/,
    );
    expect(await misused('join', '--config', config, '--token', absent)).toMatch(
      /--token: .*absent\/token cannot be read: ENOENT/,
    );
  });

  it('whose number of shards is not the one that the directory was made for', async () => {
    const directory = join(temporaryDirectory(), 'new');
    openDataDirectory(directory, { shards: 5 }).close();
    const config = changed(cluster.files[0].config, [/data: .*/, `data: ${directory}`]);
    expect(await refused(config, 'cluster', 'init', '--shards', '3')).toMatch(
      /the data directory was made for 5 shards: move it away, or leave the number of shards out/,
    );
  });

  it('whose name is another directory’s', async () => {
    const [a, b] = cluster.files;
    const node = await cluster.launch(0);
    const token = join(temporaryDirectory(), 'token');
    writeFileSync(token, cluster.token);
    const namesake = changed(
      b.config,
      ['node: b', 'node: a'],
      [/data: .*/, `data: ${join(temporaryDirectory(), 'new')}`],
    );
    const joined = await run(
      process.execPath,
      [CLI, 'cluster', 'join', '--config', namesake, '--token', token],
      START_MS,
    );
    expect(joined.stdout).toMatch(/start it, after "aorta cluster leave a" on another node/);
    expect(await refused(changed(b.config, ['node: b', 'node: a']))).toMatch(
      /node a of cluster east is another data directory.*run "aorta cluster leave a" first/,
    );
    expect(await refused(a.config, 'cluster', 'init')).toMatch(/cluster east is there already/);
    await node.stop();
  });

  it('where a stream has other limits', async () => {
    const connection = await connect({ servers: nats.urls });
    const manager = await jetstreamManager(connection);
    await manager.streams.update('AORTA_east_1', { num_replicas: 1 });
    expect(await refused(cluster.files[0].config)).toMatch(
      /stream AORTA_east_1 is not as it must be: num_replicas is 1, expected 3 \(nats stream edit AORTA_east_1 --replicas=3\)/,
    );
    await connection.close();
  });
});
