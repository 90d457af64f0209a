// `node .build/bench/admin.js`: what the admin listener costs phones: a dump of all bindings, and scrapes, while refreshes go
// on at a fixed rate. Needs the load generator regload. Prints a table; figures of one run, to be compared with each other.

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { markdownTable } from '../results.ts';

const { values: options } = parseArgs({
  options: {
    regload: { type: 'string', default: 'regload' },
    aors: { type: 'string', default: '1000000' },
    rate: { type: 'string', default: '8000' },
    /** Instead of a rate: as many as the server takes, this many at a time. */
    window: { type: 'string' },
    seconds: { type: 'string', default: '10' },
    cli: { type: 'string', default: 'dist/cli.js' },
    port: { type: 'string', default: '18460' },
  },
});

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
    const child = spawn(options.regload, [
      '--port',
      options.port,
      '--aors',
      options.aors,
      '--json',
      '--quiet',
      ...args,
    ]);
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
const seen = { dumps: 0, bytes: 0, scrapes: 0, residentMax: 0 };

/** By curl, which costs next to nothing itself. */
async function dumps(): Promise<void> {
  while (!stopped) {
    const curl = spawn('curl', ['-s', `${url}/v1/dump`]);
    curl.stdout.on('data', (piece: Buffer) => {
      seen.bytes += piece.length;
    });
    const ended = new Promise((resolve) => curl.once('exit', resolve));
    while (!stopped && curl.exitCode === null) await Promise.race([ended, delay(50)]);
    curl.kill();
    await ended;
    if (!stopped) seen.dumps++;
  }
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

/** Refreshes at the rate, with something beside them; a row of the table. */
async function phase(name: string, beside: (() => Promise<void>) | undefined): Promise<string[]> {
  Object.assign(seen, { dumps: 0, bytes: 0, scrapes: 0, residentMax: 0 });
  stopped = false;
  const before = await counters();
  const residentBefore = residentMb();
  const running = beside === undefined ? [] : [beside(), watchMemory()];
  const result = await load('--refresh', ...pace, '--duration', options.seconds, '--warmup', '1');
  stopped = true;
  await Promise.all(running);
  const after = await counters();
  const perMessage = (after.busy_us - before.busy_us) / (after.received - before.received);
  process.stderr.write(`${name}: ${JSON.stringify({ result, seen })}\n`);
  const mb = Math.max(seen.residentMax, residentMb()) - residentBefore;
  const beats =
    seen.scrapes > 0 ? `${seen.scrapes} scrapes` : `${seen.dumps} dumps and a part, ${Math.round(seen.bytes / 1e6)} MB`;
  const [{ ok_per_s, lat_us }] = result.phases;
  return [
    name,
    ok_per_s.toFixed(0),
    (lat_us.p50 / 1000).toFixed(2),
    (lat_us.p99 / 1000).toFixed(1),
    perMessage.toFixed(1),
    mb.toFixed(0),
    beside ? beats : '',
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
    await phase('alone', undefined),
    await phase('dumps, one after the other', dumps),
    await phase('alone again', undefined),
    await phase('scrapes, 40 a second', scrapes),
  ];
  process.stdout.write(
    markdownTable(
      ['beside', 'refreshes/s', 'p50 ms', 'p99 ms', 'shard µs per message', 'memory grew by, MB', 'what was read'],
      rows,
    ),
  );
} finally {
  server.kill();
  rmSync(data, { recursive: true, force: true });
}
