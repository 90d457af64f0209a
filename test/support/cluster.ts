// Three NATS servers and several `aorta serve` in one cluster on loopback: real processes, real streams.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { streamName } from '../../src/cluster/stream-names.ts';
import type { ClusterStatus } from '../../src/server/cluster/cluster-status.ts';
import { Aorta, CLI, temporaryDirectory } from './aorta-process.ts';
import { poll, run } from './child-process.ts';
import { freeTcpPorts, NatsServers } from './nats-servers.ts';

export const CLUSTER = 'east';
const NAMES = ['a', 'b', 'c', 'd'];
const COMMAND_MS = 60_000;

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
    const { nodes = 3, shards = 3, more = '', other = '', urls = () => this.nats.urls } = this.options;
    const root = temporaryDirectory();
    const ports = await freeTcpPorts(nodes * 3);
    for (let node = 0; node < nodes; node++) {
      const name = NAMES[node];
      const config = join(root, `${name}.yaml`);
      const data = join(root, name);
      writeFileSync(
        config,
        `data: ${data}\ncluster:\n  name: ${CLUSTER}\n  node: ${name}\n  listen: 127.0.0.1:${ports[node]}\n` +
          `  nats:\n    servers: [${urls(node).join(', ')}]\n    monitors: [${this.nats.monitorUrls.join(', ')}]\n${more}${other}`,
      );
      this.files.push({ name, config, data, admin: ports[nodes + node] });
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

  /** Starts a node and waits for its `ready`. */
  async launch(node: number): Promise<Aorta> {
    const { config, data, admin } = this.files[node];
    const { transports, flags } = this.options;
    const { port } = this.nodes[node] ?? {};
    this.nodes[node] = await Aorta.start({
      data,
      ...(port !== undefined && { port }),
      ...(transports && { transports }),
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

  /** Seconds left of each AOR's first binding, as a node's own memory has it. */
  async dump(node: number): Promise<Map<string, number>> {
    const answer = await fetch(`http://127.0.0.1:${this.files[node].admin}/v1/dump`);
    const lines = (await answer.text()).split('\n').filter((line) => line !== '');
    return new Map(
      lines.map((line) => {
        const { aor, contacts } = JSON.parse(line) as { aor: string; contacts: { expiresAt: number }[] };
        return [aor, (contacts[0].expiresAt - Date.now()) / 1000];
      }),
    );
  }

  async close(): Promise<void> {
    await Promise.all(this.alive().map((node) => this.nodes[node].kill9()));
    if (this.options.nats === undefined) await this.nats.close();
  }
}

/** Runs `aorta …` and gives what it printed; fails where it does. */
export async function command(...words: readonly string[]): Promise<string> {
  const done = await run(process.execPath, [CLI, ...words], COMMAND_MS);
  if (done.exit.code !== 0) throw new Error(`aorta ${words.join(' ')}: ${JSON.stringify(done.exit)}\n${done.output()}`);
  return done.stdout;
}
