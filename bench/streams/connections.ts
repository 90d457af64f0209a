// What connections cost Aorta: many over TCP, TLS, WS or WSS; memory of idle ones, REGISTERs over them, handshakes, and a drop of
// all at once. Server and clients get a core each.

import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { installed } from '../compile.ts';
import { Missing, type Question, type Table } from '../question.ts';
import { grouped } from '../results.ts';
import { atMost, type Row, ratios, targetTable } from '../rows.ts';
import type { Settings } from '../settings.ts';
import { type Certificate, makeCertificate } from './certificate.ts';
import type { Transport } from './clients.ts';
import { Crowd, type Phase } from './crowd.ts';
import { echoRefresh } from './echo.ts';
import { anonymousBytes, tcpBytes } from './process-figures.ts';
import { startAorta, stopped } from './server.ts';
import { type Latency, UdpProbe } from './udp-probe.ts';

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
  /** Of wss: the same REGISTERs to a bare echo, undefined where the library does not load. */
  readonly echo?: Phase | undefined;
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Connections whose AORs are looked up after the drop. */
const SAMPLES = 20;
const DROP_MS_MAX = 20_000;

async function measure(
  settings: Settings,
  transport: Transport,
  directory: string,
  certificate: Certificate,
): Promise<Result> {
  const say = (what: string) => settings.tell(`${transport}: ${what}`);
  const restMs = settings.isSmall ? 300 : 2000;
  const data = mkdtempSync(join(directory, 'data-'));
  const server = await startAorta(settings, transport, data, certificate);
  const pid = server.pid ?? 0;
  const crowd = new Crowd(settings, transport);
  const probe = await UdpProbe.open(settings.port);
  const window = settings.number('window', 64, 8);
  try {
    const memory = anonymousBytes(pid);
    const kernel = tcpBytes();
    const connect = await crowd.does({ do: 'connect', window }, pid);
    await sleep(restMs);
    const connections = connect.ok;
    const idleBytes = (anonymousBytes(pid) - memory) / connections;
    const idleKernelBytes = (tcpBytes() - kernel) / connections;
    say(`${connections} connections, ${connect.serverUs.toFixed(0)} us each, ${Math.round(idleBytes)} bytes`);
    const register = await crowd.does({ do: 'register', window }, pid);
    const refresh = await crowd.does({ do: 'register', window, seconds: settings.number('seconds', 5, 0.3) }, pid);
    say(`refresh ${Math.round(refresh.perSecond)}/s, ${refresh.serverUs.toFixed(1)} us, ${refresh.failed} failed`);
    await sleep(restMs);
    const registeredBytes = (anonymousBytes(pid) - memory) / connections;
    probe.start(settings.number('rate', 500, 100));
    await sleep(restMs);
    probe.take();
    await sleep(1.5 * restMs);
    const probeBefore = probe.take();
    const start = performance.now();
    const dropped = crowd.drop();
    const goneMs = await untilGone(probe, start, connections);
    await dropped;
    await sleep(Math.max(0, 1.5 * restMs - (performance.now() - start)));
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

async function untilGone(probe: UdpProbe, start: number, connections: number): Promise<number> {
  let left = Array.from({ length: SAMPLES }, (_, i) => Math.floor((connections * i) / SAMPLES));
  while (left.length > 0 && performance.now() - start < DROP_MS_MAX) {
    const bound = await Promise.all(left.map((index) => probe.isBound(index)));
    left = left.filter((_, i) => bound[i]);
    await sleep(50);
  }
  return left.length > 0 ? Number.NaN : performance.now() - start;
}

function rowsOf(result: Result): string[][] {
  const { echo } = result;
  return echo === undefined ? [row(result)] : [row(result), echoRow(result.connections, echo)];
}

/** Of what was measured of the echo. */
function echoRow(connections: number, { serverUs, mainUs, perSecond, p50, p99, ...rest }: Phase): string[] {
  const us = `${serverUs.toFixed(1)} (${mainUs.toFixed(1)})`;
  const ms = `${p50.toFixed(1)} / ${p99.toFixed(1)}`;
  const noise = `${Math.max(0, Math.round(rest.otherPercent))} / ${Math.round(rest.stealPercent)}`;
  return ['wss, a bare echo', grouped(connections), '-', '-', '-', '-', us, grouped(perSecond), ms, '-', '-', noise];
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

/** Limits by transport: bytes of an idle connection, CPU of a refresh. */
const LIMITS: Readonly<Record<Transport, { readonly idle?: number; readonly refreshUs?: number }>> = {
  tcp: { idle: 4096, refreshUs: 20 },
  tls: {},
  ws: {},
  wss: { idle: 16_384, refreshUs: 25 },
};

/** @param rounds of one transport */
function limits(rounds: readonly Result[]): Row[] {
  const [{ transport }] = rounds;
  const { idle, refreshUs } = LIMITS[transport];
  const rows: Row[] = [];
  const of = (figure: (result: Result) => number) => rounds.map(figure);
  const refresh = of((result) => result.refresh.serverUs);
  if (idle !== undefined)
    rows.push(
      atMost(
        `${transport}: idle connection`,
        of(({ idleBytes }) => idleBytes),
        idle,
        0,
        'B',
      ),
    );
  if (refreshUs !== undefined) rows.push(atMost(`${transport}: refresh, CPU`, refresh, refreshUs, 1, 'us'));
  const echo = rounds.flatMap((result) => result.echo?.serverUs ?? []);
  if (echo.length === rounds.length)
    rows.push(atMost('wss: refresh, of a bare echo', ratios(refresh, echo), 1.25, 2, 'x'));
  const during = of(({ probeDuring }) => probeDuring.p99);
  const before = of(({ probeBefore }) => probeBefore.p99);
  return [
    ...rows,
    atMost(
      `${transport}: bindings gone after all dropped`,
      of(({ goneMs }) => goneMs),
      2000,
      0,
      'ms',
    ),
    atMost(`${transport}: UDP p99 while they drop, of before`, ratios(during, before), 2, 1, 'x'),
  ];
}

/** The round whose refresh cost the median. */
function middle(rounds: readonly Result[]): Result {
  return rounds.toSorted((a, b) => a.refresh.serverUs - b.refresh.serverUs)[rounds.length >> 1];
}

async function run(settings: Settings): Promise<Table[]> {
  if (!installed('openssl')) throw new Missing('openssl is needed (Debian: openssl)');
  const directory = settings.fresh();
  const certificate = makeCertificate(directory, settings.text('key'));
  const transports = settings.words('transport', 'tcp,tls,wss') as Transport[];
  const rounds = transports.map((): Result[] => []);
  for (let round = 0; round < settings.number('rounds', 3, 1); round++)
    for (const [i, transport] of transports.entries())
      rounds[i].push({
        ...(await measure(settings, transport, directory, certificate)),
        echo: transport === 'wss' ? await echoRefresh(settings, certificate) : undefined,
      });
  const rows = rounds.flatMap((results) => rowsOf(middle(results)));
  return [{ head: HEAD, rows, data: rounds.flat() }, targetTable(rounds.flatMap(limits))];
}

export const CONNECTIONS_QUESTION: Question = {
  name: 'connections',
  asks: '--connections over TCP, TLS, WS, WSS: memory, CPU of a REGISTER, and a drop of all at once',
  against: 'twice',
  run,
};
