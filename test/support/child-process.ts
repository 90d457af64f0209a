// Child processes for tests: their output is kept, every wait has a bound, and the whole process group goes when the test ends.
// Nothing about SIP here.

import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { isAlive } from '../../src/location/files/process-alive.ts';
import { patience } from './patience.ts';

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const living = new Set<Child>();

// A worker that dies must not leave servers and phones behind.
process.on('exit', () => {
  for (const child of living) child.killTree();
});

export class Child {
  readonly process: ChildProcess;
  readonly exited: Promise<Exit>;
  stdout = '';
  stderr = '';
  exit: Exit | undefined;

  /** Starts `command` in a process group of its own. */
  constructor(
    command: string,
    args: readonly string[],
    /** `fds`: descriptors that it gets as 3, 4 … */
    options: { cwd?: string; env?: Record<string, string>; fds?: readonly number[] } = {},
  ) {
    this.process = spawn(command, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ['pipe', 'pipe', 'pipe', ...(options.fds ?? [])],
      detached: true,
    });
    living.add(this);
    this.process.stdout?.setEncoding('latin1').on('data', (text: string) => {
      this.stdout += text;
    });
    this.process.stderr?.setEncoding('latin1').on('data', (text: string) => {
      this.stderr += text;
    });
    this.process.stdin?.on('error', () => {}); // a program that is gone takes no more input
    this.exited = new Promise((resolve) => {
      const done = (exit: Exit): void => {
        this.exit ??= exit;
        resolve(this.exit);
      };
      this.process.on('error', (error) => {
        this.stderr += String(error);
        done({ code: 127, signal: null });
      });
      this.process.on('close', (code, signal) => done({ code, signal }));
    });
  }

  get pid(): number {
    return this.process.pid ?? -1;
  }

  write(text: string): void {
    this.process.stdin?.write(text);
  }

  signal(name: NodeJS.Signals): void {
    this.process.kill(name);
  }

  /**
   * SIGKILL to the whole group: the process and what it started. While the group has members, its number is no other process's: one that
   * bears it after the end has got it anew, and its group is not ours.
   */
  killTree(): void {
    living.delete(this);
    const { exitCode, signalCode } = this.process;
    const hasEnded = exitCode !== null || signalCode !== null;
    try {
      if (this.pid > 0 && !(hasEnded && isAlive(this.pid))) process.kill(-this.pid, 'SIGKILL');
    } catch {
      // the group is gone already
    }
  }

  /** How it ended; after `ms`, as poll has it, it is killed and this fails with its output. */
  async end(ms: number): Promise<Exit> {
    const exit = await within(this.exited, ms * patience());
    this.killTree();
    if (exit === undefined) throw new Error(`still running after ${ms} ms\n${this.output()}`);
    await pipesRead();
    return exit;
  }

  /** Resolves when the output matches, with all that it wrote before; fails when it ends first or `ms` are over. */
  async until(pattern: RegExp, ms: number, everyMs?: number): Promise<void> {
    const seen = () => {
      if (pattern.test(this.stdout) || pattern.test(this.stderr)) return true;
      if (this.exit) throw new Error(`ended with ${JSON.stringify(this.exit)}\n${this.output()}`);
      return undefined;
    };
    await poll(`output matching ${pattern}`, ms, seen, everyMs).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${this.output()}`);
    });
  }

  output(): string {
    return `--- stdout\n${this.stdout.slice(-4000)}\n--- stderr\n${this.stderr.slice(-4000)}`;
  }
}

/** Runs a program to its end. */
export async function run(
  command: string,
  args: readonly string[],
  ms: number,
  options: { cwd?: string; env?: Record<string, string> } = {},
): Promise<Child & { exit: Exit }> {
  const child = new Child(command, args, options);
  child.process.stdin?.end();
  const exit = await child.end(ms);
  return Object.assign(child, { exit });
}

/** Kills whatever this test file started and has not ended by itself. For afterAll. */
export async function killAll(): Promise<void> {
  const children = [...living];
  for (const child of children) child.killTree();
  await Promise.all(children.map((child) => within(child.exited, 2000)));
}

/** Where `command` stands in the PATH, if anywhere. */
export function which(command: string): string | undefined {
  const places = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return places
    .filter((place) => place !== '')
    .map((place) => join(place, command))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** The value of `promise`, or undefined when it takes longer than `ms`. */
export async function within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  const first = await Promise.race([promise, late]);
  clearTimeout(timer);
  return first;
}

/** How much longer a poll goes on where this process is so busy that it has hardly asked. */
const PATIENCE = 3;

/**
 * Asks `probe` again and again until it gives something other than undefined or false; fails after `ms` (longer on a busy machine), in
 * which it must have asked half as often as an idle machine lets it.
 */
export async function poll<T>(
  what: string,
  ms: number,
  probe: () => T | undefined | Promise<T | undefined>,
  everyMs = 50,
): Promise<T> {
  const began = Date.now();
  const enough = ms / everyMs / 2;
  for (let asked = 1; ; asked++) {
    const found = await probe();
    if (found !== undefined && found !== false) {
      await pipesRead();
      return found;
    }
    const waited = Date.now() - began;
    if (waited >= ms * patience() && (asked >= enough || waited >= PATIENCE * ms))
      throw new Error(`not seen within ${waited} ms: ${what}`);
    await pause(everyMs);
  }
}

/**
 * What children had written before that which was seen of them, be it in the other pipe, an answer or a file, has been read: it is in the
 * kernel, and the second turn asks for it anew.
 */
export async function pipesRead(): Promise<void> {
  for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve));
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
