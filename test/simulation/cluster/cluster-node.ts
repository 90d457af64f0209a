// A node of a simulated cluster: its shards with their logs on simulated disks, what it hears of other nodes, and a clock that may be
// wrong. It may pause, die and come again; its disks outlive it.

import type { Beat } from '../../../src/cluster/beat.ts';
import { ClusterShard } from '../../../src/cluster/cluster-shard.ts';
import { ClusterStore } from '../../../src/cluster/cluster-store.ts';
import { Membership } from '../../../src/cluster/membership.ts';
import { ROLE_COPYING } from '../../../src/cluster/roles.ts';
import { ShardTable } from '../../../src/cluster/shard-table.ts';
import { DEFAULT_POLICY } from '../../../src/core/uas/policy.ts';
import { ANSWER_BYTES_MIN } from '../../../src/core/uas/transaction-sizes.ts';
import { noCheckpoint } from '../../../src/location/checkpoint/checkpoint.ts';
import { LogStore } from '../../../src/location/log/log-store.ts';
import { BatchDriver } from '../../../src/shard/batch.ts';
import { COUNTER_NAMES } from '../../../src/shard/observe/counters.ts';
import { Measures } from '../../../src/shard/observe/measures.ts';
import { Shard } from '../../../src/shard/shard.ts';
import { SLOT_COUNT, slab, slotStart } from '../../../src/sip/parser/slab.ts';
import { SimulatedDisk, SimulatedLog } from '../../support/simulated-log.ts';
import type { Datagram } from '../shards/servers.ts';
import type { ModelClient, ModelStream } from './model-stream.ts';

export const GENERATION_BYTES = 1 << 13;
export const SECRET = Uint8Array.from({ length: 32 }, (_, i) => 7 * i + 1);
export const KEY = SECRET.subarray(0, 16);
const BEAT_MS = 250;
const LOOK_MS = 50;
const IDLE_MS = 1000;
const STEP_MS_MIN = 5;

/** What a node does to the world around it. */
export interface Surrounds {
  readonly streams: readonly ModelStream[];
  /** Plans something in true time; not done if the node has died meanwhile. */
  after(node: ClusterNode, ms: number, action: () => void): void;
  trueNow(): number;
  chance(probability: number): boolean;
  between(low: number, high: number): number;
  beat(from: ClusterNode, beat: Beat): void;
  answered(text: string, host: number, port: number): void;
  tookOver(node: ClusterNode, shard: number): void;
  gaveUp(node: ClusterNode, shard: number): void;
  trace(line: string): void;
}

export interface Serving {
  readonly store: LogStore;
  readonly cluster: ClusterShard;
  readonly shard: Shard;
  readonly driver: BatchDriver;
  readonly stream: ModelClient;
  readonly counters: Float64Array;
  queue: Datagram[];
  readonly inSlots: Datagram[];
  plannedAt: number;
}

export class ClusterNode {
  readonly id: number;
  /** How far its clock is ahead, ms. */
  skewMs = 0;
  life = 0;
  isUp = false;
  pausedUntil = 0;
  /** Cut off from the stream, and from the other nodes. */
  isCut = false;
  diskFails = false;
  table: ShardTable;
  membership: Membership;
  serving: Serving[] = [];
  /** Set by the world: to which node a shard is to go, 0 for none; and that a shard's log is to be copied. */
  handTo: (shard: number) => number = () => 0;
  needsCopy: (shard: number) => void = () => {};
  readonly disks: SimulatedDisk[];
  private readonly shards: number;
  private readonly world: Surrounds;
  private beats = 0;
  private readonly lengths = new Int32Array(SLOT_COUNT);

  constructor(id: number, shards: number, world: Surrounds) {
    this.id = id;
    this.shards = shards;
    this.world = world;
    this.disks = Array.from({ length: shards }, () => new SimulatedDisk());
    this.table = new ShardTable(shards);
    this.membership = new Membership({ node: id, shards });
  }

  /** By its own clock. */
  get now(): number {
    return this.world.trueNow() + this.skewMs;
  }

  get runs(): boolean {
    return this.isUp && this.world.trueNow() >= this.pausedUntil;
  }

  start(): void {
    this.isUp = true;
    this.life++;
    this.beats = 0;
    this.table = new ShardTable(this.shards);
    this.membership = new Membership({ node: this.id, shards: this.shards });
    this.serving = this.disks.map((_disk, shard) => this.open(shard));
    this.beatOnAndOn();
    this.lookOnAndOn();
    for (const shard of this.serving.keys()) this.wake(shard, 0);
  }

  die(): void {
    this.isUp = false;
    for (const { stream } of this.serving) stream.close();
    this.serving = [];
  }

  /** A shard of this node begins anew on another disk. */
  copied(shard: number, disk: SimulatedDisk): void {
    this.serving[shard].stream.close();
    this.disks[shard] = disk;
    this.serving[shard] = this.open(shard);
    this.wake(shard, 0);
  }

  resume(): void {
    this.pausedUntil = 0;
    for (const shard of this.serving.keys()) this.wake(shard, 0);
  }

  setCut(isCut: boolean): void {
    this.isCut = isCut;
    for (const { stream } of this.serving) stream.cut = isCut;
  }

  heard(beat: Beat): void {
    this.membership.heard(beat, this.now);
  }

  arrive(shard: number, datagram: Datagram): void {
    this.serving[shard].queue.push(datagram);
    this.wake(shard, this.world.between(0, 10));
  }

  private open(shard: number): Serving {
    const { world, disks, table, id } = this;
    const disk = disks[shard];
    disk.fault = (operation) => {
      if (this.diskFails && operation !== 'read' && world.chance(0.3)) throw new Error('disk full');
    };
    const stream = world.streams[shard].open(() => this.wake(shard, 0));
    stream.cut = this.isCut;
    const store = new LogStore(new SimulatedLog(disk, GENERATION_BYTES), noCheckpoint, { endsAtDamage: true });
    const log = (_level: string, event: string, fields: Record<string, unknown>) =>
      world.trace(`node ${id} ${event} ${JSON.stringify(fields)}`);
    const cluster = new ClusterShard({
      ...{ shard, node: id, life: this.life, store, stream, table, key: KEY, log },
    });
    const counters = new Float64Array(COUNTER_NAMES.length);
    const own: Shard = new Shard({
      index: shard,
      shards: this.shards,
      store: new ClusterStore(store, cluster),
      deciding: cluster,
      policy: {
        ...DEFAULT_POLICY,
        domains: ['example.com'],
        expiresJitterPercent: 10,
        answerBytesMax: ANSWER_BYTES_MIN,
      },
      secret: SECRET,
      counters,
      forward: () => {
        throw new Error('a message came to a shard that is not its own');
      },
      log: () => {},
    });
    own.open();
    cluster.listener = {
      tookOver: (epoch, now) => {
        own.tookOver(epoch, now);
        world.tookOver(this, shard);
      },
      gaveUp: () => {
        own.gaveUp();
        world.gaveUp(this, shard);
      },
    };
    const inSlots: Datagram[] = [];
    const driver = new BatchDriver({
      shard: own,
      counters,
      measures: new Measures(),
      elapsed: () => 0,
      send: () => this.send(own, inSlots),
    });
    return { store, cluster, shard: own, driver, stream, counters, queue: [], inSlots, plannedAt: -1 };
  }

  /** What the shard's thread does once. */
  private run(shard: number): void {
    const serving = this.serving[shard];
    if (serving === undefined) return;
    const { pausedUntil, world, lengths } = this;
    if (!this.runs) return this.wake(shard, Math.max(1, pausedUntil - world.trueNow()));
    const { cluster, driver, shard: own } = serving;
    const { now } = this;
    cluster.tick(now);
    const first = own.firstSlot;
    const batch = serving.queue.splice(0, SLOT_COUNT - first);
    const end = first + batch.length;
    const free = own.takeHeld(lengths, end, now);
    if (free > first || own.msToNextTick(now) === 0) {
      for (let slot = end; slot < free; slot++) serving.inSlots[slot] = this.held(serving, slot);
      // Shards of one thread share the slab: what lies in the slots in flight is another's by now.
      for (const [slot, { bytes }] of serving.inSlots.slice(0, first).entries()) slab.set(bytes, slotStart(slot));
      for (const [i, datagram] of batch.entries()) this.fill(serving, first + i, datagram);
      driver.run(lengths, first, free, now);
    }
    const due = [cluster.msToNext(now), own.msToNextTick(now), IDLE_MS].filter((ms) => ms >= 0);
    this.wake(shard, serving.queue.length > 0 ? STEP_MS_MIN : Math.max(STEP_MS_MIN, Math.min(...due)));
  }

  private fill({ shard, inSlots }: Serving, slot: number, datagram: Datagram): void {
    const { bytes, host, port } = datagram;
    inSlots[slot] = datagram;
    slab.set(bytes, slotStart(slot));
    shard.peers.family[slot] = 4;
    shard.peers.ip.set([10, host >> 16, (host >> 8) & 255, host & 255], slot * 16);
    shard.peers.port[slot] = port;
    this.lengths[slot] = bytes.length;
  }

  /** What the shard has kept while its stream did not answer, in a slot again. */
  private held({ shard: { peers } }: Serving, slot: number): Datagram {
    const [, high, middle, low] = peers.ip.subarray(slot * 16, slot * 16 + 4);
    const at = slotStart(slot);
    const bytes = slab.slice(at, at + this.lengths[slot]);
    return { bytes, host: (high << 16) | (middle << 8) | low, port: peers.port[slot] };
  }

  private send({ answers }: Shard, inSlots: readonly Datagram[]): void {
    for (let row = 0; row < answers.count; row++) {
      const text = Buffer.from(answers.bytes.subarray(answers.at[row], answers.end[row])).toString('latin1');
      this.world.answered(text, inSlots[answers.slot[row]].host, answers.port[row]);
    }
  }

  /** Has the shard's thread run in so many ms, or before. */
  private wake(shard: number, ms: number): void {
    const serving = this.serving[shard];
    if (serving === undefined) return;
    const at = this.world.trueNow() + ms;
    if (serving.plannedAt >= 0 && serving.plannedAt <= at) return;
    serving.plannedAt = at;
    this.world.after(this, ms, () => {
      if (this.serving[shard] !== serving || serving.plannedAt !== at) return;
      serving.plannedAt = -1;
      this.run(shard);
    });
  }

  private beatOnAndOn(): void {
    if (this.runs) {
      const beat = this.beat();
      this.heard(beat);
      this.world.beat(this, beat);
    }
    this.world.after(this, BEAT_MS, () => this.beatOnAndOn());
  }

  private beat(): Beat {
    const { table, serving } = this;
    return {
      ...{ node: this.id, name: `n${this.id}`, life: this.life, number: ++this.beats, level: 1, clock: this.now },
      ...{ policy: 0, draining: false, firstFlow: 0 },
      shards: serving.map((_, shard) => ({
        role: table.role(shard),
        epoch: table.epoch(shard),
        applied: table.applied(shard),
      })),
    };
  }

  /** What the cluster's thread does. */
  private lookOnAndOn(): void {
    if (this.runs) {
      const { table, membership, now } = this;
      for (const shard of this.serving.keys()) {
        const [owner, life, epoch] = [table.owner(shard), table.ownerLife(shard), table.epoch(shard)];
        const mayClaim = membership.mayClaim(shard, owner, life, epoch, now);
        const around = {
          mayClaim,
          isFit: membership.isFit(),
          handTo: this.handTo(shard),
          epochHeard: membership.epochHeard(shard),
          sequenceHeard: membership.sequenceHeard(shard),
        };
        if (table.setSurroundings(shard, around)) this.wake(shard, 0);
        if (table.role(shard) === ROLE_COPYING) this.needsCopy(shard);
      }
    }
    this.world.after(this, LOOK_MS, () => this.lookOnAndOn());
  }
}
