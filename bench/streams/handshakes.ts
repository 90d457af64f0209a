// Full TLS handshakes, one after the other by openssl s_time, against Aorta and against openssl s_server.

import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { installed } from '../compile.ts';
import { Missing, type Question } from '../question.ts';
import { grouped } from '../results.ts';
import { atMost, ratios, spread, targetTable } from '../rows.ts';
import type { Settings } from '../settings.ts';
import { type Certificate, makeCertificate } from './certificate.ts';
import { cpuSeconds } from './process-figures.ts';
import { pinned, startAorta, stopped } from './server.ts';

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

interface Handshakes {
  readonly name: string;
  readonly count: number;
  readonly us: number;
}

/** Full TLS handshakes one after the other, by openssl s_time, and what each cost the server. */
async function handshakes(settings: Settings, name: string, port: number, pid: number): Promise<Handshakes> {
  const before = cpuSeconds(pid);
  const args = ['s_time', '-connect', `127.0.0.1:${port}`, '-new', '-time', String(settings.number('seconds', 5, 1))];
  const client = pinned(settings.clientCore, 'openssl', args);
  let text = '';
  client.stdout?.on('data', (chunk) => {
    text += chunk;
  });
  await new Promise((resolve) => client.once('exit', resolve));
  const count = Number(/([0-9]+) connections in [0-9]+ real seconds/.exec(text)?.[1] ?? 0);
  if (count === 0) throw new Error(`${name}: openssl s_time made no connection:\n${text}`);
  return { name, count, us: ((cpuSeconds(pid) - before) / count) * 1e6 };
}

async function compareHandshakes(
  settings: Settings,
  directory: string,
  certificate: Certificate,
): Promise<Handshakes[]> {
  const { certFile, keyFile } = certificate;
  const port = settings.port + 2;
  const restMs = settings.isSmall ? 100 : 500;
  const results: Handshakes[] = [];
  const yardstick = pinned(settings.serverCore, 'openssl', [
    's_server',
    ...['-accept', String(port), '-cert', certFile, '-key', keyFile, '-quiet'],
  ]);
  await sleep(restMs);
  results.push(await handshakes(settings, 'openssl s_server', port, yardstick.pid ?? 0));
  await stopped(yardstick);
  for (const transport of ['tls', 'wss'] as const) {
    const server = await startAorta(settings, transport, mkdtempSync(join(directory, 'data-')), certificate);
    await sleep(restMs);
    results.push(await handshakes(settings, `Aorta, ${transport}`, settings.port + 1, server.pid ?? 0));
    await stopped(server);
  }
  return results;
}

export const HANDSHAKES_QUESTION: Question = {
  name: 'handshakes',
  asks: 'CPU of a full TLS handshake, beside openssl s_server',
  against: 'twice',
  async run(settings) {
    if (!installed('openssl')) throw new Missing('openssl is needed (Debian: openssl)');
    const directory = settings.fresh();
    const key = settings.text('key', 'ec');
    const compared = await compareHandshakes(settings, directory, makeCertificate(directory, key));
    const [{ us: base }, ...own] = compared;
    const rows = compared.map(({ name, count, us }) => [
      name,
      grouped(count),
      us.toFixed(0),
      spread(ratios([us], [base]), 2),
    ]);
    const limits = own.map(({ name, us }) => atMost(`handshake, ${name} / openssl`, ratios([us], [base]), 1.3, 2, ''));
    return [
      { head: [`full TLS handshake, ${key}`, 'done', 'CPU us', 'ratio'], rows, data: compared },
      targetTable(limits),
    ];
  },
};
