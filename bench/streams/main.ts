// `npm run bench:streams`: what connections cost Aorta. Opens many over TCP, TLS, WS or WSS, and measures handshakes, memory
// of idle ones, REGISTERs over them, and what happens when all of them drop at once. Markdown on stdout, progress on stderr.

import { type ChildProcess, fork, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { grouped, markdownTable } from '../results.ts';
import { type Certificate, makeCertificate } from './certificate.ts';
import { type ClientOptions, type Order, type Outcome, serveOrders, type Transport } from './clients.ts';
import { anonymousBytes, cpuSeconds, machineSeconds, mainThreadSeconds, tcpBytes } from './process-figures.ts';
import { type Latency, UdpProbe } from './udp-probe.ts';

const HELP = `npm run bench:streams -- [options]

Measures connections: CPU of a handshake, memory of an idle connection, CPU and rate of REGISTERs over established ones,
and a drop of all at once. Server and clients get a core each. Linux, two cores, openssl.

  --transport WORDS     comma-separated: tcp, tls, ws, wss (tcp,tls,wss)
  --connections N       (10000) No more than the limit of open files allows; see ulimit -n
  --processes N         client processes they are spread over (2)
  --seconds S           length of the refresh phase (5)
  --window N            requests, or handshakes, on their way at a time, per client process (64)
  --probe N             REGISTERs a second over UDP by which a drop is judged (500)
  --port N              UDP port of the server; the next one is the transport's (17160)
  --key WORD            ec (P-256) or rsa (2048): the certificate's (ec)
  --flags="…"           further flags for aorta serve
  --handshakes S        seconds of nothing but TLS handshakes, against Aorta and against openssl s_server, by
                        openssl s_time; 0 leaves them out (5)
  --server-core N, --client-core N   (1 and 0)
  --json                one JSON object per transport instead of Markdown

Examples
  npm run bench:streams -- --transport wss --connections 19000
  npm run bench:streams -- --transport tls,wss --connections 1000 --seconds 2 --key rsa
`;

const { values: flags } = parseArgs({
  options: {
    transport: { type: 'string', default: 'tcp,tls,wss' },
    connections: { type: 'string', default: '10000' },
    processes: { type: 'string', default: '2' },
    seconds: { type: 'string', default: '5' },
    window: { type: 'string', default: '64' },
    probe: { type: 'string', default: '500' },
    port: { type: 'string', default: '17160' },
    key: { type: 'string', default: 'ec' },
    flags: { type: 'string', default: '' },
    handshakes: { type: 'string', default: '5' },
    'server-core': { type: 'string', default: '1' },
    'client-core': { type: 'string', default: '0' },
    json: { type: 'boolean', default: false },
    clients: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

/** Figures of one phase. */
interface Phase extends Outcome {
  readonly perSecond: number;
  readonly serverUs: number;
  /** Of these, on the server's main thread. */
  readonly mainUs: number;
  /** What neither server nor clients used, in percent of one core. */
  readonly otherPercent: number;
  readonly stealPercent: number;
}

interface Result {
  readonly transport: Transport;
  readonly connections: number;
  readonly connect: Phase;
  readonly idleBytes: number;
  readonly idleKernelBytes: number;
  readonly register: Phase;
  readonly refresh: Phase;
  readonly registeredBytes: number;
  readonly probeBefore: Latency;
  readonly probeDuring: Latency;
  /** Milliseconds from the drop until no binding was left to be found, and until the connections were gone, by sampling. */
  readonly goneMs: number;
}

const self = fileURLToPath(import.meta.url);
const root = rootOf(dirname(self));
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function rootOf(directory: string): string {
  return existsSync(join(directory, 'package.json')) ? directory : rootOf(dirname(directory));
}

function pinned(core: string, command: string, args: readonly string[]): ChildProcess {
  return spawn('taskset', ['-c', core, command, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
}

function said(child: ChildProcess, words: RegExp): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = '';
    const listen = (chunk: Buffer) => {
      text = (text + chunk).slice(-20_000);
      if (words.test(text)) resolve();
    };
    child.stdout?.on('data', listen);
    child.stderr?.on('data', listen);
    child.once('exit', () => reject(new Error(`the server ended:\n${text}`)));
  });
}

async function stopped(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await gone;
}

async function startAorta(
  transport: Transport,
  data: string,
  { certFile, keyFile }: Certificate,
): Promise<ChildProcess> {
  const port = Number(flags.port);
  const listen = ['--listen', `udp:127.0.0.1:${port}`, '--listen', `${transport}:127.0.0.1:${port + 1}`];
  const tls = transport === 'tls' || transport === 'wss' ? ['--tls-cert', certFile, '--tls-key', keyFile] : [];
  const rest = ['--domain', 'example.com', '--data', data, '--shards', '1', ...flags.flags.split(' ').filter(Boolean)];
  const args = [join(root, 'dist/cli.js'), 'serve', ...listen, ...tls, ...rest];
  const server = pinned(flags['server-core'], process.execPath, args);
  await said(server, /^ready/m);
  return server;
}

/** The client processes, as one. */
class Crowd {
  private readonly children: readonly ChildProcess[];

  constructor(transport: Transport) {
    const connections = Number(flags.connections);
    const processes = Number(flags.processes);
    this.children = Array.from({ length: processes }, (_, i) => {
      const first = Math.floor((connections * i) / processes);
      const count = Math.floor((connections * (i + 1)) / processes) - first;
      const options: ClientOptions = { transport, port: Number(flags.port) + 1, first, count };
      return fork(self, ['--clients', JSON.stringify(options)], {
        execPath: 'taskset',
        execArgv: ['-c', flags['client-core'], process.execPath],
      });
    });
  }

  /** What all of them made of it; with figures of the server meanwhile. */
  async does(order: Order, pid: number): Promise<Phase> {
    const cpu = () => this.children.reduce((sum, child) => sum + cpuSeconds(child.pid ?? 0), 0);
    const before = { server: cpuSeconds(pid), main: mainThreadSeconds(pid), clients: cpu(), machine: machineSeconds() };
    const all = await Promise.all(this.children.map((child) => answered(child, order)));
    const server = cpuSeconds(pid) - before.server;
    const machine = machineSeconds();
    const seconds = Math.max(...all.map((outcome) => outcome.seconds));
    const ok = all.reduce((sum, outcome) => sum + outcome.ok, 0);
    const other = machine.used - before.machine.used - server - (cpu() - before.clients);
    return {
      ok,
      failed: all.reduce((sum, outcome) => sum + outcome.failed, 0),
      seconds,
      p50: Math.max(...all.map(({ p50 }) => p50)),
      p99: Math.max(...all.map(({ p99 }) => p99)),
      perSecond: ok / seconds,
      serverUs: (server / ok) * 1e6,
      mainUs: ((mainThreadSeconds(pid) - before.main) / ok) * 1e6,
      otherPercent: (other / seconds) * 100,
      stealPercent: ((machine.steal - before.machine.steal) / seconds) * 100,
    };
  }

  /** The network of all of them is gone at once. */
  async drop(): Promise<void> {
    await Promise.all(this.children.map((child) => stopped(child, 'SIGKILL')));
  }
}

function answered(child: ChildProcess, order: Order): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const ended = () => reject(new Error('a client process ended'));
    child.once('exit', ended);
    child.once('message', (outcome) => {
      child.off('exit', ended);
      resolve(outcome as Outcome);
    });
    child.send(order);
  });
}

/** Connections whose AORs are looked up after the drop. */
const SAMPLES = 20;
const DROP_MS_MAX = 20_000;

async function measure(transport: Transport, directory: string, certificate: Certificate): Promise<Result> {
  const say = (what: string) => console.error(`${transport}: ${what}`);
  const data = mkdtempSync(join(directory, 'data-'));
  const server = await startAorta(transport, data, certificate);
  const pid = server.pid ?? 0;
  const crowd = new Crowd(transport);
  const probe = await UdpProbe.open(Number(flags.port));
  const window = Number(flags.window);
  try {
    const memory = anonymousBytes(pid);
    const kernel = tcpBytes();
    const connect = await crowd.does({ do: 'connect', window }, pid);
    await sleep(2000);
    const connections = connect.ok;
    const idleBytes = (anonymousBytes(pid) - memory) / connections;
    const idleKernelBytes = (tcpBytes() - kernel) / connections;
    say(`${connections} connections, ${connect.serverUs.toFixed(0)} us each, ${Math.round(idleBytes)} bytes`);
    const register = await crowd.does({ do: 'register', window }, pid);
    const refresh = await crowd.does({ do: 'register', window, seconds: Number(flags.seconds) }, pid);
    say(`refresh ${Math.round(refresh.perSecond)}/s, ${refresh.serverUs.toFixed(1)} us, ${refresh.failed} failed`);
    await sleep(2000);
    const registeredBytes = (anonymousBytes(pid) - memory) / connections;
    probe.start(Number(flags.probe));
    await sleep(2000);
    probe.take();
    await sleep(3000);
    const probeBefore = probe.take();
    const start = performance.now();
    const dropped = crowd.drop();
    const goneMs = await untilGone(probe, start);
    await dropped;
    await sleep(Math.max(0, 3000 - (performance.now() - start)));
    const probeDuring = probe.take();
    say(`all dropped, no binding found after ${Math.round(goneMs)} ms`);
    return {
      transport,
      connections,
      connect,
      idleBytes,
      idleKernelBytes,
      register,
      refresh,
      registeredBytes,
      probeBefore,
      probeDuring,
      goneMs,
    };
  } finally {
    probe.close();
    await crowd.drop();
    await stopped(server);
  }
}

async function untilGone(probe: UdpProbe, start: number): Promise<number> {
  const connections = Number(flags.connections);
  let left = Array.from({ length: SAMPLES }, (_, i) => Math.floor((connections * i) / SAMPLES));
  while (left.length > 0 && performance.now() - start < DROP_MS_MAX) {
    const bound = await Promise.all(left.map((index) => probe.isBound(index)));
    left = left.filter((_, i) => bound[i]);
    await sleep(50);
  }
  return left.length > 0 ? Number.NaN : performance.now() - start;
}

interface Handshakes {
  readonly name: string;
  readonly count: number;
  readonly us: number;
}

/** Full TLS handshakes one after the other, by openssl s_time, and what each cost the server. */
async function handshakes(name: string, port: number, pid: number): Promise<Handshakes> {
  const before = cpuSeconds(pid);
  const args = ['s_time', '-connect', `127.0.0.1:${port}`, '-new', '-time', flags.handshakes];
  const client = pinned(flags['client-core'], 'openssl', args);
  let text = '';
  client.stdout?.on('data', (chunk) => {
    text += chunk;
  });
  await new Promise((resolve) => client.once('exit', resolve));
  const count = Number(/([0-9]+) connections in [0-9]+ real seconds/.exec(text)?.[1] ?? 0);
  return { name, count, us: ((cpuSeconds(pid) - before) / count) * 1e6 };
}

async function compareHandshakes(directory: string, certificate: Certificate): Promise<Handshakes[]> {
  const { certFile, keyFile } = certificate;
  const port = Number(flags.port) + 2;
  const results: Handshakes[] = [];
  const yardstick = pinned(flags['server-core'], 'openssl', [
    's_server',
    ...['-accept', String(port), '-cert', certFile, '-key', keyFile, '-quiet'],
  ]);
  await sleep(500);
  results.push(await handshakes('openssl s_server', port, yardstick.pid ?? 0));
  await stopped(yardstick);
  for (const transport of ['tls', 'wss'] as const) {
    if (!flags.transport.split(',').includes(transport)) continue;
    const server = await startAorta(transport, mkdtempSync(join(directory, 'data-')), certificate);
    await sleep(500);
    results.push(await handshakes(`Aorta, ${transport}`, Number(flags.port) + 1, server.pid ?? 0));
    await stopped(server);
  }
  return results;
}

function row({ transport, connect, refresh, register, ...rest }: Result): string[] {
  const { probeBefore, probeDuring } = rest;
  return [
    transport,
    grouped(rest.connections),
    connect.serverUs.toFixed(0),
    grouped(rest.idleBytes),
    grouped(rest.idleKernelBytes),
    register.serverUs.toFixed(1),
    `${refresh.serverUs.toFixed(1)} (${refresh.mainUs.toFixed(1)})`,
    grouped(refresh.perSecond),
    `${refresh.p50.toFixed(1)} / ${refresh.p99.toFixed(1)}`,
    grouped(rest.goneMs),
    `${probeBefore.p99.toFixed(1)} / ${probeDuring.p99.toFixed(1)}`,
    `${Math.max(0, Math.round(refresh.otherPercent))} / ${Math.round(refresh.stealPercent)}`,
  ];
}

const HEAD = [
  'transport',
  'connections',
  'connect, us',
  'idle, bytes',
  '+ kernel',
  'first REGISTER, us',
  'refresh, us (main thread)',
  'refreshes/s',
  'p50 / p99 ms',
  'drop: bindings gone, ms',
  'UDP p99 before / during, ms',
  'other / steal %',
];

async function main(): Promise<void> {
  if (flags.help) return void process.stdout.write(HELP);
  const directory = mkdtempSync(join(tmpdir(), 'aorta-streams-'));
  try {
    const certificate = makeCertificate(directory, flags.key);
    const results: Result[] = [];
    for (const transport of flags.transport.split(',') as Transport[])
      if (Number(flags.connections) > 0) results.push(await measure(transport, directory, certificate));
    const compared = Number(flags.handshakes) > 0 ? await compareHandshakes(directory, certificate) : [];
    if (flags.json) return console.log(JSON.stringify({ flags, results, handshakes: compared }));
    if (results.length > 0) console.log(markdownTable(HEAD, results.map(row)));
    const base = compared[0]?.us ?? 1;
    const rows = compared.map(({ name, count, us }) => [name, grouped(count), us.toFixed(0), (us / base).toFixed(2)]);
    if (rows.length > 0)
      console.log(`\n${markdownTable([`full TLS handshake, ${flags.key}`, 'done', 'CPU us', 'ratio'], rows)}`);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

if (flags.clients !== undefined) serveOrders(JSON.parse(flags.clients) as ClientOptions);
else
  main().catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  });
