// A log in memory under the location store: generations as small as a test wants, faults where it wants them, and places that are
// no addresses. Frames lie 24 bytes behind multiples of 64; a failed frame, and every new life, begins a generation.

import { readAround } from '../../src/location/log/around.ts';
import type { FrameFound, Log, LogProblems } from '../../src/location/log/log.ts';
import { claimedAddress, claimedLength, claimsFrame } from '../../src/location/log/log-frame.ts';

const UNIT = 64;
const OFFSET = 24;

export type LogOperation = 'append' | 'settle' | 'read' | 'drop';

/** What outlives the store: bytes of each generation, and what had been set aside. */
export class SimulatedDisk {
  readonly generations = new Map<number, Uint8Array<ArrayBuffer>>();
  /** Address of the last frame settled, by generation. */
  readonly settled = new Map<number, number>();
  /** Address of the last frame before a generation. */
  readonly before = new Map<number, number>();
  /** The newest generation when the log was synced last; -1: it never was. */
  syncedTo = -1;
  /** As Log.droppedAt. */
  droppedAt = 0;
  readonly setAside: { readonly place: number; readonly bytes: Uint8Array }[] = [];
  /** Throws where an operation shall fail. @param place of what is read, or of the frame @param length of what is read */
  fault: (operation: LogOperation, place: number, length: number) => void = () => {};
}

export class SimulatedLog implements Log {
  readonly name = 'simulated';
  readonly generationBytes: number;
  readonly problems: LogProblems = { aside: [], unfinished: [], missing: [] };
  generations: number[];
  head = 0;
  last = 0;
  private readonly disk: SimulatedDisk;
  /** Bytes of the newest generation that are taken; its end where nothing may be added. */
  private used: number;
  private staged: { readonly bytes: Uint8Array; readonly address: number; readonly place: number } | undefined;

  /** @param generationBytes a multiple of 64 */
  constructor(disk: SimulatedDisk, generationBytes: number) {
    this.disk = disk;
    this.generationBytes = generationBytes;
    this.generations = [...disk.generations.keys()].sort((a, b) => a - b);
    this.used = generationBytes;
    this.head = this.tail;
  }

  get tail(): number {
    return this.generations.length === 0 ? this.head : this.generations[0] * this.generationBytes;
  }

  get droppedAt(): number {
    return this.disk.droppedAt;
  }

  get fullBytes(): number {
    return this.generationBytes;
  }

  get bytes(): number {
    return this.generations.length * this.generationBytes;
  }

  certain(generation: number): number | undefined {
    return this.before(generation);
  }

  resume(head: number, last: number): void {
    this.head = head;
    this.last = last;
  }

  endBehind(address: number): void {
    const end = Math.floor(address / this.generationBytes);
    for (const number of this.generations.filter((one) => one > end)) {
      this.disk.generations.delete(number);
      this.disk.settled.delete(number);
      this.disk.before.delete(number);
    }
    this.generations = this.generations.filter((number) => number <= end);
  }

  find(place: number, unreadable: (place: number) => void = () => {}): FrameFound | null {
    const generation = Math.floor(place / this.generationBytes);
    const start = generation * this.generationBytes;
    const bytes = this.disk.generations.get(generation);
    if (bytes === undefined) return null;
    const words = new Uint32Array(bytes.buffer);
    const first = Math.ceil(Math.max(0, place - start - OFFSET) / UNIT) * UNIT + OFFSET;
    for (let at = first; at < bytes.length; at += UNIT) {
      try {
        this.disk.fault('read', start + at, UNIT - OFFSET);
      } catch {
        unreadable(start + at);
        continue;
      }
      if (!claimsFrame(words, at >> 2, words.length)) continue;
      return { address: claimedAddress(words, at >> 2), place: start + at, length: claimedLength(words, at >> 2) };
    }
    return null;
  }

  settled(generation: number): number {
    return this.disk.settled.get(generation) ?? -1;
  }

  before(generation: number): number | undefined {
    return this.disk.before.get(generation);
  }

  place(length: number): number {
    const newest = this.generations.at(-1);
    if (newest === undefined) return this.head;
    const fits = this.used + OFFSET + length <= this.generationBytes;
    // A generation may have been begun for a frame that then failed.
    return fits ? Math.max(this.head, newest * this.generationBytes) : (newest + 1) * this.generationBytes;
  }

  append(bytes: Uint8Array, length: number, address: number): void {
    const generation = Math.floor(address / this.generationBytes);
    if (OFFSET + length > this.generationBytes) throw new Error('the frame is longer than a generation');
    if (generation !== this.generations.at(-1)) {
      this.disk.fault('append', generation * this.generationBytes, 0);
      if (this.disk.generations.has(generation)) throw new Error(`generation ${generation} is there already`);
      this.disk.generations.set(generation, new Uint8Array(new ArrayBuffer(this.generationBytes)));
      this.disk.before.set(generation, this.head === 0 ? -1 : this.last);
      this.generations.push(generation);
      this.used = 0;
    }
    this.disk.fault('append', generation * this.generationBytes + this.used, 0);
    const place = generation * this.generationBytes + this.used + OFFSET;
    this.staged = { bytes: bytes.slice(0, length), address, place };
  }

  settle(_lasting: boolean): number {
    if (this.staged === undefined) throw new Error('nothing was appended');
    const { bytes, address, place } = this.staged;
    this.staged = undefined;
    const generation = Math.floor(place / this.generationBytes);
    this.disk.generations.get(generation)?.set(bytes, place % this.generationBytes);
    try {
      this.disk.fault('settle', place, 0);
    } catch (error) {
      this.used = this.generationBytes;
      throw error;
    }
    this.used = Math.ceil(((place % this.generationBytes) + bytes.length) / UNIT) * UNIT;
    this.disk.settled.set(generation, address);
    this.head = address + bytes.length;
    this.last = address;
    return place;
  }

  read(place: number, into: Uint8Array, at: number, length: number): number {
    this.disk.fault('read', place, length);
    const bytes = this.disk.generations.get(Math.floor(place / this.generationBytes));
    if (bytes === undefined) return 0;
    const from = place % this.generationBytes;
    const piece = bytes.subarray(from, Math.min(bytes.length, from + length));
    into.set(piece, at);
    return piece.length;
  }

  sync(): void {
    this.disk.fault('settle', this.head, 0);
    this.disk.syncedTo = this.generations.at(-1) ?? -1;
  }

  fileAt(place: number): string {
    return `generation ${Math.floor(place / this.generationBytes)}`;
  }

  setAside(place: number, length: number): void {
    const bytes = new Uint8Array(Math.min(length, this.generationBytes));
    const end = readAround(this, place, bytes, 0, bytes.length);
    this.disk.setAside.push({ place, bytes: bytes.subarray(0, end) });
  }

  dropTail(): void {
    const generation = this.generations[0];
    this.disk.fault('drop', generation * this.generationBytes, 0);
    this.generations.shift();
    this.disk.generations.delete(generation);
    this.disk.droppedAt = this.last;
  }

  close(): void {}
}
