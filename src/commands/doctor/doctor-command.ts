// `aorta doctor`: checks this machine and the data directory before trouble comes: limits, socket buffers, clock, disk,
// certificates, descriptors, and the providers of users. Reads only.

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { existsSync, readFileSync, statfsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import type { Config } from '../../server/config/config.ts';
import { hasCluster } from '../../server/config/sections/cluster-config.ts';
import { fileFault } from '../../server/process/file-fault.ts';
import { sizeText } from '../../server/process/size-text.ts';
import { print } from '../../server/process/terminal.ts';
import { descriptorLimit } from '../../transport/linux/descriptor-limit.ts';
import { DESCRIPTORS_RESERVED } from '../../transport/linux/descriptors.ts';
import { CommandError, reported } from '../terminal/command-action.ts';
import { defaultData, environmentSource } from '../terminal/data-directory.ts';
import { tableColumns, textTable } from '../terminal/text-table.ts';
import type { Finding } from './damage-findings.ts';

const DISK_FREE_PERCENT = 20;
const CERTIFICATE_DAYS = 21;
const DAY_MS = 86_400_000;
/** The year of this code: a clock before it is wrong, and so would be every expiry. */
const YEAR_MIN = 2025;
const CONFIGURATION_LEFT_OUT: Finding = {
  what: 'configuration',
  verdict: 'ok',
  detail: 'defaults; --config FILE looks at certificates, at those who are asked about users, and at a cluster',
};

export function addDoctorCommand(root: Command): void {
  root
    .command('doctor')
    .copyInheritedSettings(root)
    .description('look for what would go wrong on this machine; exit code 1 where something would')
    .option('--config <file>', 'configuration whose data directory, certificates and user provider to look at')
    .option('--data <dir>', `data directory (default: the configuration's, else ${defaultData()})`)
    .option('--scrub', 'read the whole log of bindings and look for damage; a server may run meanwhile')
    .option('--json', 'JSON for programs')
    .action(reported(doctor));
}

async function doctor(options: { config?: string; data?: string; scrub?: boolean; json?: boolean }): Promise<void> {
  const config = await configOf(options.config);
  const data = resolve(options.data ?? (options.config === undefined ? defaultData() : config.data));
  const findings = [
    node(),
    receiveBuffer((await import('../../transport/linux/native-udp.ts')).SOCKET_BUFFER_BYTES),
    descriptors(config),
    clock(),
    directory(data),
    disk(data),
    ...(options.config === undefined ? [CONFIGURATION_LEFT_OUT] : certificates(config)),
    await webLibrary(config),
    ...(config.auth.provider || config.auth.tokens
      ? await (await import('./provider-findings.ts')).providerFindings(config)
      : []),
    ...(await (await import('./damage-findings.ts')).damageFindings(data, options.scrub === true)),
    ...(hasCluster(config) ? await (await import('../cluster/cluster-findings.ts')).clusterFindings(config) : []),
  ];
  if (options.json) print(`${JSON.stringify(findings)}\n`);
  const rows = findings.map((f) => [f.verdict, f.what, f.detail]);
  if (!options.json) print(await textTable([['', 'what', ''], ...rows], tableColumns({}), { wraps: true }));
  if (findings.some(({ verdict }) => verdict === 'bad')) process.exitCode = 1;
}

async function configOf(file: string | undefined): Promise<Config> {
  if (file === undefined) return (await import('../../server/config/config.ts')).DEFAULT_CONFIG;
  const { createConfig } = await import('../../server/config/create-config.ts');
  const { readConfigFile } = await import('../../server/config/config-file.ts');
  const { ConfigError } = await import('../../server/config/config-problem.ts');
  try {
    return createConfig([environmentSource(), readConfigFile(file)]);
  } catch (error) {
    if (error instanceof ConfigError) throw new CommandError(error.problems.join('\n'), 2);
    throw error;
  }
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
function receiveBuffer(wanted: number): Finding {
  const what = 'receive buffer';
  const max = Number(readOr('/proc/sys/net/core/rmem_max', ''));
  if (!(max > 0)) return { what, verdict: 'ok', detail: 'not known on this system' };
  if (max >= wanted || process.getuid?.() === 0)
    return {
      what,
      verdict: 'ok',
      detail: `net.core.rmem_max is ${max}${max < wanted ? '; as root more is taken' : ''}`,
    };
  return {
    what,
    verdict: 'warn',
    detail: `net.core.rmem_max is ${max}: bursts may be lost; sysctl -w net.core.rmem_max=${wanted}`,
  };
}

function descriptors({ listen, streams }: Config): Finding {
  const what = 'file descriptors';
  const limit = descriptorLimit();
  if (limit === undefined) return { what, verdict: 'ok', detail: 'not known on this system' };
  const connections = listen.some(({ transport }) => transport !== 'udp') ? streams.connectionsMax : 0;
  const wanted = connections + DESCRIPTORS_RESERVED;
  if (limit >= wanted) return { what, verdict: 'ok', detail: `limit ${limit}` };
  const detail = `limit ${limit}, one for each of up to ${connections} connections: LimitNOFILE=${wanted}, ulimit -n, or a smaller connections.max`;
  return { what, verdict: 'warn', detail };
}

/** The library for WSS and lookups by HTTP on this machine, found by loading it. */
async function webLibrary({ listen, lookupHttp }: Config): Promise<Finding> {
  const what = 'uWebSockets.js';
  const { uWebSockets } = await import('../../transport/websocket/uwebsockets.ts');
  const library = uWebSockets();
  if (typeof library !== 'string') return { what, verdict: 'ok', detail: 'loads: serves wss, and lookups by HTTP' };
  const { WS_COST } = await import('../../transport/websocket/websocket-listener.ts');
  const wanted = lookupHttp !== undefined || listen.some(({ transport }) => transport === 'wss');
  const detail = `${library}. Instead the package ws serves wss (${WS_COST}), and node:http lookups`;
  return { what, verdict: wanted ? 'warn' : 'ok', detail };
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
  const free = `${sizeText(bavail * bsize)}, ${percent}% free`;
  if (percent === 0) return { what: 'disk', verdict: 'bad', detail: `${free}: registrations will be answered 503` };
  return { what: 'disk', verdict: percent < DISK_FREE_PERCENT ? 'warn' : 'ok', detail: free };
}

/** Certificates shown to phones, authorities of clients, and the admin listener's certificate. */
function certificates({ admin, tls }: Config): Finding[] {
  const domains = Object.entries(tls?.domains ?? {}).map(
    ([name, files]) => [`certificate for ${name}`, files] as const,
  );
  return [
    ...(tls === undefined ? [] : ownCertificate('certificate', tls.certFile, tls.keyFile)),
    ...domains.flatMap(([what, { certFile, keyFile }]) => ownCertificate(what, certFile, keyFile)),
    ...(tls?.caFile === undefined ? [] : [certificate('CA of clients', tls.caFile)]),
    ...(admin?.tls === undefined ? [] : ownCertificate('admin certificate', admin.tls.certificate, admin.tls.key)),
  ];
}

function ownCertificate(what: string, file: string, keyFile: string): Finding[] {
  const found = certificate(what, file);
  if (found.verdict === 'bad') return [found];
  try {
    if (new X509Certificate(readFileSync(file)).checkPrivateKey(createPrivateKey(readFileSync(keyFile))))
      return [found];
    return [{ what, verdict: 'bad', detail: `${keyFile} is not the key of ${file}` }];
  } catch (error) {
    return [{ what, verdict: 'bad', detail: `${keyFile}: ${fileFault(error)}` }];
  }
}

function certificate(what: string, file: string): Finding {
  try {
    const { validTo } = new X509Certificate(readFileSync(file));
    const days = Math.floor((Date.parse(validTo) - Date.now()) / DAY_MS);
    if (days < 0) return { what, verdict: 'bad', detail: `${file} expired on ${validTo}` };
    return { what, verdict: days < CERTIFICATE_DAYS ? 'warn' : 'ok', detail: `${file}, good for ${days} days` };
  } catch (error) {
    return { what, verdict: 'bad', detail: `${file}: ${fileFault(error)}` };
  }
}

function readOr(file: string, otherwise: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return otherwise;
  }
}
