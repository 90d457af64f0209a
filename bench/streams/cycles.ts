// `npm run bench:cycles -- [CYCLES [FLAGS OF SERVE]]`: connections, 200,000 of them, each opened, used for one REGISTER and cut
// off: memory of the server must stay flat. After every tenth the main thread collects its garbage and gives freed
// pages back; what is held then is printed. What is of a fixed size but fills slowly (answers, history, tokens) is as small
// as it can be, and full after the first half. Exit code 1 where a line through the second half rises by more than
// GROWTH_MAX bytes a connection.

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';

const REPORTER = 'AORTA_CYCLES_REPORTER';
const AT_A_TIME = 64;
const PORT = 17_260;
const STEPS = 10;
/** Less than a twentieth of what one connection takes while it stands. */
const GROWTH_MAX = 64;

interface Held {
  readonly heapUsed: number;
  readonly heapTotal: number;
  readonly external: number;
}

/** Inside the server: on a word from the parent, collects, trims, and tells what is left. */
function report(): void {
  const library = createRequire(join(process.cwd(), 'package.json'))('koffi').load(null);
  const trim = library.func('malloc_trim', 'int', ['size_t']) as (pad: number) => number;
  process.on('message', () => {
    for (let i = 0; i < 2; i++) globalThis.gc?.();
    trim(0);
    const { heapUsed, heapTotal, external } = process.memoryUsage();
    process.send?.({ heapUsed, heapTotal, external } satisfies Held);
  });
  process.channel?.unref();
}

function cycle(n: number): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port: PORT });
    const user = `sip:u${n % 5000}@example.com`;
    const head = `REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/TCP x.invalid;branch=z9hG4bK${n}\r\nMax-Forwards: 70\r\n`;
    const who = `From: <${user}>;tag=${n}\r\nTo: <${user}>\r\nCall-ID: c${n}\r\nCSeq: 1 REGISTER\r\n`;
    socket.write(`${head}${who}Contact: <sip:u${n}@x.invalid;transport=tcp>\r\nContent-Length: 0\r\n\r\n`);
    socket.once('data', () => socket.resetAndDestroy());
    socket.on('error', () => {});
    socket.on('close', () => resolve());
  });
}

/** Slope of the line that fits best. */
function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (at: 0 | 1) => points.reduce((sum, point) => sum + point[at], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  const over = points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0);
  return over / points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0);
}

async function main(): Promise<void> {
  const cycles = Number(process.argv[2] ?? 200_000);
  const data = mkdtempSync(join(tmpdir(), 'aorta-cycles-'));
  const config = join(data, 'aorta.yaml');
  writeFileSync(config, 'limits: {history-bytes: 0, answer-bytes: 33554432}\nconnections: {max: 1000}\n');
  const flags = [
    ...['--config', config, '--shards', '1', '--listen'],
    `tcp:127.0.0.1:${PORT}`,
    '--data',
    data,
    '--domain',
    'example.com',
    '--log-level',
    'warn',
    ...process.argv.slice(3),
  ];
  const node = ['--expose-gc', '--import', fileURLToPath(import.meta.url), 'dist/cli.js', 'serve', ...flags];
  const server = spawn(process.execPath, node, {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    env: { ...process.env, [REPORTER]: '1' },
  });
  await new Promise<void>((resolve) => {
    server.stdout?.on('data', (text: Buffer) => {
      if (/^ready/m.test(String(text))) resolve();
    });
  });
  const mib = (bytes: number) => (bytes / 2 ** 20).toFixed(1).padStart(6);
  const points: [number, number][] = [];
  console.log('connections  anonymous MiB  main: heap used  of  outside the heap');
  for (let step = 1, n = 0; step <= STEPS; step++) {
    const end = Math.round((cycles / STEPS) * step);
    const worker = async () => {
      while (n < end) await cycle(n++);
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, worker));
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const { heapUsed, heapTotal, external } = await new Promise<Held>((resolve) => {
      server.once('message', (held) => resolve(held as Held));
      server.send('report');
    });
    const status = readFileSync(`/proc/${server.pid}/status`, 'latin1');
    const anonymous = Number(/RssAnon:\s+(\d+)/.exec(status)?.[1]) * 1024;
    if (step > STEPS / 2) points.push([end, anonymous]);
    const columns = [mib(anonymous), mib(heapUsed), mib(heapTotal), mib(external)];
    console.log(`${String(end).padStart(11)}  ${columns.join('  ')}`);
  }
  const growth = slope(points);
  console.log(`second half: ${growth.toFixed(1)} bytes a connection (at most ${GROWTH_MAX})`);
  server.kill('SIGTERM');
  await new Promise((resolve) => server.once('exit', resolve));
  rmSync(data, { recursive: true, force: true });
  process.exitCode = growth > GROWTH_MAX ? 1 : 0;
}

if (process.env[REPORTER] === undefined) await main();
else if (isMainThread) report();
