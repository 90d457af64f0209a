// `npm run bench:cycles -- [CYCLES [TRANSPORT [FLAGS OF SERVE]]]`: connections over tcp, tls, ws or wss, 200,000 of them, each
// opened, used for one REGISTER and cut off: memory of the server must stay flat. After every tenth, main thread and shard
// collect their garbage and give freed pages back; what is held then is printed. What is of a fixed size but fills slowly
// (answers, history, tokens) is as small as it can be, and full after the first half. Exit code 1 where a line through the
// second half rises by more than GROWTH_MAX bytes a connection.

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, createSecureContext } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { getEnvironmentData, isMainThread, setEnvironmentData } from 'node:worker_threads';
import { makeCertificate } from './certificate.ts';
import { HANDSHAKE, maskedText, type Transport } from './clients.ts';

const REPORTER = 'AORTA_CYCLES_REPORTER';
const AT_A_TIME = 64;
const PORT = 17_260;
const STEPS = 10;
/** Less than a twentieth of what one connection takes while it stands. */
const GROWTH_MAX = 64;
/** Words that main thread and shard share: collections asked for, and done by the shard; KiB that it uses then. */
const ASKED = 0;
const DONE = 1;
const SHARD_KIB = 2;

interface Held {
  readonly heapUsed: number;
  readonly external: number;
  readonly shardHeapUsed: number;
}

/** Inside the server: on a word from the parent, collects everywhere, trims, and tells what is left. */
function report(): void {
  const words = new Int32Array(new SharedArrayBuffer(12));
  setEnvironmentData(REPORTER, words);
  const library = createRequire(join(process.cwd(), 'package.json'))('koffi').load(null);
  const trim = library.func('malloc_trim', 'int', ['size_t']) as (pad: number) => number;
  process.on('message', async () => {
    const asked = Atomics.add(words, ASKED, 1) + 1;
    while (Atomics.load(words, DONE) !== asked) await new Promise((resolve) => setTimeout(resolve, 20));
    collect();
    trim(0);
    const { heapUsed, external } = process.memoryUsage();
    process.send?.({ heapUsed, external, shardHeapUsed: words[SHARD_KIB] * 1024 } satisfies Held);
  });
  process.channel?.unref();
}

/** Inside a shard, whose thread never comes out of its loop: the loop asks for the time, and collects when it is wanted. */
function collectInShard(): void {
  const words = getEnvironmentData(REPORTER) as Int32Array;
  const { now } = Date;
  Date.now = () => {
    const asked = Atomics.load(words, ASKED);
    if (asked !== Atomics.load(words, DONE)) {
      collect();
      Atomics.store(words, SHARD_KIB, process.memoryUsage().heapUsed >> 10);
      Atomics.store(words, DONE, asked);
    }
    return now();
  };
}

/** Twice: what finalizers let go goes with the second. */
function collect(): void {
  for (let i = 0; i < 2; i++) globalThis.gc?.();
}

const context = createSecureContext();

function cycle(transport: Transport, n: number): Promise<void> {
  return new Promise((resolve) => {
    const to = { host: '127.0.0.1', port: PORT };
    const secure = transport === 'tls' || transport === 'wss';
    const socket = secure ? connectTls({ ...to, rejectUnauthorized: false, secureContext: context }) : connectTcp(to);
    const user = `sip:u${n % 5000}@example.com`;
    const via = transport.toUpperCase();
    const head = `REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/${via} x.invalid;branch=z9hG4bK${n}\r\nMax-Forwards: 70\r\n`;
    const who = `From: <${user}>;tag=${n}\r\nTo: <${user}>\r\nCall-ID: c${n}\r\nCSeq: 1 REGISTER\r\n`;
    const parameter = { tcp: 'tcp', tls: 'tls', ws: 'ws', wss: 'ws' }[transport];
    const text = `${head}${who}Contact: <sip:u${n}@x.invalid;transport=${parameter}>\r\nContent-Length: 0\r\n\r\n`;
    const isWebSocket = transport === 'ws' || transport === 'wss';
    socket.write(isWebSocket ? HANDSHAKE : text);
    socket.on('data', (bytes: Buffer) => {
      if (bytes.includes('HTTP/1.1 101')) socket.write(maskedText(text));
      else if (secure) socket.destroy();
      else socket.resetAndDestroy();
    });
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
  const transport = (process.argv[3] ?? 'tcp') as Transport;
  const data = mkdtempSync(join(tmpdir(), 'aorta-cycles-'));
  const config = join(data, 'aorta.yaml');
  writeFileSync(config, 'limits: {history-bytes: 0, answer-bytes: 33554432}\nconnections: {max: 1000}\n');
  const { certFile, keyFile } = makeCertificate(data);
  const tls = transport === 'tls' || transport === 'wss' ? ['--tls-cert', certFile, '--tls-key', keyFile] : [];
  const flags = [
    ...['--config', config, '--shards', '1', '--listen', `${transport}:127.0.0.1:${PORT}`, ...tls],
    ...['--data', join(data, 'data'), '--domain', 'example.com', '--log-level', 'warn', ...process.argv.slice(4)],
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
  console.log('connections  anonymous MiB  main: heap used  outside the heap  shard: heap used');
  for (let step = 1, n = 0; step <= STEPS; step++) {
    const end = Math.round((cycles / STEPS) * step);
    const worker = async () => {
      while (n < end) await cycle(transport, n++);
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, worker));
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const { heapUsed, external, shardHeapUsed } = await new Promise<Held>((resolve) => {
      server.once('message', (held) => resolve(held as Held));
      server.send('report');
    });
    const status = readFileSync(`/proc/${server.pid}/status`, 'latin1');
    const anonymous = Number(/RssAnon:\s+(\d+)/.exec(status)?.[1]) * 1024;
    if (step > STEPS / 2) points.push([end, anonymous]);
    const columns = [mib(anonymous), mib(heapUsed), mib(external), mib(shardHeapUsed)];
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
else collectInShard();
