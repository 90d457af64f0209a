// The processes of the demo: NATS servers and nodes, on free ports of loopback, below one directory.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { ClusterStatus } from '../../server/cluster/cluster-status.ts';
import { isTooOld } from '../../server/cluster/nats/nats-servers.ts';
import { print } from '../../server/process/terminal.ts';
import { CommandError } from '../terminal/command-action.ts';

/** The command that runs. */
const CLI = process.argv[1];
const NAMES = ['a', 'b', 'c'];
const SHARDS = 3;
const READY_MS = 30_000;
/** They elect a leader within some seconds, or never. */
const NATS_MS = 15_000;
const LOOK_MS = 100;

export interface DemoNode {
  readonly name: string;
  readonly sip: number;
  readonly admin: number;
  readonly config: string;
}

export class DemoNodes {
  readonly nodes: DemoNode[] = [];
  private readonly directory: string;
  private readonly natsServer: string;
  private readonly children = new Map<string, ChildProcess>();
  private failure: string | undefined;

  constructor(directory: string, natsServer: string) {
    this.directory = directory;
    this.natsServer = natsServer;
  }

  async start(): Promise<void> {
    this.checkNats();
    const ports = await freePorts(NAMES.length * 6);
    const [nats, monitors, routes, sip, admin, peers] = Array.from({ length: 6 }, (_, i) =>
      ports.slice(i * NAMES.length, (i + 1) * NAMES.length),
    );
    print('starting three NATS servers …\n');
    const start = () => NAMES.forEach((_, i) => void this.startNats(i, nats[i], monitors[i], routes));
    start();
    const what = 'the NATS servers have a leader that knows all of them';
    // Servers that met in pairs at first may elect nobody.
    await this.until(what, () => haveLeader(monitors), NATS_MS).catch(async (error: unknown) => {
      if (this.failure !== undefined) throw error;
      await this.stopNats();
      start();
      await this.until(what, () => haveLeader(monitors));
    });
    NAMES.forEach((name, i) => {
      const config = join(this.directory, `${name}.yaml`);
      writeFileSync(
        config,
        `data: ${join(this.directory, name)}\nlisten: [udp:127.0.0.1:${sip[i]}, tcp:127.0.0.1:${sip[i]}]\n` +
          `domains: [localhost]\nadmin: http://127.0.0.1:${admin[i]}\nlog-level: error\n` +
          `cluster:\n  name: demo\n  node: ${name}\n  listen: 127.0.0.${2 + i}:${peers[i]}\n` +
          `  nats: { servers: [${nats.map((port) => `nats://127.0.0.1:${port}`).join(', ')}] }\n`,
      );
      this.nodes.push({ name, sip: sip[i], admin: admin[i], config });
    });
    print('making the cluster …\n');
    const token = join(this.directory, 'token');
    const [first, ...others] = this.nodes;
    await this.aorta(['cluster', 'init', '--config', first.config, '--shards', String(SHARDS), '--token-file', token]);
    for (const { config } of others) await this.aorta(['cluster', 'join', '--config', config, '--token', token]);
    print('starting three nodes …\n');
    for (const { name, config } of this.nodes)
      this.keep(
        name,
        spawn(process.execPath, [CLI, 'serve', '--config', config], { stdio: ['ignore', 'ignore', 'inherit'] }),
      );
    await this.until('the nodes are ready', async () => {
      const states = await Promise.all(this.nodes.map((node) => this.status(node)));
      return states.every((status) => status?.shards.every(({ owner }) => owner !== null));
    });
  }

  status({ admin }: DemoNode): Promise<ClusterStatus | undefined> {
    return json(`http://127.0.0.1:${admin}/v1/cluster`);
  }

  async hasBinding({ admin }: DemoNode, aor: string): Promise<boolean> {
    const found = await json<{ contacts?: readonly unknown[] }>(
      `http://127.0.0.1:${admin}/v1/aors/${encodeURIComponent(aor)}`,
    );
    return (found?.contacts?.length ?? 0) > 0;
  }

  kill(name: string): void {
    this.children.get(name)?.kill('SIGKILL');
  }

  /** Whatever is started after this is killed at once. */
  async stop(): Promise<void> {
    this.failure ??= 'the demo has ended';
    await Promise.all([...this.children.values()].map(ended));
  }

  /** Before anything is started: whether the program is there, and one that loses nothing. */
  private checkNats(): void {
    const { error, stdout } = spawnSync(this.natsServer, ['--version'], { encoding: 'utf8' });
    const advice = 'install the package nats-server (2.10.23 or newer), or name it with --nats-server FILE';
    if (error !== undefined) throw new CommandError(`there is no ${this.natsServer}: ${advice}`);
    const version = /v?(\d+\.\d+\.\d+)/.exec(stdout)?.[1] ?? 'of an unknown version';
    if (isTooOld(version))
      throw new CommandError(`${this.natsServer} is ${version}, which can lose streams when it is killed: ${advice}`);
  }

  private startNats(i: number, port: number, monitor: number, routes: readonly number[]): void {
    const config = join(this.directory, `nats-${i}.conf`);
    writeFileSync(
      config,
      `server_name: n${i + 1}\nlisten: 127.0.0.1:${port}\nhttp: 127.0.0.1:${monitor}\nmax_payload: 8MB\n` +
        `jetstream { store_dir: "${join(this.directory, `nats-${i}`)}", sync_interval: always }\n` +
        `cluster { name: demo, listen: 127.0.0.1:${routes[i]}, routes: [${routes.map((route) => `nats://127.0.0.1:${route}`).join(', ')}] }\n`,
    );
    this.keep(`nats ${i + 1}`, spawn(this.natsServer, ['-c', config], { stdio: 'ignore' }));
  }

  private async stopNats(): Promise<void> {
    const servers = NAMES.map((_, i) => this.children.get(`nats ${i + 1}`));
    await Promise.all(servers.map((child) => child && ended(child)));
    for (const i of NAMES.keys()) rmSync(join(this.directory, `nats-${i}`), { recursive: true, force: true });
  }

  /** A process that could not be started fails the demo by what is waited for. */
  private keep(name: string, child: ChildProcess): void {
    child.on('error', (error: NodeJS.ErrnoException) => {
      this.failure = error.message;
    });
    this.children.set(name, child);
    if (this.failure !== undefined) child.kill('SIGKILL');
  }

  private async aorta(words: readonly string[]): Promise<void> {
    const child = spawn(process.execPath, [CLI, ...words], { stdio: ['ignore', 'ignore', 'pipe'] });
    this.keep('aorta', child);
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    const code = await new Promise((resolve) => child.once('close', resolve));
    if (code !== 0) throw new CommandError(`aorta ${words.join(' ')} has failed: ${said.trim()}`);
  }

  private async until(what: string, look: () => Promise<boolean | undefined>, ms = READY_MS): Promise<void> {
    for (let waited = 0; waited < ms; waited += LOOK_MS) {
      if (this.failure !== undefined) throw new CommandError(this.failure);
      if ((await look()) === true) return;
      await delay(LOOK_MS);
    }
    throw new CommandError(`not within ${ms / 1000} s: ${what}`);
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await exit;
}

interface Jsz {
  readonly meta_cluster?: {
    readonly leader?: string;
    /** Of the leader alone. */
    readonly replicas?: readonly { readonly current: boolean }[];
  };
}

/** The same one for all servers, to which all others are present: before, a stream finds no place for as long as 45 s. */
async function haveLeader(monitors: readonly number[]): Promise<boolean> {
  const found = await Promise.all(monitors.map((port) => json<Jsz>(`http://127.0.0.1:${port}/jsz`)));
  const [leader = ''] = found.map((jsz) => jsz?.meta_cluster?.leader);
  const replicas = found.flatMap((jsz) => jsz?.meta_cluster?.replicas ?? []);
  const isOne = leader !== '' && found.every((jsz) => jsz?.meta_cluster?.leader === leader);
  return isOne && replicas.filter(({ current }) => current).length === monitors.length - 1;
}

async function json<T>(url: string): Promise<T | undefined> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(1000) });
    return answer.ok ? ((await answer.json()) as T) : undefined;
  } catch {
    return undefined;
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => new Promise((resolve) => server.once('listening', resolve))));
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
