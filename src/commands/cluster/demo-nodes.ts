// The processes of the demo: NATS servers and nodes, on free ports of loopback, below one directory.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { ClusterStatus } from '../../server/cluster/cluster-status.ts';
import { isTooOld } from '../../server/cluster/nats/nats-servers.ts';
import { print } from '../../server/process/terminal.ts';
import { CommandError } from '../terminal/command-action.ts';
import { freePorts } from './free-ports.ts';

/** Path of the running command. */
const CLI = process.argv[1];
const NAMES = ['a', 'b', 'c'];
const NATS_NAMES = ['NATS server 1', 'NATS server 2', 'NATS server 3'];
const SHARDS = 3;
const READY_MS = 30_000;
/** Time for the servers to elect a leader; longer elections never end: servers that met in pairs at first may elect none. */
const NATS_MS = 15_000;
const NATS_ATTEMPTS = 3;
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
    print('starting three NATS servers …\n');
    const nats = await this.startServers();
    const ports = await freePorts(NAMES.length * 3);
    NAMES.forEach((name, i) => {
      const [sip, admin, peers] = ports.slice(i * 3);
      const config = join(this.directory, `${name}.yaml`);
      writeFileSync(
        config,
        `data: ${join(this.directory, name)}\nlisten: [udp:127.0.0.1:${sip}, tcp:127.0.0.1:${sip}]\n` +
          `domains: [localhost]\nadmin: http://127.0.0.1:${admin}\nlog-level: error\n` +
          `cluster:\n  name: demo\n  node: ${name}\n  listen: 127.0.0.${2 + i}:${peers}\n` +
          `  nats: { servers: [${nats.map((port) => `nats://127.0.0.1:${port}`).join(', ')}] }\n`,
      );
      this.nodes.push({ name, sip, admin, config });
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
    await this.until('the nodes are ready', NAMES, async () => {
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

  /** Stops all processes; one started after this is killed at once. */
  async stop(): Promise<void> {
    this.failure ??= 'the demo has ended';
    await Promise.all([...this.children.values()].map(ended));
  }

  /** Checked before any start: whether the program exists, and in a version that loses nothing. */
  private checkNats(): void {
    const { error, stdout } = spawnSync(this.natsServer, ['--version'], { encoding: 'utf8' });
    const advice = 'install the package nats-server (2.10.23 or newer), or name it with --nats-server FILE';
    if (error !== undefined) throw new CommandError(`there is no ${this.natsServer}: ${advice}`);
    const version = /v?(\d+\.\d+\.\d+)/.exec(stdout)?.[1] ?? 'of an unknown version';
    if (isTooOld(version))
      throw new CommandError(`${this.natsServer} is ${version}, which can lose streams when it is killed: ${advice}`);
  }

  /** Ports of three servers with a leader. Servers whose port was taken meanwhile, or without a leader, are replaced. */
  private async startServers(): Promise<readonly number[]> {
    for (let attempt = 1; ; attempt++) {
      const ports = await freePorts(NAMES.length * 3);
      const [nats, monitors, routes] = [0, 3, 6].map((from) => ports.slice(from, from + NAMES.length));
      NAMES.forEach((_, i) => void this.startNats(i, nats[i], monitors[i], routes));
      const what = 'the NATS servers have a leader that knows all of them';
      try {
        await this.until(what, NATS_NAMES, () => haveLeader(monitors), NATS_MS);
        return nats;
      } catch (error) {
        if (this.failure !== undefined || attempt === NATS_ATTEMPTS) throw error;
        await this.stopNats();
      }
    }
  }

  private startNats(i: number, port: number, monitor: number, routes: readonly number[]): void {
    const config = join(this.directory, `nats-${i}.conf`);
    writeFileSync(
      config,
      `server_name: n${i + 1}\nlisten: 127.0.0.1:${port}\nhttp: 127.0.0.1:${monitor}\nmax_payload: 8MB\n` +
        `jetstream { store_dir: "${join(this.directory, `nats-${i}`)}", sync_interval: always }\n` +
        `cluster { name: demo, listen: 127.0.0.1:${routes[i]}, routes: [${routes.map((route) => `nats://127.0.0.1:${route}`).join(', ')}] }\n`,
    );
    const log = openSync(this.logOf(NATS_NAMES[i]), 'w');
    this.keep(NATS_NAMES[i], spawn(this.natsServer, ['-c', config], { stdio: ['ignore', 'ignore', log] }));
    closeSync(log);
  }

  private async stopNats(): Promise<void> {
    const servers = NATS_NAMES.map((name) => this.children.get(name));
    await Promise.all(servers.map((child) => child && ended(child)));
    for (const i of NAMES.keys()) rmSync(join(this.directory, `nats-${i}`), { recursive: true, force: true });
  }

  private logOf(name: string): string {
    return join(this.directory, `${name}.log`);
  }

  /** Keeps a process. One that could not be started fails the demo at its next wait. */
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

  /** Looks until it is so. A named process that has ended fails it at once. */
  private async until(
    what: string,
    names: readonly string[],
    look: () => Promise<boolean | undefined>,
    ms = READY_MS,
  ): Promise<void> {
    const until = performance.now() + ms;
    do {
      if (this.failure !== undefined) throw new CommandError(this.failure);
      const gone = names.find((name) => hasEnded(this.children.get(name)));
      if (gone !== undefined) throw new CommandError(`${gone} has ended${this.lastLineOf(gone)}`);
      if ((await look()) === true) return;
      await delay(LOOK_MS);
    } while (performance.now() < until);
    throw new CommandError(`not within ${ms / 1000} s: ${what}`);
  }

  /** Why a process has ended. Nodes write to the terminal themselves. */
  private lastLineOf(name: string): string {
    const log = this.logOf(name);
    const line = existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n').at(-1) : '';
    return line ? `: ${line}` : '';
  }
}

function hasEnded(child: ChildProcess | undefined): boolean {
  return child !== undefined && (child.exitCode !== null || child.signalCode !== null);
}

async function ended(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return;
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await exit;
}

interface Jsz {
  readonly meta_cluster?: {
    readonly leader?: string;
    /** Reported by the leader alone. */
    readonly replicas?: readonly { readonly current: boolean }[];
  };
}

/**
 * Whether all servers name the same leader, to which all others are current: before that, a stream finds no place for as
 * long as 45 s.
 */
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
