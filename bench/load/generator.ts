// The load generator regload: built from its source beside this file, how it is run, and what its figures are.

import { spawn, spawnSync } from 'node:child_process';
import { tied } from '../children.ts';
import { compiled } from '../compile.ts';

export interface Latencies {
  readonly n: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** One phase of one run, as regload reports it; the fields used here. Latencies are in microseconds. */
export interface Phase {
  readonly phase: string;
  readonly ok: number;
  readonly ok_per_s: number;
  readonly started: number;
  readonly c401: number;
  readonly elapsed_s: number;
  readonly other: number;
  readonly last_other: number;
  readonly overrun: number;
  readonly retx: number;
  readonly timeouts: number;
  readonly invalid: number;
  readonly auth_fail: number;
  readonly lat_us: Latencies;
  /** Where it was told the server's PID. */
  readonly server_us_per_ok: number;
  readonly server_user_us_per_ok: number;
  readonly server_sys_us_per_ok: number;
  readonly server_cpu_pct: number;
  /** What everything but server and generator used, in percent of one core. */
  readonly other_cpu_pct: number;
  readonly steal_pct: number;
}

/** The generator's program. Throws Missing without a C compiler. */
export function regloadProgram(): string {
  return compiled('bench/load/regload/regload.c', ['-lm']);
}

/** Runs regload; every phase. */
export async function regload(args: readonly (string | number)[], signal?: AbortSignal): Promise<Phase[]> {
  const text = await output(regloadProgram(), [...args.map(String), '--json'], signal);
  const json = text.split('\n').findLast((line) => line.startsWith('{'));
  if (json === undefined) throw new Error(`regload reported nothing:\n${text}`);
  return (JSON.parse(json) as { phases: Phase[] }).phases;
}

function output(program: string, args: readonly string[], signal?: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = tied(spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'], signal }));
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    child.on('error', reject);
    // Its status says whether all answers were right; the report says what was wrong, so that is read in any case.
    child.on('close', () => resolve(text));
  });
}

/** regload with one server's port and one core: phones without GRUUs and flows, and AORs of eight digits. */
export class Generator {
  private readonly port: number;
  private readonly core: number;
  private readonly signal: AbortSignal;

  /** @param port of the server; the generator takes the one above */
  constructor(port: number, core: number, signal: AbortSignal) {
    this.port = port;
    this.core = core;
    this.signal = signal;
  }

  get localPort(): number {
    return this.port + 1;
  }

  /** The REGISTER of the first AOR. */
  message(): string {
    const run = spawnSync(regloadProgram(), [...this.common(1), '--print'], { encoding: 'latin1' });
    const text = run.stdout.split('\n[')[0].replace(/\r?\n/g, '\r\n').trimEnd();
    if (!text.startsWith('REGISTER ')) throw new Error(`regload prints no REGISTER:\n${run.stdout}${run.stderr}`);
    return `${text}\r\n\r\n`;
  }

  /** @param flags beyond target, AORs and core */
  run(aors: number, flags: readonly (string | number)[], serverPid?: number, first = 1): Promise<Phase[]> {
    const pid = serverPid === undefined ? [] : ['--server-pid', serverPid];
    return regload([...this.common(first), '--aors', aors, ...pid, ...flags], this.signal);
  }

  private common(first: number): string[] {
    const { port, localPort, core } = this;
    const target = ['--port', port, '--local-port', localPort, '--cpu', core];
    return [...target, '--digits', 8, '--first', first, '--no-outbound', '--no-gruu'].map(String);
  }
}

/** Requests that did not draw a right 200. */
export function failures({ timeouts, invalid, other }: Phase): number {
  return timeouts + invalid + other;
}
