// One shard of the simulated world: the production shard, driven as all are, on the real location store, whose log and checkpoints lie
// on a simulated disk. It starts, is asked, is killed, and starts again.

import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PushDevice } from '../../../src/core/binding/push-device.ts';
import { DEFAULT_POLICY, type Policy } from '../../../src/core/uas/policy.ts';
import { checkpointIn } from '../../../src/location/checkpoint/checkpoint.ts';
import { LogStore } from '../../../src/location/log/log-store.ts';
import { RowCopy } from '../../../src/location/table/binding-row.ts';
import { chunkOf, wordOf } from '../../../src/location/table/row-chunks.ts';
import type { WriteSet } from '../../../src/location/write-set.ts';
import type { ShardAuth } from '../../../src/shard/admission.ts';
import { BatchDriver, type BatchParts } from '../../../src/shard/batch.ts';
import { COUNTER, COUNTER_NAMES, type CounterName } from '../../../src/shard/observe/counters.ts';
import { Measures } from '../../../src/shard/observe/measures.ts';
import { Shard } from '../../../src/shard/shard.ts';
import type { ShardOptions } from '../../../src/shard/shard-options.ts';
import { SubscriptionJournal } from '../../../src/shard/subscriptions/subscription-journal.ts';
import { SLOT_COUNT, slab, slotStart } from '../../../src/sip/parser/slab.ts';
import { LISTENER_ADMIN, TRANSPORT_TCP, TRANSPORT_UDP } from '../../../src/sip/sources.ts';
import { checkpointsOn, writeCheckpoint } from '../checkpoints-on-disk.ts';
import { Crash, DiskError, SimulatedDisk } from '../disk.ts';
import { FrameMap } from '../frame-map.ts';
import { isSoundFrame, LogOnDisk } from '../log-on-disk.ts';
import type { Random } from '../shards/random.ts';
import type { Calls } from './calls.ts';
import { makeOld } from './old-records.ts';
import type { Change } from './registrations.ts';
import { FIRST_DOMAIN, SECOND_DOMAIN } from './second-domain.ts';
import { boundIn } from './stored.ts';
import type { Notice } from './watcher.ts';

export const SECRET = Uint8Array.from({ length: 32 }, (_, i) => 7 * i + 1);
const RECORD = Buffer.alloc(65_536);

/** A message on its way to a shard. */
export interface Message {
  readonly bytes: Uint8Array;
  /** Last byte of 10.0.0.x. */
  readonly host: number;
  /** 0: it comes over UDP. */
  readonly flow: number;
  readonly isOrder: boolean;
}

export interface Sent<M> {
  /** Null: the shard sends it by itself, again. */
  readonly message: M | null;
  readonly text: string;
}

interface Surroundings<M> {
  readonly random: Random;
  readonly generationBytes: number;
  readonly index: number;
  readonly shards: number;
  /** The AOR whose key has that second word. */
  numberOf(word: number): number;
  isAlive(flow: number): boolean;
  /** Another shard's message. */
  /** False: that shard's ring is full. */
  forward(owner: number, message: M): boolean;
  /** A message is to wait until its user has been fetched; false: it cannot. */
  wait(message: M): boolean;
  /** Callers, guessers, static bindings; null: none. */
  readonly calls: Pick<Calls, 'gate' | 'statics'> | null;
  /** What a batch asks its store to write. */
  committed(changes: ReadonlyMap<number, Change>, lasting: boolean): void;
  failed(changes: ReadonlyMap<number, Change>): void;
  unreadable(owners: ReadonlySet<number>): void;
  readonly clock: NonNullable<ShardOptions['clock']>;
  /** Records are written as the version before did, with this in their spare bytes; -1: as today. */
  spare(): number;
  /** How much waits behind each batch. */
  readonly pressure: Pick<BatchParts, 'backlog' | 'elapsed'>;
  /** A lookup waits for devices to wake; false: it cannot. Null: no push service is ever served. */
  readonly wake: ((message: M, devices: readonly PushDevice[]) => boolean) | null;
  /** Whether registrations are watched. */
  readonly isWatched: boolean;
  /** Where phones log in; null: they do not. */
  auth(): Omit<ShardAuth, 'wait'> | null;
  rules(): Partial<Policy>;
}

/** Messages that have waited. */
export interface Back<M> {
  readonly inVain: ReadonlySet<M>;
  readonly woken: ReadonlySet<M>;
}

/** What a backup has of a machine. */
export interface MachineCopy {
  readonly disk: SimulatedDisk;
  readonly frames: FrameMap;
}

export class Machine<M extends Message> {
  readonly disk: SimulatedDisk;
  store!: LogStore;
  log!: LogOnDisk;
  counters = new Float64Array(COUNTER_NAMES.length);
  checkpointing: Promise<void> | undefined;
  checkpoints = 0;
  /** Something that no crash explains has failed in the background. */
  failure: unknown;
  private readonly around: Surroundings<M>;
  private readonly frames: FrameMap;
  /** AORs whose bytes were damaged behind what a cut of power may undo. */
  private readonly damagedByCut = new Set<number>();
  private shard!: Shard;
  private driver!: BatchDriver;
  private readonly lengths = new Int32Array(SLOT_COUNT);
  private readonly row = new RowCopy();
  private batch: readonly M[] = [];
  private sent: Sent<M>[] = [];
  /** Of the last batch: what the shard has sent by itself. */
  notices: Notice[] = [];
  /** Where subscriptions are kept; '' where there are none. Its files are real: a process that ends loses nothing of them. */
  private readonly directory: string;
  private journal: SubscriptionJournal | undefined;

  /** @param copy of a backup, on which it starts; it gets a copy of that */
  constructor(around: Surroundings<M>, copy?: MachineCopy) {
    this.around = around;
    this.disk = copy?.disk.copy() ?? new SimulatedDisk(around.random);
    this.directory = around.isWatched ? mkdtempSync(join(MEMORY, 'aorta-simulated-')) : '';
    this.frames = copy?.frames.copy() ?? new FrameMap(around.generationBytes, around.numberOf);
  }

  copy(): MachineCopy {
    return { disk: this.disk.copy(), frames: this.frames.copy() };
  }

  counter(name: CounterName): number {
    return this.counters[COUNTER[name]];
  }

  /** The process ends, or the power is cut. Returns whether something of its subscriptions is lost. */
  end(power: boolean): boolean {
    const { disk, frames, around } = this;
    this.journal?.close();
    const isCut = power && this.directory !== '' && this.cutJournal();
    disk.restart(power);
    if (power) around.unreadable(this.damagedByCut);
    this.damagedByCut.clear();
    frames.restarted((place, length) => isSoundFrame(disk, around.generationBytes, place, length));
    return isCut;
  }

  /** Of the newest file of subscriptions the end may be lost. */
  private cutJournal(): boolean {
    const { random } = this.around;
    const numbers = readdirSync(this.directory).map((name) => Number.parseInt(name, 10));
    if (numbers.length === 0 || random.chance(0.5)) return false;
    const path = join(this.directory, `${Math.max(...numbers)}.subscriptions`);
    const { size } = statSync(path);
    truncateSync(path, random.between(0, size));
    return true;
  }

  /** Nobody needs it any more. */
  remove(): void {
    this.journal?.close();
    if (this.directory !== '') rmSync(this.directory, { recursive: true, force: true });
  }

  /** @throws Crash, DiskError */
  start(now: number): void {
    this.openStore(now);
    this.watch(this.store);
    this.openShard();
  }

  /** The store alone, so that its records can be moved. @throws Crash, DiskError */
  openStore(now: number): void {
    const { disk, frames, around } = this;
    this.checkpointing = undefined;
    const ownerOf = (number: number) => chunkOf(this.store.table.chunks, number)[wordOf(number) + 1];
    this.log = new LogOnDisk(disk, around.generationBytes, {
      writing: (place, bytes, length) => frames.writing(place, bytes, length, ownerOf),
      settled: (place, lasting) => {
        frames.settled(place, lasting);
        if (frames.isFirm) this.damagedByCut.clear();
      },
      refused: () => frames.loosen(),
      unreadable: (from, to) => around.unreadable(frames.ownersOf(from, to)),
    });
    frames.synced();
    frames.forget(0, this.log.tail);
    this.store = new LogStore(this.log, checkpointIn(checkpointsOn(disk)), { now });
  }

  /** A bit of the log flips. Returns the places it is in, for the story. */
  flipBit(): number | undefined {
    const { disk, frames, log, around } = this;
    const { random, generationBytes } = around;
    if (log.generations.length === 0) return undefined;
    const number = random.pick(log.generations);
    const start = number * generationBytes;
    const places = frames.places(start, start + generationBytes);
    const generation = disk.generations.get(number);
    if (places.length === 0 || generation === undefined) return undefined;
    const place = random.pick(places);
    const at = place + random.between(0, frames.lengthAt(place) - 1);
    generation.bytes[at - start] ^= 1 << random.between(0, 7);
    around.unreadable(frames.ownersOf(at, at + 1));
    for (const n of frames.ownersOf(at, at + 1, true)) this.damagedByCut.add(n);
    return at;
  }

  configure(): void {
    const { calls } = this.around;
    const auth = calls && this.around.auth();
    this.shard.configure({
      policy: this.policy(),
      ...(calls && { gate: calls.gate, ...(auth && { auth: { ...auth, generation: 0 } }) }),
    });
  }

  /**
   * A batch.
   * @param back of these, those that have waited: for their users, of whom nobody could tell, or for devices to wake
   */
  run(messages: readonly M[], now: number, back?: Back<M>): readonly Sent<M>[] {
    const { shard, lengths } = this;
    const { family, ip, port, transport, flow, listener } = shard.peers;
    this.batch = messages;
    this.sent = [];
    this.notices = [];
    for (const [slot, message] of messages.entries()) {
      slab.set(message.bytes, slotStart(slot));
      lengths[slot] = message.bytes.length;
      family[slot] = 4;
      ip.fill(0, slot * 16, slot * 16 + 16);
      ip[slot * 16] = 10;
      ip[slot * 16 + 3] = message.host;
      port[slot] = 5060;
      transport[slot] = message.flow === 0 ? TRANSPORT_UDP : TRANSPORT_TCP;
      flow[slot] = message.flow;
      listener[slot] = message.isOrder ? LISTENER_ADMIN : 0;
    }
    if (back === undefined) this.driver.run(lengths, 0, messages.length, now);
    else {
      for (const [slot, message] of messages.entries()) {
        if (back.inVain.has(message)) shard.waitedInVain(slot);
        if (back.woken.has(message)) shard.hasWaited(slot);
        this.driver.receive(slot, lengths[slot], now);
      }
      this.driver.finish(messages.length, now);
    }
    return this.sent;
  }

  flowsEnded(flows: readonly number[], now: number): void {
    slab.set(new Uint8Array(Uint32Array.from(flows).buffer), slotStart(0));
    this.shard.flowsEnded(0, flows.length * 4, now);
  }

  msToNextTick(now: number): number {
    return this.shard.msToNextTick(now);
  }

  /** Of an AOR by its key; -1 where the disk does not give it. */
  read(key: Uint8Array): ReturnType<typeof boundIn> | -1 {
    try {
      const length = this.store.load(key, RECORD);
      return length < 0 ? [] : boundIn(RECORD, 0, length);
    } catch (error) {
      if (!(error instanceof Crash) && !(error instanceof DiskError)) throw error;
      return -1;
    }
  }

  checkpoint(): void {
    const { store, log, disk } = this;
    if (this.checkpointing !== undefined || store.marks.head === 0) return;
    this.checkpointing = writeCheckpoint(store, log, disk).then(
      () => {
        this.checkpoints++;
        if (this.log === log) this.checkpointing = undefined;
      },
      (error: unknown) => {
        if (!(error instanceof Crash) && !(error instanceof DiskError)) this.failure ??= error;
        if (this.log === log) this.checkpointing = undefined;
      },
    );
  }

  private policy(): Policy {
    return {
      ...DEFAULT_POLICY,
      domains: [FIRST_DOMAIN, SECOND_DOMAIN],
      historyBytes: 0,
      answerBytesMax: 1 << 18,
      transactionsMax: 4096,
      ...this.around.rules(),
    };
  }

  private openShard(): void {
    const { around } = this;
    this.counters = new Float64Array(COUNTER_NAMES.length);
    const auth = around.auth();
    this.journal = this.directory === '' ? undefined : new SubscriptionJournal(this.directory, false, JOURNAL_BYTES);
    const { journal } = this;
    const shard = new Shard({
      index: around.index,
      shards: around.shards,
      store: this.store,
      policy: this.policy(),
      secret: SECRET,
      counters: this.counters,
      forward: (owner, slot) => around.forward(owner, this.batch[slot]),
      log: () => {},
      clock: around.clock,
      flows: { isAlive: (flow) => around.isAlive(flow) },
      ...(auth !== null && { auth: { ...auth, wait: (slot) => around.wait(this.batch[slot]) } }),
      ...(journal && { subscriptions: { journal, sentBy: [], udpByMain: false } }),
      ...(around.wake !== null && {
        wake: (slot, _, __, devices) => around.wake?.(this.batch[slot], devices) ?? false,
      }),
      ...(around.calls !== null && { gate: around.calls.gate, statics: around.calls.statics }),
    });
    shard.open();
    this.shard = shard;
    const { counters } = this;
    this.driver = new BatchDriver({ shard, counters, measures: MEASURES, send: () => this.send(), ...around.pressure });
  }

  private send(): void {
    const { answers } = this.shard;
    for (let row = 0; row < answers.count; row++) {
      const bytes = Buffer.from(answers.bytes.buffer, answers.bytes.byteOffset, answers.bytes.length);
      const text = bytes.toString('latin1', answers.at[row], answers.end[row]);
      this.sent.push({ message: this.batch[answers.slot[row]] ?? null, text });
    }
    const { outgoing } = this.shard;
    for (let row = 0; row < outgoing.count; row++) {
      const { peers } = outgoing;
      const text = Buffer.from(outgoing.bytes.subarray(outgoing.at[row], outgoing.end[row])).toString('latin1');
      this.notices.push({ text, host: peers.ip[row * 16 + 3], flow: peers.flow[row] });
    }
  }

  /** What is handed to the store, and what became of it. */
  private watch(store: LogStore): void {
    const commit = store.commit.bind(store);
    store.commit = (writes, now, lasting) => {
      const changes = this.changesOf(writes);
      const spare = this.around.spare();
      const today = spare < 0 ? undefined : Buffer.from(writes.bytes.subarray(0, writes.length));
      let position = 0;
      try {
        if (spare >= 0) makeOld(writes, spare);
        position = commit(writes, now, lasting);
      } catch (error) {
        this.around.failed(changes);
        throw error;
      } finally {
        if (today !== undefined) writes.bytes.set(today);
      }
      this.around.committed(changes, lasting !== false);
      return position;
    };
  }

  private changesOf(writes: WriteSet): Map<number, Change> {
    const changes = new Map<number, Change>();
    const words = new Uint32Array(writes.keys.buffer);
    for (let entry = 0; entry < writes.count; entry++) {
      const n = this.around.numberOf(words[entry * 4 + 1]);
      const at = writes.at[entry];
      const end = writes.end[entry];
      if (end > at) changes.set(n, { kind: 'record', bindings: boundIn(writes.bytes, at, end) });
      else if (writes.refreshes[entry] === 1) {
        writes.copyRow(entry, this.row);
        changes.set(n, { kind: 'refresh', expiresAt: this.row.expiresAt, cseq: this.row.cseq });
      } else changes.set(n, { kind: 'removal' });
    }
    return changes;
  }
}

/** Files in memory, where the system has such. */
const MEMORY = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
/** Subscriptions begin a new file soon. */
const JOURNAL_BYTES = 4000;
const MEASURES = new Measures();
