// A running `aorta serve` for tests: the built command on a free loopback port with a data directory of its own.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Child, type Exit } from './child-process.ts';
import { freePort } from './free-ports.ts';

/** What is tested; AORTA_CLI names another build. */
export const CLI = resolve(process.env.AORTA_CLI ?? join(import.meta.dirname, '../../dist/cli.js'));

const READY_MS = 20_000;
const STOP_MS = 10_000;

export interface AortaOptions {
  /** A directory to go on with; by default a new one, removed by cleanUp(). */
  readonly data?: string;
  readonly port?: number;
  readonly address?: string;
  readonly domains?: readonly string[];
  readonly udp?: 'auto' | 'dgram';
  /** What it listens on, each on the same address and port; by default UDP alone. */
  readonly transports?: readonly string[];
  readonly shards?: number;
  /** Further flags of `aorta serve`. */
  readonly flags?: readonly string[];
  /** A command to put before node, e.g. a tracer. */
  readonly under?: readonly string[];
  /** For its `ready`, where that is not at once. */
  readonly readyMs?: number;
  /** Bound sockets that it is handed as systemd does it (LISTEN_FDS). */
  readonly sockets?: readonly number[];
}

const directories = new Set<string>();

export class Aorta {
  readonly child: Child;
  readonly port: number;
  readonly address: string;
  readonly data: string;
  readonly options: AortaOptions;

  private constructor(child: Child, port: number, address: string, data: string, options: AortaOptions) {
    this.child = child;
    this.port = port;
    this.address = address;
    this.data = data;
    this.options = options;
  }

  /** Starts it without waiting for anything. */
  static async launch(options: AortaOptions = {}): Promise<Aorta> {
    const address = options.address ?? '127.0.0.1';
    const port = options.port ?? (await freePort(address));
    const data = options.data ?? temporaryDirectory();
    const host = address.includes(':') ? `[${address}]` : address;
    const args = ['serve', '--data', data];
    for (const transport of options.transports ?? ['udp']) args.push('--listen', `${transport}:${host}:${port}`);
    for (const domain of options.domains ?? ['example.com']) args.push('--domain', domain);
    args.push('--expires-jitter', '0'); // tests compare seconds
    if (options.udp) args.push('--udp', options.udp);
    if (options.shards) args.push('--shards', String(options.shards));
    args.push(...(options.flags ?? []));
    const { sockets = [] } = options;
    const handing = ['/bin/sh', '-c', 'LISTEN_PID=$$ exec "$@"', 'sh']; // the process's own ID is known to itself alone
    const under = [...(sockets.length > 0 ? handing : []), ...(options.under ?? [])];
    const [command, ...before] = [...under, process.execPath];
    const handed = sockets.length > 0 ? { fds: sockets, env: { LISTEN_FDS: String(sockets.length) } } : {};
    return new Aorta(new Child(command, [...before, CLI, ...args], handed), port, address, data, options);
  }

  /** Starts it and waits for its `ready`. */
  static async start(options: AortaOptions = {}): Promise<Aorta> {
    const aorta = await Aorta.launch(options);
    await aorta.child.until(/^ready/m, options.readyMs ?? READY_MS);
    return aorta;
  }

  get stdout(): string {
    return this.child.stdout;
  }

  get stderr(): string {
    return this.child.stderr;
  }

  get alive(): boolean {
    return this.child.exit === undefined;
  }

  /** SIGTERM; fails unless it ends by itself with 0. */
  async stop(): Promise<void> {
    this.child.signal('SIGTERM');
    const exit = await this.child.end(STOP_MS);
    if (exit.code !== 0) throw new Error(`SIGTERM ended it with ${JSON.stringify(exit)}\n${this.child.output()}`);
  }

  /** SIGKILL: no chance to write anything. */
  async kill9(): Promise<Exit> {
    this.child.killTree();
    return this.child.end(STOP_MS);
  }

  /** The same options on the same port and data directory, as after a crash. */
  async restart(): Promise<Aorta> {
    return Aorta.start({ ...this.options, port: this.port, data: this.data });
  }

  /** The same without waiting for anything. */
  async relaunch(): Promise<Aorta> {
    return Aorta.launch({ ...this.options, port: this.port, data: this.data });
  }
}

export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'aorta-e2e-'));
  directories.add(directory);
  return directory;
}

/** Removes the data directories that tests of this file were given. For afterAll, behind killAll(). */
export function removeDirectories(): void {
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
  directories.clear();
}
