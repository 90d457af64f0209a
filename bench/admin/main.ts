// `node .build/bench/admin.js`: what the admin listener costs phones: a dump of all bindings from its first line to its last,
// and scrapes, while refreshes go on. Prints a table; figures of one run, to be compared with each other.

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { findGenerator } from '../load/generator.ts';
import { markdownTable } from '../results.ts';

const { values: options } = parseArgs({
  options: {
    regload: { type: 'string', default: 'bench/load/regload' },
    aors: { type: 'string', default: '1000000' },
    rate: { type: 'string', default: '8000' },
    /** Instead of a rate: as many as the server takes, this many at a time. */
    window: { type: 'string' },
    seconds: { type: 'string', default: '10' },
    cli: { type: 'string', default: 'dist/cli.js' },
    port: { type: 'string', default: '18460' },
  },
});

const generator = findGenerator(options.regload, '.build/regload');
const pace = options.window === undefined ? ['--rate', options.rate] : ['--window', options.window];
const data = mkdtempSync(join(tmpdir(), 'aorta-bench-admin-'));
const server = spawn(
  process.execPath,
  [
    ...[options.cli, 'serve', '--listen', `udp:127.0.0.1:${options.port}`, '--domain', 'bench.example.org'],
    ...['--data', data, '--shards', '1', '--admin', 'http:127.0.0.1:0', '--log-level', 'warn'],
  ],
  { stdio: ['ignore', 'pipe', 'inherit'] },
);

interface LoadReport {
  readonly phases: readonly {
    readonly ok_per_s: number;
    readonly lat_us: { readonly p50: number; readonly p99: number };
  }[];
}

function load(...args: string[]): Promise<LoadReport> {
  return new Promise((resolve, reject) => {
    const child = spawn(generator, ['--port', options.port, '--aors', options.aors, '--json', '--quiet', ...args]);
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (piece) => {
      text += piece;
    });
    child.once('error', reject);
    child.once('exit', () => resolve(JSON.parse(text.trim().split('\n').at(-1) ?? '{}')));
  });
}

function residentMb(): number {
  return Number(/^VmRSS:\s+([0-9]+)/m.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))?.[1]) / 1024;
}

let url = '';
let stopped = false;
const seen = { lines: 0, bytes: 0, scrapes: 0, residentMax: 0 };

/** By curl, which costs next to nothing itself. */
async function dump(): Promise<void> {
  const curl = spawn('curl', ['-s', '--fail', `${url}/v1/dump`], { stdio: ['ignore', 'pipe', 'inherit'] });
  curl.stdout.on('data', (piece: Buffer) => {
    seen.bytes += piece.length;
    for (let at = piece.indexOf(10); at >= 0; at = piece.indexOf(10, at + 1)) seen.lines++;
  });
  const code = await new Promise((resolve) => curl.once('close', resolve));
  if (code !== 0) throw new Error(`the dump broke off: curl says ${code}`);
}

async function scrapes(): Promise<void> {
  while (!stopped) {
    await (await fetch(`${url}/metrics`)).text();
    seen.scrapes++;
    await delay(20);
  }
}

async function watchMemory(): Promise<void> {
  while (!stopped) {
    seen.residentMax = Math.max(seen.residentMax, residentMb());
    await delay(100);
  }
}

interface Beside {
  readonly what: () => Promise<void>;
  /** Load upon load until it has ended by itself, rather than one load. */
  readonly whole: boolean;
}

/** Refreshes, with something beside them; a row of the table. */
async function phase(name: string, beside?: Beside): Promise<string[]> {
  Object.assign(seen, { lines: 0, bytes: 0, scrapes: 0, residentMax: 0 });
  stopped = false;
  const before = await counters();
  const residentBefore = residentMb();
  const began = performance.now();
  let ended = beside?.whole !== true;
  const task = beside?.what().finally(() => {
    ended = true;
  });
  const watching = watchMemory();
  const loads: LoadReport['phases'][number][] = [];
  do {
    const { phases } = await load('--refresh', ...pace, '--duration', options.seconds, '--warmup', '1');
    // The load in which a dump ends is only partly beside it.
    if (!ended || loads.length === 0 || beside?.whole !== true) loads.push(phases[0]);
  } while (!ended);
  stopped = true;
  await Promise.all([task, watching]);
  const after = await counters();
  const perMessage = (after.busy_us - before.busy_us) / (after.received - before.received);
  process.stderr.write(`${name}: ${JSON.stringify({ loads, seen })}\n`);
  const mean = (of: (one: (typeof loads)[number]) => number) =>
    loads.reduce((sum, one) => sum + of(one), 0) / loads.length;
  const whole = `${seen.lines} lines, ${Math.round(seen.bytes / 1e6)} MB in ${((performance.now() - began) / 1000).toFixed(0)} s`;
  return [
    name,
    String(loads.length),
    mean((one) => one.ok_per_s).toFixed(0),
    (mean((one) => one.lat_us.p50) / 1000).toFixed(2),
    (mean((one) => one.lat_us.p99) / 1000).toFixed(1),
    perMessage.toFixed(1),
    [residentBefore, seen.residentMax, residentMb()].map((mb) => mb.toFixed(0)).join(' / '),
    beside === undefined ? '' : beside.whole ? whole : `${seen.scrapes} scrapes`,
  ];
}

async function counters(): Promise<Record<string, number>> {
  return (await fetch(`${url}/v1/counters`)).json() as Promise<Record<string, number>>;
}

try {
  await new Promise<void>((resolve) => {
    let text = '';
    server.stdout.setEncoding('utf8').on('data', (piece) => {
      text += piece;
      url = /^admin (\S+)$/m.exec(text)?.[1] ?? '';
      if (/^ready/m.test(text)) resolve();
    });
  });
  await load('--register-once');
  const rows = [
    await phase('alone'),
    await phase('a whole dump', { what: dump, whole: true }),
    await phase('alone again'),
    await phase('scrapes, 40 a second', { what: scrapes, whole: false }),
    await phase('alone at last'),
  ];
  process.stdout.write(
    markdownTable(
      [
        ...['beside', 'loads', 'refreshes/s', 'p50 ms', 'p99 ms', 'shard µs per message'],
        ...['resident before / most / after, MB', 'what was read'],
      ],
      rows,
    ),
  );
} finally {
  server.kill();
  rmSync(data, { recursive: true, force: true });
}
