// Notices to systemd (sd_notify(3)): ready, still starting, stopping, a status line, and the watchdog's sign of life.
// Without NOTIFY_SOCKET none is sent. The caller decides whether the process counts as alive.

import { createRequire } from 'node:module';
import { every } from '../../transport/every.ts';

const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;
/** struct sockaddr_un { u16 family; char path[108] } */
const PATH_AT = 2;
const PATH_MAX = 107;
const STATUS_MS = 5000;
/** Time beside that of the stop itself. */
const STOP_SPARE_MS = 5000;
/** Requested again with each sign of a long start. */
const EXTEND_START_US = 60_000_000;

export interface Systemd {
  /** The start continues and may take longer than its time-out. */
  starting(status: string): void;
  ready(): void;
  /** A reload has begun; `ready()` ends it. */
  reloading(): void;
  /** The stop may take so long. */
  stopping(ms: number): void;
  /** From now on sends the status every few seconds and, where the unit has WatchdogSec, a sign of life. */
  watch(status: () => string, isAlive: () => boolean): void;
  /** Ends `watch`. */
  close(): void;
}

const NOWHERE: Systemd = {
  starting: () => {},
  ready: () => {},
  reloading: () => {},
  stopping: () => {},
  watch: () => {},
  close: () => {},
};

/**
 * @returns the connection to systemd, a silent one where systemd did not start this process, or the reason why it
 * cannot be reached
 */
export function openSystemd(env: NodeJS.ProcessEnv = process.env): Systemd | string {
  const path = env.NOTIFY_SOCKET;
  if (path === undefined || path === '') return NOWHERE;
  const send = openSocket(path);
  if (typeof send === 'string') return send;
  return new Notifier(send, watchdogMs(env));
}

class Notifier implements Systemd {
  private readonly send: (state: string) => void;
  private readonly watchdogMs: number | undefined;
  private readonly timers: NodeJS.Timeout[] = [];

  constructor(send: (state: string) => void, watchdogMs: number | undefined) {
    this.send = send;
    this.watchdogMs = watchdogMs;
  }

  starting(status: string): void {
    this.send(`EXTEND_TIMEOUT_USEC=${EXTEND_START_US}\nSTATUS=${status}`);
  }

  ready(): void {
    this.send(`READY=1\nMAINPID=${process.pid}`);
  }

  reloading(): void {
    this.send(`RELOADING=1\nMONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`);
  }

  stopping(ms: number): void {
    this.close();
    this.send(`STOPPING=1\nEXTEND_TIMEOUT_USEC=${(ms + STOP_SPARE_MS) * 1000}\nSTATUS=stopping`);
  }

  watch(status: () => string, isAlive: () => boolean): void {
    this.every(STATUS_MS, () => this.send(`STATUS=${status()}`));
    if (this.watchdogMs === undefined) return;
    // Half of the time that systemd allows, as sd_watchdog_enabled(3) recommends.
    this.every(this.watchdogMs / 2, () => {
      if (isAlive()) this.send('WATCHDOG=1');
    });
  }

  close(): void {
    for (const timer of this.timers.splice(0)) clearInterval(timer);
  }

  private every(ms: number, what: () => void): void {
    this.timers.push(every(ms, what, (error) => this.send(`STATUS=${error.message}`)));
  }
}

function watchdogMs(env: NodeJS.ProcessEnv): number | undefined {
  const us = Number(env.WATCHDOG_USEC);
  const forUs = env.WATCHDOG_PID === undefined || Number(env.WATCHDOG_PID) === process.pid;
  return forUs && us > 0 ? us / 1000 : undefined;
}

/** Node has no datagram sockets of this family, so the three calls use koffi. */
function openSocket(path: string): ((state: string) => void) | string {
  const name = Buffer.from(path.replace(/^@/, '\0')); // "@" stands for the abstract namespace
  if (name.length > PATH_MAX) return `NOTIFY_SOCKET is longer than ${PATH_MAX} bytes`;
  const address = Buffer.alloc(PATH_AT + name.length);
  address.writeUInt16LE(AF_UNIX, 0);
  name.copy(address, PATH_AT);
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
    const libc = koffi.load(null);
    const socket = libc.func('int socket(int domain, int type, int protocol)');
    const sendto = libc.func(
      'long sendto(int fd, const void *bytes, size_t length, int flags, const void *to, uint32_t size)',
    );
    const fd: number = socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0);
    if (fd < 0) return `no socket for NOTIFY_SOCKET (errno ${koffi.errno()})`;
    return (state) => {
      const bytes = Buffer.from(state);
      sendto(fd, bytes, bytes.length, 0, address, address.length); // lost without a reader: nothing can be done
    };
  } catch (error) {
    return `NOTIFY_SOCKET cannot be reached: ${error instanceof Error ? error.message : String(error)}`;
  }
}
