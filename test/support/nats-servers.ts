// NATS servers for tests: the program from Debian 13's or sid's package, unpacked beside the tests and kept; three of them in a cluster on
// loopback, each with a directory of its own.

import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Child, poll, which } from './child-process.ts';
import { programOfPackage } from './debian-package.ts';
import { freePorts } from './free-ports.ts';

export type NatsSuite = 'trixie' | 'sid';
const OLDEST = [2, 10, 23];

/** The program, from AORTA_NATS_SERVER, the PATH or a Debian package; or why it cannot be had. */
export function natsServer(suite: NatsSuite = 'trixie'): { readonly file: string } | { readonly missing: string } {
  const given = process.env.AORTA_NATS_SERVER ?? which('nats-server');
  if (given !== undefined && isNewEnough(given)) return { file: given };
  const found = programOfPackage('nats-server', 'usr/sbin/nats-server', suite);
  if ('missing' in found) return found;
  return isNewEnough(found.file) ? found : { missing: `nats-server of Debian ${suite} does not run here` };
}

/** For describe.skipIf: true where there is none, and then the reason is printed. */
export function natsMissing(): boolean {
  const found = natsServer();
  if ('file' in found) return false;
  if (process.env.CI === 'true') throw new Error(`CI needs every peer; missing: ${found.missing}`);
  console.warn(`skipped: ${found.missing}`);
  return true;
}

function isNewEnough(file: string): boolean {
  const { stdout = '' } = spawnSync(file, ['--version'], { encoding: 'utf8' });
  const version = /v(\d+)\.(\d+)\.(\d+)/.exec(stdout)?.slice(1).map(Number);
  if (version === undefined) return false;
  const at = version.findIndex((part, i) => part !== OLDEST[i]);
  return at < 0 || version[at] > OLDEST[at];
}

const READY_MS = 30_000;
/** They find each other within 3 s. Where a port was taken meanwhile they never do, and others are tried. */
const FIRST_READY_MS = 15_000;
/** A server that starts while the others elect a leader may stay out of their group until it is started again, as one in 20 does on a busy machine. */
const LEFT_OUT_MS = 3000;

export interface NatsOptions {
  readonly suite?: NatsSuite;
  readonly servers?: number;
  /** Lines for every server's configuration. */
  readonly more?: string;
  readonly sync?: 'always' | 'default';
  /** Where a server finds another one, whose routes listen at a port: a proxy before it. */
  readonly route?: (from: number, to: number, port: number) => Promise<string>;
}

/** Several servers in one NATS cluster. */
export class NatsServers {
  readonly ports: number[] = [];
  readonly monitors: number[] = [];
  readonly children: Child[] = [];
  private readonly file: string;
  private readonly directory: string;

  private constructor(file: string) {
    this.file = file;
    this.directory = mkdtempSync(join(tmpdir(), 'aorta-nats-'));
  }

  static async start(options: NatsOptions = {}): Promise<NatsServers> {
    const found = natsServer(options.suite);
    if ('missing' in found) throw new Error(found.missing);
    const first = await NatsServers.launched(found.file, options);
    try {
      await first.ready(FIRST_READY_MS);
      return first;
    } catch (error) {
      console.warn(`NATS servers are started again: ${error}`);
      await first.close();
    }
    const next = await NatsServers.launched(found.file, options);
    await next.ready();
    return next;
  }

  private static async launched(
    file: string,
    { servers = 3, more = '', sync = 'always', route }: NatsOptions,
  ): Promise<NatsServers> {
    const nats = new NatsServers(file);
    const ports = await freePorts(servers * 3);
    const routes = ports.slice(servers * 2);
    const urlOf = (from: number, to: number) =>
      route === undefined || from === to ? `nats://127.0.0.1:${routes[to]}` : route(from, to, routes[to]);
    for (let i = 0; i < servers; i++) {
      const others = await Promise.all(routes.map((_, to) => urlOf(i, to)));
      nats.ports.push(ports[i]);
      nats.monitors.push(ports[servers + i]);
      writeFileSync(
        nats.configOf(i),
        `server_name: n${i}\nlisten: 127.0.0.1:${ports[i]}\nhttp: 127.0.0.1:${ports[servers + i]}\nmax_payload: 8MB\n` +
          `jetstream { store_dir: "${join(nats.directory, `store-${i}`)}"${sync === 'always' ? ', sync_interval: always' : ''} }\n` +
          (servers > 1
            ? `cluster { name: test, listen: 127.0.0.1:${routes[i]}, no_advertise: true, ` +
              `${route === undefined ? '' : 'advertise: "127.0.0.1:1", '}routes: [${others.join(', ')}] }\n`
            : '') +
          more,
      );
    }
    for (let i = 0; i < servers; i++) nats.launch(i);
    return nats;
  }

  /** `nats://…` of all. */
  get urls(): string[] {
    return this.ports.map((port) => `nats://127.0.0.1:${port}`);
  }

  get monitorUrls(): string[] {
    return this.monitors.map((port) => `http://127.0.0.1:${port}`);
  }

  /** Starts one, again. */
  launch(server: number): void {
    this.children[server] = new Child(this.file, ['-c', this.configOf(server)]);
  }

  /** Ends one and starts it with other words in its configuration. */
  async reconfigure(server: number, from: string, to: string): Promise<void> {
    this.children[server].signal('SIGTERM');
    await this.children[server].end(15_000);
    const file = this.configOf(server);
    writeFileSync(file, readFileSync(file, 'utf8').replace(from, to));
    this.launch(server);
    await this.ready();
  }

  /** All follow a meta leader, to which all others are present, and listen: their monitors answer before. */
  async ready(ms = READY_MS): Promise<void> {
    let metas: (Meta | undefined)[] = [];
    let smallSince: number | undefined;
    const seen = async () => {
      const gone = this.children.find(({ exit }) => exit !== undefined);
      if (gone !== undefined) throw new Error('a NATS server has ended');
      metas = await Promise.all(this.monitors.map((_, server) => this.meta(server)));
      const leader = metas[0]?.leader;
      if (!leader || metas.some((meta) => meta?.leader !== leader)) return undefined;
      const others = metas.find((meta) => meta?.replicas !== undefined)?.replicas ?? [];
      const present = others.filter(({ current, offline }) => current && offline !== true);
      if (present.length < this.ports.length - 1) {
        if ((metas[0]?.cluster_size ?? 0) >= this.ports.length) return undefined;
        smallSince ??= Date.now();
        if (Date.now() - smallSince < LEFT_OUT_MS) return undefined;
        smallSince = undefined;
        await this.startAgain([leader, ...others.map(({ name }) => name)]);
        return undefined;
      }
      return (await Promise.all(this.ports.map(isListening))).every(Boolean) || undefined;
    };
    await poll('a meta leader on all NATS servers', ms, seen).catch((error: unknown) => {
      const outputs = this.children.map((child) => child.output()).join('\n');
      throw new Error(`${String(error)}\n${JSON.stringify(metas)}\n${outputs}`);
    });
  }

  /** Those that the meta group of the others does not have. */
  private async startAgain(members: readonly string[]): Promise<void> {
    for (const [server, child] of this.children.entries()) {
      if (members.includes(`n${server}`)) continue;
      child.signal('SIGTERM');
      await child.end(15_000);
      this.launch(server);
    }
  }

  /** Number of the server that leads a stream. */
  async leaderOf(stream: string): Promise<number> {
    return poll(`a leader of ${stream}`, 20_000, async () => {
      for (const [server] of this.monitors.entries()) {
        const jsz = await this.ask(server, '/jsz?streams=true&accounts=true&config=false');
        const streams = (jsz as Jsz | undefined)?.account_details?.flatMap(({ stream_detail = [] }) => stream_detail);
        const leader = streams?.find(({ name }) => name === stream)?.cluster?.leader;
        if (leader) return Number(leader.slice(1));
      }
      return undefined;
    });
  }

  /** Where the others are gone: a server learns it within some ten seconds, and answers as before until then. */
  async withoutLeader(server: number): Promise<void> {
    await poll(`NATS server ${server} without a meta leader`, 30_000, async () => {
      const meta = await this.meta(server);
      return meta !== undefined && !meta.leader ? true : undefined;
    });
  }

  async kill9(server: number): Promise<void> {
    this.children[server].killTree();
    await this.children[server].end(5000);
  }

  async close(): Promise<void> {
    for (const child of this.children) child.killTree();
    await Promise.all(this.children.map((child) => child.exited));
    rmSync(this.directory, { recursive: true, force: true });
  }

  private configOf(server: number): string {
    return join(this.directory, `n${server}.conf`);
  }

  private async meta(server: number): Promise<Meta | undefined> {
    const jsz = (await this.ask(server, '/jsz')) as Jsz | undefined;
    return this.ports.length === 1 && jsz !== undefined ? { leader: 'itself' } : jsz?.meta_cluster;
  }

  private async ask(server: number, path: string): Promise<unknown> {
    try {
      const answer = await fetch(`http://127.0.0.1:${this.monitors[server]}${path}`, {
        signal: AbortSignal.timeout(1000),
      });
      return await answer.json();
    } catch {
      return undefined;
    }
  }
}

interface Meta {
  readonly leader?: string;
  readonly cluster_size?: number;
  /** The leader has them alone. */
  readonly replicas?: readonly { readonly name: string; readonly current: boolean; readonly offline?: boolean }[];
}

interface Jsz {
  readonly meta_cluster?: Meta;
  readonly account_details?: readonly {
    readonly stream_detail?: readonly { readonly name: string; readonly cluster?: { readonly leader?: string } }[];
  }[];
}

async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
