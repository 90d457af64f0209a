// A log as location/log/log promises it, on a simulated disk. Places are no addresses: frames lie 24 bytes behind multiples of 64, with
// holes between them that later frames may fill. A failed sync, and every new life, begins a generation.

import type { FrameFound, Log, LogProblems } from '../../src/location/log/log.ts';
import { claimedAddress, claimedLength, claimsFrame, frameLength } from '../../src/location/log/log-frame.ts';
import { DiskBytes, DiskError, type SimulatedDisk } from './disk.ts';
import type { Random } from './shards/random.ts';

const UNIT = 64;
const OFFSET = 24;
const SECTOR = 512;

interface Room {
  readonly at: number;
  readonly end: number;
}

interface Staged {
  readonly generation: number;
  readonly bytes: Uint8Array;
  readonly address: number;
  readonly room: Room;
}

/** What the world around is told of. */
export interface LogObserver {
  /** A frame is about to be written; bytes[0, length) at `place`. */
  writing(place: number, bytes: Uint8Array, length: number): void;
  settled(place: number, lasting: boolean): void;
  /** A frame was refused, and its generation has ended. */
  refused(): void;
  /** Bytes from one place to another could not be read. */
  unreadable(from: number, to: number): void;
}

export class LogOnDisk implements Log {
  readonly name = 'simulated';
  readonly generationBytes: number;
  readonly problems: LogProblems;
  readonly generations: number[];
  head = 0;
  last = 0;
  droppedAt = Number.POSITIVE_INFINITY;
  private readonly disk: SimulatedDisk;
  private readonly random: Random;
  private readonly observer: LogObserver;
  /** Of the newest generation: where it is free. */
  private rooms: Room[] = [];
  private ended = true;
  private staged: Staged | undefined;
  /** Address of the last frame that has lasted for certain. */
  private certainly = -1;

  /** @param generationBytes a multiple of 64 */
  constructor(disk: SimulatedDisk, generationBytes: number, observer: LogObserver) {
    this.disk = disk;
    this.random = disk.random;
    this.generationBytes = generationBytes;
    this.observer = observer;
    this.generations = [...disk.generations.keys()].sort((a, b) => a - b);
    this.problems = {
      aside: [],
      unfinished: [],
      missing: [...disk.lost].filter((number) => number >= disk.first),
    };
    this.syncAll(); // what a start has seen stays
    this.head = this.tail;
  }

  get tail(): number {
    return this.generations.length === 0 ? this.head : this.generations[0] * this.generationBytes;
  }

  get fullBytes(): number {
    return this.generationBytes;
  }

  get bytes(): number {
    return this.generations.length * this.generationBytes;
  }

  resume(head: number, last: number, certain: number): void {
    this.head = head;
    this.last = last;
    this.certainly = certain;
  }

  endBehind(address: number): void {
    const end = Math.floor(address / this.generationBytes);
    while (this.generations.length > 0 && this.generations[this.generations.length - 1] > end)
      this.disk.generations.delete(this.generations.pop() ?? 0);
  }

  find(place: number, unreadable: (place: number) => void = () => {}): FrameFound | null {
    const generation = Math.floor(place / this.generationBytes);
    const start = generation * this.generationBytes;
    const bytes = this.disk.generations.get(generation)?.bytes;
    if (bytes === undefined) return null;
    const words = new Uint32Array(bytes.buffer);
    const first = Math.ceil(Math.max(0, place - start - OFFSET) / UNIT) * UNIT + OFFSET;
    for (let at = first; at < bytes.length; at += UNIT) {
      if (!this.canRead(start + at, at === first)) {
        unreadable(start + at);
        at = (Math.floor(at / SECTOR) + 1) * SECTOR + OFFSET - UNIT;
      } else if (claimsFrame(words, at >> 2, words.length))
        return { address: claimedAddress(words, at >> 2), place: start + at, length: claimedLength(words, at >> 2) };
    }
    return null;
  }

  settled(generation: number): number {
    return this.disk.generations.get(generation)?.settled ?? -1;
  }

  before(generation: number): number | undefined {
    return this.disk.generations.get(generation)?.before;
  }

  certain(generation: number): number | undefined {
    return this.disk.generations.get(generation)?.certain;
  }

  place(length: number): number {
    const newest = this.generations.at(-1);
    if (newest === undefined) return this.head;
    if (!this.ended && this.roomFor(length) !== undefined) return Math.max(this.head, newest * this.generationBytes);
    return (newest + 1) * this.generationBytes;
  }

  append(bytes: Uint8Array, length: number, address: number): void {
    const { disk } = this;
    const number = Math.floor(address / this.generationBytes);
    if (OFFSET + length > this.generationBytes) throw new Error('the frame is longer than a generation');
    if (this.ended || number !== this.generations.at(-1)) this.begin(number);
    const generation = disk.generations.get(number);
    const room = this.roomFor(length);
    if (generation === undefined || room === undefined) throw new Error(`no room for ${length} bytes at ${address}`);
    const at = room.at + OFFSET;
    const copy = bytes.slice(0, length);
    const place = number * this.generationBytes + at;
    this.observer.writing(place, copy, length);
    disk.step('append');
    this.staged = { generation: number, bytes: copy, address, room };
  }

  settle(lasting: boolean): number {
    const { staged, disk } = this;
    if (staged === undefined) throw new Error('nothing was appended');
    this.staged = undefined;
    const { generation: number, bytes, address, room } = staged;
    const at = room.at + OFFSET;
    const place = number * this.generationBytes + at;
    const generation = disk.generations.get(number);
    if (generation === undefined) throw new Error(`there is no generation ${number}`);
    try {
      this.write(generation, at, bytes);
      disk.step('settle', () => this.syncOne(number));
    } catch (error) {
      this.ended = true;
      this.observer.refused();
      throw error;
    }
    this.forgetSectors(place, bytes.length);
    if (lasting) {
      this.syncOne(number);
      generation.settled = address;
      this.certainly = address;
    }
    this.take(room, bytes.length);
    this.head = address + bytes.length;
    this.last = address;
    this.observer.settled(place, lasting);
    this.tellBad(place, bytes.length);
    return place;
  }

  read(place: number, into: Uint8Array, at: number, length: number): number {
    const { disk, random } = this;
    const readable = this.tryRead(place, length);
    const bytes = disk.generations.get(Math.floor(place / this.generationBytes))?.bytes;
    if (bytes === undefined) return 0;
    const from = place % this.generationBytes;
    let end = Math.min(bytes.length, from + readable);
    if (end - from > 100 && random.chance(0.02)) end = from + random.between(80, end - from); // a short one
    into.set(bytes.subarray(from, end), at);
    return end - from;
  }

  fileAt(place: number): string {
    return `generation ${Math.floor(place / this.generationBytes)}`;
  }

  setAside(): void {
    this.disk.setAside++;
  }

  dropTail(): void {
    const [number] = this.generations;
    this.disk.step('drop');
    this.generations.shift();
    this.disk.drop(number);
    this.droppedAt = this.last;
  }

  close(): void {
    if (!this.disk.dead) this.syncAll();
  }

  sync(): void {
    this.syncAll();
  }

  /** As the thread that writes checkpoints does it. */
  syncAll(): void {
    this.disk.step('settle');
    for (const generation of this.disk.generations.values()) generation.sync();
    this.disk.syncNames();
  }

  private write(generation: DiskBytes, at: number, bytes: Uint8Array): void {
    const { disk, random } = this;
    // Of a unit all or nothing, as of a sector: a frame's header is never in parts.
    const partly = (least: number) => {
      const end = Math.floor((at + random.between(least, bytes.length)) / UNIT) * UNIT;
      generation.write(at, bytes.subarray(0, Math.max(0, end - at)));
    };
    disk.step('append', () => partly(0));
    if (disk.weather.short > 0 && random.chance(disk.weather.short)) {
      partly(1);
      disk.fail('ENOSPC', 'a short write');
    }
    generation.write(at, bytes);
  }

  private begin(number: number): void {
    const { disk } = this;
    disk.step('append');
    const before = this.generations.at(-1);
    if (before !== undefined && !this.ended) {
      this.syncOne(before); // what waits there for a sync
      this.certainly = this.last;
    }
    if (disk.generations.has(number)) throw new Error(`generation ${number} is there already`);
    const generation = new DiskBytes(this.generationBytes);
    generation.before = this.head === 0 ? -1 : this.last;
    generation.certain = Math.min(generation.before, this.certainly);
    disk.generations.set(number, generation);
    if (this.ended) this.syncHead(number);
    this.generations.push(number);
    this.rooms = [{ at: 0, end: this.generationBytes }];
    this.ended = false;
  }

  /** Nothing else tells where the generation before ended. */
  private syncHead(number: number): void {
    const { disk } = this;
    try {
      disk.step('settle', () => this.syncOne(number));
    } catch (error) {
      if (!disk.dead) disk.generations.delete(number);
      throw error;
    }
    this.syncOne(number);
  }

  private syncOne(number: number): void {
    this.disk.generations.get(number)?.sync();
    if (this.disk.generations.get(number)?.named === false) this.disk.syncNames();
  }

  private roomFor(length: number): Room | undefined {
    return this.rooms.find(({ at, end }) => at + OFFSET + length <= end);
  }

  /** Now and then a hole is left before what follows. */
  private take(room: Room, length: number): void {
    const index = this.rooms.indexOf(room);
    const at = Math.ceil((room.at + OFFSET + length) / UNIT) * UNIT;
    const hole = this.random.chance(0.2) ? UNIT * this.random.between(2, 10) : 0;
    const rest: Room[] = [];
    if (at + hole < room.end) rest.push({ at: at + hole, end: room.end });
    // Behind the rest: holes are filled when nothing else is free.
    const holes = hole > 0 ? [{ at, end: Math.min(at + hole, room.end) }] : [];
    this.rooms.splice(index, 1, ...rest);
    this.rooms.push(...holes);
  }

  /** How much of a piece the disk gives: what lies before a bad sector. Throws what it says where that is nothing. */
  private tryRead(place: number, length: number): number {
    const { disk } = this;
    try {
      disk.step('read');
      for (let sector = Math.floor(place / SECTOR); disk.bad.size > 0 && sector * SECTOR < place + length; sector++) {
        if (!disk.bad.has(sector)) continue;
        if (sector * SECTOR > place) return sector * SECTOR - place;
        disk.fail('EIO', `sector ${sector}`);
      }
      return length;
    } catch (error) {
      if (error instanceof DiskError) this.observer.unreadable(place, place + length);
      throw error;
    }
  }

  /** @param isFirst of a search: each meets at most one error that passes */
  private canRead(place: number, isFirst: boolean): boolean {
    const { disk } = this;
    const sector = Math.floor(place / SECTOR);
    if (disk.bad.size > 0 && disk.bad.has(sector)) return false;
    if (!isFirst) return true;
    try {
      disk.step('read');
      return true;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.observer.unreadable(place, (sector + 1) * SECTOR);
      return false;
    }
  }

  /** A frame that shares a bad sector with what lay there cannot be read there either. */
  private tellBad(place: number, length: number): void {
    for (let sector = Math.floor(place / SECTOR); sector * SECTOR < place + length; sector++) {
      if (!this.disk.bad.has(sector)) continue;
      this.observer.unreadable(Math.max(place, sector * SECTOR), Math.min(place + length, (sector + 1) * SECTOR));
    }
  }

  /** A sector that is written is a good one again. */
  private forgetSectors(place: number, length: number): void {
    for (let sector = Math.ceil(place / SECTOR); (sector + 1) * SECTOR <= place + length; sector++)
      this.disk.bad.delete(sector);
  }
}

/** Whether a frame of that length lies there, sound. */
export function isSoundFrame(disk: SimulatedDisk, generationBytes: number, place: number, length: number): boolean {
  const bytes = disk.generations.get(Math.floor(place / generationBytes))?.bytes;
  if (bytes === undefined) return false;
  const words = new Uint32Array(bytes.buffer);
  const w = (place % generationBytes) >> 2;
  return frameLength(bytes, words, w, words.length, claimedAddress(words, w)) === length;
}
