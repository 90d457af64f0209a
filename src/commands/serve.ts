// `aorta serve` as a process: its output, its signals, its exit code.

import { setTimeout as delay } from 'node:timers/promises';
import type { Config } from '../server/config/config.ts';
import { ConfigError } from '../server/config/config-problem.ts';
import { formatListenAddress, isLoopback } from '../server/config/listener-text.ts';
import { onlyLocal } from '../server/config/served-domains.ts';
import { DataDirectoryError } from '../server/data/directory-error.ts';
import { shardsLive } from '../server/process/liveness.ts';
import { createLog, type Log, styleFor } from '../server/process/log.ts';
import { type ProgressDisplay, showProgress } from '../server/process/progress.ts';
import { describer, type StatusLine, startStatusLine, total } from '../server/process/status-line.ts';
import { openSystemd, type Systemd } from '../server/process/systemd.ts';
import { print, printError, printStyled } from '../server/process/terminal.ts';
import { startServer } from '../server/server.ts';
import type { Server } from '../server/server-api.ts';
import { COUNTER } from '../shard/observe/counters.ts';
import { claimInheritedSockets } from '../transport/linux/inherited-sockets.ts';
import { EXIT_FAILED, EXIT_OK, EXIT_USAGE } from './terminal/exit-codes.ts';
import { startLines } from './terminal/start-lines.ts';

const LONG_START_MS = 3000;

/** Runs a server until a signal ends it; resolves with the exit code. */
export async function serve(config: Config, reread?: () => Config): Promise<number> {
  let status: StatusLine | undefined;
  let progress: ProgressDisplay | undefined;
  const style = styleFor(config.logFormat, process.stderr);
  const write = style === undefined ? printError : printStyled;
  const writeLog = (line: string) => {
    const foot = status ?? progress;
    if (foot === undefined) write(line);
    else foot.around(() => write(line));
  };
  const seen = process.stdout.isTTY;
  const logged = createLog(config.logLevel, writeLog, style);
  const log = seen && style?.dated === false ? withoutWhatIsSeen(logged) : logged;
  dieOnUncaught(log, () => status?.stop());
  ignoreClosedPipe();
  const ended = firstSignal(log);
  const systemd = systemdOrNot(log);

  let server: Server;
  progress = showProgress(process.stdout.isTTY ? process.stdout : undefined, log);
  try {
    process.cwd(); // throws in one line where it was removed; otherwise each thread would report it
    const inherited = claimInheritedSockets(process.env);
    const hooks = inherited.length > 0 ? { inherited } : {};
    const starting = startServer(config, log, hooks, reread, progress.report);
    reloadOnHangUp(starting, log, systemd);
    server = await tellingSystemd(starting, systemd);
  } catch (error) {
    progress.end();
    return startFailed(error);
  }
  progress.end();
  progress = undefined;
  // A reader of `ready` on stdout finds the whole start in the log.
  log('info', 'ready', readyFields(config, server));
  warnOfDomains(config, server, log);
  print(startLines(config, server, seen));
  systemd?.ready();
  systemd?.watch(describer(server), shardsLive(server));
  if (process.stdout.isTTY) status = startStatusLine(process.stdout, server);

  const signal = await ended;
  status?.stop();
  status = undefined;
  const { drain } = server.config;
  log('info', 'stopping', { signal, ...(drain.announceS > 0 && { served_on_s: drain.announceS }) });
  systemd?.stopping((drain.announceS + drain.limitS) * 1000);
  server.drain();
  await delay(drain.announceS * 1000);
  const late = setTimeout(() => dieLate(log, drain.limitS), drain.limitS * 1000);
  await server.stop();
  clearTimeout(late);
  log('info', 'stopped', { received: total(server.counters(), COUNTER.received) });
  return EXIT_OK;
}

/**
 * Drops log lines for a person who has both on one terminal: three lines of the output show that the server is ready, and with
 * how many bindings.
 */
function withoutWhatIsSeen(log: Log): Log {
  const rest: Log = (level, event, fields) => {
    const sound = event === 'shard open' && fields?.quarantined === 0;
    if (!sound && event !== 'ready') log(level, event, fields);
  };
  const { setLevel } = log;
  return setLevel === undefined ? rest : Object.assign(rest, { setLevel });
}

/** Phones elsewhere would get a 404 without any log line. */
function warnOfDomains({ policy: { domains } }: Config, { listen }: Server, log: Log): void {
  if (onlyLocal(domains) && listen.some(({ host }) => !isLoopback(host)))
    log('warn', 'no domain but localhost is served: add --domain', { domains });
}

function readyFields(config: Config, server: Server): Record<string, unknown> {
  return {
    listen: server.listen.map(formatListenAddress),
    domains: config.policy.domains,
    data: config.data,
    shards: server.counters().length,
    durability: config.durability,
    udp: server.udp,
    auth: config.auth.mode,
    ...(config.auth.mode === 'none' ? {} : { users: server.users }),
    bindings: total(server.counters(), COUNTER.bindings),
  };
}

/** A hanging part is most likely a disk, and then an orderly exit would wait for it, too. All acknowledged bindings are on disk. */
function dieLate(log: Log, limitS: number): void {
  log('fatal', 'not stopped in time: ended at once', { limit_s: limitS });
  process.kill(process.pid, 'SIGKILL');
}

/** Set from the start on: a SIGHUP before the server is ready would end the process; the reload follows once it is ready. */
function reloadOnHangUp(starting: Promise<Server>, log: Log, systemd: Systemd | undefined): void {
  process.on('SIGHUP', () => {
    starting.then(
      (server) => reload(server, log, systemd),
      () => {}, // a failed start reports its own error
    );
  });
}

/** The reload of a SIGHUP. A faulty configuration changes nothing. */
async function reload(server: Server, log: Log, systemd: Systemd | undefined): Promise<void> {
  systemd?.reloading();
  try {
    if ((await server.reload()) === undefined)
      log('info', 'certificates and tokens read again; there is no configuration file to read');
  } catch (error) {
    log('error', 'reload failed: nothing was changed', { error: (error as Error).message });
  }
  systemd?.ready();
}

/** Reading or moving many bindings takes time: systemd is told, so that it waits. */
async function tellingSystemd<T>(start: Promise<T>, systemd: Systemd | undefined): Promise<T> {
  const timer = setInterval(() => systemd?.starting('reading the data directory'), LONG_START_MS);
  try {
    return await start;
  } finally {
    clearInterval(timer);
  }
}

function systemdOrNot(log: Log): Systemd | undefined {
  const systemd = openSystemd();
  if (typeof systemd !== 'string') return systemd;
  log('warn', 'systemd not told', { reason: systemd });
  return undefined;
}

/** Advice where the working directory is missing, without which no thread can start. */
const NO_PLACE = ': the working directory was removed; cd to one that is there, then start again';

/** One line that names the failed part, with a stack only for an unforeseen error. */
function startFailed(error: unknown): number {
  if (error instanceof ConfigError) {
    printProblems(error);
    return EXIT_USAGE;
  }
  const { message, code, cause, stack = '' } = error as NodeJS.ErrnoException;
  const hint = message.endsWith(', uv_cwd') ? NO_PLACE : bindHint(code, message);
  printError(`aorta: ${message}${hint}\n`);
  const foreseen = error instanceof DataDirectoryError || code !== undefined || cause !== undefined;
  if (!foreseen) printError(`${stack.slice(stack.indexOf('\n    at ') + 1)}\n`);
  return EXIT_FAILED;
}

/** Advice to use the flag for another address. */
function bindHint(code: string | undefined, message: string): string {
  if (code !== 'EADDRINUSE') return '';
  const { transport, host, port } =
    /(?<transport>[a-z]+):(?:\/\/)?(?<host>\[.*\]|[^:\s]*):(?<port>\d+)$/.exec(message)?.groups ?? {};
  const other = `${transport}:${host}:${(Number(port) % 65_000) + 2}`;
  if (!/^https?$/.test(transport ?? '')) return `: another process has the port; choose another with --listen ${other}`;
  return `: another process has the port of the admin or lookup listener; choose another with --admin ${other} or --lookup ${other}`;
}

export function printProblems(error: ConfigError): void {
  for (const problem of error.problems) printError(`aorta: ${problem}\n`);
}

/**
 * Ctrl-C reaches a process both from the terminal and through npm, and `timeout` signals a process and then its group: a
 * second signal this soon repeats the first.
 */
const SAME_SIGNAL_MS = 1000;

/** Resolves with the first SIGTERM or SIGINT; a second one ends the process at once. */
function firstSignal(log: Log): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let firstAt: number | undefined;
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        const now = performance.now();
        firstAt ??= now;
        resolve(signal);
        if (now - firstAt < SAME_SIGNAL_MS) return;
        log('warn', 'stopped at once by a second signal', { signal });
        process.exit(EXIT_FAILED);
      });
    }
  });
}

function dieOnUncaught(log: Log, before: () => void): void {
  process.on('uncaughtException', (error, origin) => {
    before();
    log('fatal', 'uncaught error', { origin, err: error });
    process.exit(EXIT_FAILED);
  });
}

/** Output without a reader, which ends other commands, must not end the server. */
function ignoreClosedPipe(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.removeAllListeners('error');
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
  }
}
