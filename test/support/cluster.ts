// Three NATS servers and several `aorta serve` in one cluster on loopback: real processes, real streams.

import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type JetStreamManager, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { FramePress } from '../../src/cluster/stream-frame.ts';
import { StreamMac } from '../../src/cluster/stream-mac.ts';
import { logSubject, streamName } from '../../src/cluster/stream-names.ts';
import { deriveKey } from '../../src/core/auth/derived-key.ts';
import type { ClusterStatus } from '../../src/server/cluster/cluster-status.ts';
import { Aorta, CLI, temporaryDirectory } from './aorta-process.ts';
import { poll, run } from './child-process.ts';
import { freePorts } from './free-ports.ts';
import { NatsServers } from './nats-servers.ts';

export const CLUSTER = 'east';
const NAMES = ['a', 'b', 'c', 'd'];
const COMMAND_MS = 60_000;
const SHARDS = 3;

export interface ClusterOptions {
  readonly nodes?: number;
  readonly shards?: number;
  /** Lines for the section `cluster` of every node. */
  readonly more?: string;
  /** Lines for every node's configuration, beside the section. */
  readonly other?: string;
  readonly transports?: readonly string[];
  /** More words for `aorta serve` of node n. */
  readonly flags?: (node: number) => readonly string[];
  readonly readyMs?: number;
  readonly nats?: NatsServers;
  /** Where node n finds NATS: proxies before the servers. */
  readonly urls?: (node: number) => readonly string[];
}

export interface ClusterNodeFiles {
  readonly name: string;
  readonly config: string;
  readonly data: string;
  readonly admin: number;
}

export class Cluster {
  readonly nats: NatsServers;
  readonly files: ClusterNodeFiles[] = [];
  readonly nodes: Aorta[] = [];
  readonly options: ClusterOptions;

  private constructor(nats: NatsServers, options: ClusterOptions) {
    this.nats = nats;
    this.options = options;
  }

  /** Makes the cluster and starts its nodes; resolves when every shard has an owner. */
  static async start(options: ClusterOptions = {}): Promise<Cluster> {
    const cluster = new Cluster(options.nats ?? (await NatsServers.start()), options);
    await cluster.make();
    await Promise.all(cluster.files.map((_, node) => cluster.launch(node)));
    await cluster.settled();
    return cluster;
  }

  /** Configurations and data directories, without a node that runs. */
  static async prepare(options: ClusterOptions = {}): Promise<Cluster> {
    const cluster = new Cluster(options.nats ?? (await NatsServers.start()), options);
    await cluster.make();
    return cluster;
  }

  private async make(): Promise<void> {
    const { nodes = 3, shards = SHARDS, more = '', other = '', urls = () => this.nats.urls } = this.options;
    const root = temporaryDirectory();
    const ports = await freePorts(nodes * 2);
    for (let node = 0; node < nodes; node++) {
      const name = NAMES[node];
      const config = join(root, `${name}.yaml`);
      const data = join(root, name);
      writeFileSync(
        config,
        `data: ${data}\ncluster:\n  name: ${CLUSTER}\n  node: ${name}\n  listen: 127.0.0.${2 + node}:${ports[nodes + node]}\n` +
          `  nats:\n    servers: [${urls(node).join(', ')}]\n    monitors: [${this.nats.monitorUrls.join(', ')}]\n${more}${other}`,
      );
      this.files.push({ name, config, data, admin: ports[node] });
    }
    const token = join(root, 'token');
    await command(
      'cluster',
      'init',
      '--config',
      this.files[0].config,
      '--shards',
      String(shards),
      '--token-file',
      token,
    );
    for (const { config } of this.files.slice(1))
      await command('cluster', 'join', '--config', config, '--token', token);
    this.token = readFileSync(token, 'utf8');
  }

  token = '';

  /** Starts a node and waits for its `ready`. @param aheadMs how far its clock is ahead */
  async launch(node: number, aheadMs = 0): Promise<Aorta> {
    const { config, data, admin } = this.files[node];
    const { transports, flags, readyMs } = this.options;
    const { port } = this.nodes[node] ?? {};
    this.nodes[node] = await Aorta.start({
      data,
      ...(port !== undefined && { port }),
      ...(transports && { transports }),
      ...(readyMs !== undefined && { readyMs }),
      ...(aheadMs > 0 && { under: ['env', `NODE_OPTIONS=--import=${shiftedClock(aheadMs)}`] }),
      flags: ['--config', config, '--admin', `http:127.0.0.1:${admin}`, ...(flags?.(node) ?? [])],
    });
    return this.nodes[node];
  }

  get ports(): number[] {
    return this.nodes.map(({ port }) => port);
  }

  /** Every shard has an owner that lives, and all live nodes are level with the stream. */
  async settled(ms = 20_000): Promise<ClusterStatus> {
    return poll('owners of all shards', ms, async () => {
      const states = await Promise.all(this.alive().map((node) => this.status(node)));
      const isSettled = states.every(
        (state) =>
          state?.shards.every(
            ({ owner, epoch }, shard) => owner !== null && epoch === states[0]?.shards[shard].epoch,
          ) && state.shards.every(({ owner }) => this.alive().some((node) => this.files[node].name === owner)),
      );
      return isSettled ? states[0] : undefined;
    });
  }

  alive(): number[] {
    return this.nodes.flatMap((aorta, node) => (aorta.alive ? [node] : []));
  }

  async status(node: number): Promise<ClusterStatus | undefined> {
    try {
      const answer = await fetch(`http://127.0.0.1:${this.files[node].admin}/v1/cluster`, {
        signal: AbortSignal.timeout(2000),
      });
      return answer.ok ? ((await answer.json()) as ClusterStatus) : undefined;
    } catch {
      return undefined;
    }
  }

  /** Number of the node that owns a shard, as another live one sees it. */
  async ownerOf(shard: number): Promise<number> {
    const state = await this.settled();
    return this.files.findIndex(({ name }) => name === state.shards[shard].owner);
  }

  streamOf(shard: number): string {
    return streamName(CLUSTER, shard);
  }

  /** A node's bindings, an AOR a line. */
  async dumped(node: number): Promise<string> {
    return (await fetch(`http://127.0.0.1:${this.files[node].admin}/v1/dump`)).text();
  }

  /** Seconds left of each AOR's first binding, as a node's own memory has it. */
  async dump(node: number): Promise<Map<string, number>> {
    const lines = (await this.dumped(node)).split('\n').filter((line) => line !== '');
    return new Map(
      lines.map((line) => {
        const { aor, contacts } = JSON.parse(line) as { aor: string; contacts: { expiresAt: number }[] };
        return [aor, (contacts[0].expiresAt - Date.now()) / 1000];
      }),
    );
  }

  /** A node has all shards as their streams have them. */
  async follows(node: number): Promise<void> {
    const { name } = this.files[node];
    await poll(`${name} follows all shards`, 40_000, async () => {
      const { shards = [] } = (await this.status(node)) ?? {};
      const roles = shards.map(({ roles: all }) => all[name]);
      return (roles.length > 0 && roles.every((role) => role === 'following' || role === 'owning')) || undefined;
    });
  }

  /** Asks a node to do something. */
  async post(node: number, path: string, body?: object, method = 'POST'): Promise<unknown> {
    const answer = await fetch(`http://127.0.0.1:${this.files[node].admin}${path}`, {
      method,
      ...(body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  }

  /** The servers, as who runs them sees them. */
  async manager(): Promise<{ readonly connection: NatsConnection; readonly manager: JetStreamManager }> {
    const connection = await connect({ servers: this.nats.urls });
    return { connection, manager: await jetstreamManager(connection) };
  }

  /** All streams keep their newest message alone, as they do when they are full. */
  async forgetOld(): Promise<void> {
    const { connection, manager } = await this.manager();
    for (let shard = 0; shard < (this.options.shards ?? SHARDS); shard++)
      for (const max_msgs of [1, -1]) await manager.streams.update(this.streamOf(shard), { max_msgs });
    await connection.close();
  }

  /** Somebody with the secret writes what follows upon nothing. */
  async publishWrong(connection: NatsConnection, manager: JetStreamManager, shard: number): Promise<void> {
    const secret = Buffer.from(
      (JSON.parse(Buffer.from(this.token.trim().split('.')[1], 'base64url').toString()) as { secret: string }).secret,
      'base64',
    );
    const press = new FramePress(new StreamMac(deriveKey(secret, 'cluster streams'), shard));
    for (let tries = 0; tries < 100; tries++) {
      const { state } = await manager.streams.info(this.streamOf(shard));
      press.start({ sequence: 0, epoch: 0, node: 0, life: 0, sum: 12_345, time: 0 }, 9999, 7, 1, Date.now());
      press.seal(state.last_seq + 1);
      try {
        await jetstream(connection).publish(logSubject(CLUSTER, shard), press.bytes.slice(0, press.length), {
          expect: { lastSequence: state.last_seq },
        });
        return;
      } catch (error) {
        if (!/wrong last sequence/.test(String(error))) throw error;
      }
    }
    throw new Error('the owner is always first');
  }

  /** The tables of all nodes are the same. @param node that compares them */
  async demandEqual(node: number): Promise<void> {
    const { shards } = (await this.post(node, '/v1/cluster/verify')) as {
      shards: { shard: number; nodes: { node: string; differ: number; problem?: string }[] }[];
    };
    const wrong = shards.flatMap(({ shard, nodes }) =>
      nodes.filter(({ differ }) => differ !== 0).map((each) => `shard ${shard}: ${JSON.stringify(each)}`),
    );
    if (wrong.length > 0) throw new Error(wrong.join('; '));
  }

  /** A second start of a node, from a copy of its directory, ends with a word. */
  async demandCopyRefused(node: number): Promise<void> {
    const { config, data } = this.files[node];
    const copy = join(temporaryDirectory(), 'copy');
    cpSync(data, copy, { recursive: true, filter: (path) => !/lock$/.test(path) });
    const other = `${config}.copy.yaml`;
    writeFileSync(other, readFileSync(config, 'utf8').replace(`data: ${data}`, `data: ${copy}`));
    const done = await run(
      process.execPath,
      [CLI, 'serve', '--config', other, '--listen', 'udp:127.0.0.1:0'],
      COMMAND_MS,
    );
    if (done.exit.code !== 1 || !/is running already/.test(done.stderr))
      throw new Error(`a copy of node ${node} started: ${JSON.stringify(done.exit)} ${done.output()}`);
  }

  async close(): Promise<void> {
    await Promise.all(this.alive().map((node) => this.nodes[node].kill9()));
    if (this.options.nats === undefined) await this.nats.close();
  }
}

/** A module that has all clocks of a process so far ahead. */
function shiftedClock(aheadMs: number): string {
  const file = join(temporaryDirectory(), 'clock.mjs');
  writeFileSync(
    file,
    `const now = Date.now.bind(Date);\nDate.now = () => now() + ${aheadMs};\n` +
      'const Real = Date;\nglobalThis.Date = new Proxy(Real, { construct: (of, words) => words.length > 0 ? new of(...words) : new of(Real.now()) });\n',
  );
  return file;
}

/** Runs `aorta …` and gives what it printed; fails where it does. */
export async function command(...words: readonly string[]): Promise<string> {
  const done = await run(process.execPath, [CLI, ...words], COMMAND_MS);
  if (done.exit.code !== 0) throw new Error(`aorta ${words.join(' ')}: ${JSON.stringify(done.exit)}\n${done.output()}`);
  return done.stdout;
}
