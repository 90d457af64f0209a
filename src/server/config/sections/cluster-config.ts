// The part `cluster` of the configuration: a node's cluster, and the addresses of its peers and the NATS servers.

import { isIP } from 'node:net';
import type { Policy } from '../../../core/uas/policy.ts';
import type { NatsServer } from '../../../transport/nats/nats-addresses.ts';
import type { Fault } from '../config-problem.ts';
import { expected } from '../rows/kinds.ts';
import { refuseCredentials } from '../rows/outgoing/web-url.ts';

export interface ClusterConfig {
  readonly name: string;
  /** Name of this node: no two have the same. */
  readonly node: string;
  /** Address of this node for the others. */
  readonly listen: PeerAddress;
  readonly nats: NatsConfig;
  /** A node silent for so long has lost its shards. */
  readonly silentMs: number;
  /** Requests whose shard has no owner wait so long for one. */
  readonly holdMs: number;
}

export interface PeerAddress {
  /** An IP address, IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
}

export interface NatsConfig {
  /** Servers, the nearest first. */
  readonly servers: readonly NatsServer[];
  readonly credentials?: string;
  /** For `tls://` servers: the authorities of their certificates (the system's by default), and this node's certificate and key. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** `lazy`: servers may acknowledge messages that are not on disk. */
  readonly sync: 'always' | 'lazy';
  /** URLs of the servers' monitoring, which reports whether they sync. */
  readonly monitors: readonly string[];
}

/** Defaults of the section. */
export const DEFAULT_CLUSTER = {
  nats: { sync: 'always', monitors: [] },
  silentMs: 1500,
  holdMs: 10_000,
} as const;

/** Whether it is a node of a cluster. */
export function hasCluster<C extends { readonly cluster?: ClusterConfig }>(
  config: C,
): config is C & { readonly cluster: ClusterConfig } {
  return config.cluster !== undefined;
}

const NATS_PORT = 4222;
const SERVER_FORM = 'nats://HOST:PORT or tls://HOST:PORT';
const NAME = /^[A-Za-z0-9_-]{1,32}$/;

/** Reads the name of a cluster or node, which is part of subjects. Throws a RangeError. */
export function parseName(name: string): string {
  if (!NAME.test(name)) throw new RangeError(expected('1 to 32 letters, digits, - and _', name));
  return name;
}

/** Reads `HOST:PORT`. Throws a RangeError. */
export function parsePeer(text: string): PeerAddress {
  const { host, port } = hostAndPort(text) ?? {};
  if (host === undefined || port === undefined || isIP(host) === 0)
    throw new RangeError(expected('an IP address and a port, such as 10.0.0.11:5090', text));
  return { host, port };
}

/** Reads `nats://HOST:PORT` or `tls://HOST:PORT`. Throws a RangeError, which reveals no credentials. */
export function parseNatsServer(text: string): NatsServer {
  const [, scheme = 'nats', rest = ''] = /^(?:([a-z]+):\/\/)?(.*?)\/?$/i.exec(text) ?? [];
  if (rest.includes('@')) throw new RangeError('credentials belong into the file that nats.credentials names');
  if (!/^(nats|tls)$/i.test(scheme)) throw new RangeError(expected(SERVER_FORM, text));
  const address = hostAndPort(rest) ?? hostAndPort(`${rest}:${NATS_PORT}`);
  if (address === undefined) throw new RangeError(expected(SERVER_FORM, text));
  return scheme.toLowerCase() === 'tls' ? { ...address, tls: true } : address;
}

export function formatNatsServer(server: NatsServer): string {
  return `${server.tls ? 'tls' : 'nats'}://${formatPeer(server)}`;
}

export function formatPeer({ host, port }: PeerAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** Reads `http://HOST:PORT` of a server's `/varz`. Throws a RangeError. */
export function parseMonitor(text: string): string {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol))
    throw new RangeError(expected('http://HOST:PORT', text));
  refuseCredentials(text);
  return text.replace(/\/+$/, '');
}

/** Settings that a cluster does not support. */
export function clusterFaults(
  cluster: ClusterConfig | undefined,
  { policy }: { readonly policy: Pick<Policy, 'subscriptions'> },
): Fault[] {
  if (cluster === undefined) return [];
  const { servers = [], cert, key }: Partial<NatsConfig> = cluster.nats;
  const isTls = servers.some(({ tls }) => tls);
  return [
    ...(servers.length > 0
      ? []
      : [{ path: ['cluster', 'nats'], text: 'needs `servers`, such as nats://10.0.0.11:4222' }]),
    ...(servers.every(({ tls }) => Boolean(tls) === isTls)
      ? []
      : [{ path: ['cluster', 'nats', 'servers'], text: 'all of them are tls:// or none' }]),
    ...((cert === undefined) === (key === undefined)
      ? []
      : [{ path: ['cluster', 'nats'], text: '`cert` and `key` belong together' }]),
    ...(policy.subscriptions.enabled
      ? [
          {
            path: ['registration-events', 'enabled'],
            text: 'registrations cannot be watched in a cluster: `feed` tells of their changes',
          },
        ]
      : []),
  ];
}

function hostAndPort(text: string): PeerAddress | undefined {
  const parts = /^(\[[^\]]+\]|[^:[\]/\s]+):([0-9]{1,5})$/.exec(text);
  if (parts === null || Number(parts[2]) < 1 || Number(parts[2]) > 65_535) return undefined;
  return { host: parts[1].replace(/^\[|\]$/g, ''), port: Number(parts[2]) };
}
