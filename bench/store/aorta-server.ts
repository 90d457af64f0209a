// Aorta under measurement: started on a data directory that stays, killed the hard way, and what it takes of the machine.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { tied } from '../children.ts';

const READY_MS_MAX = 120_000;

export interface ServerOptions {
  /** The Node.js that runs it. */
  readonly node: string;
  readonly cli: string;
  readonly data: string;
  readonly port: number;
  readonly shards: number;
  readonly flags?: readonly string[];
  /** Core to pin it to. */
  readonly core?: number;
}

export class AortaServer {
  readonly pid: number;
  /** Rejects when it ends before. */
  readonly ready: Promise<void>;
  private readonly child: ChildProcess;
  private readonly ended: Promise<void>;

  constructor({ node, cli, data, port, shards, flags = [], core }: ServerOptions) {
    const args = [cli, 'serve', '--listen', `udp:127.0.0.1:${port}`, '--domain', '*', '--data', data];
    const serve = [...args, '--shards', String(shards), '--log-level', 'warn', ...flags];
    const [command, ...rest] = core === undefined ? [node, ...serve] : ['taskset', '-c', String(core), node, ...serve];
    this.child = tied(spawn(command, rest, { stdio: ['ignore', 'pipe', 'pipe'] }));
    this.pid = this.child.pid ?? -1;
    this.ended = new Promise((resolve) => this.child.on('exit', () => resolve()));
    this.ready = this.waitForReady();
    this.ready.catch(() => {});
  }

  async kill9(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended;
  }

  async stop(): Promise<void> {
    this.child.kill('SIGTERM');
    await this.ended;
  }

  /** Bytes of memory that are its own: no page cache, no file. */
  get anonymousBytes(): number {
    const rollup = readFileSync(`/proc/${this.pid}/smaps_rollup`, 'utf8');
    const kilobytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(rollup)?.[1] ?? 0);
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
    const shared = Number(/^RssShmem:\s+(\d+) kB/m.exec(status)?.[1] ?? 0);
    return (kilobytes('Anonymous') + shared) * 1024;
  }

  private waitForReady(): Promise<void> {
    return new Promise((resolve, reject) => {
      let text = '';
      const timer = setTimeout(() => reject(new Error(`not ready within ${READY_MS_MAX} ms:\n${text}`)), READY_MS_MAX);
      const listen = (chunk: Buffer) => {
        text = (text + chunk.toString()).slice(-20_000);
        if (!/^ready/m.test(text)) return;
        clearTimeout(timer);
        resolve();
      };
      this.child.stdout?.on('data', listen);
      this.child.stderr?.on('data', listen);
      this.child.on('exit', () => {
        clearTimeout(timer);
        reject(new Error(`the server ended:\n${text}`));
      });
    });
  }
}

/** Bytes that the files below a directory take on disk; holes take none. */
export function diskBytes(directory: string): number {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).blocks * 512, 0);
}

/** Files below a directory with this name. */
export function filesNamed(directory: string, name: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.split('/').at(-1) === name)
    .map((path) => join(directory, path));
}

/** Has the kernel forget every page of files. Throws where that is not allowed. */
export function dropCaches(): void {
  const run = spawnSync('sh', ['-c', 'sync; echo 3 > /proc/sys/vm/drop_caches'], { encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`the page cache cannot be dropped (root can): ${run.stderr.trim()}`);
}
