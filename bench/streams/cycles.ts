// `npm run bench:cycles`: 100,000 connections, each opened, used for one REGISTER and cut off: memory of the server must stay
// flat. Prints what it holds after every tenth of them. Exit code 1 where the last tenth holds more than a tenth above the third.

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const CYCLES = Number(process.argv[2] ?? 100_000);
const AT_A_TIME = 64;
const PORT = 17_260;
const GROWTH_MAX = 1.1;

const data = mkdtempSync(join(tmpdir(), 'aorta-cycles-'));
const flags = ['--listen', `tcp:127.0.0.1:${PORT}`, '--data', data, '--domain', 'example.com', '--log-level', 'warn'];
const server = spawn(process.execPath, ['dist/cli.js', 'serve', ...flags], { stdio: ['ignore', 'pipe', 'inherit'] });
await new Promise<void>((resolve) => {
  server.stdout.on('data', (text: Buffer) => {
    if (/^ready/m.test(String(text))) resolve();
  });
});

function anonymousBytes(): number {
  const status = readFileSync(`/proc/${server.pid}/status`, 'latin1');
  return Number(/RssAnon:\s+(\d+)/.exec(status)?.[1]) * 1024;
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

const held: number[] = [];
for (let tenth = 0, n = 0; tenth < 10; tenth++) {
  const end = Math.round((CYCLES / 10) * (tenth + 1));
  const worker = async () => {
    while (n < end) await cycle(n++);
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, worker));
  await new Promise((resolve) => setTimeout(resolve, 1000));
  held.push(anonymousBytes());
  process.stdout.write(`${end} connections: ${(held[tenth] / 2 ** 20).toFixed(1)} MiB\n`);
}
server.kill('SIGTERM');
await new Promise((resolve) => server.once('exit', resolve));
rmSync(data, { recursive: true, force: true });
process.exitCode = held[9] > held[2] * GROWTH_MAX ? 1 : 0;
