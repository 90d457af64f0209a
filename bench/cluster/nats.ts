// The NATS servers of a cluster that is measured: the tests' three, with a stream for each shard.

import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { makeStreams } from '../../src/server/cluster/nats/streams.ts';
import { killAll } from '../../test/support/child-process.ts';
import { NatsServers, natsMissing } from '../../test/support/nats-servers.ts';
import { Missing } from '../question.ts';
import { cpuSeconds } from '../streams/process-figures.ts';

/** Throws Missing where there is no nats-server. */
export async function startNats(): Promise<NatsServers> {
  demandNats();
  return NatsServers.start();
}

/** Throws Missing. */
export function demandNats(): void {
  if (process.platform !== 'linux') throw new Missing('Linux is needed');
  if (natsMissing()) throw new Missing('there is no nats-server');
}

export async function makeBenchStreams(
  nats: NatsServers,
  cluster: string,
  tell: (text: string) => void,
): Promise<void> {
  const connection = await connect({ servers: nats.urls });
  try {
    await makeStreams(await jetstreamManager(connection), cluster, 1, tell);
  } finally {
    await connection.close();
  }
}

export async function closeNats(nats: NatsServers): Promise<void> {
  await nats.close();
  await killAll();
}

/** CPU time of all of them, in seconds. */
export function natsSeconds(nats: NatsServers): number {
  return nats.children.reduce((sum, { pid }) => sum + cpuSeconds(pid), 0);
}
