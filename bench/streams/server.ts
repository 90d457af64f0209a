// The server whose connections are measured, pinned to its core.

import { type ChildProcess, spawn } from 'node:child_process';
import { tied } from '../children.ts';
import type { Settings } from '../settings.ts';
import type { Certificate } from './certificate.ts';
import type { Transport } from './clients.ts';

export function pinned(core: number, command: string, args: readonly string[]): ChildProcess {
  return tied(spawn('taskset', ['-c', String(core), command, ...args], { stdio: ['ignore', 'pipe', 'pipe'] }));
}

/** @throws where the server ends before it says that */
export function said(child: ChildProcess, words: RegExp): Promise<void> {
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

export async function stopped(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await gone;
}

export async function startAorta(
  settings: Settings,
  transport: Transport,
  data: string,
  { certFile, keyFile }: Certificate,
): Promise<ChildProcess> {
  const { port } = settings;
  const listen = ['--listen', `udp:127.0.0.1:${port}`, '--listen', `${transport}:127.0.0.1:${port + 1}`];
  const tls = transport === 'tls' || transport === 'wss' ? ['--tls-cert', certFile, '--tls-key', keyFile] : [];
  const rest = ['--domain', 'example.com', '--data', data, '--shards', '1', ...settings.serveFlags];
  const args = [settings.cli, 'serve', ...listen, ...tls, ...rest];
  const server = pinned(settings.serverCore, settings.node, args);
  await said(server, /^ready/m);
  return server;
}
