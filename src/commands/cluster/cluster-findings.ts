// Findings of `aorta doctor` on a node of a cluster. They cover whether the NATS servers can be reached, lose nothing and refuse strangers,
// and whether the streams are as required. They also name risks from others on the network. Reads only.

import { statSync } from 'node:fs';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { readRecord } from '../../server/cluster/cluster-record.ts';
import { connectNats } from '../../server/cluster/nats/nats-client.ts';
import { checkServers } from '../../server/cluster/nats/nats-servers.ts';
import { checkStreams } from '../../server/cluster/nats/stream-faults.ts';
import { openManager } from '../../server/cluster/nats/streams.ts';
import { type ClusterConfig, formatNatsServer, formatPeer } from '../../server/config/sections/cluster-config.ts';
import type { Finding } from '../doctor/damage-findings.ts';

const STRANGER_MS = 1000;
/** Private addresses, which no network outside routes (RFC 1918, RFC 6598, RFC 3927, RFC 4193, RFC 4291), and loopback. */
const PRIVATE =
  /^(10\.|127\.|169\.254\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|100\.(6[4-9]|[789]\d|1[01]\d|12[0-7])\.|::1$|f[cd]|fe[89ab])/i;

export async function clusterFindings({ cluster }: { readonly cluster: ClusterConfig }): Promise<Finding[]> {
  const findings = [network(cluster), ...credentials(cluster)];
  try {
    findings.push(...(await servers(cluster)));
    const connection = await connectNats(cluster.nats, 'aorta doctor');
    try {
      findings.push(await streams(cluster, connection));
    } finally {
      await connection.close();
    }
  } catch (error) {
    findings.push({ what: 'NATS', verdict: 'bad', detail: (error as Error).message });
  }
  return findings;
}

function network({ listen }: ClusterConfig): Finding {
  const what = 'cluster.listen';
  const address = formatPeer(listen);
  if (PRIVATE.test(listen.host))
    return { what, verdict: 'ok', detail: `${address}, not encrypted, on a private network` };
  return {
    what,
    verdict: 'warn',
    detail: `${address} is a public address: what nodes say to each other is not encrypted`,
  };
}

function credentials({ nats: { credentials: file, servers: all } }: ClusterConfig): Finding[] {
  const what = 'NATS credentials';
  if (file === undefined) return [{ what, verdict: 'warn', detail: 'there are none: set cluster.nats.credentials' }];
  const found = statSync(file, { throwIfNoEntry: false });
  if (found === undefined) return [{ what, verdict: 'bad', detail: `${file} is missing` }];
  if ((found.mode & 0o077) !== 0)
    return [{ what, verdict: 'warn', detail: `${file} can be read by others: chmod 600 ${file}` }];
  const open = all.filter(({ host, tls }) => !tls && !PRIVATE.test(host) && /^[\d.]+$|:/.test(host));
  if (open.length > 0)
    return [
      { what, verdict: 'warn', detail: `cross the network in the clear to ${open.map(formatNatsServer).join(', ')}` },
    ];
  return [{ what, verdict: 'ok', detail: file }];
}

async function servers({ nats }: ClusterConfig): Promise<Finding[]> {
  const reports = await checkServers(nats, () => {});
  const monitored =
    nats.monitors.length > 0 || nats.sync === 'lazy'
      ? ''
      : '; whether they sync is not known: set cluster.nats.monitors';
  return Promise.all(
    reports.map(async ({ server, why, version }, i): Promise<Finding> => {
      const what = `NATS ${server}`;
      if (why !== undefined) return { what, verdict: 'warn', detail: `does not let this node in: ${why}` };
      if (await isOpen(nats.servers[i]))
        return { what, verdict: 'warn', detail: `${version}; lets anybody in: whoever is in can stop the cluster` };
      return { what, verdict: monitored === '' ? 'ok' : 'warn', detail: `${version}${monitored}` };
    }),
  );
}

/** Whether the server accepts a stranger. */
async function isOpen(server: ClusterConfig['nats']['servers'][number]): Promise<boolean> {
  try {
    const connection = await connect({
      ...{ servers: formatNatsServer(server), reconnect: false, ignoreClusterUpdates: true, timeout: STRANGER_MS },
    });
    await connection.close();
    return true;
  } catch {
    return false;
  }
}

async function streams({ name }: ClusterConfig, connection: NatsConnection): Promise<Finding> {
  const what = `cluster ${name}`;
  try {
    const manager = await openManager(connection);
    const record = (await readRecord(manager, name))?.record;
    if (record === undefined) return { what, verdict: 'ok', detail: 'is not made yet: aorta cluster init' };
    const found = await checkStreams(manager, name, record.shards);
    const gone = found.find(({ fault }) => fault !== undefined)?.fault;
    if (gone !== undefined) return { what, verdict: 'bad', detail: gone.problem };
    const leaderless = found.filter(({ info }) => !info?.cluster?.leader).length;
    if (leaderless > 0) return { what, verdict: 'bad', detail: `${leaderless} streams have no leader` };
    const nodes = Object.keys(record.nodes);
    return { what, verdict: 'ok', detail: `${record.shards} streams as they must be; nodes ${nodes.join(', ')}` };
  } catch (error) {
    return { what, verdict: 'bad', detail: (error as Error).message };
  }
}
