// Keeps the addresses of the NATS servers for threads that cannot resolve names: resolved again now and then, as names move
// between machines.

import { lookup } from 'node:dns/promises';
import { every } from '../../../transport/every.ts';
import { NatsAddresses, type NatsServer } from '../../../transport/nats/nats-addresses.ts';
import type { Log } from '../../process/log.ts';

const LOOK_MS = 10_000;

export class NatsLookup {
  private readonly addresses: NatsAddresses;
  private readonly servers: readonly NatsServer[];
  private readonly timer: NodeJS.Timeout;

  /** @param memory of NatsAddresses @param relays ports on loopback, where servers are reached by relays */
  constructor(memory: SharedArrayBuffer, servers: readonly NatsServer[], log: Log, relays?: readonly number[]) {
    this.servers = relays === undefined ? servers : relays.map((port) => ({ host: '127.0.0.1', port }));
    this.addresses = new NatsAddresses(memory);
    const failed = (error: Error) => log('warn', 'NATS servers cannot be looked up', { error: error.message });
    this.timer = every(LOOK_MS, () => void this.look(), failed);
  }

  /** Resolves all names. One that cannot be resolved now keeps its address. */
  async look(): Promise<void> {
    await Promise.allSettled(
      this.servers.map(async ({ host, port }, server) => {
        this.addresses.set(server, (await lookup(host)).address, port);
      }),
    );
  }

  close(): void {
    clearInterval(this.timer);
  }
}
