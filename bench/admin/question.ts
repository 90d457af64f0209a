// What the admin listener costs phones: a dump of all bindings from its first line to its last, and scrapes, while refreshes go on.

import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { tied } from '../children.ts';
import { installed } from '../compile.ts';
import { type Phase, regload } from '../load/generator.ts';
import { Missing, type Question, type Table } from '../question.ts';
import { grouped } from '../results.ts';
import type { Settings } from '../settings.ts';

interface Beside {
  readonly what: () => Promise<void>;
  /** Load upon load until it has ended by itself, rather than one load. */
  readonly whole: boolean;
}

/** A server under refreshes, and what is done beside them. */
class Listener {
  private readonly settings: Settings;
  private readonly server: ChildProcess;
  private readonly aors: number;
  private url = '';
  private stopped = false;
  private seen = { lines: 0, bytes: 0, scrapes: 0, residentMax: 0 };

  constructor(settings: Settings) {
    this.settings = settings;
    this.aors = settings.number('aors', 1_000_000, 2000);
    const { cli, node, port, serveFlags } = settings;
    const serve = [cli, 'serve', '--listen', `udp:127.0.0.1:${port}`, '--domain', 'bench.example.org', ...serveFlags];
    const data = ['--data', settings.fresh(), '--shards', '1', '--admin', 'http:127.0.0.1:0', '--log-level', 'warn'];
    this.server = tied(spawn(node, [...serve, ...data], { stdio: ['ignore', 'pipe', 'inherit'] }));
  }

  /** Ready, and every AOR registered. */
  async start(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      let text = '';
      this.server.once('exit', () => reject(new Error('the server ended')));
      this.server.stdout?.setEncoding('utf8').on('data', (piece) => {
        text += piece;
        this.url = /^admin (\S+)$/m.exec(text)?.[1] ?? '';
        if (/^ready/m.test(text)) resolve();
      });
    });
    await this.load('--register-once');
  }

  async stop(): Promise<void> {
    const gone = new Promise((resolve) => this.server.once('exit', resolve));
    this.server.kill();
    await gone;
  }

  private load(...flags: readonly (string | number)[]): Promise<Phase[]> {
    return regload(['--port', this.settings.port, '--aors', this.aors, '--quiet', ...flags], this.settings.signal);
  }

  /** By curl, which costs next to nothing itself. */
  async dump(): Promise<void> {
    const curl = spawn('curl', ['-s', '--fail', `${this.url}/v1/dump`], { stdio: ['ignore', 'pipe', 'inherit'] });
    curl.stdout.on('data', (piece: Buffer) => {
      this.seen.bytes += piece.length;
      for (let at = piece.indexOf(10); at >= 0; at = piece.indexOf(10, at + 1)) this.seen.lines++;
    });
    const code = await new Promise((resolve) => curl.once('close', resolve));
    if (code !== 0) throw new Error(`the dump broke off: curl says ${code}`);
  }

  async scrapes(): Promise<void> {
    while (!this.stopped) {
      await (await fetch(`${this.url}/metrics`)).text();
      this.seen.scrapes++;
      await delay(20);
    }
  }

  /** Refreshes, with something beside them; a row of the table. */
  async phase(name: string, beside?: Beside): Promise<string[]> {
    this.seen = { lines: 0, bytes: 0, scrapes: 0, residentMax: 0 };
    this.stopped = false;
    const before = await this.counters();
    const residentBefore = this.residentMb;
    const began = performance.now();
    const ended = { yet: beside?.whole !== true };
    const task = beside?.what().finally(() => {
      ended.yet = true;
    });
    const watching = this.watchMemory();
    const loads = await this.loads(beside, ended);
    this.stopped = true;
    await Promise.all([task, watching]);
    const after = await this.counters();
    const { lines, bytes, scrapes, residentMax } = this.seen;
    const mean = (of: (one: Phase) => number) => loads.reduce((sum, one) => sum + of(one), 0) / loads.length;
    const seconds = ((performance.now() - began) / 1000).toFixed(0);
    const whole = `${grouped(lines)} lines, ${Math.round(bytes / 1e6)} MB in ${seconds} s`;
    return [
      name,
      String(loads.length),
      grouped(mean((one) => one.ok_per_s)),
      (mean((one) => one.lat_us.p50) / 1000).toFixed(2),
      (mean((one) => one.lat_us.p99) / 1000).toFixed(1),
      ((after.busy_us - before.busy_us) / (after.received - before.received)).toFixed(1),
      [residentBefore, residentMax, this.residentMb].map((mb) => mb.toFixed(0)).join(' / '),
      beside === undefined ? '' : beside.whole ? whole : `${scrapes} scrapes`,
    ];
  }

  private async loads(beside: Beside | undefined, ended: { yet: boolean }): Promise<Phase[]> {
    const { settings } = this;
    const loads: Phase[] = [];
    const window = settings.text('window');
    const pace = window === undefined ? ['--rate', settings.number('rate', 8000, 500)] : ['--window', window];
    const seconds = settings.number('seconds', 10, 0.5);
    do {
      const flags = ['--refresh', ...pace, '--duration', seconds, '--warmup', settings.isSmall ? 0.1 : 1];
      const [phase] = await this.load(...flags);
      // The load in which a dump ends is only partly beside it.
      if (!ended.yet || loads.length === 0 || beside?.whole !== true) loads.push(phase);
    } while (!ended.yet);
    return loads;
  }

  private async watchMemory(): Promise<void> {
    while (!this.stopped) {
      this.seen.residentMax = Math.max(this.seen.residentMax, this.residentMb);
      await delay(100);
    }
  }

  private get residentMb(): number {
    const status = readFileSync(`/proc/${this.server.pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+([0-9]+)/m.exec(status)?.[1]) / 1024;
  }

  private async counters(): Promise<Record<string, number>> {
    return (await fetch(`${this.url}/v1/counters`)).json() as Promise<Record<string, number>>;
  }
}

const HEAD = [
  ...['beside', 'loads', 'refreshes/s', 'p50 ms', 'p99 ms', 'shard us per message'],
  ...['resident before / most / after, MB', 'what was read'],
];

async function run(settings: Settings): Promise<Table[]> {
  if (!installed('curl')) throw new Missing('curl is needed (Debian: curl)');
  const listener = new Listener(settings);
  try {
    await listener.start();
    const rows = [
      await listener.phase('nothing'),
      await listener.phase('a whole dump', { what: () => listener.dump(), whole: true }),
      await listener.phase('nothing'),
      await listener.phase('scrapes, 40 a second', { what: () => listener.scrapes(), whole: false }),
      await listener.phase('nothing'),
    ];
    return [
      { head: HEAD, rows, note: 'Rows of one table are of one run. --window N asks for as many as the server takes.' },
    ];
  } finally {
    await listener.stop();
  }
}

export const ADMIN_QUESTION: Question = {
  name: 'admin',
  asks: 'refreshes beside a dump of all bindings, and beside scrapes',
  against: 'twice',
  run,
};
