// Output of `aorta serve` once it listens: three lines for a person at a terminal; elsewhere a line per address for programs, and the
// line that starts with `ready`.

import type { Config } from '../../server/config/config.ts';
import { hostPort } from '../../server/config/listener-text.ts';
import { packageVersion } from '../../server/process/package-version.ts';
import { total } from '../../server/process/status-line.ts';
import type { Server } from '../../server/server-api.ts';
import { COUNTER } from '../../shard/observe/counters.ts';
import { firstPhone } from './first-phone.ts';

/** @param terminal whether a person reads it */
export function startLines(config: Config, server: Server, terminal: boolean): string {
  const ready = `ready: ${firstPhone(config, server.listen, server.users)}`;
  const addresses = listening(server);
  const lines = terminal
    ? [aboutServer(config, server), addresses.map(([name, where]) => `${name} ${where}`).join('  '), ready]
    : [
        ...addresses.map(([name, where]) => (NAMED.includes(name) ? `${name} ${where}` : `listening ${name} ${where}`)),
        ready,
      ];
  return lines.map((line) => `${line}\n`).join('');
}

/** Entries with names of their own; all others are listed as listeners. */
const NAMED = ['lookups', 'admin'];

function listening(server: Server): (readonly [name: string, where: string])[] {
  const { multicast, adminUrl } = server;
  return [
    ...server.listen.map((address) => [address.transport, hostPort(address)] as const),
    ...(multicast ? [['multicast', `${multicast.group}:${multicast.port} on ${multicast.interface}`] as const] : []),
    ...server.lookupHttp.map(
      ({ host, port }) =>
        ['lookups', `http://${host.includes(':') ? `[${host}]` : host}:${port}/v1/aors/{aor}/contacts`] as const,
    ),
    ...(adminUrl === undefined ? [] : [['admin', adminUrl] as const]),
  ];
}

function aboutServer(config: Config, server: Server): string {
  const counters = server.counters();
  const bindings = total(counters, COUNTER.bindings);
  return [
    `aorta ${packageVersion()}`,
    config.policy.domains.join(', '),
    `${config.data}: ${bindings.toLocaleString('en-US')} ${bindings === 1 ? 'binding' : 'bindings'}`,
    `${counters.length} ${counters.length === 1 ? 'shard' : 'shards'}`,
    config.durability,
  ].join('  ');
}
