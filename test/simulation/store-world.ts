// The real location store on a simulated disk: table, cleaner, checkpointer and replay, with faults, crashes and damage drawn from
// one seed, held against a model. No clock, file or thread is real; the same seed tells the same story.

import { checkpointIn } from '../../src/location/checkpoint/checkpoint.ts';
import { LogStore } from '../../src/location/log/log-store.ts';
import { RECORD_HEADER_BYTES, recordAorLength } from '../../src/location/record.ts';
import { ROW_LINKS, RowCopy } from '../../src/location/table/binding-row.ts';
import type { BindingTable } from '../../src/location/table/binding-table.ts';
import { chunkOf, wordOf } from '../../src/location/table/row-chunks.ts';
import { WriteSet } from '../../src/location/write-set.ts';
import { checkpointsOn, writeCheckpoint } from './checkpoints-on-disk.ts';
import { CALM, Crash, DiskError, SimulatedDisk, type Weather } from './disk.ts';
import { FrameMap } from './frame-map.ts';
import { isSoundFrame, LogOnDisk } from './log-on-disk.ts';
import { Random } from './shards/random.ts';
import { keyBytes, keyWords, putRecord } from './store-keys.ts';
import { describe, type Kept, type Operation, StoreModel } from './store-model.ts';

const HOUR = 3_600_000;
const BEGIN = Date.UTC(2030, 0, 1);
/** Of a record, besides what is drawn: entry, header, text, image, and what holes cost. */
const RECORD_BYTES_MORE = 200;
/** Of what lives, what the log may have at most, and how many generations more; and within how many commits. */
const LOG_FACTOR = 2;
const GENERATIONS_MORE = 3;
const SHRINKS_WITHIN = 500;
/** Share of the seeds that leave half of the AORs alone at their end. */
const LEAVES_SOME = 0.1;

interface StoreWorldReport {
  commits: number;
  failedCommits: number;
  starts: number;
  crashes: number;
  checkpoints: number;
  generations: number;
  damages: number;
  /** AORs that damage has cost. */
  lost: number;
}

interface Scale {
  readonly generationBytes: number;
  readonly aors: number;
  readonly batch: number;
  readonly recordBytes: number;
  readonly turns: number;
}

const writes = new WriteSet();
const record = new Uint8Array(65_536);
const row = new RowCopy();

export class StoreWorld {
  readonly report: StoreWorldReport = {
    commits: 0,
    failedCommits: 0,
    starts: 0,
    crashes: 0,
    checkpoints: 0,
    generations: 0,
    damages: 0,
    lost: 0,
  };
  private readonly random: Random;
  private readonly disk: SimulatedDisk;
  private readonly model: StoreModel;
  private readonly scale: Scale;
  private readonly weather: Weather;
  /** Chances of a turn. */
  private crashes: number;
  private readonly damages: number;
  /** Generations are lost. */
  private readonly loses: boolean;
  private readonly frames: FrameMap;
  private readonly trace: ((line: string) => void) | undefined;
  private log!: LogOnDisk;
  private store!: LogStore;
  private checkpointing: Promise<void> | undefined;
  private now = BEGIN;
  private version = 0;
  /** Frames. */
  private settled = 0;
  private settledBefore = 0;
  /** A frame was refused behind the batch's own. */
  private isRefusedBehind = false;
  private turn = 0;
  private newest = 0;
  private toldBefore = false;
  private hasThrown = false;
  /** Something on the disk was damaged, lost, or could not be read once. */
  private wasDamaged = false;
  /** AORs whose bytes were damaged since a frame was settled last. */
  private readonly damagedSince = new Set<number>();
  /** AORs of a last frame that damage hides: where a cut of power took the word that it had been settled, nobody can tell. */
  private readonly hidden = new Set<number>();
  /** AORs whose bytes were damaged behind what a cut of power may undo. */
  private readonly damagedByCut = new Set<number>();
  private failure: unknown;

  constructor(seed: number, trace?: (line: string) => void) {
    this.trace = trace;
    const random = new Random(seed);
    this.random = random;
    this.disk = new SimulatedDisk(random);
    this.scale = {
      generationBytes: random.pick([4096, 4096, 8192, 16_384]),
      aors: random.pick([3, 10, 40, 90]),
      batch: random.pick([1, 3, 6]),
      recordBytes: random.pick([80, 150, 300]),
      turns: random.pick([15, 40, 80, 160]),
    };
    this.frames = new FrameMap(this.scale.generationBytes);
    const sometimes = (rate: number) => (random.chance(0.4) ? rate * random.next() : 0);
    this.weather = {
      append: sometimes(0.1),
      short: sometimes(0.1),
      settle: sometimes(0.1),
      read: sometimes(0.02),
      checkpoint: sometimes(0.05),
    };
    this.crashes = sometimes(0.08);
    this.damages = sometimes(0.03);
    this.loses = seed % 10 === 6;
    this.model = new StoreModel(this.scale.aors);
  }

  /** Throws at the first thing that is wrong. */
  async run(): Promise<void> {
    this.say(() =>
      JSON.stringify({ ...this.scale, weather: this.weather, crashes: this.crashes, damages: this.damages }),
    );
    this.start();
    for (this.turn = 0; this.turn < this.scale.turns; this.turn++) {
      await null; // a checkpoint goes on
      this.takeTurn();
      if (this.disk.dead) this.crashed();
    }
    await this.end();
  }

  private takeTurn(): void {
    const { random, disk } = this;
    disk.weather = this.weather;
    if (random.chance(this.crashes)) {
      const steps = random.pick([1, 5, 30]);
      this.say(() => `a crash within ${steps} operations`);
      disk.crashWithin(steps);
    }
    if (random.chance(this.damages)) this.damage();
    if (disk.full ? random.chance(0.1) : this.weather.append > 0 && random.chance(0.005)) {
      disk.full = !disk.full;
      this.say(() => (disk.full ? 'the disk is full' : 'the disk has room'));
    }
    const dice = random.next();
    if (dice < 0.04) this.lookAtAll();
    else if (dice < 0.06) this.restart();
    else if (dice < 0.1) this.checkpoint();
    else if (dice < 0.2) this.expire();
    else this.commitSome();
  }

  /** @param aors only the first ones change */
  private commitSome(aors = this.scale.aors): void {
    const { random, scale, store } = this;
    const operations = new Map<number, Operation>();
    writes.clear();
    for (let i = random.between(1, scale.batch); i > 0; i--) {
      const n = random.between(0, aors - 1);
      if (operations.has(n)) continue;
      const dice = random.next();
      const there = store.find(...keyWords(n), row);
      const expiresAt = this.now + random.between(1, 48) * HOUR;
      const cseq = ++this.version;
      if (dice < 0.45 || (!there && dice < 0.8)) {
        const value = { text: `${n}/${cseq}/`, expiresAt, cseq };
        operations.set(n, { kind: 'record', n, value, bytes: random.between(0, scale.recordBytes) });
      } else if (dice < 0.8) operations.set(n, { kind: 'refresh', n, expiresAt, cseq });
      else operations.set(n, { kind: 'removal', n, idle: !there });
    }
    this.commit([...operations.values()], true);
  }

  /** What has run out goes, as a sweeper does it. */
  private expire(): void {
    const { random, store } = this;
    this.now += random.between(0, 20) * HOUR;
    const operations: Operation[] = [];
    const expire = (_0: number, n: number, _2: number, _3: number, expiresAt: number) => {
      if (expiresAt > this.now) this.fail(`AOR ${n} was named at ${this.now}, before it ends at ${expiresAt}`);
      if (!operations.some((operation) => operation.n === n)) operations.push({ kind: 'removal', n, idle: false });
    };
    store.expire(this.now, this.scale.batch, { expire });
    if (operations.length > 0) this.commit(operations, random.chance(0.3));
  }

  private commit(operations: readonly Operation[], lasting: boolean): void {
    const { store, model, disk } = this;
    writes.clear();
    for (const operation of operations) this.write(operation);
    const before = this.settled;
    this.settledBefore = before;
    this.isRefusedBehind = false;
    this.damagedSince.clear();
    this.say(() => `commit${lasting ? '' : ' (passing)'} ${operations.map(textOf).join(', ')}`);
    try {
      store.commit(writes, this.now, lasting);
    } catch (error) {
      if (!(error instanceof Crash) && !(error instanceof DiskError)) throw error;
      this.say(() => `  failed: ${error.message}`);
      this.report.failedCommits++;
      model.failed(operations);
      if (disk.dead) return;
      for (const { n } of operations) this.look(n);
      return;
    }
    if (disk.dead) this.say(() => '  held, but the disk is dead');
    this.report.commits++;
    if (this.settled > before) model.committed(operations, lasting); // else there was nothing to write
    if (this.isRefusedBehind) model.loosen();
    for (const n of this.damagedSince) model.damage(n);
    this.countGenerations();
    if (disk.dead) return;
    for (const { n } of operations) this.look(n);
    if (this.trace !== undefined) this.countAors();
    this.look(this.random.between(0, model.size - 1));
  }

  private write(operation: Operation): void {
    const [k0, k1, k2, k3] = keyWords(operation.n);
    if (operation.kind === 'removal') {
      writes.reserve(0);
      writes.put(k0, k1, k2, k3, 0);
      return;
    }
    const { expiresAt, cseq } = operation.kind === 'record' ? operation.value : operation;
    if (operation.kind === 'refresh') this.store.find(k0, k1, k2, k3, row);
    row.identityHigh = 0;
    row.identityLow = operation.n + 1;
    row.expiresAt = expiresAt;
    row.grantedS = 3600;
    row.cseq = cseq;
    if (operation.kind === 'refresh') return writes.refresh(k0, k1, k2, k3, row);
    putRecord(writes, operation.n, operation.value.text, operation.bytes);
    writes.describePlain(writes.find(k0, k1, k2, k3), row);
  }

  private checkpoint(): void {
    if (this.checkpointing !== undefined || this.store.marks.head === 0) return;
    const { store, log, disk } = this;
    this.say(() => `a checkpoint from ${store.marks.head} on`);
    const done = (what: string) => {
      if (this.log === log) this.checkpointing = undefined;
      this.say(() => `  the checkpoint ${what}`);
    };
    this.checkpointing = writeCheckpoint(store, log, disk).then(
      () => {
        this.report.checkpoints++;
        done(`is written, ${store.marks.checkpointed}`);
      },
      (error: unknown) => {
        if (!(error instanceof Crash) && !(error instanceof DiskError)) this.failure ??= error;
        done(`failed: ${error instanceof Error ? error.message : error}`);
      },
    );
  }

  private lookAtAll(): void {
    this.say(() => 'a look at all');
    for (let n = 0; n < this.model.size && !this.disk.dead; n++) this.look(n);
    if (!this.disk.dead) this.countAors();
  }

  /** Compares what the store says of an AOR. */
  private look(n: number): void {
    const { model, disk, store } = this;
    if (this.failure !== undefined) throw this.failure;
    const quarantined = store.quarantined;
    let found: Kept;
    try {
      found = this.read(n);
    } catch (error) {
      if (!(error instanceof Crash) && !(error instanceof DiskError)) throw error;
      this.say(() => `  AOR ${n}: ${error.message}`);
      this.hasThrown = true;
      return;
    }
    if (disk.dead) return;
    if (store.quarantined > quarantined && !model.isDamaged(n))
      this.fail(`AOR ${n} was set aside, and nothing was wrong with it`);
    const wrong = model.wrongNow(n, found);
    if (wrong !== undefined) this.fail(`AOR ${n}: ${wrong}`);
    if (model.isDamaged(n) && model.shownNow(n, found)) this.lose(1);
  }

  /** So many AORs are found to have been lost: that must have been told, by this life or the one before. */
  private lose(lost: number): void {
    this.report.lost += lost;
    if (lost > 0 && !this.toldBefore && !hasTold(this.store))
      this.fail(`${lost} AORs were lost by damage, and nobody was told`);
  }

  private read(n: number): Kept {
    const { store } = this;
    if (!store.find(...keyWords(n), row)) return undefined;
    const { expiresAt, cseq } = row;
    const length = store.load(keyBytes(n), record);
    if (length < 0) return undefined;
    const end = RECORD_HEADER_BYTES + recordAorLength(record, 0);
    return { text: Buffer.from(record.subarray(RECORD_HEADER_BYTES, end)).toString('latin1'), expiresAt, cseq };
  }

  private countAors(): void {
    const { store, model } = this;
    let count = 0;
    for (let n = 0; n < model.size; n++) if (store.find(...keyWords(n), row)) count++;
    if (count !== store.aors) this.fail(`${store.aors} AORs are counted, ${count} are there`);
    if (count !== store.bindings) this.fail(`${store.bindings} bindings are counted, ${count} are there`);
    const free = freeRows(store.table);
    if (free + count !== store.table.rows) this.fail(`${store.table.rows} rows: ${count} are used, ${free} free`);
  }

  // --- ends and beginnings

  private restart(): void {
    this.say(() => 'an orderly end');
    try {
      this.store.close();
    } catch (error) {
      if (!(error instanceof Crash) && !(error instanceof DiskError)) throw error;
      this.say(() => `  which is none: ${error.message}`);
    }
    if (this.disk.dead) return;
    this.endProcess(this.random.chance(0.5));
    this.start();
  }

  /** @param power the machine's, too */
  private endProcess(power: boolean): void {
    this.disk.restart(power);
    if (power) for (const n of this.damagedByCut) this.model.damage(n);
    this.damagedByCut.clear();
    this.frames.restarted((place, length) => isSoundFrame(this.disk, this.scale.generationBytes, place, length));
  }

  private crashed(): void {
    const power = this.random.chance(0.6);
    this.say(() => (power ? 'a cut of power' : 'a kill'));
    this.report.crashes++;
    this.endProcess(power);
    this.start();
  }

  private start(): void {
    const { disk, random, crashes } = this;
    if (this.loses && random.chance(0.2)) this.loseGeneration();
    this.checkpointing = undefined;
    this.toldBefore = false;
    for (let tries = 0; ; tries++) {
      if (tries > 0) this.endProcess(random.chance(0.6));
      disk.weather = tries > 3 ? CALM : this.weather;
      if (tries < 3 && random.chance(crashes)) disk.crashWithin(100);
      try {
        this.open();
      } catch (error) {
        if (!(error instanceof Crash) && !(error instanceof DiskError)) throw error;
        this.say(() => `  the start failed: ${error.message}`);
        if (tries > 20) this.fail(`it does not start: ${error.message}`);
        continue;
      }
      if (disk.dead) continue;
      return this.compare();
    }
  }

  private open(): void {
    const { disk, frames, scale } = this;
    this.report.starts++;
    const ownerOf = (number: number) => chunkOf(this.store.table.chunks, number)[wordOf(number) + 1];
    const log = new LogOnDisk(disk, scale.generationBytes, {
      writing: (place, bytes, length) => frames.writing(place, bytes, length, ownerOf),
      settled: (place, lasting) => {
        if (this.settled++ === this.settledBefore) this.damagedSince.clear();
        frames.settled(place, lasting);
        if (lasting) this.hidden.clear();
        if (frames.isFirm) this.damagedByCut.clear();
      },
      refused: () => {
        this.isRefusedBehind = this.settled > this.settledBefore;
        this.model.loosen();
        frames.loosen();
      },
      unreadable: (from, to) => this.damaged(from, to),
    });
    frames.synced();
    frames.forget(0, log.tail);
    const store = new LogStore(log, checkpointIn(checkpointsOn(disk)));
    const { replayed, checkpoint } = store;
    this.toldBefore ||= this.hasThrown || (this.store !== undefined && hasTold(this.store));
    this.hasThrown = false;
    this.say(() => `a start: generations ${log.generations.join(' ')}, ${JSON.stringify({ ...replayed, checkpoint })}`);
    this.log = log;
    this.store = store;
    if (!this.wasDamaged && replayed.damaged.length > 0)
      this.fail(`damage where there is none: ${JSON.stringify(replayed.damaged)}`);
  }

  /** What the start found is right, and from now on it stays. */
  private compare(): void {
    const { model, disk, frames } = this;
    disk.calm();
    let lost = 0;
    let hidden = 0;
    const hasForgotten = [...disk.generations.values()].some((generation) => generation.hasForgotten);
    for (let n = 0; n < model.size; n++) {
      let found: Kept;
      try {
        found = this.read(n);
      } catch (error) {
        if (error instanceof DiskError) continue; // it cannot be read, and says so
        throw error;
      }
      const wrong = model.wrongAfterStart(n, found);
      if (wrong !== undefined) this.fail(`AOR ${n} after a start: ${wrong}`);
      if (!model.shown(n, found)) continue;
      if ((hasForgotten && this.hidden.has(n)) || frames.hasRefusedRemoval(n)) hidden++;
      else lost++;
    }
    this.report.lost += hidden;
    this.lose(lost);
    this.countAors();
  }

  /** A file of the log is gone. Not the newest: nothing else tells that it was there. */
  private loseGeneration(): void {
    const { disk, scale } = this;
    const numbers = [...disk.generations.keys()].sort((a, b) => a - b).slice(0, -1);
    if (numbers.length === 0) return;
    const number = this.random.pick(numbers);
    this.say(() => `generation ${number} is lost`);
    const start = number * scale.generationBytes;
    this.damaged(start, start + scale.generationBytes);
    disk.lose(number);
    // It alone said where the one before had ended.
    const before = Math.max(...numbers.filter((other) => other < number)) * scale.generationBytes;
    for (const n of this.frames.refusedBetween(before, start)) this.model.damage(n);
  }

  /** One bit of what lies there, or a sector of it. */
  private damage(): void {
    const { random, disk, log, frames, scale } = this;
    if (log.generations.length === 0) return;
    const number = random.pick(log.generations);
    const start = number * scale.generationBytes;
    const places = frames.places(start, start + scale.generationBytes);
    const generation = disk.generations.get(number);
    if (places.length === 0 || generation === undefined) return;
    const place = random.pick(places);
    const at = place + random.between(0, frames.lengthAt(place) - 1);
    this.report.damages++;
    let [from, to] = [at, at + 1];
    if (random.chance(0.5)) {
      generation.bytes[at - start] ^= 1 << random.between(0, 7);
      for (const n of frames.hiddenBy(at)) this.hidden.add(n);
    } else {
      const sector = Math.floor(at / 512);
      disk.bad.add(sector);
      [from, to] = [sector * 512, sector * 512 + 512];
    }
    this.damaged(from, to);
  }

  private damaged(from: number, to: number): void {
    this.wasDamaged = true;
    const owners = this.frames.ownersOf(from, to);
    this.say(() => `  damage from ${from} to ${to}, of AORs ${[...owners].join(' ')}`);
    for (const n of owners) {
      this.model.damage(n);
      this.damagedSince.add(n);
    }
    for (const n of this.frames.ownersOf(from, to, true)) this.damagedByCut.add(n);
  }

  /** The faults end: everything is right, and the log shrinks to what it may have. */
  private async end(): Promise<void> {
    const { disk } = this;
    await this.checkpointing;
    disk.full = false;
    this.say(() => 'from now on it is calm');
    this.endProcess(this.random.chance(0.5));
    disk.bad.clear();
    this.crashes = 0;
    Object.assign(this.weather, CALM);
    this.start();
    disk.weather = CALM;
    for (let i = 0; i < 24; i++) {
      this.commitSome();
      if (i % 8 === 5) {
        this.checkpoint();
        await this.checkpointing;
      }
    }
    this.shrink();
    this.lookAtAll();
    this.store.close();
  }

  private shrink(): void {
    const { log, scale } = this;
    const live = scale.aors * (RECORD_BYTES_MORE + scale.recordBytes);
    const bound = GENERATIONS_MORE + Math.ceil((live * LOG_FACTOR) / scale.generationBytes);
    if (this.random.chance(LEAVES_SOME)) this.leaveSome(bound);
    for (let i = 0; log.generations.length > bound; i++) {
      if (i === SHRINKS_WITHIN) this.fail(`the log has ${log.generations.length} generations, ${bound} are enough`);
      this.commitSome();
      this.store.marks.checkpointed = this.store.marks.last; // as if there were one
    }
  }

  /** Half of the AORs stay as they are while more generations are begun than are enough: their records must move. */
  private leaveSome(bound: number): void {
    const end = (this.log.generations.at(-1) ?? 0) + bound + 2;
    for (let i = 0; i < 5 && this.damages > 0; i++) this.damage();
    for (let i = 0; i < SHRINKS_WITHIN && (this.log.generations.at(-1) ?? 0) < end; i++) {
      this.commitSome(Math.ceil(this.scale.aors / 2));
      this.store.marks.checkpointed = this.store.marks.last;
    }
  }

  private countGenerations(): void {
    const newest = this.log.generations.at(-1) ?? 0;
    if (newest > this.newest) this.report.generations += newest - this.newest;
    this.newest = newest;
  }

  private say(line: () => string): void {
    this.trace?.(`${this.turn}: ${line()}`);
  }

  private fail(what: string): never {
    throw new Error(`turn ${this.turn}: ${what}`);
  }
}

function hasTold({ quarantined, replayed, log }: LogStore): boolean {
  return quarantined + replayed.damaged.length + log.problems.missing.length > 0 || replayed.torn !== null;
}

function textOf(operation: Operation): string {
  if (operation.kind === 'removal') return `-${operation.n}`;
  if (operation.kind === 'refresh') return `~${operation.n} cseq ${operation.cseq}`;
  return `+${describe(operation.value)}`;
}

/** How many rows can be taken before there are more: nobody else has to know. */
function freeRows(table: BindingTable): number {
  const { free } = table as unknown as { readonly free: number };
  let count = 0;
  for (let row = free - 1; row >= 0; count++) row = chunkOf(table.chunks, row)[wordOf(row) + ROW_LINKS] - 1;
  return count;
}
