// The disk of a simulated shard: generations of its log, files of its checkpoints, and what goes wrong with them. A crash loses
// what was not synced, or any part of it; a disk that has crashed does nothing more until it is started again.

import type { Random } from './shards/random.ts';

/** Of what survives a cut as a whole. */
const UNIT = 64;

/** The process, or the machine, has ended in the middle of something. */
export class Crash extends Error {}

/** What the disk says: with a code, as Node's errors have one. */
export class DiskError extends Error {
  readonly code: string;

  constructor(code: string, what: string) {
    super(`${code}: ${what}`);
    this.code = code;
  }
}

export type DiskOperation = 'append' | 'settle' | 'read' | 'drop' | 'checkpoint';

/** How often something fails, each from 0 to 1. */
export interface Weather {
  append: number;
  short: number;
  settle: number;
  read: number;
  checkpoint: number;
}

export const CALM: Weather = { append: 0, short: 0, settle: 0, read: 0, checkpoint: 0 };

/** Bytes that live through a crash as far as they were synced. */
export class DiskBytes {
  bytes: Uint8Array<ArrayBuffer>;
  /** Its name is on disk. */
  named = false;
  /** What it says of itself: that frames up to this address were settled. It reaches the disk with a later sync. */
  settled = -1;
  /** Where the log ended when it was made; a cut of power may take it. */
  before: number | undefined;
  /** Up to where it was certain. */
  certain: number | undefined;
  private isBeforeSure = false;
  /** A cut of power took its last word on that. */
  hasForgotten = false;
  private settledSurely = -1;
  private unsynced: { readonly at: number; readonly before: Uint8Array; readonly data: Uint8Array }[] = [];

  constructor(length: number) {
    this.bytes = new Uint8Array(new ArrayBuffer(length));
  }

  write(at: number, data: Uint8Array): void {
    if (at + data.length > this.bytes.length) {
      const grown = new Uint8Array(new ArrayBuffer(at + data.length));
      grown.set(this.bytes);
      this.bytes = grown;
    }
    this.unsynced.push({ at, before: this.bytes.slice(at, at + data.length), data: data.slice() });
    this.bytes.set(data, at);
  }

  sync(): void {
    this.settledSurely = this.settled;
    this.isBeforeSure = true;
    if (this.unsynced.length > 0) this.unsynced = [];
  }

  /** What a backup takes of it: all that is there, synced or not. */
  copy(): DiskBytes {
    const copy = new DiskBytes(0);
    copy.bytes = this.bytes.slice();
    copy.named = true;
    copy.settled = this.settled;
    copy.before = this.before;
    copy.certain = this.certain;
    copy.sync();
    return copy;
  }

  /** The machine has lost its power: of what was not synced, any part is as it was before. */
  cut(random: Random): void {
    for (const { at, before, data } of this.unsynced.reverse()) {
      const kept = random.pick([0, 0.2, 0.5, 0.9, 1]);
      for (let from = 0; from < data.length; from += UNIT) {
        if (random.chance(kept)) continue;
        const end = Math.min(from + UNIT, data.length);
        if (same(this.bytes, at + from, data, from, end - from)) this.bytes.set(before.subarray(from, end), at + from);
      }
    }
    this.unsynced = [];
    if (!this.isBeforeSure && random.chance(0.5)) [this.before, this.certain] = [undefined, undefined];
    if (!random.chance(0.5)) return;
    this.hasForgotten ||= this.settled !== this.settledSurely;
    this.settled = this.settledSurely;
  }
}

export class SimulatedDisk {
  readonly generations = new Map<number, DiskBytes>();
  /** Of a shard's checkpoints: by what they are called. */
  readonly files = new Map<string, DiskBytes>();
  setAside = 0;
  weather: Weather = CALM;
  /** It has no room; what is there may be written anew. */
  full = false;
  /** Errors that operations have drawn. */
  errors = 0;
  dead = false;
  /** Counts starts: what a process of before still does, does nothing. */
  life = 0;
  /** Numbers of generations that somebody removed, and of the oldest that was not dropped, as the manifest names it. */
  readonly lost = new Set<number>();
  first = 0;
  /** Sectors of 512 bytes that cannot be read, by place / 512. */
  readonly bad = new Set<number>();
  readonly random: Random;
  /** Dropped since the directory was synced: a cut may bring the newest of them back. */
  private dropped: { readonly number: number; readonly generation: DiskBytes }[] = [];
  private stepsToCrash = Number.POSITIVE_INFINITY;

  constructor(random: Random) {
    this.random = random;
  }

  /** A disk with what a backup takes: the generations of the log, and the checkpoint that counts. */
  copy(): SimulatedDisk {
    const copy = new SimulatedDisk(this.random);
    for (const [number, generation] of this.generations) copy.generations.set(number, generation.copy());
    const checkpoint = this.files.get('checkpoint');
    if (checkpoint !== undefined) copy.files.set('checkpoint', checkpoint.copy());
    copy.first = this.first;
    return copy;
  }

  /** It crashes within so many operations. */
  crashWithin(steps: number): void {
    this.stepsToCrash = this.random.between(1, steps);
  }

  /** Nothing goes wrong from now on. */
  calm(): void {
    this.weather = CALM;
    this.stepsToCrash = Number.POSITIVE_INFINITY;
  }

  /** Before each operation. Throws what becomes of it. @param undo what a crash in its middle leaves behind */
  step(operation: DiskOperation, partly: () => void = () => {}): void {
    if (this.dead) throw new Crash('it has crashed');
    if (--this.stepsToCrash <= 0) {
      if (this.random.chance(0.5)) partly();
      this.dead = true;
      throw new Crash(`in ${operation}`);
    }
    const { weather, random, full } = this;
    const isWrite = operation === 'append' || operation === 'checkpoint';
    if (full && isWrite) this.fail('ENOSPC', operation);
    const rate = operation === 'drop' ? 0 : weather[operation];
    if (rate > 0 && random.chance(rate))
      this.fail(operation === 'read' ? random.pick(['EIO', 'EMFILE']) : random.pick(['EIO', 'ENOSPC']), operation);
  }

  fail(code: string, what: string): never {
    this.errors++;
    throw new DiskError(code, what);
  }

  drop(number: number): void {
    const generation = this.generations.get(number);
    if (generation === undefined) throw new Error(`there is no generation ${number}`);
    this.generations.delete(number);
    this.first = number + 1;
    this.dropped.push({ number, generation });
  }

  /** Somebody removes a generation while no process has it open. */
  lose(number: number): void {
    this.generations.delete(number);
    this.lost.add(number);
  }

  /** The directory of the log is synced. */
  syncNames(): void {
    for (const generation of this.generations.values()) generation.named = true;
    this.dropped = [];
  }

  /** The process ends; with `power` the machine does, too. Then it is there again. */
  restart(power: boolean): void {
    this.dead = false;
    this.life++;
    this.stepsToCrash = Number.POSITIVE_INFINITY;
    const { random } = this;
    if (power) {
      for (const [number, generation] of this.generations) {
        if (!generation.named && random.chance(0.5)) this.generations.delete(number);
        else generation.cut(random);
      }
      for (const file of this.files.values()) file.cut(random);
      const back = random.between(0, this.dropped.length);
      for (const { number, generation } of this.dropped.slice(this.dropped.length - back))
        this.generations.set(number, generation);
    }
    this.dropped = [];
  }
}

function same(a: Uint8Array, at: number, b: Uint8Array, from: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (a[at + i] !== b[from + i]) return false;
  return true;
}
