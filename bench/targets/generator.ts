// The load generator regload as the targets use it: any phases, and the message it sends.

import { spawn, spawnSync } from 'node:child_process';

export interface Latencies {
  readonly n: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** The fields used of one phase; microseconds. */
export interface Phase {
  readonly phase: string;
  readonly ok: number;
  readonly ok_per_s: number;
  readonly started: number;
  readonly timeouts: number;
  readonly invalid: number;
  readonly other: number;
  readonly overrun: number;
  readonly retx: number;
  readonly lat_us: Latencies;
  readonly server_us_per_ok?: number;
  readonly other_cpu_pct?: number;
  readonly steal_pct?: number;
}

export class Generator {
  private readonly program: string;
  private readonly port: number;
  private readonly core: number;

  /** @param port of the server; the generator takes the one above */
  constructor(program: string, port: number, core: number) {
    this.program = program;
    this.port = port;
    this.core = core;
  }

  get localPort(): number {
    return this.port + 1;
  }

  /** The REGISTER of the first AOR. */
  message(): string {
    const run = spawnSync(this.program, [...this.common(1), '--print'], { encoding: 'latin1' });
    const text = run.stdout.split('\n[')[0].replace(/\r?\n/g, '\r\n').trimEnd();
    if (!text.startsWith('REGISTER ')) throw new Error(`regload prints no REGISTER:\n${run.stdout}${run.stderr}`);
    return `${text}\r\n\r\n`;
  }

  /** Runs it; every phase. @param flags beyond target, AORs and core */
  run(aors: number, flags: readonly (string | number)[], serverPid?: number, first = 1): Promise<Phase[]> {
    const pid = serverPid === undefined ? [] : ['--server-pid', String(serverPid)];
    const args = [...this.common(first), '--aors', aors, '--json', ...pid, ...flags].map(String);
    return new Promise((resolve, reject) => {
      const child = spawn(this.program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
      let text = '';
      child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      child.on('error', reject);
      child.on('close', () => {
        const json = text.split('\n').findLast((line) => line.startsWith('{'));
        if (json === undefined) return reject(new Error(`regload reported nothing:\n${text}`));
        resolve((JSON.parse(json) as { phases: Phase[] }).phases);
      });
    });
  }

  private common(first: number): string[] {
    const flags = [
      '--port',
      this.port,
      '--local-port',
      this.localPort,
      '--digits',
      8,
      '--first',
      first,
      '--cpu',
      this.core,
    ];
    return [...flags.map(String), '--no-outbound', '--no-gruu'];
  }
}

/** Requests that did not draw a right 200. */
export function failures({ timeouts, invalid, other }: Phase): number {
  return timeouts + invalid + other;
}
