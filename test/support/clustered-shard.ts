// A shard of one node of a cluster in virtual time: a real store on a simulated disk, a model of a stream, text in and text out.

import { ClusterShard } from '../../src/cluster/cluster-shard.ts';
import { ClusterStore } from '../../src/cluster/cluster-store.ts';
import { ShardTable } from '../../src/cluster/shard-table.ts';
import { noCheckpoint } from '../../src/location/checkpoint/checkpoint.ts';
import { LogStore } from '../../src/location/log/log-store.ts';
import { openFeed } from '../../src/shard/feed/open-feed.ts';
import { CALM, type ModelClient, ModelStream } from '../simulation/cluster/model-stream.ts';
import { Random } from '../simulation/shards/random.ts';
import { Timeline } from '../simulation/shards/timeline.ts';
import { SimulatedDisk, SimulatedLog } from './simulated-log.ts';
import { VIRTUAL_SECRET, VirtualShard, type VirtualShardOptions } from './virtual-shard.ts';

/** A stream whose acknowledgements come while they are waited for. */
export class Cluster {
  readonly timeline = new Timeline(Date.UTC(2026, 0, 1));
  readonly stream = new ModelStream(this.timeline, new Random(1));
  readonly nodes: ClusteredShard[] = [];

  constructor() {
    this.stream.weather = { ...CALM, instant: 1 };
  }

  /** A node that follows, and has taken in all there is. */
  join(options: Partial<NodeOptions> = {}): ClusteredShard {
    const node = new ClusteredShard(this, { node: this.nodes.length + 1, ...options });
    this.nodes.push(node);
    this.pass(100);
    return node;
  }

  /** Time passes, for all nodes that run. */
  pass(ms: number): void {
    for (const end = this.timeline.now + ms; this.timeline.now < end; ) {
      this.timeline.runUntil(Math.min(end, this.timeline.now + 20));
      for (const node of this.nodes) node.tick();
    }
  }
}

export interface NodeOptions extends VirtualShardOptions {
  readonly node: number;
  readonly life?: number;
  readonly disk?: SimulatedDisk;
  /** In place of one on a simulated disk. */
  readonly log?: LogStore;
  readonly skewMs?: number;
  /** Where it keeps its changes. */
  readonly changes?: { readonly directory: string; readonly memory: SharedArrayBuffer };
}

const FEED = { shard: 0, refreshes: true, keepBytes: 1 << 30, durability: 'process' } as const;

export class ClusteredShard {
  readonly disk: SimulatedDisk;
  readonly store: LogStore;
  readonly table = new ShardTable(1);
  readonly client: ModelClient;
  readonly cluster: ClusterShard;
  readonly virtual: VirtualShard;
  /** It is stopped, as by SIGSTOP. */
  isPaused = false;
  private mayClaim = false;
  private readonly world: Cluster;
  private readonly skewMs: number;

  constructor(world: Cluster, options: NodeOptions) {
    const { node, life = 1, disk = new SimulatedDisk(), skewMs = 0 } = options;
    this.world = world;
    this.disk = disk;
    this.skewMs = skewMs;
    this.store = options.log ?? new LogStore(new SimulatedLog(disk, 1 << 16), noCheckpoint, { endsAtDamage: true });
    this.client = world.stream.open(() => {});
    this.cluster = new ClusterShard({
      ...{ shard: 0, node, life, store: this.store, stream: this.client, table: this.table, log: () => {} },
      key: VIRTUAL_SECRET.subarray(0, 16),
    });
    const store = new ClusterStore(this.store, this.cluster);
    const feed = options.changes && openFeed({ ...options.changes, ...FEED }, this.store, this.cluster);
    this.cluster.feed = feed ?? null;
    this.virtual = new VirtualShard({
      ...options,
      ...(feed && { feed }),
      store,
      deciding: this.cluster,
      now: world.timeline.now + skewMs,
    });
    const { shard } = this.virtual;
    this.cluster.listener = {
      tookOver: (epoch, now) => shard.tookOver(epoch, now),
      gaveUp: () => shard.gaveUp(),
    };
    this.setMayClaim(false);
  }

  tick(): void {
    if (this.isPaused) return;
    this.around();
    this.virtual.now = this.world.timeline.now + this.skewMs;
    this.cluster.tick(this.virtual.now);
  }

  setMayClaim(mayClaim: boolean): void {
    this.mayClaim = mayClaim;
    this.around();
  }

  private around(): void {
    const epochHeard = Math.max(0, ...this.world.nodes.map(({ table }) => table.epoch(0)));
    this.table.setSurroundings(0, { mayClaim: this.mayClaim, isFit: true, handTo: 0, epochHeard, sequenceHeard: 0 });
  }

  /** Becomes the owner. */
  claim(): void {
    this.setMayClaim(true);
    this.world.pass(3000);
    this.setMayClaim(false);
    if (!this.cluster.decides) throw new Error(`it does not own the shard: role ${this.cluster.role}`);
  }
}
