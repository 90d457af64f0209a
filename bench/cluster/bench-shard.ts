// A shard of one node of a cluster, without its thread: store on disk, stream over NATS, and batches that are put to it one at a time.

import { ClusterShard } from '../../src/cluster/cluster-shard.ts';
import { ClusterStore } from '../../src/cluster/cluster-store.ts';
import { ShardTable } from '../../src/cluster/shard-table.ts';
import type { LogStore } from '../../src/location/log/log-store.ts';
import { openLogStore } from '../../src/location/open-log-store.ts';
import type { WriteSet } from '../../src/location/write-set.ts';
import { NatsStream } from '../../src/threads/cluster/nats-stream.ts';
import * as abi from '../../src/transport/linux/linux-abi.ts';
import { monotonicMs } from '../../src/transport/monotonic.ts';
import { createAddressMemory, NatsAddresses } from '../../src/transport/nats/nats-addresses.ts';
import { createLoginMemory } from '../../src/transport/nats/shared-login.ts';
import type { NatsServers } from '../../test/support/nats-servers.ts';
import { Missing } from '../question.ts';

export const CLUSTER = 'bench';
const LOST_MS = 30_000;

export class BenchShard {
  readonly local: LogStore;
  readonly cluster: ClusterShard;
  private readonly store: ClusterStore;
  private readonly stream: NatsStream;
  private readonly table = new ShardTable(1);

  constructor(nats: NatsServers, node: number, directory: string) {
    const calls = abi.loadCalls();
    if (typeof calls === 'string') throw new Missing(calls);
    const addresses = createAddressMemory(nats.ports.length);
    for (const [server, port] of nats.ports.entries()) new NatsAddresses(addresses).set(server, '127.0.0.1', port);
    const inbox = `_INBOX.b${process.pid}-${node}`;
    const access = { addresses, login: createLoginMemory(), node: String(node), inbox } as const;
    this.stream = new NatsStream(calls, { cluster: CLUSTER, shard: 0, access, log: () => {} });
    this.local = openLogStore(directory, 'process');
    this.cluster = new ClusterShard({
      ...{ shard: 0, node, life: 1, store: this.local, stream: this.stream, table: this.table },
      key: new Uint8Array(16).fill(7),
      monotonic: monotonicMs,
      log: () => {},
    });
    this.store = new ClusterStore(this.local, this.cluster);
    this.mayClaim(false);
  }

  /** Becomes the owner. */
  claim(): void {
    this.mayClaim(true);
    this.until('the shard', () => this.cluster.decides);
    this.mayClaim(false);
  }

  /** Commits a batch; resolves, so to say, when it is acknowledged. */
  commit(writes: WriteSet): void {
    const position = this.store.commit(writes, Date.now());
    this.until('an acknowledgement', () => this.store.settled() >= position);
  }

  /** Takes in what there is, up to a sequence. */
  follow(to: number): void {
    this.until(`message ${to}`, () => this.cluster.applied.sequence >= to);
  }

  close(): void {
    this.store.close();
  }

  private until(what: string, is: () => boolean): void {
    for (const end = monotonicMs() + LOST_MS; !is(); this.stream.wait(1)) {
      this.cluster.tick(Date.now());
      if (monotonicMs() > end) throw new Error(`${what} does not come: ${this.cluster.trouble}`);
      if (is()) return;
    }
  }

  private mayClaim(mayClaim: boolean): void {
    this.table.setSurroundings(0, { mayClaim, isFit: true, handTo: 0, epochHeard: 0, sequenceHeard: 0 });
  }
}
