// `aorta cluster demo`: three NATS servers and three nodes on this machine, a phone that registers, and a node that dies. Without a
// terminal it kills the node by itself and ends: with 0 where the registration was found on the remaining nodes.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { ClusterStatus } from '../../server/cluster/cluster-status.ts';
import { print } from '../../server/process/terminal.ts';
import { CommandError, reported } from '../terminal/command-action.ts';
import { DemoNodes } from './demo-nodes.ts';
import { registerOnce } from './demo-phone.ts';

const AOR = 'alice@localhost';
const FOUND_MS = 10_000;
const LOOK_MS = 100;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

interface DemoOptions {
  readonly natsServer?: string;
  readonly keep?: boolean;
}

export const runDemo = reported(async ({ natsServer = 'nats-server', keep = false }: DemoOptions) => {
  const directory = mkdtempSync(join(tmpdir(), 'aorta-demo-'));
  const demo = new DemoNodes(directory, natsServer);
  const broken = new AbortController();
  const stop = () => broken.abort();
  for (const signal of SIGNALS) process.once(signal, stop);
  try {
    const end = new Promise<never>((_, reject) => broken.signal.addEventListener('abort', () => reject(brokenOff())));
    await Promise.race([demo.start().then(() => show(demo, broken.signal)), end]);
  } finally {
    for (const signal of SIGNALS) process.off(signal, stop);
    broken.abort();
    await demo.stop();
    if (keep) print(`kept ${directory}\n`);
    else rmSync(directory, { recursive: true, force: true });
  }
});

async function show(demo: DemoNodes, signal: AbortSignal): Promise<void> {
  for (const { name, sip, admin } of demo.nodes)
    print(`node ${name}: SIP on udp and tcp 127.0.0.1:${sip}, dashboard http://127.0.0.1:${admin}\n`);
  const answer = await registerOnce(demo.nodes[0].sip, AOR);
  if (answer !== 200) throw new CommandError(`the REGISTER was answered ${answer}`);
  print(`\n${AOR} has registered at node a: 200 OK\n`);
  const killed = await shardOf(demo, signal);
  const isTold = process.stdin.isTTY;
  if (isTold && !(await isEntered(`Enter kills node ${killed}, which owns that registration (kill -9) … `, signal)))
    throw brokenOff();
  const killedAt = Date.now();
  demo.kill(killed);
  print(`node ${killed} is dead\n`);
  for (const node of demo.nodes.filter(({ name }) => name !== killed)) {
    await within(`${AOR} on node ${node.name}`, signal, async () => (await demo.hasBinding(node, AOR)) || undefined);
    print(`node ${node.name} has ${AOR} still\n`);
  }
  const [other] = demo.nodes.filter(({ name }) => name !== killed);
  const again = await registerOnce(other.sip, AOR);
  print(`a refresh at node ${other.name}: ${again}, ${((Date.now() - killedAt) / 1000).toFixed(1)} s after the kill\n`);
  if (again !== 200) throw new CommandError(`the refresh was answered ${again}`);
  if (isTold) await isEntered('The two others serve on: look at the dashboards. Enter ends the demo … ', signal);
}

/** Waits for Enter; false on Ctrl-C, Ctrl-D or a signal instead. */
async function isEntered(question: string, signal: AbortSignal): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    await terminal.question(question, { signal });
    return true;
  } catch (error) {
    if ((error as Error).name !== 'AbortError') throw error;
    print('\n');
    return false;
  } finally {
    terminal.close();
  }
}

function brokenOff(): CommandError {
  return new CommandError('the demo was broken off');
}

/** The node that owns the shard with the binding. */
async function shardOf(demo: DemoNodes, signal: AbortSignal): Promise<string> {
  const status = await within('owners of all shards', signal, async (): Promise<ClusterStatus | undefined> => {
    const found = await demo.status(demo.nodes[0]);
    return found?.shards.every(({ owner }) => owner !== null) ? found : undefined;
  });
  // One binding has been written: its shard is the one with more messages than the claim.
  const { owner } = status.shards.reduce((most, one) => (one.sequence > most.sequence ? one : most));
  return owner ?? 'a';
}

async function within<T>(what: string, signal: AbortSignal, look: () => Promise<T | undefined>): Promise<T> {
  for (let waited = 0; waited < FOUND_MS && !signal.aborted; waited += LOOK_MS) {
    const found = await look();
    if (found !== undefined) return found;
    await delay(LOOK_MS);
  }
  throw new CommandError(`not seen within ${FOUND_MS / 1000} s: ${what}`);
}
