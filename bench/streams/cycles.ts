// Connections that are opened, used for one REGISTER and cut off, many times over: memory of the server must stay flat. After every
// tenth, main thread and shard collect their garbage and give freed pages back; what is held then is a row. What is of a fixed size but
// fills slowly (answers, history, tokens) is as small as it can be, and full after the first half.

import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls, createSecureContext } from 'node:tls';
import { tied } from '../children.ts';
import { installed } from '../compile.ts';
import { Missing, type Question, type Table } from '../question.ts';
import { grouped } from '../results.ts';
import { partProgram, root } from '../root.ts';
import { atMost, targetTable } from '../rows.ts';
import type { Settings } from '../settings.ts';
import { makeCertificate } from './certificate.ts';
import { HANDSHAKE, maskedText, type Transport } from './clients.ts';
import type { Held } from './reporter.ts';

const AT_A_TIME = 64;
const STEPS = 10;
/** Less than a twentieth of what one connection takes while it stands. */
const GROWTH_MAX = 64;
const context = createSecureContext();

function cycle(port: number, transport: Transport, n: number): Promise<void> {
  return new Promise((resolve) => {
    const to = { host: '127.0.0.1', port };
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

async function startServer(settings: Settings, transport: Transport): Promise<ChildProcess> {
  const data = settings.fresh();
  const config = join(data, 'aorta.yaml');
  writeFileSync(config, 'limits: {history-bytes: 0, answer-bytes: 33554432}\nconnections: {max: 1000}\n');
  const { certFile, keyFile } = makeCertificate(data);
  const tls = transport === 'tls' || transport === 'wss' ? ['--tls-cert', certFile, '--tls-key', keyFile] : [];
  const flags = [
    ...['--config', config, '--shards', '1', '--listen', `${transport}:127.0.0.1:${settings.port}`, ...tls],
    ...['--data', join(data, 'data'), '--domain', 'example.com', '--log-level', 'warn', ...settings.serveFlags],
  ];
  const node = ['--expose-gc', '--import', partProgram('reporter'), settings.cli, 'serve', ...flags];
  const server = tied(spawn(settings.node, node, { cwd: root, stdio: ['ignore', 'pipe', 'inherit', 'ipc'] }));
  await new Promise<void>((resolve, reject) => {
    server.once('exit', () => reject(new Error('the server ended')));
    server.stdout?.on('data', (text: Buffer) => {
      if (/^ready/m.test(String(text))) resolve();
    });
  });
  return server;
}

async function held(server: ChildProcess): Promise<Held & { readonly anonymous: number }> {
  const said = await new Promise<Held>((resolve) => {
    server.once('message', (message) => resolve(message as Held));
    server.send('report');
  });
  const status = readFileSync(`/proc/${server.pid}/status`, 'latin1');
  return { ...said, anonymous: Number(/RssAnon:\s+(\d+)/.exec(status)?.[1]) * 1024 };
}

async function run(settings: Settings): Promise<Table[]> {
  if (!installed('openssl')) throw new Missing('openssl is needed (Debian: openssl)');
  const tables: Table[] = [];
  for (const transport of settings.words('transport', 'tcp,wss', 'tcp') as Transport[])
    tables.push(...(await measure(settings, transport)));
  return tables;
}

async function measure(settings: Settings, transport: Transport): Promise<Table[]> {
  const cycles = settings.number('connections', 200_000, 200);
  const server = await startServer(settings, transport);
  const mib = (bytes: number) => (bytes / 2 ** 20).toFixed(1);
  const points: [number, number][] = [];
  const rows: string[][] = [];
  for (let step = 1, n = 0; step <= STEPS; step++) {
    const end = Math.round((cycles / STEPS) * step);
    const worker = async () => {
      while (n < end) await cycle(settings.port, transport, n++);
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, worker));
    await new Promise((resolve) => setTimeout(resolve, settings.isSmall ? 50 : 1000));
    const { anonymous, heapUsed, external, shardHeapUsed } = await held(server);
    if (step > STEPS / 2) points.push([end, anonymous]);
    rows.push([grouped(end), mib(anonymous), mib(heapUsed), mib(external), mib(shardHeapUsed)]);
  }
  const gone = new Promise((resolve) => server.once('exit', resolve));
  server.kill('SIGTERM');
  await gone;
  return [
    {
      head: [`${transport}, connections`, 'anonymous MiB', 'main: heap', 'outside the heap', 'shard: heap'],
      rows,
      data: points,
    },
    targetTable([
      atMost(`${transport}: growth over the second half, a connection`, [slope(points)], GROWTH_MAX, 1, 'B'),
    ]),
  ];
}

export const CYCLES_QUESTION: Question = {
  name: 'cycles',
  asks: '--connections that register and are cut off, one after the other: does memory stay flat',
  against: 'twice',
  run,
};
