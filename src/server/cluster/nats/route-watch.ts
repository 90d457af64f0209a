// Whether the NATS servers that run have routes to each other. A server before 2.15 may give one up for good, and then it misses the leaders
// of streams that the other has, while nothing else about it is wrong (docs/cluster.md).

import * as z from 'zod';
import { formatNatsServer, type NatsConfig } from '../../config/sections/cluster-config.ts';
import { askServer } from './nats-client.ts';
import { MONITOR_MS, type ServerFault } from './nats-servers.ts';

const Routez = z.object({
  server_id: z.string(),
  routes: z.array(z.object({ remote_id: z.string() })).nullish(),
});

/** A server with monitoring, and what it knows of its NATS cluster. */
export interface WatchedServer {
  readonly monitor: string;
  readonly cluster?: string | undefined;
  /** Servers of the cluster, also those that are away. */
  readonly size?: number | undefined;
}

interface Routes extends WatchedServer {
  readonly id: string;
  /** IDs of servers. */
  readonly to: ReadonlySet<string>;
}

export class RouteWatch {
  private readonly config: NatsConfig;
  /** Routes that were missing at the look before, by the IDs of both servers, which a start changes. */
  private before: ReadonlySet<string> = new Set();

  constructor(config: NatsConfig) {
    this.config = config;
  }

  /** Servers that twice had no route to one that lets this node in. A server that has just started is about to connect. */
  async look(servers: readonly WatchedServer[]): Promise<ServerFault[]> {
    const found = (await Promise.all(servers.map(routesOf))).filter((routes) => routes !== undefined);
    const short = found.filter(({ to, size = 1 }) => to.size + 1 < size);
    // A login costs a server much: none, while all have their routes.
    const running = short.length > 0 ? await this.running() : [];
    const missing = new Set<string>();
    const faults = short.flatMap((from) => {
      const others = running.filter(
        ({ id, cluster }) => cluster === from.cluster && id !== from.id && !from.to.has(id),
      );
      for (const { id } of others) missing.add(`${from.id} ${id}`);
      const lasting = others.filter(({ id }) => this.before.has(`${from.id} ${id}`)).map(({ url }) => url);
      return lasting.length === 0 ? [] : [faultOf(from.monitor, lasting)];
    });
    this.before = missing;
    return faults;
  }

  private async running() {
    const { config } = this;
    const asked = await Promise.all(
      config.servers.map(async (server) => ({
        url: formatNatsServer(server),
        info: await askServer(config, server).catch(() => undefined),
      })),
    );
    return asked.flatMap(({ url, info }) =>
      info === undefined || 'why' in info ? [] : [{ url, id: info.server_id, cluster: info.cluster }],
    );
  }
}

function faultOf(monitor: string, others: readonly string[]): ServerFault {
  const problem =
    `the NATS server with monitoring at ${monitor} has no route to ${others.join(' and ')}: mend the network between them, ` +
    'or restart this server where it is whole';
  return { monitor, kind: 'unrouted', problem };
}

/** Undefined where nothing is known. */
async function routesOf(server: WatchedServer): Promise<Routes | undefined> {
  if (server.cluster === undefined) return undefined;
  try {
    const answer = await fetch(`${server.monitor}/routez`, { signal: AbortSignal.timeout(MONITOR_MS) });
    const { server_id, routes } = Routez.parse(await answer.json());
    return { ...server, id: server_id, to: new Set(routes?.map(({ remote_id }) => remote_id)) };
  } catch {
    return undefined;
  }
}
