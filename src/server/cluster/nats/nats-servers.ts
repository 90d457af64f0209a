// Whether the NATS servers lose nothing: they must be new enough, have JetStream, and sync before they acknowledge.

import * as z from 'zod';
import { formatNatsServer, type NatsConfig } from '../../config/sections/cluster-config.ts';
import type { Log } from '../../process/log.ts';
import { reasonOf } from '../../process/reason-of.ts';
import { ClusterError } from '../cluster-error.ts';
import { askServer } from './nats-client.ts';

/**
 * Debian 13's version. Before 2.10.23 a stream could vanish when its servers were killed; before 2.9.21 its fence let two
 * through.
 */
const OLDEST = [2, 10, 23] as const;
const PAYLOAD_BYTES_MIN = 1 << 20;
export const MONITOR_MS = 2000;

const Varz = z.object({
  version: z.string(),
  server_name: z.string().optional(),
  cluster: z.object({ name: z.string().optional() }).optional(),
  jetstream: z
    .object({
      config: z.object({ sync_always: z.boolean().optional() }).optional(),
      meta: z.object({ cluster_size: z.number() }).optional(),
    })
    .optional(),
});

export interface ServerReport {
  readonly server: string;
  /** Reason of a server that refuses this node. */
  readonly why?: string;
  readonly name?: string;
  readonly version?: string;
}

/** Fault of a server that may lose acknowledged messages, or misses the leaders of streams. */
export interface ServerFault {
  /** URL of its monitoring. */
  readonly monitor: string;
  readonly kind: 'unsynced' | 'old' | 'unrouted';
  /** Text that names the remedy. */
  readonly problem: string;
}

/** Asks all servers. Throws a ClusterError where one is not to be trusted; those that refuse this node are reported. */
export async function checkServers(config: NatsConfig, log: Log): Promise<ServerReport[]> {
  const reports = await Promise.all(config.servers.map((server) => checkServer(config, server)));
  for (const { server, why } of reports)
    if (why !== undefined) log('warn', 'a NATS server does not let this node in', { server, why });
  await Promise.all(config.monitors.map((url) => checkSync(config, url, log)));
  return reports;
}

async function checkServer(config: NatsConfig, server: NatsConfig['servers'][number]): Promise<ServerReport> {
  const url = formatNatsServer(server);
  const info = await askServer(config, server);
  if ('why' in info) return { server: url, why: info.why };
  demandVersion(url, info.version);
  if (info.jetstream !== true)
    throw new ClusterError(`${url} has no JetStream: add a jetstream block to its configuration (docs/cluster.md)`);
  if (info.max_payload < PAYLOAD_BYTES_MIN)
    throw new ClusterError(`${url} takes ${info.max_payload} bytes a message: set its max_payload to 8MB`);
  return { server: url, name: info.server_name, version: info.version };
}

export function isTooOld(version: string): boolean {
  const parts = /^(\d+)\.(\d+)\.(\d+)/.exec(version)?.slice(1).map(Number) ?? [0, 0, 0];
  const first = OLDEST.findIndex((wanted, i) => parts[i] !== wanted);
  return first >= 0 && parts[first] < OLDEST[first];
}

function demandVersion(url: string, version: string): void {
  if (isTooOld(version)) throw new ClusterError(tooOld(url, version));
}

function tooOld(url: string, version: string): string {
  return (
    `${url} is nats-server ${version}, which can lose streams when it is killed: install ${OLDEST.join('.')} or newer ` +
    '(Debian 13 has one)'
  );
}

async function checkSync(config: NatsConfig, monitor: string, log: Log): Promise<void> {
  const { fault, why } = await lookAtServer(config, monitor);
  if (why !== undefined) log('warn', 'the monitoring of a NATS server does not answer', { monitor, why });
  if (fault !== undefined) throw new ClusterError(fault.problem);
}

export interface ServerLook {
  readonly fault?: ServerFault;
  /** Name and size of its NATS cluster. */
  readonly cluster?: string | undefined;
  readonly size?: number | undefined;
  /** Why its monitoring cannot be read. */
  readonly why?: string;
}

/** The report of its monitoring. */
export async function lookAtServer({ sync }: NatsConfig, monitor: string): Promise<ServerLook> {
  let varz: z.infer<typeof Varz>;
  try {
    const answer = await fetch(`${monitor}/varz`, { signal: AbortSignal.timeout(MONITOR_MS) });
    varz = Varz.parse(await answer.json());
  } catch (error) {
    return { why: reasonOf(error) };
  }
  const { version, jetstream } = varz;
  const of = { cluster: varz.cluster?.name, size: jetstream?.meta?.cluster_size };
  if (isTooOld(version)) return { ...of, fault: { monitor, kind: 'old', problem: tooOld(monitor, version) } };
  if (jetstream?.config?.sync_always === true || sync === 'lazy') return of;
  const problem =
    `the NATS server at ${monitor} acknowledges what is not on its disk: set sync_interval: always in its jetstream block ` +
    'and restart it, or set cluster.nats.sync: lazy here, and one power cut may lose registrations that were answered 200';
  return { ...of, fault: { monitor, kind: 'unsynced', problem } };
}
