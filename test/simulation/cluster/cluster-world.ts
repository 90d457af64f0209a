// A cluster in virtual time: three nodes, a stream per shard, phones that register at whichever node, and everything that may go wrong
// with any of them. What phones were told is held against what the streams say, and the nodes against that.

import type { Beat } from '../../../src/cluster/beat.ts';
import { ROLE_COPYING } from '../../../src/cluster/roles.ts';
import { createAorReader } from '../../../src/core/lookup/aor-key.ts';
import { shardOf } from '../../../src/shard/shard-of.ts';
import { SimulatedDisk } from '../../support/simulated-log.ts';
import { type StoredBinding, storedBindings } from '../../support/stored-bindings.ts';
import { Network } from '../shards/network.ts';
import { Phone, type World } from '../shards/phone.ts';
import { Random } from '../shards/random.ts';
import type { Datagram } from '../shards/servers.ts';
import { Timeline } from '../shards/timeline.ts';
import { ClusterNode, SECRET, type Surrounds } from './cluster-node.ts';
import { CALM, ModelStream } from './model-stream.ts';
import { StreamOracle } from './stream-oracle.ts';

const NODES = 3;
const SHARDS = 2;
const PHONES = 14;
const ROUGH_MS_MIN = 60_000;
const ROUGH_MS_MAX = 150_000;
/** Of two nodes, together less than 5 s. */
const SKEW_MS_MAX = 2400;
const WRONG_CLOCK_MS = 3_600_000;
/** After all is well again, each shard has an owner within this time. */
const HEALED_MS = 12_000;
const CHECK_MS = 2000;
/** Whoever owns the shard, and by whichever clock: a request that drew 200 does so again for this long after its first sending. */
const REPEATED_FOR_MS = 32_000;
const SECTOR_BYTES = 512;

export interface ClusterReport {
  messages: number;
  takeovers: number;
  deaths: number;
  blackouts: number;
  pauses: number;
  cuts: number;
  elections: number;
  droppedInFlight: number;
  fenced: number;
  unknownOutcomes: number;
  strangers: number;
  copies: number;
  handovers: number;
  answers: number;
  registered: number;
  repeated: number;
}

export class ClusterWorld implements World, Surrounds {
  readonly timeline = new Timeline(Date.UTC(2026, 0, 1));
  readonly random: Random;
  readonly report: ClusterReport = {
    ...{
      messages: 0,
      takeovers: 0,
      deaths: 0,
      blackouts: 0,
      pauses: 0,
      cuts: 0,
      elections: 0,
      droppedInFlight: 0,
      fenced: 0,
    },
    ...{ unknownOutcomes: 0, strangers: 0, copies: 0, handovers: 0, answers: 0, registered: 0, repeated: 0 },
  };
  readonly streams: readonly ModelStream[];
  /** Counts everything that makes the cluster forget requests. */
  epoch = 0;
  private readonly network: Network;
  private readonly oracles: readonly StreamOracle[];
  private readonly nodes: readonly ClusterNode[];
  private readonly phones: Phone[];
  private readonly byAddress = new Map<string, Phone>();
  private readonly asker = new Map<string, Phone>();
  /** What each phone asked last. */
  private readonly asks = new Map<Phone, { readonly request: string; readonly at: number }>();
  private readonly actedAt = new Map<string, number>();
  private readonly answerTo = new Map<string, string>();
  private readonly shardOf: (aor: string) => number;
  private readonly tell: ((line: string) => void) | undefined;
  private rough = true;
  readonly clocksDifferS = (2 * SKEW_MS_MAX) / 1000;
  private readonly clocksDifferMs = 2 * SKEW_MS_MAX;
  /** Streams forget what is old; else power is cut, and what is not synced is gone: no byte may be in neither. */
  private readonly trims: boolean;

  constructor(seed: number, tell?: (line: string) => void) {
    this.tell = tell;
    this.random = new Random(seed);
    this.trims = this.random.chance(0.5);
    this.network = new Network(this.timeline, this.random);
    this.oracles = Array.from({ length: SHARDS }, (_, shard) => new StreamOracle(shard));
    this.streams = this.oracles.map(
      (oracle) => new ModelStream(this.timeline, this.random, (sequence, bytes) => oracle.message(sequence, bytes)),
    );
    const key = createAorReader(SECRET);
    this.shardOf = (aor) => shardOf(key(`sip:${aor}`)?.key[3] ?? 0, SHARDS);
    this.nodes = Array.from({ length: NODES }, (_, i) => new ClusterNode(i + 1, SHARDS, this));
    this.phones = this.makePhones();
    for (const phone of this.phones) this.byAddress.set(`${phone.options.host}:${phone.port}`, phone);
  }

  run(): void {
    const { random } = this;
    this.setClocks();
    for (const node of this.nodes) {
      node.needsCopy = (shard) => this.copyTo(node, shard);
      const startMs = node.skewMs === WRONG_CLOCK_MS ? 4000 : random.between(0, 3000);
      this.timeline.after(startMs, () => {
        if (!node.isUp) node.start();
      });
    }
    for (const phone of this.phones) phone.start(random.between(1000, 20_000));
    this.timeline.after(6000, () => this.disturbOnAndOn());
    this.live(random.between(ROUGH_MS_MIN, ROUGH_MS_MAX));
    this.heal();
    this.live(HEALED_MS);
    this.demandOwners();
    for (const phone of this.phones) phone.settle();
    this.live(45_000);
    for (const phone of this.phones) if (!phone.settled) throw new Error(`${phone.options.name} never succeeded`);
    this.network.calm();
    this.live(10_000);
    this.demandEqual();
    this.sumUp();
  }

  // --- for phones

  send(phone: Phone, text: string): void {
    const datagram = { bytes: Buffer.from(text, 'latin1'), host: phone.options.host, port: phone.sourcePort };
    const shard = this.shardOf(phone.options.aor);
    this.network.carry(() => this.arrive(this.random.pick(this.nodes), shard, datagram, 2));
  }

  asked(phone: Phone, callId: string, cseq: number): void {
    const request = `${callId} ${cseq}`;
    this.asker.set(request, phone);
    this.asks.set(phone, { request, at: this.timeline.now });
  }

  // --- for nodes

  trueNow(): number {
    return this.timeline.now;
  }

  chance(probability: number): boolean {
    return this.random.chance(probability);
  }

  between(low: number, high: number): number {
    return this.random.between(low, high);
  }

  after(node: ClusterNode, ms: number, action: () => void): void {
    const { life } = node;
    this.timeline.after(ms, () => {
      if (node.isUp && node.life === life) action();
    });
  }

  beat(from: ClusterNode, beat: Beat): void {
    if (from.isCut) return;
    for (const node of this.nodes) {
      if (node === from || (this.rough && this.random.chance(0.02))) continue;
      this.timeline.after(this.random.between(0, 60), () => {
        if (node.isUp && !node.isCut) node.heard(beat);
      });
    }
  }

  answered(text: string, host: number, port: number): void {
    this.report.answers++;
    const phone = this.byAddress.get(`${host}:${port}`);
    if (phone === undefined) throw new Error(`an answer to nobody at ${host}:${port}\n${text}`);
    const request = `${/^Call-ID: (.*)\r$/m.exec(text)?.[1]} ${/^CSeq: (\d+)/m.exec(text)?.[1]}`;
    if (this.asker.get(request) !== phone) throw new Error(`not the phone that asked: ${phone.options.name}\n${text}`);
    const status = text.slice(8, 11);
    const first = this.answerTo.get(request);
    const last = this.asks.get(phone);
    if (first === undefined) this.answerTo.set(request, text);
    else if (first === text) this.report.repeated++;
    else if (last?.request !== request || status !== '500' || !first.startsWith('SIP/2.0 200')) {
      // a copy that is late, or another node's word
    } else if (this.timeline.now - last.at < REPEATED_FOR_MS)
      throw new Error(`two answers to one request:\n${first}\n${text}`);
    if (status === '503') this.epoch++; // what this node did not decide another one may have
    this.network.carry(() => phone.receive(text));
  }

  tookOver(node: ClusterNode, shard: number): void {
    this.report.takeovers++;
    this.forget();
    this.trace(`node ${node.id} owns shard ${shard}, epoch ${node.table.epoch(shard)}`);
  }

  gaveUp(node: ClusterNode, shard: number): void {
    this.forget();
    this.trace(`node ${node.id} does not own shard ${shard} any more`);
  }

  trace(line: string): void {
    this.tell?.(`${((this.timeline.now % 3_600_000) / 1000).toFixed(3)} ${line}`);
  }

  // --- what happens

  private live(ms: number): void {
    const end = this.timeline.now + ms;
    while (this.timeline.now < end) {
      this.timeline.runUntil(Math.min(end, this.timeline.now + CHECK_MS));
      const { aor } = this.random.pick(this.phones).options;
      for (const phone of this.phones) if (phone.options.aor === aor) phone.hurry();
      this.check();
    }
  }

  /** A request reaches a node, which hands it to the owner, if it knows one. */
  private arrive(node: ClusterNode, shard: number, datagram: Datagram, hops: number): void {
    if (!node.isUp) return;
    const owner = this.nodes.find(({ id }) => id === node.table.owner(shard));
    if (owner === undefined || owner === node || hops === 0) return node.arrive(shard, datagram);
    if (node.isCut || owner.isCut) return;
    this.timeline.after(this.random.between(0, 5), () => this.arrive(owner, shard, datagram, hops - 1));
  }

  private disturbOnAndOn(): void {
    this.timeline.after(this.random.between(500, 12_000), () => {
      if (!this.rough) return;
      this.disturb();
      this.disturbOnAndOn();
    });
  }

  private disturb(): void {
    const { random, report } = this;
    const node = random.pick(this.nodes);
    const stream = random.pick(this.streams);
    switch (random.between(0, 10)) {
      case 0:
        return this.kill(node, random.between(100, 15_000));
      case 1:
        report.pauses++;
        this.trace(`node ${node.id} pauses`);
        node.pausedUntil = this.timeline.now + random.between(50, 12_000);
        return;
      case 2:
        report.cuts++;
        this.trace(`node ${node.id} is cut off`);
        node.setCut(true);
        this.timeline.after(random.between(100, 12_000), () => node.setCut(false));
        return;
      case 3:
      case 4:
        this.trace('a stream loses its leader');
        return stream.loseLeader(random.between(50, 9000));
      case 5:
        this.trace('a stranger writes');
        return stream.intrude(this.strangersMessage(stream));
      case 6:
        return this.handOver(node);
      case 7:
        this.trace(`the disk of node ${node.id} fails`);
        node.diskFails = true;
        this.timeline.after(random.between(50, 6000), () => {
          node.diskFails = false;
        });
        return;
      case 8:
      case 9:
        if (this.trims) for (const each of this.streams) each.trim(each.last - random.between(0, 4));
        return;
      case 10:
        return this.darken();
    }
  }

  private strangersMessage(stream: ModelStream): Uint8Array {
    if (stream.last > 0 && this.random.chance(0.5)) return this.random.pick(stream.messages);
    return Uint8Array.from({ length: this.random.between(0, 200) }, () => this.random.between(0, 255));
  }

  /** The whole site loses its power: no node is left that others could copy from. */
  private darken(): void {
    if (this.trims || this.nodes.some(({ skewMs }) => skewMs === WRONG_CLOCK_MS)) return;
    this.report.blackouts++;
    for (const node of this.nodes) {
      if (node.isUp) this.kill(node, this.random.between(100, 15_000));
      for (const disk of node.disks) cutPower(disk, this.random);
    }
  }

  private kill(node: ClusterNode, ms: number): void {
    // What a clock that is wrong is compared with, a node that starts alone does not know.
    if (!node.isUp || node.skewMs === WRONG_CLOCK_MS) return;
    this.report.deaths++;
    this.trace(`node ${node.id} dies`);
    this.sumUpNode(node);
    node.die();
    node.diskFails = false;
    this.forget();
    if (!this.trims && this.random.chance(0.3)) for (const disk of node.disks) cutPower(disk, this.random);
    if (node.id === NODES && this.random.chance(0.3)) for (const disk of node.disks) flipBit(disk, this.random);
    this.timeline.after(ms, () => {
      if (!node.isUp) node.start();
    });
  }

  private handOver(node: ClusterNode): void {
    const target = this.random.pick(this.nodes);
    if (!node.isUp || target === node) return;
    this.report.handovers++;
    const until = this.timeline.now + 1000;
    node.handTo = () => (this.timeline.now < until ? target.id : 0);
  }

  /** A shard's log is copied from the node that has most of it. */
  private copyTo(node: ClusterNode, shard: number): void {
    const isSource = (other: ClusterNode) =>
      other !== node && other.runs && !other.isCut && other.table.role(shard) !== ROLE_COPYING;
    const sources = this.nodes.filter((other) => isSource(other) && !node.isCut);
    const source = sources.sort((a, b) => b.table.applied(shard) - a.table.applied(shard))[0];
    if (source === undefined || source.table.applied(shard) < this.streams[shard].first - 1) return;
    this.report.copies++;
    this.trace(`node ${node.id} copies shard ${shard} from node ${source.id}`);
    const disk = new SimulatedDisk();
    const from = source.disks[shard];
    for (const [number, bytes] of from.generations) disk.generations.set(number, bytes.slice());
    for (const [number, address] of from.settled) disk.settled.set(number, address);
    for (const [number, address] of from.before) disk.before.set(number, address);
    disk.droppedAt = from.droppedAt;
    node.copied(shard, disk);
    this.forget();
  }

  private forget(): void {
    this.epoch++;
    for (const phone of this.phones) phone.serverRestarted();
  }

  private setClocks(): void {
    const { random } = this;
    for (const node of this.nodes) node.skewMs = random.between(-SKEW_MS_MAX, SKEW_MS_MAX);
    if (random.chance(0.1)) this.nodes[0].skewMs = WRONG_CLOCK_MS; // it never owns anything
  }

  private heal(): void {
    this.trace('all is well again');
    this.rough = false;
    for (const stream of this.streams) {
      stream.weather = CALM;
      stream.loseLeader(0);
    }
    for (const node of this.nodes) {
      node.setCut(false);
      node.diskFails = false;
      node.resume();
      node.handTo = () => 0;
      if (!node.isUp) node.start();
    }
  }

  // --- what must hold

  private check(): void {
    const stored = new Map<string, StoredBinding[]>();
    for (const oracle of this.oracles) {
      for (const [aor, list] of storedBindings(oracle.store)) {
        stored.set(aor, list);
        for (const binding of list) this.checkAskedFor(aor, binding);
      }
    }
    for (const phone of this.phones) this.checkBelief(phone, stored.get(phone.options.aor) ?? []);
    for (const node of this.nodes) this.checkPrefix(node);
  }

  /** I1: what a node has taken in is what the stream says. */
  private checkPrefix(node: ClusterNode): void {
    for (const [shard, { cluster }] of node.serving.entries()) {
      const { applied } = cluster;
      const said = this.oracles[shard].applied[applied.sequence];
      if (said?.sum !== applied.sum || said.epoch !== applied.epoch)
        throw new Error(`node ${node.id} has ${JSON.stringify(applied)}, the stream says ${JSON.stringify(said)}`);
    }
  }

  /** Nothing is there that was never asked for, or acted twice. */
  private checkAskedFor(aor: string, binding: StoredBinding): void {
    const { uri, callId, cseq, refreshedAt } = binding;
    const phone = this.asker.get(`${callId} ${cseq}`);
    if (phone === undefined || phone.options.aor !== aor || !phone.options.contacts.includes(uri))
      throw new Error(`nobody asked for this: ${aor} ${JSON.stringify(binding)}`);
    const key = `${callId} ${cseq} ${uri}`;
    const before = this.actedAt.get(key) ?? refreshedAt;
    if (before !== refreshedAt) throw new Error(`acted at ${before} and again at ${refreshedAt}: ${key}`);
    this.actedAt.set(key, refreshedAt);
  }

  /** I2 and I5: what a phone has been told, and nothing has changed since, the stream says, too. */
  private checkBelief(phone: Phone, stored: readonly StoredBinding[]): void {
    const { belief, options } = phone;
    if (phone.busy || belief.kind === 'unknown') return;
    const { now } = this.timeline;
    for (const uri of options.contacts) {
      const binding = stored.find((one) => one.uri === uri && one.expiresAt > now + this.clocksDifferMs);
      if (belief.kind === 'unbound') {
        if (binding !== undefined) throw new Error(`${options.name} was told it is gone: ${JSON.stringify(binding)}`);
        continue;
      }
      const { callId, cseq, from } = belief;
      const kept = stored.find((one) => one.uri === uri);
      if (kept === undefined) {
        if (from > now + this.clocksDifferMs)
          throw new Error(`${options.name} was told ${JSON.stringify(belief)}; ${uri} is not there`);
      } else if (kept.callId !== callId || kept.cseq !== cseq)
        throw new Error(`${options.name} was told ${JSON.stringify(belief)}; is ${JSON.stringify(kept)}`);
    }
  }

  /** I6. */
  private demandOwners(): void {
    for (let shard = 0; shard < SHARDS; shard++) {
      const owners = this.nodes.filter((node) => node.table.isOwner(shard));
      if (owners.length !== 1)
        throw new Error(`shard ${shard} has ${owners.length} owners: ${this.nodes.map((n) => n.table.role(shard))}`);
    }
  }

  /** I4. */
  private demandEqual(): void {
    const isCurrent = ({ serving }: ClusterNode) =>
      serving.every(({ cluster }, shard) => cluster.applied.sequence === this.oracles[shard].applied.at(-1)?.sequence);
    const end = this.timeline.now + 5000;
    while (!this.nodes.every(isCurrent) && this.timeline.now < end) this.timeline.runUntil(this.timeline.now + 5);
    for (const node of this.nodes)
      for (const [shard, { store, cluster }] of node.serving.entries()) {
        const { sequence } = cluster.applied;
        const who = `node ${node.id}, shard ${shard}, role ${cluster.role}, ${sequence} of ${this.streams[shard].last}`;
        this.oracles[shard].demandEqual(store, `${who} ${cluster.trouble}`);
      }
  }

  private sumUpNode({ table }: ClusterNode): void {
    for (let shard = 0; shard < SHARDS; shard++) {
      this.report.fenced += table.count(shard, 'fenced');
      this.report.unknownOutcomes += table.count(shard, 'unknown_outcomes');
      this.report.strangers += table.count(shard, 'strangers');
    }
  }

  private sumUp(): void {
    const { report } = this;
    for (const node of this.nodes) if (node.isUp) this.sumUpNode(node);
    for (const { last, elections, droppedInFlight } of this.streams) {
      report.messages += last;
      report.elections += elections;
      report.droppedInFlight += droppedInFlight;
    }
    for (const phone of this.phones) report.registered += phone.succeeded;
  }

  /** AORs of one or two phones, phones of one or two contacts. */
  private makePhones(): Phone[] {
    const { random } = this;
    const phones: Phone[] = [];
    for (let account = 0; phones.length < PHONES; account++) {
      const devices = random.pick([1, 1, 2]);
      for (let device = 0; device < devices; device++) {
        const name = `p${account}d${device}`;
        const lines = random.pick([1, 1, 1, 2]);
        const options = {
          name,
          aor: `user${account}@example.com`,
          contacts: Array.from({ length: lines }, (_, line) => `sip:${name}l${line}@192.168.1.20:5060;transport=udp`),
          host: phones.length + 1,
          nat: random.chance(0.5),
          alone: devices === 1,
          askS: random.pick([60, 60, 90, 120, 300]),
        };
        phones.push(new Phone(options, this));
      }
    }
    return phones;
  }
}

/** A cut of power takes any part of what was not synced: the newest file, or bytes before others that stay. */
function cutPower(disk: SimulatedDisk, random: Random): void {
  const unsynced = [...disk.generations].filter(([number]) => number > disk.syncedTo);
  const newest = Math.max(...disk.generations.keys());
  const kept = random.pick([0.5, 0.9, 0.99, 1]);
  for (const [number, bytes] of unsynced) {
    if (number === newest && random.chance(0.3)) {
      disk.generations.delete(number);
      disk.settled.delete(number);
      disk.before.delete(number);
    }
    for (let at = 0; at < bytes.length; at += SECTOR_BYTES)
      if (!random.chance(kept)) bytes.fill(0, at, at + SECTOR_BYTES);
  }
}

/** Somewhere in the log. */
function flipBit(disk: SimulatedDisk, random: Random): void {
  if (disk.generations.size === 0) return;
  const bytes = random.pick([...disk.generations.values()]);
  bytes[random.between(0, bytes.length - 1)] ^= 1 << random.between(0, 7);
}
