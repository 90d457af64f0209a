// The processes full of clients, as one: what they did, and what it cost the server meanwhile.

import { type ChildProcess, fork } from 'node:child_process';
import { tied } from '../children.ts';
import { partProgram } from '../root.ts';
import type { Settings } from '../settings.ts';
import type { ClientOptions, Order, Outcome, Transport } from './clients.ts';
import { cpuSeconds, machineSeconds, mainThreadSeconds } from './process-figures.ts';
import { stopped } from './server.ts';

const OK = 'SIP/2.0 200 ';

/** Figures of one phase. */
export interface Phase extends Outcome {
  readonly perSecond: number;
  readonly serverUs: number;
  /** Of these, on the server's main thread. */
  readonly mainUs: number;
  /** What neither server nor clients used, in percent of one core. */
  readonly otherPercent: number;
  readonly stealPercent: number;
}

function connectionsOf(settings: Settings): number {
  return settings.number('connections', 10_000, 40);
}

/** The client processes, as one. */
export class Crowd {
  private readonly children: readonly ChildProcess[];

  /** @param answer what an answer to a REGISTER begins with */
  constructor(settings: Settings, transport: Transport, answer = OK) {
    const connections = connectionsOf(settings);
    const processes = 2;
    this.children = Array.from({ length: processes }, (_, i) => {
      const first = Math.floor((connections * i) / processes);
      const count = Math.floor((connections * (i + 1)) / processes) - first;
      const options: ClientOptions = { transport, port: settings.port + 1, first, count, answer };
      const core = { execPath: 'taskset', execArgv: ['-c', String(settings.clientCore), process.execPath] };
      return tied(fork(partProgram('clients'), [JSON.stringify(options)], core));
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
