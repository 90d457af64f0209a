// Watches the NATS servers while nodes run: whether they still lose nothing, and have routes to each other. Their operator may start one
// with another configuration or version at any time, and a node that stays connected to the others would not notice.

import type { NatsConfig } from '../config/sections/cluster-config.ts';
import type { Log } from '../process/log.ts';
import { FreshLook } from './fresh-look.ts';
import { lookAtServer, type ServerFault } from './nats/nats-servers.ts';
import { RouteWatch } from './nats/route-watch.ts';

const EVENTS = {
  unsynced: 'a NATS server may lose what it acknowledges',
  old: 'a NATS server may lose what it acknowledges',
  unrouted: 'a NATS server has no route to another',
};

export class ServerWatch {
  /** Faults of servers whose monitoring this node is configured to read. */
  faults: readonly ServerFault[] = [];
  private readonly config: NatsConfig;
  private readonly log: Log;
  private readonly routes: RouteWatch;
  private readonly fresh = new FreshLook(() => this.ask());

  constructor(config: NatsConfig, log: Log) {
    this.config = config;
    this.log = log;
    this.routes = new RouteWatch(config);
  }

  /** Asks the servers, unless the last answer is fresh. One that does not answer keeps its state. */
  async look(): Promise<void> {
    await this.fresh.look();
  }

  close(): void {
    this.fresh.close();
  }

  private async ask(): Promise<void> {
    const { monitors } = this.config;
    const looks = await Promise.all(monitors.map((monitor) => lookAtServer(this.config, monitor)));
    const known = new Map(this.faults.map((fault) => [fault.monitor, fault]));
    const unrouted = await this.routes.look(
      looks.map(({ cluster, size }, i) => ({ monitor: monitors[i], cluster, size })),
    );
    this.faults = looks.flatMap(({ fault, why }, i) => {
      const [of] = unrouted.filter(({ monitor }) => monitor === monitors[i]);
      return (why === undefined ? (fault ?? of) : known.get(monitors[i])) ?? [];
    });
    this.tell(known);
  }

  /** Logs new faults. */
  private tell(before: ReadonlyMap<string, ServerFault>): void {
    for (const { monitor, kind, problem } of this.faults)
      if (before.get(monitor)?.problem !== problem) this.log('error', EVENTS[kind], { monitor, problem });
    for (const monitor of before.keys())
      if (!this.faults.some((fault) => fault.monitor === monitor))
        this.log('info', 'a NATS server is as it must be again', { monitor });
  }
}
