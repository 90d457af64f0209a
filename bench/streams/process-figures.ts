// What Linux says about processes: CPU time, memory, and what the rest of the machine did meanwhile.

import { readFileSync } from 'node:fs';

const TICKS_PER_S = 100;

/** CPU time of a process, all of its threads, in seconds. */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S;
}

/** CPU time of the thread that has the process's number: Node's main thread. */
export function mainThreadSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/task/${pid}/stat`, 'latin1').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S;
}

/** Bytes that are the process's own: no files, no shared memory. */
export function anonymousBytes(pid: number): number {
  return kilobytes(`/proc/${pid}/status`, 'RssAnon') * 1024;
}

/** Bytes that the kernel keeps for TCP buffers, of all processes. */
export function tcpBytes(): number {
  const pages = /^TCP: .* mem ([0-9]+)/m.exec(readFileSync('/proc/net/sockstat', 'latin1'))?.[1];
  return Number(pages ?? 0) * 4096;
}

/** CPU time of the whole machine: used and stolen, in seconds of one core. */
export function machineSeconds(): { used: number; steal: number } {
  const [, ...ticks] = readFileSync('/proc/stat', 'latin1').split('\n', 1)[0].trim().split(/\s+/);
  const [user, nice, system, , , irq, softirq, steal] = ticks.map(Number);
  return { used: (user + nice + system + irq + softirq) / TICKS_PER_S, steal: steal / TICKS_PER_S };
}

function kilobytes(file: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+([0-9]+) kB`, 'm').exec(readFileSync(file, 'latin1'))?.[1] ?? 0);
}
