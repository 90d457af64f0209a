// `aorta doctor`: looks at this machine and the data directory before trouble does: limits, socket buffers, clock, disk,
// certificates, descriptors. Reads only.

import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync, statfsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import { descriptorLimit } from '../../transport/descriptor-limit.ts';
import { SOCKET_BUFFER_BYTES } from '../../transport/native-udp.ts';
import { type Config, createConfig, DEFAULT_CONFIG } from '../config.ts';
import { readConfigFile } from '../config-file.ts';
import { reported } from './admin-client.ts';
import { textTable } from './text-table.ts';

type Verdict = 'ok' | 'warn' | 'bad';

interface Finding {
  readonly what: string;
  readonly verdict: Verdict;
  readonly detail: string;
}

const DESCRIPTORS_WANTED = 65_536;
const DISK_FREE_PERCENT = 20;
const CERTIFICATE_DAYS = 21;
const DAY_MS = 86_400_000;
/** The year this was written: a clock before it is wrong, and so would be every expiry. */
const YEAR_MIN = 2025;

export function addDoctorCommand(root: Command): void {
  root
    .command('doctor')
    .copyInheritedSettings(root)
    .description('look for what would go wrong on this machine; exit code 1 where something would')
    .option('--config <file>', 'configuration whose data directory and certificates to look at')
    .option('--data <dir>', `data directory (default: the configuration's, else ${DEFAULT_CONFIG.data})`)
    .option('--json', 'JSON for programs')
    .action(reported(doctor));
}

async function doctor(options: { config?: string; data?: string; json?: boolean }): Promise<void> {
  const config = options.config === undefined ? DEFAULT_CONFIG : createConfig([readConfigFile(options.config)]);
  const data = resolve(options.data ?? config.data);
  const findings = [
    node(),
    receiveBuffer(),
    descriptors(),
    clock(),
    directory(data),
    disk(data),
    ...certificates(config),
  ];
  if (options.json) process.stdout.write(`${JSON.stringify(findings)}\n`);
  else process.stdout.write(textTable([['', 'what', ''], ...findings.map((f) => [f.verdict, f.what, f.detail])]));
  if (findings.some(({ verdict }) => verdict === 'bad')) process.exitCode = 1;
}

function node(): Finding {
  const [major] = process.versions.node.split('.').map(Number);
  return {
    what: 'node',
    verdict: major >= 20 ? 'ok' : 'bad',
    detail: `${process.version}, ${process.platform}-${process.arch}`,
  };
}

/** Bursts that overflow the socket are lost without a trace. */
function receiveBuffer(): Finding {
  const what = 'receive buffer';
  const max = Number(readOr('/proc/sys/net/core/rmem_max', ''));
  if (!(max > 0)) return { what, verdict: 'ok', detail: 'not known on this system' };
  if (max >= SOCKET_BUFFER_BYTES || process.getuid?.() === 0)
    return {
      what,
      verdict: 'ok',
      detail: `net.core.rmem_max is ${max}${max < SOCKET_BUFFER_BYTES ? '; as root more is taken' : ''}`,
    };
  return {
    what,
    verdict: 'warn',
    detail: `net.core.rmem_max is ${max}: bursts may be lost; sysctl -w net.core.rmem_max=${SOCKET_BUFFER_BYTES}`,
  };
}

function descriptors(): Finding {
  const what = 'file descriptors';
  const limit = descriptorLimit();
  if (limit === undefined) return { what, verdict: 'ok', detail: 'not known on this system' };
  const enough = limit >= DESCRIPTORS_WANTED;
  const detail = enough
    ? `limit ${limit}`
    : `limit ${limit}, one for each connection: LimitNOFILE=${DESCRIPTORS_WANTED} or ulimit -n`;
  return { what, verdict: enough ? 'ok' : 'warn', detail };
}

/** Bindings expire by the wall clock. */
function clock(): Finding {
  const now = new Date();
  const wrong = now.getFullYear() < YEAR_MIN;
  return {
    what: 'clock',
    verdict: wrong ? 'bad' : 'ok',
    detail: `${now.toISOString()}${wrong ? ': set it, or run NTP' : ''}`,
  };
}

function directory(data: string): Finding {
  const what = 'data directory';
  if (!existsSync(data)) return { what, verdict: 'ok', detail: `${data} is not there yet; the first start makes it` };
  const { mode, uid } = statSync(data);
  const others = (mode & 0o077) !== 0;
  const foreign = process.getuid !== undefined && process.getuid() !== 0 && uid !== process.getuid();
  if (foreign)
    return { what, verdict: 'bad', detail: `${data} belongs to another user: run as that user, or chown it` };
  if (others)
    return { what, verdict: 'warn', detail: `${data} can be read by others, and holds secrets: chmod 700 ${data}` };
  return { what, verdict: 'ok', detail: data };
}

function disk(data: string): Finding {
  let path = data;
  while (!existsSync(path) && dirname(path) !== path) path = dirname(path);
  const { bavail, blocks, bsize } = statfsSync(path);
  const percent = Math.floor((bavail / blocks) * 100);
  const free = `${((bavail * bsize) / 2 ** 30).toFixed(1)} GiB, ${percent}% free`;
  if (percent === 0) return { what: 'disk', verdict: 'bad', detail: `${free}: registrations will draw 500` };
  return { what: 'disk', verdict: percent < DISK_FREE_PERCENT ? 'warn' : 'ok', detail: free };
}

function certificates({ admin }: Config): Finding[] {
  if (admin?.tls === undefined) return [];
  const what = 'admin certificate';
  try {
    const { validTo } = new X509Certificate(readFileSync(admin.tls.certificate));
    const days = Math.floor((Date.parse(validTo) - Date.now()) / DAY_MS);
    if (days < 0) return [{ what, verdict: 'bad', detail: `${admin.tls.certificate} expired on ${validTo}` }];
    return [{ what, verdict: days < CERTIFICATE_DAYS ? 'warn' : 'ok', detail: `good for ${days} days` }];
  } catch (error) {
    return [{ what, verdict: 'bad', detail: `${admin.tls.certificate}: ${(error as Error).message}` }];
  }
}

function readOr(file: string, otherwise: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return otherwise;
  }
}
