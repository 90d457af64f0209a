// Shards as they are, over the real location store on simulated disks, in a world that one seed draws: requests in batches, copies of
// them, faults of the disk, crashes anywhere, cuts of power, restarts, checkpoints. Every answer is held against a model.

import { DEFAULT_POLICY } from '../../../src/core/uas/policy.ts';
import { ANSWER_BYTES_MIN } from '../../../src/core/uas/transaction-sizes.ts';
import { checkpointIn } from '../../../src/location/checkpoint/checkpoint.ts';
import { LogStore } from '../../../src/location/log/log-store.ts';
import { BatchDriver } from '../../../src/shard/batch.ts';
import { COUNTER, COUNTER_NAMES } from '../../../src/shard/observe/counters.ts';
import { Measures } from '../../../src/shard/observe/measures.ts';
import { Shard } from '../../../src/shard/shard.ts';
import { SLOT_COUNT, slab, slotStart } from '../../../src/sip/parser/slab.ts';
import { TRANSPORT_TCP, TRANSPORT_UDP } from '../../../src/sip/sources.ts';
import { checkpointsOn, writeCheckpoint } from '../checkpoints-on-disk.ts';
import { CALM, Crash, DiskError, SimulatedDisk, type Weather } from '../disk.ts';
import { LogOnDisk } from '../log-on-disk.ts';
import { BindingModel } from './binding-model.ts';
import { Random } from './random.ts';
import { type Delivery, ShardPhone } from './shard-phone.ts';

const BEGIN = Date.UTC(2030, 0, 1);
const SECRET = Uint8Array.from({ length: 32 }, (_, i) => 7 * i + 1);
/** The transaction of a request surely lives this long, and surely no longer than that. */
const KEPT_MS = 31_000;
const FORGOTTEN_MS = 33_000;
/** A connection's bindings leave the store within so many turns of the shard without a fault. */
const SWEEPS_MAX = 400;

export interface ShardWorldReport {
  requests: number;
  answers: number;
  repeats: number;
  refused: number;
  crashes: number;
  starts: number;
  checkpoints: number;
  connectionsEnded: number;
  expired: number;
}

interface Serving {
  readonly disk: SimulatedDisk;
  log: LogOnDisk;
  store: LogStore;
  shard: Shard;
  driver: BatchDriver;
  readonly counters: Float64Array;
  queue: Delivery[];
  readonly inSlots: Delivery[];
  settled: number;
  checkpointing: Promise<void> | undefined;
}

interface Scale {
  readonly shards: number;
  readonly aors: number;
  readonly generationBytes: number;
  readonly batch: number;
  readonly turns: number;
  readonly connectionBindings: 'auto' | 'flow' | 'contact';
}

const lengths = new Int32Array(SLOT_COUNT);

export class ShardWorld {
  readonly report: ShardWorldReport = {
    requests: 0,
    answers: 0,
    repeats: 0,
    refused: 0,
    crashes: 0,
    starts: 0,
    checkpoints: 0,
    connectionsEnded: 0,
    expired: 0,
  };
  private readonly random: Random;
  private readonly trace: ((line: string) => void) | undefined;
  private readonly scale: Scale;
  private readonly weather: Weather;
  private crashes: number;
  private readonly phones: ShardPhone[] = [];
  private readonly models = new Map<string, BindingModel>();
  private serving: Serving[] = [];
  private now = BEGIN;
  private turn = 0;
  private life = 0;
  /** Connections that stand. */
  private readonly flows = new Set<number>();
  private failure: unknown;

  constructor(seed: number, trace?: (line: string) => void) {
    this.trace = trace;
    const random = new Random(seed);
    this.random = random;
    this.scale = {
      shards: random.pick([1, 1, 2, 3]),
      aors: random.pick([1, 3, 6, 12]),
      generationBytes: random.pick([4096, 8192, 16_384]),
      batch: random.pick([1, 3, 8]),
      turns: random.pick([20, 60, 120]),
      connectionBindings: random.pick(['auto', 'auto', 'flow', 'contact']),
    };
    const sometimes = (rate: number) => (random.chance(0.4) ? rate * random.next() : 0);
    this.weather = {
      append: sometimes(0.1),
      short: sometimes(0.1),
      settle: sometimes(0.1),
      read: 0,
      checkpoint: sometimes(0.05),
    };
    this.crashes = sometimes(0.06);
    for (let n = 0; n < this.scale.aors; n++) {
      const aor = `u${n}@example.com`;
      this.models.set(aor, new BindingModel());
      for (let device = random.pick([1, 1, 2, 3]); device > 0; device--)
        this.phones.push(new ShardPhone(`u${n}d${device}`, aor, this.phones.length + 1, random, this.flows));
    }
  }

  /** Throws at the first thing that is wrong. */
  async run(): Promise<void> {
    const { scale } = this;
    this.say(() =>
      JSON.stringify({ ...scale, weather: this.weather, crashes: this.crashes, phones: this.phones.length }),
    );
    const disks = Array.from({ length: scale.shards }, () => new SimulatedDisk(this.random));
    this.start(disks);
    for (this.turn = 0; this.turn < scale.turns; this.turn++) {
      await null; // a checkpoint goes on
      if (this.failure !== undefined) throw this.failure;
      this.takeTurn();
      if (this.anyDead) this.crashed();
    }
    await this.end();
  }

  private get anyDead(): boolean {
    return this.serving.some(({ disk }) => disk.dead);
  }

  private takeTurn(): void {
    const { random, serving, weather } = this;
    for (const { disk } of serving) disk.weather = weather;
    if (random.chance(this.crashes)) {
      const steps = random.pick([1, 5, 30]);
      this.say(() => `a crash within ${steps} operations`);
      random.pick(serving).disk.crashWithin(steps);
    }
    const { disk } = random.pick(serving);
    if (disk.full ? random.chance(0.1) : weather.append > 0 && random.chance(0.005)) disk.full = !disk.full;
    const dice = random.next();
    if (dice < 0.02) this.restart();
    else if (dice < 0.06) this.checkpoint(random.pick(serving));
    else if (dice < 0.12) this.endConnection();
    else if (dice < 0.2) this.pass(random.pick([1000, 20_000, 40_000, 3_700_000]));
    else this.batch();
  }

  private batch(): void {
    const { random, scale } = this;
    this.now += random.pick([0, 1, 5, 500, 5000, 30_000]);
    for (let i = random.between(1, scale.batch); i > 0; i--) {
      const phone = random.pick(this.phones);
      const ask = phone.next();
      const copies = random.chance(0.15) ? 2 : 1;
      for (let copy = 0; copy < copies; copy++)
        random.pick(this.serving).queue.push(this.deliver(phone, copy === 0 ? ask : { ...ask }));
    }
    this.runAll();
  }

  private deliver(phone: ShardPhone, delivery: Delivery): Delivery {
    this.report.requests++;
    this.say(() => `${phone.name} sends ${delivery.what}`);
    return delivery;
  }

  /** Until nothing waits: what is handed over to another shard is its next batch. */
  private runAll(): void {
    for (let rounds = 0; this.serving.some(({ queue }) => queue.length > 0) && !this.anyDead; rounds++) {
      if (rounds > 100) this.fail('requests go round');
      for (const one of this.serving) if (one.queue.length > 0 && !this.anyDead) this.runBatch(one);
    }
  }

  private runBatch(one: Serving): void {
    const { shard, driver, disk, store, counters } = one;
    const batch = one.queue.splice(0, SLOT_COUNT);
    for (const [slot, delivery] of batch.entries()) this.fill(one, slot, delivery);
    const errors = disk.errors;
    const settled = one.settled;
    for (const delivery of batch) delivery.answered = false;
    driver.run(lengths, 0, batch.length, this.now);
    const failed = disk.errors > errors || disk.dead;
    if (one.settled > settled) for (const model of this.modelsOf(one)) model.firm();
    for (const delivery of batch) if (!delivery.answered) this.unanswered(delivery, failed);
    if (disk.dead) return;
    if (shard.firstSlot !== 0) this.fail('answers wait for a store that settles at once');
    const told = [counters[COUNTER.bindings], counters[COUNTER.aors]].join();
    const truth = [store.bindings, store.aors].join();
    if (told !== truth) this.fail(`counters say ${told}, the store ${truth}`);
  }

  private *modelsOf(one: Serving): Iterable<BindingModel> {
    for (const [aor, model] of this.models) if (this.ownerOf.get(aor) === one) yield model;
  }

  /** Learnt from who answers. */
  private readonly ownerOf = new Map<string, Serving>();

  private fill({ shard, inSlots }: Serving, slot: number, delivery: Delivery): void {
    const { bytes, phone } = delivery;
    inSlots[slot] = delivery;
    slab.set(bytes, slotStart(slot));
    const { peers } = shard;
    peers.family[slot] = 4;
    peers.ip.set([10, 0, phone.host >> 8, phone.host & 255], slot * 16);
    peers.port[slot] = delivery.port;
    peers.flow[slot] = delivery.flow;
    peers.transport[slot] = delivery.flow === 0 ? TRANSPORT_UDP : TRANSPORT_TCP;
    lengths[slot] = bytes.length;
  }

  /** Judged in the order in which they were decided. */
  private send(one: Serving): void {
    const { answers } = one.shard;
    const rows = Array.from({ length: answers.count }, (_, row) => row).sort(
      (a, b) => answers.slot[a] - answers.slot[b],
    );
    for (const row of rows) {
      const text = Buffer.from(answers.bytes.subarray(answers.at[row], answers.end[row])).toString('latin1');
      const delivery = one.inSlots[answers.slot[row]];
      delivery.answered = true;
      this.answered(one, delivery, text);
    }
  }

  private answered(one: Serving, delivery: Delivery, text: string): void {
    const { ask, phone } = delivery;
    const status = Number(text.slice(8, 11));
    this.report.answers++;
    this.say(
      () =>
        `  ${phone.name} ${delivery.what}: ${status} ${rowsOf(text).map(({ uri, seconds }) => `${uri} ${seconds}`)}`,
    );
    if (!text.includes(`\r\nCSeq: ${ask.cseq} `)) this.fail(`not the answer to ${delivery.what}:\n${text}`);
    this.ownerOf.set(phone.aor, one);
    const before = delivery.origin.first;
    // Over a connection nothing is sent twice, so nothing is kept (§17.2.2).
    const isKept = before !== undefined && before.life === this.life && delivery.flow === 0;
    if (isKept && this.now - before.at <= KEPT_MS) {
      this.report.repeats++;
      if (before.text !== text) this.fail(`another answer to the same request:\n${before.text}\n${text}`);
      return;
    }
    if (isKept && this.now - before.at < FORGOTTEN_MS && before.text === text) return;
    delivery.origin.first = { text, at: this.now, life: this.life };
    this.judge(one, delivery, status, text);
  }

  private judge({ disk }: Serving, { ask, phone, what }: Delivery, status: number, text: string): void {
    const model = this.modelOf(phone);
    if (status === 200) {
      const wrong = model.done(ask, rowsOf(text), this.now);
      if (wrong !== undefined) this.fail(`${phone.name} ${what}: ${wrong}\n${text}`);
      phone.succeeded(ask);
      return;
    }
    this.report.refused++;
    if (status === 423 && ask.contacts.some(({ seconds }) => seconds > 0 && seconds < DEFAULT_POLICY.minExpiresS))
      return;
    if (status === 500 && model.mayBeStale(ask, this.now)) return;
    if ((status === 503 || status === 500) && (disk.errors > 0 || disk.dead)) {
      if (status === 503) model.failed(ask, this.now);
      return;
    }
    this.fail(`${phone.name} ${what}: nothing asked for\n${text}`);
  }

  private unanswered({ phone, ask, what, handedOver, origin }: Delivery, failed: boolean): void {
    if (handedOver) return;
    if (failed) return this.modelOf(phone).failed(ask, this.now);
    if (origin.first !== undefined) return; // a copy of what is being answered
    this.fail(`${phone.name} ${what}: no answer`);
  }

  private modelOf(phone: ShardPhone): BindingModel {
    return this.models.get(phone.aor) as BindingModel;
  }

  /** Time passes, and the shards do what is due. */
  private pass(ms: number): void {
    this.now += ms;
    this.say(() => `${ms} ms pass`);
    for (const one of this.serving) this.sweep(one);
  }

  private sweep(one: Serving): void {
    for (let i = 0; i < SWEEPS_MAX; i++) {
      if (one.disk.dead || one.shard.msToNextTick(this.now) !== 0) return;
      const before = one.settled;
      one.driver.run(lengths, 0, 0, this.now);
      if (one.settled > before) for (const model of this.modelsOf(one)) model.firm();
      if (one.disk.weather === CALM) continue;
      if (i > 20) return;
    }
    this.fail('a shard sweeps for ever');
  }

  private endConnection(): void {
    const flow = this.random.pick([...this.flows, 0]);
    if (flow === 0) return;
    this.say(() => `connection ${flow} ends`);
    this.report.connectionsEnded++;
    this.flows.delete(flow);
    for (const one of this.serving) {
      if (one.disk.dead) return;
      new DataView(slab.buffer).setUint32(slab.byteOffset + slotStart(0), flow, true);
      one.shard.peers.node[0] = 0;
      one.shard.flowsEnded(0, 4, this.now);
    }
    for (const phone of this.phones) if (phone.isOver(flow)) this.modelOf(phone).cut(phone.uris);
    for (const one of this.serving) this.sweep(one);
  }

  private checkpoint(one: Serving): void {
    const { store, log, disk } = one;
    if (one.checkpointing !== undefined || store.marks.head === 0) return;
    const done = () => {
      if (one.log === log) one.checkpointing = undefined;
    };
    one.checkpointing = writeCheckpoint(store, log, disk).then(
      () => {
        this.report.checkpoints++;
        done();
      },
      (error: unknown) => {
        if (!(error instanceof Crash) && !(error instanceof DiskError)) this.failure ??= error;
        done();
      },
    );
  }

  // --- ends and beginnings

  private restart(): void {
    this.say(() => 'an orderly end');
    for (const { store } of this.serving) {
      try {
        store.close();
      } catch (error) {
        if (!(error instanceof Crash) && !(error instanceof DiskError)) throw error;
      }
    }
    this.endProcess(this.random.chance(0.5));
  }

  private crashed(): void {
    this.report.crashes++;
    const power = this.random.chance(0.6);
    this.say(() => (power ? 'a cut of power' : 'a kill'));
    this.endProcess(power);
  }

  private endProcess(power: boolean): void {
    for (const { queue } of this.serving) for (const { phone, ask } of queue) this.modelOf(phone).failed(ask, this.now);
    for (const { disk } of this.serving) disk.restart(power);
    for (const model of this.models.values()) model.crashed();
    for (const phone of this.phones) if (phone.isStream) this.modelOf(phone).cut(phone.uris);
    this.flows.clear();
    this.now += this.random.between(1, 5000);
    this.start(this.serving.map(({ disk }) => disk));
  }

  private start(disks: readonly SimulatedDisk[]): void {
    this.life++;
    for (let tries = 0; ; tries++) {
      if (tries > 20) this.fail('it does not start');
      for (const disk of disks) {
        disk.weather = tries > 3 ? CALM : this.weather;
        if (tries < 3 && this.random.chance(this.crashes)) disk.crashWithin(100);
      }
      try {
        this.report.starts++;
        this.serving = [];
        for (const [index, disk] of disks.entries()) this.serving.push(this.open(index, disk));
      } catch (error) {
        if (!(error instanceof Crash) && !(error instanceof DiskError)) throw error;
        this.say(() => `  the start failed: ${error.message}`);
      }
      if (this.serving.length === disks.length && !disks.some(({ dead }) => dead)) break;
      const power = this.random.chance(0.6);
      for (const disk of disks) disk.restart(power);
    }
    this.ownerOf.clear();
    for (const disk of disks) disk.errors = 0;
    this.say(() => `a start, ${this.serving.map(({ store }) => store.bindings)} bindings`);
  }

  private open(index: number, disk: SimulatedDisk): Serving {
    const { scale } = this;
    const queue: Delivery[] = [];
    const log = new LogOnDisk(disk, scale.generationBytes, {
      writing: () => {},
      settled: (place, lasting) => {
        this.say(() => `  shard ${index}: a frame at ${place}${lasting ? '' : ', passing'}`);
        if (lasting) one.settled++;
      },
      refused: () => this.say(() => `  shard ${index}: refused`),
      unreadable: () => {},
    });
    const store = new LogStore(log, checkpointIn(checkpointsOn(disk)));
    const counters = new Float64Array(COUNTER_NAMES.length);
    const shard: Shard = new Shard({
      index,
      shards: scale.shards,
      store,
      policy: {
        ...DEFAULT_POLICY,
        domains: ['example.com'],
        expiresJitterPercent: 10,
        answerBytesMax: ANSWER_BYTES_MIN,
        connectionBindings: scale.connectionBindings,
      },
      secret: SECRET,
      counters,
      flows: { isAlive: (flow) => this.flows.has(flow) },
      forward: (owner, slot) => {
        const delivery = this.serving[index].inSlots[slot];
        delivery.handedOver = true;
        this.serving[owner].queue.push({ ...delivery, handedOver: false });
        return true;
      },
      log: (level, event, fields) => this.say(() => `  ${level} ${event} ${JSON.stringify(fields)}`),
    });
    const driver = new BatchDriver({
      shard,
      counters,
      measures: new Measures(),
      elapsed: () => 0,
      send: () => this.send(one),
    });
    const one: Serving = {
      disk,
      log,
      store,
      shard,
      driver,
      counters,
      queue,
      inSlots: [],
      settled: 0,
      checkpointing: undefined,
    };
    shard.open();
    this.say(
      () =>
        `  shard ${index}: generations ${log.generations.join(' ')}, ${JSON.stringify({ ...store.replayed, checkpoint: store.checkpoint })}`,
    );
    return one;
  }

  /** The faults end: every phone succeeds, all that was promised is there, and in the end everything runs out. */
  private async end(): Promise<void> {
    for (const { checkpointing } of this.serving) await checkpointing;
    if (this.failure !== undefined) throw this.failure;
    this.say(() => 'from now on it is calm');
    this.crashes = 0;
    Object.assign(this.weather, CALM);
    for (const { disk } of this.serving) disk.full = false;
    this.endProcess(this.random.chance(0.5));
    for (const { disk } of this.serving) disk.weather = CALM;
    this.now += FORGOTTEN_MS;
    for (const phone of this.phones) this.demand(phone, phone.fetch());
    for (const phone of this.phones) this.demand(phone, phone.register());
    for (const phone of this.phones) this.demand(phone, phone.fetch());
    this.now += (DEFAULT_POLICY.maxExpiresS + 60) * 1000;
    for (const one of this.serving) {
      this.sweep(one);
      this.report.expired += one.counters[COUNTER.expired];
      if (one.store.bindings + one.store.aors > 0) this.fail(`${one.store.bindings} bindings never ran out`);
      if (one.shard.msToNextTick(this.now) !== -1) this.fail('a timer without a binding');
      one.store.close();
    }
  }

  private demand(phone: ShardPhone, delivery: Delivery): void {
    this.random.pick(this.serving).queue.push(this.deliver(phone, delivery));
    this.runAll();
    if (!phone.isSure(delivery.ask)) this.fail(`${phone.name} ${delivery.what}: never succeeded`);
  }

  private say(line: () => string): void {
    this.trace?.(`${this.turn}: ${line()}`);
  }

  private fail(what: string): never {
    throw new Error(`turn ${this.turn}: ${what}`);
  }
}

function rowsOf(text: string): { readonly uri: string; readonly seconds: number }[] {
  const rows: { uri: string; seconds: number }[] = [];
  for (const [, uri, seconds] of text.matchAll(/\r\nContact: <([^>]*)>[^\r]*?;expires=(\d+)/g))
    rows.push({ uri, seconds: Number(seconds) });
  return rows;
}
