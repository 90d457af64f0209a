// The servers under load: how each is started on one core with an empty location table, and stopped again.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tied } from '../children.ts';
import { compiled } from '../compile.ts';
import { root } from '../root.ts';
import { aortaFlags, DOMAIN, kamailioFlags, type Login } from './login.ts';

const START_MS_MAX = 20_000;
const STOP_MS_MAX = 20_000;

export interface RunningServer {
  readonly pid: number;
  stop(): Promise<void>;
}

export interface Contestant {
  readonly name: string;
  /** False for the echo, whose answers have no bindings in them. */
  readonly validate: boolean;
  /** Whether its users come from a store. */
  readonly hasUsers: boolean;
  /** @param users a data directory with Aorta's users, where clients log in */
  start(port: number, core: number, login: Login, users: string | undefined): Promise<RunningServer>;
}

/** @param directory where data directories are made and removed; undefined: the system's one for temporary files */
export function aorta(
  name: string,
  node: string,
  cli: string,
  flags: readonly string[],
  directory = tmpdir(),
): Contestant {
  return {
    name,
    validate: true,
    hasUsers: true,
    async start(port, core, login, users) {
      mkdirSync(directory, { recursive: true });
      const data = mkdtempSync(join(directory, 'aorta-load-'));
      if (users !== undefined) symlinkSync(join(users, 'users'), join(data, 'users'));
      const serve = ['serve', '--listen', `udp:127.0.0.1:${port}`, '--domain', DOMAIN, '--data', data, '--shards', '1'];
      const args = [cli, ...serve, ...aortaFlags(login, data), ...flags];
      const child = tied(spawn('taskset', ['-c', String(core), node, ...args], { stdio: ['ignore', 'pipe', 'pipe'] }));
      const remove = () => rmSync(data, { recursive: true, force: true });
      try {
        await said(child, /^ready/m);
      } catch (error) {
        remove();
        throw error;
      }
      return { pid: pidOf(child), stop: () => stopped(child).finally(remove) };
    },
  };
}

export function kamailio(name: string, flags: readonly string[]): Contestant {
  const script = join(root, 'bench/load/kamailio/start.sh');
  return {
    name,
    validate: true,
    hasUsers: false,
    async start(port, core, login) {
      const run = mkdtempSync(join(tmpdir(), 'kamailio-load-'));
      const args = [run, '2048', ...flags, ...kamailioFlags(login), '-A', `PORT=${port}`];
      const pid = Number(
        execFileSync('sh', [script, ...args], { encoding: 'utf8', env: { ...process.env, CORE: String(core) } }),
      );
      if (!existsSync(join(run, 'ctl.sock'))) throw new Error(`${name} did not start: see ${join(run, 'log')}`);
      return {
        pid,
        async stop() {
          process.kill(pid, 'SIGTERM');
          await gone(pid);
          rmSync(run, { recursive: true, force: true });
        },
      };
    },
  };
}

/** The kernel's own cost: an echo in C that reads nothing, next to the load generator. */
export function echo(name: string): Contestant {
  const program = compiled('bench/load/regload/udpfloor.c');
  return {
    name,
    validate: false,
    hasUsers: false,
    async start(port, core) {
      const child = tied(spawn(program, ['--port', String(port), '--cpu', String(core)], { stdio: 'ignore' }));
      await new Promise((resolve) => setTimeout(resolve, 300));
      return { pid: pidOf(child), stop: () => stopped(child) };
    },
  };
}

function pidOf(child: ChildProcess): number {
  if (child.pid === undefined || child.exitCode !== null) throw new Error(`${child.spawnfile} is not running`);
  return child.pid;
}

function said(child: ChildProcess, words: RegExp): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = '';
    const listen = (chunk: Buffer) => {
      text = (text + chunk.toString()).slice(-20_000);
      if (words.test(text)) finish();
    };
    const finish = (problem?: string) => {
      clearTimeout(timer);
      if (problem === undefined) return resolve();
      child.kill('SIGKILL');
      reject(new Error(`${problem}:\n${text}`));
    };
    const timer = setTimeout(() => finish(`the server was not ready within ${START_MS_MAX} ms`), START_MS_MAX);
    child.on('error', (error) => finish(String(error)));
    child.on('exit', () => finish('the server ended'));
    child.stdout?.on('data', listen);
    child.stderr?.on('data', listen);
  });
}

function stopped(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error('the server did not stop in time and was killed'));
    }, STOP_MS_MAX);
    child.on('exit', () => {
      clearTimeout(timer);
      resolve();
    });
    child.kill('SIGTERM');
  });
}

/** Waits for a process that is not a child of this one. */
async function gone(pid: number): Promise<void> {
  for (const end = Date.now() + STOP_MS_MAX; Date.now() < end; ) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`process ${pid} does not end`);
}
